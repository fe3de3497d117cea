//! UUIDs (RFC 9562).

use std::borrow::Cow;

use super::{Malformed, shown};

/// The lower-case hyphenated form of any text that PostgreSQL reads as a `uuid`.
pub(super) fn canonical(value: &str) -> Result<Cow<'_, str>, Malformed> {
    let uuid = parse(value).ok_or(Malformed::Uuid)?;
    Ok(shown(value, ::uuid::Uuid::from_u128(uuid)))
}

/// 32 hexadecimal digits, a hyphen allowed after each group of four, braces allowed around them:
/// what `uuid_in` accepts.
fn parse(text: &str) -> Option<u128> {
    let text = match text.strip_prefix('{') {
        Some(opened) => opened.strip_suffix('}')?,
        None => text,
    };
    let mut uuid = 0_u128;
    let mut digits = 0;
    let mut hyphen_allowed = false;
    for c in text.chars() {
        if c == '-' && hyphen_allowed {
            hyphen_allowed = false;
            continue;
        }
        uuid = uuid << 4 | u128::from(c.to_digit(16)?);
        digits += 1;
        hyphen_allowed = digits % 4 == 0 && digits < 32;
    }
    (digits == 32).then_some(uuid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_that_postgres_reads() {
        let expected = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
        for value in [
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
            "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",
            "a0eebc999c0b4ef8bb6d6bb9bd380a11",
            "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11",
            "{a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11}",
        ] {
            assert_eq!(canonical(value).as_deref(), Ok(expected), "{value}");
        }
        assert!(matches!(canonical(expected), Ok(Cow::Borrowed(_))));
    }

    #[test]
    fn forms_that_postgres_refuses() {
        for value in [
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1",
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a111",
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11-",
            "-a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            "a0eebc99--9c0b-4ef8-bb6d-6bb9bd380a11",
            "a0e-ebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            "urn:uuid:a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            "g0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            "{}",
        ] {
            assert_eq!(canonical(value), Err(Malformed::Uuid), "{value}");
        }
    }
}
