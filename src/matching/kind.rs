//! What a field holds, and so how its values are written and compared: told by the trait's name where
//! that is known, else by the values.

use super::text::fold;
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

/// Trait names whose kind is known: in English, French, German, Spanish, Italian and Dutch.
const KNOWN: [(&str, Kind); 13] = [
    (
        "first_name given_name forename firstname middle_name second_name patronymic \
         prenom vorname nombre nome voornaam",
        Kind::GivenName,
    ),
    (
        "last_name surname family_name lastname maiden_name birth_name \
         nom nom_de_famille nachname familienname apellido apellidos cognome achternaam",
        Kind::FamilyName,
    ),
    ("full_name fullname name person_name display_name", Kind::FullName),
    (
        "birth_date date_of_birth dob birthdate birthday \
         date_de_naissance date_naissance geburtsdatum fecha_de_nacimiento fecha_nacimiento \
         data_di_nascita geboortedatum",
        Kind::Date,
    ),
    ("email e_mail mail email_address e_mail_address", Kind::Email),
    (
        "phone phone_number mobile telephone mobile_phone home_phone \
         telephone_number mobile_number cell_phone telefon telefono telefoon mobil",
        Kind::Phone,
    ),
    (
        "national_id ssn soc_sec_id social_security_number tax_id passport passport_number nhs_number",
        Kind::Id,
    ),
    (
        "postal_code postcode post_code zip zip_code zipcode code_postal plz postleitzahl codigo_postal",
        Kind::PostalCode,
    ),
    (
        "street street_address street_name address city suburb town company \
         rue adresse ville strasse ort stadt wohnort calle direccion ciudad indirizzo citta straat \
         woonplaats",
        Kind::Text,
    ),
    ("profession occupation job job_title employer", Kind::Text),
    ("gender sex title salutation sexe civilite geschlecht anrede sexo", Kind::Gender),
    ("state country region pays land pais", Kind::Category),
    ("birth_year age year_of_birth", Kind::Number),
];

/// Known names that mean something else at the end of a longer one, such as `company_name`.
const ALONE: [&str; 10] =
    ["name", "nome", "title", "address", "mail", "state", "region", "land", "ort", "age"];

/// A name as words in lower case, joined by `_`, without the number of one of several: `LastName` and
/// `last name 2` are `last_name`.
fn words(name: &str) -> String {
    let mut spaced = String::with_capacity(name.len() + 4);
    let mut after_lower = false;
    for c in name.chars() {
        if c.is_uppercase() && after_lower {
            spaced.push(' ');
        }
        after_lower = c.is_lowercase();
        spaced.push(c);
    }
    let folded = fold(&spaced);
    folded.trim_end_matches(|c: char| c.is_ascii_digit() || c == ' ').replace(' ', "_")
}

impl Kind {
    /// The kind that the name of a trait tells: all of it, or its last words.
    pub fn of_trait(name: &str) -> Option<Self> {
        let name = words(name);
        let known = |name: &str| {
            KNOWN
                .iter()
                .find(|(names, _)| names.split(' ').any(|known| known == name))
                .map(|known| known.1)
        };
        let ends = name.match_indices('_').map(|(at, _)| &name[at + 1..]);
        known(&name).or_else(|| ends.filter(|end| !ALONE.contains(end)).find_map(known))
    }

    /// The kind that values tell: `values` are some of the field's, `distinct` of all `filled` ones.
    pub fn of_values<'v>(values: impl Iterator<Item = &'v str>, distinct: usize, filled: usize) -> Self {
        let (mut all, mut dates, mut emails, mut numbers, mut digits) = (0, 0, 0, 0, 0);
        let mut places = 0;
        for value in values.filter(|value| !super::text::is_void(value)) {
            all += 1;
            dates += usize::from(super::value::Ymd::parse(value, false).is_some());
            emails += usize::from(value.contains('@'));
            numbers += usize::from(value.trim().parse::<f64>().is_ok());
            places += usize::from(super::value::location(value).is_some());
            digits += usize::from(value.bytes().filter(u8::is_ascii_digit).count() * 2 > value.len());
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
        } else {
            Kind::Text
        }
    }

    /// Whether people of one household share the value.
    pub fn is_of_household(self) -> bool {
        matches!(self, Kind::FamilyName | Kind::PostalCode | Kind::Text | Kind::Location)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_by_whole_words() {
        for (name, kind) in [
            ("last_name", Some(Kind::FamilyName)),
            ("LastName", Some(Kind::FamilyName)),
            ("customer_last_name", Some(Kind::FamilyName)),
            ("billingPostalCode", Some(Kind::PostalCode)),
            ("phone2", Some(Kind::Phone)),
            ("address_1", Some(Kind::Text)),
            ("Prénom", Some(Kind::GivenName)),
            ("name", Some(Kind::FullName)),
            ("profession", Some(Kind::Text)),
            ("job_title", Some(Kind::Text)),
            ("company_name", None),
            ("username", None),
            ("email_opt_in", None),
            ("marital_status", None),
            ("voltage", None),
            ("42", None),
        ] {
            assert_eq!(Kind::of_trait(name), kind, "{name}");
        }
    }

    #[test]
    fn single_words_are_no_family_names() {
        let values = ["baker", "teacher", "nurse", "driver"];
        assert_eq!(Kind::of_values(values.into_iter(), 4, 4), Kind::Text);
    }
}
