//! Searching for one record among those that matching has compared.

use super::cursor::stream;
use super::match_index::Index;
use super::matching::{record_type, values};
use super::newcomer::{Newcomer, newcomers};
use super::{configuration, model, spi, transaction};
use crate::error::Error;
use crate::graph::StoreError;
use crate::matching::find::{Finder, MOST_IN_BLOCK, rules};
use crate::matching::index::{self, IN_PAGE, Kept, Part, block_number};
use crate::matching::model::{Model, log_odds, probability};
use crate::matching::pattern::Comparer;
use crate::matching::records::{FieldSpec, Records};
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::{Map, Value as Json};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Somebody whose record it may be.
pub struct Hit {
    pub profile: pgrx::Uuid,
    /// 0 to 1.
    pub probability: f64,
    /// The record that is most alike.
    pub identifier: String,
}

/// From this probability on a record is shown.
const LEAST: f64 = 0.01;

/// The most records that one is compared with, unless one block alone has more. The rarest block comes
/// first: who has nothing but a common name is one of too many.
const MOST: usize = 2_000;

/// The profiles, at most `limit`, whose record that of these traits may be, the most probable first.
pub fn search(traits: &Map<String, Json>, name: &str, limit: i32) -> Result<Vec<Hit>, Error> {
    if limit < 0 {
        return Err(Error::Limit { limit });
    }
    let prepared = model::current(name)?;
    let model = &prepared.model;
    let sought = values(model, traits)?;
    let index = Index::of(name)
        .filter(|index| index.state.parameters == prepared.digest)
        .ok_or_else(|| Error::NotMatched { model: name.to_owned() })?;
    let kept_slots = &index.state.slots;
    let slots: Vec<usize> =
        kept_slots.iter().zip(&sought).map(|(&kept, sought)| sought.len().max(kept)).collect();
    let specs: Vec<FieldSpec> =
        model.fields.iter().zip(&slots).map(|(field, &slots)| field.spec(slots)).collect();
    let configuration = configuration::current()?;
    let mut records = Records::new(&specs, false, configuration.nicknames());
    let padded = sought.iter().zip(&slots).flat_map(|(values, &slots)| {
        (0..slots).map(move |slot| values.get(slot).map_or("", String::as_str))
    });
    records.push(padded, 0);
    let numbers = if index.state.compares_all {
        (0..index.state.next).collect()
    } else {
        index.candidates(model, &records)
    };
    let fields: Vec<(String, usize)> =
        specs.iter().map(|spec| (spec.name.clone(), spec.slots)).collect();
    let newcomers = newcomers(&index.state, &prepared, &configuration.rules, &fields);
    let mut names: Vec<(u16, String)> = Vec::new();
    for Newcomer { side, key, values } in newcomers {
        records.push(values.iter().map(String::as_str), side);
        names.push((side, key));
    }
    let new: FxHashSet<(u16, String)> = names.iter().cloned().collect();
    index.show(&numbers, |Kept { side, key, values }| {
        if new.contains(&(side, key.to_owned())) {
            return;
        }
        let mut values = values.into_iter();
        let padded: Vec<&str> = kept_slots
            .iter()
            .zip(&slots)
            .flat_map(|(&kept, &slots)| {
                let of_field: Vec<&str> = values.by_ref().take(kept).collect();
                (0..slots).map(move |slot| of_field.get(slot).copied().unwrap_or_default())
            })
            .collect();
        records.push_canonical([side].into_iter(), |_, slot| padded[slot]);
        names.push((side, key.to_owned()));
    })?;
    let comparer = Comparer::new(&records, prepared.scorer.frequencies());
    let finder = Finder::new(&comparer, &prepared.scorer, log_odds(LEAST));
    let score = |n: usize| {
        if n.is_multiple_of(64) {
            transaction::check_for_cancel();
        }
        Some((finder.score(records.row(0), records.row(n as u32 + 1))?, n))
    };
    let mut found: Vec<(f64, usize)> = (0..names.len()).filter_map(score).collect();
    found.sort_by(|x, y| y.0.total_cmp(&x.0).then_with(|| names[x.1].cmp(&names[y.1])));
    let record_type = record_type(&configuration.rules);
    let hits = found.into_iter().map(|(odds, n)| {
        let (side, key) = &names[n];
        (probability(odds), format!("{record_type}:{}{key}", index.state.sources[usize::from(*side)]))
    });
    Ok(of_profiles(hits.collect(), limit as usize))
}

/// Of each profile the first record.
fn of_profiles(hits: Vec<(f64, String)>, limit: usize) -> Vec<Hit> {
    let identifiers: Vec<&str> = hits.iter().map(|(_, identifier)| identifier.as_str()).collect();
    let mut profiles = FxHashMap::default();
    stream(
        "SELECT i.identifier, i.profile FROM unnest($1::text[]) AS sought (identifier)
         JOIN identity_resolve.identifier AS i USING (identifier)",
        &[identifiers.into()],
        |row| {
            profiles.extend(row.text(0).zip(row.uuid(1)).map(|(text, id)| (text.to_owned(), id)));
        },
    );
    let mut seen = Vec::new();
    let mut shown = Vec::new();
    for (probability, identifier) in hits {
        // Who is gone since is nobody's any more.
        let Some(&profile) = profiles.get(&identifier) else { continue };
        if seen.contains(&profile) {
            continue;
        }
        if shown.len() == limit {
            break;
        }
        seen.push(profile);
        shown.push(Hit { profile: spi::id(profile), probability, identifier });
    }
    shown
}

impl Index {
    /// The records that share a block with the first of `records`, the rarest block first.
    fn candidates(&self, model: &Model, records: &Records) -> Vec<u32> {
        let (keys, rules) = rules(records, model);
        let mut wanted: Vec<(i32, i64)> = Vec::new();
        for (list, &rule) in rules.iter().enumerate() {
            keys.each_block(rule, keys.row(0), |block| {
                for is_new in [false, true] {
                    wanted.push((Part::Postings { list, is_new }.number(), block_number(block) as i64));
                }
            });
        }
        let (parts, blocks): (Vec<i32>, Vec<i64>) = wanted.into_iter().unzip();
        let mut members: BTreeMap<(i32, i64), Vec<u32>> = BTreeMap::new();
        stream(
            "SELECT w.part, w.block, p.first, p.content
             FROM unnest($2::int[], $3::bigint[]) AS w (part, block),
                  LATERAL (SELECT first, content FROM identity_resolve.match_page AS p
                           WHERE p.index = $1 AND p.part = w.part AND p.first <= w.block
                           ORDER BY p.first DESC LIMIT 1) AS p",
            &[self.id.into(), parts.into(), blocks.into()],
            |row| {
                let part = row.int4(0).unwrap_or_default();
                let [sought, first] = [1, 2].map(|column| row.int8(column).unwrap_or_default());
                // A page that is damaged has nobody.
                let _ = index::each_block(first, row.bytes(3).unwrap_or_default(), |block, found| {
                    if block as i64 == sought {
                        members.entry(((part - 2) / 2, sought)).or_default().extend(found.numbers()?);
                    }
                    Ok(())
                });
            },
        );
        let mut blocks: Vec<Vec<u32>> =
            members.into_values().filter(|block| block.len() <= MOST_IN_BLOCK).collect();
        blocks.sort_unstable_by_key(|block| Reverse(block.len()));
        let mut numbers: Vec<u32> = Vec::new();
        while let Some(block) = blocks.pop() {
            if !numbers.is_empty() && numbers.len() + block.len() > MOST {
                break;
            }
            numbers.extend(block);
        }
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// Shows the records of these numbers, ascending, as far as they are still there.
    fn show(&self, numbers: &[u32], mut each: impl FnMut(Kept)) -> Result<(), Error> {
        let mut pages: Vec<i64> = numbers.iter().map(|&number| index::page_of(number)).collect();
        pages.dedup();
        let slots = self.state.slots.iter().sum();
        let mut damaged = None;
        stream(
            "SELECT first, content FROM identity_resolve.match_page
             WHERE index = $1 AND part = 0 AND first = ANY ($2)",
            &[self.id.into(), pages.into()],
            |row| {
                let first = row.int8(0).unwrap_or_default() as u32;
                match index::records_of(row.bytes(1).unwrap_or_default(), slots) {
                    Ok(records) => {
                        for (number, record) in (first..first + IN_PAGE).zip(records) {
                            let sought = numbers.binary_search(&number).is_ok();
                            record.into_iter().filter(|_| sought).for_each(&mut each);
                        }
                    }
                    Err(cause) => damaged = Some(cause),
                }
            },
        );
        damaged.map_or(Ok(()), |cause| Err(Error::Store(StoreError::from(cause))))
    }
}
