//! Values as they are compared: one way of writing for each kind.

use super::kind::Kind;
use super::text::{fold, is_filler, is_void};

/// Digits of a phone number that are compared: its end, which is the same with and without the prefix
/// of a country.
const PHONE_DIGITS: usize = 9;

/// The longest value that is compared, in bytes; what is longer is cut off.
const LONGEST: usize = 256;

/// A value of a kind as it is compared; `None` for what stands for no value. `day_first` tells dates
/// such as 01/02/2000.
pub fn canonical(kind: Kind, raw: &str, day_first: bool) -> Option<String> {
    let raw = cut(raw.trim());
    if is_void(raw) {
        return None;
    }
    let value = match kind {
        Kind::GivenName | Kind::FamilyName | Kind::FullName | Kind::Text | Kind::Category => fold(raw),
        Kind::Gender => gender(&fold(raw)),
        Kind::Set => {
            let folded = fold(raw);
            let mut words: Vec<&str> = folded.split(' ').collect();
            words.sort_unstable();
            words.dedup();
            words.join(" ")
        }
        Kind::Date if Ymd::read(raw, day_first).is_some_and(Ymd::is_placeholder) => return None,
        Kind::Date => match Ymd::parse(raw, day_first) {
            Some(date) => date.digits(),
            None => digits(raw).filter(|digits| digits.len() >= 4 && !is_filler(digits))?,
        },
        Kind::Email => {
            let email: String =
                raw.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect();
            let user = email.split('@').next().unwrap_or_default();
            (!is_void(user)).then_some(email)?
        }
        Kind::Phone => {
            let digits = digits(raw)?;
            let number = digits.trim_start_matches('0');
            let number = &number[number.len().saturating_sub(PHONE_DIGITS)..];
            (number.len() >= 4 && !is_filler(number)).then(|| number.to_owned())?
        }
        Kind::Id | Kind::PostalCode => {
            let value: String = fold(raw).chars().filter(|c| *c != ' ').collect();
            (kind == Kind::PostalCode || !is_filler(&value)).then_some(value)?
        }
        Kind::Number => {
            let number: f64 = raw.parse().ok().filter(|number: &f64| number.is_finite())?;
            number.to_string()
        }
        Kind::Location => {
            let (latitude, longitude) = location(raw)?;
            format!("{latitude:.5},{longitude:.5}")
        }
    };
    (!value.is_empty()).then_some(value)
}

/// A gender's letter, if one of the usual words or titles tells it; else the word.
fn gender(folded: &str) -> String {
    const MALE: [&str; 19] = [
        "m",
        "male",
        "man",
        "masculine",
        "mr",
        "herr",
        "hr",
        "mann",
        "mannlich",
        "h",
        "homme",
        "hombre",
        "masculin",
        "masculino",
        "maschio",
        "monsieur",
        "senor",
        "sr",
        "1",
    ];
    const FEMALE: [&str; 23] = [
        "f", "female", "woman", "feminine", "mrs", "ms", "miss", "frau", "fr", "weiblich", "w", "femme",
        "mujer", "feminin", "femenino", "femmina", "madame", "mme", "mlle", "senora", "sra", "v", "2",
    ];
    if MALE.contains(&folded) {
        "m".into()
    } else if FEMALE.contains(&folded) {
        "f".into()
    } else {
        folded.into()
    }
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(LONGEST)]
}

fn digits(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    (!digits.is_empty()).then_some(digits)
}

/// Latitude and longitude in degrees.
pub fn location(text: &str) -> Option<(f64, f64)> {
    let (latitude, longitude) = text.trim_matches(['(', ')', '[', ']']).split_once(',')?;
    let (latitude, longitude): (f64, f64) =
        (latitude.trim().parse().ok()?, longitude.trim().parse().ok()?);
    (latitude.abs() <= 90.0 && longitude.abs() <= 180.0).then_some((latitude, longitude))
}

/// A date as written: its month and day may be impossible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ymd {
    pub year: u32,
    pub month: u32,
    pub day: u32,
}

impl Ymd {
    /// Reads 2000-12-31, 20001231, 31/12/2000 or 31.12.2000, and 12/31/2000 unless `day_first`; what
    /// stands behind a blank or a T is left out.
    pub fn parse(text: &str, day_first: bool) -> Option<Self> {
        Self::read(text, day_first).filter(|date| (1000..3000).contains(&date.year))
    }

    /// The same, of any year.
    fn read(text: &str, day_first: bool) -> Option<Self> {
        let text = text.trim();
        let text = text.split([' ', 'T']).next().unwrap_or_default();
        let parts: Vec<&str> = text.split(['-', '/', '.']).collect();
        let number =
            |part: &str| part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok()).flatten();
        let date = |year: &str, month: &str, day: &str| {
            let (year, month, day) = (number(year)?, number(month)?, number(day)?);
            (day < 100 && month < 100).then_some(Ymd { year, month, day })
        };
        match parts[..] {
            [whole] if whole.len() == 8 && whole.is_ascii() => {
                date(&whole[..4], &whole[4..6], &whole[6..])
            }
            [year, month, day] if year.len() == 4 => date(year, month, day),
            [first, second, year] if year.len() == 4 => {
                if day_first {
                    date(year, second, first)
                } else {
                    date(year, first, second)
                }
            }
            _ => None,
        }
    }

    /// Whether it only fills its field: what programs write for no date, or one digit all over.
    fn is_placeholder(self) -> bool {
        const PLACEHOLDERS: [(u32, u32, u32); 9] = [
            (1, 1, 1),
            (1753, 1, 1),
            (1800, 1, 1),
            (1899, 12, 30),
            (1899, 12, 31),
            (1900, 1, 1),
            (2999, 12, 31),
            (9999, 1, 1),
            (9999, 12, 31),
        ];
        PLACEHOLDERS.contains(&(self.year, self.month, self.day)) || is_filler(&self.digits())
    }

    pub fn digits(self) -> String {
        format!("{:04}{:02}{:02}", self.year, self.month, self.day)
    }
}

/// Whether dates such as 01/02/2000 have the day first: told by those that can be read in one way only.
pub fn day_first<'v>(values: impl Iterator<Item = &'v str>) -> bool {
    let (mut first, mut second, mut dots) = (0usize, 0usize, 0usize);
    for value in values {
        let Some(date) = Ymd::parse(value, true) else { continue };
        let head = value.trim().split(['-', '/', '.']).next().unwrap_or_default();
        if head.len() > 2 {
            continue;
        }
        first += usize::from(date.day > 12);
        second += usize::from(date.month > 12);
        dots += usize::from(value.contains('.'));
    }
    first > second || (first == second && dots > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_that_only_fill_a_field_are_none() {
        for void in [
            "1111-11-11",
            "0001-01-01",
            "00010101",
            "9999-12-31",
            "31.12.9999",
            "1900-01-01 00:00:00",
            "1/1/1900",
            "0000-00-00",
            "12345678",
        ] {
            assert_eq!(canonical(Kind::Date, void, true), None, "{void}");
        }
        for (date, digits) in
            [("1900-01-02", "19000102"), ("1970-01-01", "19700101"), ("3.4.1985", "19850403")]
        {
            assert_eq!(canonical(Kind::Date, date, true).as_deref(), Some(digits), "{date}");
        }
    }
}
