//! What a field holds, and so how its values are written and compared: told by the trait's name where
//! that is known, else by the values.

use serde::{Deserialize, Serialize};

/// What the values of a field are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    GivenName,
    FamilyName,
    FullName,
    Date,
    Email,
    Phone,
    /// A number that names a person, a policy, a household: digits and letters.
    Id,
    PostalCode,
    /// Words, such as a street or a company.
    Text,
    Gender,
    /// One of few, such as a state; it is equal or it is not.
    Category,
    Number,
    /// Latitude and longitude in degrees, as `48.85,2.35`.
    Location,
    /// Words in no order.
    Set,
}

/// Trait names whose kind is known, and other names in use for them.
const KNOWN: [(&[&str], Kind); 12] = [
    (
        &[
            "first_name",
            "given_name",
            "forename",
            "firstname",
            "middle_name",
            "second_name",
            "patronymic",
        ],
        Kind::GivenName,
    ),
    (
        &["last_name", "surname", "family_name", "lastname", "maiden_name", "birth_name"],
        Kind::FamilyName,
    ),
    (&["full_name", "name", "person_name", "display_name"], Kind::FullName),
    (&["birth_date", "date_of_birth", "dob", "birthdate", "birthday"], Kind::Date),
    (&["email", "e_mail", "mail", "email_address"], Kind::Email),
    (&["phone", "phone_number", "mobile", "telephone", "mobile_phone", "home_phone"], Kind::Phone),
    (
        &[
            "national_id",
            "ssn",
            "soc_sec_id",
            "social_security_number",
            "tax_id",
            "passport",
            "nhs_number",
        ],
        Kind::Id,
    ),
    (&["postal_code", "postcode", "zip", "zip_code", "zipcode"], Kind::PostalCode),
    (
        &[
            "street",
            "street_address",
            "address",
            "address_1",
            "address_2",
            "city",
            "suburb",
            "town",
            "company",
        ],
        Kind::Text,
    ),
    (&["gender", "sex", "title", "salutation"], Kind::Gender),
    (&["state", "country", "region"], Kind::Category),
    (&["birth_year", "age", "year_of_birth"], Kind::Number),
];

impl Kind {
    /// The kind that the name of a trait tells.
    pub fn of_trait(name: &str) -> Option<Self> {
        KNOWN.iter().find(|(names, _)| names.contains(&name)).map(|&(_, kind)| kind)
    }

    /// The kind that values tell: `values` are some of the field's, `distinct` of all `filled` ones.
    pub fn of_values<'v>(values: impl Iterator<Item = &'v str>, distinct: usize, filled: usize) -> Self {
        let (mut all, mut dates, mut emails, mut numbers, mut digits, mut words) =
            (0, 0, 0, 0, 0, 0usize);
        let mut places = 0;
        for value in values.filter(|value| !super::text::is_void(value)) {
            all += 1;
            dates += usize::from(super::value::Ymd::parse(value, false).is_some());
            emails += usize::from(value.contains('@'));
            numbers += usize::from(value.trim().parse::<f64>().is_ok());
            places += usize::from(super::value::location(value).is_some());
            digits += usize::from(value.bytes().filter(u8::is_ascii_digit).count() * 2 > value.len());
            words += value.split_whitespace().count();
        }
        let most = |count: usize| all > 0 && count * 10 >= all * 9;
        if most(emails) {
            Kind::Email
        } else if most(places) {
            Kind::Location
        } else if most(dates) {
            Kind::Date
        } else if distinct <= 60 && distinct * 20 <= filled {
            Kind::Category
        } else if most(numbers) && distinct * 2 < filled && distinct <= 2000 {
            Kind::Number
        } else if most(digits) {
            Kind::Id
        } else if words * 2 > all * 3 {
            Kind::Text
        } else {
            Kind::FamilyName
        }
    }

    /// Whether people of one household share the value.
    pub fn is_of_household(self) -> bool {
        matches!(self, Kind::FamilyName | Kind::PostalCode | Kind::Text | Kind::Location)
    }
}
