//! Codes made of digits: loyalty cards, account numbers.

use std::borrow::Cow;

use super::{Malformed, is_invisible};

/// The digits of `value` in ASCII, leading zeros included, without the punctuation between them.
pub(super) fn canonical(value: &str) -> Result<Cow<'_, str>, Malformed> {
    if value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(Cow::Borrowed(value));
    }
    let mut digits = String::with_capacity(value.len());
    for c in value.chars() {
        match decimal_digit(c) {
            Some(digit) => digits.push(char::from(digit)),
            None if is_separator(c) => {}
            None => return Err(Malformed::Digits),
        }
    }
    if digits.is_empty() {
        return Err(Malformed::Digits);
    }
    Ok(Cow::Owned(digits))
}

/// The ASCII digit of the same value as `c`, where `c` is a decimal digit in some script.
pub(super) fn decimal_digit(c: char) -> Option<u8> {
    if c.is_ascii() {
        return c.is_ascii_digit().then_some(c as u8);
    }
    let code = u32::from(c);
    let zero = ZEROS[..ZEROS.partition_point(|&zero| zero <= code)].last()?;
    u8::try_from(code - zero).ok().filter(|&digit| digit < 10).map(|digit| b'0' + digit)
}

/// White space, dots, dashes, slashes and parentheses, also in the full width of East Asian text.
pub(super) fn is_separator(c: char) -> bool {
    c.is_whitespace()
        || is_invisible(c)
        || matches!(
            c,
            '.' | '-' | '/' | '(' | ')'
                | '\u{2010}'..='\u{2015}' // hyphens and dashes
                | '\u{2212}' // minus sign
                | '\u{30fc}' // prolonged sound mark, typed as a dash
                | '\u{ff08}' | '\u{ff09}' | '\u{ff0d}'..='\u{ff0f}'
        )
}

/// The digit zero of every script but ASCII (Unicode 16, general category Nd), in ascending order.
/// The digits one to nine follow each.
const ZEROS: [u32; 75] = [
    0x0660, 0x06f0, 0x07c0, 0x0966, 0x09e6, 0x0a66, 0x0ae6, 0x0b66, 0x0be6, 0x0c66, 0x0ce6, 0x0d66,
    0x0de6, 0x0e50, 0x0ed0, 0x0f20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90,
    0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10,
    0x104a0, 0x10d30, 0x10d40, 0x11066, 0x110f0, 0x11136, 0x111d0, 0x112f0, 0x11450, 0x114d0, 0x11650,
    0x116c0, 0x116d0, 0x116da, 0x11730, 0x118e0, 0x11950, 0x11bf0, 0x11c50, 0x11d50, 0x11da0, 0x11f50,
    0x16130, 0x16a60, 0x16ac0, 0x16b50, 0x16d70, 0x1ccf0, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6,
    0x1e140, 0x1e2f0, 0x1e4f0, 0x1e5f1, 0x1e950, 0x1fbf0,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn punctuation_is_dropped() {
        for (value, expected) in [
            ("00420", "00420"),
            ("4970 1500-0000.0000", "4970150000000000"),
            ("(12) 34/56", "123456"),
            ("１２３－４５", "12345"),
            ("٠١٢٣", "0123"),
            ("1\u{a0}234\u{202f}567", "1234567"),
        ] {
            assert_eq!(canonical(value).as_deref(), Ok(expected), "{value}");
        }
        assert!(matches!(canonical("00420"), Ok(Cow::Borrowed(_))));
    }

    #[test]
    fn anything_else_is_refused() {
        for value in ["12a", "+33", "-", "( )", "12,5", "½", "12_3", "Ⅻ"] {
            assert_eq!(canonical(value), Err(Malformed::Digits), "{value}");
        }
    }

    #[test]
    fn every_decimal_digit_of_unicode_is_known() {
        let decimal = regex::Regex::new(r"^\p{Nd}$").unwrap();
        for c in '\0'..=char::MAX {
            let expected = decimal.is_match(c.encode_utf8(&mut [0; 4]));
            assert_eq!(decimal_digit(c).is_some(), expected, "{c:?}");
        }
        assert_eq!(decimal_digit('٧'), Some(b'7'));
    }
}
