//! The links of a profile, for those who ask why.

use super::cursor::Row;
use super::spi;
use crate::error::Error;
use crate::graph::solver::Kind;
use crate::graph::weight::Weight;
use crate::graph::{StoreError, evidence, path};
use rustc_hash::FxHashMap;
use std::cmp::Reverse;

/// A link between two members of a profile.
struct Link {
    ends: (i64, i64),
    kind: Kind,
    weight: Weight,
    probability: f64,
}

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
    let mut scratch = Vec::new();
    let mut read = |row: &Row| -> Result<Link, Error> {
        let packed = row.bytes(4).unwrap_or_default();
        let decay = &configuration.rules.decay;
        let summary =
            evidence::summarise(packed, decay, None, &mut scratch).map_err(StoreError::from)?;
        Ok(Link {
            ends: (row.int8(0).unwrap_or_default(), row.int8(1).unwrap_or_default()),
            kind: match (row.bool(2), summary) {
                (Some(true), _) => Kind::Asserted,
                (_, Some(_)) => Kind::Observed,
                (_, None) => Kind::Matched,
            },
            weight: summary.map_or(Weight::NONE, |summary| summary.weight),
            probability: row.float8(3).unwrap_or_default(),
        })
    };
    let ids: Vec<i64> = numbers.keys().copied().collect();
    let links = spi::all(
        "SELECT a, b, asserted, probability, evidence FROM identity_resolve.link
         WHERE a = ANY ($1) AND held_reason IS NULL",
        &[ids.into()],
        |row| read(row),
    );
    let mut links: Vec<Link> = links.into_iter().collect::<Result<_, _>>()?;
    links.retain(|link| numbers.contains_key(&link.ends.0) && numbers.contains_key(&link.ends.1));
    links.sort_by(|x, y| {
        let key = |link: &Link| (link.kind, Reverse(link.weight));
        key(x).cmp(&key(y)).then(y.probability.total_cmp(&x.probability)).then(x.ends.cmp(&y.ends))
    });
    let (Some(&from), Some(&to)) = (numbers.get(&from), numbers.get(&to)) else { return Ok(Vec::new()) };
    let pairs: Vec<(u32, u32)> =
        links.iter().map(|link| (numbers[&link.ends.0], numbers[&link.ends.1])).collect();
    let places = path::strongest(numbers.len(), &pairs, from, to).unwrap_or_default();
    Ok(places.into_iter().map(|place| links[place].ends).collect())
}
