//! From changes to the tables.

use super::copy::{Indexes, Progress, copy_into};
use super::table::{Table, Value};
use super::tables::{Tables, Words};
use super::transaction::{PULSE, attempt, check_for_cancel, relation, with_snapshot};
use super::{index, progress, spi};
use crate::graph::solver::Reason;
use crate::graph::{Changes, Counts, Day, LinkRow, NO_DAY};
use pgrx::{direct_function_call, pg_sys};

/// Rows to write from which on building indexes anew may pay.
const BULK: usize = 20_000;

/// Writes what differs, row by row: for few rows. Their keys are locked.
pub fn write(changes: &mut Changes, tables: &mut Tables) {
    remove(changes, tables);
    pulsed(changes.changed_links()).for_each(|row| tables.update_link(&row));
    let changed = changes.changed_identifiers();
    pulsed(changes.rows(&changed)).for_each(|row| tables.update_identifier(&row));
    let new = changes.number_new(|| next_number("identifier_id"));
    pulsed(changes.rows(&new)).for_each(|row| tables.insert_identifier(&row));
    pulsed(changes.new_links()).for_each(|row| tables.insert_link(&row));
    for (profile, identifier) in changes.retired() {
        tables.insert_former(profile, identifier);
    }
    // SAFETY: makes what was written visible to the transaction's next command.
    unsafe { pg_sys::CommandCounterIncrement() };
}

/// Writes what differs after the whole graph was solved; it is locked. With `may_rebuild_indexes`
/// (which needs the transaction to end soon after), a table of which much changes takes a faster way.
pub fn write_whole(mut changes: Changes, words: &Words, may_rebuild_indexes: bool) {
    with_snapshot(|| remove(&changes, &mut Tables::open(words)));
    progress::advance(changes.count_gone() as i64);
    let (identifiers, links) = (changes.count_identifiers(), changes.count_links());
    let changed = changes.changed_identifiers();
    let first = reserve_ids(identifiers.new);
    let mut ids = first..;
    let new = changes.number_new(|| ids.next().unwrap_or_default());
    check_for_cancel();
    let may_rebuild = may_rebuild_indexes && index::may_rebuild();
    let is_bulk = |counts| may_rebuild && is_bulk(counts);
    let write_identifiers = |indexes| write_identifiers(&changes, &changed, &new, words, indexes);
    let write_links = |indexes| write_links(&changes, words, indexes);
    let tables = [
        Writing { table: "identifier", is_bulk: is_bulk(identifiers), write: &write_identifiers },
        Writing { table: "link", is_bulk: is_bulk(links), write: &write_links },
    ];
    let (bulk, few): (Vec<_>, Vec<_>) = tables.into_iter().partition(|writing| writing.is_bulk);
    few.iter().for_each(|of| (of.write)(Indexes::Maintain));
    let anew = || {
        bulk.iter().for_each(|of| (of.write)(Indexes::Ignore));
        index::put_in_place(&bulk.iter().map(|of| index::build(of.table)).collect::<Vec<_>>())
    };
    if !bulk.is_empty() && !attempt(anew) {
        bulk.iter().for_each(|of| (of.write)(Indexes::Maintain));
    }
    let retired = changes.retired();
    copy_into("former_member", 2, Indexes::Maintain, Progress::Unseen, retired, |(profile, id), out| {
        out.uuid(profile).int8(id);
    });
}

/// A table, and what writes its rows.
struct Writing<'w> {
    table: &'static str,
    is_bulk: bool,
    write: &'w dyn Fn(Indexes),
}

/// Whether to build the indexes of a table anew takes less than to keep them up to date: a row that
/// replaces another takes about four times as long as one that is added, whose neighbours are too.
fn is_bulk(Counts { new, changed, stored }: Counts) -> bool {
    new + changed >= BULK && new + 4 * changed >= stored
}

/// Deletes what nothing holds any more.
fn remove(changes: &Changes, tables: &mut Tables) {
    pulsed(changes.gone_links()).for_each(|ends| tables.delete_link(ends));
    let gone: Vec<i64> = changes.gone_identifiers().collect();
    tables.delete_former(changes.revived(), &gone);
    if !gone.is_empty() {
        spi::run(
            "DELETE FROM identity_resolve.trait WHERE identifier = ANY ($1)",
            &[gone.clone().into()],
        );
    }
    pulsed(gone.into_iter()).for_each(|id| tables.delete_identifier(id));
}

/// Writes stored identifiers that have changed, and new ones.
fn write_identifiers(changes: &Changes, changed: &[u32], new: &[u32], words: &Words, indexes: Indexes) {
    let copy = |numbers| {
        copy_into("identifier", 10, indexes, Progress::Shown, changes.rows(numbers), |row, out| {
            out.int8(row.id).text(row.identifier).uuid(row.profile).text(standing(row.aside));
            out.date(day(row.first_seen)).date(day(row.last_seen)).date(day(row.last_with_person));
            out.int4(row.partners as i32).bool(row.undisputed).bytea(row.evidence);
        });
    };
    match indexes {
        Indexes::Ignore => {
            let ids: Vec<i64> = changes.rows(changed).map(|row| row.id).collect();
            spi::run(
                "DELETE FROM identity_resolve.identifier AS i USING unnest($1) AS changed (id)
                 WHERE i.id = changed.id",
                &[ids.into()],
            );
            copy(changed);
        }
        Indexes::Maintain => with_snapshot(|| {
            let mut tables = Tables::open(words);
            pulsed(changes.rows(changed)).for_each(|row| tables.update_identifier(&row));
            progress::advance(changed.len() as i64);
        }),
    }
    copy(new);
}

/// Writes stored links that have changed, and new ones.
fn write_links(changes: &Changes, words: &Words, indexes: Indexes) {
    let copy = |rows: &mut (dyn Iterator<Item = LinkRow> + Send)| {
        copy_into("link", 6, indexes, Progress::Shown, rows, |row, out| {
            out.int8(row.a).int8(row.b).bool(row.asserted).float8(row.probability);
            out.text_or_null(row.held.map(Reason::word)).bytea(row.evidence);
        });
    };
    match indexes {
        Indexes::Ignore => {
            let (a, b): (Vec<i64>, Vec<i64>) = changes.changed_links().map(|row| (row.a, row.b)).unzip();
            spi::run(
                "DELETE FROM identity_resolve.link AS l USING unnest($1, $2) AS changed (a, b)
                 WHERE (l.a, l.b) = (changed.a, changed.b)",
                &[a.into(), b.into()],
            );
            copy(&mut changes.changed_links());
        }
        Indexes::Maintain => with_snapshot(|| {
            let mut tables = Tables::open(words);
            pulsed(changes.changed_links()).for_each(|row| tables.update_link(&row));
            progress::advance(changes.count_links().changed as i64);
        }),
    }
    copy(&mut changes.new_links());
}

fn standing(aside: Option<Reason>) -> &'static str {
    aside.map_or("member", Reason::word)
}

fn day(day: Day) -> Option<Day> {
    (day != NO_DAY).then_some(day)
}

/// `rows`, with a chance to cancel now and then.
pub fn pulsed<T>(rows: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
    rows.enumerate().map(|(i, row)| {
        if i % PULSE == PULSE - 1 {
            check_for_cancel();
        }
        row
    })
}

/// Rows from which on COPY takes less than to insert them one by one.
const MANY: usize = 1_000;

/// Adds rows to a table of this extension: a value for each column, in their order.
pub fn insert<'v, const N: usize>(
    table: &str,
    rows: impl ExactSizeIterator<Item = [Value<'v>; N]> + Send,
) {
    if rows.len() >= MANY {
        return copy_into(table, N as i16, Indexes::Maintain, Progress::Unseen, rows, |row, out| {
            row.into_iter().for_each(|value| {
                out.value(value);
            });
        });
    }
    let mut open = Table::open(table);
    rows.for_each(|row| open.insert(&row));
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
