//! One person, and what changes in ten years of a life.

use super::country::Phone;
use super::place::Address;
use super::world::World;
use crate::clock::{DAY, civil, date};
use crate::dice::Dice;
use crate::names::ascii;

/// The records were taken in the ten years before this day.
pub const TODAY: i64 = date(2025, 1, 1);
pub const DAYS: u64 = 3650;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gender {
    Woman,
    Man,
}

/// Values that hold one after the other, each from a day on; the first from the beginning.
#[derive(Clone)]
pub struct Times<T>(Vec<(u64, T)>);

impl<T> Times<T> {
    pub fn always(value: T) -> Self {
        Times(vec![(0, value)])
    }

    /// Later than every change before.
    pub fn change(&mut self, day: u64, value: T) {
        self.0.push((day, value));
    }

    pub fn at(&self, day: u64) -> &T {
        let later = self.0.partition_point(|(from, _)| *from <= day);
        &self.0[later - 1].1
    }

    pub fn last(&self) -> &T {
        self.at(u64::MAX)
    }

    pub fn last_change(&self) -> u64 {
        self.0.last().map_or(0, |(from, _)| *from)
    }
}

pub struct Person {
    pub number: u64,
    pub gender: Gender,
    pub first_name: String,
    pub middle_name: Option<String>,
    pub last_name: Times<String>,
    /// Midnight of the day of birth.
    pub born: i64,
    pub home: Times<Address>,
    /// The address on file and, of some people, the one at work.
    pub email: Times<Option<String>>,
    pub second_email: Option<String>,
    pub mobile: Times<Option<Phone>>,
    pub landline: Option<Phone>,
    pub national_id: String,
    /// What the person answers to the question for a first name, instead of the one in the passport.
    pub goes_by: Option<String>,
}

impl Person {
    /// A person who is born in that year and lives there.
    pub fn draw(
        year: i64,
        gender: Gender,
        last_name: &str,
        home: Address,
        world: &mut World,
        dice: &mut Dice,
    ) -> Self {
        let born = birthday(year, dice);
        let number = world.new_person();
        let first_name = world.names.given(gender, dice).to_owned();
        let middle_name = dice.chance(400).then(|| world.names.given(gender, dice).to_owned());
        let goes_by = if dice.chance(120) {
            world.names.nickname(&first_name, dice).map(String::from)
        } else {
            None
        };
        Person {
            number,
            gender,
            first_name,
            middle_name,
            last_name: Times::always(last_name.to_owned()),
            born,
            home: Times::always(home),
            email: Times::always(None),
            second_email: None,
            mobile: Times::always(None),
            landline: None,
            national_id: world.country.national_id(number, gender, born),
            goes_by,
        }
    }

    pub fn age(&self) -> i64 {
        (TODAY - self.born) / (365 * DAY)
    }

    pub fn adult(&self) -> bool {
        self.age() >= 18
    }

    /// Gives the person a phone and an e-mail address or two, under the name they have today.
    pub fn connect(&mut self, world: &mut World, dice: &mut Dice) {
        let town = self.home.last().town;
        if self.age() >= 12 && dice.chance(if self.age() < 70 { 930 } else { 600 }) {
            self.mobile = Times::always(Some(world.new_mobile(town)));
            if dice.chance(180) {
                self.mobile.change(dice.below(DAYS), Some(world.new_mobile(town)));
            }
        }
        if self.age() < 14 || !dice.chance(if self.age() < 70 { 950 } else { 550 }) {
            return;
        }
        let renamed = self.last_name.last_change();
        self.email = Times::always(Some(self.new_email(0, world, dice)));
        if renamed > 0 && dice.chance(400) {
            self.email.change(renamed, Some(self.new_email(renamed, world, dice)));
        } else if dice.chance(150) {
            let day = dice.below(DAYS);
            self.email.change(day, Some(self.new_email(day, world, dice)));
        }
        self.second_email = dice.chance(150).then(|| self.new_email(DAYS, world, dice));
    }

    fn new_email(&self, day: u64, world: &mut World, dice: &mut Dice) -> String {
        let given =
            ascii(self.goes_by.as_ref().filter(|_| dice.chance(500)).unwrap_or(&self.first_name));
        let last = ascii(self.last_name.at(day));
        let (year, _, month_day) = civil(self.born);
        let user = match dice.weighted(&[30, 14, 12, 10, 8, 6, 8, 12]) {
            0 => format!("{given}.{last}"),
            1 => format!("{given}{last}"),
            2 => format!("{}{last}", &given[..1]),
            3 => format!("{given}_{last}"),
            4 => format!("{last}.{given}"),
            5 => format!("{given}{}", &last[..1]),
            6 => given,
            _ => handle(dice),
        };
        let digits = match dice.weighted(&[52, 16, 12, 6, 14]) {
            0 => String::new(),
            1 => format!("{:02}", year % 100),
            2 => year.to_string(),
            3 => format!("{month_day:02}"),
            _ => dice.below(1_000).to_string(),
        };
        world.new_email(&format!("{user}{digits}"), dice)
    }

    /// The children's records say what their parents gave.
    pub fn share_contacts(&mut self, parent: &Person) {
        self.email = parent.email.clone();
        self.mobile = parent.mobile.clone();
        self.landline = parent.landline.clone();
    }
}

/// The year that an age distribution of adults gives.
pub fn adult_year(dice: &mut Dice) -> i64 {
    // Thousands of people by age, from 18 on, in steps of eight years.
    let step = dice.weighted(&[130, 150, 150, 140, 135, 120, 90, 50, 18]) as u64;
    2024 - 18 - (step * 8 + dice.below(8)) as i64
}

/// A day of the year; those who don't know theirs have the first of January in their papers.
fn birthday(year: i64, dice: &mut Dice) -> i64 {
    let first = date(year, 1, 1);
    if dice.chance(12) {
        return first;
    }
    let days = (date(year + 1, 1, 1) - first) / DAY;
    first + dice.below(days as u64) as i64 * DAY
}

/// A user name that has nothing to do with the person's.
fn handle(dice: &mut Dice) -> String {
    const WORDS: [&str; 24] = [
        "sunny", "blue", "rocket", "tiger", "happy", "star", "moon", "angel", "dragon", "lucky", "king",
        "queen", "cool", "wolf", "cat", "dog", "flower", "music", "soccer", "racer", "baker", "hunter",
        "magic", "pixel",
    ];
    format!("{}{}{}", dice.word(&WORDS), dice.word(&WORDS), dice.below(100))
}
