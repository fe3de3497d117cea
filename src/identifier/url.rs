//! Web addresses (WHATWG URL Standard), for profile pages and OpenID subjects.

use std::borrow::Cow;

use ::url::Url;

use super::Malformed;

/// The address as a browser would send it: scheme and host in lower case, an internationalised
/// host in ASCII form, `.` and `..` resolved, no default port, and `/` where the path is empty.
/// The fragment is dropped, which only the browser sees; path and query keep their case.
pub(super) fn canonical(value: &str) -> Result<Cow<'_, str>, Malformed> {
    let mut url = Url::parse(value).map_err(|_| Malformed::Url)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Malformed::UrlScheme);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Malformed::UrlCredentials);
    }
    url.set_fragment(None);
    Ok(if url.as_str() == value { Cow::Borrowed(value) } else { Cow::Owned(url.into()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_address_are_one() {
        for (value, expected) in [
            ("HTTPS://Example.COM/Ann?Q=1#top", "https://example.com/Ann?Q=1"),
            ("https://example.com", "https://example.com/"),
            ("https://example.com:443/a/../b", "https://example.com/b"),
            ("http://example.com:8080/", "http://example.com:8080/"),
            ("https://bücher.example/é", "https://xn--bcher-kva.example/%C3%A9"),
        ] {
            assert_eq!(canonical(value).as_deref(), Ok(expected), "{value}");
        }
        assert!(matches!(canonical("https://example.com/ann"), Ok(Cow::Borrowed(_))));
    }

    #[test]
    fn other_urls_are_refused() {
        for (value, expected) in [
            ("example.com/ann", Malformed::Url),
            ("https://", Malformed::Url),
            ("https://exam ple.com", Malformed::Url),
            ("mailto:ann@example.com", Malformed::UrlScheme),
            ("javascript:alert(1)", Malformed::UrlScheme),
            ("ftp://example.com/", Malformed::UrlScheme),
            ("https://ann:secret@example.com/", Malformed::UrlCredentials),
        ] {
            assert_eq!(canonical(value), Err(expected), "{value}");
        }
    }
}
