//! One row about a person: what was true on its day, as far as it was asked for and as it was typed.

use super::mistake::{misspell, placeholder, wrong_date, wrong_digits};
use super::person::{DAYS, Gender, Person};
use super::world::World;
use crate::clock::{civil, date, date_text};
use crate::dice::Dice;
use crate::names::without_accents;

/// The columns behind `id` and `person`.
pub const COLUMNS: [&str; 10] = [
    "first_name",
    "last_name",
    "gender",
    "birth_date",
    "email",
    "phone",
    "street",
    "postal_code",
    "city",
    "national_id",
];

/// Where rows come from; each asks for other things.
struct Source {
    /// Of a thousand rows, those that have a value, column by column.
    filled: [u64; 10],
    /// Rows in capitals, in small letters and without accents, of a thousand.
    capitals: u64,
    small: u64,
    no_accents: u64,
    /// Nicknames and swapped names, of a thousand.
    nicknames: u64,
    swapped: u64,
}

/// How many of a hundred rows come from each: the shop's site, the till, the phone, contracts on
/// paper, and lists of partners.
const MIX: [u64; 5] = [34, 26, 14, 14, 12];
const SOURCES: [Source; 5] = [
    Source {
        filled: [980, 990, 680, 640, 970, 460, 720, 780, 800, 20],
        capitals: 20,
        small: 120,
        no_accents: 350,
        nicknames: 90,
        swapped: 12,
    },
    Source {
        filled: [975, 985, 850, 810, 460, 600, 880, 930, 930, 90],
        capitals: 150,
        small: 10,
        no_accents: 250,
        nicknames: 50,
        swapped: 8,
    },
    Source {
        filled: [955, 975, 900, 720, 400, 920, 720, 820, 860, 110],
        capitals: 20,
        small: 20,
        no_accents: 300,
        nicknames: 110,
        swapped: 12,
    },
    Source {
        filled: [985, 990, 950, 965, 300, 580, 970, 985, 985, 780],
        capitals: 100,
        small: 0,
        no_accents: 100,
        nicknames: 8,
        swapped: 6,
    },
    Source {
        filled: [965, 985, 600, 520, 580, 330, 910, 950, 955, 0],
        capitals: 720,
        small: 0,
        no_accents: 1000,
        nicknames: 20,
        swapped: 28,
    },
];

/// Values of a thousand that are wrong, for those who type with care, as usual, and without care.
const CARE: [u64; 3] = [58, 33, 9];
const WRONG: [u64; 3] = [8, 55, 200];

pub struct Record {
    pub person: u64,
    pub fields: [String; 10],
}

impl Record {
    /// What one of the sources writes about the person, on some day.
    pub fn draw(person: &Person, world: &World, dice: &mut Dice) -> Self {
        let source = &SOURCES[dice.weighted(&MIX)];
        let pen =
            Pen { person, world, source, day: dice.below(DAYS), wrong: WRONG[dice.weighted(&CARE)] };
        let mut fields = pen.write(dice);
        for (field, filled) in fields.iter_mut().zip(source.filled) {
            if !dice.chance(filled) {
                field.clear();
            }
        }
        Record { person: person.number, fields }
    }
}

/// Who writes a row, and when.
struct Pen<'a> {
    person: &'a Person,
    world: &'a World,
    source: &'a Source,
    day: u64,
    /// Values of a thousand that go wrong.
    wrong: u64,
}

impl Pen<'_> {
    fn write(&self, dice: &mut Dice) -> [String; 10] {
        let mut first = self.first_name(dice);
        let mut last = self.last_name(dice);
        if dice.chance(self.source.swapped) {
            std::mem::swap(&mut first, &mut last);
        }
        let home = self.person.home.at(self.told(25, dice));
        let street = self.street(&home.street, home.flat.as_deref(), dice);
        let postal_code = self.postal_code(&home.postal_code, dice);
        let city = self.city(&home.city, dice);
        let [first, last, street, city] = self.manner([first, last, street, city], dice);
        let [gender, birth_date] = [self.gender(dice), self.birth_date(dice)];
        let [email, phone, national_id] = [self.email(dice), self.phone(dice), self.national_id(dice)];
        [first, last, gender, birth_date, email, phone, street, postal_code, city, national_id]
    }

    /// The day whose truth is told: some people go on telling what was true before it changed.
    fn told(&self, permille: u64, dice: &mut Dice) -> u64 {
        if dice.chance(permille) { dice.below(self.day + 1) } else { self.day }
    }

    fn goes_wrong(&self, dice: &mut Dice) -> bool {
        dice.chance(self.wrong)
    }

    fn first_name(&self, dice: &mut Dice) -> String {
        let full = &self.person.first_name;
        let nickname = match &self.person.goes_by {
            Some(name) if dice.chance(4 * self.source.nicknames) => Some(name.as_str()),
            _ if dice.chance(self.source.nicknames / 3) => self.world.names.nickname(full, dice),
            _ => None,
        };
        let mut name = nickname.unwrap_or(full).to_owned();
        if let Some(middle) = &self.person.middle_name {
            let initial = middle.chars().next().unwrap_or_default();
            match dice.below(1_000) {
                0..=14 => name = format!("{name} {middle}"),
                15..=34 => name = format!("{name} {initial}"),
                35..=39 => name.clone_from(middle),
                _ => {}
            }
        }
        if dice.chance(self.wrong / 6) {
            name = name.chars().take(1).collect();
        } else if self.goes_wrong(dice) {
            name = misspell(&name, dice);
        }
        name
    }

    fn last_name(&self, dice: &mut Dice) -> String {
        let mut name = self.person.last_name.at(self.told(120, dice)).clone();
        if let Some((own, taken)) = name.split_once('-')
            && dice.chance(250)
        {
            name = if dice.chance(700) { taken.to_owned() } else { own.to_owned() };
        }
        if name.contains([' ', '\'', '-']) && dice.chance(150) {
            name = name.replace([' ', '\'', '-'], if dice.chance(500) { "" } else { " " });
        }
        if self.goes_wrong(dice) { misspell(&name, dice) } else { name }
    }

    fn gender(&self, dice: &mut Dice) -> String {
        let woman = (self.person.gender == Gender::Woman) != dice.chance(2 + self.wrong / 8);
        if woman { "F" } else { "M" }.to_owned()
    }

    fn birth_date(&self, dice: &mut Dice) -> String {
        let day = self.person.born;
        date_text(match dice.below(1_000) {
            // Only the year was told, or not even that.
            0..=7 => date(civil(day).0, 1, 1),
            8..=9 => date(1900, 1, 1),
            _ if self.goes_wrong(dice) => wrong_date(day, dice),
            _ => day,
        })
    }

    fn email(&self, dice: &mut Dice) -> String {
        const NONE: [&str; 4] = ["none@none.com", "noemail@example.com", "test@test.com", "na@na.com"];
        if dice.chance(3) {
            return placeholder(&NONE, dice);
        }
        let email = match &self.person.second_email {
            Some(second) if dice.chance(350) => second,
            _ => match self.person.email.at(self.told(60, dice)) {
                Some(email) => email,
                None => return String::new(),
            },
        };
        let typed = if dice.chance(self.wrong / 2) { misspell(email, dice) } else { email.clone() };
        match dice.below(100) {
            0..=3 => typed.to_uppercase(),
            4..=7 => typed[..1].to_uppercase() + &typed[1..],
            _ => typed,
        }
    }

    fn phone(&self, dice: &mut Dice) -> String {
        const NONE: [&str; 4] = ["0000000000", "1111111111", "1234567890", "9999999999"];
        if dice.chance(4) {
            return placeholder(&NONE, dice);
        }
        let mobile = self.person.mobile.at(self.told(60, dice)).as_ref();
        let phone = match (mobile, &self.person.landline) {
            (Some(_), Some(landline)) if dice.chance(250) => landline,
            (Some(phone), _) | (None, Some(phone)) => phone,
            (None, None) => return String::new(),
        };
        let typed = self.world.country.typed_phone(phone, dice.below(10));
        if dice.chance(self.wrong / 2) { wrong_digits(&typed, dice) } else { typed }
    }

    fn street(&self, street: &str, flat: Option<&str>, dice: &mut Dice) -> String {
        let mut written = street.to_owned();
        if dice.chance(15) {
            written = written.chars().filter(|letter| !letter.is_ascii_digit()).collect();
            written = written.trim().to_owned();
        } else if dice.chance(self.wrong / 3) {
            written = wrong_digits(&written, dice);
        } else if self.goes_wrong(dice) {
            written = misspell(&written, dice);
        }
        if let Some(flat) = flat.filter(|_| dice.chance(700)) {
            written = format!("{written} {flat}");
        }
        if dice.chance(300) { self.abbreviate(written, dice) } else { written }
    }

    fn postal_code(&self, code: &str, dice: &mut Dice) -> String {
        // A spreadsheet took it for a number.
        if dice.chance(150) && code.starts_with('0') {
            code[1..].to_owned()
        } else if dice.chance(self.wrong / 2) {
            wrong_digits(code, dice)
        } else {
            code.to_owned()
        }
    }

    fn city(&self, city: &str, dice: &mut Dice) -> String {
        let city = if self.goes_wrong(dice) { misspell(city, dice) } else { city.to_owned() };
        if dice.chance(200) { self.abbreviate(city, dice) } else { city }
    }

    fn national_id(&self, dice: &mut Dice) -> String {
        let id = &self.person.national_id;
        if dice.chance(self.wrong / 2) { wrong_digits(id, dice) } else { id.clone() }
    }

    /// One of the words that have a short form gets it.
    fn abbreviate(&self, text: String, dice: &mut Dice) -> String {
        let groups = &self.world.words.abbreviations;
        let found = groups.iter().find(|group| text.contains(group[0].as_str()));
        match found {
            Some(group) => {
                let short: &String = dice.pick(&group[1..]);
                text.replacen(&group[0], short, 1)
            }
            None => text,
        }
    }

    /// How all texts of a row are written.
    fn manner(&self, texts: [String; 4], dice: &mut Dice) -> [String; 4] {
        let accents = !dice.chance(self.source.no_accents);
        let manner = dice.below(1_000);
        texts.map(|text| {
            let text = if accents { text } else { without_accents(&text) };
            if manner < self.source.capitals {
                text.to_uppercase()
            } else if manner < self.source.capitals + self.source.small {
                text.to_lowercase()
            } else {
                text
            }
        })
    }
}
