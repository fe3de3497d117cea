//! What was left out of live sightings: counted, and shown in the view `rejections`.

use super::copy::{Indexes, Progress, copy_into};
use super::source::Source;
use super::{spi, transaction};
use crate::source::row::{Rejection, Tally};
use rustc_hash::FxHashMap;
use std::cell::RefCell;

/// Rejections after which a session looks again how many are kept.
const LOOK_AGAIN: usize = 100;

thread_local! {
    /// For each source by number, how many more this session may keep, and how many it may leave
    /// out, before it looks again.
    static ROOM: RefCell<FxHashMap<u32, (usize, usize)>> = RefCell::default();
}

/// Adds what one reading left out; about `kept` rejections of each source are kept.
pub fn add(source: &Source, tally: &Tally, kept: usize) {
    if tally.malformed + tally.blocked == 0 {
        return;
    }
    let number = source.number as i32;
    spi::run(
        "INSERT INTO identity_resolve.left_out VALUES ($1, $2, $3)",
        &[number.into(), tally.malformed.into(), tally.blocked.into()],
    );
    for rejection in &tally.rejections {
        if has_room(source.number, kept) {
            spi::run(
                "INSERT INTO identity_resolve.rejection VALUES ($1, $2, $3, $4, $5)",
                &[
                    number.into(),
                    rejection.row_key.clone().into(),
                    rejection.column.as_str().into(),
                    rejection.value.as_str().into(),
                    rejection.error.as_str().into(),
                ],
            );
        }
    }
}

fn has_room(source: u32, kept: usize) -> bool {
    ROOM.with_borrow_mut(|room| {
        let (keep, skip) = room.entry(source).or_default();
        if *keep == 0 && *skip == 0 {
            let stored = spi::one(
                "SELECT count(*) FROM identity_resolve.rejection WHERE source = $1",
                &[(source as i32).into()],
                |row| row.int8(0).unwrap_or_default() as usize,
            );
            *keep = kept.saturating_sub(stored.unwrap_or_default()).min(LOOK_AGAIN);
            *skip = if *keep == 0 { LOOK_AGAIN } else { 0 };
        }
        let keeps = *keep > 0;
        *(if keeps { keep } else { skip }) -= 1;
        keeps
    })
}

/// Puts what a backfill left out in the place of all that was left out or set aside of a source.
pub fn replace(source: &Source, tally: &Tally) {
    let number = source.number as i32;
    for statement in [
        "DELETE FROM identity_resolve.rejection WHERE source = $1",
        "DELETE FROM identity_resolve.left_out WHERE source = $1",
        "DELETE FROM identity_resolve.dead_letter WHERE source = $1",
    ] {
        spi::run(statement, &[number.into()]);
    }
    let now = transaction::now();
    copy_into(
        "rejection",
        6,
        Indexes::Maintain,
        Progress::Unseen,
        tally.rejections.iter(),
        |rejection: &Rejection, out| {
            out.int4(number).text_or_null(rejection.row_key.as_deref()).text(&rejection.column);
            out.text(&rejection.value).text(&rejection.error).int8(now);
        },
    );
}
