//! Tests of identity_resolve that need a running cluster and several sessions.
//!
//! They run on the cluster that PGHOST, PGPORT and PGUSER name, each in a database of its own. One
//! that kills servers starts a [`Cluster`] of its own.

mod client;
mod cluster;
mod database;
mod dice;
mod equality;
mod events;
mod state;
mod world;

pub use client::{at_once, client, insist, run, while_working};
pub use cluster::{Cluster, program};
pub use database::{Backfill, Database, error_code};
pub use dice::Dice;
pub use events::Events;
pub use state::{State, decoded, meaning, state, versions};
pub use world::{Author, World};

/// How long a backfill may take to notice that it was cancelled, in milliseconds.
pub const CANCEL_MS: u128 = 200;

/// How many times as much random tests do, from the environment: SOAK=10 for ten times as much.
pub fn soak() -> u64 {
    std::env::var("SOAK").map_or(1, |times| times.parse().expect("SOAK is a number"))
}
