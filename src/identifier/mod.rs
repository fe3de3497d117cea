//! Text to canonical identifier.
//!
//! Two spellings of one e-mail address, phone number or device id are one identifier only if they
//! become the same text. A [`Normalizer`] is a pure function that does that, one file for each.
//! Every one is idempotent: a canonical value is its own canonical value.
//!
//! Before a normaliser sees a value, white space and invisible characters are trimmed from both
//! ends, and a value that is empty, too long or holds a control character is refused.

mod blocked;
mod digits;
mod email;
mod email_provider;
mod ip;
mod lower;
mod mac;
mod openid;
mod phone;
mod region;
mod url;
mod uuid;

use std::borrow::Cow;
use std::fmt::{self, Write};

pub use blocked::{BlockList, InvalidPattern};
pub use region::Region;

/// The longest value, before and after normalising, in bytes.
///
/// Well above every standard's own limit (an e-mail address has 254, RFC 5321) and well below what
/// a B-tree index entry can hold.
pub const MAX_BYTES: usize = 1024;

/// How values of an identifier type are made comparable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Normalizer {
    /// An e-mail address (RFC 5321), all lower case, its domain in ASCII form (UTS 46).
    Email,
    /// Like `Email`, and spellings that a mail provider delivers to one mailbox become one.
    EmailProvider,
    /// A phone number in E.164 form: `+33612345678`.
    Phone,
    /// An OpenID Connect subject: `issuer|subject`.
    Openid,
    /// The digits of a value that is nothing but digits and punctuation.
    Digits,
    /// A UUID (RFC 9562) in any form PostgreSQL reads: lower case, hyphenated.
    Uuid,
    /// A web address (WHATWG URL) without its fragment.
    Url,
    /// An IPv4 or IPv6 address (RFC 5952).
    Ip,
    /// An EUI-48 or EUI-64 hardware address: `00:1a:2b:3c:4d:5e`.
    Mac,
    /// Any text, in lower case.
    Lower,
    /// Any text as it stands. Only the ends are trimmed; case is kept.
    Exact,
}

impl Normalizer {
    /// Every normaliser, in the order of the declaration.
    pub const ALL: [Self; 11] = [
        Self::Email,
        Self::EmailProvider,
        Self::Phone,
        Self::Openid,
        Self::Digits,
        Self::Uuid,
        Self::Url,
        Self::Ip,
        Self::Mac,
        Self::Lower,
        Self::Exact,
    ];

    /// The normaliser with this [`name`](Self::name).
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }

    /// The name that configuration uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::EmailProvider => "email_provider",
            Self::Phone => "phone",
            Self::Openid => "openid",
            Self::Digits => "digits",
            Self::Uuid => "uuid",
            Self::Url => "url",
            Self::Ip => "ip",
            Self::Mac => "mac",
            Self::Lower => "lower",
            Self::Exact => "exact",
        }
    }

    /// The one spelling that stands for `value`, borrowed when `value` already is that spelling.
    ///
    /// `region` is where a phone number without a country code is dialled; only
    /// [`Phone`](Self::Phone) reads it.
    pub fn canonical<'a>(
        self,
        value: &'a str,
        region: Option<Region>,
    ) -> Result<Cow<'a, str>, Malformed> {
        if value.len() > MAX_BYTES {
            return Err(Malformed::TooLong);
        }
        let value = trim(value);
        if value.is_empty() {
            return Err(Malformed::Empty);
        }
        if value.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(Malformed::ControlCharacter);
        }
        let canonical = match self {
            Self::Email => email::canonical(value)?,
            Self::EmailProvider => email_provider::canonical(value)?,
            Self::Phone => phone::canonical(value, region)?,
            Self::Openid => openid::canonical(value)?,
            Self::Digits => digits::canonical(value)?,
            Self::Uuid => uuid::canonical(value)?,
            Self::Url => url::canonical(value)?,
            Self::Ip => ip::canonical(value)?,
            Self::Mac => mac::canonical(value)?,
            Self::Lower => lower::canonical(value),
            Self::Exact => Cow::Borrowed(value),
        };
        if canonical.len() > MAX_BYTES {
            return Err(Malformed::TooLong);
        }
        Ok(canonical)
    }
}

/// Why a value cannot be an identifier of its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Malformed {
    /// Nothing is left once white space is trimmed.
    #[error("empty value")]
    Empty,
    /// The value, or its canonical form, has more than [`MAX_BYTES`] bytes.
    #[error("value longer than 1024 bytes")]
    TooLong,
    /// A character below U+0020, or U+007F, stands inside the value.
    #[error("value with a control character")]
    ControlCharacter,

    /// There is no `@`.
    #[error("e-mail address without @")]
    EmailWithoutAt,
    /// There are several `@`: two addresses, or a quoted local part that holds one.
    #[error("e-mail address with more than one @")]
    EmailManyAts,
    /// The part before the `@` is empty, longer than 64 bytes, or holds white space, quotes or
    /// other characters that RFC 5322 allows only inside quotes.
    #[error("e-mail address with an unusable part before the @")]
    EmailLocalPart,
    /// The part after the `@` is not a domain name of two labels or more.
    #[error("e-mail address with an invalid domain")]
    EmailDomain,

    /// Something other than digits, `+` and punctuation stands in the number.
    #[error("phone number with a character that cannot be dialled")]
    PhoneCharacter,
    /// The number ends in an extension such as `ext. 12`.
    #[error("phone number with an extension")]
    PhoneExtension,
    /// The number has no country code and no region is known.
    #[error("phone number without country code or region")]
    PhoneRegion,
    /// No numbering plan has such a number.
    #[error("phone number that no numbering plan assigns")]
    PhoneInvalid,

    /// There is no `|` with an issuer before and a subject behind it.
    #[error("OpenID login without issuer or subject")]
    OpenidWithoutSubject,

    /// The value is not made of digits and punctuation, or has no digit.
    #[error("value that is not made of digits")]
    Digits,

    /// PostgreSQL would not read it as a `uuid`.
    #[error("invalid UUID")]
    Uuid,

    /// It is not an absolute URL with a host.
    #[error("invalid URL")]
    Url,
    /// The scheme is neither http nor https.
    #[error("URL that is not a web address")]
    UrlScheme,
    /// The URL carries a user name or password.
    #[error("URL with a user name or password")]
    UrlCredentials,

    /// It is neither an IPv4 nor an IPv6 address.
    #[error("invalid IP address")]
    Ip,
    /// A zone such as `%eth0` follows the address: it means something on one machine only.
    #[error("IP address with a zone")]
    IpZone,
    /// A prefix length other than /32 (IPv4) or /128 (IPv6) follows the address.
    #[error("IP network instead of an address")]
    IpNetwork,

    /// It is not 12 or 16 hexadecimal digits in a usual notation.
    #[error("invalid MAC address")]
    Mac,
}

impl Malformed {
    /// What a good value looks like.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Empty => "Leave the value null when there is none.",
            Self::TooLong => "An identifier has at most 1024 bytes.",
            Self::ControlCharacter => {
                "Remove tabs, line breaks and other control characters from the value."
            }
            Self::EmailWithoutAt | Self::EmailDomain => "An e-mail address looks like ann@example.com.",
            Self::EmailManyAts => {
                "Give one address a value, like ann@example.com; an array takes several."
            }
            Self::EmailLocalPart => {
                "Give the bare address, like ann@example.com, without name, quotes or brackets."
            }
            Self::PhoneCharacter => {
                "A phone number has digits, +, spaces and punctuation, like +33 6 12 34 56 78."
            }
            Self::PhoneExtension => {
                "A number with an extension reaches a shared switchboard; give a direct number, like +33 6 12 34 56 78."
            }
            Self::PhoneRegion => {
                "Write the country code, like +33612345678, or set \"region\" (FR, for example) for the source or in the table setting."
            }
            Self::PhoneInvalid => {
                "Write the country code, like +33612345678, or check that \"region\" is the country the number is dialled in."
            }
            Self::Digits => "The value may have digits, spaces, dots, dashes, slashes and parentheses.",
            Self::OpenidWithoutSubject => {
                "An OpenID login looks like https://id.example.com|248289761001."
            }
            Self::Uuid => "A UUID looks like a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11.",
            Self::Url | Self::UrlScheme => "A web address looks like https://example.com/path.",
            Self::UrlCredentials => {
                "Remove what stands before the @: an identifier is no place for a password."
            }
            Self::Ip | Self::IpZone | Self::IpNetwork => {
                "An IP address looks like 192.0.2.1 or 2001:db8::1."
            }
            Self::Mac => "A MAC address looks like 00:1a:2b:3c:4d:5e.",
        }
    }
}

fn trim(value: &str) -> &str {
    value.trim_matches(|c: char| c.is_whitespace() || is_invisible(c))
}

/// Characters without width that copy and paste brings along: soft hyphen, zero-width spaces and
/// joiners, marks of writing direction, byte order mark.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}'
    )
}

/// `value` without `scheme` (which ends in a colon) in front, in whichever case.
fn without_scheme<'a>(value: &'a str, scheme: &str) -> &'a str {
    match value.split_at_checked(scheme.len()) {
        Some((head, rest)) if head.eq_ignore_ascii_case(scheme) => trim(rest),
        _ => value,
    }
}

/// The text of `canonical`, borrowed from `value` where that is the same text.
fn shown(value: &str, canonical: impl fmt::Display) -> Cow<'_, str> {
    /// What of the value has not been written yet. Fails at the first difference.
    struct Rest<'a>(&'a str);
    impl Write for Rest<'_> {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 = self.0.strip_prefix(text).ok_or(fmt::Error)?;
            Ok(())
        }
    }
    let mut rest = Rest(value);
    match write!(rest, "{canonical}") {
        Ok(()) if rest.0.is_empty() => Cow::Borrowed(value),
        _ => Cow::Owned(canonical.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_read_back() {
        for normalizer in Normalizer::ALL {
            assert_eq!(Normalizer::parse(normalizer.name()), Some(normalizer));
        }
        assert_eq!(Normalizer::parse("Email"), None);
    }

    #[test]
    fn nothing_is_refused_as_empty() {
        for normalizer in Normalizer::ALL {
            for value in ["", " ", "\t\r\n", "\u{a0}\u{3000}", "\u{feff}", "\u{200b} "] {
                assert_eq!(normalizer.canonical(value, None), Err(Malformed::Empty));
            }
        }
    }

    #[test]
    fn control_characters_are_refused_inside_and_trimmed_outside() {
        for normalizer in Normalizer::ALL {
            for value in ["a\0b", "a\tb@example.com", "0612\u{7f}345678", "a\nb"] {
                assert_eq!(normalizer.canonical(value, None), Err(Malformed::ControlCharacter));
            }
        }
        assert_eq!(Normalizer::Exact.canonical("\tAb c\r\n", None).unwrap(), "Ab c");
    }

    #[test]
    fn length_is_checked_before_and_after() {
        let long = "a".repeat(MAX_BYTES + 1);
        for normalizer in Normalizer::ALL {
            assert_eq!(normalizer.canonical(&long, None), Err(Malformed::TooLong));
        }
        assert!(Normalizer::Exact.canonical(&long[1..], None).is_ok());
        // Each of these two bytes becomes three in lower case.
        let grows = "İ".repeat(MAX_BYTES / 2);
        assert_eq!(Normalizer::Lower.canonical(&grows, None), Err(Malformed::TooLong));
    }

    #[test]
    fn messages_and_hints_are_short_sentences() {
        for malformed in [Malformed::Empty, Malformed::EmailWithoutAt, Malformed::PhoneRegion] {
            assert!(malformed.to_string().len() < 60);
            assert!(malformed.hint().ends_with('.'));
        }
        assert_eq!(Malformed::EmailWithoutAt.to_string(), "e-mail address without @");
        assert!(Malformed::PhoneRegion.hint().contains("region"));
        assert!(Malformed::TooLong.to_string().contains(&MAX_BYTES.to_string()));
    }

    /// Text that gets past the first check of some normaliser more often than chance would.
    fn near_values() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>(),
            "\\PC{0,40}",
            "(mailto:)?[a-zA-ZİΣßé.+]{1,12}@[a-zA-Zéß。.-]{1,12}\\.(com|de|рф)",
            "[ a-zA-Z.+]{1,8}@(gmail|googlemail|outlook|proton)\\.(com|me)",
            "(tel:)?\\+?[0-9 ./()٠-٩-]{3,20}( ext [0-9]{1,3})?",
            "\\{?[0-9a-fA-F]{4}([0-9a-fA-F]{4}-?){7}\\}?",
            "(https?|HTTP|ftp)://[a-zA-Z0-9.:@é-]{1,20}[/?#a-z0-9%. é]{0,20}",
            "[0-9a-f:.]{2,30}(/[0-9]{1,3})?",
            "([0-9a-fA-F]{2}[:.-]?){6,8}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn canonical_is_idempotent(value in near_values()) {
            for normalizer in Normalizer::ALL {
                for region in [None, Region::parse("FR"), Region::parse("US")] {
                    if let Ok(once) = normalizer.canonical(&value, region) {
                        prop_assert!(!once.is_empty() && once.len() <= MAX_BYTES);
                        for again in [None, region] {
                            let twice = normalizer.canonical(&once, again);
                            prop_assert_eq!(twice.as_deref(), Ok(&*once), "{}", normalizer.name());
                            prop_assert!(matches!(twice, Ok(Cow::Borrowed(_))));
                        }
                    }
                }
            }
        }

        #[test]
        fn ends_do_not_matter(value in near_values()) {
            for normalizer in Normalizer::ALL {
                let padded = format!(" \u{feff}{value}\u{200b}\n");
                prop_assert_eq!(
                    normalizer.canonical(&padded, None),
                    normalizer.canonical(&value, None)
                );
            }
        }
    }
}
