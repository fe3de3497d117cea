//! The mapping of a source: which columns hold which identifiers, and when, where and on what they
//! were seen. It is JSON, see the guide for DBAs; unknown keys are refused.

use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::fmt;

/// What a source's rows say. A missing part says nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mapping {
    /// Column that names a row for ever. Each row is then an identifier of its own
    /// (`record:schema.table/key`), and its deletion takes back what it told.
    pub key: Option<String>,
    /// Identifier type → where its values stand.
    pub identifiers: BTreeMap<String, Fields>,
    /// Trait → where it stands.
    pub traits: BTreeMap<String, Fields>,
    /// Signal (such as `ip`, `location`) → where it stands.
    pub signals: BTreeMap<String, Fields>,
    /// When the row was true or the event happened.
    pub seen_at: Option<Field>,
    pub channel: Option<Field>,
    pub device_type: Option<Field>,
    /// ISO 3166 region of phone numbers written without one.
    pub region: Option<Field>,
    pub purchase: Option<Purchase>,
}

/// What was bought, and when.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Purchase {
    pub product: Option<Field>,
    pub category: Option<Field>,
    pub at: Option<Field>,
}

/// One value of a row: a column's, or a constant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    Column(String),
    Constant(String),
}

/// One or several fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields(pub Vec<Field>);

impl Mapping {
    /// Reads a mapping; the error says which key or value is wrong and what is allowed.
    pub fn parse(json: &str) -> Result<Self, serde_json::Error> {
        // A struct would also be read from an array of its fields' values.
        serde_json::from_str::<serde_json::Map<_, _>>(json)?;
        serde_json::from_str(json)
    }

    /// Every column that the mapping names, with the path under which it does.
    pub fn columns(&self) -> Vec<(String, &str)> {
        let mut fields: Vec<(String, &Field)> = Vec::new();
        let maps =
            [("identifiers", &self.identifiers), ("traits", &self.traits), ("signals", &self.signals)];
        for (group, map) in maps {
            for (name, several) in map {
                fields.extend(several.0.iter().map(|field| (format!("{group}.{name}"), field)));
            }
        }
        const NONE: &Option<Field> = &None;
        let purchase = |part: fn(&Purchase) -> &Option<Field>| self.purchase.as_ref().map_or(NONE, part);
        let single = [
            ("seen_at", &self.seen_at),
            ("channel", &self.channel),
            ("device_type", &self.device_type),
            ("region", &self.region),
            ("purchase.product", purchase(|p| &p.product)),
            ("purchase.category", purchase(|p| &p.category)),
            ("purchase.at", purchase(|p| &p.at)),
        ];
        let single =
            single.into_iter().filter_map(|(path, field)| Some((path.to_owned(), field.as_ref()?)));
        fields.extend(single);
        let key = self.key.iter().map(|key| ("key".to_owned(), key.as_str()));
        let columns = fields.into_iter().filter_map(|(path, field)| match field {
            Field::Column(column) => Some((path, column.as_str())),
            Field::Constant(_) => None,
        });
        key.chain(columns).collect()
    }
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldVisitor)
    }
}

struct FieldVisitor;

impl<'de> Visitor<'de> for FieldVisitor {
    type Value = Field;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a column name, or {\"value\": …} for a constant")
    }

    fn visit_str<E: Error>(self, column: &str) -> Result<Field, E> {
        Ok(Field::Column(column.to_owned()))
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Field, M::Error> {
        let mut constant = None;
        while let Some(key) = map.next_key::<String>()? {
            if key != "value" {
                return Err(Error::unknown_field(&key, &["value"]));
            }
            constant = Some(match map.next_value::<serde_json::Value>()? {
                serde_json::Value::String(text) => text,
                serde_json::Value::Number(number) => number.to_string(),
                serde_json::Value::Bool(truth) => truth.to_string(),
                _ => {
                    return Err(Error::custom("a constant is a string, a number or a boolean"));
                }
            });
        }
        constant.map(Field::Constant).ok_or_else(|| Error::missing_field("value"))
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a column name, {\"value\": …} for a constant, or a list of them")
    }

    fn visit_str<E: Error>(self, column: &str) -> Result<Fields, E> {
        FieldVisitor.visit_str(column).map(|field| Fields(vec![field]))
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Fields, M::Error> {
        FieldVisitor.visit_map(map).map(|field| Fields(vec![field]))
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Fields, S::Error> {
        let mut fields = Vec::new();
        while let Some(field) = seq.next_element()? {
            fields.push(field);
        }
        if fields.is_empty() {
            return Err(Error::invalid_length(0, &self));
        }
        Ok(Fields(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mapping_of_the_design() {
        let mapping = Mapping::parse(
            r#"{"key": "customer_id",
                "identifiers": {"customer_number": "customer_id", "phone": ["mobile", "home_phone"]},
                "signals": {"location": ["lat", "lon"]},
                "seen_at": "updated_at", "channel": {"value": "store"}, "region": {"value": "FR"},
                "purchase": {"product": "sku", "at": "paid_at"}}"#,
        )
        .unwrap();
        assert_eq!(mapping.channel, Some(Field::Constant("store".into())));
        let columns: Vec<&str> = mapping.columns().into_iter().map(|(_, column)| column).collect();
        let expected = [
            "customer_id",
            "customer_id",
            "mobile",
            "home_phone",
            "lat",
            "lon",
            "updated_at",
            "sku",
            "paid_at",
        ];
        assert_eq!(columns, expected);
    }

    #[test]
    fn unknown_keys_and_wrong_values_are_named() {
        let error = |json| Mapping::parse(json).unwrap_err().to_string();
        assert!(
            error(r#"{"identifier": {}}"#).contains("unknown field `identifier`, expected one of `key`")
        );
        assert!(error(r#"{"channel": 3}"#).contains("a column name, or {\"value\": …}"));
        assert!(error(r#"{"channel": {"valeu": "web"}}"#).contains("expected `value`"));
        assert!(error(r#"{"identifiers": {"email": []}}"#).contains("or a list of them"));
        assert!(error(r#"[]"#).contains("expected"));
    }
}
