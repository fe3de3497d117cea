//! Reading a source: from its rows to counts, in memory that does not grow with the rows.
//!
//! Tables are read in stretches of blocks, so that a long reading can be saved and resumed; views
//! and foreign tables in one go.

use super::cursor::{Row, stream};
use super::source::{self, Relation, Source};
use super::{progress, settings, spi, thread, watch};
use crate::error::Error;
use crate::graph::Graph;
use crate::graph::rules::Rules;
use crate::source::batch::{Batch, RowHead};
use crate::source::row::{RowReader, Tally, Time};
use crate::source::seen_at;
use crate::source::sighting::Observer;
use pgrx::pg_sys;
use serde::{Deserialize, Serialize};
use std::sync::mpsc::{Receiver, SyncSender};

/// A part of a source that is read by one query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stretch {
    /// Blocks of the table of this oid: from the first up to, not including, the end; to the last
    /// if `None`.
    Blocks { table: u32, first: i64, end: Option<i64> },
    /// All rows of a relation that has no blocks of its own.
    Whole,
}

/// A source, ready to be read.
pub struct Reader<'r> {
    source: &'r Source,
    relation: Relation,
    rows: RowReader,
    /// What is selected, as SQL: ctid, xmin, the time, and what `rows` wants as text.
    select: Vec<String>,
    time: Time,
    /// Oid and size in blocks of each table that holds rows; none if these cannot be read apart.
    tables: Vec<(u32, i64)>,
}

/// Places of the first columns of every query.
const CTID: usize = 0;
const XMIN: usize = 1;
const TIME: usize = 2;

impl<'r> Reader<'r> {
    /// Prepares to read `source`; fails if the relation no longer fits its mapping. At most `kept`
    /// rejections are kept.
    pub fn new(source: &'r Source, rules: &Rules, kept: usize) -> Result<Self, Error> {
        let relation = source::relation(source.oid)?;
        let columns = source::columns(source.oid);
        source::check(&source.mapping, rules, &relation, &columns)?;
        let (rows, time_column) = source.row_reader(rules, &columns, kept)?;
        let time = time_column.as_ref().map_or(Time::Text, |(_, time)| *time);
        let time_column = time_column.map_or("NULL".to_owned(), |(name, _)| quoted(&name));
        let mut select = vec!["ctid".into(), "xmin".into(), time_column];
        select.extend(rows.columns.iter().map(|name| {
            let column = columns.iter().find(|column| column.name == *name);
            watch::text_of(&quoted(name), column.map_or(pg_sys::TEXTOID, |column| column.type_oid))
        }));
        let tables = tables(source.oid, &relation);
        Ok(Reader { source, relation, rows, select, time, tables })
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
    /// that were read. This thread reads while another counts.
    pub fn read(
        &self,
        stretch: Stretch,
        observer: &mut Observer,
        graph: &mut Graph,
        tally: &mut Tally,
    ) -> Result<u64, Error> {
        let columns = self.rows.columns.len();
        let limit_mb = settings::graph_memory_mb();
        let rows = &self.rows;
        let today = seen_at::today();
        let count = |batches: Receiver<Batch>| {
            for batch in batches {
                batch.rows(columns).for_each(|row| rows.read(&row, today, observer, graph, tally));
                graph.check_memory(limit_mb)?;
            }
            Ok(())
        };
        let query = self.query(stretch, &self.select)?;
        let (counted, fingerprint) = thread::with_consumer(count, |batches| self.feed(&query, &batches));
        counted.map(|()| fingerprint)
    }

    /// Sends the rows of a query, some thousand at a time, until the receiver has enough.
    fn feed(&self, query: &str, batches: &SyncSender<Batch>) -> u64 {
        let mut fingerprint = 0;
        let mut batch = Batch::default();
        let mut wanted = true;
        let send = |batch: &mut Batch| {
            progress::advance(batch.len() as i64);
            batches.send(std::mem::take(batch)).is_ok()
        };
        stream(query, &[], |row| {
            fingerprint = add_version(fingerprint, row);
            let time = match self.time {
                Time::Timestamp => row.int8(TIME),
                Time::Date => row.int4(TIME).map(i64::from),
                Time::Text => None,
            };
            batch.push_row(RowHead { time, place: row.tid(CTID), taken_back: false });
            (TIME + 1..self.select.len()).for_each(|column| batch.push_value(row.text(column)));
            if batch.is_full() {
                wanted = wanted && send(&mut batch);
            }
        });
        if wanted {
            send(&mut batch);
        }
        fingerprint
    }

    /// The fingerprint of the row versions of a stretch that are there now.
    pub fn fingerprint(&self, stretch: Stretch) -> Result<u64, Error> {
        let mut fingerprint = 0;
        stream(&self.query(stretch, &self.select[..=XMIN])?, &[], |row| {
            fingerprint = add_version(fingerprint, row);
        });
        Ok(fingerprint)
    }

    /// The tables that hold rows, by oid.
    pub fn tables(&self) -> Vec<pg_sys::Oid> {
        self.tables.iter().map(|&(table, _)| pg_sys::Oid::from(table)).collect()
    }

    /// Whether a stretch is of a table that belongs to the source.
    pub fn has(&self, stretch: Stretch) -> bool {
        match stretch {
            Stretch::Whole => true,
            Stretch::Blocks { table, .. } => self.tables.iter().any(|&(known, _)| known == table),
        }
    }

    /// Looks again which tables the source has: partitions come and go. Returns what there is to
    /// read in the new ones.
    pub fn refresh(&mut self) -> Vec<Stretch> {
        let now = tables(self.source.oid, &self.relation);
        let before = std::mem::replace(&mut self.tables, now);
        let new =
            self.tables.iter().filter(|(table, _)| !before.iter().any(|(known, _)| known == table));
        new.map(|&(table, _)| Stretch::Blocks { table, first: 0, end: None }).collect()
    }

    fn query(&self, stretch: Stretch, select: &[String]) -> Result<String, Error> {
        Ok(match stretch {
            // There may be neither ctid nor xmin.
            Stretch::Whole => {
                let select = [&["NULL::tid".to_owned(), "NULL::xid".to_owned()], &select[XMIN + 1..]];
                format!("SELECT {} FROM {}", select.concat().join(", "), self.relation.name)
            }
            Stretch::Blocks { table, first, end } => {
                let name = source::relation(pg_sys::Oid::from(table))?.name;
                let end = end.map_or(String::new(), |end| format!(" AND ctid < '({end},0)'::tid"));
                format!(
                    "SELECT {} FROM ONLY {name} WHERE ctid >= '({first},0)'::tid{end}",
                    select.join(", ")
                )
            }
        })
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
pub fn quoted(name: &str) -> String {
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
