//! One sighting: into the evidence, through the rule, and out as the profile it belongs to.

use super::history::{Kind, Operation};
use super::{live, spi};
use crate::error::{Error, shown};
use crate::graph::rules::{Role, Rules};
use crate::graph::{Day, Graph};
use crate::source::sighting::{Observer, Sighting, Value};
use rustc_hash::FxHashSet;
use serde_json::{Map, Value as Json};
use uuid::Uuid;

/// How the identifiers of a sighting are written.
pub const EXAMPLE: &str = "'{\"email\": \"ann@example.com\", \"cookie\": [\"c1\", \"c2\"]}'";

/// What one sighting may name. A table has no more columns either.
const MOST_IDENTIFIERS: usize = 1000;

/// Counts one sighting, keeps the traits with its strongest identifier, and returns whose it is:
/// the profile of its strongest identifier that has one.
pub fn identify(
    identifiers: &Map<String, Json>,
    day: Day,
    channel: Option<&str>,
    device_type: Option<&str>,
    traits: &Map<String, Json>,
) -> Result<Option<Uuid>, Error> {
    let configuration = live::begin()?;
    let rules = &configuration.rules;
    let values = values(identifiers, rules)?;
    if values.len() > MOST_IDENTIFIERS {
        return Err(Error::TooMany { found: values.len(), most: MOST_IDENTIFIERS });
    }
    let plain = |text| Value { text, column: usize::MAX };
    let sighting = Sighting {
        day,
        channel: channel.map(plain),
        device_type: device_type.map(plain),
        region: rules.region,
        identifiers: values
            .iter()
            .enumerate()
            .map(|(column, (kind, text))| (*kind, Value { text, column }))
            .collect(),
    };
    let mut left_out = Vec::new();
    let mut seen: Vec<u32> = Vec::new();
    let mut observe = || {
        let mut graph = Graph::default();
        let mut observer = Observer::new(rules, 0);
        left_out.clear();
        observer.observe(&mut graph, &sighting, 1, |value, reason| {
            let what =
                values.get(value.column).map_or("", |&(kind, _)| rules.type_of(kind).name.as_str());
            left_out.push(format!("{what} \"{}\": {reason}", shown(value.text)));
        });
        seen = observer.identifiers().collect();
        graph
    };
    let mut operation = Operation::new(Kind::Observe);
    let changes =
        live::apply(&configuration, &mut operation, FxHashSet::default(), false, &mut observe)?;
    let Some(changes) = changes else { return Err(Error::NoIdentifier { left_out }) };
    seen.sort_by(|&x, &y| changes.by_strength(rules, x, y));
    keep_traits(changes.text(seen[0]), day, traits);
    Ok(seen.iter().find_map(|&number| changes.profile(number)))
}

/// Keeps traits with the identifier they were told of, unless newer ones are known.
fn keep_traits(identifier: &str, day: Day, traits: &Map<String, Json>) {
    for (name, value) in traits.iter().filter(|(_, value)| !value.is_null()) {
        spi::run(
            "INSERT INTO identity_resolve.trait AS t (identifier, name, value, seen_on)
             SELECT i.id, $2, $3::jsonb, '1970-01-01'::date + $4
             FROM identity_resolve.identifier AS i WHERE i.identifier = $1
             ON CONFLICT (identifier, name) DO UPDATE
             SET value = excluded.value, seen_on = excluded.seen_on WHERE t.seen_on <= excluded.seen_on",
            &[identifier.into(), name.as_str().into(), value.to_string().into(), day.into()],
        );
    }
}

/// Type and text of each value of `{"email": "…", "cookie": ["…", "…"]}`.
fn values(identifiers: &Map<String, Json>, rules: &Rules) -> Result<Vec<(u16, String)>, Error> {
    let shape = |cause: String| Error::Shape { argument: "identifiers", cause, example: EXAMPLE };
    let mut values = Vec::new();
    for (name, value) in identifiers {
        let index = rules.type_index(name).ok_or_else(|| Error::UnknownType {
            name: name.clone(),
            known: rules.types.iter().map(|kind| kind.name.clone()).collect(),
        })?;
        match rules.type_of(index).role {
            Role::Record => return Err(Error::RecordType { name: name.clone() }),
            // Evidence only, which an application's call leaves to the sources.
            Role::Network => continue,
            Role::Person | Role::Contact | Role::Device => {}
        }
        let several = match value {
            Json::Array(several) => several.as_slice(),
            single => std::slice::from_ref(single),
        };
        for value in several {
            match value {
                Json::Null => {}
                Json::String(text) => values.push((index, text.clone())),
                Json::Number(number) => values.push((index, number.to_string())),
                _ => {
                    return Err(shape(format!(
                        "\"{name}\" holds something that is not a text or a number"
                    )));
                }
            }
        }
    }
    Ok(values)
}
