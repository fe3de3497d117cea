//! From changes to the tables.

use super::copy::{Indexes, UNIX_EPOCH, copy_into};
use super::transaction::{attempt, check_for_cancel};
use super::{index, progress, spi};
use crate::graph::solver::Reason;
use crate::graph::{Changes, Day, IdentifierRow, LinkRow, NO_DAY};
use pgrx::datum::Date;
use uuid::Uuid;

/// Rows that one UPDATE or DELETE takes.
const CHUNK: usize = 5_000;

/// New rows from which on building indexes anew may pay.
const BULK: usize = 50_000;

/// Writes what differs. With `may_rebuild_indexes` (which needs the transaction to end soon
/// after), bringing more rows than a table has takes a faster way.
pub fn write(mut changes: Changes, may_rebuild_indexes: bool) {
    in_chunks(changes.gone_links(), delete_links);
    in_chunks(changes.changed_links(), update_links);
    in_chunks(changes.gone_identifiers(), delete_identifiers);
    in_chunks(changes.changed_identifiers(), update_identifiers);
    in_chunks(changes.revived().iter().copied(), delete_former);

    let (new, stored) = changes.count_identifiers();
    let (new_links, _) = changes.count_links();
    let numbers = changes.number_new(reserve_ids(new));
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

fn insert_identifiers(changes: &Changes, numbers: &[u32], indexes: Indexes) {
    copy_into("identifier", 7, indexes, changes.rows(numbers), |row, out| {
        out.int8(row.id).text(row.identifier).uuid(row.profile).text(standing(row.aside));
        out.date(day(row.first_seen)).date(day(row.last_seen)).bytea(row.evidence);
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

/// Feeds `rows` to `statement`, some thousand at a time.
fn in_chunks<T>(rows: impl Iterator<Item = T>, statement: impl Fn(&[T])) {
    let mut rows = rows.peekable();
    while rows.peek().is_some() {
        let chunk: Vec<T> = rows.by_ref().take(CHUNK).collect();
        statement(&chunk);
        progress::advance(chunk.len() as i64);
        check_for_cancel();
    }
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

fn column<R, T>(rows: &[R], value: impl Fn(&R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

fn pg_uuid(id: Uuid) -> Option<pgrx::Uuid> {
    (!id.is_nil()).then(|| pgrx::Uuid::from_bytes(*id.as_bytes()))
}

fn pg_date(days: Day) -> Option<Date> {
    // SAFETY: the day came out of a date, or was checked against the range of dates when read.
    day(days).map(|days| unsafe { Date::from_pg_epoch_days(days + UNIX_EPOCH) })
}

fn delete_links(pairs: &[(i64, i64)]) {
    spi::run(
        "DELETE FROM identity_resolve.link AS l USING unnest($1::bigint[], $2::bigint[]) AS gone (a, b)
         WHERE l.a = gone.a AND l.b = gone.b",
        &[column(pairs, |p| p.0).into(), column(pairs, |p| p.1).into()],
    );
}

fn update_links(rows: &[LinkRow]) {
    spi::run(
        "UPDATE identity_resolve.link AS l
         SET asserted = n.asserted, probability = n.probability,
             held_reason = n.held_reason::identity_resolve.held_reason, evidence = n.evidence
         FROM unnest($1::bigint[], $2::bigint[], $3::boolean[], $4::float8[], $5::text[], $6::bytea[])
             AS n (a, b, asserted, probability, held_reason, evidence)
         WHERE l.a = n.a AND l.b = n.b",
        &[
            column(rows, |r| r.a).into(),
            column(rows, |r| r.b).into(),
            column(rows, |r| r.asserted).into(),
            column(rows, |r| r.probability).into(),
            column(rows, |r| r.held.map(Reason::word)).into(),
            column(rows, |r| r.evidence).into(),
        ],
    );
}

fn delete_identifiers(ids: &[i64]) {
    let ids = ids.to_vec();
    spi::run(
        "DELETE FROM identity_resolve.former_member WHERE identifier = ANY ($1)",
        &[ids.clone().into()],
    );
    spi::run("DELETE FROM identity_resolve.trait WHERE identifier = ANY ($1)", &[ids.clone().into()]);
    spi::run("DELETE FROM identity_resolve.identifier WHERE id = ANY ($1)", &[ids.into()]);
}

fn update_identifiers(rows: &[IdentifierRow]) {
    spi::run(
        "UPDATE identity_resolve.identifier AS i
         SET profile = n.profile, standing = n.standing::identity_resolve.standing,
             first_seen = n.first_seen, last_seen = n.last_seen, evidence = n.evidence
         FROM unnest($1::bigint[], $2::uuid[], $3::text[], $4::date[], $5::date[], $6::bytea[])
             AS n (id, profile, standing, first_seen, last_seen, evidence)
         WHERE i.id = n.id",
        &[
            column(rows, |r| r.id).into(),
            column(rows, |r| pg_uuid(r.profile)).into(),
            column(rows, |r| standing(r.aside)).into(),
            column(rows, |r| pg_date(r.first_seen)).into(),
            column(rows, |r| pg_date(r.last_seen)).into(),
            column(rows, |r| r.evidence).into(),
        ],
    );
}

fn delete_former(ids: &[Uuid]) {
    spi::run(
        "DELETE FROM identity_resolve.former_member WHERE profile = ANY ($1)",
        &[column(ids, |&id| pg_uuid(id)).into()],
    );
}
