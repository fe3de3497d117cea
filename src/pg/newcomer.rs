//! Records that have come since matching ran last, for who searches meanwhile.

use super::cursor::stream;
use super::match_index::State;
use super::matching::{keyed, record_type};
use super::model::Prepared;
use super::records::{Names, Plan};
use crate::graph::rules::Rules;
use crate::source::batch;

/// A record that matching has not seen.
pub struct Newcomer {
    pub side: u16,
    pub key: String,
    /// Of each slot of each field, as it is written; empty if there is none.
    pub values: Vec<String>,
}

/// The most that are looked at, of so many of the youngest identifiers.
const MOST: i64 = 1_000;
const YOUNG: i64 = 5_000;

/// The records that the graph has come to know since `state`, with so many values of each field. Sources
/// that cannot be read with the rights at hand, or are no tables, have none.
pub fn newcomers(
    state: &State,
    model: &Prepared,
    rules: &Rules,
    fields: &[(String, usize)],
) -> Vec<Newcomer> {
    let record_type = record_type(rules);
    let mut keys: Vec<Vec<String>> = vec![Vec::new(); state.sources.len()];
    stream(
        "SELECT identifier FROM (
             SELECT identifier FROM identity_resolve.identifier WHERE id > $1 ORDER BY id DESC LIMIT $3) AS young
         WHERE starts_with(identifier, $2) LIMIT $4",
        &[state.identifiers.into(), format!("{record_type}:").into(), YOUNG.into(), MOST.into()],
        |row| {
            let name = row.text(0).and_then(|text| text.strip_prefix(&record_type)?.strip_prefix(':'));
            for (source, keys) in state.sources.iter().zip(&mut keys) {
                keys.extend(name.and_then(|name| name.strip_prefix(source)).map(str::to_owned));
            }
        },
    );
    let mut found = Vec::new();
    let attached = match keys.iter().all(Vec::is_empty) {
        true => Vec::new(),
        false => keyed(model.sources.as_deref()).unwrap_or_default(),
    };
    let width = 1 + fields.iter().map(|(_, slots)| slots).sum::<usize>();
    for source in attached {
        let plan = Plan::new(&source, rules);
        let mut names = Names::new(rules);
        names.begin_source(&source.name);
        let side = state.sources.iter().position(|source| *source == names.sources[0]);
        let Some(side) = side.filter(|&side| !keys[side].is_empty()) else { continue };
        let of_keys = plan.of_keys().filter(|_| plan.knows_new_rows());
        let Some(query) = of_keys.and_then(|of_keys| plan.query(fields, &of_keys).ok()) else {
            continue;
        };
        let keys = std::mem::take(&mut keys[side]);
        stream(&query, &[keys.into()], |row| {
            if let Some(key) = row.text(0).and_then(|key| names.canonical_key(0, key)) {
                let text = |column| batch::start(row.text(column).unwrap_or_default()).to_owned();
                found.push(Newcomer { side: side as u16, key, values: (1..width).map(text).collect() });
            }
        });
    }
    found
}
