//! The configuration the rule depends on, as the solver wants it: types by index, patterns
//! compiled, intervals turned into days.

use super::Day;
use super::weight::Decay;
use crate::identifier::{BlockList, Normalizer, Region};
use std::sync::Arc;

/// What an identifier is to a person; also the first criterion of strength (person strongest).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Certified: belongs to exactly one person.
    Person,
    /// Usually one person's, sometimes shared.
    Contact,
    /// Cookies, phones, tablets: carried, shared, sold.
    Device,
    /// A row of a keyed source.
    Record,
    /// Evidence only; never stored as an identifier and never linked.
    Network,
}

impl Role {
    /// Reads the word used in SQL.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "person" => Role::Person,
            "contact" => Role::Contact,
            "device" => Role::Device,
            "record" => Role::Record,
            "network" => Role::Network,
            _ => return None,
        })
    }

    /// Whether a sighting together with such an identifier shows that a device is still in use.
    pub fn names_a_person(self) -> bool {
        matches!(self, Role::Person | Role::Contact)
    }
}

/// What an identifier may join when it is the weaker end of an observed link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Joins {
    /// Any two groups.
    Any,
    /// Groups that do not both hold a person or contact identifier of one same type.
    Complementary,
    /// Groups of which at most one holds a person or contact identifier.
    Never,
}

impl Joins {
    /// Reads the word used in SQL.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "any" => Joins::Any,
            "complementary" => Joins::Complementary,
            "never" => Joins::Never,
            _ => return None,
        })
    }
}

/// Who usually uses a device of some device type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// One person.
    Personal,
    /// The people of a household.
    Household,
    /// Anybody: never anyone's.
    Public,
}

impl Sharing {
    /// Reads the word used in SQL.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "personal" => Sharing::Personal,
            "household" => Sharing::Household,
            "public" => Sharing::Public,
            _ => return None,
        })
    }
}

/// One row of `identifier_type`.
#[derive(Clone, Debug)]
pub struct IdentifierType {
    pub name: String,
    pub role: Role,
    pub normalizer: Normalizer,
    pub joins: Joins,
    /// More of these never share a profile.
    pub max_per_profile: Option<u32>,
    /// More distinct partners make an identifier too common.
    pub max_links: Option<u32>,
    /// Share of the evidence, in `0..=1`, below which a contested identifier is shared.
    pub owner_share: Option<f64>,
    /// Strength inside a role; 1 is strongest.
    pub priority: i32,
    /// Identifiers last seen before this day are expired.
    pub expired_before: Option<Day>,
}

/// One row of `device_type`. Its settings take the place of its identifier's type's.
#[derive(Clone, Debug)]
pub struct DeviceType {
    pub name: String,
    pub sharing: Sharing,
    pub owner_share: Option<f64>,
    pub expired_before: Option<Day>,
}

/// Everything the solver must know beside the graph.
#[derive(Clone, Debug)]
pub struct Rules {
    pub types: Vec<IdentifierType>,
    pub device_types: Vec<DeviceType>,
    pub decay: Decay,
    pub blocked: Arc<BlockList>,
    /// Issuers whose OpenID subjects are certified, sorted.
    pub certified_issuers: Vec<String>,
    /// Default region of phone numbers written without one.
    pub region: Option<Region>,
}

impl Rules {
    /// The index of the type called `name`.
    pub fn type_index(&self, name: &str) -> Option<u16> {
        self.types.iter().position(|t| t.name == name).map(|i| i as u16)
    }

    /// The index of the type that names rows.
    pub fn record_type(&self) -> Option<u16> {
        self.types.iter().position(|kind| kind.role == Role::Record).map(|i| i as u16)
    }

    /// The type with this index.
    pub fn type_of(&self, index: u16) -> &IdentifierType {
        &self.types[usize::from(index)]
    }

    /// The role of the identifier `value` of type `index`: its type's, save that an OpenID subject
    /// of a provider that is not certified is only a contact.
    pub fn role_of(&self, index: u16, value: &str) -> Role {
        let kind = self.type_of(index);
        if kind.normalizer == Normalizer::Openid && kind.role == Role::Person {
            let issuer = value.split_once('|').map_or(value, |(issuer, _)| issuer);
            if self.certified_issuers.binary_search_by(|known| known.as_str().cmp(issuer)).is_err() {
                return Role::Contact;
            }
        }
        kind.role
    }

    /// The day before which an identifier of type `index` (a device of the device type of that name)
    /// must have been in use last to be expired.
    pub fn expired_before(&self, index: u16, device_type: Option<&str>) -> Option<Day> {
        let device = match self.type_of(index).role {
            Role::Device => device_type.and_then(|name| self.device_type(name)),
            _ => None,
        };
        device.and_then(|device| device.expired_before).or(self.type_of(index).expired_before)
    }

    /// These rules, with the days before which something is expired of `newer` ones.
    pub fn as_of(&self, newer: &Rules) -> Rules {
        let mut rules = self.clone();
        for kind in &mut rules.types {
            let other = newer.types.iter().find(|other| other.name == kind.name);
            kind.expired_before = other.map_or(kind.expired_before, |other| other.expired_before);
        }
        for device in &mut rules.device_types {
            let other = newer.device_type(&device.name);
            device.expired_before = other.map_or(device.expired_before, |other| other.expired_before);
        }
        rules
    }

    /// The day from which on whatever was in use is not expired; `None` if nothing ever expires.
    pub fn first_unexpired(&self) -> Option<Day> {
        let of_types = self.types.iter().filter_map(|kind| kind.expired_before);
        of_types.chain(self.device_types.iter().filter_map(|device| device.expired_before)).max()
    }

    /// The settings of the device type called `name`, if it is a known one.
    pub fn device_type(&self, name: &str) -> Option<&DeviceType> {
        self.device_types.iter().find(|d| d.name == name)
    }
}
