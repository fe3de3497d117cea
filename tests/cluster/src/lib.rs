//! Tests of identity_resolve that need a running cluster and several sessions.
//!
//! They run on the cluster that PGHOST, PGPORT and PGUSER name, each in a database of its own. One
//! that kills servers starts a [`Cluster`] of its own.

mod cluster;
mod database;
mod dice;
mod events;
mod state;

pub use cluster::{Cluster, program};
pub use database::{Backfill, Database, error_code};
pub use dice::Dice;
pub use events::Events;
pub use state::{State, meaning, state, versions};

/// How long a backfill may take to notice that it was cancelled, in milliseconds.
pub const CANCEL_MS: u128 = 200;
