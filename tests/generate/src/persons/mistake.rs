//! What goes wrong between a person and the row about them: slips of fingers and ears in texts,
//! wrong digits, dates that are read the other way round.

use crate::clock::{civil, date};
use crate::dice::Dice;

/// The rows of a keyboard; neighbours stand side by side or above each other.
const KEYS: [&[u8]; 4] = [b"1234567890", b"qwertyuiop", b"asdfghjkl", b"zxcvbnm"];

/// What sounds alike, either way round.
const SOUNDS: [(&str, &str); 24] = [
    ("ph", "f"),
    ("ck", "k"),
    ("c", "k"),
    ("ie", "y"),
    ("ey", "y"),
    ("y", "i"),
    ("s", "z"),
    ("ss", "s"),
    ("tt", "t"),
    ("ll", "l"),
    ("nn", "n"),
    ("mm", "m"),
    ("rr", "r"),
    ("v", "w"),
    ("d", "t"),
    ("b", "p"),
    ("ai", "ay"),
    ("ee", "ea"),
    ("th", "t"),
    ("qu", "k"),
    ("x", "ks"),
    ("ei", "ie"),
    ("e", "a"),
    ("o", "u"),
];

/// A text with a slip or two. Never empty.
pub fn misspell(text: &str, dice: &mut Dice) -> String {
    let once = slip(text, dice);
    if dice.chance(130) { slip(&once, dice) } else { once }
}

fn slip(text: &str, dice: &mut Dice) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    // The first letter is seldom wrong.
    let first = u64::from(letters.len() > 1 && !dice.chance(120));
    let at = dice.between(first, letters.len().max(1) as u64 - 1) as usize;
    match dice.weighted(&[20, 15, 20, 5, 16, 8, 16]) {
        0 if letters.len() > 1 => drop(letters.remove(at)),
        1 => letters.insert(at, any_letter(dice)),
        2 => letters[at] = neighbour(letters[at], dice),
        3 => letters[at] = any_letter(dice),
        4 if letters.len() > first as usize + 1 => {
            let at = at.min(letters.len() - 2);
            letters.swap(at, at + 1);
        }
        5 => letters.insert(at, letters[at]),
        _ => return mishear(text, dice),
    }
    letters.into_iter().collect()
}

fn any_letter(dice: &mut Dice) -> char {
    char::from(b'a' + dice.below(26) as u8)
}

/// A key beside the one that was meant.
fn neighbour(meant: char, dice: &mut Dice) -> char {
    let lower = meant.to_ascii_lowercase();
    let place = KEYS.iter().enumerate().find_map(|(row, keys)| {
        keys.iter().position(|&key| char::from(key) == lower).map(|column| (row, column))
    });
    let Some((row, column)) = place else { return any_letter(dice) };
    let mut near = Vec::with_capacity(4);
    near.extend(column.checked_sub(1).map(|column| KEYS[row][column]));
    near.extend(KEYS[row].get(column + 1));
    for row in [row.checked_sub(1), Some(row + 1)].into_iter().flatten() {
        let keys = KEYS.get(row).copied().unwrap_or_default();
        near.extend(keys.get(column).filter(|key| key.is_ascii_digit() == lower.is_ascii_digit()));
    }
    let key = char::from(*dice.pick(&near));
    if meant.is_ascii_uppercase() { key.to_ascii_uppercase() } else { key }
}

/// The text as somebody else would write what they heard.
fn mishear(text: &str, dice: &mut Dice) -> String {
    let from = dice.below(SOUNDS.len() as u64) as usize;
    let (before, after) = SOUNDS.split_at(from);
    for &(one, other) in after.iter().chain(before) {
        for (heard, written) in [(one, other), (other, one)] {
            if text.len() > heard.len() && text.contains(heard) {
                return text.replacen(heard, written, 1);
            }
        }
    }
    // A name in capitals: one letter less, unless it is the only one.
    let last = text.char_indices().next_back().map_or(0, |(index, _)| index);
    if last == 0 { text.to_owned() } else { text[..last].to_owned() }
}

/// A number with one digit wrong, two swapped, one too many or one too few.
pub fn wrong_digits(text: &str, dice: &mut Dice) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    let digits: Vec<usize> = (0..letters.len()).filter(|&at| letters[at].is_ascii_digit()).collect();
    if digits.is_empty() {
        return misspell(text, dice);
    }
    let which = dice.below(digits.len() as u64) as usize;
    let at = digits[which];
    let digit = char::from(b'0' + dice.below(10) as u8);
    match dice.weighted(&[45, 35, 10, 10]) {
        0 => letters[at] = digit,
        1 => letters.swap(at, *digits.get(which + 1).unwrap_or(&digits[0])),
        2 => letters.insert(at, digit),
        _ => drop(letters.remove(at)),
    }
    letters.into_iter().collect()
}

/// Another day that may be written instead of this one; always a day that exists.
pub fn wrong_date(day: i64, dice: &mut Dice) -> i64 {
    let (year, month, of_month) = civil(day);
    for _ in 0..20 {
        let [mut y, mut m, mut d] = [year, month, of_month];
        match dice.weighted(&[28, 22, 12, 10, 14, 8, 6]) {
            0 => (m, d) = (d, m),
            1 => d = digit_of(d, dice),
            2 => m = digit_of(m, dice),
            3 => y += *dice.pick(&[-10, 10, -1, 1, -2, 2]),
            4 => y = year - year % 10 + dice.below(10) as i64,
            5 => d += *dice.pick(&[-1, 1]),
            _ => y = year - year % 100 + year % 10 * 10 + year / 10 % 10,
        }
        let wrong = date(y, m.clamp(1, 12), d.clamp(1, 31));
        if civil(wrong) == (y, m, d) && wrong != day && (1900..=2024).contains(&y) {
            return wrong;
        }
    }
    date(year, 1, 1)
}

/// A number of two digits with one of them wrong.
fn digit_of(number: i64, dice: &mut Dice) -> i64 {
    let digit = dice.below(10) as i64;
    if dice.chance(650) { number - number % 10 + digit } else { digit * 10 + number % 10 }
}

/// What stands for a value in the forms that insist on one.
pub fn placeholder(values: &[&'static str], dice: &mut Dice) -> String {
    // One is everybody's favourite.
    let among = dice.between(1, values.len() as u64);
    values[dice.below(among) as usize].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_leave_a_text_near_to_what_was_meant() {
        let mut dice = Dice::new(1);
        let mut changed = 0;
        for text in ["Garcia", "Åse", "O'Brien", "Le", "X", "12 Oak Street"] {
            for _ in 0..500 {
                let slipped = misspell(text, &mut dice);
                assert!(!slipped.is_empty(), "{text}");
                assert!(slipped.chars().count().abs_diff(text.chars().count()) <= 2, "{text} {slipped}");
                changed += usize::from(slipped != text);
            }
        }
        assert!(changed > 2_500, "{changed}");
    }

    #[test]
    fn wrong_dates_are_dates() {
        let mut dice = Dice::new(1);
        for day in (date(1930, 1, 1)..date(2024, 1, 1)).step_by(86_400 * 37) {
            let wrong = wrong_date(day, &mut dice);
            assert!((date(1900, 1, 1)..date(2025, 1, 1)).contains(&wrong));
        }
        assert_ne!(wrong_digits("555-0123", &mut dice), "");
    }
}
