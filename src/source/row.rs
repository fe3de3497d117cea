//! From a row to a sighting, as the source's mapping has it.

use super::batch::Row;
use super::mapping::{Field, Mapping};
use super::seen_at::{self, BadTime};
use super::sighting::{LeftOut, Observer, Sighting, Value};
use crate::error::shown;
use crate::graph::rules::{Role, Rules};
use crate::graph::{Day, Graph};
use crate::identifier::Region;
use serde::{Deserialize, Serialize};

/// A value that was left out.
#[derive(Serialize, Deserialize)]
pub struct Rejection {
    pub row_key: Option<String>,
    pub column: String,
    pub value: String,
    pub error: String,
}

/// What a reading counts beside the sightings.
#[derive(Default, Serialize, Deserialize)]
pub struct Tally {
    pub rows: i64,
    pub malformed: i64,
    pub blocked: i64,
    /// The first of all rejections.
    pub rejections: Vec<Rejection>,
    /// The oldest day that a row was seen on.
    pub oldest: Option<Day>,
}

impl Tally {
    /// Adds what another reading counted; of all rejections, `kept` are kept.
    pub fn add(&mut self, other: Tally, kept: usize) {
        self.rows += other.rows;
        self.malformed += other.malformed;
        self.blocked += other.blocked;
        let room = kept.saturating_sub(self.rejections.len());
        self.rejections.extend(other.rejections.into_iter().take(room));
        self.oldest = [self.oldest, other.oldest].into_iter().flatten().min();
    }
}

/// What kind of column says when a row was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// Microseconds since 2000.
    Timestamp,
    /// Days since 2000.
    Date,
    /// ISO 8601.
    Text,
}

/// One thing that a row says: a constant, or a value of the row.
struct Part {
    /// The column's name; of a constant, what it stands for.
    name: String,
    place: Place,
}

enum Place {
    Constant(String),
    Value(usize),
}

/// Reads the rows of one source.
pub struct RowReader {
    /// Begins the name of each row's record.
    source_name: String,
    /// The columns whose values a row must hold as text, in this order.
    pub columns: Vec<String>,
    parts: Vec<Part>,
    /// Type of each identifier, and its place in `parts`.
    identifiers: Vec<(u16, usize)>,
    /// Places in `parts`; of the key, with the type of records.
    key: Option<(u16, usize)>,
    channel: Option<usize>,
    device_type: Option<usize>,
    region: Option<usize>,
    /// Of rows that name no region.
    default_region: Option<Region>,
    /// The column that says when a row was seen; its text's place in `parts`.
    seen_at: Option<(String, Time, Option<usize>)>,
    /// The day on which rows without a usable time count as seen.
    undated: Day,
    /// Rejections that are kept.
    kept: usize,
}

impl RowReader {
    /// A reader of the source called `source_name`. `time` is the kind of its column `seen_at`, if
    /// it has one, and `undated` the day of rows without a time.
    pub fn new(
        mapping: &Mapping,
        source_name: &str,
        rules: &Rules,
        time: Time,
        undated: Day,
        kept: usize,
    ) -> Self {
        let mut reader = RowReader {
            source_name: source_name.to_owned(),
            columns: Vec::new(),
            parts: Vec::new(),
            identifiers: Vec::new(),
            key: None,
            channel: None,
            device_type: None,
            region: None,
            default_region: rules.region,
            seen_at: None,
            undated,
            kept,
        };
        if let (Some(key), Some(record)) = (&mapping.key, rules.record_type()) {
            reader.key = Some((record, reader.part("key", &Field::Column(key.clone()))));
        }
        for (name, fields) in &mapping.identifiers {
            let kind = rules.type_index(name).filter(|&kind| rules.type_of(kind).role != Role::Network);
            let Some(kind) = kind else { continue };
            for field in &fields.0 {
                let part = reader.part(name, field);
                reader.identifiers.push((kind, part));
            }
        }
        reader.channel = mapping.channel.as_ref().map(|field| reader.part("channel", field));
        reader.device_type = mapping.device_type.as_ref().map(|field| reader.part("device_type", field));
        match &mapping.region {
            Some(Field::Constant(code)) => reader.default_region = Region::parse(code),
            Some(field) => reader.region = Some(reader.part("region", field)),
            None => {}
        }
        if let Some(Field::Column(name)) = &mapping.seen_at {
            let field = Field::Column(name.clone());
            let text = (time == Time::Text).then(|| reader.part("seen_at", &field));
            reader.seen_at = Some((name.clone(), time, text));
        }
        reader
    }

    fn part(&mut self, path: &str, field: &Field) -> usize {
        let (name, place) = match field {
            Field::Constant(text) => (path.to_owned(), Place::Constant(text.clone())),
            Field::Column(column) => {
                self.columns.push(column.clone());
                (column.clone(), Place::Value(self.columns.len() - 1))
            }
        };
        self.parts.push(Part { name, place });
        self.parts.len() - 1
    }

    fn value<'v>(&'v self, row: &Row<'v>, part: usize) -> Option<Value<'v>> {
        let text = match &self.parts[part].place {
            Place::Constant(text) => Some(text.as_str()),
            Place::Value(column) => row.value(*column),
        };
        text.map(|text| Value { text, column: part })
    }

    /// The day that a row counts on.
    pub fn day(&self, row: &Row, today: Day) -> Day {
        self.seen_at(row, today).ok().flatten().unwrap_or(self.undated)
    }

    /// Counts the sighting of one row, or takes it back. No row may have been seen after `today`.
    pub fn read(
        &self,
        row: &Row,
        today: Day,
        observer: &mut Observer,
        graph: &mut Graph,
        tally: &mut Tally,
    ) {
        let value = |part| self.value(row, part);
        let key = self.key.and_then(|(_, key)| value(key));
        let taken_back = row.head.taken_back;
        let mut left_out = |column: &str, value: &str, error: &dyn std::fmt::Display, blocked: bool| {
            if taken_back {
                return;
            }
            *(if blocked { &mut tally.blocked } else { &mut tally.malformed }) += 1;
            if tally.rejections.len() < self.kept {
                tally.rejections.push(Rejection {
                    row_key: match (key, row.head.place) {
                        (Some(key), _) => Some(shown(key.text)),
                        (None, place) => place.map(|(block, place)| format!("({block},{place})")),
                    },
                    column: column.to_owned(),
                    value: shown(value),
                    error: error.to_string(),
                });
            }
        };

        let day = self.seen_at(row, today).unwrap_or_else(|(column, value, bad)| {
            left_out(column, &value, &bad, false);
            None
        });
        let mut region = self.default_region;
        if let Some(code) = self.region.and_then(value).filter(|code| !code.text.trim().is_empty()) {
            match Region::parse(code.text.trim()) {
                Some(known) => region = Some(known),
                None => left_out(&self.parts[code.column].name, code.text, &"unknown region", false),
            }
        }
        let mut sighting = Sighting {
            day: day.unwrap_or(self.undated),
            channel: self.channel.and_then(value),
            device_type: self.device_type.and_then(value),
            region,
            identifiers: Vec::with_capacity(self.identifiers.len() + 1),
        };
        let record;
        if let (Some((record_type, _)), Some(key)) = (self.key, key) {
            record = format!("{}/{}", self.source_name, key.text);
            sighting.identifiers.push((record_type, Value { text: &record, column: key.column }));
        }
        let values = self.identifiers.iter().filter_map(|&(kind, part)| Some((kind, value(part)?)));
        sighting.identifiers.extend(values);

        observer.observe(graph, &sighting, if taken_back { -1 } else { 1 }, |value, reason| {
            let column = &self.parts[value.column].name;
            left_out(column, value.text, &reason, reason == LeftOut::Blocked);
        });
        if taken_back {
            return;
        }
        tally.rows += 1;
        tally.oldest = Some(tally.oldest.map_or(sighting.day, |oldest| oldest.min(sighting.day)));
    }

    /// The day of a row, if it has one; else the column's name, its text and what is wrong.
    fn seen_at(&self, row: &Row, today: Day) -> Result<Option<Day>, (&str, String, BadTime)> {
        let Some((column, time, text)) = &self.seen_at else { return Ok(None) };
        let day = match time {
            Time::Timestamp => row.head.time.map(|time| {
                seen_at::of_timestamp(time, today).map_err(|bad| (seen_at::timestamp_text(time), bad))
            }),
            Time::Date => row.head.time.map(|days| {
                let days = days as i32;
                seen_at::of_date(days, today).map_err(|bad| (seen_at::date_text(days), bad))
            }),
            Time::Text => text
                .and_then(|part| self.value(row, part))
                .filter(|value| !value.text.trim().is_empty())
                .map(|value| {
                    seen_at::of_text(value.text, today).map_err(|bad| (value.text.to_owned(), bad))
                }),
        };
        day.transpose().map_err(|(text, bad)| (column.as_str(), text, bad))
    }
}
