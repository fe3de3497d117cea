//! E-mail addresses: RFC 5321 mailboxes, with RFC 6531 local parts and internationalised domains.
//!
//! The local part is compared without case, although RFC 5321 leaves that to the receiving host:
//! no provider of note tells `Ann@` from `ann@`, and forms are filled in both ways.

use std::borrow::Cow;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

use super::{Malformed, is_invisible, lower, without_scheme};

/// RFC 5321, section 4.5.3.1.1.
const MAX_LOCAL_BYTES: usize = 64;

/// The address in lower case, its domain in ASCII form. A leading `mailto:` (RFC 6068) is dropped.
pub(super) fn canonical(value: &str) -> Result<Cow<'_, str>, Malformed> {
    let address = without_scheme(value, "mailto:");
    Ok(match split(address)? {
        (Cow::Borrowed(_), Cow::Borrowed(_)) => Cow::Borrowed(address),
        (local, domain) => Cow::Owned(format!("{local}@{domain}")),
    })
}

/// The canonical local part and domain, each borrowed where `address` has it so.
fn split(address: &str) -> Result<(Cow<'_, str>, Cow<'_, str>), Malformed> {
    let (local, domain) = address.rsplit_once('@').ok_or(Malformed::EmailWithoutAt)?;
    if local.contains('@') {
        return Err(Malformed::EmailManyAts);
    }
    Ok((canonical_local(local)?, canonical_domain(domain)?))
}

fn canonical_local(local: &str) -> Result<Cow<'_, str>, Malformed> {
    let local = lower::canonical(local);
    if !(1..=MAX_LOCAL_BYTES).contains(&local.len()) || !local.chars().all(is_unquoted) {
        return Err(Malformed::EmailLocalPart);
    }
    Ok(local)
}

/// Whether a local part may hold `c` without quotes: RFC 5322 `atext`, RFC 6532 `UTF8-non-ascii`
/// that one can see, and the dot. Dots may stand anywhere; some Japanese carriers have handed out
/// addresses like `a..b.@docomo.ne.jp`.
fn is_unquoted(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_alphanumeric() || ".!#$%&'*+-/=?^_`{|}~".contains(c)
    } else {
        !(c.is_whitespace() || c.is_control() || is_invisible(c))
    }
}

/// The domain in its ASCII form (UTS 46, non-transitional, with STD 3 rules and the lengths of
/// RFC 1035). It needs a dot, and a last label that is not a number: so it is no IP address.
fn canonical_domain(domain: &str) -> Result<Cow<'_, str>, Malformed> {
    let domain = Uts46::new()
        .to_ascii(domain.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Verify)
        .map_err(|_| Malformed::EmailDomain)?;
    match domain.rsplit_once('.') {
        Some((_, top)) if !top.bytes().all(|byte| byte.is_ascii_digit()) => Ok(domain),
        _ => Err(Malformed::EmailDomain),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_address_are_one() {
        for (value, expected) in [
            ("ann@example.com", "ann@example.com"),
            ("Ann@Example.COM", "ann@example.com"),
            ("mailto:ann@example.com", "ann@example.com"),
            ("MAILTO: Ann@example.com", "ann@example.com"),
            ("a.b+tag@gmail.com", "a.b+tag@gmail.com"),
            ("o'brien@example.ie", "o'brien@example.ie"),
            ("a..b.@docomo.ne.jp", "a..b.@docomo.ne.jp"),
            ("ÉLODIE@example.fr", "élodie@example.fr"),
            ("ann@bücher.example", "ann@xn--bcher-kva.example"),
            ("ann@BÜCHER.example", "ann@xn--bcher-kva.example"),
            ("ann@XN--BCHER-KVA.example", "ann@xn--bcher-kva.example"),
            ("ann@例え。jp", "ann@xn--r8jz45g.jp"),
            ("ann@faß.de", "ann@xn--fa-hia.de"),
        ] {
            assert_eq!(canonical(value).as_deref(), Ok(expected), "{value}");
        }
    }

    #[test]
    fn a_canonical_address_is_borrowed() {
        for value in ["ann@example.com", "élodie@xn--bcher-kva.example", "mailto:a@b.co"] {
            assert!(matches!(canonical(value), Ok(Cow::Borrowed(_))), "{value}");
        }
    }

    #[test]
    fn what_cannot_be_delivered_is_refused() {
        let long_local = format!("{}@example.com", "a".repeat(65));
        let long_label = format!("ann@{}.com", "a".repeat(64));
        let long_domain = format!("ann@{}com", "a.".repeat(126));
        for (value, expected) in [
            ("ann", Malformed::EmailWithoutAt),
            ("ann＠example.com", Malformed::EmailWithoutAt),
            ("ann@example.com, bob@example.com", Malformed::EmailManyAts),
            ("\"a@b\"@example.com", Malformed::EmailManyAts),
            ("@example.com", Malformed::EmailLocalPart),
            ("mailto:@example.com", Malformed::EmailLocalPart),
            ("mailto:mailto:ann@example.com", Malformed::EmailLocalPart),
            ("Ann <ann@example.com", Malformed::EmailLocalPart),
            ("\"ann lee\"@example.com", Malformed::EmailLocalPart),
            ("an\u{200b}n@example.com", Malformed::EmailLocalPart),
            ("an\u{a0}n@example.com", Malformed::EmailLocalPart),
            (&long_local, Malformed::EmailLocalPart),
            ("ann@", Malformed::EmailDomain),
            ("ann@localhost", Malformed::EmailDomain),
            ("ann@example.com.", Malformed::EmailDomain),
            ("ann@example.com>", Malformed::EmailDomain),
            ("ann@exam ple.com", Malformed::EmailDomain),
            ("ann@example..com", Malformed::EmailDomain),
            ("ann@.com", Malformed::EmailDomain),
            ("ann@-example.com", Malformed::EmailDomain),
            ("ann@exam_ple.com", Malformed::EmailDomain),
            ("ann@192.0.2.1", Malformed::EmailDomain),
            ("ann@example.123", Malformed::EmailDomain),
            ("ann@[192.0.2.1]", Malformed::EmailDomain),
            ("ann@xn--0.example", Malformed::EmailDomain),
            (&long_label, Malformed::EmailDomain),
            (&long_domain, Malformed::EmailDomain),
        ] {
            assert_eq!(canonical(value), Err(expected), "{value}");
        }
    }
}
