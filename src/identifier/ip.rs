//! IP addresses.

use std::borrow::Cow;
use std::net::IpAddr;

use super::{Malformed, shown};

/// The address in the form of RFC 5952 (IPv6) or dotted decimal (IPv4). An IPv4 address mapped
/// into IPv6 (`::ffff:192.0.2.1`, RFC 4291) becomes the IPv4 address it is, and the prefix length
/// of a single host, which `inet` may print, is dropped.
pub(super) fn canonical(value: &str) -> Result<Cow<'_, str>, Malformed> {
    let (address, prefix_length) = match value.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (value, None),
    };
    if address.contains('%') {
        return Err(Malformed::IpZone);
    }
    let ip: IpAddr = address.parse().map_err(|_| Malformed::Ip)?;
    match (ip, prefix_length) {
        (_, None) | (IpAddr::V4(_), Some("32")) | (IpAddr::V6(_), Some("128")) => {
            Ok(shown(value, ip.to_canonical()))
        }
        _ => Err(Malformed::IpNetwork),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_address_are_one() {
        for (value, expected) in [
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1/32", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("::FFFF:C000:0201/128", "192.0.2.1"),
            ("2001:0DB8:0:0:0:0:0:1", "2001:db8::1"),
            ("2001:db8::1/128", "2001:db8::1"),
        ] {
            assert_eq!(canonical(value).as_deref(), Ok(expected), "{value}");
        }
        for value in ["192.0.2.1", "2001:db8::1"] {
            assert!(matches!(canonical(value), Ok(Cow::Borrowed(_))));
        }
    }

    #[test]
    fn what_is_not_one_address_is_refused() {
        for (value, expected) in [
            ("192.0.2", Malformed::Ip),
            ("192.0.2.256", Malformed::Ip),
            ("192.0.2.01", Malformed::Ip),
            ("192.0.2.1:80", Malformed::Ip),
            ("[2001:db8::1]", Malformed::Ip),
            ("fe80::1%eth0", Malformed::IpZone),
            ("192.0.2.0/24", Malformed::IpNetwork),
            ("::ffff:192.0.2.1/32", Malformed::IpNetwork),
            ("192.0.2.1/", Malformed::IpNetwork),
        ] {
            assert_eq!(canonical(value), Err(expected), "{value}");
        }
    }
}
