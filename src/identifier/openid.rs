//! OpenID Connect subjects.

use super::Malformed;
use std::borrow::Cow;

/// `issuer|subject`, both compared exactly: OpenID Connect Core 1.0, sections 2 and 5.7, makes
/// the pair of `iss` and `sub` the only identifier of a user, and both case-sensitive.
pub(super) fn canonical(value: &str) -> Result<Cow<'_, str>, Malformed> {
    match value.split_once('|') {
        Some((issuer, subject)) if !issuer.trim().is_empty() && !subject.trim().is_empty() => {
            Ok(Cow::Borrowed(value))
        }
        _ => Err(Malformed::OpenidWithoutSubject),
    }
}

#[cfg(test)]
mod tests {
    use super::canonical;

    #[test]
    fn issuer_and_subject() {
        assert_eq!(canonical("https://id.example.com|A-7").unwrap(), "https://id.example.com|A-7");
        for malformed in ["https://id.example.com", "|A-7", "https://id.example.com|"] {
            assert!(canonical(malformed).is_err(), "{malformed}");
        }
    }
}
