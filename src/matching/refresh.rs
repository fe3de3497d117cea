//! A later run of matching: compares what is new with all that is kept, and comes to what a run over
//! everything would come to.
//!
//! Which pairs are compared and how they score depends on the two records and the model alone, but
//! for blocks that have too many records; where a block has come to be of another size in this respect
//! nothing less than a full run will do. Groups are independent of one another: those are decided anew
//! that what is new belongs to or what is gone belonged to.

use super::blocking::blocks;
use super::cluster::cluster;
use super::evaluate::groups;
use super::find::{Edge, Finder, MOST_IN_BLOCK, rules};
use super::index::{self, Kept, KeptPair, Page, Part, Stored, block_number, name_hash};
use super::model::{Model, Scorer, log_odds, probability};
use super::nickname::Nicknames;
use super::pattern::Comparer;
use super::records::{FieldSpec, Records};
use super::watch::{Phase, Stopped, Watch};
use crate::packed::Damaged;
use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::Arc;

/// A record that has come, or may be another than it was.
pub struct Arrived {
    pub side: u16,
    pub key: String,
    /// Whatever the caller tells rows apart by.
    pub row: i64,
    /// Of each slot of each field, as it is written; empty if there is none.
    pub values: Vec<String>,
}

/// By what records are compared.
pub struct Means<'m> {
    pub model: &'m Model,
    pub scorer: &'m Scorer,
    pub specs: &'m [FieldSpec],
    pub nicknames: &'m Arc<Nicknames>,
    /// What names begin with, by side.
    pub sources: &'m [String],
}

impl Means<'_> {
    fn no_records(&self) -> Records {
        Records::new(self.specs, self.model.link_only, Arc::clone(self.nicknames))
    }
}

/// The side and the key of a record.
pub type Name = (u16, String);

/// Sides and keys of records.
type Names<'a> = FxHashSet<(u16, &'a str)>;

/// What has changed.
#[derive(Default)]
pub struct Refreshed {
    /// Pairs that are linked with this probability, or no longer.
    pub links: Vec<(Name, Name, Option<f64>)>,
    /// Doubtful pairs of the records of `scope`, which take the place of those before.
    pub reviews: Vec<(Name, Name, f64)>,
    pub scope: Vec<Name>,
    /// Pages of records by their number, and all of what is new and of edges.
    pub pages: Vec<Page>,
    /// The number after the last record's.
    pub next: u32,
    pub pairs_compared: u64,
    /// Pairs that are linked, of all records.
    pub joined: usize,
}

/// Why nothing came of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Halt {
    Stopped,
    /// Only a full run will do.
    Stale,
    /// Somebody is gone, and it must be told who.
    Gone,
}

impl From<Stopped> for Halt {
    fn from(_: Stopped) -> Self {
        Halt::Stopped
    }
}

impl From<Damaged> for Halt {
    fn from(_: Damaged) -> Self {
        Halt::Stale
    }
}

/// What there is beside what is kept.
pub struct News {
    pub arrived: Vec<Arrived>,
    /// The numbers of the names of all records there are, if it must be found out who is gone.
    pub present: Option<FxHashSet<u64>>,
}

/// Brings what is kept up to date. `nobody_else_is_gone` is asked with what of `news` is new: false
/// ends it with [`Halt::Gone`].
pub fn refresh(
    means: &Means,
    stored: &Stored,
    news: &News,
    nobody_else_is_gone: impl Fn(&[&Arrived]) -> bool,
    watch: &Watch,
) -> Result<Refreshed, Halt> {
    let News { arrived, present } = news;
    let old = Old { stored, places: stored.places()?, sides: means.sources.len() };
    watch.take(old.places.len() * size_of::<u32>())?;
    let (gone, known) = old.gone(means, arrived, present.as_ref())?;
    if present.is_none() {
        let new: Vec<&Arrived> =
            arrived.iter().filter(|a| !known.contains(&(a.side, &*a.key))).collect();
        if !nobody_else_is_gone(&new) {
            return Err(Halt::Gone);
        }
    }
    watch.begin(Phase::Reading, 0);
    let mut fresh = means.no_records();
    for some in arrived.chunks(TOGETHER) {
        fresh.push_many(some.iter().map(|a| a.side), |record, slot| &some[record].values[slot]);
        watch.go_on()?;
    }
    watch.take(fresh.bytes())?;
    let refresh = Refresh { means, old, arrived, fresh, first: stored.next(), gone, watch };
    let (edges, pairs_compared) = refresh.find()?;
    let (mut found, lost) = refresh.pairs_left()?;
    found.extend(edges.into_iter().map(|edge| KeptPair { edge, joined: false }));
    watch.take(size_of_val(&found[..]))?;
    let mut refreshed = Refreshed { pairs_compared, next: refresh.next(), ..Refreshed::default() };
    refresh.decide(&lost, &mut found, &mut refreshed)?;
    refreshed.joined = found.iter().filter(|found| found.joined).count();
    found.par_sort_unstable_by_key(|found| (found.edge.a, found.edge.b));
    refresh.write(&found, &mut refreshed)?;
    Ok(refreshed)
}

/// What is kept, and where each record stands in its page.
struct Old<'s> {
    stored: &'s Stored,
    places: Vec<u32>,
    sides: usize,
}

impl Old<'_> {
    fn is_there(&self, number: u32) -> bool {
        self.places.get(number as usize).is_some_and(|&place| place != index::GONE)
    }

    fn record(&self, number: u32) -> Result<Kept<'_>, Damaged> {
        let place = *self.places.get(number as usize).ok_or(Damaged::at(0))?;
        let kept = self.stored.record(number, place)?;
        if usize::from(kept.side) < self.sides { Ok(kept) } else { Err(Damaged::at(place as usize)) }
    }

    /// The records that are no more, or no more what they were, ascending; and the names of what has
    /// arrived in their place.
    fn gone<'a>(
        &self,
        means: &Means,
        arrived: &'a [Arrived],
        present: Option<&FxHashSet<u64>>,
    ) -> Result<(Vec<u32>, Names<'a>), Halt> {
        let hash = |side: u16, key: &str| name_hash(&means.sources[usize::from(side)], key);
        let mut names: Vec<(u64, &'a Arrived)> =
            arrived.iter().map(|a| (block_number(hash(a.side, &a.key)), a)).collect();
        names.sort_unstable_by(|(x, a), (y, b)| (x, a.side, &a.key).cmp(&(y, b.side, &b.key)));
        let same = |a: &Arrived, b: &Arrived| a.side == b.side && a.key == b.key;
        if names.windows(2).any(|pair| same(pair[0].1, pair[1].1)) {
            return Err(Halt::Stale);
        }
        let mut wanted: Vec<u64> = names.iter().map(|(name, _)| *name).collect();
        wanted.dedup();
        let mut candidates = Vec::new();
        self.stored.each_wanted(self.stored.names(), &wanted, |n, numbers| {
            let there = numbers.iter().copied().filter(|&number| self.is_there(number));
            candidates.extend(there.map(|number| (wanted[n], number)));
        })?;
        let mut gone = Vec::new();
        let mut known: Names = FxHashSet::default();
        for (name, number) in candidates {
            let kept = self.record(number)?;
            let of_name = names.partition_point(|(other, _)| *other < name);
            let found = names[of_name..]
                .iter()
                .take_while(|(other, _)| *other == name)
                .find(|(_, a)| a.side == kept.side && a.key == kept.key);
            if let Some((_, found)) = found {
                gone.push(number);
                if !known.insert((found.side, &found.key)) {
                    // Two rows of one key are one record: the other one must be read, too.
                    return Err(Halt::Stale);
                }
            }
        }
        if let Some(present) = present {
            for number in (0..self.places.len() as u32).filter(|&number| self.is_there(number)) {
                let kept = self.record(number)?;
                if !present.contains(&hash(kept.side, kept.key)) {
                    gone.push(number);
                }
            }
        }
        gone.sort_unstable();
        gone.dedup();
        if let Some(present) = present {
            let kept = self.places.iter().filter(|&&place| place != index::GONE).count();
            if kept - gone.len() + arrived.len() != present.len() {
                return Err(Halt::Stale);
            }
        }
        Ok((gone, known))
    }
}

/// A refresh under way.
struct Refresh<'r> {
    means: &'r Means<'r>,
    old: Old<'r>,
    arrived: &'r [Arrived],
    /// What has arrived, and the number of the first of it.
    fresh: Records,
    first: u32,
    /// The numbers of the records that are no more, ascending.
    gone: Vec<u32>,
    watch: &'r Watch,
}

impl Refresh<'_> {
    fn is_gone(&self, number: u32) -> bool {
        self.gone.binary_search(&number).is_ok()
    }

    /// The number after the last record's.
    fn next(&self) -> u32 {
        self.first + self.fresh.len() as u32
    }

    /// A record of this number, kept or new.
    fn record(&self, number: u32) -> Result<Kept<'_>, Damaged> {
        match number.checked_sub(self.first) {
            Some(new) => {
                let Arrived { side, key, .. } = &self.arrived[new as usize];
                Ok(Kept { side: *side, key, values: self.fresh.values(new).collect() })
            }
            None => self.old.record(number),
        }
    }

    fn name(&self, number: u32) -> Result<Name, Damaged> {
        self.record(number).map(|kept| (kept.side, kept.key.to_owned()))
    }

    /// Adds the records of these numbers.
    fn push(&self, records: &mut Records, numbers: &[u32]) -> Result<(), Halt> {
        for numbers in numbers.chunks(TOGETHER) {
            let kept = numbers.par_iter().map(|&number| self.record(number));
            let kept: Vec<Kept> = kept.collect::<Result<_, _>>()?;
            let sides = kept.iter().map(|kept| kept.side);
            records.push_canonical(sides, |record, slot| kept[record].values[slot]);
        }
        Ok(())
    }

    /// The probable pairs that what is new is in, and how many pairs were compared.
    fn find(&self) -> Result<(Vec<Edge>, u64), Halt> {
        let Refresh { means, first, watch, .. } = self;
        let count = self.fresh.len() as u32;
        // Blocks of those that are gone have become smaller.
        let mut touched = self.fresh.clone();
        self.push(&mut touched, &self.gone)?;
        let mut pairs = self.candidates(&touched, count)?;
        drop(touched);
        pairs.par_sort_unstable();
        pairs.dedup();
        let mut partners: Vec<u32> = pairs.iter().filter_map(|&(_, partner)| partner.old()).collect();
        partners.par_sort_unstable();
        partners.dedup();
        // Of the new ones first, then of their partners.
        let mut records = self.fresh.clone();
        self.push(&mut records, &partners)?;
        watch.take(records.bytes())?;
        let comparer = Comparer::new(&records, means.scorer.frequencies());
        watch.take(comparer.bytes())?;
        let finder = Finder::new(&comparer, means.scorer, log_odds(means.model.review_threshold));
        watch.begin(Phase::Comparing, pairs.len() as u64);
        let parts: Vec<Vec<Edge>> = pairs
            .par_chunks(4096)
            .map(|chunk| {
                let mut edges = Vec::new();
                for &(new, partner) in chunk {
                    let (place, number) = match partner {
                        Partner::New(other) => (other, first + other),
                        Partner::Old(number) => {
                            let place = partners.partition_point(|&partner| partner < number);
                            (count + place as u32, number)
                        }
                    };
                    if !records.comparable(new, place) {
                        continue;
                    }
                    let (x, y) = (records.row(new), records.row(place));
                    let found = finder.score(x, y);
                    if let Some(log_odds) =
                        found.filter(|&odds| finder.is_telling(means.model, odds, x, y))
                    {
                        let (a, b) = (number.min(first + new), number.max(first + new));
                        edges.push(Edge { a, b, log_odds });
                    }
                }
                watch.advance(chunk.len() as u64)?;
                Ok(edges)
            })
            .collect::<Result<_, Stopped>>()?;
        Ok((parts.concat(), pairs.len() as u64))
    }

    /// Which pairs to compare: those that a block brings together. `touched`: what is new, `count`
    /// records, and after it what is gone.
    fn candidates(&self, touched: &Records, count: u32) -> Result<Vec<(u32, Partner)>, Halt> {
        let (keys, rules) = rules(touched, self.means.model);
        let lists: Vec<Vec<(u32, Partner)>> = rules
            .par_iter()
            .enumerate()
            .map(|(list, &rule)| {
                let mut own: Vec<(u64, u32)> = blocks(touched, &keys, rule, 1, self.watch)?;
                own.iter_mut().for_each(|(block, _)| *block = block_number(*block));
                own.sort_unstable();
                own.dedup();
                self.candidates_of(list, &own, count)
            })
            .collect::<Result<_, Halt>>()?;
        Ok(lists.concat())
    }

    /// The same for one rule; `own`: the blocks of `touched`.
    fn candidates_of(
        &self,
        list: usize,
        own: &[(u64, u32)],
        count: u32,
    ) -> Result<Vec<(u32, Partner)>, Halt> {
        let own: Vec<&[(u64, u32)]> = own.chunk_by(|x, y| x.0 == y.0).collect();
        let wanted: Vec<u64> = own.iter().map(|block| block[0].0).collect();
        let mut before: Vec<Vec<u32>> = vec![Vec::new(); own.len()];
        self.old.stored.each_wanted(list, &wanted, |n, numbers| {
            before[n].extend(numbers.iter().copied().filter(|&number| self.old.is_there(number)));
        })?;
        let mut pairs = Vec::new();
        for (own, mut old) in own.into_iter().zip(before) {
            self.watch.go_on()?;
            old.sort_unstable();
            old.dedup();
            let before = old.len();
            old.retain(|&number| !self.is_gone(number));
            let new: Vec<u32> =
                own.iter().map(|&(_, record)| record).filter(|&record| record < count).collect();
            let after = old.len() + new.len();
            match (before > MOST_IN_BLOCK, after > MOST_IN_BLOCK) {
                (false, false) => {}
                (true, true) => continue,
                _ => return Err(Halt::Stale),
            }
            let taken = pairs.len();
            for (n, &record) in new.iter().enumerate() {
                pairs.extend(old.iter().map(|&number| (record, Partner::Old(number))));
                pairs.extend(new[n + 1..].iter().map(|&other| (record, Partner::New(other))));
            }
            self.watch.take(size_of_val(&pairs[taken..]))?;
        }
        Ok(pairs)
    }

    /// The pairs that are kept: of records that still are what they were, and the others.
    fn pairs_left(&self) -> Result<(Vec<KeptPair>, Vec<KeptPair>), Halt> {
        let kept = self.old.stored.edges()?;
        if kept.iter().any(|KeptPair { edge, .. }| edge.a.max(edge.b) >= self.first) {
            return Err(Halt::Stale);
        }
        let stays = |KeptPair { edge, .. }: &KeptPair| !self.is_gone(edge.a) && !self.is_gone(edge.b);
        Ok(kept.into_iter().partition(stays))
    }

    /// Decides anew about the groups that have changed: says of each pair of `found` whether it joins.
    /// `lost`: the pairs of those that are gone.
    fn decide(
        &self,
        lost: &[KeptPair],
        found: &mut [KeptPair],
        refreshed: &mut Refreshed,
    ) -> Result<(), Halt> {
        let Refresh { means, watch, first, .. } = self;
        let least = log_odds(means.model.match_threshold);
        let is_strong = |found: &KeptPair| found.edge.log_odds >= least;
        let size = self.next() as usize;
        let group = groups(size, found.iter().filter(|f| is_strong(f)).map(|f| &f.edge));
        let mut touched = vec![false; size];
        (*first..size as u32).for_each(|number| touched[group[number as usize] as usize] = true);
        // Groups that lost somebody, who may have left others alone; and the links of who is gone.
        let mut left: Vec<u32> = Vec::new();
        for KeptPair { edge, joined } in lost {
            for end in [edge.a, edge.b] {
                if !self.is_gone(end) && edge.log_odds >= least {
                    touched[group[end as usize] as usize] = true;
                    left.push(end);
                }
            }
            if *joined {
                refreshed.links.push((self.name(edge.a)?, self.name(edge.b)?, None));
            }
        }
        let is_touched = |number: u32| touched[group[number as usize] as usize];
        let mut members: Vec<u32> = found
            .iter()
            .filter(|f| is_strong(f) && is_touched(f.edge.a))
            .flat_map(|f| [f.edge.a, f.edge.b])
            .chain(left)
            .chain(*first..size as u32)
            .collect();
        members.par_sort_unstable();
        members.dedup();
        let joined = self.cluster(&members, found)?;
        for (n, joined) in joined {
            let before = found[n].joined;
            found[n].joined = joined;
            if joined != before {
                let Edge { a, b, log_odds } = found[n].edge;
                let probability = joined.then(|| probability(log_odds));
                refreshed.links.push((self.name(a)?, self.name(b)?, probability));
            }
        }
        let joins = found.iter().filter(|f| f.joined).map(|f| &f.edge);
        let group = groups(size, joins);
        let is_member = |number: u32| members.binary_search(&number).is_ok();
        for KeptPair { edge: Edge { a, b, log_odds }, joined } in found {
            let apart = group[*a as usize] != group[*b as usize];
            if !*joined && apart && (is_member(*a) || is_member(*b)) {
                let pair = (self.name(*a)?, self.name(*b)?, probability(*log_odds));
                refreshed.reviews.push(pair);
            }
        }
        watch.go_on()?;
        let scope = members.into_iter().chain(self.gone.iter().copied());
        refreshed.scope = scope.map(|number| self.name(number)).collect::<Result<_, _>>()?;
        Ok(())
    }

    /// For each strong pair of these records, by its place, whether it joins.
    fn cluster(&self, members: &[u32], found: &[KeptPair]) -> Result<Vec<(usize, bool)>, Halt> {
        let means @ Means { model, scorer, sources, .. } = self.means;
        // In the order that all records would have.
        let mut ordered = Vec::with_capacity(members.len());
        for &number in members {
            let (side, key) = self.name(number)?;
            ordered.push((name_hash(&sources[usize::from(side)], &key), key, number));
        }
        ordered.par_sort_unstable();
        let numbers: Vec<u32> = ordered.into_iter().map(|(_, _, number)| number).collect();
        let place: FxHashMap<u32, u32> =
            numbers.iter().enumerate().map(|(place, &number)| (number, place as u32)).collect();
        let mut records = means.no_records();
        self.push(&mut records, &numbers)?;
        let least = log_odds(model.match_threshold);
        let mut edges: Vec<(Edge, usize)> = Vec::new();
        for (n, KeptPair { edge, .. }) in found.iter().enumerate() {
            if edge.log_odds >= least
                && let (Some(&a), Some(&b)) = (place.get(&edge.a), place.get(&edge.b))
            {
                edges.push((Edge { a: a.min(b), b: a.max(b), log_odds: edge.log_odds }, n));
            }
        }
        edges.par_sort_unstable_by_key(|(edge, _)| (edge.a, edge.b));
        let places = edges.iter().map(|&(_, n)| n);
        let comparer = Comparer::new(&records, scorer.frequencies());
        self.watch.take(records.bytes() + comparer.bytes())?;
        let only: Vec<Edge> = edges.iter().map(|&(edge, _)| edge).collect();
        let joined = cluster(&comparer, scorer, &only, self.watch)?;
        Ok(places.zip(joined).collect())
    }

    /// What is to be kept from now on.
    fn write(&self, found: &[KeptPair], refreshed: &mut Refreshed) -> Result<(), Halt> {
        let (stored, fresh, first) = (self.old.stored, &self.fresh, self.first);
        for of_page in self.gone.chunk_by(|x, y| index::page_of(*x) == index::page_of(*y)) {
            let page = index::page_of(of_page[0]);
            let numbers = page as u32..(page as u32 + index::IN_PAGE).min(first);
            let kept = numbers.map(|number| {
                let stays = self.old.is_there(number) && !self.is_gone(number);
                if stays { self.old.record(number).map(Some) } else { Ok(None) }
            });
            let kept: Vec<_> = kept.collect::<Result<_, _>>()?;
            refreshed.pages.push(index::record_page(page, kept.into_iter()));
        }
        let key = |record: u32| &*self.arrived[record as usize].key;
        refreshed.pages.extend(index::record_pages(fresh, 0..fresh.len() as u32, first, key));
        let (keys, rules) = rules(fresh, self.means.model);
        for list in 0..=rules.len() {
            let mut postings: Vec<(u64, u32)> = match rules.get(list) {
                Some(&rule) => blocks(fresh, &keys, rule, 1, self.watch)?,
                None => index::names(fresh, self.means.sources, key),
            };
            for (block, record) in &mut postings {
                *block = block_number(*block);
                *record += first;
            }
            stored.each_new(list, |block, number| {
                if !self.is_gone(number) {
                    postings.push((block, number));
                }
            })?;
            postings.par_sort_unstable();
            refreshed.pages.extend(index::posting_pages(
                Part::Postings { list, is_new: true },
                &postings,
                |number| number,
            ));
        }
        refreshed.pages.extend(index::edge_pages(found));
        Ok(())
    }
}

/// Records that are read from their pages at a time.
const TOGETHER: usize = 1 << 14;

/// With whom a new record is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Partner {
    /// With another new one, by its place.
    New(u32),
    /// With one that is kept, by its number.
    Old(u32),
}

impl Partner {
    fn old(self) -> Option<u32> {
        match self {
            Partner::New(_) => None,
            Partner::Old(number) => Some(number),
        }
    }
}
