//! Tables that say who is who, to hold what matching finds against.

use super::cursor::stream;
use super::records::Loaded;
use super::scan::quoted;
use super::source::{self, Source};
use super::transaction;
use crate::error::Error;
use crate::matching::evaluate::groups;
use crate::matching::find::Edge;
use pgrx::pg_sys;
use rustc_hash::FxHashMap;

/// Names under which a table says which record a row is about, and whose it is.
const RECORD: [&str; 4] = ["identifier", "record", "key", "id"];
const PERSON: [&str; 5] = ["person", "entity", "profile", "cluster", "entity_id"];

/// For each record a number of the person it is about, as the table has it: either pairs `a` and `b`
/// of records that are one person's, where all others are nobody else's, or a record and its person.
/// Records are written as identifiers, or by their key if there is one source.
pub fn read(
    oid: pg_sys::Oid,
    loaded: &Loaded,
    sources: &[Source],
    record_type: &str,
) -> Result<Vec<Option<u32>>, Error> {
    let relation = source::relation(oid)?;
    if !relation.readable {
        return Err(Error::Denied { relation: relation.name, right: "SELECT" });
    }
    let columns: Vec<String> = source::columns(oid).into_iter().map(|column| column.name).collect();
    let column = |names: &[&'static str]| {
        names.iter().find(|name| columns.iter().any(|column| column == *name)).copied()
    };
    let count = loaded.records.len();
    let mut places: FxHashMap<String, u32> = FxHashMap::default();
    for record in 0..count as u32 {
        if record % 4096 == 0 {
            transaction::check_for_cancel();
        }
        places.insert(loaded.identifier(record_type, record), record);
    }
    let place = |text: &str| match (places.get(text), sources) {
        (Some(&place), _) => Some(place),
        (None, [only]) => places.get(&format!("{record_type}:{}/{text}", only.name)).copied(),
        _ => None,
    };
    let query = |one: &str, other: &str| {
        format!("SELECT {}::text, {}::text FROM {}", quoted(one), quoted(other), relation.name)
    };
    if let (Some(a), Some(b)) = (column(&["a"]), column(&["b"])) {
        let mut pairs = Vec::new();
        stream(&query(a, b), &[], |row| {
            if let (Some(a), Some(b)) = (row.text(0).and_then(place), row.text(1).and_then(place)) {
                pairs.push(Edge { a, b, log_odds: 0.0 });
            }
        });
        return Ok(groups(count, pairs.iter()).into_iter().map(Some).collect());
    }
    let (Some(record), Some(person)) = (column(&RECORD), column(&PERSON)) else {
        return Err(Error::TruthShape { relation: relation.name, columns });
    };
    let mut numbers: FxHashMap<String, u32> = FxHashMap::default();
    let mut persons = vec![None; count];
    stream(&query(record, person), &[], |row| {
        if let (Some(place), Some(person)) = (row.text(0).and_then(place), row.text(1)) {
            let next = numbers.len() as u32;
            persons[place as usize] = Some(*numbers.entry(person.to_owned()).or_insert(next));
        }
    });
    Ok(persons)
}
