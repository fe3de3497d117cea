//! Models as JSON: what comes back from it, and what is refused.

use super::world::Recipe;
use super::{Judge, MODEL, pairs, records_of};
use crate::matching::compare::MOST_LEVELS;
use crate::matching::model::Model;
use serde_json::{Value as Json, json};

/// A model with few values, which is quick to read.
fn model_json() -> Json {
    let mut model = MODEL.clone();
    for field in &mut model.fields {
        field.frequencies.common =
            field.frequencies.common.iter().take(2).map(|(v, f)| (v.clone(), *f)).collect();
    }
    serde_json::to_value(&model).unwrap()
}

fn parse(json: &Json) -> Result<Model, String> {
    Model::parse(&json.to_string())
}

#[test]
fn what_is_written_is_read_and_scores_the_same() {
    let records = records_of(&Recipe::of(40, 2).world(), &MODEL);
    let judge = Judge::new(&MODEL, &records);
    let json = serde_json::to_string(&*MODEL).unwrap();
    for text in [json.clone(), as_jsonb(&serde_json::from_str(&json).unwrap())] {
        let read = Model::parse(&text).unwrap();
        assert!(serde_json::to_string(&read).unwrap() == json, "it is another model");
        let again = Judge::new(&read, &records);
        for (a, b) in pairs(&records) {
            assert_eq!(judge.log_odds(a, b).to_bits(), again.log_odds(a, b).to_bits(), "{a} and {b}");
        }
    }
}

/// JSON as PostgreSQL writes its jsonb: numbers have no exponent.
fn as_jsonb(json: &Json) -> String {
    let list = |parts: Vec<String>| parts.join(", ");
    match json {
        Json::Array(values) => format!("[{}]", list(values.iter().map(as_jsonb).collect())),
        Json::Object(members) => {
            let member =
                |(name, value): (&String, &Json)| format!("{}: {}", json!(name), as_jsonb(value));
            format!("{{{}}}", list(members.iter().map(member).collect()))
        }
        Json::Number(number) if number.is_f64() => number.as_f64().unwrap().to_string(),
        other => other.to_string(),
    }
}

/// Where everything stands in a document, as JSON pointers.
fn places(json: &Json, at: &str, places: &mut Vec<String>) {
    places.push(at.into());
    let mut below = |name: &str, value: &Json| {
        let name = name.replace('~', "~0").replace('/', "~1");
        self::places(value, &format!("{at}/{name}"), places);
    };
    match json {
        Json::Array(values) => values.iter().enumerate().for_each(|(n, v)| below(&n.to_string(), v)),
        Json::Object(members) => members.iter().for_each(|(name, value)| below(name, value)),
        _ => {}
    }
}

fn all_places(json: &Json) -> Vec<String> {
    let mut found = Vec::new();
    places(json, "", &mut found);
    found
}

fn with(json: &Json, place: &str, change: impl FnOnce(&mut Json)) -> Json {
    let mut changed = json.clone();
    change(changed.pointer_mut(place).unwrap());
    changed
}

#[test]
fn a_model_is_never_taken_for_another() {
    let json = model_json();
    assert!(parse(&json).is_ok());
    let mut accepted = Vec::new();
    let mut refuse = |what: String, json: &Json| {
        if parse(json).is_ok() {
            accepted.push(what);
        }
    };
    for place in all_places(&json) {
        match json.pointer(&place).unwrap() {
            Json::Object(members) => {
                // What a model can do without.
                let optional = ["compare", "day_first", "depends_on"];
                let values = place.ends_with("/common");
                for name in members.keys().filter(|name| !values && !optional.contains(&name.as_str())) {
                    let without =
                        with(&json, &place, |json| drop(json.as_object_mut().unwrap().remove(name)));
                    refuse(format!("{place} without {name}"), &without);
                }
                refuse(
                    format!("{place} with more"),
                    &with(&json, &place, |json| json["more"] = json!("")),
                );
            }
            Json::Array(_) if place.contains("/levels") || place.ends_with("/of_class") => {
                let shorter = with(&json, &place, |json| drop(json.as_array_mut().unwrap().pop()));
                refuse(format!("{place} shorter"), &shorter);
                let longer = with(&json, &place, |json| {
                    let values = json.as_array_mut().unwrap();
                    values.push(values[0].clone());
                });
                refuse(format!("{place} longer"), &longer);
            }
            Json::Number(_) => {
                for wrong in [json!(-0.5), json!(1.5), json!("1"), json!(null), json!([])] {
                    refuse(
                        format!("{place} = {wrong}"),
                        &with(&json, &place, |json| *json = wrong.clone()),
                    );
                }
            }
            _ => {}
        }
    }
    assert!(accepted.is_empty(), "{} accepted:\n{}", accepted.len(), accepted.join("\n"));
}

#[test]
fn anything_in_a_models_place_is_read_or_refused() {
    let json = model_json();
    for place in all_places(&json) {
        for other in
            [json!(null), json!("x"), json!({}), json!([]), json!(-1), json!(1e300), json!(true)]
        {
            let _ = parse(&with(&json, &place, |json| *json = other));
        }
    }
    let text = json.to_string();
    for end in (0..text.len()).step_by(97).filter(|&end| text.is_char_boundary(end)) {
        assert!(Model::parse(&text[..end]).is_err());
    }
}

#[test]
fn models_that_make_no_sense_are_refused() {
    let json = model_json();
    let free =
        json["fields"].as_array().unwrap().iter().position(|field| field.get("depends_on").is_none());
    let free = free.unwrap();
    let name = |n: usize| json["fields"][n]["name"].clone();
    let other = (free + 1) % MODEL.fields.len();
    // Four states for each level, as a field has that depends on another.
    let depending = |json: &mut Json, n: usize, on: Json| {
        json["fields"][n]["depends_on"] = on;
        for level in json["fields"][n]["levels"].as_array_mut().unwrap() {
            for class in ["matched", "related", "unrelated"] {
                level[class] = json!([0.1, 0.1, 0.1, 0.1]);
            }
        }
    };
    let mut bad: Vec<(&str, Json)> = Vec::new();
    let mut add = |what, change: &dyn Fn(&mut Json)| bad.push((what, with(&json, "", change)));
    add("depends on itself", &|json| depending(json, free, name(free)));
    add("depends on one that depends on it", &|json| {
        depending(json, free, name(other));
        depending(json, other, name(free));
    });
    add("depends on no field", &|json| depending(json, free, json!("nothing")));
    add("two of one name", &|json| json["fields"][free]["name"] = name(other));
    add("no fields", &|json| json["fields"] = json!([]));
    add("of a later format", &|json| json["format"] = json!(2));
    add("a field too many", &|json| {
        let field = json["fields"][free].clone();
        for n in 0..17 {
            let mut more = field.clone();
            more["name"] = json!(format!("field {n}"));
            json["fields"].as_array_mut().unwrap().push(more);
        }
    });
    add("reviews above matches", &|json| {
        json["match_threshold"] = json!(0.5);
        json["review_threshold"] = json!(0.9);
    });
    add("blocking by no field", &|json| json["blocking"] = json!([["nothing"]]));
    add("blocking by nothing", &|json| json["blocking"] = json!([[name(free)], [{}]]));
    add("blocking in an unknown way", &|json| json["blocking"] = json!([[{"last_name": "colour"}]]));
    add("blocking by more keys than are counted", &|json| {
        json["blocking"] = (0..65).map(|n| json!([{"last_name": {"prefix": n + 1}}])).collect();
    });
    for count in [MOST_LEVELS + 1, 253, 254, 255, 256, 300] {
        add("more levels than there can be", &|json| {
            json["fields"][free]["compare"] = json!({"similarity": "jaro", "levels": vec![0.9; count]});
        });
    }
    add("levels that rise", &|json| {
        let own = json["fields"]
            .as_array_mut()
            .unwrap()
            .iter_mut()
            .find(|field| field.get("compare").is_some());
        own.unwrap()["compare"]["levels"] = json!([0.5, 0.8]);
    });
    add("not an object", &|json| *json = json!([json]));
    let accepted: Vec<&str> =
        bad.iter().filter(|(_, json)| is_accepted(json)).map(|(what, _)| *what).collect();
    assert!(accepted.is_empty(), "accepted: {accepted:?}");
}

/// Whether a model is read, or reading it panics.
fn is_accepted(json: &Json) -> bool {
    std::panic::catch_unwind(|| parse(json)).map_or(true, |read| read.is_ok())
}
