//! Heuristic matching: how alike what two records say is. Nothing here knows PostgreSQL.

pub mod similarity;
