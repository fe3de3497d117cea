//! The identity graph and the rule that decides who is who.
//!
//! Identifiers are nodes; a link is a pair of them with evidence. [`solver::solve`] turns links,
//! separations and [`rules::Rules`] into profiles; [`Graph`] carries evidence in and changes out.
//! The same code serves the whole graph (backfill) and one connected component (a live sighting),
//! so both give the same result by construction. Nothing here knows PostgreSQL.

pub mod bridge;
mod changes;
mod event;
pub mod evidence;
mod groups;
pub mod household;
mod intern;
mod lane;
pub mod ledger;
mod past;
pub mod path;
#[cfg(test)]
mod properties;
pub mod reach;
#[cfg(test)]
mod reference;
pub mod rules;
mod segment;
mod settle;
pub mod solver;
pub mod stable_id;
mod store;
pub mod task;
pub mod weight;

pub use changes::{Changes, Counts};
pub use event::{Event, EventKind, Left};
pub use past::Holder;
pub use settle::Settled;
pub use store::{Graph, IdentifierRow, LinkRow, NO_DAY, Replaced, StoreError};

/// A UTC calendar day, counted from 1970-01-01.
pub type Day = i32;
