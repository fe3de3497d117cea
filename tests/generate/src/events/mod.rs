//! The big event log: two years of visits, calls and receipts of households, with the truth.
//!
//! Households are drawn one after the other until the log is full, so a log of ten times the rows
//! has ten times the people and about ten times the shops. What makes such data hard is in it at
//! rates one meets in practice: cookies that live for weeks, devices that a household shares,
//! kiosks, values that staff or forms make up, phones that change hands, second addresses.

mod household;
mod log;
mod name;
mod person;
mod visit;
mod world;
mod write;

use crate::dice::Dice;
use household::Household;
use log::Log;
use world::World;

pub use write::write;

/// A log in the order of its times, and who its identifiers belong to.
pub struct Events(Log);

/// Draws `rows` events.
pub fn generate(rows: usize, seed: u64) -> Events {
    let mut dice = Dice::new(seed);
    let mut world = World::new(rows, &mut dice);
    let mut log = Log::with_rows(rows);
    while !log.is_full() {
        let mut household = Household::draw(&mut world, &mut dice);
        household.live(&mut world, &mut log, &mut dice);
    }
    log.sort();
    Events(log)
}
