//! Text in lower case, for logins and codes whose case means nothing.

use std::borrow::Cow;

/// `value` in lower case by Unicode's default mapping, in no particular language: `İ` becomes `i`
/// with a dot above, a final `Σ` becomes `ς`.
pub(super) fn canonical(value: &str) -> Cow<'_, str> {
    if value.is_ascii() {
        if value.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Cow::Owned(value.to_ascii_lowercase());
        }
    } else if value.chars().any(|c| !c.to_lowercase().eq([c])) {
        return Cow::Owned(value.to_lowercase());
    }
    Cow::Borrowed(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_is_dropped() {
        for (value, expected) in [
            ("Ann_42", "ann_42"),
            ("ÉLODIE", "élodie"),
            ("ΟΔΟΣ", "οδος"),
            ("STRASSE", "strasse"),
            ("straße", "straße"),
        ] {
            assert_eq!(canonical(value), expected);
        }
    }

    #[test]
    fn lower_case_is_borrowed() {
        for value in ["ann", "élodie", "日本", "42"] {
            assert!(matches!(canonical(value), Cow::Borrowed(_)));
        }
    }
}
