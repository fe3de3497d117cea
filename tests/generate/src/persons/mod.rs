//! Records of persons with the errors that real ones have: the data that matching is measured on.
//!
//! Households are drawn one after the other. Their members live for ten years, move, marry and
//! change numbers; each is met once or several times by one of five sources, which ask for
//! different things and type them with more or less care. What makes such data hard is in it at
//! rates one meets in practice: people of one name, twins, fathers and sons, couples with one
//! phone, flat-mates, nicknames, maiden names, former addresses, values made up for a form.

mod country;
mod household;
mod mistake;
mod name;
mod person;
mod place;
mod ranks;
mod record;
mod shuffle;
mod world;

use crate::csv::Csv;
use crate::dice::Dice;
use record::{COLUMNS, Record};
use shuffle::Shuffle;
use std::io;
use std::path::Path;
use world::World;

pub use country::Country;

/// Of a hundred thousand persons, those with one record, two, three and so on.
const RECORDS: [u64; 12] = [81_500, 11_500, 4_200, 1_500, 700, 250, 130, 80, 50, 40, 30, 20];

/// Writes `rows` records of persons of a country.
pub fn write(rows: usize, seed: u64, country: Country, file: &Path) -> io::Result<()> {
    let mut header = vec!["id", "person"];
    header.extend(COLUMNS);
    let mut csv = Csv::create(file, &header)?;
    let mut id = 0;
    let mut write = |record: Record| {
        id += 1;
        let mut fields = vec![id.to_string(), record.person.to_string()];
        fields.extend(record.fields);
        csv.record(&fields)
    };

    let mut dice = Dice::new(seed);
    let mut world = World::new(country);
    let mut shuffle = Shuffle::new();
    let mut drawn = 0;
    'full: loop {
        for person in household::draw(&mut world, &mut dice) {
            for _ in 0..=dice.weighted(&RECORDS) {
                if drawn == rows {
                    break 'full;
                }
                drawn += 1;
                let record = Record::draw(&person, &world, &mut dice);
                if let Some(record) = shuffle.push(record, &mut dice) {
                    write(record)?;
                }
            }
        }
    }
    for record in shuffle.rest(&mut dice) {
        write(record)?;
    }
    csv.finish()
}
