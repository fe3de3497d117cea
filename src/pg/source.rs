//! Attaching and detaching the customer's tables.

use super::cursor::Row;
use super::observe::Mode;
use super::{
    backfill, configuration, lock, match_index, queue, review, spi, transaction, trigger, watch,
};
use crate::error::{Error, shown};
use crate::graph::Day;
use crate::graph::rules::{Role, Rules};
use crate::identifier::Region;
use crate::json::in_words;
use crate::source::mapping::{Field, Mapping};
use crate::source::row::{RowReader, Time};
use crate::source::seen_at;
use pgrx::pg_sys;

/// An attached relation.
pub struct Source {
    pub number: u32,
    pub oid: pg_sys::Oid,
    /// schema.table as it was when attached.
    pub name: String,
    pub mapping: Mapping,
    /// The mapping as it is stored.
    pub mapping_text: String,
    pub mode: Mode,
    /// The day on which rows without a usable time count as seen.
    pub attached_on: Day,
}

/// A column of a relation.
pub struct Column {
    pub name: String,
    pub number: i16,
    pub type_oid: pg_sys::Oid,
    type_name: String,
    /// `pg_type.typcategory`.
    category: char,
}

/// A relation as the catalog describes it.
pub struct Relation {
    /// As a statement would have to spell it.
    pub name: String,
    /// schema.table, without quotes.
    plain_name: String,
    /// `pg_class.relkind`.
    pub kind: char,
    foreign_to_users: bool,
    /// Whether the current role may read it.
    pub readable: bool,
}

impl Source {
    /// What reads its rows, and the column that says when a row was seen, if that is no text.
    pub fn row_reader(
        &self,
        rules: &Rules,
        columns: &[Column],
        kept: usize,
    ) -> Result<(RowReader, Option<(String, Time)>), Error> {
        if self.mapping.key.is_some() && rules.record_type().is_none() {
            return Err(Error::Configuration {
                table: "identifier_type",
                cause: "no type has the role record, which rows with a key need".into(),
                hint: "INSERT INTO identity_resolve.identifier_type (name, role) VALUES ('record', 'record');",
            });
        }
        let mut undated = self.attached_on;
        let mut time = None;
        match &self.mapping.seen_at {
            Some(Field::Constant(text)) => undated = constant_day(text)?,
            Some(Field::Column(name)) => {
                let column = columns.iter().find(|column| column.name == *name);
                time = match column.map(|column| column.type_oid) {
                    Some(pg_sys::TIMESTAMPTZOID | pg_sys::TIMESTAMPOID) => Some(Time::Timestamp),
                    Some(pg_sys::DATEOID) => Some(Time::Date),
                    _ => None,
                }
                .map(|time| (name.clone(), time));
            }
            None => {}
        }
        let kind = time.as_ref().map_or(Time::Text, |(_, kind)| *kind);
        Ok((RowReader::new(&self.mapping, &self.name, rules, kind, undated, kept), time))
    }
}

/// Looks a relation up; an error if there is none of this oid.
pub fn relation(oid: pg_sys::Oid) -> Result<Relation, Error> {
    let text = |row: &Row, column| row.text(column).unwrap_or_default().to_owned();
    spi::one(
        "SELECT format('%I.%I', n.nspname, c.relname), n.nspname || '.' || c.relname, c.relkind::text,
                c.relpersistence = 't' OR n.nspname IN ('pg_catalog', 'information_schema', 'identity_resolve', 'pg_toast'),
                has_table_privilege(c.oid, 'SELECT')
         FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = $1",
        &[oid.into()],
        |row| Relation {
            name: text(row, 0),
            plain_name: text(row, 1),
            kind: text(row, 2).chars().next().unwrap_or(' '),
            foreign_to_users: row.bool(3).unwrap_or_default(),
            readable: row.bool(4).unwrap_or_default(),
        },
    )
    .ok_or_else(|| Error::RelationGone(oid.to_u32().to_string()))
}

/// Looks a relation up that the current role may read; an error if it may not.
pub fn readable(oid: pg_sys::Oid) -> Result<Relation, Error> {
    let relation = relation(oid)?;
    match relation.readable {
        true => Ok(relation),
        false => Err(Error::Denied { relation: relation.name, right: "SELECT" }),
    }
}

/// The columns of a relation.
pub fn columns(oid: pg_sys::Oid) -> Vec<Column> {
    spi::all(
        "SELECT a.attname::text, b.oid, format_type(a.atttypid, a.atttypmod), b.typcategory::text, a.attnum::int
         FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
         JOIN pg_type AS b ON b.oid = coalesce(nullif(t.typbasetype, 0), t.oid)
         WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
        &[oid.into()],
        |row| Column {
            name: row.text(0).unwrap_or_default().to_owned(),
            type_oid: pg_sys::Oid::from(row.int4(1).unwrap_or_default() as u32),
            type_name: row.text(2).unwrap_or_default().to_owned(),
            number: row.int4(4).unwrap_or_default() as i16,
            category: row.text(3).and_then(|text| text.chars().next()).unwrap_or(' '),
        },
    )
}

/// Attaches a relation.
pub fn add(oid: pg_sys::Oid, mapping: &str, mode: &str) -> Result<(), Error> {
    let configuration = configuration::current()?;
    let relation = relation(oid)?;
    if relation.foreign_to_users {
        return Err(Error::OwnRelation { relation: relation.name });
    }
    if !matches!(relation.kind, 'r' | 'p' | 'v' | 'm' | 'f') {
        return Err(Error::RelationKind { relation: relation.name });
    }
    let attached = spi::one(
        "SELECT FROM identity_resolve.source AS s WHERE s.source = $1 OR s.name = $2",
        &[oid.into(), relation.plain_name.as_str().into()],
        |_| (),
    );
    if attached.is_some() {
        return Err(Error::Attached { relation: relation.name });
    }
    let mode = mode_for(mode, &relation)?;
    let parsed = Mapping::parse(mapping).map_err(|cause| Error::Mapping { cause: in_words(&cause) })?;
    check(&parsed, &configuration.rules, &relation, &columns(oid))?;
    spi::run(
        "INSERT INTO identity_resolve.source (source, name, mapping, mode, read_with)
         VALUES ($1::oid::regclass, $2, $3::jsonb, $4, identity_resolve.reading_configuration($3::jsonb))",
        &[oid.into(), relation.plain_name.into(), mapping.into(), mode.word().into()],
    );
    spi::run(
        "INSERT INTO identity_resolve.last_decision (configuration)
         VALUES (identity_resolve.deciding_configuration()) ON CONFLICT DO NOTHING",
        &[],
    );
    if mode != Mode::Manual {
        trigger::make(oid, parsed.key.is_some())?;
    }
    Ok(())
}

/// The mode of this name, if the relation can have it.
fn mode_for(name: &str, relation: &Relation) -> Result<Mode, Error> {
    let relation_name = relation.name.clone();
    match Mode::parse(name) {
        None => Err(Error::Mode {
            mode: name.to_owned(),
            relation: relation_name,
            why: "Modes are manual, trigger and queue.",
        }),
        Some(Mode::Trigger | Mode::Queue) if !matches!(relation.kind, 'r' | 'p') => {
            Err(Error::NoTriggers { relation: relation_name })
        }
        Some(mode) => Ok(mode),
    }
}

/// Switches the mode of a source; what it has queued is brought into the graph first.
pub fn set_mode(oid: pg_sys::Oid, mode: &str) -> Result<(), Error> {
    transaction::refuse_if_read_only();
    let relation = relation(oid)?;
    let mode = mode_for(mode, &relation)?;
    watch::tree(oid).into_iter().for_each(lock::keep_writers_from);
    attached(Some(oid))?.iter().try_for_each(claim)?;
    // As it is now, that nobody else is at it.
    for source in transaction::with_latest_snapshot(|| attached(Some(oid)))? {
        if source.mode == Mode::Queue && mode != Mode::Queue {
            queue::drain_source(&source)?;
        }
        match mode {
            Mode::Manual => trigger::drop_from(oid),
            Mode::Trigger | Mode::Queue => trigger::make(oid, source.mapping.key.is_some())?,
        }
        spi::one("SELECT set_config('identity_resolve.sets_mode', 'on', true)", &[], |_| ());
        spi::run(
            "UPDATE identity_resolve.source SET mode = $2 WHERE id = $1",
            &[(source.number as i32).into(), mode.word().into()],
        );
        spi::one("SELECT set_config('identity_resolve.sets_mode', 'off', true)", &[], |_| ());
    }
    Ok(())
}

/// Whether a mapping fits a relation and the configuration; also before each backfill, as both
/// may have changed.
pub fn check(
    mapping: &Mapping,
    rules: &Rules,
    relation: &Relation,
    columns: &[Column],
) -> Result<(), Error> {
    if !relation.readable {
        return Err(Error::Denied { relation: relation.name.clone(), right: "SELECT" });
    }
    if mapping.key.is_none() && mapping.identifiers.is_empty() {
        return Err(Error::EmptyMapping);
    }
    for name in mapping.identifiers.keys() {
        let index = rules.type_index(name).ok_or_else(|| Error::UnknownType {
            name: name.clone(),
            known: rules.types.iter().map(|kind| kind.name.clone()).collect(),
        })?;
        if rules.type_of(index).role == Role::Record {
            return Err(Error::RecordType { name: name.clone() });
        }
    }
    if let Some(Field::Constant(code)) = &mapping.region {
        Region::parse(code).ok_or_else(|| Error::UnknownRegion(code.clone()))?;
    }
    if let Some(Field::Constant(text)) = &mapping.seen_at {
        constant_day(text)?;
    }
    for (path, name) in mapping.columns() {
        let column =
            columns.iter().find(|column| column.name == name).ok_or_else(|| Error::UnknownColumn {
                path: path.clone(),
                column: name.to_owned(),
                relation: relation.name.clone(),
                known: columns.iter().map(|column| column.name.clone()).collect(),
            })?;
        let wanted = wanted(&path, column);
        if let Some(wanted) = wanted {
            return Err(Error::ColumnType {
                path,
                column: name.to_owned(),
                found: column.type_name.clone(),
                wanted,
            });
        }
    }
    Ok(())
}

/// The day that a mapping's `"seen_at": {"value": …}` means.
pub fn constant_day(text: &str) -> Result<Day, Error> {
    let day = seen_at::of_text(text, seen_at::today());
    day.map_err(|bad| Error::Time { argument: "seen_at", value: format!("\"{}\": {bad}", shown(text)) })
}

/// What the place `path` of a mapping takes, if `column` is no such thing.
fn wanted(path: &str, column: &Column) -> Option<&'static str> {
    const SCALAR: &str = "a column whose values are single texts, numbers or the like";
    const TIME: &str = "a timestamp, a date, or text such as 2026-03-01 12:00:00+01";
    let is_json_or_binary = matches!(
        column.type_oid,
        pg_sys::JSONOID | pg_sys::JSONBOID | pg_sys::XMLOID | pg_sys::BYTEAOID
    );
    match path.split('.').next() {
        Some("seen_at") => (!is_time(column)).then_some(TIME),
        // Interests, places and the like may be lists; they are read by those who know.
        Some("traits" | "signals" | "purchase") => None,
        _ => (is_json_or_binary || !matches!(column.category, 'S' | 'N' | 'U' | 'I' | 'E' | 'B' | 'D'))
            .then_some(SCALAR),
    }
}

fn is_time(column: &Column) -> bool {
    let known = [pg_sys::TIMESTAMPTZOID, pg_sys::TIMESTAMPOID, pg_sys::DATEOID];
    known.contains(&column.type_oid) || column.category == 'S'
}

fn from_row(row: &Row) -> Result<Source, Error> {
    let text = |column| row.text(column).unwrap_or_default().to_owned();
    let mapping_text = text(3);
    Ok(Source {
        number: row.int4(0).unwrap_or_default() as u32,
        oid: pg_sys::Oid::from(row.int4(1).unwrap_or_default() as u32),
        name: text(2),
        mapping: Mapping::parse(&mapping_text)
            .map_err(|cause| Error::Mapping { cause: cause.to_string() })?,
        mapping_text,
        attached_on: row.int4(4).unwrap_or_default(),
        mode: row.text(5).and_then(Mode::parse).unwrap_or(Mode::Manual),
    })
}

const SOURCE: &str =
    "SELECT s.id, s.source::oid, s.name, s.mapping::text, s.attached_on - '1970-01-01'::date, s.mode
     FROM identity_resolve.source AS s";

/// The attached relation of this oid, or all of them in the order of their numbers.
pub fn attached(oid: Option<pg_sys::Oid>) -> Result<Vec<Source>, Error> {
    let Some(oid) = oid else {
        return spi::all(&format!("{SOURCE} ORDER BY s.id"), &[], from_row).into_iter().collect();
    };
    match spi::one(&format!("{SOURCE} WHERE s.source = $1"), &[oid.into()], from_row) {
        Some(source) => Ok(vec![source?]),
        None => Err(Error::NotAttached {
            relation: relation(oid).map_or_else(|_| oid.to_u32().to_string(), |relation| relation.name),
        }),
    }
}

/// The source of this number, if there is one.
pub fn of_number(number: u32) -> Result<Option<Source>, Error> {
    spi::one(&format!("{SOURCE} WHERE s.id = $1"), &[(number as i32).into()], from_row).transpose()
}

/// A relation, and all that it inherits from.
pub fn lineage(oid: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    spi::all(
        "WITH RECURSIVE up AS (
             SELECT $1 AS oid
             UNION SELECT i.inhparent FROM up JOIN pg_inherits AS i ON i.inhrelid = up.oid)
         SELECT oid FROM up",
        &[oid.into()],
        |row| row.oid(0).unwrap_or(pg_sys::InvalidOid),
    )
}

/// The source that a relation is, or is a partition or child of.
pub fn of_relation(oid: pg_sys::Oid) -> Result<Option<Source>, Error> {
    let up = format!(
        "WITH RECURSIVE up AS (
             SELECT $1 AS oid, 0 AS height
             UNION ALL SELECT i.inhparent, height + 1 FROM up JOIN pg_inherits AS i ON i.inhrelid = up.oid)
         {SOURCE} JOIN up ON up.oid = s.source ORDER BY up.height LIMIT 1"
    );
    spi::one(&up, &[oid.into()], from_row).transpose()
}

/// Keeps others from reading or dropping a source until the end of the transaction.
pub fn claim(source: &Source) -> Result<(), Error> {
    let claimed = spi::one(
        "SELECT pg_try_advisory_xact_lock('identity_resolve.source'::regclass::oid::int, $1)",
        &[(source.number as i32).into()],
        |row| row.bool(0).unwrap_or_default(),
    );
    match claimed {
        Some(true) => Ok(()),
        _ => Err(Error::Busy { relation: source.name.clone() }),
    }
}

/// Detaches a relation and takes back what it told.
pub fn drop(oid: pg_sys::Oid) -> Result<(), Error> {
    let sources = attached(Some(oid))?;
    sources.iter().try_for_each(claim)?;
    trigger::drop_from(oid);
    lock::become_consumer();
    backfill::retract(&sources)?;
    for source in &sources {
        let number = source.number as i32;
        for statement in [
            "DELETE FROM identity_resolve.queue WHERE source = $1",
            "DELETE FROM identity_resolve.dead_letter WHERE source = $1",
            "DELETE FROM identity_resolve.left_out WHERE source = $1",
            "DELETE FROM identity_resolve.rejection WHERE source = $1",
            "DELETE FROM identity_resolve.checkpoint WHERE source = $1",
            "DELETE FROM identity_resolve.source WHERE id = $1",
        ] {
            spi::run(statement, &[number.into()]);
        }
        match_index::forget(&source.name);
        review::forget_unknown();
    }
    Ok(())
}
