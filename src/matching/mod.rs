//! Heuristic matching: how alike what two records say is. Nothing here knows PostgreSQL.

pub mod blocking;
pub mod cluster;
pub mod compare;
mod drawing;
pub mod evaluate;
pub mod explain;
pub mod find;
pub mod frequency;
pub mod index;
pub mod kind;
pub mod known;
pub mod learn;
pub mod model;
pub mod nickname;
pub mod options;
pub mod pattern;
pub mod people;
mod pool;
pub mod records;
pub mod refresh;
pub mod sample;
pub mod signature;
pub mod similarity;
pub mod svg;
pub mod text;
pub mod train;
pub mod value;
pub mod watch;

#[cfg(test)]
mod properties;
