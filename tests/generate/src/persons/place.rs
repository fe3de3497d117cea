//! Towns with their postal codes, and the streets and buildings in them.

use super::country::{Country, Words};
use super::name::Names;
use super::ranks::Ranks;
use crate::dice::{Dice, mix};

const TOWNS: usize = 2_500;
/// About as many postal codes; each belongs to one town.
const POSTAL_CODES: f64 = 9_000.0;
/// Different names of streets in the country, and streets of one postal code.
const STREETS: usize = 4_000;
const STREETS_HERE: usize = 60;
/// Buildings with many flats, of one postal code.
const TOWERS: u64 = 3;
/// Households, of a thousand, that live in one.
const IN_TOWERS: u64 = 220;

pub struct Places {
    towns: Vec<Town>,
    sizes: Ranks,
    street_names: Vec<String>,
    streets: Ranks,
    streets_here: Ranks,
}

struct Town {
    name: String,
    first_code: u64,
    codes: u64,
}

/// Where a household lives.
#[derive(Clone)]
pub struct Address {
    /// With its number.
    pub street: String,
    /// Not everybody writes it.
    pub flat: Option<String>,
    pub postal_code: String,
    pub city: String,
    /// The index of the town.
    pub town: usize,
}

impl Places {
    pub fn new(country: Country, words: &Words, names: &Names) -> Self {
        let sizes = Ranks::gentle(TOWNS, 4);
        let mut towns: Vec<Town> = (0..TOWNS)
            .map(|rank| {
                let codes = 1 + (sizes.share(rank) * POSTAL_CODES) as u64;
                Town { name: town_name(rank, words), first_code: 0, codes }
            })
            .collect();
        // Codes number the country by region, not by size.
        let mut by_region: Vec<usize> = (0..TOWNS).collect();
        by_region.sort_by_key(|&town| mix(town as u64));
        let mut next = 0;
        for town in by_region {
            towns[town].first_code = next;
            next += towns[town].codes;
        }
        let unlisted = (words.streets.len() as u64..STREETS as u64)
            .map(|rank| country.street_of(names.last_of(mix(rank)), mix(rank)));
        Places {
            towns,
            sizes,
            street_names: words.streets.iter().cloned().chain(unlisted).collect(),
            streets: Ranks::gentle(STREETS, 6),
            streets_here: Ranks::gentle(STREETS_HERE, 10),
        }
    }

    pub fn town(&self, dice: &mut Dice) -> usize {
        self.sizes.draw(dice)
    }

    /// A home in a town.
    pub fn address(&self, town: usize, country: Country, dice: &mut Dice) -> Address {
        let here = &self.towns[town];
        let code = here.first_code + dice.below(here.codes);
        let (street, number, flat) = if dice.chance(IN_TOWERS) {
            let tower = code * TOWERS + dice.below(TOWERS);
            let street = self.streets_here.of(mix(tower));
            (street, 1 + mix(tower + 1) % 60, Some(country.flat(dice.below(60))))
        } else {
            (self.streets_here.draw(dice), 1 + dice.below(20) * dice.between(1, 8), None)
        };
        let street = self.streets.of(mix(code * STREETS_HERE as u64 + street as u64));
        Address {
            street: country.address(number, &self.street_names[street]),
            flat,
            postal_code: format!("{:05}", 1_000 + code * 8 + mix(code) % 8),
            city: here.name.clone(),
            town,
        }
    }
}

fn town_name(rank: usize, words: &Words) -> String {
    if let Some(city) = words.cities.get(rank) {
        return city.clone();
    }
    let bits = mix(rank as u64);
    let start = &words.town_starts[(bits % words.town_starts.len() as u64) as usize];
    let end = &words.town_ends[((bits >> 32) % words.town_ends.len() as u64) as usize];
    format!("{start}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn a_postal_code_belongs_to_one_town() {
        let words = Words::of(Country::Fr);
        let places = Places::new(Country::Fr, &words, &Names::new(&words));
        let mut dice = Dice::new(1);
        let mut towns = HashMap::new();
        for _ in 0..20_000 {
            let town = places.town(&mut dice);
            let address = places.address(town, Country::Fr, &mut dice);
            assert_eq!(address.postal_code.len(), 5);
            assert_eq!(*towns.entry(address.postal_code).or_insert(town), town);
        }
        assert!(towns.len() > 4_000, "{}", towns.len());
    }
}
