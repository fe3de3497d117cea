//! Pictures of a model and of what it says of a pair.

use super::drawing::{Axis, MARGIN, Svg, TOP, bounded, cut, one_in, percent, signed};
use super::explain::{Explained, Explanation};
use super::model::{FieldModel, Model, probability};
use std::f64::consts::LN_2;

/// How the belief in a match comes about: a bar for the prior, one for each field from the sum before
/// it to the sum after it, one for the total.
pub fn waterfall(explanation: &Explanation) -> String {
    const RIGHT: f64 = 996.0;
    const VALUES: f64 = 188.0;
    const ROW: f64 = 46.0;

    let steps = steps(explanation);
    let bottom = TOP + ROW * steps.len() as f64;
    let axis = Axis::new(steps.iter().flat_map(|step| [step.from, step.to]), 384.0, 776.0);
    let title = format!("Probability of a match: {}", percent(explanation.probability));
    let told =
        |Step { what, .. }: &Step| format!("{}, {}: {}", what.field, what.level, signed(what.weight));
    let about: Vec<_> = steps.iter().map(told).collect();
    let mut svg = Svg::new(RIGHT, bottom + 20.0, &title, &format!("In bits. {}.", about.join("; ")));
    svg.text(VALUES, TOP - 16.0, "small", "values as compared");
    svg.text(RIGHT, TOP - 16.0, "small end", "weight in bits");
    svg.axis(&axis, bottom);
    svg.text(axis.left - 36.0, bottom + 21.0, "small end", "probability");
    // Beyond these it is as good as 0 or 1.
    for tick in axis.ticks().filter(|tick| tick.abs() <= 20.0) {
        svg.text(axis.x(tick), bottom + 21.0, "small middle", &percent(probability(tick * LN_2)));
    }
    svg.line((MARGIN, bottom - ROW), (RIGHT, bottom - ROW), "rule");
    for (n, Step { what, from, to, class }) in steps.iter().enumerate() {
        let y = TOP + ROW * n as f64;
        let missing = *class == "missing";
        let [a, b] = [&what.a, &what.b].map(|value| value.as_deref().unwrap_or("–"));
        svg.open(&format!("{}: {}\n{}\n{}", what.field, what.level, cut(a, 200.0), cut(b, 200.0)));
        if n + 1 < steps.len() {
            let end = if missing { y + 12.0 } else { y + ROW - 12.0 };
            svg.line((axis.x(*to), end), (axis.x(*to), y + ROW + 12.0), "zero");
        }
        if !missing {
            svg.bar(&axis, (*from, *to), y + 12.0, ROW - 24.0, class);
        }
        let tone = if missing { "missing" } else { "" };
        svg.text(MARGIN, y + 20.0, &format!("strong {tone}"), &cut(&what.field, 19.0));
        svg.text(MARGIN, y + 36.0, &format!("small {tone}"), &cut(&what.level, 24.0));
        svg.open_column(VALUES, y, axis.left - 12.0 - VALUES, ROW);
        svg.text(0.0, 20.0, &format!("value {tone}"), &cut(a, 24.0));
        svg.text(0.0, 36.0, &format!("value {tone}"), &cut(b, 24.0));
        svg.close("svg");
        svg.text(RIGHT, y + 20.0, &format!("strong end {tone}"), &signed(what.weight));
        if what.frequency_weight.abs() >= 0.05 {
            let rarity = if what.frequency_weight < 0.0 { "commoner" } else { "rarer" };
            let note = format!("of which {} for a {rarity} value", signed(what.frequency_weight));
            svg.text(RIGHT, y + 36.0, "small end", &note);
        }
        svg.close("g");
    }
    svg.finish()
}

/// A step of the waterfall.
struct Step {
    what: Explained,
    from: f64,
    to: f64,
    class: &'static str,
}

/// The prior, the fields and the total.
fn steps(explanation: &Explanation) -> Vec<Step> {
    let sum = |field: &str, level: &str, value: String, weight: f64| {
        let (a, b) = (Some(value), Some(String::new()));
        let (field, level) = (field.into(), level.into());
        let what = Explained { field, a, b, level, weight, frequency_weight: 0.0, depends_on: None };
        Step { what, from: 0.0, to: bounded(weight), class: "sum" }
    };
    let prior = one_in(explanation.prior);
    let mut steps = vec![sum("Prior", "any two records", prior, explanation.prior_weight)];
    let mut from = bounded(explanation.prior_weight);
    for field in &explanation.fields {
        let to = from + bounded(field.weight);
        let missing = field.weight == 0.0;
        let class = if missing { "missing" } else { side(field.weight) };
        steps.push(Step { what: field.clone(), from, to, class });
        from = to;
    }
    let total = percent(explanation.probability);
    steps.push(sum("Total", "these two records", total, explanation.weight));
    steps
}

/// The colour of a weight.
fn side(weight: f64) -> &'static str {
    if weight < 0.0 { "against" } else { "for" }
}

/// What each level of each field says: log₂(m ÷ u), where m is how probable it is in pairs of one
/// person and u in pairs of two.
pub fn match_weights(model: &Model) -> String {
    const RIGHT: f64 = 836.0;
    const STATE: f64 = 300.0;

    let prior = (model.prior.matched / (1.0 - model.prior.matched)).log2();
    let fields: Vec<_> = model.fields.iter().map(|field| (field, Said::all(field))).collect();
    let said = || fields.iter().flat_map(|(_, all)| all);
    let axis = Axis::new(said().map(|said| said.weight).chain([bounded(prior)]), 320.0, 780.0);
    let bottom = TOP + 44.0 + 46.0 * fields.len() as f64 + said().map(|said| said.room).sum::<f64>();
    let names: Vec<_> = fields.iter().map(|(field, _)| &*field.name).collect();
    let about = format!("In bits, for the levels of {}.", names.join(", "));
    let mut svg = Svg::new(RIGHT, bottom, "Match weights", &about);
    svg.text(RIGHT, TOP - 16.0, "small end", "bits");
    svg.axis(&axis, bottom);

    svg.text(MARGIN, TOP + 24.0, "strong", "Prior");
    svg.text(STATE, TOP + 24.0, "small end", &one_in(model.prior.matched));
    svg.bar(&axis, (0.0, bounded(prior)), TOP + 15.0, 10.0, "sum");
    svg.text(RIGHT, TOP + 24.0, "number", &signed(prior));
    let mut y = TOP + 44.0;
    for (field, all) in &fields {
        svg.text(MARGIN, y + 24.0, "strong", &cut(&field.name, 22.0));
        if let Some(other) = &field.depends_on {
            svg.text(STATE, y + 24.0, "small end", &format!("if {}", cut(other, 14.0)));
        }
        y += 34.0;
        for said in all {
            svg.open(&format!("m = {}, u = {}", percent(said.m), percent(said.u)));
            svg.text(MARGIN, y + 11.0, "level", &cut(said.level, 30.0));
            svg.text(STATE, y + 11.0, "small end", said.state);
            svg.bar(&axis, (0.0, said.weight), y + 2.0, 10.0, side(said.weight));
            svg.text(RIGHT, y + 11.0, "number", &signed(said.weight));
            svg.close("g");
            y += said.room;
        }
        y += 12.0;
    }
    svg.finish()
}

/// States of a field that another depends on, as [`super::learn::state`] numbers them.
const DIFFERS: usize = 1;
const AGREES: usize = 3;

/// What a level says: where the field depends on another, in one of that one's states.
struct Said<'m> {
    /// Empty in the second row of a level.
    level: &'m str,
    state: &'static str,
    m: f64,
    u: f64,
    weight: f64,
    /// How high its row is.
    room: f64,
}

impl<'m> Said<'m> {
    /// The most alike level first; without what never occurs.
    fn all(field: &'m FieldModel) -> Vec<Self> {
        let states: &[_] = match field.depends_on {
            Some(_) => &[(AGREES, "agrees"), (DIFFERS, "differs")],
            None => &[(0, "")],
        };
        let mut all = Vec::new();
        for level in field.levels.iter().rev() {
            let mut rows = Vec::new();
            for &(at, state) in states {
                let of = |class: &[f64]| class.get(at).or(class.first()).copied().unwrap_or(0.0);
                let (m, u) = (of(&level.matched), of(&level.unrelated));
                if m >= 1e-6 || u >= 1e-6 {
                    let level = if rows.is_empty() { &*level.level } else { "" };
                    // As a scorer reads them.
                    let weight = bounded((m.max(1e-12) / u.max(1e-12)).log2());
                    rows.push(Said { level, state, m, u, weight, room: 13.0 });
                }
            }
            if let Some(last) = rows.last_mut() {
                last.room += 7.0;
            }
            all.append(&mut rows);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::super::frequency::Frequencies;
    use super::super::kind::Kind;
    use super::super::model::{FORMAT, LevelModel, Shares};
    use super::*;

    fn field(a: &str, b: &str, weight: f64) -> Explained {
        Explained {
            field: a.into(),
            a: Some(a.into()),
            b: Some(b.into()),
            level: b.into(),
            weight,
            frequency_weight: -weight,
            depends_on: Some(b.into()),
        }
    }

    fn picture(fields: Vec<Explained>, prior: f64, weight: f64) -> String {
        let probability = probability(weight * LN_2);
        waterfall(&Explanation { prior, prior_weight: prior.log2(), fields, weight, probability })
    }

    /// All numbers of its attributes are numbers.
    fn assert_well_formed(svg: &str) {
        let document = roxmltree::Document::parse(svg).unwrap_or_else(|error| panic!("{error}: {svg}"));
        for attribute in document.descendants().flat_map(|node| node.attributes()) {
            if matches!(attribute.name(), "x" | "y" | "width" | "height") {
                assert!(attribute.value().parse::<f64>().is_ok_and(f64::is_finite), "{attribute:?}");
            }
        }
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn any_text_and_any_weight_make_a_picture() {
        let texts = [
            "</text><script>\"&'",
            "\0\u{8}\u{b}\u{1b}\u{9f}\u{fffe}\u{202e}x",
            "مرحبا بالعالم",
            "👩‍👩‍👧‍👦e\u{301}\r\n",
            "",
        ];
        let weights = [0.0, -0.0, 3.2, -61.0, 1e300, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
        for fields in 1..=16 {
            let field =
                |n: usize| field(texts[n % 5], texts[(n + fields) % 5], weights[(n * fields) % 8]);
            for weight in weights {
                assert_well_formed(&picture((0..fields).map(field).collect(), weight, weight));
            }
        }
        assert!(picture(vec![field("<\u{202e}&\u{7}>", "", 1.0)], 0.1, 1.0).contains(">&lt;&amp;&gt;<"));
    }

    #[test]
    fn any_model_makes_a_picture() {
        let chances = [0.9, 0.0, 1e-9, f64::NAN, 1e-5, f64::INFINITY];
        let field = |depends_on: Option<String>| {
            let level = |n: usize| {
                let states = if depends_on.is_some() { 4 } else { 1 };
                let of = |by: usize| (0..states).map(|state| chances[(n * by + state) % 6]).collect();
                LevelModel { level: format!("<{n}>"), matched: of(1), related: of(2), unrelated: of(5) }
            };
            FieldModel {
                name: "x & y".into(),
                kind: Kind::Text,
                compare: None,
                day_first: false,
                levels: (0..12).map(level).collect(),
                frequencies: Frequencies::default(),
                depends_on,
            }
        };
        for prior in [0.0, 1e-9, 0.4, 1.0, f64::NAN] {
            let model = Model {
                format: FORMAT,
                link_only: false,
                prior: Shares { matched: prior, related: 0.0, unrelated: 1.0 },
                fields: (0..16).map(|n| field((n % 2 == 1).then(|| "<other>".into()))).collect(),
                blocking: Default::default(),
                match_threshold: 0.5,
                review_threshold: 0.1,
            };
            assert_well_formed(&match_weights(&model));
        }
    }
}
