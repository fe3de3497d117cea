//! Values that stand for nobody in particular: `null`, `unknown`, `test@test.com`, `0000…`.

use regex::{RegexSet, RegexSetBuilder};
use rustc_hash::FxHashMap;

use super::MAX_BYTES;

/// The most memory, in bytes, that the patterns of one identifier type may take once compiled.
/// Thirty patterns as people write them take a hundredth of it.
const MAX_COMPILED_BYTES: usize = 4 << 20;

/// The room, in bytes, for the automaton that grows as values are looked up. Where it does not
/// hold a few states of the largest program, crate `regex` turns to an engine 60 times slower.
const MAX_AUTOMATON_BYTES: usize = 4 * MAX_COMPILED_BYTES;

/// Patterns of values that must not identify anybody, for one identifier type or for all.
///
/// All patterns that concern a type are one automaton: looking a value up costs one pass over it,
/// however many patterns there are.
#[derive(Debug)]
pub struct BlockList {
    /// For the types that no rule names.
    every_type: RegexSet,
    /// By identifier type, the rules that name it and those for every type.
    by_type: FxHashMap<String, RegexSet>,
}

impl BlockList {
    /// Compiles rules, each an identifier type (every type where there is none) and a pattern.
    ///
    /// A pattern is a regular expression of crate `regex`. It concerns the whole canonical value,
    /// in either case: `test` blocks `Test` and does not block `test@example.com`.
    pub fn new(
        rules: impl IntoIterator<Item = (Option<String>, String)>,
    ) -> Result<Self, InvalidPattern> {
        let mut for_every_type = Vec::new();
        let mut for_one_type = FxHashMap::<String, Vec<String>>::default();
        for (identifier_type, pattern) in rules {
            match identifier_type {
                Some(one) => for_one_type.entry(one).or_default().push(pattern),
                None => for_every_type.push(pattern),
            }
        }
        let every_type = compile(&for_every_type)?;
        let by_type = for_one_type
            .into_iter()
            .map(|(identifier_type, mut patterns)| {
                patterns.extend_from_slice(&for_every_type);
                Ok((identifier_type, compile(&patterns)?))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { every_type, by_type })
    }

    /// Whether a value of this type identifies nobody.
    pub fn matches(&self, identifier_type: &str, canonical_value: &str) -> bool {
        self.by_type.get(identifier_type).unwrap_or(&self.every_type).is_match(canonical_value)
    }
}

/// Why a list of patterns cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPattern {
    /// The pattern is not a regular expression; `reason` shows where and why, on several lines.
    #[error("invalid regular expression")]
    Syntax { pattern: String, reason: String },
    /// The pattern is longer than a value can be, or repeats something large many times.
    #[error("regular expression too large")]
    TooLarge { pattern: String },
    /// Each pattern is fine, and all that concern one type take too much memory together.
    #[error("too many regular expressions")]
    TooMany,
}

fn compile(patterns: &[String]) -> Result<RegexSet, InvalidPattern> {
    if let Some(pattern) = patterns.iter().find(|pattern| pattern.len() > MAX_BYTES) {
        return Err(InvalidPattern::TooLarge { pattern: pattern.clone() });
    }
    whole_values(patterns).map_err(|_| {
        let first_invalid = patterns.iter().find_map(|pattern| {
            let error = whole_values(std::slice::from_ref(pattern)).err()?;
            Some(InvalidPattern::of(pattern, error))
        });
        first_invalid.unwrap_or(InvalidPattern::TooMany)
    })
}

impl InvalidPattern {
    fn of(pattern: &str, error: regex::Error) -> Self {
        let pattern = pattern.to_owned();
        match error {
            regex::Error::CompiledTooBig(_) => Self::TooLarge { pattern },
            other => Self::Syntax { pattern, reason: other.to_string() },
        }
    }
}

/// An automaton for values that one of the patterns matches from end to end.
fn whole_values(patterns: &[String]) -> Result<RegexSet, regex::Error> {
    // Checked as written first: `a)|(?:b` would slip out of the anchors put around it.
    builder(patterns).build()?;
    builder(patterns.iter().map(|pattern| format!(r"\A(?:{pattern})\z"))).build()
}

fn builder(patterns: impl IntoIterator<Item = impl AsRef<str>>) -> RegexSetBuilder {
    let mut builder = RegexSetBuilder::new(patterns);
    builder.case_insensitive(true).size_limit(MAX_COMPILED_BYTES).dfa_size_limit(MAX_AUTOMATON_BYTES);
    builder
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn list(rules: &[(&str, &str)]) -> Result<BlockList, InvalidPattern> {
        BlockList::new(rules.iter().map(|&(identifier_type, pattern)| {
            let identifier_type = (!identifier_type.is_empty()).then(|| identifier_type.to_owned());
            (identifier_type, pattern.to_owned())
        }))
    }

    #[test]
    fn a_pattern_concerns_the_whole_value_in_either_case() {
        let blocked = list(&[("", "null|n/?a"), ("", "0{4,}"), ("", ".*@example\\.com")]).unwrap();
        for value in ["null", "NULL", "N/A", "na", "0000", "000000000", "ann@example.com"] {
            assert!(blocked.matches("email", value), "{value}");
        }
        for value in ["nullify", "annull", "000", "00001", "ann@example.com.fr", ""] {
            assert!(!blocked.matches("email", value), "{value}");
        }
    }

    #[test]
    fn a_rule_concerns_its_type_or_all() {
        let blocked =
            list(&[("", "unknown"), ("phone", "\\+33600000000"), ("email", "test@.*")]).unwrap();
        assert!(blocked.matches("phone", "+33600000000"));
        assert!(!blocked.matches("email", "+33600000000"));
        assert!(blocked.matches("email", "test@test.com"));
        assert!(!blocked.matches("cookie", "test@test.com"));
        for identifier_type in ["phone", "email", "cookie"] {
            assert!(blocked.matches(identifier_type, "unknown"));
        }
    }

    #[test]
    fn no_rules_block_nothing() {
        let blocked = list(&[]).unwrap();
        assert!(!blocked.matches("email", ""));
        assert!(!blocked.matches("email", "null"));
    }

    #[test]
    fn the_invalid_pattern_is_named() {
        for pattern in ["a(", "a)|(?:b", "*", "\\", "[z-a]", "(?x) a # to the end", "\\1"] {
            match list(&[("", "null"), ("email", pattern)]) {
                Err(InvalidPattern::Syntax { pattern: named, .. }) => assert_eq!(named, pattern),
                other => panic!("{pattern}: {other:?}"),
            }
        }
    }

    #[test]
    fn hostile_patterns_are_refused_quickly() {
        let nested = "(((((a{100}){100}){100}){100}){100})".to_owned();
        let long = "a".repeat(MAX_BYTES + 1);
        let deep = format!("{}a{}", "(".repeat(500), ")".repeat(500));
        let started = std::time::Instant::now();
        for pattern in [&nested, &long, "(\\w{300}|\\d){300}", "\\pL{1000}"] {
            let error = list(&[("", "null"), ("", pattern)]).unwrap_err();
            assert_eq!(error, InvalidPattern::TooLarge { pattern: pattern.to_owned() });
        }
        assert!(matches!(list(&[("", &deep)]), Err(InvalidPattern::Syntax { .. })));
        let many: Vec<_> = (0..300).map(|_| ("", "\\w{5}")).collect();
        assert_eq!(list(&many).unwrap_err(), InvalidPattern::TooMany);
        assert!(started.elapsed().as_secs() < 10);
    }

    proptest! {
        #[test]
        fn any_pattern_and_value_are_survived(pattern in "\\PC{0,20}|[a-c()|*?\\[\\]{}0-9,]{0,20}", value: String) {
            if let Ok(blocked) = list(&[("", &pattern)]) {
                blocked.matches("email", &value);
            }
        }

        #[test]
        fn a_literal_blocks_itself_only(value in "[a-z@.+0-9]{1,20}", other in "[a-z@.+0-9]{1,20}") {
            let blocked = list(&[("", &regex::escape(&value))]).unwrap();
            prop_assert!(blocked.matches("email", &value));
            prop_assert_eq!(blocked.matches("email", &other), value == other);
        }
    }
}
