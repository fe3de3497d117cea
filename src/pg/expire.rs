//! Expiry: devices and contacts that nobody has been seen with for too long leave their profiles.
//!
//! Whether an identifier is expired is a function of its evidence and of one date, the greatest
//! that was ever swept; see [`crate::graph::rules`]. A sweep finds whom that date newly expires.

use super::configuration;
use super::copy::UNIX_EPOCH;
use super::progress::{self, Phase};
use super::transaction::{self, PinnedSettings, Procedure};
use super::{live, load, spi};
use crate::error::Error;
use crate::graph::rules::Rules;
use crate::graph::solver::Reason;
use crate::graph::{Day, Graph, NO_DAY, evidence};
use pgrx::datum::{Date, TimestampWithTimeZone};
use rustc_hash::FxHashSet;
use uuid::Uuid;

/// Identifiers that a batch looks at anew.
pub const BATCH: i64 = 1000;

/// An identifier that has left its profile.
pub struct Expired {
    pub identifier: String,
    /// The profile that it left; nil if it was in none.
    pub profile: Uuid,
    /// Its last sighting with a person or contact; without any, its last.
    pub last_seen: Day,
    reason: String,
}

/// A sweep under way.
pub struct Sweep {
    /// Identifiers up to this number have been looked at.
    after: i64,
    change: i64,
}

impl Sweep {
    /// Begins a sweep as of a time (microseconds since 2000): from now on, whatever is decided is
    /// decided as of it, if it is the greatest.
    pub fn begin(as_of: i64) -> Result<Self, Error> {
        transaction::refuse_if_read_only();
        // SAFETY: the caller has checked that it is a finite time.
        let time = TimestampWithTimeZone::try_from(as_of)
            .map_err(|_| Error::Time { argument: "as_of", value: as_of.to_string() })?;
        spi::run(
            "UPDATE identity_resolve.setting SET expired_as_of = $1
             WHERE expired_as_of IS NULL OR expired_as_of < $1",
            &[time.into()],
        );
        Ok(Sweep { after: 0, change: 0 })
    }

    /// Looks at some identifiers anew; returns who has left a profile, and `None` once all have
    /// been looked at.
    pub fn batch(&mut self) -> Result<Option<Vec<Expired>>, Error> {
        let configuration = configuration::current()?;
        let rules = &configuration.rules;
        let Some(before) = rules.first_unexpired() else { return Ok(None) };
        let candidates = transaction::with_latest_snapshot(|| candidates(rules, self.after, before))?;
        let Some(&(last, _)) = candidates.last() else { return Ok(None) };
        self.after = last;
        let due: Vec<Expired> = candidates.into_iter().filter_map(|(_, expired)| expired).collect();
        let wide: FxHashSet<String> = due.iter().map(|expired| expired.identifier.clone()).collect();
        let changes = live::apply(&configuration, wide, false, &mut Graph::default)?;
        let has_expired = |expired: &Expired| {
            changes.as_ref().is_some_and(|c| c.aside(&expired.identifier) == Some(Reason::Expired))
        };
        let expired: Vec<Expired> = due.into_iter().filter(has_expired).collect();
        self.log(&expired);
        Ok(Some(expired))
    }

    /// Writes down who has left which profile, and why.
    fn log(&mut self, expired: &[Expired]) {
        if expired.is_empty() {
            return;
        }
        if self.change == 0 {
            let change = spi::returning(
                "INSERT INTO identity_resolve.change (operation, reason)
                 SELECT 'expire', 'as of ' || to_char(expired_as_of AT TIME ZONE 'UTC', 'YYYY-MM-DD')
                 FROM identity_resolve.setting RETURNING number",
            );
            self.change = change;
        }
        let column =
            |value: fn(&Expired) -> String| -> Vec<String> { expired.iter().map(value).collect() };
        let profiles: Vec<Option<pgrx::Uuid>> = expired
            .iter()
            .map(|e| (!e.profile.is_nil()).then(|| pgrx::Uuid::from_bytes(*e.profile.as_bytes())))
            .collect();
        spi::run(
            "INSERT INTO identity_resolve.change_member (change, identifier, profile, reason)
             SELECT $1, identifier, profile, reason
             FROM unnest($2::text[], $3::uuid[], $4::text[]) AS gone (identifier, profile, reason)",
            &[
                self.change.into(),
                column(|e| e.identifier.clone()).into(),
                profiles.into(),
                column(|e| e.reason.clone()).into(),
            ],
        );
    }
}

/// The next identifiers after a number that may be expired: number, and who it is if it is.
fn candidates(rules: &Rules, after: i64, before: Day) -> Result<Vec<(i64, Option<Expired>)>, Error> {
    // SAFETY: a day of the configuration, which is a date.
    let before = unsafe { Date::from_pg_epoch_days(before + UNIX_EPOCH) };
    spi::all(
        "SELECT id, identifier, profile, coalesce(last_with_person, last_seen), last_with_person IS NOT NULL, evidence
         FROM identity_resolve.identifier
         WHERE id > $1 AND standing NOT IN ('expired', 'blocked') AND coalesce(last_with_person, last_seen) < $2
         ORDER BY id LIMIT $3",
        &[after.into(), before.into(), BATCH.into()],
        |row| {
            let last_seen = row.int4(3).map_or(NO_DAY, |day| day - UNIX_EPOCH);
            let identifier = row.text(1).unwrap_or_default();
            let device_type = evidence::device_type(row.bytes(5).unwrap_or_default())
                .map_err(crate::graph::StoreError::from)?;
            let type_name = identifier.split_once(':').map_or(identifier, |(name, _)| name);
            let expires = rules.type_index(type_name).and_then(|kind| rules.expired_before(kind, device_type));
            let expired = expires.filter(|&day| last_seen < day).map(|day| Expired {
                identifier: identifier.to_owned(),
                profile: row.uuid(2).unwrap_or_default(),
                last_seen,
                reason: format!(
                    "last seen{} on {}, before {}",
                    if row.bool(4).unwrap_or_default() { " with a person" } else { "" },
                    crate::source::seen_at::day_text(last_seen),
                    crate::source::seen_at::day_text(day),
                ),
            });
            Ok((row.int8(0).unwrap_or_default(), expired))
        },
    )
    .into_iter()
    .collect()
}

/// Expires as of a time, in one transaction; returns who has left a profile.
pub fn expire(as_of: i64) -> Result<Vec<Expired>, Error> {
    let mut all = Vec::new();
    in_batches(as_of, |expired| all.extend(expired))?;
    all.sort_unstable_by(|x, y| x.identifier.cmp(&y.identifier));
    Ok(all)
}

/// Expires as of a time, and commits after each batch where that is allowed.
pub fn expire_in_batches(as_of: i64, procedure: &Procedure) -> Result<(), Error> {
    let pinned = PinnedSettings::pin();
    in_batches(as_of, |_| {
        if procedure.may_commit() {
            procedure.commit();
            pinned.renew();
        }
    })
}

fn in_batches(as_of: i64, mut each: impl FnMut(Vec<Expired>)) -> Result<(), Error> {
    let mut sweep = Sweep::begin(as_of)?;
    progress::begin();
    progress::phase(Phase::Expiring, load::estimated_rows("identifier"), 0);
    while let Some(expired) = sweep.batch()? {
        progress::advance(BATCH);
        each(expired);
    }
    progress::end();
    Ok(())
}
