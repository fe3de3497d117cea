//! Sources: which columns of an attached table say what, and how a row becomes a sighting.

pub mod batch;
pub mod mapping;
pub mod row;
pub mod seen_at;
pub mod sighting;
