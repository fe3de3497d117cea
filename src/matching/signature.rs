//! What two values can have in common at most, told without reading them.
//!
//! A signature is a filter as in approximate string matching: texts that are alike have characters and
//! words in common, and how many they are is bounded by those that their signatures share (bag
//! distance: Bartolini, Ciaccia, Patella, SPIRE 2002; words as in a Bloom filter: Bloom,
//! Communications of the ACM 13, 1970).

use super::compare::{Comparison, DIFFERENT, Level, Measure, NICKNAME, Similarity, days, eight_digits};
use super::kind::Kind;

/// What is known of a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signature {
    /// Its characters, each a bit of [`MASKS`]; the eight digits of a date.
    characters: u64,
    /// Its words, those that begin with a digit in the upper [`NUMBERS`] bits; of names no words but
    /// the groups of nicknames.
    words: u32,
    /// Characters, 1 to 255; 0 if nothing is known of the value.
    length: u8,
    /// Characters that have no bit.
    uncounted: u8,
    /// Words, 1 to 255; 0 if there is more than letters, digits and blanks between words.
    count: u8,
    /// Its first character.
    head: u8,
}

/// Bits of the words that begin with a digit, and of the others.
const NUMBERS: u32 = 12;
const WORDS: u32 = 32 - NUMBERS;

/// The bits of each character: as many as are needed to count it in most values.
const MASKS: [u64; 128] = masks();

const fn masks() -> [u64; 128] {
    let mut masks = [0; 128];
    let (mut next, mut byte) = (0, b'0');
    while byte <= b'z' {
        let bits = match byte {
            b'0'..=b'9' => 3,
            b'a' | b'e' | b'i' | b'l' | b'n' | b'o' | b'r' | b's' | b't' => 2,
            b'q' => 0,
            b'a'..=b'z' => 1,
            _ => 0,
        };
        masks[byte as usize] = ((1 << bits) - 1) << next;
        next += bits;
        byte += 1;
    }
    masks
}

/// What may be lost or gained by rounding, as where numbers are added in another order.
pub const ROUNDING: f64 = 1e-9;

impl Signature {
    /// That of a canonical value, which is compared so. `groups`: the groups of nicknames it is in.
    pub fn new(comparison: &Comparison, value: &str, groups: &[u32]) -> Self {
        let length = u8::try_from(value.len()).unwrap_or(0);
        if length == 0 || !value.is_ascii() {
            return Signature::default();
        }
        let mut signature = Signature { length, head: value.as_bytes()[0], ..Signature::default() };
        if comparison.is_standard(Kind::Date) {
            match eight_digits(value) {
                Some(digits) => signature.characters = u64::from_le_bytes(digits),
                None => return Signature::default(),
            }
            return signature;
        }
        for byte in value.bytes() {
            let free = MASKS[usize::from(byte)] & !signature.characters;
            signature.characters |= free & free.wrapping_neg();
            signature.uncounted += u8::from(free == 0);
        }
        let is_word =
            |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if value.split(' ').all(is_word) {
            signature.count = value.split(' ').count() as u8;
        }
        signature.words = match comparison {
            Comparison { kind: Kind::GivenName, by: None } => {
                groups.iter().fold(0, |groups, group| groups | 1 << (group % u32::BITS))
            }
            Comparison { kind: Kind::FamilyName, by: None } => 0,
            _ if signature.count == 0 => 0,
            _ => value.split(' ').fold(0, |words, word| words | bit(word)),
        };
        signature
    }

    /// The highest level that two values which are not equal may have.
    pub fn highest_level(comparison: &Comparison, a: &Self, b: &Self) -> Level {
        if a.length == 0 || b.length == 0 {
            return comparison.top() - 1;
        }
        match &comparison.by {
            Some(measure) => measured(measure, a, b),
            None => level(comparison.kind, a, b).unwrap_or(comparison.top() - 1),
        }
    }

    fn shorter(&self, other: &Self) -> u8 {
        self.length.min(other.length)
    }

    fn longer(&self, other: &Self) -> u8 {
        self.length.max(other.length)
    }

    /// The most characters that two values have in common.
    fn common(&self, other: &Self) -> u8 {
        (self.characters & other.characters).count_ones() as u8 + self.uncounted.min(other.uncounted)
    }

    /// The fewest edits that lead from one to the other.
    fn edits(&self, other: &Self) -> u8 {
        self.longer(other) - self.common(other)
    }

    /// The most that Jaro's similarity may be.
    fn jaro(&self, other: &Self) -> f64 {
        let common = f64::from(self.common(other));
        if common == 0.0 {
            return 0.0;
        }
        (common / f64::from(self.length) + common / f64::from(other.length) + 1.0) / 3.0 + ROUNDING
    }

    /// The most that Winkler's may be.
    fn jaro_winkler(&self, other: &Self) -> f64 {
        let jaro = self.jaro(other);
        if jaro > 0.7 && self.head == other.head { jaro + 0.4 * (1.0 - jaro).max(0.0) } else { jaro }
    }

    /// The most words that two values have in common.
    fn common_words(&self, other: &Self) -> u32 {
        let repeated = |of: &Self| u32::from(of.count) - of.words.count_ones();
        (self.words & other.words).count_ones() + repeated(self).min(repeated(other))
    }

    /// Whether a word that begins with a digit is certainly no word of the other's.
    fn has_other_number(&self, other: &Self) -> bool {
        (self.words & !other.words) >> WORDS != 0
    }
}

/// The bit of a word.
fn bit(word: &str) -> u32 {
    let hash = word.bytes().fold(0u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let hash = hash >> 16;
    if word.as_bytes()[0].is_ascii_digit() { 1 << (WORDS + hash % NUMBERS) } else { 1 << (hash % WORDS) }
}

/// The highest level of a kind's own.
fn level(kind: Kind, a: &Signature, b: &Signature) -> Option<Level> {
    let are_words = a.count > 0 && b.count > 0;
    Some(match kind {
        Kind::GivenName | Kind::FamilyName => name(a, b),
        Kind::FullName if are_words => full_name(a, b),
        Kind::Date => days(a.characters.to_le_bytes(), b.characters.to_le_bytes()),
        Kind::Email => 1 + Level::from(a.edits(b) <= 2),
        Kind::Phone | Kind::Id => 3 - a.edits(b).saturating_sub(1).min(2),
        Kind::PostalCode if a.edits(b) <= 1 => 3,
        Kind::PostalCode => 1 + Level::from(a.head == b.head),
        Kind::Text if are_words => words(a, b),
        Kind::Gender | Kind::Category => DIFFERENT,
        Kind::Set if are_words => {
            let common = a.common_words(b);
            match 2 * common {
                0 => 1,
                twice if twice >= u32::from(a.count) + u32::from(b.count) - common => 3,
                _ => 2,
            }
        }
        Kind::FullName | Kind::Text | Kind::Set | Kind::Number | Kind::Location => return None,
    })
}

fn name(a: &Signature, b: &Signature) -> Level {
    let (shorter, common) = (a.shorter(b), a.common(b));
    if shorter >= 3 && a.longer(b) - common <= 1 {
        return 8;
    }
    if a.words & b.words != 0 {
        return NICKNAME;
    }
    // A part of a name is an initial, or one of several words.
    if common >= shorter && (shorter == 1 || a.count != 1 || b.count != 1) {
        return 6;
    }
    match a.jaro_winkler(b) {
        0.9.. => 5,
        0.8.. => 3,
        0.7.. => 2,
        _ => DIFFERENT,
    }
}

fn full_name(a: &Signature, b: &Signature) -> Level {
    let (few, common) = (u32::from(a.count.min(b.count)), a.common_words(b));
    if a.edits(b) <= 1 {
        6
    } else if few > 1 {
        4 + Level::from(common >= few)
    } else if a.jaro_winkler(b) >= 0.8 {
        3
    } else {
        1 + Level::from(common > 0)
    }
}

fn words(a: &Signature, b: &Signature) -> Level {
    let common = a.common_words(b);
    if a.has_other_number(b) && b.has_other_number(a) {
        // That words are alike counts no more than that they have one in common.
        return 1 + Level::from(common > 0 || a.jaro_winkler(b) >= 0.82);
    }
    if a.edits(b) <= 1 {
        return 5;
    }
    let all = u32::from(a.count) + u32::from(b.count) - common;
    match a.jaro_winkler(b) {
        _ if common == all => 5,
        0.92.. => 4,
        _ if common * 5 >= all * 3 => 4,
        0.82.. => 3,
        _ if common * 3 >= all => 3,
        _ if common > 0 => 2,
        _ => DIFFERENT,
    }
}

/// The highest level of a measure.
fn measured(measure: &Measure, a: &Signature, b: &Signature) -> Level {
    let found = match measure.similarity {
        Similarity::Exact => 0.0,
        Similarity::Jaro => a.jaro(b),
        Similarity::JaroWinkler => a.jaro_winkler(b),
        Similarity::Levenshtein | Similarity::Damerau => {
            1.0 - f64::from(a.edits(b)) / f64::from(a.longer(b))
        }
        Similarity::Token => tokens(a, b),
    };
    measure.level(found)
}

/// The most of all words, each taken once, that two values may have in common: 0 to 1.
fn tokens(a: &Signature, b: &Signature) -> f64 {
    if a.count == 0 || b.count == 0 {
        return 1.0;
    }
    let common = a.common_words(b);
    let all = (a.words.count_ones() + b.words.count_ones()).saturating_sub(common);
    f64::from(common) / f64::from(all.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn much_is_told_without_reading() {
        let level = |kind, a, b| {
            let comparison = Comparison::of(kind);
            let of = |value| Signature::new(&comparison, value, &[]);
            Signature::highest_level(&comparison, &of(a), &of(b))
        };
        for (kind, a, b, most) in [
            (Kind::FamilyName, "garcia", "nowak", 1),
            (Kind::FamilyName, "nowak", "nowack", 8),
            (Kind::Date, "19800517", "19800518", 6),
            (Kind::Date, "19800517", "19801122", 3),
            (Kind::Email, "garcia@example.com", "nowak@example.com", 1),
            (Kind::Phone, "415555123", "415667890", 1),
            (Kind::PostalCode, "28068", "94110", 1),
            (Kind::Text, "46 harvey street", "54 lake dr apt 7b", 1),
            (Kind::Text, "46 harvey street", "46 harvey stret", 5),
            (Kind::Set, "chess music", "football", 1),
            (Kind::FullName, "anna nowak", "jose garcia", 4),
        ] {
            assert_eq!(level(kind, a, b), most, "{a} and {b}");
        }
    }
}
