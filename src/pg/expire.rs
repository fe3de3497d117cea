//! Expiry: devices and contacts that nobody has been seen with for too long leave their profiles.
//!
//! Whether an identifier is expired is a function of its evidence and of one date, the greatest
//! that was ever swept; see [`crate::graph::rules`]. A sweep finds whom that date newly expires.

use super::copy::UNIX_EPOCH;
use super::cursor::Row;
use super::history::{Kind, Operation};
use super::progress::{self, Phase, Work};
use super::transaction::{self, PinnedSettings, Procedure};
use super::words::Effects;
use super::{live, load, lock, spi, steward};
use crate::error::Error;
use crate::graph::rules::Rules;
use crate::graph::{Day, EventKind, Graph, NO_DAY, StoreError, evidence};
use crate::source::seen_at;
use pgrx::datum::{Date, TimestampWithTimeZone};
use rustc_hash::FxHashSet;
use uuid::Uuid;

/// Identifiers that a batch looks at anew.
pub const BATCH: i64 = 200;

/// An identifier that has become expired.
pub struct Expired {
    pub identifier: String,
    /// The profile that it left; nil if it was in none.
    pub profile: Uuid,
    /// Its last sighting with a person or contact; without any, its last.
    pub last_seen: Day,
}

/// A sweep under way.
pub struct Sweep {
    /// Identifiers up to this number have been looked at.
    after: i64,
    operation: Operation,
}

impl Sweep {
    /// Begins a sweep as of a time (microseconds since 2000): from now on, whatever is decided is
    /// decided as of it, if it is the greatest.
    pub fn begin(as_of: i64) -> Result<Self, Error> {
        transaction::refuse_if_read_only();
        steward::end_what_is_over()?;
        let time = TimestampWithTimeZone::try_from(as_of)
            .map_err(|_| Error::Time { argument: "as_of", value: seen_at::timestamp_text(as_of) })?;
        let date = |query: &str| {
            let read = |row: &Row| row.text(0).map(str::to_owned);
            transaction::with_latest_snapshot(|| spi::one(query, &[time.into()], read)).flatten()
        };
        // As ISO 8601 has it, whatever the session's DateStyle: another one may undo this.
        let stored = "SELECT to_jsonb(expired_as_of) #>> '{}' FROM identity_resolve.setting";
        let before = date(stored);
        let moved = spi::run(
            "UPDATE identity_resolve.setting SET expired_as_of = $1
             WHERE expired_as_of IS NULL OR expired_as_of < $1",
            &[time.into()],
        );
        let day = date(
            "SELECT to_char(expired_as_of AT TIME ZONE 'UTC', 'YYYY-MM-DD') FROM identity_resolve.setting",
        );
        let mut operation = Operation::new(Kind::Expire).because(day.map(|day| format!("as of {day}")));
        // Otherwise it finds what an earlier sweep as of this date, or a later one, has left.
        if let (1.., Some(after)) = (moved, date(stored)) {
            let effects = Effects { expired_as_of: Some((before, after)), ..Effects::default() };
            operation = operation.with_effects(effects.to_json());
            // It has moved the date, whether anybody expires or not.
            operation.number();
        }
        Ok(Sweep { after: 0, operation })
    }

    /// Looks at some identifiers anew; returns which have become expired, and `None` once all have
    /// been looked at.
    pub fn batch(&mut self) -> Result<Option<Vec<Expired>>, Error> {
        let configuration = live::begin()?;
        let rules = &configuration.rules;
        let Some(before) = rules.first_unexpired() else { return Ok(None) };
        let candidates = transaction::with_latest_snapshot(|| candidates(rules, self.after, before))?;
        let Some(&(last, _)) = candidates.last() else { return Ok(None) };
        self.after = last;
        let due: FxHashSet<String> = candidates.into_iter().filter_map(|(_, due)| due).collect();
        let changes = live::apply(&configuration, &mut self.operation, due, false, &mut Graph::default)?;
        let Some(changes) = changes else { return Ok(Some(Vec::new())) };
        let events = changes
            .events(&mut transaction::check_for_cancel)
            .into_iter()
            .filter(|event| event.kind == EventKind::Expire);
        let expired = events.map(|event| Expired {
            identifier: changes.text(event.members[0]).to_owned(),
            profile: event.old,
            last_seen: changes.last_in_use(event.members[0]).day,
        });
        Ok(Some(expired.collect()))
    }
}

/// The next identifiers after a number that may be expired: number, and text if it is due.
fn candidates(rules: &Rules, after: i64, before: Day) -> Result<Vec<(i64, Option<String>)>, Error> {
    // SAFETY: a day of the configuration, which is a date.
    let before = unsafe { Date::from_pg_epoch_days(before + UNIX_EPOCH) };
    spi::all(
        "SELECT id, identifier, coalesce(last_with_person, last_seen), evidence
         FROM identity_resolve.identifier
         WHERE id > $1 AND standing NOT IN ('expired', 'blocked') AND coalesce(last_with_person, last_seen) < $2
         ORDER BY id LIMIT $3",
        &[after.into(), before.into(), BATCH.into()],
        |row| {
            let identifier = row.text(1).unwrap_or_default();
            let due = is_expired(rules, row)?.then(|| identifier.to_owned());
            Ok((row.int8(0).unwrap_or_default(), due))
        },
    )
    .into_iter()
    .collect()
}

/// Whether a row (number, identifier, day of last use, evidence) is expired by these rules.
fn is_expired(rules: &Rules, row: &Row) -> Result<bool, Error> {
    let identifier = row.text(1).unwrap_or_default();
    let last_in_use = row.int4(2).map_or(NO_DAY, |day| day - UNIX_EPOCH);
    let device_type =
        evidence::device_type(row.bytes(3).unwrap_or_default()).map_err(StoreError::from)?;
    let type_name = identifier.split_once(':').map_or(identifier, |(name, _)| name);
    let kind = rules.type_index(type_name);
    let expires = kind.and_then(|kind| rules.expired_before(kind, device_type));
    Ok(expires.is_some_and(|day| last_in_use < day))
}

/// The identifiers that are held as expired and are not by these rules.
pub fn no_longer_expired(rules: &Rules) -> Result<Vec<String>, Error> {
    let expired = transaction::with_latest_snapshot(|| {
        spi::all(
            "SELECT id, identifier, coalesce(last_with_person, last_seen), evidence
             FROM identity_resolve.identifier WHERE standing = 'expired'",
            &[],
            |row| Ok((row.text(1).unwrap_or_default().to_owned(), is_expired(rules, row)?)),
        )
    });
    let expired: Vec<(String, bool)> = expired.into_iter().collect::<Result<_, Error>>()?;
    Ok(expired.into_iter().filter(|(_, still)| !still).map(|(identifier, _)| identifier).collect())
}

/// Expires as of a time, in one transaction; returns who has left a profile.
pub fn expire(as_of: i64) -> Result<Vec<Expired>, Error> {
    // Whoever is at it has decided by the old date, and whoever comes cannot know the new one.
    lock::become_operator();
    transaction::lock_graph();
    let mut all = Vec::new();
    in_batches(Sweep::begin(as_of)?, |expired| all.extend(expired))?;
    all.sort_unstable_by(|x, y| x.identifier.cmp(&y.identifier));
    Ok(all)
}

/// Expires as of a time, and commits after each batch where that is allowed.
pub fn expire_in_batches(as_of: i64, procedure: &Procedure) -> Result<(), Error> {
    let pinned = PinnedSettings::pin();
    let commit = || {
        if procedure.may_commit() {
            procedure.commit();
            pinned.renew();
        }
    };
    if !procedure.may_commit() {
        lock::become_operator();
        transaction::lock_graph();
    }
    let sweep = Sweep::begin(as_of)?;
    commit();
    if procedure.may_commit() {
        // Who began before the new date was known has decided by the old one.
        lock::wait_for_writers();
    }
    in_batches(sweep, |_| commit())
}

fn in_batches(mut sweep: Sweep, mut each: impl FnMut(Vec<Expired>)) -> Result<(), Error> {
    progress::begin(Work::Expire);
    progress::phase(Phase::Expiring, load::estimated_rows("identifier"), 0);
    while let Some(expired) = sweep.batch()? {
        progress::advance(BATCH);
        each(expired);
    }
    progress::end();
    Ok(())
}
