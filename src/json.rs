//! What is wrong with JSON, in the words of those who write it.
//!
//! serde_json speaks of structs, variants and u8, and counts columns in a text that PostgreSQL has
//! written anew.

/// What is wrong, without the place.
pub fn in_words(cause: &serde_json::Error) -> String {
    let text = cause.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    let quoted = |text: &str| text.replace('`', "\"");
    if let Some(found) = text.strip_prefix("unknown field ") {
        return match found.split_once(", expected ") {
            Some((name, known)) => {
                format!("there is no {}, only {}", quoted(name), listed(known))
            }
            None => format!("there is no {}", quoted(found)),
        };
    }
    if let Some((word, known)) =
        text.strip_prefix("unknown variant ").and_then(|found| found.split_once(", expected "))
    {
        return format!("{} is none of {}", quoted(word), listed(known));
    }
    if let Some(name) = text.strip_prefix("missing field ") {
        return format!("{} is missing", quoted(name));
    }
    let wrong = ["invalid type: ", "invalid value: ", "invalid length "]
        .iter()
        .find_map(|prefix| text.strip_prefix(prefix)?.split_once(", expected "));
    match wrong {
        Some(("unit variant", "newtype variant")) => {
            "the word takes a number, as in {\"prefix\": 3}".into()
        }
        Some((_, "unit" | "unit variant")) => "the word stands alone, without a value".into(),
        Some((found, wanted)) => format!("{} is expected, not {}", expected(wanted), given(found)),
        None if text == "invalid number" => "a number is negative, too large, or not whole".into(),
        None => quoted(text),
    }
}

/// Names such as `one of `a`, `b`` or `` `a` or `b` `` as a list.
fn listed(names: &str) -> String {
    names.trim_start_matches("one of ").replace('`', "").replace(" or ", ", ")
}

fn expected(wanted: &str) -> String {
    match wanted {
        "a map" | "map" => "an object".into(),
        "a sequence" => "a list".into(),
        "a string" => "a text".into(),
        "a boolean" => "true or false".into(),
        "f64" | "f32" => "a number".into(),
        "u8" => "a whole number from 0 to 255".into(),
        "u16" | "u32" | "u64" | "usize" => "a whole number from 0 on".into(),
        "string or map" => "a word, or an object of one,".into(),
        "map with a single key" => "an object of one word".into(),
        _ if wanted.starts_with("struct ") => "an object".into(),
        _ => wanted.into(),
    }
}

fn given(found: &str) -> String {
    match found {
        "map" => "an object".into(),
        "sequence" => "a list".into(),
        "unit value" => "null".into(),
        "number" => "a number".into(),
        "0" => "an empty list".into(),
        _ => match found.split_once(' ') {
            Some(("string", text)) => format!("the text {text}"),
            Some(("boolean" | "integer", value)) => value.replace('`', ""),
            Some(("floating", value)) => value.trim_start_matches("point ").replace('`', ""),
            _ => found.into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matching::blocking::Transform;
    use crate::matching::options::OwnComparison;

    fn says<T: serde::de::DeserializeOwned + std::fmt::Debug>(json: &str) -> String {
        let json: serde_json::Value = serde_json::from_str(json).unwrap();
        in_words(&serde_json::from_value::<T>(json).unwrap_err())
    }

    #[test]
    fn nobody_needs_to_know_rust() {
        let own = [
            ("3", "an object is expected, not a number"),
            ("{}", "\"similarity\" is missing"),
            (r#"{"similarty": 1}"#, "there is no \"similarty\", only kind, similarity, levels"),
            (
                r#"{"similarity": "soundex"}"#,
                "\"soundex\" is none of exact, jaro, jaro_winkler, levenshtein, damerau, token",
            ),
            (r#"{"similarity": "jaro", "levels": 0.9}"#, "a list is expected, not a number"),
            (r#"{"levels": ["high"]}"#, "a number is expected, not the text \"high\""),
        ];
        own.into_iter()
            .for_each(|(json, words)| assert_eq!(says::<OwnComparison>(json), words, "{json}"));
        let transforms = [
            (r#"{"prefix": "x"}"#, "a whole number from 0 to 255 is expected, not the text \"x\""),
            (r#"{"prefix": 300}"#, "a number is negative, too large, or not whole"),
            (r#""prefix""#, "the word takes a number, as in {\"prefix\": 3}"),
            (r#"{"year": 1}"#, "the word stands alone, without a value"),
            ("null", "a word, or an object of one, is expected, not null"),
        ];
        transforms
            .into_iter()
            .for_each(|(json, words)| assert_eq!(says::<Transform>(json), words, "{json}"));
        assert_eq!(says::<bool>("null"), "true or false is expected, not null");
        assert_eq!(says::<Vec<u8>>("true"), "a list is expected, not true");
    }
}
