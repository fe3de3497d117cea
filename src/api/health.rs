//! Who shares identifiers, and which profiles look wrong.

use crate::graph::{bridge, household};
use crate::pg::spi::id;
use crate::pg::transaction::check_for_cancel;
use pgrx::prelude::*;
use uuid::Uuid;

fn known(id: pgrx::Uuid) -> Uuid {
    Uuid::from_bytes(*id.as_bytes())
}

/// What stands at one place of two arrays; nowhere null.
fn pairs<A, B>(a: Vec<Option<A>>, b: Vec<Option<B>>) -> Vec<(A, B)> {
    a.into_iter().zip(b).filter_map(|(a, b)| Some((a?, b?))).collect()
}

#[pg_extern(sql = "")]
#[allow(clippy::type_complexity)]
fn household_claims(
    identifiers: Vec<Option<i64>>,
    profiles: Vec<Option<pgrx::Uuid>>,
) -> TableIterator<
    'static,
    (name!(household, pgrx::Uuid), name!(profile, pgrx::Uuid), name!(identifier, i64)),
> {
    let claims = pairs(identifiers, profiles.into_iter().map(|id| id.map(known)).collect());
    let households = household::of(&claims, &mut check_for_cancel);
    TableIterator::new(
        households
            .into_iter()
            .zip(claims)
            .map(|(household, (identifier, profile))| (id(household), id(profile), identifier)),
    )
}

#[pg_extern(sql = "")]
fn widest_bridges(
    stronger: Vec<Option<i64>>,
    weaker: Vec<Option<i64>>,
) -> TableIterator<'static, (name!(a, i64), name!(b, i64), name!(smaller_half, i32))> {
    let bridges = bridge::widest(&pairs(stronger, weaker), &mut check_for_cancel);
    TableIterator::new(bridges.into_iter().flat_map(|bridges| {
        let smaller_half = bridges.smaller_half as i32;
        bridges.links.into_iter().map(move |(a, b)| (a, b, smaller_half))
    }))
}
