//! The shop: a company that sells household goods in stores, on the web, in an app and by phone.
//!
//! `named` holds the people that the tests call by name, one story a function; `people.rs` the few
//! hundred ordinary customers around them, `crowd.rs` everybody else.

mod catalogue;
mod crowd;
mod named;
mod people;
mod story;
mod tables;
mod write;

use crate::clock::date;
use crate::dice::Dice;
use std::io;
use std::path::Path;
use tables::Shop;

/// The committed files were made with this seed.
const SEED: u64 = 1;

/// First and last moment of the data.
const START: i64 = date(2025, 1, 1);
const END: i64 = date(2026, 11, 1);

/// Writes the CSV files of the shop into a folder.
pub fn write(folder: &Path) -> io::Result<()> {
    let mut shop = Shop::default();
    named::live(&mut shop);
    let named = shop.customers.len();
    let mut dice = Dice::new(SEED);
    people::live(&mut shop, &mut dice);
    let ordinary = shop.customers[named..].to_vec();
    crowd::live(&mut shop, &ordinary, &mut dice);
    write::write(shop, folder)
}
