//! What can be asked of a training: the specification of a model.

use super::compare::{Comparison, Measure, Similarity};
use super::kind::Kind;
use super::model::{KeyModel, check_rules, check_thresholds};
use crate::json::in_words;
use serde::de::Error;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Pairs are linked that are one person's as likely as not. No higher threshold has a greater F1 to be
/// expected: a pair raises F1 if its probability is above one half of it, and F1 is at most 1 (Lipton,
/// Elkan, Naryanaswamy, ECML PKDD 2014).
const MATCH_THRESHOLD: f64 = 0.5;

/// From this probability on a pair is reviewed, unless the match threshold is lower.
const REVIEW_THRESHOLD: f64 = 0.2;

/// The specification of a model, as JSON; what is left out is chosen from the data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Whether records of one source are never compared with each other.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub link_only: bool,
    /// Where random choices begin.
    #[serde(skip_serializing_if = "is_zero")]
    pub seed: u64,
    /// How fields are compared; null leaves one out.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, Option<FieldOption>>,
    /// Which pairs are compared: those that agree in all keys of one of the rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocking: Option<Vec<Vec<KeyModel>>>,
    /// The probability that two records taken at random are one person's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prior: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub match_threshold: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review_threshold: Option<f64>,
    /// The most candidate pairs that the rules may make.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_pairs: Option<u64>,
}

/// A kind, or a similarity with levels of one's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, try_from = "serde_json::Value")]
pub enum FieldOption {
    Kind(Kind),
    Own(OwnComparison),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnComparison {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    pub similarity: Similarity,
    /// The least similarity of each level between different and equal, the highest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<f64>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl OwnComparison {
    fn measure(&self) -> Measure {
        Measure { similarity: self.similarity, levels: self.levels.clone() }
    }
}

impl TryFrom<serde_json::Value> for FieldOption {
    type Error = serde_json::Error;

    fn try_from(json: serde_json::Value) -> serde_json::Result<Self> {
        match json {
            json @ serde_json::Value::String(_) => serde_json::from_value(json).map(FieldOption::Kind),
            json @ serde_json::Value::Object(_) => serde_json::from_value(json).map(FieldOption::Own),
            _ => Err(Error::custom("a field has a kind, or an object with a similarity")),
        }
    }
}

impl FieldOption {
    fn comparison(&self, name: &str) -> Comparison {
        match self {
            FieldOption::Kind(kind) => Comparison::of(*kind),
            FieldOption::Own(own) => Comparison {
                kind: own.kind.or_else(|| Kind::of_trait(name)).unwrap_or(Kind::Text),
                by: Some(own.measure()),
            },
        }
    }
}

impl Options {
    /// Reads a specification; the error says what is wrong with it.
    pub fn parse(json: &str) -> Result<Self, String> {
        // A struct would also be read from an array of its fields' values.
        let given: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(json).map_err(|cause| in_words(&cause))?;
        // One by one, so that it is clear which of them is wrong.
        for (name, value) in &given {
            let alone = serde_json::json!({ name: value });
            if let Err(cause) = serde_json::from_value::<Options>(alone) {
                let cause = in_words(&cause);
                let unknown = cause.starts_with(&format!("there is no \"{name}\""));
                return Err(if unknown { cause } else { format!("in \"{name}\", {cause}") });
            }
        }
        let options: Options = serde_json::from_str(json).map_err(|cause| in_words(&cause))?;
        options.check()?;
        Ok(options)
    }

    /// From which probability on pairs are linked.
    pub fn match_threshold(&self) -> f64 {
        self.match_threshold.unwrap_or(MATCH_THRESHOLD)
    }

    /// From which probability on a pair is put before somebody.
    pub fn review_threshold(&self) -> f64 {
        self.review_threshold.unwrap_or(REVIEW_THRESHOLD.min(self.match_threshold()))
    }

    fn check(&self) -> Result<(), String> {
        let within = |name: &str, value: Option<f64>| match value {
            Some(value) if !(value > 0.0 && value < 1.0) => {
                Err(format!("the {name} is between 0 and 1, not {value}"))
            }
            _ => Ok(()),
        };
        within("prior", self.prior)?;
        within("match_threshold", self.match_threshold)?;
        within("review_threshold", self.review_threshold)?;
        check_thresholds(self.match_threshold(), self.review_threshold()).map_err(|wrong| match self
            .match_threshold
        {
            Some(_) => wrong,
            None => format!("{wrong}, as it is unless you give it"),
        })?;
        if self.max_pairs == Some(0) {
            return Err("a max_pairs of 0 finds nothing".into());
        }
        if self.max_pairs.is_some() && self.blocking.is_some() {
            return Err(
                "either blocking gives the rules, or training chooses such as make max_pairs".into()
            );
        }
        self.blocking.as_deref().map_or(Ok(()), check_rules)?;
        for (name, field) in &self.fields {
            let Some(FieldOption::Own(own)) = field else { continue };
            if let Err(wrong) = own.measure().check() {
                return Err(format!("levels of \"{name}\" {wrong}"));
            }
        }
        Ok(())
    }

    /// How fields are compared; `None` leaves one out.
    pub fn comparisons(&self) -> BTreeMap<String, Option<Comparison>> {
        self.fields
            .iter()
            .map(|(name, field)| (name.clone(), field.as_ref().map(|field| field.comparison(name))))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_right_and_says_what_is_wrong() {
        for good in [
            "{}",
            r#"{"link_only": true, "fields": {"age": "number", "note": null}}"#,
            r#"{"fields": {"last_name": {"similarity": "jaro_winkler", "levels": [0.92, 0.8]}}}"#,
            r#"{"blocking": [["email"], ["last_name", {"birth_date": "year"}], [{"city": {"prefix": 3}}]]}"#,
            r#"{"match_threshold": 0.9, "review_threshold": 0.2}"#,
        ] {
            assert!(Options::parse(good).is_ok(), "{good}");
        }
        for (bad, says) in [
            (r#"{"treshold": 0.9}"#, "there is no \"treshold\""),
            (r#"{"match_threshold": 1.5}"#, "match_threshold is between 0 and 1"),
            (r#"{"match_threshold": 0.5, "review_threshold": 0.9}"#, "is above the match_threshold"),
            (r#"{"review_threshold": 0.9}"#, "unless you give it"),
            (r#"{"match_threshold": 0.04}"#, "at least 0.05"),
            (r#"{"blocking": [[{"city": {"prefix": 0}}]]}"#, "at least 1 character"),
            (r#"{"max_pairs": 0}"#, "finds nothing"),
            (r#"{"max_pairs": 9, "blocking": [["city"]]}"#, "training chooses"),
            (r#"{"fields": {"a": {"similarity": "jaro", "levels": [0.8, 0.9]}}}"#, "the highest first"),
            (r#"{"blocking": []}"#, "list of rules"),
            (r#"{"blocking": [["email", {}]]}"#, "list of rules"),
            ("[]", "an object is expected"),
            (r#"{"seed": -1}"#, "in \"seed\", a number is negative"),
        ] {
            let found = Options::parse(bad).unwrap_err();
            assert!(found.contains(says), "{bad}: {found}");
        }
    }
}
