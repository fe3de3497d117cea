//! Short forms of identifiers spelled out: canonical for the truth, as people type for the log.

use super::log::Identifier;
use super::world::{LISTED_EMAILS, LISTED_PHONES, MADE_UP, UNLISTED_EMAILS, UNLISTED_PHONES};
use crate::dice::Dice;
use crate::names::{LAST, MEN, WOMEN, ascii};

const PROVIDERS: [&str; 6] = [
    "mail.example",
    "poste.example",
    "boite.example",
    "courrier.example",
    "free-mail.example",
    "courriel.example",
];

/// The address with a number, canonical. Numbers differ, so addresses do.
pub fn email(number: u32) -> String {
    if number >= MADE_UP {
        let index = (number - MADE_UP) as usize;
        let made_up = LISTED_EMAILS.iter().chain(&UNLISTED_EMAILS).nth(index);
        return made_up.expect("a made-up address has an index").to_string();
    }
    let mut mixed = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
    let mut from = |count: usize| {
        let index = mixed as usize % count;
        mixed /= count as u64;
        index
    };
    let first = from(WOMEN.len() + MEN.len());
    let first = WOMEN.iter().chain(&MEN).nth(first).expect("an index of the names");
    let (last, provider) = (LAST[from(LAST.len())], PROVIDERS[from(PROVIDERS.len())]);
    format!("{}.{}{number}@{provider}", ascii(first), ascii(last))
}

/// The address as it was typed.
pub fn typed_email(number: u32, dice: &mut Dice) -> String {
    let email = email(number);
    match dice.below(100) {
        0..=2 => email.to_uppercase(),
        3..=6 => {
            let (first, rest) = email.split_at(1);
            first.to_uppercase() + rest
        }
        7 => email + " ",
        _ => email,
    }
}

/// The number as it was typed: international, or as people write it in France.
pub fn typed_phone(number: u32, dice: &mut Dice) -> String {
    if number >= MADE_UP {
        let index = (number - MADE_UP) as usize;
        return match LISTED_PHONES.get(index) {
            Some(listed) => listed.to_string(),
            None => format!("0{}", UNLISTED_PHONES[index - LISTED_PHONES.len()]),
        };
    }
    match dice.below(10) {
        0..=4 => format!("+33{number}"),
        5..=6 => format!("0{number}"),
        7 => format!("0033{number}"),
        _ => {
            let digits = format!("0{number}");
            let pairs: Vec<&str> = (0..5).map(|pair| &digits[2 * pair..2 * pair + 2]).collect();
            pairs.join(" ")
        }
    }
}

/// `type:value`, the value canonical.
pub fn canonical(identifier: Identifier) -> String {
    match identifier {
        Identifier::CustomerNumber(number) => format!("customer_number:{number}"),
        Identifier::Email(number) => format!("email:{}", email(number)),
        Identifier::Phone(number) => format!("phone:+33{number}"),
        Identifier::Cookie(cookie) => format!("cookie:{cookie:016x}"),
    }
}
