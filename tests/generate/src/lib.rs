//! Seeded generators of the data that the tests, the demo and the benchmarks use.
//!
//! Everything here is exact integer or IEEE arithmetic over a ChaCha8 stream, so the same seed
//! writes the same bytes on every machine.

pub mod clock;
pub mod csv;
pub mod dice;
pub mod events;
pub mod names;
pub mod options;
pub mod persons;
pub mod shop;
