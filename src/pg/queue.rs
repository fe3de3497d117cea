//! The queue: writers append what their statements changed, and one session at a time brings it
//! into the graph, in the order in which it was appended.
//!
//! A row is taken back after it was added: whoever takes it back has seen it committed, and so
//! appends later. That is why there is one consumer, and why it goes by the number of an entry.

use super::configuration::Configuration;
use super::observe;
use super::progress::{self, Phase, Work};
use super::source::{self, Source};
use super::table::{Place, Table, Value};
use super::transaction::{self, Failure, PinnedSettings, Procedure, guarded};
use super::watch::Watched;
use super::{backfill, live, lock, settings, spi, worker, write};
use crate::error::Error;
use crate::graph::{Day, Graph};
use crate::source::batch::Batch;
use crate::source::row::Tally;
use crate::source::seen_at;
use crate::source::sighting::Observer;
use pgrx::{JsonB, pg_sys};
use rustc_hash::FxHashMap;
use serde_json::{Map, Value as Json};
use std::collections::hash_map::Entry;
use std::rc::Rc;

/// Bytes at which an entry ends: it should fit into a page.
const ENTRY_BYTES: usize = 6000;

/// How often a row that fails is tried before it is set aside.
const ATTEMPTS: i32 = 3;

/// Appends rows of a source.
pub fn append(watched: &Watched, batch: &Batch) {
    let rows = batch.len();
    let mut queue = Table::open("queue");
    let mut first = 0;
    while first < rows {
        // Most statements bring few rows, which fit; of many, a piece that is about as long.
        let (mut end, mut content) = (rows, batch.pack(watched.width(), first..rows, watched.shape));
        if content.len() > ENTRY_BYTES {
            let fitting = (rows - first) * ENTRY_BYTES / content.len();
            end = first + fitting.clamp(1, rows - first);
            content = batch.pack(watched.width(), first..end, watched.shape);
        }
        insert(&mut queue, watched.source.number, end - first, &content);
        first = end;
    }
}

/// Appends that all rows of a keyed source are gone.
pub fn append_emptied(source: &Source) {
    insert(&mut Table::open("queue"), source.number, 1, &[]);
}

fn insert(queue: &mut Table, source: u32, rows: usize, content: &[u8]) {
    queue.insert(&[
        Value::Int8(write::next_number("queue_id")),
        Value::Int4(source as i32),
        Value::Int8(transaction::now()),
        Value::Int4(rows as i32),
        Value::Bytea(content),
    ]);
}

/// Notes that rows of a source could not even be queued.
pub fn set_aside(source: &Source, error: Error) {
    dead_letter(source.number, &error.into(), None, None);
}

/// Sets queued rows aside.
fn dead_letter(source: u32, failure: &Failure, row: Option<Map<String, Json>>, content: Option<&[u8]>) {
    spi::run(
        "INSERT INTO identity_resolve.dead_letter (source, error, sqlstate, attempts, row, content)
         VALUES ($1, $2, $3, $4, $5, $6)",
        &[
            (source as i32).into(),
            failure.message.as_str().into(),
            failure.sqlstate().into(),
            ATTEMPTS.into(),
            row.map(|row| JsonB(Json::Object(row))).into(),
            content.map(<[u8]>::to_vec).into(),
        ],
    );
}

/// Brings all that is queued now into the graph, some thousand rows at a time.
pub fn drain(procedure: &Procedure) -> Result<(), Error> {
    transaction::refuse_if_read_only();
    let pinned = PinnedSettings::pin();
    progress::end();
    let last = transaction::with_latest_snapshot(last_entry);
    while drain_up_to(last, settings::queue_batch())? > 0 {
        if procedure.may_commit() {
            procedure.commit();
            pinned.renew();
        }
    }
    Ok(())
}

/// Brings some `rows` rows into the graph, in one transaction with their removal from the queue.
/// Returns how many; 0 when nothing is left.
pub fn drain_batch(rows: usize) -> Result<usize, Error> {
    drain_up_to(i64::MAX, rows)
}

/// Brings all that a source has queued into the graph, and what was queued before it.
pub fn drain_source(source: &Source) -> Result<(), Error> {
    let last = transaction::with_latest_snapshot(|| {
        spi::one(
            "SELECT max(id) FROM identity_resolve.queue WHERE source = $1",
            &[(source.number as i32).into()],
            |row| row.int8(0),
        )
    });
    let last = last.flatten().unwrap_or_default();
    while drain_up_to(last, settings::queue_batch())? > 0 {}
    Ok(())
}

fn last_entry() -> i64 {
    let last = spi::one("SELECT max(id) FROM identity_resolve.queue", &[], |row| row.int8(0));
    last.flatten().unwrap_or_default()
}

fn drain_up_to(last: i64, rows: usize) -> Result<usize, Error> {
    transaction::refuse_if_read_only();
    lock::become_consumer();
    let configuration = live::begin()?;
    let entries = transaction::with_latest_snapshot(|| entries(last, rows));
    if entries.is_empty() {
        progress::end();
        return Ok(0);
    }
    if !progress::is_active() {
        progress::begin(Work::DrainQueue);
        let backlog = spi::one("SELECT sum(rows) FROM identity_resolve.queue", &[], |row| row.int8(0));
        progress::phase(Phase::Draining, backlog.flatten().unwrap_or_default(), 0);
    }
    let taken = entries.iter().map(|entry| entry.rows).sum();
    consume(&configuration, &entries)?;
    let mut queue = Table::open("queue");
    entries.iter().for_each(|entry| queue.delete(entry.place));
    drop(queue);
    worker::note_drained(taken);
    progress::advance(taken as i64);
    Ok(taken)
}

/// A row of the table `queue`.
struct Queued {
    place: Place,
    source: u32,
    rows: usize,
    content: Vec<u8>,
}

impl Queued {
    /// Whether it says that its source was emptied.
    fn says_emptied(&self) -> bool {
        self.content.is_empty()
    }
}

/// The first entries, of some `rows` rows together. One that empties a source stands alone.
fn entries(last: i64, rows: usize) -> Vec<Queued> {
    let mut counted = 0;
    let heads = spi::all(
        "SELECT id, rows FROM identity_resolve.queue WHERE id <= $1 ORDER BY id LIMIT $2",
        &[last.into(), (rows.max(1) as i64).into()],
        |row| (row.int8(0).unwrap_or_default(), row.int4(1).unwrap_or_default() as usize),
    );
    let end = heads.iter().position(|&(_, of_entry)| {
        counted += of_entry;
        counted >= rows
    });
    let Some(&(last, _)) = heads.get(end.unwrap_or(heads.len().saturating_sub(1))) else {
        return Vec::new();
    };
    let mut entries = spi::all(
        "SELECT ctid, source, rows, content FROM identity_resolve.queue WHERE id <= $1 ORDER BY id",
        &[last.into()],
        |row| Queued {
            place: row.place(0),
            source: row.int4(1).unwrap_or_default() as u32,
            rows: row.int4(2).unwrap_or_default() as usize,
            content: row.bytes(3).unwrap_or_default().to_vec(),
        },
    );
    if let Some(emptied) = entries.iter().position(Queued::says_emptied) {
        entries.truncate(emptied.max(1));
    }
    entries
}

fn consume(configuration: &Configuration, entries: &[Queued]) -> Result<(), Error> {
    if entries[0].says_emptied() {
        let source = transaction::with_latest_snapshot(|| source::of_number(entries[0].source))?;
        let keyed = source.filter(|source| source.mapping.key.is_some());
        return keyed.map_or(Ok(()), |source| {
            forget_letters(&source);
            backfill::retract(&[source])
        });
    }
    let mut sources: FxHashMap<u32, Option<Rc<Watched>>> = FxHashMap::default();
    for entry in entries {
        if let Entry::Vacant(unknown) = sources.entry(entry.source) {
            let watched = guarded(|| configuration.watched_source(entry.source));
            // A source that was detached takes its rows along; one that has lost a column sets its
            // rows aside, and does not stop the others.
            unknown.insert(watched.as_ref().ok().cloned().flatten());
            let Err(failure) = watched else { continue };
            if !failure.is_about_data() {
                return Err(failure.into());
            }
            for other in entries.iter().filter(|other| other.source == entry.source) {
                let rows = single_rows(configuration, other)?;
                rows.iter().for_each(|row| dead_letter(other.source, &failure, None, Some(row)));
            }
        }
    }
    let mut letters: Vec<Letter> = Vec::new();
    let mut singles = Vec::new();
    for entry in entries {
        if let Some(Some(watched)) = sources.get(&entry.source) {
            match has_letters(&watched.source) {
                false => letters.push(Letter { watched, packed: &entry.content }),
                true => singles
                    .extend(still_to_do(watched, &entry.content).into_iter().map(|row| (watched, row))),
            }
        }
    }
    letters.extend(singles.iter().map(|(watched, packed)| Letter { watched, packed }));
    consume_or_set_aside(configuration, &letters)
}

/// The rows of an entry, each packed for itself, of a source whose table no longer fits its mapping.
fn single_rows(configuration: &Configuration, entry: &Queued) -> Result<Vec<Vec<u8>>, Error> {
    let whole = || vec![entry.content.clone()];
    let source = transaction::with_latest_snapshot(|| source::of_number(entry.source))?;
    let Some(source) = source else { return Ok(whole()) };
    let (reader, _) = source.row_reader(&configuration.rules, &[], 0)?;
    let width = reader.columns.len();
    let mut batch = Batch::default();
    let shape = Batch::packed_shape(&entry.content);
    match shape.and_then(|shape| batch.unpack(width, &entry.content).map(|()| shape)) {
        Ok(shape) => Ok((0..batch.len()).map(|row| batch.pack(width, row..row + 1, shape)).collect()),
        Err(_) => Ok(whole()),
    }
}

/// Whether rows of a source have been set aside.
fn has_letters(source: &Source) -> bool {
    let query =
        "SELECT FROM identity_resolve.dead_letter WHERE source = $1 AND content IS NOT NULL LIMIT 1";
    spi::one(query, &[(source.number as i32).into()], |_| ()).is_some()
}

/// Forgets the rows of a source that have been set aside.
fn forget_letters(source: &Source) {
    let number = (source.number as i32).into();
    spi::run("DELETE FROM identity_resolve.dead_letter WHERE source = $1", &[number]);
}

/// Rows of an entry, each packed for itself, without those that take back what was set aside: both
/// come to nothing, whatever becomes of the other letters.
fn still_to_do(watched: &Watched, packed: &[u8]) -> Vec<Vec<u8>> {
    let mut batch = Batch::default();
    if (Letter { watched, packed }).unpack_into(&mut batch).is_err() {
        return vec![packed.to_vec()];
    }
    let width = watched.width();
    let rows = (0..batch.len()).map(|row| batch.pack(width, row..row + 1, watched.shape));
    rows.filter(|row| {
        let added = Batch::added(row);
        added.is_none_or(|added| {
            let forgotten = spi::run(
                "DELETE FROM identity_resolve.dead_letter WHERE id =
                     (SELECT min(id) FROM identity_resolve.dead_letter WHERE source = $1 AND content = $2)",
                &[(watched.source.number as i32).into(), added.into()],
            );
            forgotten == 0
        })
    })
    .collect()
}

/// Queued rows of a source.
#[derive(Clone, Copy)]
struct Letter<'a> {
    watched: &'a Watched,
    packed: &'a [u8],
}

impl Letter<'_> {
    fn unpack_into(&self, batch: &mut Batch) -> Result<(), Error> {
        let Watched { source, shape, .. } = self.watched;
        let unreadable = |cause: String| Error::QueuedRow { relation: source.name.clone(), cause };
        let packed_shape =
            Batch::packed_shape(self.packed).map_err(|bad| unreadable(bad.to_string()))?;
        if packed_shape != *shape {
            return Err(unreadable("they were queued under another mapping".into()));
        }
        batch.unpack(self.watched.width(), self.packed).map_err(|bad| unreadable(bad.to_string()))
    }
}

/// Brings queued rows into the graph. If that fails because of the rows, each half is tried for
/// itself, and what fails alone is set aside.
fn consume_or_set_aside(configuration: &Configuration, letters: &[Letter]) -> Result<(), Error> {
    let Err(failure) = guarded(|| apply(configuration, letters)) else { return Ok(()) };
    if !failure.is_about_data() {
        return Err(failure.into());
    }
    if letters.len() > 1 {
        let (early, late) = letters.split_at(letters.len() / 2);
        consume_or_set_aside(configuration, early)?;
        return consume_or_set_aside(configuration, late);
    }
    let Some(&letter) = letters.first() else { return Ok(()) };
    let mut batch = Batch::default();
    let readable = letter.unpack_into(&mut batch).is_ok();
    if readable && batch.len() > 1 {
        let width = letter.watched.width();
        let rows: Vec<Vec<u8>> =
            (0..batch.len()).map(|row| batch.pack(width, row..row + 1, letter.watched.shape)).collect();
        let letters: Vec<Letter> = rows.iter().map(|packed| Letter { packed, ..letter }).collect();
        return consume_or_set_aside(configuration, &letters);
    }
    for _ in 1..ATTEMPTS {
        if guarded(|| apply(configuration, letters)).is_ok() {
            return Ok(());
        }
    }
    let row = readable.then(|| letter.watched.named(&batch));
    dead_letter(letter.watched.source.number, &failure, row, Some(letter.packed));
    Ok(())
}

fn apply(configuration: &Configuration, letters: &[Letter]) -> Result<(), Error> {
    let mut batches: Vec<(&Watched, Batch)> = Vec::new();
    for letter in letters {
        let known = batches.iter_mut().find(|(watched, _)| std::ptr::eq(*watched, letter.watched));
        match known {
            Some((_, batch)) => letter.unpack_into(batch)?,
            None => {
                let mut batch = Batch::default();
                letter.unpack_into(&mut batch)?;
                batches.push((letter.watched, batch));
            }
        }
    }
    let batches: Vec<(&Watched, &Batch)> =
        batches.iter().map(|(watched, batch)| (*watched, batch)).collect();
    observe::apply(configuration, &batches, letters.len() > 1)
}

/// Where the entries of a source that the active snapshot shows stand.
pub fn places(source: &Source) -> Vec<Place> {
    spi::all(
        "SELECT ctid FROM identity_resolve.queue WHERE source = $1",
        &[(source.number as i32).into()],
        |row| row.place(0),
    )
}

/// Counts the queued rows of a source that the active snapshot shows and that were seen before a day.
pub fn count_before(
    day: Day,
    source: &Source,
    configuration: &Configuration,
    observer: &mut Observer,
    graph: &mut Graph,
) -> Result<(), Error> {
    let entries = spi::all(
        "SELECT content FROM identity_resolve.queue WHERE source = $1 ORDER BY id",
        &[(source.number as i32).into()],
        |row| row.bytes(0).unwrap_or_default().to_vec(),
    );
    let Some(watched) = configuration.watched_source(source.number)? else { return Ok(()) };
    let today = seen_at::today();
    for packed in entries.iter().filter(|packed| !packed.is_empty()) {
        let mut batch = Batch::default();
        (Letter { watched: &watched, packed }).unpack_into(&mut batch)?;
        for row in batch.rows(watched.width()) {
            if watched.rows.day(&row, today) < day {
                watched.rows.read(&row, today, observer, graph, &mut Tally::default());
            }
        }
    }
    Ok(())
}

/// Removes entries, of which this session is the consumer.
pub fn remove(places: &[Place]) {
    if !places.is_empty() {
        let mut queue = Table::open("queue");
        places.iter().for_each(|&place| queue.delete(place));
        // SAFETY: makes what was deleted invisible to the transaction's next command.
        unsafe { pg_sys::CommandCounterIncrement() };
    }
}
