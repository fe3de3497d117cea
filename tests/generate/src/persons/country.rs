//! What differs between countries: names, towns, and how addresses and numbers are written.

use super::person::Gender;
use crate::clock::civil;
use crate::dice::scatter;

/// The countries whose persons can be drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Country {
    Us,
    Fr,
    De,
}

/// The names that a country's file lists, commonest first.
pub struct Words {
    pub women: Vec<String>,
    pub men: Vec<String>,
    pub last: Vec<String>,
    pub streets: Vec<String>,
    pub cities: Vec<String>,
    pub mail: Vec<String>,
    pub town_starts: Vec<String>,
    pub town_ends: Vec<String>,
    pub name_starts: Vec<String>,
    pub name_middles: Vec<String>,
    pub last_ends: Vec<String>,
    pub women_ends: Vec<String>,
    pub men_ends: Vec<String>,
    /// Each group begins with what the others stand for.
    pub nicknames: Vec<Vec<String>>,
    pub abbreviations: Vec<Vec<String>>,
}

impl Words {
    pub fn of(country: Country) -> Self {
        let text = match country {
            Country::Us => include_str!("country/us.txt"),
            Country::Fr => include_str!("country/fr.txt"),
            Country::De => include_str!("country/de.txt"),
        };
        let list = |name| split(&section(text, name).join(" "));
        let groups = |name| section(text, name).into_iter().map(split).collect();
        Words {
            women: list("women"),
            men: list("men"),
            last: list("last"),
            streets: list("streets"),
            cities: list("cities"),
            mail: list("mail"),
            town_starts: list("town_starts"),
            town_ends: list("town_ends"),
            name_starts: list("name_starts"),
            name_middles: list("name_middles"),
            last_ends: list("last_ends"),
            women_ends: list("women_ends"),
            men_ends: list("men_ends"),
            nicknames: groups("nicknames"),
            abbreviations: groups("abbreviations"),
        }
    }
}

/// The lines below `[name]`, up to the next section.
fn section<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    text.lines()
        .skip_while(|line| line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) != Some(name))
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.is_empty())
        .collect()
}

fn split(list: &str) -> Vec<String> {
    list.split(',').map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect()
}

impl Country {
    pub fn of_code(code: &str) -> Option<Self> {
        match code {
            "us" => Some(Country::Us),
            "fr" => Some(Country::Fr),
            "de" => Some(Country::De),
            _ => None,
        }
    }

    /// A street that bears a name nobody listed.
    pub fn street_of(self, name: &str, kind: u64) -> String {
        let kind = kind as usize % 4;
        match self {
            Country::Us => format!("{name} {}", ["Street", "Avenue", "Drive", "Lane"][kind]),
            Country::Fr => format!("{} {name}", ["rue", "avenue", "chemin", "allée"][kind]),
            Country::De => format!("{name}{}", ["straße", "weg", "gasse", "allee"][kind]),
        }
    }

    pub fn address(self, number: u64, street: &str) -> String {
        match self {
            Country::Us | Country::Fr => format!("{number} {street}"),
            Country::De => format!("{street} {number}"),
        }
    }

    /// A flat, behind the address of its building.
    pub fn flat(self, flat: u64) -> String {
        let floor = flat / 4 + 1;
        let door = ["A", "B", "C", "D"][flat as usize % 4];
        match self {
            Country::Us => format!("Apt {floor}{door}"),
            Country::Fr => format!("Apt {}", 4 * floor + flat % 4),
            Country::De => format!("Whg {}", flat + 1),
        }
    }

    pub fn mobile(self, count: u64, town: usize) -> Phone {
        match self {
            // Nothing tells a mobile from the line at home.
            Country::Us => self.landline(count, town),
            Country::Fr => {
                Phone { digits: (610_000_000 + scatter(count, 80_000_000)).to_string(), area: 1 }
            }
            Country::De => {
                let network = [151, 160, 170, 171, 172, 175, 176, 177][count as usize % 8];
                Phone {
                    digits: format!("{network}{}", 20_000_000 + scatter(count, 70_000_000)),
                    area: 3,
                }
            }
        }
    }

    pub fn landline(self, count: u64, town: usize) -> Phone {
        match self {
            Country::Us => {
                const AREAS: [u64; 40] = [
                    212, 213, 312, 713, 602, 215, 210, 619, 214, 408, 512, 904, 817, 614, 704, 415, 317,
                    206, 303, 202, 617, 915, 615, 313, 405, 503, 702, 901, 502, 410, 414, 505, 520, 559,
                    916, 816, 480, 404, 402, 719,
                ];
                let line = 2_000_000 + scatter(count, 8_000_000);
                Phone { digits: format!("{}{line}", AREAS[town % AREAS.len()]), area: 3 }
            }
            Country::Fr => {
                let region = 1 + town as u64 % 5;
                let line = 30_000_000 + scatter(count, 60_000_000);
                Phone { digits: format!("{region}{line}"), area: 1 }
            }
            Country::De => {
                const AREAS: [u64; 12] = [30, 40, 89, 221, 69, 711, 211, 341, 231, 421, 351, 511];
                let area = AREAS[town % AREAS.len()].to_string();
                let line = 2_000_000 + scatter(count, 7_000_000);
                Phone { area: area.len(), digits: format!("{area}{line}") }
            }
        }
    }

    /// The number as people type it, in one of a few ways.
    pub fn typed_phone(self, phone: &Phone, way: u64) -> String {
        let (area, line) = phone.digits.split_at(phone.area);
        let digits = &phone.digits;
        match (self, way) {
            (Country::Us, 0..=3) => format!("({area}) {}-{}", &line[..3], &line[3..]),
            (Country::Us, 4..=6) => format!("{area}-{}-{}", &line[..3], &line[3..]),
            (Country::Us, 7..=8) => digits.clone(),
            (Country::Us, _) => format!("+1{digits}"),
            (Country::Fr, 0..=3) => {
                let pairs: Vec<&str> = (0..4).map(|pair| &line[2 * pair..2 * pair + 2]).collect();
                format!("0{area} {}", pairs.join(" "))
            }
            (Country::Fr, 4..=6) => format!("0{digits}"),
            (Country::Fr, 7..=8) => format!("+33{digits}"),
            (Country::Fr, _) => format!("0033 {digits}"),
            (Country::De, 0..=3) => format!("0{area} {line}"),
            (Country::De, 4..=6) => format!("0{area}/{line}"),
            (Country::De, 7..=8) => format!("0{digits}"),
            (Country::De, _) => format!("+49 {area} {line}"),
        }
    }

    /// A number of social security, or for taxes; in France it tells gender and birth.
    pub fn national_id(self, person: u64, gender: Gender, born: i64) -> String {
        match self {
            Country::Us => (100_000_000 + scatter(person, 799_999_999)).to_string(),
            Country::Fr => {
                let (year, month, _) = civil(born);
                let sex = if gender == Gender::Man { 1 } else { 2 };
                format!("{sex}{:02}{month:02}{:08}", year % 100, scatter(person, 95_999_999))
            }
            Country::De => (10_000_000_000 + scatter(person, 89_999_999_999)).to_string(),
        }
    }
}

/// A number without what is dialled before it in the country.
#[derive(Clone)]
pub struct Phone {
    digits: String,
    /// How many of the digits name the region or the network.
    area: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_country_lists_its_words() {
        for country in [Country::Us, Country::Fr, Country::De] {
            let words = Words::of(country);
            assert!(words.women.len() > 90 && words.men.len() > 90 && words.last.len() > 190);
            assert!(words.cities.len() > 80 && words.streets.len() > 80 && words.mail.len() > 10);
            let full = words.nicknames.iter().map(|group| &group[0]);
            for name in full {
                assert!(words.women.contains(name) || words.men.contains(name), "{name} is nobody's");
            }
        }
    }

    #[test]
    fn one_number_is_typed_in_several_ways() {
        let phone = Phone { digits: "6123456789".into(), area: 3 };
        assert_eq!(Country::Us.typed_phone(&phone, 0), "(612) 345-6789");
        let phone = Phone { digits: "612345678".into(), area: 1 };
        assert_eq!(Country::Fr.typed_phone(&phone, 0), "06 12 34 56 78");
        assert_eq!(Country::Fr.typed_phone(&phone, 9), "0033 612345678");
    }
}
