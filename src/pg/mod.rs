//! The only place that speaks to PostgreSQL: SPI, COPY, settings, locks, progress.

pub mod backfill;
mod checkpoint;
pub mod configuration;
mod copy;
mod cursor;
mod error;
pub mod evidence;
pub mod identify;
mod index;
pub mod json;
mod load;
pub mod lookup;
mod progress;
mod scan;
pub mod settings;
pub mod source;
mod spi;
mod thread;
pub mod transaction;
mod write;
