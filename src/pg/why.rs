//! The links of a profile, for those who ask why.

use super::cursor::Row;
use super::spi;
use crate::error::Error;
use crate::graph::solver::Kind;
use crate::graph::{StoreError, evidence, path};
use rustc_hash::FxHashMap;

/// The links in force, as pairs of stored ids, of the strongest path between two identifiers of one
/// profile.
pub fn path(profile: pgrx::Uuid, from: i64, to: i64) -> Result<Vec<(i64, i64)>, Error> {
    let configuration = super::configuration::current()?;
    let mut numbers: FxHashMap<i64, u32> = FxHashMap::default();
    spi::all(
        "SELECT id FROM identity_resolve.identifier WHERE profile = $1",
        &[profile.into()],
        |row| {
            let next = numbers.len() as u32;
            numbers.insert(row.int8(0).unwrap_or_default(), next);
        },
    );
    let decay = &configuration.rules.decay;
    let mut scratch = Vec::new();
    let mut read = |row: &Row| -> Result<_, Error> {
        let packed = row.bytes(4).unwrap_or_default();
        let summary =
            evidence::summarise(packed, decay, None, &mut scratch).map_err(StoreError::from)?;
        let kind = match (row.bool(2), summary) {
            (Some(true), _) => Kind::Asserted,
            (_, Some(_)) => Kind::Observed,
            (_, None) => Kind::Matched,
        };
        let ends = (row.int8(0).unwrap_or_default(), row.int8(1).unwrap_or_default());
        Ok((ends, kind, summary, row.float8(3).unwrap_or_default()))
    };
    let ids: Vec<i64> = numbers.keys().copied().collect();
    let links = spi::all(
        "SELECT a, b, asserted, probability, evidence FROM identity_resolve.link
         WHERE a = ANY ($1) AND held_reason IS NULL ORDER BY a, b",
        &[ids.into()],
        |row| read(row),
    );
    let links: Vec<_> = links.into_iter().collect::<Result<_, _>>()?;
    // Relative to the last sighting of any: what was seen long ago is not weaker for that alone.
    let last = links.iter().filter_map(|link| link.2).map(|summary| summary.last).max();
    let today = decay.at(last.unwrap_or_default(), 1.0);
    let mut ends = Vec::new();
    let mut edges = Vec::new();
    for (pair, kind, summary, probability) in links {
        if let (Some(&a), Some(&b)) = (numbers.get(&pair.0), numbers.get(&pair.1)) {
            let weight = summary.map_or(0.0, |summary| summary.weight.relative_to(today));
            edges.push(path::Link::new(a, b, kind, weight, probability));
            ends.push(pair);
        }
    }
    let (Some(&from), Some(&to)) = (numbers.get(&from), numbers.get(&to)) else { return Ok(Vec::new()) };
    let places = path::strongest(numbers.len(), &edges, from, to).unwrap_or_default();
    Ok(places.into_iter().map(|place| ends[place]).collect())
}
