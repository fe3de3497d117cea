//! The trigger function: what a statement did to a customer's table.

use super::configuration::{self, Configuration};
use super::cursor::{self, Row};
use super::history::{Kind, Operation};
use super::watch::{self, Watched};
use super::{backfill, live, queue, rejection, source, statement, transaction, trigger};
use crate::error::Error;
use crate::graph::Graph;
use crate::source::batch::Batch;
use crate::source::row::Tally;
use crate::source::seen_at;
use crate::source::sighting::Observer;
use pgrx::{PgMemoryContexts, pg_sys};
use rustc_hash::FxHashSet;
use std::ffi::CStr;
use std::rc::Rc;

/// When the writer's row becomes part of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Only a backfill reads the source.
    Manual,
    /// Within the writer's transaction.
    Trigger,
    /// Later: the writer only appends to the queue.
    Queue,
}

impl Mode {
    /// Every mode.
    pub const ALL: [Mode; 3] = [Mode::Manual, Mode::Trigger, Mode::Queue];

    /// The word used in SQL.
    pub fn word(self) -> &'static str {
        match self {
            Mode::Manual => "manual",
            Mode::Trigger => "trigger",
            Mode::Queue => "queue",
        }
    }

    /// Reads the word used in SQL.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.word() == word)
    }
}

/// What happened to a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Insert,
    Delete,
    Update,
    Truncate,
}

/// A call of the trigger function.
struct Call<'a> {
    data: &'a pg_sys::TriggerData,
}

impl<'a> Call<'a> {
    /// The call that a function was called with; `None` if it was not called by a trigger.
    ///
    /// # Safety
    /// `fcinfo` is a valid call info, and outlives the result.
    unsafe fn of(fcinfo: pg_sys::FunctionCallInfo) -> Option<Self> {
        // SAFETY: by contract; the context of a trigger's call is its TriggerData.
        unsafe {
            let context = (*fcinfo).context;
            let is_trigger = !context.is_null() && (*context).type_ == pg_sys::NodeTag::T_TriggerData;
            is_trigger.then(|| Call { data: &*context.cast() })
        }
    }

    fn event(&self) -> Event {
        match self.data.tg_event & 3 {
            0 => Event::Insert,
            1 => Event::Delete,
            2 => Event::Update,
            _ => Event::Truncate,
        }
    }

    fn is_for_each_row(&self) -> bool {
        self.data.tg_event & pg_sys::TRIGGER_EVENT_ROW != 0
    }

    /// Neither BEFORE nor INSTEAD OF.
    fn is_after(&self) -> bool {
        self.data.tg_event & (pg_sys::TRIGGER_EVENT_BEFORE | pg_sys::TRIGGER_EVENT_INSTEAD) == 0
    }

    fn relation(&self) -> pg_sys::Oid {
        // SAFETY: the relation is open.
        unsafe { (*self.data.tg_relation).rd_id }
    }

    fn relation_name(&self) -> String {
        source::relation(self.relation()).map_or_else(|_| String::new(), |relation| relation.name)
    }

    fn trigger_name(&self) -> &str {
        // SAFETY: the trigger outlives its call.
        unsafe { CStr::from_ptr((*self.data.tg_trigger).tgname) }.to_str().unwrap_or_default()
    }

    /// The mode that the trigger's argument names, if it has one.
    fn argument(&self) -> Result<Option<Mode>, Error> {
        // SAFETY: a trigger has as many arguments as it says.
        let argument = unsafe {
            let trigger = &*self.data.tg_trigger;
            (trigger.tgnargs > 0).then(|| CStr::from_ptr(*trigger.tgargs).to_string_lossy())
        };
        match argument.map(|word| (Mode::parse(&word), word)) {
            None => Ok(None),
            Some((Some(mode @ (Mode::Trigger | Mode::Queue)), _)) => Ok(Some(mode)),
            Some((_, word)) => Err(Error::Mode {
                mode: word.into_owned(),
                relation: self.relation_name(),
                why: "The argument of a trigger is 'trigger' or 'queue'.",
            }),
        }
    }
}

/// Takes in what a statement, or a row's change, says: the trigger function that was called so.
pub fn observe(fcinfo: pg_sys::FunctionCallInfo) -> Result<(), Error> {
    // SAFETY: PostgreSQL passes a valid call info, which outlives the call.
    let call = unsafe { Call::of(fcinfo) }.ok_or(Error::NotATrigger)?;
    let call = &call;
    let configuration = configuration::current()?;
    let argument = call.argument()?;
    let watched = match configuration.watched(call.relation()) {
        Ok(Some(watched)) => watched,
        // A partition that was detached keeps its triggers.
        Ok(None) if trigger::is_ours(call.trigger_name()) => return Ok(()),
        Ok(None) => return Err(Error::NotWatched { relation: call.relation_name() }),
        Err(error) => {
            // A writer of a queue is never failed by what is wrong with a mapping.
            let source = source::of_relation(call.relation()).ok().flatten();
            return match source.filter(|source| argument.unwrap_or(source.mode) == Mode::Queue) {
                Some(source) => {
                    queue::set_aside(&source, error);
                    Ok(())
                }
                None => Err(error),
            };
        }
    };
    let mode = match argument.unwrap_or(watched.source.mode) {
        Mode::Manual => Mode::Trigger,
        mode => mode,
    };
    let keyed = watched.source.mapping.key.is_some();
    match call.event() {
        Event::Delete | Event::Truncate if !keyed => Ok(()),
        Event::Truncate => truncated(call, configuration, &watched, mode),
        event => {
            if !call.is_after() {
                return Err(Error::TriggerShape {
                    relation: call.relation_name(),
                    wanted: "AFTER INSERT, UPDATE or DELETE",
                });
            }
            let rows = Rows::of(call, event)?;
            let mut sink = Sink::new(configuration, &watched, mode, rows.count())?;
            if watched.depends_on_settings {
                transaction::with_pinned_text(|| rows.each(|row, back| sink.push(row, back)))?;
            } else {
                rows.each(|row, back| sink.push(row, back))?;
            }
            sink.finish()
        }
    }
}

/// Takes back the rows of a table that is about to be emptied. Each table of a source's tree has its
/// own trigger.
fn truncated(
    call: &Call,
    configuration: Rc<Configuration>,
    watched: &Rc<Watched>,
    mode: Mode,
) -> Result<(), Error> {
    let tree = watch::tree(watched.source.oid);
    if tree == [call.relation()] {
        return match mode {
            Mode::Queue => {
                queue::append_emptied(&watched.source);
                Ok(())
            }
            _ => backfill::retract(std::slice::from_ref(&watched.source)),
        };
    }
    if call.is_after() {
        return Err(Error::TriggerShape { relation: call.relation_name(), wanted: "BEFORE TRUNCATE" });
    }
    let mut sink = Sink::new(configuration, watched, mode, usize::MAX)?;
    let mut result = Ok(());
    let query = watched.select_all(&call.relation_name());
    transaction::with_pinned_text(|| {
        cursor::stream(&query, &[], |row| {
            if result.is_ok() {
                result = sink.push(row, true);
            }
        });
    });
    result?;
    sink.finish()
}

/// The rows of one call.
enum Rows {
    /// Transition tables, of rows as they were and as they are.
    Tables { old: Option<Transition>, new: Option<Transition> },
    /// One row, as it was and as it is.
    Single { relation: pg_sys::Relation, old: pg_sys::HeapTuple, new: pg_sys::HeapTuple },
}

impl Rows {
    fn of(call: &Call, event: Event) -> Result<Self, Error> {
        let data = call.data;
        let null = std::ptr::null_mut();
        if call.is_for_each_row() {
            let (old, new) = match event {
                Event::Insert => (null, data.tg_trigtuple),
                Event::Update => (data.tg_trigtuple, data.tg_newtuple),
                _ => (data.tg_trigtuple, null),
            };
            return Ok(Rows::Single { relation: data.tg_relation, old, new });
        }
        let (wants_old, wants_new) = (event != Event::Insert, event != Event::Delete);
        if (wants_old && data.tg_oldtable.is_null()) || (wants_new && data.tg_newtable.is_null()) {
            return Err(Error::TriggerShape {
                relation: call.relation_name(),
                wanted: match event {
                    Event::Insert => "REFERENCING NEW TABLE AS new_rows",
                    Event::Delete => "REFERENCING OLD TABLE AS old_rows",
                    _ => "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows",
                },
            });
        }
        // SAFETY: the tables are this call's, and live as long as it.
        let open = |store| unsafe { Transition::open(data.tg_relation, store) };
        Ok(Rows::Tables {
            old: wants_old.then(|| open(data.tg_oldtable)),
            new: wants_new.then(|| open(data.tg_newtable)),
        })
    }

    /// How many there are, old and new.
    fn count(&self) -> usize {
        match self {
            Rows::Single { .. } => 1,
            Rows::Tables { old, new } => [old, new].into_iter().flatten().map(Transition::count).sum(),
        }
    }

    /// Shows each row, and whether it is as it was; an updated row's two versions one after the
    /// other.
    fn each(self, mut each: impl FnMut(&Row, bool) -> Result<(), Error>) -> Result<(), Error> {
        match self {
            Rows::Single { relation, old, new } => {
                for (tuple, taken_back) in [(old, true), (new, false)] {
                    if !tuple.is_null() {
                        // SAFETY: a row of the relation.
                        unsafe {
                            cursor::show_tuple(tuple, (*relation).rd_att, |row| each(row, taken_back))
                        }?;
                    }
                }
            }
            Rows::Tables { mut old, mut new } => {
                let mut scratch = PgMemoryContexts::new("identity_resolve rows");
                for number in 1.. {
                    let mut any = false;
                    for (table, taken_back) in [(&mut old, true), (&mut new, false)] {
                        if let Some(row) = table.as_mut().and_then(Transition::next) {
                            any = true;
                            // SAFETY: what one row takes is not used after it.
                            unsafe { scratch.switch_to(|_| each(&row, taken_back)) }?;
                        }
                    }
                    if !any {
                        break;
                    }
                    if number % Batch::ROWS == 0 {
                        // SAFETY: as above.
                        unsafe { scratch.reset() };
                    }
                }
            }
        }
        Ok(())
    }
}

/// A transition table.
struct Transition {
    store: *mut pg_sys::Tuplestorestate,
    reader: i32,
    slot: *mut pg_sys::TupleTableSlot,
}

impl Transition {
    /// # Safety
    /// `store` holds rows of `relation`; both outlive the result.
    unsafe fn open(relation: pg_sys::Relation, store: *mut pg_sys::Tuplestorestate) -> Self {
        // SAFETY: by contract. Others may read the same table: each has a place of its own in it.
        unsafe {
            let reader = pg_sys::tuplestore_alloc_read_pointer(store, pg_sys::EXEC_FLAG_REWIND as i32);
            pg_sys::tuplestore_select_read_pointer(store, reader);
            pg_sys::tuplestore_rescan(store);
            let slot = pg_sys::MakeSingleTupleTableSlot(
                (*relation).rd_att,
                &raw const pg_sys::TTSOpsMinimalTuple,
            );
            Transition { store, reader, slot }
        }
    }

    fn count(&self) -> usize {
        // SAFETY: the table is there.
        unsafe { pg_sys::tuplestore_tuple_count(self.store) as usize }
    }

    /// The next row, valid until the next is asked for.
    fn next(&mut self) -> Option<Row<'_>> {
        // SAFETY: the slot holds a row of the table after a successful read, and deforming fills as
        // many values as there are columns.
        unsafe {
            pg_sys::tuplestore_select_read_pointer(self.store, self.reader);
            if !pg_sys::tuplestore_gettupleslot(self.store, true, false, self.slot) {
                return None;
            }
            let columns = (*(*self.slot).tts_tupleDescriptor).natts;
            pg_sys::slot_getsomeattrs_int(self.slot, columns);
            Some(Row::new(
                std::slice::from_raw_parts((*self.slot).tts_values, columns as usize),
                std::slice::from_raw_parts((*self.slot).tts_isnull, columns as usize),
            ))
        }
    }
}

impl Drop for Transition {
    fn drop(&mut self) {
        // After an error the end of the transaction cleans up.
        if !std::thread::panicking() {
            // SAFETY: made in `open`.
            unsafe { pg_sys::ExecDropSingleTupleTableSlot(self.slot) };
        }
    }
}

/// Where rows go, some thousand at a time.
struct Sink<'a> {
    configuration: Rc<Configuration>,
    watched: &'a Rc<Watched>,
    mode: Mode,
    /// Whether there is more than one batch.
    many: bool,
    batch: Batch,
}

impl<'a> Sink<'a> {
    fn new(
        configuration: Rc<Configuration>,
        watched: &'a Rc<Watched>,
        mode: Mode,
        rows: usize,
    ) -> Result<Self, Error> {
        let configuration = if mode == Mode::Trigger { live::begin()? } else { configuration };
        Ok(Sink { configuration, watched, mode, many: rows >= Batch::ROWS, batch: Batch::default() })
    }

    fn push(&mut self, row: &Row, taken_back: bool) -> Result<(), Error> {
        self.watched.push(row, taken_back, &mut self.batch);
        if self.batch.is_full() { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Error> {
        let batch = std::mem::take(&mut self.batch);
        match self.mode {
            Mode::Queue => queue::append(self.watched, &batch),
            _ if self.many => apply(&self.configuration, &[(self.watched, &batch)], true)?,
            _ => statement::keep(&self.configuration, self.watched, batch)?,
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(), Error> {
        if self.batch.len() > 0 { self.flush() } else { Ok(()) }
    }
}

/// Brings batches of rows into the graph. `many`: they are a part of what the transaction brings.
pub fn apply(
    configuration: &Configuration,
    batches: &[(&Watched, &Batch)],
    many: bool,
) -> Result<(), Error> {
    let today = seen_at::today();
    let mut tallies: Vec<Tally> = Vec::new();
    let mut observe = || {
        let mut graph = Graph::default();
        tallies.clear();
        for (watched, batch) in batches {
            let number = watched.source.number;
            let mut observer = match batch.len() {
                0..100 => Observer::new(&configuration.rules, number),
                _ => Observer::of_many(&configuration.rules, number),
            };
            let mut tally = Tally::default();
            for row in batch.rows(watched.width()) {
                watched.rows.read(&row, today, &mut observer, &mut graph, &mut tally);
            }
            tallies.push(tally);
        }
        graph
    };
    let mut operation = Operation::new(Kind::Observe);
    live::apply(configuration, &mut operation, FxHashSet::default(), many, &mut observe)?;
    for ((watched, _), tally) in batches.iter().zip(&tallies) {
        rejection::add(&watched.source, tally, configuration.rejections_kept);
    }
    Ok(())
}
