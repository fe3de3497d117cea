//! Pictures of a model and of what it says of a pair: SVG 1.1 that stands alone, without scripts or
//! fonts of its own, and is light or dark as its reader prefers.

use super::explain::{Explained, Explanation};
use super::model::{FieldModel, Model, probability};
use std::f64::consts::LN_2;
use std::fmt::{Arguments, Write};

/// Where a scale ends at the latest, and bars beyond it in an arrow: odds of 10¹⁸ to one.
const MOST_BITS: f64 = 60.0;

const MARGIN: f64 = 24.0;

/// Where a chart begins below the heading.
const TOP: f64 = 116.0;

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

/// A scale of bits across a part of the picture.
struct Axis {
    least: f64,
    most: f64,
    step: f64,
    left: f64,
    right: f64,
}

impl Axis {
    fn new(values: impl Iterator<Item = f64>, left: f64, right: f64) -> Self {
        let (least, most) = values.fold((0.0, 0.0), |(least, most): (f64, f64), value| {
            (least.min(value.max(-MOST_BITS)), most.max(value.min(MOST_BITS)))
        });
        let steps = [1.0, 2.0, 5.0, 10.0, 20.0];
        let step = steps.into_iter().find(|step| (most - least) / step <= 6.0).unwrap_or(20.0);
        let (least, most) = ((least / step).floor() * step, (most / step).ceil() * step);
        Axis { least, most: most.max(least + step), step, left, right }
    }

    fn x(&self, bits: f64) -> f64 {
        let share = (bits.clamp(self.least, self.most) - self.least) / (self.most - self.least);
        self.left + share * (self.right - self.left)
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        (0..=((self.most - self.least) / self.step).round() as u32)
            .map(|n| self.least + f64::from(n) * self.step)
    }
}

/// A picture in the making.
struct Svg(String);

impl Svg {
    /// With its heading; `right` and `bottom` are where its margins begin.
    fn new(right: f64, bottom: f64, title: &str, about: &str) -> Self {
        let (width, height) = (right + MARGIN, bottom + MARGIN);
        let mut svg = Svg(String::new());
        svg.add(format_args!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" version="1.1" role="img" class="identity-resolve" "#
        ));
        svg.add(format_args!(r#"width="{width}" height="{height}" viewBox="0 0 {width} {height}">"#));
        svg.add(format_args!("<title>{}</title>", escape(title)));
        svg.add(format_args!("<desc>{}</desc>", escape(about)));
        svg.add(format_args!("{}", style()));
        svg.add(format_args!(r#"<rect class="paper" width="{width}" height="{height}"/>"#));
        svg.text(MARGIN, 42.0, "title", title);
        svg.text(MARGIN, 65.0, "small", "What each field adds to the prior; one bit doubles the odds.");
        for (class, text, x) in [("for", "for a match", right - 90.0), ("against", "against it", right)]
        {
            svg.text(x - 16.0, 65.0, "small end", text);
            svg.rect((x - 10.0, 56.0), (10.0, 10.0), class);
        }
        svg
    }

    fn add(&mut self, piece: Arguments) {
        let _ = writeln!(self.0, "{piece}");
    }

    fn open(&mut self, tip: &str) {
        self.add(format_args!("<g><title>{}</title>", escape(tip)));
    }

    /// What follows, up to its close, counts from its corner and ends at its edges.
    fn open_column(&mut self, x: f64, y: f64, width: f64, height: f64) {
        self.add(format_args!(r#"<svg x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}">"#));
    }

    fn close(&mut self, name: &str) {
        self.add(format_args!("</{name}>"));
    }

    fn text(&mut self, x: f64, y: f64, class: &str, text: &str) {
        if !text.is_empty() {
            let text = escape(text);
            self.add(format_args!(r#"<text x="{x:.1}" y="{y:.1}" class="{class}">{text}</text>"#));
        }
    }

    fn line(&mut self, (x, y): (f64, f64), (to_x, to_y): (f64, f64), class: &str) {
        self.add(format_args!(r#"<path class="{class}" d="M{x:.1} {y:.1}L{to_x:.1} {to_y:.1}"/>"#));
    }

    fn rect(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), class: &str) {
        self.add(format_args!(
            r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" rx="2"/>"#
        ));
    }

    /// A bar, with an arrow where it leaves the scale.
    fn bar(&mut self, axis: &Axis, (from, to): (f64, f64), y: f64, height: f64, class: &str) {
        let (least, most) = (from.min(to), from.max(to));
        let (left, right) = (axis.x(least), axis.x(most));
        self.rect((left, y), ((right - left).max(1.5), height), class);
        let mut arrow = |x: f64, tip: f64| {
            let (middle, end) = (y + height / 2.0, y + height);
            let path = format!("M{x:.1} {y:.1}L{tip:.1} {middle:.1}L{x:.1} {end:.1}Z");
            self.add(format_args!(r#"<path class="{class}" d="{path}"/>"#));
        };
        if least < axis.least {
            arrow(left - 2.0, left - 8.0);
        }
        if most > axis.most {
            arrow(right + 2.0, right + 8.0);
        }
    }

    /// Lines of the ticks down to `bottom`, their numbers above.
    fn axis(&mut self, axis: &Axis, bottom: f64) {
        for tick in axis.ticks() {
            let x = axis.x(tick);
            self.line((x, TOP - 8.0), (x, bottom), if tick == 0.0 { "zero" } else { "grid" });
            self.text(x, TOP - 16.0, "small middle", signed(tick).trim_end_matches(".0"));
        }
    }

    fn finish(mut self) -> String {
        self.close("svg");
        self.0
    }
}

const SHAPES: &str = "\
.identity-resolve text{font:13px system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif}
.identity-resolve text{font-variant-numeric:tabular-nums}
.identity-resolve .title{font-size:20px;font-weight:600}
.identity-resolve .strong{font-weight:600}
.identity-resolve .missing{font-weight:400}
.identity-resolve .level{font-size:12px}
.identity-resolve .small{font-size:11px}
.identity-resolve .number{font-size:11px;text-anchor:end}
.identity-resolve .end{text-anchor:end}
.identity-resolve .middle{text-anchor:middle}
.identity-resolve .value{unicode-bidi:plaintext}
.identity-resolve .grid,.identity-resolve .rule,.identity-resolve .zero{shape-rendering:crispEdges}
";

/// What is coloured in light and in dark. Text has a contrast of 4.5 to the paper at least, a bar of 3
/// (WCAG 2.1, AA).
const COLOURS: [(&str, [&str; 2]); 10] = [
    ("text{fill", ["#1d2530", "#e6eaef"]),
    (".small{fill", ["#5a6573", "#9ea9b7"]),
    (".missing{fill", ["#6b7583", "#8c97a5"]),
    (".paper{fill", ["#ffffff", "#14181e"]),
    (".sum{fill", ["#5d6a7b", "#9aa6b5"]),
    (".for{fill", ["#2475b5", "#5ba8e5"]),
    (".against{fill", ["#d0641e", "#ee8f4f"]),
    (".grid{stroke", ["#e7eaef", "#262c35"]),
    (".rule{stroke", ["#c5ccd5", "#424b57"]),
    (".zero{stroke", ["#8b95a3", "#6f7a88"]),
];

/// Its rules name the picture they are of, as inside a web page they are the whole page's.
fn style() -> String {
    let colours = |scheme: usize| {
        let rule =
            |(what, of): &(&str, [&str; 2])| format!(".identity-resolve {what}:{}}}\n", of[scheme]);
        COLOURS.iter().map(rule).collect::<String>()
    };
    let (light, dark) = (colours(0), colours(1));
    format!("<style>\n{SHAPES}{light}@media (prefers-color-scheme:dark){{\n{dark}}}\n</style>")
}

/// Bits as a bar can show them.
fn bounded(bits: f64) -> f64 {
    if bits.is_nan() { 0.0 } else { bits.clamp(-1e3, 1e3) }
}

/// Bits with their sign and one decimal.
fn signed(bits: f64) -> String {
    let size = match bits.abs() {
        size if size.is_nan() => return "–".into(),
        1e4.. => "∞".into(),
        size => format!("{size:.1}"),
    };
    match (&*size, bits < 0.0) {
        ("0.0", _) => size,
        (_, true) => format!("−{size}"),
        (_, false) => format!("+{size}"),
    }
}

/// A probability with as many decimals as tell it from 0 and 1.
fn percent(probability: f64) -> String {
    let decimals = match probability.min(1.0 - probability) {
        _ if probability.is_nan() => return "–".into(),
        ..5e-7 if probability < 0.5 => return "<0.0001%".into(),
        ..5e-7 => return ">99.9999%".into(),
        ..1e-5 => 4,
        ..1e-4 => 3,
        ..1e-3 => 2,
        _ => 1,
    };
    let digits = format!("{:.decimals$}", 100.0 * probability);
    format!("{}%", digits.trim_end_matches('0').trim_end_matches('.'))
}

/// A share of pairs in words.
fn one_in(share: f64) -> String {
    match 1.0 / share {
        count @ 1.0..1e1 => format!("1 in {count:.1} pairs"),
        count @ 1e1..1e3 => format!("1 in {count:.0} pairs"),
        count @ 1e3..1e6 => format!("1 in {},{:03} pairs", count as u32 / 1000, count as u32 % 1000),
        count @ 1e6..1e9 => format!("1 in {:.1} million pairs", count / 1e6),
        count @ 1e9..1e12 => format!("1 in {:.1} billion pairs", count / 1e9),
        _ => "next to no pairs".into(),
    }
}

/// As much of a text as fits in the room of so many small letters.
fn cut(text: &str, room: f64) -> String {
    let mut left = room;
    let end = text.char_indices().enumerate().find_map(|(n, (at, letter))| {
        left -= match letter {
            '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200d}' | '\u{fe00}'..='\u{fe0f}' => 0.0,
            '\u{1100}'..='\u{11ff}' | '\u{2e80}'.. => 2.0,
            'm' | 'w' | 'M' | 'W' | '@' => 1.8,
            _ if letter.is_uppercase() => 1.3,
            _ => 1.0,
        };
        (left < 0.0 || n as f64 > 3.0 * room).then_some(at)
    });
    match end {
        Some(end) => format!("{}…", text[..end].trim_end_matches([' ', '\u{200d}'])),
        None => text.to_owned(),
    }
}

/// Text as XML can hold it: without control characters, nor marks that turn the text around them.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\t' | '\r' | '\u{2028}' | '\u{2029}' => escaped.push(' '),
            '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {}
            letter if letter.is_control() && letter != '\n' => {}
            letter => escaped.push(letter),
        }
    }
    escaped
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

    #[test]
    fn numbers_are_written_as_they_are_read() {
        let written = [-0.04, 0.05, 12.34, -1e9, f64::NAN].map(signed);
        assert_eq!(written, ["0.0", "+0.1", "+12.3", "−∞", "–"]);
        let written = [0.0, 1e-6, 0.5, 0.97, 0.9995, 0.999999, 1.0].map(percent);
        assert_eq!(written, ["<0.0001%", "0.0001%", "50%", "97%", "99.95%", "99.9999%", ">99.9999%"]);
        let written = [0.5, 0.0104, 1e-4, 4e-8, 0.0].map(one_in);
        assert_eq!(written[..3], ["1 in 2.0 pairs", "1 in 96 pairs", "1 in 10,000 pairs"]);
        assert_eq!(written[3..], ["1 in 25.0 million pairs", "next to no pairs"]);
    }

    #[test]
    fn long_text_is_cut() {
        assert_eq!(cut("a short one", 11.0), "a short one");
        assert_eq!(cut("a longer text", 9.0), "a longer…");
        assert_eq!(cut("東京三菱銀行", 8.0), "東京三菱…");
        assert!(cut(&"e\u{301}".repeat(1000), 500.0).chars().count() <= 1002);
    }
}
