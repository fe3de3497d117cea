//! Tables that say who is who, to hold what matching finds against.

use super::cursor::stream;
use super::records::Loaded;
use super::scan::quoted;
use super::source;
use crate::error::Error;
use crate::matching::evaluate::groups;
use crate::matching::find::Edge;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, pg_sys};
use rustc_hash::FxHashMap;

/// Names under which a table says which record a row is about, and whose it is.
const RECORD: [&str; 4] = ["identifier", "record", "key", "id"];
const PERSON: [&str; 5] = ["person", "entity", "profile", "cluster", "entity_id"];

/// For each record a number of the person it is about, as the table has it: either pairs `a` and `b`
/// of records that are one person's, where all others are nobody else's, or a record and its person.
/// Records are written as identifiers, or by their key if there is one source. Rows about records that
/// are not known are left out; an error if all are.
pub fn read(oid: pg_sys::Oid, loaded: &Loaded, record_type: &str) -> Result<Vec<Option<u32>>, Error> {
    let relation = source::readable(oid)?;
    let columns: Vec<String> = source::columns(oid).into_iter().map(|column| column.name).collect();
    let column = |names: &[&'static str]| {
        names.iter().find(|name| columns.iter().any(|column| column == *name)).copied()
    };
    let query = |one: &str, other: &str| {
        format!("SELECT {}::text, {}::text FROM {}", quoted(one), quoted(other), relation.name)
    };
    let mut places = Places::new(loaded, record_type);
    let persons = if let (Some(a), Some(b)) = (column(&["a"]), column(&["b"])) {
        let mut pairs = Vec::new();
        stream(&query(a, b), &[], |row| {
            if let [Some(a), Some(b)] = places.of([row.text(0), row.text(1)]) {
                pairs.push(Edge { a, b, log_odds: 0.0 });
            }
        });
        groups(loaded.records.len(), pairs.iter()).into_iter().map(Some).collect()
    } else if let (Some(record), Some(person)) = (column(&RECORD), column(&PERSON)) {
        let mut numbers: FxHashMap<String, u32> = FxHashMap::default();
        let mut persons = vec![None; loaded.records.len()];
        stream(&query(record, person), &[], |row| {
            if let ([Some(place)], Some(person)) = (places.of([row.text(0)]), row.text(1)) {
                let next = numbers.len() as u32;
                persons[place as usize] = Some(*numbers.entry(person.to_owned()).or_insert(next));
            }
        });
        persons
    } else {
        return Err(Error::TruthShape { relation: relation.name, columns });
    };
    places.report(relation.name, loaded, record_type)?;
    Ok(persons)
}

/// Where records are, and which rows named unknown ones.
struct Places<'l> {
    loaded: &'l Loaded,
    /// `record:`.
    prefix: String,
    by_name: FxHashMap<String, u32>,
    known: usize,
    unknown: usize,
    first_unknown: Option<String>,
}

impl<'l> Places<'l> {
    fn new(loaded: &'l Loaded, record_type: &str) -> Self {
        let by_name = loaded.places(record_type);
        let prefix = format!("{record_type}:");
        Places { loaded, prefix, by_name, known: 0, unknown: 0, first_unknown: None }
    }

    /// Where the records are that a row names.
    fn of<const N: usize>(&mut self, names: [Option<&str>; N]) -> [Option<u32>; N] {
        let places = names.map(|name| name.and_then(|name| self.place(name)));
        let unknown = names.iter().zip(&places).find(|(_, place)| place.is_none());
        match unknown {
            None => self.known += 1,
            Some((name, _)) => {
                self.unknown += 1;
                self.first_unknown.get_or_insert_with(|| name.unwrap_or("null").to_owned());
            }
        }
        places
    }

    fn place(&self, text: &str) -> Option<u32> {
        let names = &self.loaded.names;
        let known = |name: &str| {
            self.by_name.get(&format!("{}{}", self.prefix, names.canonical(name)?)).copied()
        };
        let of_key = || known(&format!("{}{text}", names.only_source()?));
        text.strip_prefix(&self.prefix).and_then(known).or_else(of_key)
    }

    /// Says which rows were left out; an error if no other is left.
    fn report(self, relation: String, loaded: &Loaded, record_type: &str) -> Result<(), Error> {
        let Places { known, unknown, first_unknown, .. } = self;
        if known > 0 && unknown == 0 {
            return Ok(());
        }
        let example = (loaded.records.len() > 0).then(|| loaded.identifier(record_type, 0));
        let error = Error::TruthUnknown { relation, known, unknown, first_unknown, example };
        if known == 0 {
            return Err(error);
        }
        ErrorReport::from(error).report(PgLogLevel::WARNING);
        Ok(())
    }
}
