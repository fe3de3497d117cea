//! The log of what changed who is who: only appended to, and followed by others.

use super::table::Value;
use super::write::pulsed;
use super::{settings, transaction, write};
use crate::graph::{Changes, Event, EventKind, Left};
use crate::source::seen_at::day_text;
use pgrx::{IntoDatum, pg_sys};
use rustc_hash::FxHashMap;
use serde_json::Value as Json;
use std::ffi::CStr;
use uuid::Uuid;

/// The oid of pg_notify(text, text), which is the same in every database.
const PG_NOTIFY: u32 = 3036;

/// The sequence of the numbers of operations.
const CHANGE_NUMBERS: &str = "change_number_seq";

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Sightings were taken in as they came.
    Observe,
    /// A source was read, or let go.
    Backfill,
    /// Today's configuration was applied to what is stored.
    Rebuild,
    /// Records were compared anew.
    Match,
    /// A sweep as of a date.
    Expire,
    /// An operator said that two are one person's.
    Link,
    /// An operator said that two never are.
    Unlink,
    /// A review was decided: they are one.
    Accept,
    /// A review was decided: they are not.
    Reject,
    /// An operation was taken back.
    Undo,
    /// What an operator had said until now has ended.
    End,
}

impl Kind {
    /// The word used in SQL.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Observe => "observe",
            Kind::Backfill => "backfill",
            Kind::Rebuild => "rebuild",
            Kind::Match => "match",
            Kind::Expire => "expire",
            Kind::Link => "link",
            Kind::Unlink => "unlink",
            Kind::Accept => "accept",
            Kind::Reject => "reject",
            Kind::Undo => "undo",
            Kind::End => "end",
        }
    }

    /// Whether what it does to each profile is a change of its own, as evidence brings together what
    /// has nothing to do with each other.
    fn is_evidence(self) -> bool {
        matches!(self, Kind::Observe | Kind::Backfill | Kind::Match)
    }
}

/// An operation, which has a number once it has changed something.
pub struct Operation {
    kind: Kind,
    reason: Option<String>,
    undoes: Option<i64>,
    effects: Option<Json>,
    number: Option<i64>,
}

impl Operation {
    /// An operation that has not changed anything yet.
    pub fn new(kind: Kind) -> Self {
        Operation { kind, reason: None, undoes: None, effects: None, number: None }
    }

    /// For this reason.
    pub fn because(self, reason: Option<String>) -> Self {
        Operation { reason, ..self }
    }

    /// What it has written, so that it can be undone.
    pub fn with_effects(self, effects: Json) -> Self {
        Operation { effects: Some(effects), ..self }
    }

    /// It undoes the operation of this number.
    pub fn undoing(self, number: i64) -> Self {
        Operation { undoes: Some(number), ..self }
    }

    /// Its number; writes it down, if it has none yet.
    pub fn number(&mut self) -> i64 {
        match self.number {
            Some(number) => number,
            None => {
                let number = write::next_number(CHANGE_NUMBERS);
                self.write_down(&[number]);
                number
            }
        }
    }

    /// Writes it down under these numbers, of which the last is its own from now on.
    fn write_down(&mut self, numbers: &[i64]) {
        let (at, actor) = (transaction::clock(), session_user());
        let row = |&number: &i64| {
            [
                Value::Int8(number),
                Value::Int8(at),
                Value::Text(&actor),
                Value::Text(self.kind.word()),
                Value::or_null(self.reason.as_deref().map(Value::Text)),
                Value::or_null(self.undoes.map(Value::Int8)),
                Value::or_null(self.effects.as_ref().map(Value::Json)),
            ]
        };
        write::insert("change", numbers.iter().map(row));
        self.number = numbers.last().copied().or(self.number);
    }

    /// Writes down what it is about to do to profiles, and tells who listens. Of an identifier and a
    /// row of the log, which have their numbers from one sequence, the greater came later.
    pub fn log(&mut self, changes: &Changes) {
        let events = changes.events(&mut transaction::check_for_cancel);
        if events.is_empty() {
            return;
        }
        let of_events = self.numbers(&events);
        let members: Vec<Vec<&str>> = pulsed(events.iter())
            .map(|event| event.members.iter().map(|&number| changes.text(number)).collect())
            .collect();
        let reasons = pulsed(events.iter()).map(|event| reason(changes, event));
        let reasons: Vec<Option<String>> = reasons.collect();
        let numbers = pulsed(events.iter()).map(|_| write::next_number("identifier_id"));
        let numbers: Vec<i64> = numbers.collect();
        let row = |place: usize| {
            [
                Value::Int8(numbers[place]),
                Value::Int8(of_events[place]),
                Value::Text(events[place].kind.word()),
                or_nil(events[place].old),
                or_nil(events[place].new),
                Value::Texts(&members[place]),
                Value::or_null(reasons[place].as_deref().map(Value::Text)),
            ]
        };
        write::insert("profile_change", (0..events.len()).map(row));
        // SAFETY: makes what was written visible to the transaction's next command.
        unsafe { pg_sys::CommandCounterIncrement() };
        notify();
    }

    /// The number of the change that each event is part of, all written down. Evidence makes one for
    /// each profile that something came to, and one for whatever went to none.
    fn numbers(&mut self, events: &[Event]) -> Vec<i64> {
        if !self.kind.is_evidence() {
            return vec![self.number(); events.len()];
        }
        let mut of_profile: FxHashMap<Uuid, i64> = FxHashMap::default();
        let mut made = Vec::new();
        let mut make = || {
            let number = write::next_number(CHANGE_NUMBERS);
            made.push(number);
            number
        };
        let numbers = pulsed(events.iter())
            .map(|event| match event.new.is_nil() {
                true => make(),
                false => *of_profile.entry(event.new).or_insert_with(&mut make),
            })
            .collect();
        self.write_down(&made);
        numbers
    }
}

fn or_nil(profile: Uuid) -> Value<'static> {
    Value::or_null((!profile.is_nil()).then_some(Value::Uuid(profile)))
}

/// Why identifiers belong to nobody any more.
pub fn reason(changes: &Changes, event: &Event) -> Option<String> {
    Some(match event.left? {
        Left::Gone => "nothing tells of it any more".to_owned(),
        Left::Aside(_) if event.kind == EventKind::Expire => {
            let last = changes.last_in_use(event.members[0]);
            let company = if last.with_person { " with a person or contact" } else { "" };
            format!("last seen{company} on {}", day_text(last.day))
        }
        Left::Aside(reason) => reason.word().to_owned(),
    })
}

fn session_user() -> String {
    // SAFETY: the session's role exists; its name is copied.
    unsafe {
        let name = pg_sys::GetUserNameFromId(pg_sys::GetSessionUserId(), true);
        if name.is_null() { String::new() } else { CStr::from_ptr(name).to_string_lossy().into_owned() }
    }
}

/// Tells who listens on the channel of the settings, once the transaction has committed.
fn notify() {
    let Some(channel) = settings::notify_channel() else { return };
    let texts = [channel.to_string_lossy().into_owned().into_datum(), "".into_datum()];
    let [Some(channel), Some(payload)] = texts else { return };
    // SAFETY: pg_notify(text, text). PostgreSQL sends one of several equal notifications.
    unsafe {
        pg_sys::OidFunctionCall2Coll(PG_NOTIFY.into(), pg_sys::InvalidOid, channel, payload);
    }
}
