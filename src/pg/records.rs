//! Records of sources in memory, to be matched.

use super::cursor::{Row, stream};
use super::scan::quoted;
use super::source::{self, Source};
use super::thread::{self, Pool};
use super::{configuration, progress, settings, spi, transaction, watch};
use crate::error::Error;
use crate::graph::rules::{Role, Rules};
use crate::graph::task::Task;
use crate::identifier::Normalizer;
use crate::matching::compare::Comparison;
use crate::matching::index::name_hash;
use crate::matching::kind::Kind;
use crate::matching::known::Known;
use crate::matching::pattern::MOST_FIELDS;
use crate::matching::records::{FieldSpec, Records};
use crate::matching::text::is_void;
use crate::matching::value;
use crate::source::batch::{Batch, Row as BatchRow, RowHead};
use crate::source::mapping::Field;
use pgrx::pg_sys;
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, SyncSender};

/// Rows of a source that are looked at to tell what its columns hold.
const LOOKED_AT: i64 = 5_000;

/// Records and what they are called.
pub struct Loaded {
    pub records: Records,
    pub names: Names,
    /// By side, what rows were read.
    pub rows: Vec<Rows>,
}

/// By which it is seen whether other rows are there than before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rows {
    pub count: i64,
    /// The hashes of the keys, by exclusive or.
    pub keys: i64,
}

impl Rows {
    /// Adds a row with this key.
    pub fn add(&mut self, key_hash: i64) {
        self.count += 1;
        self.keys ^= key_hash;
    }
}

/// The names of records: `schema.table/key`, canonical as in sightings.
pub struct Names {
    text: String,
    ends: Vec<usize>,
    /// What the names begin with, `schema.table/`, by the side of their records.
    pub sources: Vec<String>,
    normalizer: Normalizer,
}

impl Names {
    pub fn new(rules: &Rules) -> Self {
        let record_type = rules.record_type().map(|kind| rules.type_of(kind));
        Names {
            text: String::new(),
            ends: Vec::new(),
            sources: Vec::new(),
            normalizer: record_type.map_or(Normalizer::Exact, |kind| kind.normalizer),
        }
    }

    /// A name as sightings write it; `None` if no record can be called so.
    pub fn canonical(&self, name: &str) -> Option<String> {
        self.normalizer.canonical(name, None).ok().map(Cow::into_owned)
    }

    /// The key of a row as it is in the name of its record.
    pub fn canonical_key(&self, side: u16, key: &str) -> Option<String> {
        let source = &self.sources[usize::from(side)];
        self.canonical(&format!("{source}{key}"))?.strip_prefix(source).map(str::to_owned)
    }

    /// What all names begin with, if there is one source.
    pub fn only_source(&self) -> Option<&str> {
        if let [only] = &self.sources[..] { Some(only) } else { None }
    }

    pub fn begin_source(&mut self, name: &str) {
        let prefix = format!("{name}/");
        self.sources.push(self.canonical(&prefix).unwrap_or(prefix));
    }

    fn push(&mut self, key: &str) {
        self.text.push_str(key);
        self.ends.push(self.text.len());
    }

    pub fn key(&self, place: usize) -> &str {
        let start = if place == 0 { 0 } else { self.ends[place - 1] };
        &self.text[start..self.ends[place]]
    }

    fn bytes(&self) -> usize {
        self.text.len() + 8 * self.ends.len()
    }

    fn reordered(&self, order: &[u32]) -> Self {
        let mut names = Names {
            text: String::with_capacity(self.text.len()),
            ends: Vec::with_capacity(order.len()),
            sources: self.sources.clone(),
            normalizer: self.normalizer,
        };
        order.iter().for_each(|&place| names.push(self.key(place as usize)));
        names
    }
}

/// Where the values of a trait stand in a source.
type Places = Vec<Field>;

/// A source and where its traits stand.
pub struct Plan<'s> {
    pub source: &'s Source,
    traits: BTreeMap<String, Places>,
}

impl<'s> Plan<'s> {
    /// What can be compared of a source's rows: its traits, and identifiers of contact.
    pub fn new(source: &'s Source, rules: &Rules) -> Self {
        let mut traits: BTreeMap<String, Places> = source
            .mapping
            .traits
            .iter()
            .map(|(name, fields)| (name.clone(), fields.0.clone()))
            .collect();
        for (name, fields) in &source.mapping.identifiers {
            let contact =
                rules.type_index(name).is_some_and(|kind| rules.type_of(kind).role == Role::Contact);
            if contact {
                traits.entry(name.clone()).or_insert_with(|| fields.0.clone());
            }
        }
        Plan { source, traits }
    }

    /// The query that reads the key and then all of a trait's values, for each field in turn; `None`
    /// in a place is a value that the source does not have.
    pub fn query(&self, fields: &[(String, usize)], rest: &str) -> Result<String, Error> {
        let relation = source::readable(self.source.oid)?;
        let columns = source::columns(self.source.oid);
        let text = |name: &str| {
            let column = columns.iter().find(|column| column.name == name);
            column.map(|column| watch::text_of(&quoted(name), column.type_oid)).ok_or_else(|| {
                Error::UnknownColumn {
                    path: "traits".into(),
                    column: name.into(),
                    relation: relation.name.clone(),
                    known: columns.iter().map(|column| column.name.clone()).collect(),
                }
            })
        };
        let key = self.source.mapping.key.as_deref().unwrap_or_default();
        let mut select = vec![text(key)?];
        for (name, slots) in fields {
            let places = self.traits.get(name).map_or(&[][..], Vec::as_slice);
            for slot in 0..*slots {
                select.push(match places.get(slot) {
                    None => "NULL::text".into(),
                    Some(Field::Column(column)) => text(column)?,
                    Some(Field::Constant(constant)) => literal(constant),
                });
            }
        }
        Ok(format!("SELECT {} FROM {} {rest}", select.join(", "), relation.name))
    }
}

fn literal(text: &str) -> String {
    format!("'{}'::text", text.replace('\'', "''"))
}

/// All traits of the sources, each with how many values a record can have.
pub fn traits(plans: &[Plan]) -> BTreeMap<String, usize> {
    let mut traits: BTreeMap<String, usize> = BTreeMap::new();
    for plan in plans {
        for (name, places) in &plan.traits {
            let slots = traits.entry(name.clone()).or_default();
            *slots = (*slots).max(places.len());
        }
    }
    traits
}

/// What to compare, from the traits' names and from what they hold; `chosen` overrides it.
pub fn fields(
    plans: &[Plan],
    chosen: &BTreeMap<String, Option<Comparison>>,
) -> Result<Vec<FieldSpec>, Error> {
    let traits: Vec<(String, usize)> = traits(plans).into_iter().collect();
    if let Some(unknown) = chosen.keys().find(|name| !traits.iter().any(|(known, _)| known == *name)) {
        return Err(Error::UnknownField {
            field: unknown.clone(),
            known: traits.into_iter().map(|(name, _)| name).collect(),
        });
    }
    let values = look(plans, &traits)?;
    let specs = traits.into_iter().zip(values).filter_map(|((name, slots), values)| {
        let distinct: BTreeSet<&str> = values.iter().map(String::as_str).collect();
        let comparison = match chosen.get(&name) {
            Some(None) => return None,
            Some(Some(comparison)) => comparison.clone(),
            None if distinct.len() < 2 => return None,
            None => Comparison::of(Kind::of_trait(&name).unwrap_or_else(|| {
                Kind::of_values(values.iter().map(String::as_str), distinct.len(), values.len())
            })),
        };
        let day_first =
            comparison.kind == Kind::Date && value::day_first(values.iter().map(String::as_str));
        Some(FieldSpec { name, comparison, day_first, slots })
    });
    let specs: Vec<FieldSpec> = specs.collect();
    match specs.len() {
        0 => Err(Error::NothingToMatch),
        1..=MOST_FIELDS => Ok(specs),
        found => Err(Error::TooManyFields { found, most: MOST_FIELDS }),
    }
}

/// Some values of each trait: always the same ones of the same rows, in whatever order they lie.
fn look(plans: &[Plan], traits: &[(String, usize)]) -> Result<Vec<Vec<String>>, Error> {
    let mut values = vec![Vec::new(); traits.len()];
    for plan in plans {
        let query = plan.query(
            traits,
            &format!("ORDER BY hashtextextended({}, 0) LIMIT {LOOKED_AT}", plan.key_text()),
        )?;
        stream(&query, &[], |row| {
            let mut column = 1;
            for (values, (_, slots)) in values.iter_mut().zip(traits) {
                for _ in 0..*slots {
                    values.extend(row.text(column).filter(|text| !is_void(text)).map(str::to_owned));
                    column += 1;
                }
            }
        });
    }
    Ok(values)
}

impl Plan<'_> {
    /// Whether rows tell which transaction wrote them: those of views and foreign tables do not.
    pub fn knows_new_rows(&self) -> bool {
        spi::one(
            "WITH RECURSIVE t AS (
                 SELECT $1 AS oid
                 UNION SELECT i.inhrelid FROM t JOIN pg_inherits AS i ON i.inhparent = t.oid)
             SELECT bool_and(c.relkind IN ('r', 'p', 'm')) FROM t JOIN pg_class AS c ON c.oid = t.oid",
            &[self.source.oid.into()],
            |row| row.bool(0).unwrap_or_default(),
        )
        .unwrap_or_default()
    }

    /// The rows that there are.
    pub fn rows(&self) -> Result<Rows, Error> {
        let relation = source::relation(self.source.oid)?;
        let key = format!("{} COLLATE \"C\"", self.key_text());
        let query = format!(
            "SELECT count(*), bit_xor(hashtextextended({key}, 0)) FROM {} WHERE {} IS NOT NULL",
            relation.name,
            quoted(self.source.mapping.key.as_deref().unwrap_or_default())
        );
        let read = |row: &Row| Rows {
            count: row.int8(0).unwrap_or_default(),
            keys: row.int8(1).unwrap_or_default(),
        };
        Ok(spi::one(&query, &[], read).unwrap_or_default())
    }

    /// The condition that holds for rows whose key is one of `$1`, texts; `None` if only a function of
    /// somebody's own could tell.
    pub fn of_keys(&self) -> Option<String> {
        let key = self.source.mapping.key.as_deref()?;
        let column = source::columns(self.source.oid).into_iter().find(|column| column.name == key)?;
        let type_name = (column.type_oid.to_u32() < pg_sys::FirstNormalObjectId).then(|| {
            spi::one("SELECT format_type($1, -1)", &[column.type_oid.into()], |row| {
                row.text(0).unwrap_or_default().to_owned()
            })
        })??;
        let key = quoted(key);
        Some(format!("WHERE {key} OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.text[]::{type_name}[])"))
    }

    fn key_text(&self) -> String {
        format!("{}::text", quoted(self.source.mapping.key.as_deref().unwrap_or_default()))
    }
}

/// Records from which a model is learned, about, and fewest of a source.
const LEARNED_FROM: i64 = 250_000;
const LEAST_OF_SOURCE: i64 = 25_000;

/// The share of records, above 0 and up to 1, that are enough to learn from.
pub fn share_to_learn_from(plans: &[Plan]) -> Result<f64, Error> {
    let mut counts = Vec::new();
    for plan in plans {
        let relation = source::relation(plan.source.oid)?;
        let query = format!("SELECT count(*) FROM {}", relation.name);
        counts.push(spi::one(&query, &[], |row| row.int8(0).unwrap_or_default()).unwrap_or_default());
    }
    let enough = |of: i64, count: i64| of as f64 / count.max(1) as f64;
    let of_least = counts.iter().map(|&count| enough(LEAST_OF_SOURCE, count)).fold(0.0, f64::max);
    Ok(enough(LEARNED_FROM, counts.iter().sum()).max(of_least).min(1.0))
}

/// Parts of which a share is some.
const PARTS: i64 = 1 << 20;

/// Reads records of sources, a share of them; in an order that depends on nothing but what they are
/// called. So does which they are.
pub fn load(plans: &[Plan], specs: &[FieldSpec], link_only: bool, share: f64) -> Result<Loaded, Error> {
    let fields: Vec<(String, usize)> =
        specs.iter().map(|spec| (spec.name.clone(), spec.slots)).collect();
    let configuration = configuration::current()?;
    let mut loaded = Loaded {
        records: Records::new(specs, link_only, configuration.nicknames()),
        names: Names::new(&configuration.rules),
        rows: Vec::new(),
    };
    let pool = Pool::new()?;
    let estimated: Vec<i64> = plans.iter().map(|plan| estimated_rows(plan.source.oid)).collect();
    let expected = estimated.iter().sum::<i64>() as f64;
    for (side, plan) in plans.iter().enumerate() {
        progress::phase(progress::Phase::Reading, estimated[side], plan.source.oid.to_u32());
        let side = side as u16;
        loaded.names.begin_source(&plan.source.name);
        let some = match (share * PARTS as f64) as i64 {
            PARTS.. => String::new(),
            parts => format!(
                "WHERE hashtextextended({} COLLATE \"C\", 1) & {} < {parts}",
                plan.key_text(),
                PARTS - 1
            ),
        };
        let query = plan.query(&fields, &some)?;
        let width = 1 + fields.iter().map(|(_, slots)| slots).sum::<usize>();
        let limit_mb = settings::match_memory_mb();
        let add = |batches: Receiver<Batch>| {
            for batch in batches {
                let rows: Vec<BatchRow> = batch.rows(width).collect();
                let keys = rows.iter().map(|row| loaded.names.canonical_key(side, row.value(0)?));
                let keys: Vec<Option<String>> = keys.collect();
                // What no record can be called is nobody's.
                let named: Vec<BatchRow> = rows
                    .into_iter()
                    .zip(&keys)
                    .filter(|(_, key)| key.is_some())
                    .map(|(row, _)| row)
                    .collect();
                keys.iter().flatten().for_each(|key| loaded.names.push(key));
                let value = |row: usize, slot: usize| named[row].value(1 + slot).unwrap_or_default();
                let sides = named.iter().map(|_| side);
                pool.run(|| loaded.records.push_many(sides, value));
                let bytes = loaded.records.bytes() + loaded.names.bytes();
                if bytes >> 20 > limit_mb as usize {
                    let of_all = (expected / loaded.records.len() as f64).max(1.0);
                    let needed_mb = ((bytes as f64 * of_all) as usize).div_ceil(1 << 20);
                    return Err(Error::MatchMemory { limit_mb, needed_mb });
                }
            }
            Ok(())
        };
        let (added, rows) = thread::with_consumer(add, |batches| feed(&query, width, &batches));
        added?;
        loaded.rows.push(rows);
    }
    let task = Task::begin(Some(thread::spawn), move || pool.run(|| loaded.arranged()));
    Ok(task.finish(&mut transaction::check_for_cancel))
}

impl Loaded {
    /// The same in an order that depends on nothing but what records are called.
    fn arranged(mut self) -> Self {
        let Loaded { records, names, .. } = &self;
        let hash = |place: u32| {
            name_hash(&names.sources[usize::from(records.side(place))], names.key(place as usize))
        };
        let mut order: Vec<(u64, u32)> =
            (0..records.len() as u32).into_par_iter().map(|place| (hash(place), place)).collect();
        order.par_sort_unstable_by(|x, y| {
            let key = |place: u32| names.key(place as usize);
            x.0.cmp(&y.0).then_with(|| key(x.1).cmp(key(y.1)))
        });
        let order: Vec<u32> = order.into_iter().map(|(_, place)| place).collect();
        (_, self.names) = rayon::join(|| self.records.reorder(&order), || self.names.reordered(&order));
        self
    }

    /// The canonical text of a record: `record:schema.table/key`.
    pub fn identifier(&self, record_type: &str, record: u32) -> String {
        let source = &self.names.sources[usize::from(self.records.side(record))];
        format!("{record_type}:{source}{}", self.names.key(record as usize))
    }

    /// What the canonical texts of the records begin with: `record:schema.table/`.
    pub fn scope(&self, record_type: &str) -> Vec<String> {
        self.names.sources.iter().map(|source| format!("{record_type}:{source}")).collect()
    }

    pub fn bytes(&self) -> usize {
        self.records.bytes() + self.names.bytes()
    }
}

impl Loaded {
    /// Whether two rows have one name. They are neighbours.
    pub fn has_twins(&self) -> bool {
        let name = |record: u32| (self.records.side(record), self.names.key(record as usize));
        (1..self.records.len() as u32).any(|record| name(record - 1) == name(record))
    }

    /// Where records are, by their canonical texts.
    pub fn places(&self, record_type: &str) -> FxHashMap<String, u32> {
        let mut places = FxHashMap::default();
        for record in 0..self.records.len() as u32 {
            if record % 4096 == 0 {
                transaction::check_for_cancel();
            }
            places.insert(self.identifier(record_type, record), record);
        }
        places
    }

    /// Notes what certain identifiers and operators say about the records: those that share one that a
    /// person can have but one of, and pairs that were linked or separated.
    pub fn know(&mut self, rules: &Rules, plans: &[Plan]) {
        let Some(record_type) = rules.record_type().map(|kind| &rules.type_of(kind).name) else {
            return;
        };
        let names = plans.iter().flat_map(|plan| plan.source.mapping.identifiers.keys());
        let kinds: BTreeSet<u16> = names.filter_map(|name| rules.type_index(name)).collect();
        let mut kinds: Vec<(i32, &str, u16)> = kinds
            .into_iter()
            .map(|kind| (rules.type_of(kind), kind))
            .filter(|(of, _)| of.role == Role::Person && of.max_per_profile == Some(1))
            .map(|(of, kind)| (of.priority, of.name.as_str(), kind))
            .collect();
        kinds.sort_unstable();
        let scope = self.scope(record_type);
        let mut places = OnceCell::new();
        let mut place = |text: &str| {
            places.get_or_init(|| self.places(record_type));
            places.get_mut().and_then(|places| places.get(text)).copied()
        };
        let mut known = Known::default();
        let pairs = "SELECT a, b, true FROM identity_resolve.must_link
             UNION ALL SELECT a, b, false FROM identity_resolve.separation";
        let in_scope = |text: &str| scope.iter().any(|prefix| text.starts_with(prefix));
        stream(pairs, &[], |row| {
            let (Some(a), Some(b)) = (row.text(0), row.text(1)) else { return };
            if in_scope(a)
                && in_scope(b)
                && let (Some(a), Some(b)) = (place(a), place(b))
            {
                known.say(a, b, row.bool(2).unwrap_or_default());
            }
        });
        // The strongest type last: it counts.
        for (number, (_, name, _)) in kinds.iter().enumerate().rev() {
            stream(
                "SELECT r.identifier, p.id
                 FROM identity_resolve.identifier AS p
                 JOIN identity_resolve.link AS l ON l.a = p.id AND l.held_reason IS NULL AND l.evidence <> ''
                 JOIN identity_resolve.identifier AS r ON r.id = l.b
                 WHERE starts_with(p.identifier, $1 || ':') ORDER BY p.id DESC",
                &[(*name).into()],
                |row| {
                    let record = row.text(0).filter(|text| in_scope(text)).and_then(&mut place);
                    if let (Some(record), Some(id)) = (record, row.int8(1)) {
                        known.name(record, number as u16, id);
                    }
                },
            );
        }
        self.records.known = known;
    }
}

fn feed(query: &str, width: usize, batches: &SyncSender<Batch>) -> Rows {
    let mut rows = Rows::default();
    let mut batch = Batch::default();
    let mut wanted = true;
    let mut send = |batch: &mut Batch| {
        progress::advance(batch.len() as i64);
        wanted = wanted && batches.send(std::mem::take(batch)).is_ok();
    };
    stream(query, &[], |row| {
        // A row without a key is nobody's record.
        let Some(key) = row.text(0) else { return };
        rows.add(key_hash(key));
        batch.push_row(RowHead::default());
        (0..width).for_each(|column| batch.push_value(row.text(column)));
        if batch.is_full() {
            send(&mut batch);
        }
    });
    send(&mut batch);
    rows
}

unsafe extern "C" {
    /// What hashtextextended() is made of, since PostgreSQL 13; pgrx does not declare it.
    fn hash_bytes_extended(bytes: *const u8, length: i32, seed: u64) -> u64;
}

/// The hash of a key, the same as that of [`Plan::rows`].
pub fn key_hash(key: &str) -> i64 {
    // SAFETY: it reads so many bytes, and nothing else.
    unsafe { hash_bytes_extended(key.as_ptr(), key.len() as i32, 0) as i64 }
}

fn estimated_rows(oid: pg_sys::Oid) -> i64 {
    spi::one(
        "SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = $1",
        &[oid.into()],
        |row| row.int8(0).unwrap_or_default(),
    )
    .unwrap_or_default()
}
