//! Hardware addresses: IEEE EUI-48 (Wi-Fi access points, network cards) and EUI-64.

use std::borrow::Cow;
use std::fmt;

use super::{Malformed, shown};

/// The lower-case colon form, of the length given: an EUI-48 is not widened to an EUI-64.
pub(super) fn canonical(value: &str) -> Result<Cow<'_, str>, Malformed> {
    let address = Eui::parse(value).ok_or(Malformed::Mac)?;
    Ok(shown(value, address))
}

struct Eui {
    octets: [u8; 8],
    len: usize,
}

impl Eui {
    /// 12 or 16 hexadecimal digits, one kind of separator allowed between octets: `:`, `-` or `.`,
    /// so `00:1a:2b:3c:4d:5e`, `001A-2B3C-4D5E`, `001a.2b3c.4d5e`, `001a2b:3c4d5e` and
    /// `001a2b3c4d5e` are all read, as by PostgreSQL's `macaddr`.
    fn parse(text: &str) -> Option<Self> {
        let mut octets = [0; 8];
        let mut digits = 0;
        let mut separator = None;
        let mut octet_ended = false;
        for c in text.chars() {
            if let ':' | '-' | '.' = c {
                if !octet_ended || *separator.get_or_insert(c) != c {
                    return None;
                }
                octet_ended = false;
                continue;
            }
            let octet = octets.get_mut(digits / 2)?;
            *octet = *octet << 4 | u8::try_from(c.to_digit(16)?).ok()?;
            digits += 1;
            octet_ended = digits % 2 == 0;
        }
        (octet_ended && matches!(digits, 12 | 16)).then_some(Self { octets, len: digits / 2 })
    }
}

impl fmt::Display for Eui {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, octet) in self.octets[..self.len].iter().enumerate() {
            let colon = if position == 0 { "" } else { ":" };
            write!(f, "{colon}{octet:02x}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notations_of_one_address_are_one() {
        for value in
            ["00:1a:2b:3c:4d:5e", "00-1A-2B-3C-4D-5E", "001a.2b3c.4d5e", "001a2b-3c4d5e", "001A2B3C4D5E"]
        {
            assert_eq!(canonical(value).as_deref(), Ok("00:1a:2b:3c:4d:5e"), "{value}");
        }
        assert_eq!(canonical("001A.2B3C.4D5E.6F70").as_deref(), Ok("00:1a:2b:3c:4d:5e:6f:70"));
        assert!(matches!(canonical("00:1a:2b:3c:4d:5e"), Ok(Cow::Borrowed(_))));
    }

    #[test]
    fn other_text_is_refused() {
        for value in [
            "00:1a:2b:3c:4d",
            "00:1a:2b:3c:4d:5e:6f",
            "00:1a:2b:3c:4d:5e:6f:70:81",
            "00:1a-2b:3c-4d:5e",
            "0:1a:2b:3c:4d:5e",
            "00::1a:2b:3c:4d:5e",
            ":001a2b3c4d5e",
            "001a2b3c4d5e:",
            "00:1a:2b:3c:4d:5g",
            "00 1a 2b 3c 4d 5e",
        ] {
            assert_eq!(canonical(value), Err(Malformed::Mac), "{value}");
        }
    }
}
