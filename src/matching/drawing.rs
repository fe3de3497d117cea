//! What pictures of weights are made of: SVG 1.1 that stands alone, without scripts or fonts of its own,
//! and is light or dark as its reader prefers.

use std::fmt::{Arguments, Write};

/// Where a scale ends at the latest, and bars beyond it in an arrow: odds of 10¹⁸ to one.
const MOST_BITS: f64 = 60.0;

pub const MARGIN: f64 = 24.0;

/// Where a chart begins below the heading.
pub const TOP: f64 = 116.0;

/// A scale of bits across a part of the picture.
pub struct Axis {
    least: f64,
    most: f64,
    step: f64,
    pub left: f64,
    right: f64,
}

impl Axis {
    pub fn new(values: impl Iterator<Item = f64>, left: f64, right: f64) -> Self {
        let (least, most) = values.fold((0.0, 0.0), |(least, most): (f64, f64), value| {
            (least.min(value.max(-MOST_BITS)), most.max(value.min(MOST_BITS)))
        });
        let steps = [1.0, 2.0, 5.0, 10.0, 20.0];
        let step = steps.into_iter().find(|step| (most - least) / step <= 6.0).unwrap_or(20.0);
        let (least, most) = ((least / step).floor() * step, (most / step).ceil() * step);
        Axis { least, most: most.max(least + step), step, left, right }
    }

    pub fn x(&self, bits: f64) -> f64 {
        let share = (bits.clamp(self.least, self.most) - self.least) / (self.most - self.least);
        self.left + share * (self.right - self.left)
    }

    pub fn ticks(&self) -> impl Iterator<Item = f64> {
        (0..=((self.most - self.least) / self.step).round() as u32)
            .map(|n| self.least + f64::from(n) * self.step)
    }
}

/// A picture in the making.
pub struct Svg(String);

impl Svg {
    /// With its heading; `right` and `bottom` are where its margins begin.
    pub fn new(right: f64, bottom: f64, title: &str, about: &str) -> Self {
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

    pub fn add(&mut self, piece: Arguments) {
        let _ = writeln!(self.0, "{piece}");
    }

    pub fn open(&mut self, tip: &str) {
        self.add(format_args!("<g><title>{}</title>", escape(tip)));
    }

    /// What follows, up to its close, counts from its corner and ends at its edges.
    pub fn open_column(&mut self, x: f64, y: f64, width: f64, height: f64) {
        self.add(format_args!(r#"<svg x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}">"#));
    }

    pub fn close(&mut self, name: &str) {
        self.add(format_args!("</{name}>"));
    }

    pub fn text(&mut self, x: f64, y: f64, class: &str, text: &str) {
        if !text.is_empty() {
            let text = escape(text);
            self.add(format_args!(r#"<text x="{x:.1}" y="{y:.1}" class="{class}">{text}</text>"#));
        }
    }

    pub fn line(&mut self, (x, y): (f64, f64), (to_x, to_y): (f64, f64), class: &str) {
        self.add(format_args!(r#"<path class="{class}" d="M{x:.1} {y:.1}L{to_x:.1} {to_y:.1}"/>"#));
    }

    pub fn rect(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), class: &str) {
        self.add(format_args!(
            r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" rx="2"/>"#
        ));
    }

    /// A bar, with an arrow where it leaves the scale.
    pub fn bar(&mut self, axis: &Axis, (from, to): (f64, f64), y: f64, height: f64, class: &str) {
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
    pub fn axis(&mut self, axis: &Axis, bottom: f64) {
        for tick in axis.ticks() {
            let x = axis.x(tick);
            self.line((x, TOP - 8.0), (x, bottom), if tick == 0.0 { "zero" } else { "grid" });
            self.text(x, TOP - 16.0, "small middle", signed(tick).trim_end_matches(".0"));
        }
    }

    pub fn finish(mut self) -> String {
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
pub fn bounded(bits: f64) -> f64 {
    if bits.is_nan() { 0.0 } else { bits.clamp(-1e3, 1e3) }
}

/// Bits with their sign and one decimal.
pub fn signed(bits: f64) -> String {
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
pub fn percent(probability: f64) -> String {
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
pub fn one_in(share: f64) -> String {
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
pub fn cut(text: &str, room: f64) -> String {
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
    use super::*;

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
