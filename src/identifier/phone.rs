//! Phone numbers: ITU-T E.164, by the numbering plans that Google's libphonenumber keeps.
//!
//! The plans take a few milliseconds to load and those of a country a few more to compile, once a
//! process, when a first number of that country is read.

use std::borrow::Cow;

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat};

use super::digits::{decimal_digit, is_separator};
use super::{Malformed, Region, without_scheme};

/// The number in E.164 form, `+33612345678`, if a numbering plan assigns it.
///
/// A number with a country code is read alike in every region, one without is read as dialled in
/// `region`. A leading `tel:` (RFC 3966) is dropped. An extension is refused rather than dropped:
/// the number without it is the switchboard's, which the whole company shares.
pub(super) fn canonical(value: &str, region: Option<Region>) -> Result<Cow<'_, str>, Malformed> {
    let number = without_scheme(value, "tel:");
    let keys = Keys::of(number)?;
    let region =
        if keys.start_with_plus() { None } else { Some(region.ok_or(Malformed::PhoneRegion)?.into()) };
    let phone = PHONE_NUMBER_UTIL.parse(keys.as_str(), region).map_err(|_| Malformed::PhoneInvalid)?;
    if !PHONE_NUMBER_UTIL.is_valid_number(&phone) {
        return Err(Malformed::PhoneInvalid);
    }
    let e164 = PHONE_NUMBER_UTIL.format(&phone, PhoneNumberFormat::E164);
    if e164 == number {
        return Ok(Cow::Borrowed(number));
    }
    // A few numbers have no E.164 form that is read as themselves: 0 8109051536 in Belarus gives
    // +3758109051536, where the plan takes the 8 for a prefix.
    if e164 != keys.as_str() && PHONE_NUMBER_UTIL.parse(&e164, None).as_ref() != Ok(&phone) {
        return Err(Malformed::PhoneInvalid);
    }
    Ok(Cow::Owned(e164.into_owned()))
}

/// More keys than any number takes: 15 digits (E.164) after a prefix to dial abroad and one for
/// the carrier.
const MAX_KEYS: usize = 32;

/// The keys one presses to dial a number: digits, after a plus where there is one.
struct Keys {
    ascii: [u8; MAX_KEYS],
    len: usize,
}

impl Keys {
    fn of(number: &str) -> Result<Self, Malformed> {
        let mut keys = Self { ascii: [0; MAX_KEYS], len: 0 };
        let mut rest = number.chars();
        loop {
            let unread = rest.as_str();
            let Some(c) = rest.next() else {
                return Ok(keys);
            };
            match decimal_digit(c) {
                Some(digit) => keys.push(digit)?,
                None if matches!(c, '+' | '＋') && keys.len == 0 => keys.push(b'+')?,
                None if is_separator(c) => {}
                None if is_extension(unread) => return Err(Malformed::PhoneExtension),
                None => return Err(Malformed::PhoneCharacter),
            }
        }
    }

    fn push(&mut self, key: u8) -> Result<(), Malformed> {
        *self.ascii.get_mut(self.len).ok_or(Malformed::PhoneInvalid)? = key;
        self.len += 1;
        Ok(())
    }

    fn start_with_plus(&self) -> bool {
        self.ascii[0] == b'+'
    }

    fn as_str(&self) -> &str {
        str::from_utf8(&self.ascii[..self.len]).unwrap_or_default()
    }
}

/// Whether `text`, the end of a value, is an extension such as `x12`, `ext. 12` or `;ext=12`.
fn is_extension(text: &str) -> bool {
    let text = text.to_lowercase();
    let marks = [";ext=", "extension", "extn", "ext", "x", "#"];
    marks.iter().find_map(|mark| text.strip_prefix(mark)).is_some_and(|number| {
        number.contains(|c| decimal_digit(c).is_some())
            && number.chars().all(|c| c == ':' || is_separator(c) || decimal_digit(c).is_some())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::select;
    use rlibphonenumber::PhoneNumberType;

    fn in_region(value: &str, region: &str) -> Result<String, Malformed> {
        canonical(value, Region::parse(region)).map(Cow::into_owned)
    }

    #[test]
    fn international_numbers_need_no_region() {
        for (value, expected) in [
            ("+33612345678", "+33612345678"),
            ("+33 6 12 34 56 78", "+33612345678"),
            ("+33 (0)6.12.34.56.78", "+33612345678"),
            ("(+33) 6-12-34-56-78", "+33612345678"),
            ("tel:+33-6-12-34-56-78", "+33612345678"),
            ("＋３３ ６１２３４５６７８", "+33612345678"),
            ("\u{202a}+33 6\u{a0}12\u{a0}34\u{a0}56\u{a0}78\u{202c}", "+33612345678"),
            ("+39 06 698 12345", "+390669812345"),
            ("+1 (415) 555-2671", "+14155552671"),
            ("+7 800 123-45-67", "+78001234567"),
        ] {
            for region in ["", "FR", "US"] {
                assert_eq!(in_region(value, region).as_deref(), Ok(expected), "{value} {region}");
            }
        }
        assert!(matches!(canonical("+33612345678", None), Ok(Cow::Borrowed(_))));
    }

    #[test]
    fn national_numbers_are_read_in_their_region() {
        for (value, region, expected) in [
            ("06 12 34 56 78", "FR", "+33612345678"),
            ("0033 6 12 34 56 78", "FR", "+33612345678"),
            ("011 33 6 12 34 56 78", "US", "+33612345678"),
            ("33612345678", "FR", "+33612345678"),
            ("(415) 555-2671", "US", "+14155552671"),
            ("06 698 12345", "IT", "+390669812345"),
            ("٠٥٠ ١٢٣ ٤٥٦٧", "AE", "+971501234567"),
        ] {
            assert_eq!(in_region(value, region).as_deref(), Ok(expected), "{value} {region}");
        }
        assert_eq!(canonical("06 12 34 56 78", None), Err(Malformed::PhoneRegion));
        assert_eq!(canonical("0033612345678", None), Err(Malformed::PhoneRegion));
    }

    #[test]
    fn what_cannot_be_dialled_is_refused() {
        for (value, expected) in [
            ("+33 1 23 45 67 89 ext. 12", Malformed::PhoneExtension),
            ("+33123456789x12", Malformed::PhoneExtension),
            ("+33123456789 #12", Malformed::PhoneExtension),
            ("tel:+33-1-23-45-67-89;ext=12", Malformed::PhoneExtension),
            ("06xxxxxx78", Malformed::PhoneCharacter),
            ("0612345678 (Ann)", Malformed::PhoneCharacter),
            ("1-800-FLOWERS", Malformed::PhoneCharacter),
            ("ann@example.com", Malformed::PhoneCharacter),
            ("33+612345678", Malformed::PhoneCharacter),
            ("++33612345678", Malformed::PhoneCharacter),
            ("06 12 34 56 78 / 06 12 34 56 79", Malformed::PhoneInvalid),
            ("+33", Malformed::PhoneInvalid),
            ("+", Malformed::PhoneInvalid),
            ("-", Malformed::PhoneInvalid),
            ("0", Malformed::PhoneInvalid),
            ("12", Malformed::PhoneInvalid),
            ("+999 123 456 789", Malformed::PhoneInvalid),
            ("+33 0 00 00 00 00", Malformed::PhoneInvalid),
            ("+33 6 12 34 56 7", Malformed::PhoneInvalid),
            ("+972 331427649780", Malformed::PhoneInvalid),
            ("000000000000000000000000000000000000", Malformed::PhoneInvalid),
        ] {
            assert_eq!(in_region(value, "FR"), Err(expected), "{value}");
        }
    }

    #[test]
    fn every_region_reads_its_own_numbers_and_keeps_them() {
        let kinds = [
            PhoneNumberType::Mobile,
            PhoneNumberType::FixedLine,
            PhoneNumberType::TollFree,
            PhoneNumberType::VoIP,
        ];
        let mut read = 0;
        for code in PHONE_NUMBER_UTIL.get_supported_regions() {
            let region = Region::parse(&code.to_string());
            for kind in kinds {
                let Ok(example) = PHONE_NUMBER_UTIL.get_example_number_for_type_and_region(code, kind)
                else {
                    continue;
                };
                let e164 = PHONE_NUMBER_UTIL.format(&example, PhoneNumberFormat::E164);
                assert!(matches!(canonical(&e164, None), Ok(Cow::Borrowed(_))), "{e164}");
                let national = PHONE_NUMBER_UTIL.format(&example, PhoneNumberFormat::National);
                assert_eq!(canonical(&national, region).as_deref(), Ok(&*e164), "{code:?}");
                read += 1;
            }
        }
        assert!(read > 700, "{read}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5000))]

        #[test]
        fn what_is_read_is_read_again_as_itself(
            code in select(vec!["AR", "BR", "BY", "DE", "FR", "IT", "MX", "RU", "US"]),
            dialled in "(0|00|1|8|011)?[0-9]{6,13}",
        ) {
            if let Ok(e164) = in_region(&dialled, code) {
                for region in ["", code, "GB"] {
                    prop_assert_eq!(in_region(&e164, region), Ok(e164.clone()));
                }
            }
        }
    }
}
