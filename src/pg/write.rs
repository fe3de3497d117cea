//! From changes to the tables.

use super::copy::{Indexes, copy_into};
use super::tables::{Tables, Words};
use super::transaction::{attempt, check_for_cancel, relation, with_snapshot};
use super::{index, progress, spi};
use crate::graph::solver::Reason;
use crate::graph::{Changes, Day, NO_DAY};
use pgrx::{direct_function_call, pg_sys};

/// Rows between two looks whether the work was cancelled.
const PULSE: usize = 1000;

/// New rows from which on building indexes anew may pay.
const BULK: usize = 50_000;

/// Writes what differs, row by row: for few rows. Their keys are locked.
pub fn write(changes: &mut Changes, tables: &mut Tables) {
    replace(changes, tables);
    let numbers = changes.number_new(|| next_number("identifier_id"));
    for row in pulsed(changes.rows(&numbers)) {
        tables.insert_identifier(&row);
    }
    for row in pulsed(changes.new_links()) {
        tables.insert_link(&row);
    }
    for (profile, identifier) in changes.retired() {
        tables.insert_former(profile, identifier);
    }
    // SAFETY: makes what was written visible to the transaction's next command.
    unsafe { pg_sys::CommandCounterIncrement() };
}

/// Writes what differs after the whole graph was solved; it is locked. With `may_rebuild_indexes`
/// (which needs the transaction to end soon after), bringing more rows than a table has takes a
/// faster way.
pub fn write_whole(mut changes: Changes, words: &Words, may_rebuild_indexes: bool) {
    with_snapshot(|| replace(&changes, &mut Tables::open(words)));
    progress::advance(changes.count_replaced() as i64);
    let (new, stored) = changes.count_identifiers();
    let (new_links, _) = changes.count_links();
    let first = reserve_ids(new);
    let mut ids = first..;
    let numbers = changes.number_new(|| ids.next().unwrap_or_default());
    check_for_cancel();
    let bulk = may_rebuild_indexes && new >= BULK && new >= stored && index::may_rebuild();
    let in_bulk = || {
        insert_identifiers(&changes, &numbers, Indexes::Ignore);
        insert_links(&changes, Indexes::Ignore);
        index::put_in_place(&[index::build("identifier"), index::build("link")])
    };
    if new_links + new > 0 && !(bulk && attempt(in_bulk)) {
        insert_identifiers(&changes, &numbers, Indexes::Maintain);
        insert_links(&changes, Indexes::Maintain);
    }
    copy_into("former_member", 2, Indexes::Maintain, changes.retired(), |(profile, identifier), out| {
        out.uuid(profile).int8(identifier);
    });
}

/// Brings stored rows up to date, and deletes what nothing holds any more.
fn replace(changes: &Changes, tables: &mut Tables) {
    pulsed(changes.gone_links()).for_each(|ends| tables.delete_link(ends));
    pulsed(changes.changed_links()).for_each(|row| tables.update_link(&row));
    let gone: Vec<i64> = changes.gone_identifiers().collect();
    tables.delete_former(changes.revived(), &gone);
    if !gone.is_empty() {
        spi::run(
            "DELETE FROM identity_resolve.trait WHERE identifier = ANY ($1)",
            &[gone.clone().into()],
        );
    }
    pulsed(gone.into_iter()).for_each(|id| tables.delete_identifier(id));
    pulsed(changes.changed_identifiers()).for_each(|row| tables.update_identifier(&row));
}

fn insert_identifiers(changes: &Changes, numbers: &[u32], indexes: Indexes) {
    copy_into("identifier", 10, indexes, changes.rows(numbers), |row, out| {
        out.int8(row.id).text(row.identifier).uuid(row.profile).text(standing(row.aside));
        out.date(day(row.first_seen)).date(day(row.last_seen)).date(day(row.last_with_person));
        out.int4(row.partners as i32).bool(row.undisputed).bytea(row.evidence);
    });
}

fn insert_links(changes: &Changes, indexes: Indexes) {
    copy_into("link", 6, indexes, changes.new_links(), |row, out| {
        out.int8(row.a).int8(row.b).bool(row.asserted).float8(row.probability);
        out.text_or_null(row.held.map(Reason::word)).bytea(row.evidence);
    });
}

fn standing(aside: Option<Reason>) -> &'static str {
    aside.map_or("member", Reason::word)
}

fn day(day: Day) -> Option<Day> {
    (day != NO_DAY).then_some(day)
}

/// `rows`, with a chance to cancel now and then.
fn pulsed<T>(rows: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
    rows.enumerate().map(|(i, row)| {
        if i % PULSE == PULSE - 1 {
            check_for_cancel();
        }
        row
    })
}

/// The next number of a sequence of this extension.
pub fn next_number(sequence: &str) -> i64 {
    let sequence = relation(sequence);
    // SAFETY: nextval() takes the oid of a sequence.
    let number = unsafe { direct_function_call::<i64>(pg_sys::nextval_oid, &[Some(sequence.into())]) };
    number.unwrap_or_default()
}

/// Takes `count` numbers from the sequence; returns the first. The graph is locked.
fn reserve_ids(count: usize) -> i64 {
    if count == 0 {
        return 0;
    }
    spi::one(
        "SELECT setval('identity_resolve.identifier_id', nextval('identity_resolve.identifier_id') + $1 - 1)",
        &[(count as i64).into()],
        |row| row.int8(0).unwrap_or_default(),
    )
    .unwrap_or_default()
        - count as i64
        + 1
}
