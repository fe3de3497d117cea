//! What all persons share: the country with its names and places, and the numbers given out so far.

use super::country::{Country, Phone, Words};
use super::name::Names;
use super::place::{Address, Places};
use super::ranks::Ranks;
use crate::dice::{Dice, mix};
use std::collections::HashSet;

pub struct World {
    pub country: Country,
    pub words: Words,
    pub names: Names,
    places: Places,
    mail: Ranks,
    persons: u64,
    phones: u64,
    /// Addresses that somebody has, by their hash: no provider gives one out twice.
    emails: HashSet<u64>,
}

impl World {
    pub fn new(country: Country) -> Self {
        let words = Words::of(country);
        let names = Names::new(&words);
        World {
            country,
            places: Places::new(country, &words, &names),
            mail: Ranks::gentle(words.mail.len(), 1),
            words,
            names,
            persons: 0,
            phones: 0,
            emails: HashSet::new(),
        }
    }

    pub fn new_person(&mut self) -> u64 {
        self.persons += 1;
        self.persons
    }

    pub fn new_home(&self, dice: &mut Dice) -> Address {
        self.places.address(self.places.town(dice), self.country, dice)
    }

    /// Most moves stay in town.
    pub fn home_after(&self, before: &Address, dice: &mut Dice) -> Address {
        let town = if dice.chance(600) { before.town } else { self.places.town(dice) };
        self.places.address(town, self.country, dice)
    }

    pub fn new_mobile(&mut self, town: usize) -> Phone {
        self.phones += 1;
        self.country.mobile(self.phones, town)
    }

    pub fn new_landline(&mut self, town: usize) -> Phone {
        self.phones += 1;
        self.country.landline(self.phones, town)
    }

    /// An address of that name, with digits behind it when somebody else has it.
    pub fn new_email(&mut self, user: &str, dice: &mut Dice) -> String {
        let provider = if dice.chance(160) {
            let company = crate::names::ascii(self.names.last(dice));
            format!("{company}.{}", ["com", "net", "org"][dice.weighted(&[7, 2, 2])])
        } else {
            self.words.mail[self.mail.draw(dice)].clone()
        };
        let mut email = format!("{user}@{provider}");
        while !self.emails.insert(hash(&email)) {
            email = format!("{user}{}@{provider}", dice.between(1, 9_999));
        }
        email
    }
}

/// FNV-1a, and mixed.
fn hash(text: &str) -> u64 {
    let fnv = text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    mix(fnv)
}
