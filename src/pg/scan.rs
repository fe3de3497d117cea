//! Reading a source: from its rows to counts, in memory that does not grow with the rows.
//!
//! Tables are read in stretches of blocks, so that a long reading can be saved and resumed; views
//! and foreign tables in one go.

use super::cursor::{Row, stream};
use super::load::check_memory;
use super::source::{self, Column, Relation, Source};
use super::{progress, spi};
use crate::error::{Error, shown};
use crate::graph::rules::{Role, Rules};
use crate::graph::{Day, Graph};
use crate::identifier::Region;
use crate::source::mapping::Field;
use crate::source::seen_at::{self, BadTime};
use crate::source::sighting::{LeftOut, Observer, Sighting, Value};
use pgrx::pg_sys;
use serde::{Deserialize, Serialize};

/// Rows between two reports.
const REPORT: i64 = 1 << 14;

/// A part of a source that is read by one query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stretch {
    /// Blocks of the table of this oid: from the first up to, not including, the end; to the last
    /// if `None`.
    Blocks { table: u32, first: i64, end: Option<i64> },
    /// All rows of a relation that has no blocks of its own.
    Whole,
}

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
    /// Adds what another reading counted.
    pub fn add(&mut self, other: Tally, kept: usize) {
        self.rows += other.rows;
        self.malformed += other.malformed;
        self.blocked += other.blocked;
        let room = kept.saturating_sub(self.rejections.len());
        self.rejections.extend(other.rejections.into_iter().take(room));
        self.oldest = [self.oldest, other.oldest].into_iter().flatten().min();
    }
}

/// How a column's value becomes a day.
#[derive(Clone, Copy)]
enum Time {
    Timestamp,
    Date,
    Text,
}

/// One thing that a row says: a constant, or the column of the query that holds it.
struct Part {
    /// The column's name in the source; of a constant, what it stands for.
    name: String,
    place: Place,
}

enum Place {
    Constant(String),
    Column(usize),
}

impl Part {
    fn value<'v>(&'v self, row: &Row<'v>, part: usize) -> Option<Value<'v>> {
        let text = match &self.place {
            Place::Constant(text) => Some(text.as_str()),
            Place::Column(column) => row.text(*column),
        };
        text.map(|text| Value { text, column: part })
    }
}

/// A source, ready to be read.
pub struct Reader<'r> {
    source: &'r Source,
    rules: &'r Rules,
    relation: Relation,
    /// What is selected, as SQL.
    select: Vec<String>,
    parts: Vec<Part>,
    /// Places in `parts`.
    identifiers: Vec<(u16, usize)>,
    channel: Option<usize>,
    device_type: Option<usize>,
    region: Option<usize>,
    /// Of rows that name none.
    region_of_source: Option<Region>,
    key: Option<(u16, usize)>,
    /// Column of the query, and the name of the source's column.
    seen_at: Option<(usize, Time, String)>,
    /// The day on which rows without a usable time count as seen.
    undated: Day,
    kept: usize,
    /// Oid and size in blocks of each table that holds rows; none if these cannot be read apart.
    tables: Vec<(u32, i64)>,
}

/// Places of the first columns of every query of a table: ctid and xmin.
const CTID: usize = 0;
const XMIN: usize = 1;

impl<'r> Reader<'r> {
    /// Prepares to read `source`; fails if the relation no longer fits its mapping. At most `kept`
    /// rejections are kept.
    pub fn new(source: &'r Source, rules: &'r Rules, kept: usize) -> Result<Self, Error> {
        let relation = source::relation(source.oid)?;
        let columns = source::columns(source.oid);
        source::check(&source.mapping, rules, &relation, &columns)?;
        let tables = tables(source.oid, &relation);
        let mut reader = Reader {
            source,
            rules,
            relation,
            tables,
            select: vec!["ctid".into(), "xmin".into()],
            parts: Vec::new(),
            identifiers: Vec::new(),
            channel: None,
            device_type: None,
            region: None,
            region_of_source: rules.region,
            key: None,
            seen_at: None,
            undated: source.attached_on,
            kept,
        };
        reader.plan(&columns)?;
        Ok(reader)
    }

    fn plan(&mut self, columns: &[Column]) -> Result<(), Error> {
        let mapping = &self.source.mapping;
        if let Some(key) = &mapping.key {
            let record = self.rules.types.iter().position(|kind| kind.role == Role::Record);
            let record = record.ok_or_else(|| Error::Configuration {
                table: "identifier_type",
                cause: "no type has the role record, which rows with a key need".into(),
                hint: "INSERT INTO identity_resolve.identifier_type (name, role) VALUES ('record', 'record');",
            })?;
            self.key = Some((record as u16, self.part("key", &Field::Column(key.clone()))));
        }
        for (name, fields) in &mapping.identifiers {
            let Some(index) = self.rules.type_index(name) else {
                continue;
            };
            if self.rules.type_of(index).role != Role::Network {
                for field in &fields.0 {
                    let part = self.part(name, field);
                    self.identifiers.push((index, part));
                }
            }
        }
        self.channel = mapping.channel.as_ref().map(|field| self.part("channel", field));
        self.device_type = mapping.device_type.as_ref().map(|field| self.part("device_type", field));
        match &mapping.region {
            Some(Field::Constant(code)) => self.region_of_source = Region::parse(code),
            Some(field) => self.region = Some(self.part("region", field)),
            None => {}
        }
        if let Some(Field::Constant(text)) = &mapping.seen_at {
            self.undated = source::constant_day(text)?;
        }
        if let Some(Field::Column(name)) = &mapping.seen_at {
            let column = columns.iter().find(|column| column.name == *name);
            let (time, cast) = match column.map(|column| column.type_oid) {
                Some(pg_sys::TIMESTAMPTZOID) => (Time::Timestamp, "timestamptz"),
                Some(pg_sys::TIMESTAMPOID) => (Time::Timestamp, "timestamp"),
                Some(pg_sys::DATEOID) => (Time::Date, "date"),
                _ => (Time::Text, "text"),
            };
            self.select.push(format!("{}::pg_catalog.{cast}", quoted(name)));
            self.seen_at = Some((self.select.len() - 1, time, name.clone()));
        }
        Ok(())
    }

    fn part(&mut self, path: &str, field: &Field) -> usize {
        let (name, place) = match field {
            Field::Constant(text) => (path.to_owned(), Place::Constant(text.clone())),
            Field::Column(column) => {
                self.select.push(format!("{}::pg_catalog.text", quoted(column)));
                (column.clone(), Place::Column(self.select.len() - 1))
            }
        };
        self.parts.push(Part { name, place });
        self.parts.len() - 1
    }

    /// Whether the source is made of tables that can be read by blocks.
    pub fn has_blocks(&self) -> bool {
        !self.tables.is_empty()
    }

    /// What to read beside what is `done`, up to `blocks` blocks each where there are blocks.
    pub fn stretches(&self, blocks: i64, done: &[Stretch]) -> Vec<Stretch> {
        if !self.has_blocks() {
            return vec![Stretch::Whole];
        }
        let mut stretches = Vec::new();
        for &(table, size) in &self.tables {
            let mut first = 0;
            loop {
                let read = done.iter().find_map(|stretch| match *stretch {
                    Stretch::Blocks { table: t, first: f, end } if (t, f) == (table, first) => Some(end),
                    _ => None,
                });
                let end = match read {
                    Some(end) => end,
                    None => {
                        let end = Some(first + blocks).filter(|&end| end < size);
                        stretches.push(Stretch::Blocks { table, first, end });
                        end
                    }
                };
                match end {
                    Some(end) => first = end,
                    None => break,
                }
            }
        }
        stretches
    }

    /// How many rows the planner believes there are; 0 where it does not know.
    pub fn estimated_rows(&self) -> i64 {
        spi::one(
            "WITH RECURSIVE t AS (
                 SELECT $1 AS oid
                 UNION ALL SELECT i.inhrelid FROM t JOIN pg_inherits AS i ON i.inhparent = t.oid)
             SELECT sum(greatest(c.reltuples, 0))::bigint
             FROM t JOIN pg_class AS c ON c.oid = t.oid WHERE c.relkind <> 'p'",
            &[self.source.oid.into()],
            |row| row.int8(0).unwrap_or_default(),
        )
        .unwrap_or_default()
    }

    /// Counts the sightings of a stretch in `graph`; returns the fingerprint of the row versions
    /// that were read.
    pub fn read(
        &self,
        stretch: Stretch,
        observer: &mut Observer,
        graph: &mut Graph,
        tally: &mut Tally,
    ) -> Result<u64, Error> {
        let today = seen_at::today();
        let mut fingerprint = 0;
        let mut unreported = 0;
        let mut result = Ok(());
        stream(&self.query(stretch, &self.select), &[], |row| {
            if result.is_err() {
                return;
            }
            fingerprint = add_version(fingerprint, row);
            self.read_row(row, today, observer, graph, tally);
            unreported += 1;
            if unreported == REPORT {
                progress::advance(unreported);
                unreported = 0;
                result = check_memory(graph);
            }
        });
        progress::advance(unreported);
        result.map(|()| fingerprint)
    }

    /// The fingerprint of the row versions of a stretch that are there now.
    pub fn fingerprint(&self, stretch: Stretch) -> u64 {
        let mut fingerprint = 0;
        stream(&self.query(stretch, &self.select[..=XMIN]), &[], |row| {
            fingerprint = add_version(fingerprint, row);
        });
        fingerprint
    }

    fn query(&self, stretch: Stretch, select: &[String]) -> String {
        match stretch {
            // There may be neither ctid nor xmin.
            Stretch::Whole => {
                let select = [&["NULL::tid".to_owned(), "NULL::xid".to_owned()], &select[XMIN + 1..]];
                format!("SELECT {} FROM {}", select.concat().join(", "), self.relation.name)
            }
            Stretch::Blocks { table, first, end } => {
                let name = source::relation(pg_sys::Oid::from(table))
                    .map(|relation| relation.name)
                    .unwrap_or_default();
                let end = end.map_or(String::new(), |end| format!(" AND ctid < '({end},0)'::tid"));
                format!(
                    "SELECT {} FROM ONLY {name} WHERE ctid >= '({first},0)'::tid{end}",
                    select.join(", ")
                )
            }
        }
    }

    /// Counts the sighting of one row.
    fn read_row(
        &self,
        row: &Row,
        today: Day,
        observer: &mut Observer,
        graph: &mut Graph,
        tally: &mut Tally,
    ) {
        let part = |part: usize| self.parts[part].value(row, part);
        let key = self.key.and_then(|(_, key)| part(key));
        let mut left_out = |column: &str, value: &str, error: &dyn std::fmt::Display, blocked: bool| {
            *(if blocked { &mut tally.blocked } else { &mut tally.malformed }) += 1;
            if tally.rejections.len() < self.kept {
                tally.rejections.push(Rejection {
                    row_key: match (key, row.tid(CTID)) {
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
        let mut region = self.region_of_source;
        if let Some(value) = self.region.and_then(part).filter(|value| !value.text.trim().is_empty()) {
            match Region::parse(value.text.trim()) {
                Some(known) => region = Some(known),
                None => left_out(&self.parts[value.column].name, value.text, &"unknown region", false),
            }
        }
        let mut sighting = Sighting {
            day: day.unwrap_or(self.undated),
            channel: self.channel.and_then(part),
            device_type: self.device_type.and_then(part),
            region,
            identifiers: Vec::with_capacity(self.identifiers.len() + 1),
        };
        let record;
        if let (Some((record_type, _)), Some(key)) = (self.key, key) {
            record = format!("{}/{}", self.source.name, key.text);
            sighting.identifiers.push((record_type, Value { text: &record, column: key.column }));
        }
        let values = self.identifiers.iter().filter_map(|&(kind, place)| Some((kind, part(place)?)));
        sighting.identifiers.extend(values);

        observer.observe(graph, &sighting, 1, |value, reason| {
            let column = &self.parts[value.column].name;
            left_out(column, value.text, &reason, reason == LeftOut::Blocked);
        });
        tally.rows += 1;
        tally.oldest = Some(tally.oldest.map_or(sighting.day, |oldest| oldest.min(sighting.day)));
    }

    /// The day of a row, if it has one; else the column's name, its text and what is wrong.
    fn seen_at(&self, row: &Row, today: Day) -> Result<Option<Day>, (&str, String, BadTime)> {
        let Some((column, time, name)) = &self.seen_at else {
            return Ok(None);
        };
        let day = match time {
            Time::Timestamp => row.int8(*column).map(|time| {
                seen_at::of_timestamp(time, today).map_err(|bad| (seen_at::timestamp_text(time), bad))
            }),
            Time::Date => row.int4(*column).map(|days| {
                seen_at::of_date(days, today).map_err(|bad| (seen_at::date_text(days), bad))
            }),
            Time::Text => row
                .text(*column)
                .filter(|text| !text.trim().is_empty())
                .map(|text| seen_at::of_text(text, today).map_err(|bad| (text.to_owned(), bad))),
        };
        day.transpose().map_err(|(text, bad)| (name.as_str(), text, bad))
    }
}

/// The table itself or its partitions, of all levels; none if not all are readable tables.
fn tables(oid: pg_sys::Oid, relation: &Relation) -> Vec<(u32, i64)> {
    if !matches!(relation.kind, 'r' | 'p' | 'm') {
        return Vec::new();
    }
    let tables = spi::all(
        "WITH RECURSIVE t AS (
             SELECT $1 AS oid
             UNION ALL SELECT i.inhrelid FROM t JOIN pg_inherits AS i ON i.inhparent = t.oid)
         SELECT c.oid, c.relkind IN ('r', 'm') AND has_table_privilege(c.oid, 'SELECT'),
                pg_relation_size(c.oid) / current_setting('block_size')::int
         FROM t JOIN pg_class AS c ON c.oid = t.oid WHERE c.relkind <> 'p' ORDER BY c.oid",
        &[oid.into()],
        |row| {
            let size = row.int8(2).unwrap_or_default();
            row.bool(1).unwrap_or_default().then_some((row.int4(0).unwrap_or_default() as u32, size))
        },
    );
    tables.into_iter().collect::<Option<_>>().unwrap_or_default()
}

/// Identifiers as a statement wants them.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Adds the version of a row to a fingerprint, whatever the order of the rows. A row version is
/// known by its place and by the transaction that wrote it (its contents never change).
fn add_version(fingerprint: u64, row: &Row) -> u64 {
    let (block, place) = row.tid(CTID).unwrap_or_default();
    let xmin = row.int4(XMIN).unwrap_or_default() as u32;
    let version = u64::from(block) << 16 | u64::from(place);
    fingerprint.wrapping_add(mixed(version ^ mixed(u64::from(xmin))))
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
fn mixed(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
