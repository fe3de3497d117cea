//! E-mail addresses by mailbox: spellings that one provider delivers to one mailbox become one.
//!
//! Gmail ignores dots and both its domains are one (support.google.com/mail/answer/7436150); it
//! and the others ignore what follows a plus. Nothing is known of other domains, and there an
//! address stays as it is: on a host of one's own `a+b@` may be another person than `a@`.

use std::borrow::Cow;

use super::{Malformed, email};

/// The canonical address with the provider's rules applied.
pub(super) fn canonical(value: &str) -> Result<Cow<'_, str>, Malformed> {
    let address = email::canonical(value)?;
    match mailbox(&address)? {
        Some(mailbox) if mailbox != address => Ok(Cow::Owned(mailbox)),
        _ => Ok(address),
    }
}

/// The address of the mailbox that `address` reaches, where the provider's rules are known.
fn mailbox(address: &str) -> Result<Option<String>, Malformed> {
    let Some((local, domain)) = address.rsplit_once('@') else {
        return Ok(None);
    };
    let untagged = local.split_once('+').map_or(local, |(name, _tag)| name);
    let (name, domain) = match domain {
        "gmail.com" | "googlemail.com" => (Cow::Owned(untagged.replace('.', "")), "gmail.com"),
        "outlook.com" | "hotmail.com" | "live.com" | "icloud.com" | "fastmail.com" | "proton.me"
        | "protonmail.com" => (Cow::Borrowed(untagged), domain),
        _ => return Ok(None),
    };
    if name.is_empty() {
        return Err(Malformed::EmailLocalPart);
    }
    Ok(Some(format!("{name}@{domain}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mailbox_is_one_address() {
        for (value, expected) in [
            ("A.n.n+news@GoogleMail.com", "ann@gmail.com"),
            ("ann@gmail.com", "ann@gmail.com"),
            ("a.nn+x+y@outlook.com", "a.nn@outlook.com"),
            ("ann+x@proton.me", "ann@proton.me"),
            ("ann+x@protonmail.com", "ann@protonmail.com"),
            ("a.nn+x@example.com", "a.nn+x@example.com"),
            ("a.nn+x@mail.gmail.com", "a.nn+x@mail.gmail.com"),
        ] {
            assert_eq!(canonical(value).as_deref(), Ok(expected), "{value}");
        }
    }

    #[test]
    fn a_tag_alone_is_refused() {
        for value in ["+tag@gmail.com", "..@gmail.com", "+@icloud.com"] {
            assert_eq!(canonical(value), Err(Malformed::EmailLocalPart), "{value}");
        }
    }
}
