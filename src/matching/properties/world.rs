//! Random worlds: people in households, and what sources recorded of them.

use crate::matching::compare::Comparison;
use crate::matching::kind::Kind;
use crate::matching::nickname::Nicknames;
use crate::matching::records::{FieldSpec, Records};
use crate::matching::sample::{Random, mix};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// What a world is made from.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    pub seed: u64,
    pub people: usize,
    /// Of a hundred values so many are misspelt, and as many are missing.
    pub errors: u64,
    pub link_only: bool,
    /// Which of the fields sources have, as bits.
    pub fields: u16,
}

const ALL: u16 = (1 << FIELDS.len()) - 1;

impl Recipe {
    /// Of a world with all fields, and with as many errors as there commonly are.
    pub fn of(people: usize, seed: u64) -> Self {
        Recipe { seed, people, errors: 12, link_only: false, fields: ALL }
    }
}

/// Recipes of worlds of up to so many people.
pub fn recipe(people: usize) -> impl Strategy<Value = Recipe> {
    let fields = prop_oneof![Just(ALL), 1..=ALL];
    let recipe = (any::<u64>(), 1..=people, 0..30u64, any::<bool>(), fields);
    recipe.prop_map(|(seed, people, errors, link_only, fields)| Recipe {
        seed,
        people,
        errors,
        link_only,
        fields,
    })
}

/// Records as sources have them.
#[derive(Clone)]
pub struct World {
    pub fields: Vec<FieldSpec>,
    pub rows: Vec<Row>,
    link_only: bool,
}

/// A record: what it is called, its source, its values by field.
#[derive(Clone)]
pub struct Row {
    pub name: String,
    pub side: u16,
    pub values: BTreeMap<&'static str, Vec<String>>,
}

/// Fields by name, and how many values a record can have.
pub const FIELDS: [(&str, Kind, usize); 9] = [
    ("birth_date", Kind::Date, 1),
    ("city", Kind::Text, 1),
    ("email", Kind::Email, 1),
    ("first_name", Kind::GivenName, 1),
    ("gender", Kind::Gender, 1),
    ("last_name", Kind::FamilyName, 1),
    ("phone", Kind::Phone, 2),
    ("postal_code", Kind::PostalCode, 1),
    ("street", Kind::Text, 1),
];

/// Given names, how else they are written, and whose they are.
const GIVEN: [[&str; 3]; 20] = [
    ["Alexander", "Sascha", "m"],
    ["Andrea", "Andi", "f"],
    ["Anna", "Anni", "f"],
    ["Barbara", "Babs", "f"],
    ["Christine", "Tina", "f"],
    ["Daniel", "Dan", "m"],
    ["Elisabeth", "Lisa", "f"],
    ["Frederick", "Fritz", "m"],
    ["Heinrich", "Heinz", "m"],
    ["Johanna", "Hanna", "f"],
    ["Katharina", "Kathi", "f"],
    ["Margarete", "Grete", "f"],
    ["Martin", "Tino", "m"],
    ["Maximilian", "Max", "m"],
    ["Peter", "Piet", "m"],
    ["Robert", "Bob", "m"],
    ["Susanne", "Suse", "f"],
    ["Thomas", "Tom", "m"],
    ["Ulrike", "Uli", "f"],
    ["William", "Bill", "m"],
];

const FAMILY: [&str; 24] = [
    "Adams",
    "Bauer",
    "Becker",
    "Carter",
    "Dietrich",
    "Evans",
    "Fischer",
    "Garcia",
    "Hoffmann",
    "Ivanov",
    "Jones",
    "Keller",
    "Lehmann",
    "Martin",
    "Neumann",
    "O'Brien",
    "Peters",
    "Quandt",
    "Richter",
    "Smith",
    "Thomas",
    "Ullmann",
    "Weber",
    "Zimmermann",
];

const STREETS: [&str; 12] = [
    "Ash Lane",
    "Birch Road",
    "Castle Street",
    "Dock Road",
    "Elm Grove",
    "Forest Way",
    "Garden Street",
    "High Street",
    "Kings Road",
    "Mill Lane",
    "Park Avenue",
    "Station Road",
];

/// Cities and how their postal codes begin.
const CITIES: [(&str, u64); 6] =
    [("Aachen", 52), ("Berlin", 10), ("Dresden", 11), ("Hamburg", 20), ("Leipzig", 14), ("Munich", 80)];

impl Recipe {
    pub fn world(self) -> World {
        let dice = &mut Random(self.seed);
        let mut rows = Vec::new();
        let mut people = 0;
        while people < self.people {
            let home = Home::new(dice);
            let family = FAMILY[skewed(dice, FAMILY.len())];
            let members = (1 + below(dice, 4)).min(self.people - people);
            people += members;
            for _ in 0..members {
                let person = Person::new(dice, family);
                for _ in 0..=dice.below(3) {
                    let moved = happens(dice, self.errors).then(|| Home::new(dice));
                    let values = person.written(dice, moved.as_ref().unwrap_or(&home), self.errors);
                    rows.push(Row { name: rows.len().to_string(), side: dice.below(3) as u16, values });
                }
            }
        }
        let field = |(name, kind, slots): (&str, Kind, usize)| FieldSpec {
            name: name.into(),
            comparison: Comparison::of(kind),
            day_first: false,
            slots,
        };
        let present = FIELDS.into_iter().enumerate().filter(|(n, _)| self.fields >> n & 1 == 1);
        let fields = present.map(|(_, of)| field(of)).collect();
        World { fields, rows, link_only: self.link_only }
    }
}

impl World {
    /// The records in memory, in an order that depends on nothing but what they are called.
    pub fn records(&self) -> Records {
        let mut records = Records::new(&self.fields, self.link_only, nicknames());
        for row in &self.rows {
            records.push(row.values_of(&self.fields), row.side);
        }
        let hash = |row: &Row| row.name.bytes().fold(0, |hash, byte| mix(hash ^ u64::from(byte)));
        let mut order: Vec<u32> = (0..self.rows.len() as u32).collect();
        order.sort_by_key(|&place| hash(&self.rows[place as usize]));
        records.reorder(&order);
        records
    }
}

impl Row {
    /// The values of fields, slot by slot.
    pub fn values_of(&self, fields: &[FieldSpec]) -> impl Iterator<Item = &str> {
        fields.iter().flat_map(|field| {
            let values = &self.values[&*field.name];
            (0..field.slots).map(|slot| values.get(slot).map_or("", String::as_str))
        })
    }
}

/// How else the people's names are written.
pub fn nicknames() -> Nicknames {
    let mut nicknames = Nicknames::default();
    for [name, nickname, _] in GIVEN {
        nicknames.add(&name.to_lowercase(), &nickname.to_lowercase());
    }
    nicknames
}

struct Home {
    street: String,
    city: &'static str,
    postal_code: String,
    phone: String,
}

impl Home {
    fn new(dice: &mut Random) -> Self {
        let (city, area) = CITIES[skewed(dice, CITIES.len())];
        Home {
            street: format!("{} {}", STREETS[below(dice, STREETS.len())], 1 + dice.below(90)),
            city,
            postal_code: format!("{area}{:03}", 7 * dice.below(20)),
            phone: format!("030 {}", 2_000_000 + dice.below(7_000_000)),
        }
    }
}

struct Person {
    given: [&'static str; 3],
    family: &'static str,
    born: (u64, u64, u64),
    mobile: String,
}

/// The number of many people's work.
const OFFICE: &str = "030 5550100";

impl Person {
    fn new(dice: &mut Random, family: &'static str) -> Self {
        Person {
            given: GIVEN[skewed(dice, GIVEN.len())],
            family,
            born: (1930 + dice.below(80), 1 + dice.below(12), 1 + dice.below(28)),
            mobile: match dice.below(4) {
                0 => OFFICE.into(),
                _ => format!("0170 {}", 2_000_000 + dice.below(7_000_000)),
            },
        }
    }

    /// What somebody wrote down of the person.
    fn written(
        &self,
        dice: &mut Random,
        home: &Home,
        errors: u64,
    ) -> BTreeMap<&'static str, Vec<String>> {
        let [name, nickname, gender] = self.given;
        let (mut first, mut last) = (if happens(dice, errors) { nickname } else { name }, self.family);
        if happens(dice, errors / 2) {
            (first, last) = (last, first);
        }
        let (year, month, day) = self.born;
        let date = match dice.below(100) {
            swapped if swapped < errors / 2 => format!("{year}-{day:02}-{month:02}"),
            unknown if unknown < errors => format!("{year}-01-01"),
            _ => format!("{year}-{month:02}-{day:02}"),
        };
        let mut phones = vec![home.phone.clone(), self.mobile.clone()];
        shuffle(dice, &mut phones);
        phones.truncate(1 + below(dice, 2).min(1));
        let mut values = BTreeMap::from([
            ("birth_date", vec![date]),
            ("city", vec![home.city.into()]),
            ("email", vec![format!("{name}.{}{}@mail.example", self.family, year % 100)]),
            ("first_name", vec![first.into()]),
            ("gender", vec![gender.into()]),
            ("last_name", vec![last.into()]),
            ("phone", phones),
            ("postal_code", vec![home.postal_code.clone()]),
            ("street", vec![home.street.clone()]),
        ]);
        for value in values.values_mut().flatten() {
            if happens(dice, errors) {
                *value = misspelt(dice, value);
            }
            if happens(dice, errors) {
                value.clear();
            }
        }
        values
    }
}

/// A text with a letter left out, doubled, replaced or swapped with its neighbour.
fn misspelt(dice: &mut Random, text: &str) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    let at = below(dice, letters.len());
    match dice.below(4) {
        0 => drop(letters.remove(at)),
        1 => letters.insert(at, letters[at]),
        2 if letters[at].is_ascii_digit() => letters[at] = char::from(b'0' + dice.below(10) as u8),
        2 => letters[at] = char::from(b'a' + dice.below(26) as u8),
        _ => letters.swap(at, at.saturating_sub(1)),
    }
    letters.into_iter().collect()
}

pub fn below(dice: &mut Random, limit: usize) -> usize {
    dice.below(limit as u64) as usize
}

/// A number below `limit`, small ones more often.
fn skewed(dice: &mut Random, limit: usize) -> usize {
    let most = 1 + below(dice, limit);
    below(dice, most)
}

/// Whether something happens that does in so many of a hundred cases.
fn happens(dice: &mut Random, percent: u64) -> bool {
    dice.below(100) < percent
}

pub fn shuffle<T>(dice: &mut Random, things: &mut [T]) {
    for last in (1..things.len()).rev() {
        things.swap(last, below(dice, last + 1));
    }
}
