//! Writing many rows: PostgreSQL's own COPY, fed from memory in its binary format.
//!
//! COPY inserts whole pages at a time: two to three times the speed of INSERT … SELECT.

use super::table::Value;
use super::{progress, thread, transaction};
use pgrx::{pg_guard, pg_sys};
use serde_json::Value as Json;
use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::sync::mpsc::{Receiver, SyncSender};
use std::{ptr, slice};
use uuid::Uuid;

/// 1970-01-01 in days since 2000-01-01, where PostgreSQL counts from.
pub const UNIX_EPOCH: i32 = -10_957;

const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const TRAILER: [u8; 2] = (-1i16).to_be_bytes();

/// One row in COPY's binary format.
pub struct RowWriter<'a> {
    out: &'a mut Vec<u8>,
}

impl RowWriter<'_> {
    fn field(&mut self, bytes: &[u8]) -> &mut Self {
        self.out.extend_from_slice(&(bytes.len() as i32).to_be_bytes());
        self.out.extend_from_slice(bytes);
        self
    }

    /// A null of any type.
    pub fn null(&mut self) -> &mut Self {
        self.out.extend_from_slice(&(-1i32).to_be_bytes());
        self
    }

    /// A bigint.
    pub fn int8(&mut self, value: i64) -> &mut Self {
        self.field(&value.to_be_bytes())
    }

    /// An int.
    pub fn int4(&mut self, value: i32) -> &mut Self {
        self.field(&value.to_be_bytes())
    }

    /// A boolean.
    pub fn bool(&mut self, value: bool) -> &mut Self {
        self.field(&[u8::from(value)])
    }

    /// A float8 or null.
    pub fn float8(&mut self, value: Option<f64>) -> &mut Self {
        match value {
            Some(value) => self.field(&value.to_be_bytes()),
            None => self.null(),
        }
    }

    /// A text or an enum's label.
    pub fn text(&mut self, value: &str) -> &mut Self {
        self.field(value.as_bytes())
    }

    /// A text or an enum's label, or null.
    pub fn text_or_null(&mut self, value: Option<&str>) -> &mut Self {
        match value {
            Some(value) => self.text(value),
            None => self.null(),
        }
    }

    /// A bytea.
    pub fn bytea(&mut self, value: &[u8]) -> &mut Self {
        self.field(value)
    }

    /// A uuid; nil is null.
    pub fn uuid(&mut self, value: Uuid) -> &mut Self {
        if value.is_nil() { self.null() } else { self.field(value.as_bytes()) }
    }

    /// An array of texts.
    fn texts(&mut self, texts: &[&str]) -> &mut Self {
        const HEADER: usize = 20;
        let length = HEADER + texts.iter().map(|text| 4 + text.len()).sum::<usize>();
        let (dimensions, may_have_nulls, first) = (1i32, 0i32, 1i32);
        let type_oid = pg_sys::TEXTOID.to_u32() as i32;
        for number in [length as i32, dimensions, may_have_nulls, type_oid, texts.len() as i32, first] {
            self.out.extend_from_slice(&number.to_be_bytes());
        }
        texts.iter().for_each(|text| {
            self.field(text.as_bytes());
        });
        self
    }

    /// A jsonb.
    fn json(&mut self, json: &Json) -> &mut Self {
        const VERSION: char = '\u{1}';
        self.text(&format!("{VERSION}{json}"))
    }

    /// A value of the type of its column.
    pub fn value(&mut self, value: Value) -> &mut Self {
        match value {
            Value::Null => self.null(),
            Value::Int8(value) => self.int8(value),
            Value::Int4(value) => self.int4(value),
            Value::Bool(value) => self.bool(value),
            Value::Float8(value) => self.float8(Some(value)),
            Value::Text(value) => self.text(value),
            Value::Bytea(value) => self.bytea(value),
            Value::Uuid(value) => self.uuid(value),
            Value::Oid(value) => self.int4(value.to_u32() as i32),
            Value::Texts(value) => self.texts(value),
            Value::Json(value) => self.json(value),
        }
    }

    /// A date, given in days since 1970, or null.
    pub fn date(&mut self, days: Option<i32>) -> &mut Self {
        match days {
            Some(days) => self.int4(days + UNIX_EPOCH),
            None => self.null(),
        }
    }
}

/// What the callback, which takes no argument of ours, works on.
struct Feed {
    chunks: Receiver<Chunk>,
    chunk: Chunk,
    read: usize,
    progress: Progress,
}

/// Some encoded rows.
#[derive(Default)]
struct Chunk {
    bytes: Vec<u8>,
    rows: usize,
}

/// Bytes of a full chunk.
const CHUNK: usize = 1 << 18;

thread_local! {
    static FEED: Cell<*mut Feed> = const { Cell::new(ptr::null_mut()) };
}

/// Whether the rows that are written are those of the phase that others see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    Shown,
    Unseen,
}

/// Whether COPY keeps the table's indexes up to date, row by row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Indexes {
    Maintain,
    /// Leave them as they are: the caller builds them anew in the same transaction.
    Ignore,
}

/// Copies rows into all columns of a table of this extension. The rows are gathered and encoded on
/// another thread.
pub fn copy_into<T: Send>(
    table: &str,
    columns: i16,
    indexes: Indexes,
    progress: Progress,
    rows: impl Iterator<Item = T> + Send,
    write: impl Fn(T, &mut RowWriter) + Send,
) {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return;
    }
    let encode = move |chunks: SyncSender<Chunk>| {
        let mut chunk = Chunk { bytes: HEADER.to_vec(), rows: 0 };
        for row in rows {
            chunk.bytes.extend_from_slice(&columns.to_be_bytes());
            write(row, &mut RowWriter { out: &mut chunk.bytes });
            chunk.rows += 1;
            if chunk.bytes.len() >= CHUNK && chunks.send(std::mem::take(&mut chunk)).is_err() {
                return;
            }
        }
        chunk.bytes.extend_from_slice(&TRAILER);
        // Refused only if an error has ended the COPY.
        let _ = chunks.send(chunk);
    };
    thread::with_producer(encode, |chunks| copy(table, indexes, progress, chunks));
}

fn copy(table: &str, indexes: Indexes, progress: Progress, chunks: Receiver<Chunk>) {
    let mut feed = Feed { chunks, chunk: Chunk::default(), read: 0, progress };
    let relation = transaction::relation(table);
    // A trigger of somebody else's may lead to another COPY.
    let outer = FEED.replace(&mut feed);
    // SAFETY: the relation is open with the lock that COPY wants while COPY runs; `read` meets the
    // contract of a data source, and the feed outlives the COPY: nothing calls `read` after an
    // error has unwound past here. `makeString` and `makeDefElem` keep the static strings.
    unsafe {
        let relation = pg_sys::table_open(relation, pg_sys::RowExclusiveLock as _);
        let parse = pg_sys::make_parsestate(ptr::null_mut());
        pg_sys::addRangeTableEntryForRelation(
            parse,
            relation,
            pg_sys::RowExclusiveLock as _,
            ptr::null_mut(),
            false,
            false,
        );
        let binary = pg_sys::makeString(c"binary".as_ptr().cast_mut());
        let format = pg_sys::makeDefElem(c"format".as_ptr().cast_mut(), binary.cast(), -1);
        let options = pg_sys::lappend(ptr::null_mut(), format.cast());
        let copy = pg_sys::BeginCopyFrom(
            parse,
            relation,
            ptr::null_mut(),
            ptr::null(),
            false,
            Some(read),
            ptr::null_mut(),
            options,
        );
        {
            let _utf8 = Utf8::begin();
            let _hidden = (indexes == Indexes::Ignore).then(|| HiddenIndexes::of(relation));
            pg_sys::CopyFrom(copy);
        }
        pg_sys::EndCopyFrom(copy);
        pg_sys::free_parsestate(parse);
        pg_sys::table_close(relation, pg_sys::NoLock as _);
        pg_sys::CommandCounterIncrement();
    }
    FEED.set(outer);
}

/// Lets COPY take texts as they are, in UTF-8, whatever the client speaks, until dropped.
struct Utf8 {
    of_client: c_int,
}

impl Utf8 {
    fn begin() -> Self {
        // SAFETY: plain functions. From UTF-8, the encoding of the database, nothing is converted, so it
        // cannot fail.
        unsafe {
            let of_client = pg_sys::pg_get_client_encoding();
            pg_sys::SetClientEncoding(pg_sys::pg_enc::PG_UTF8 as c_int);
            Utf8 { of_client }
        }
    }
}

impl Drop for Utf8 {
    fn drop(&mut self) {
        // SAFETY: it was in force before; also when an error unwinds.
        unsafe { pg_sys::SetClientEncoding(self.of_client) };
    }
}

/// Lets COPY believe that a table has no indexes, until dropped.
struct HiddenIndexes {
    relation: pg_sys::Relation,
}

impl HiddenIndexes {
    /// # Safety
    /// The relation is open, and stays so until this is dropped.
    unsafe fn of(relation: pg_sys::Relation) -> Self {
        // SAFETY: by contract. Only this backend's copy of the catalog row changes, and only until
        // `drop`, which also runs when an error unwinds: before the relation is closed.
        unsafe { (*(*relation).rd_rel).relhasindex = false };
        HiddenIndexes { relation }
    }
}

impl Drop for HiddenIndexes {
    fn drop(&mut self) {
        // SAFETY: see `of`.
        unsafe { (*(*self.relation).rd_rel).relhasindex = true };
    }
}

/// Gives COPY `most` bytes; fewer only at the end.
#[pg_guard]
unsafe extern "C-unwind" fn read(out: *mut c_void, _least: c_int, most: c_int) -> c_int {
    // SAFETY: COPY calls this only inside `copy`, which keeps the feed alive, and `out` has room for
    // `most` bytes.
    let (feed, out) =
        unsafe { (&mut *FEED.get(), slice::from_raw_parts_mut(out.cast::<u8>(), most as usize)) };
    let mut filled = 0;
    while filled < out.len() {
        let rest = &feed.chunk.bytes[feed.read..];
        if rest.is_empty() {
            let Ok(next) = feed.chunks.recv() else { break };
            if feed.progress == Progress::Shown {
                progress::advance(next.rows as i64);
            }
            (feed.chunk, feed.read) = (next, 0);
            continue;
        }
        let length = rest.len().min(out.len() - filled);
        out[filled..filled + length].copy_from_slice(&rest[..length]);
        filled += length;
        feed.read += length;
    }
    filled as c_int
}
