//! What keeps writers of the graph apart.
//!
//! A writer locks the keys of all that it changes or rests on: each profile, and each identifier
//! that is in none ([`crate::graph::reach::Key`]), until the end of its transaction. These are
//! advisory locks of a lock space of our own.
//!
//! No deadlock among transactions of one statement: keys are taken in ascending order; one that is
//! wanted later and is smaller is only tried for, and if somebody has it all are given back and
//! taken again in order. While somebody waits for a key, nobody waits for him who will not finish.
//!
//! PostgreSQL has room for `max_locks_per_transaction` locks of each session. A transaction that
//! needs more keys takes the *turn* instead: it lets go of its statement's keys, keeps all others
//! from taking any, and waits until nobody has one that it wants.

use super::transaction;
use crate::graph::reach::Key;
use pgrx::{pg_guard, pg_sys};
use std::cell::Cell;

/// Tells our advisory locks from those that users take (1 and 2).
const KEY_SPACE: u16 = 0x6972;
const TURN_SPACE: u16 = 0x6973;
const CONSUMER_SPACE: u16 = 0x6974;
const WORKER_SPACE: u16 = 0x6975;
const OPERATOR_SPACE: u16 = 0x6976;

/// The lock modes of the turn and of keys.
const SHARE: pg_sys::LOCKMODE = pg_sys::ShareLock as pg_sys::LOCKMODE;
const EXCLUSIVE: pg_sys::LOCKMODE = pg_sys::ExclusiveLock as pg_sys::LOCKMODE;

thread_local! {
    /// Keys that this transaction has taken.
    static TAKEN: Cell<usize> = const { Cell::new(0) };
    static LISTENING: Cell<bool> = const { Cell::new(false) };
}

/// The keys that one statement has made its own: by a lock on each, or by the turn.
#[derive(Default)]
pub struct Locks {
    /// Ascending.
    keys: Vec<Key>,
    /// How many of them this transaction did not have before.
    taken: usize,
    by_turn: bool,
}

impl Locks {
    /// Whether all of `wanted` are ours.
    pub fn cover(&self, wanted: &[Key]) -> bool {
        wanted.iter().all(|key| self.keys.binary_search(key).is_ok())
    }

    /// Will take the turn: for what wants more keys than it knows yet.
    pub fn by_turn() -> Self {
        Locks { by_turn: true, ..Locks::default() }
    }

    /// Makes all of `wanted` ours, too. What was read before must be read again: others may have
    /// changed it meanwhile.
    pub fn acquire(&mut self, wanted: &[Key]) {
        listen();
        let is_new = |key: &Key| self.keys.binary_search(key).is_err();
        let mut new: Vec<Key> = wanted.iter().copied().filter(is_new).collect();
        new.sort_unstable();
        new.dedup();
        if self.by_turn || has_turn() || TAKEN.get() + new.len() > most_keys() {
            self.take_turn(new);
        } else if self.keys.is_empty() || !self.extend(&new) {
            self.release();
            self.keys.append(&mut new);
            self.keys.sort_unstable();
            acquire(turn(), SHARE, true);
            for &key in &self.keys {
                self.taken += usize::from(acquire(tag(key), EXCLUSIVE, true) == Acquired::New);
            }
            release(turn(), SHARE);
            TAKEN.set(TAKEN.get() + self.taken);
        }
    }

    /// Takes `new` without waiting for anybody, or none of them.
    fn extend(&mut self, new: &[Key]) -> bool {
        if acquire(turn(), SHARE, false) == Acquired::Not {
            return false;
        }
        let acquired: Vec<Acquired> = new
            .iter()
            .map(|&key| acquire(tag(key), EXCLUSIVE, false))
            .take_while(|&acquired| acquired != Acquired::Not)
            .collect();
        release(turn(), SHARE);
        if acquired.len() < new.len() {
            new[..acquired.len()].iter().for_each(|&key| release(tag(key), EXCLUSIVE));
            return false;
        }
        let taken = acquired.iter().filter(|&&acquired| acquired == Acquired::New).count();
        self.taken += taken;
        TAKEN.set(TAKEN.get() + taken);
        self.keys.extend(new);
        self.keys.sort_unstable();
        true
    }

    /// Gives this statement's keys back.
    fn release(&mut self) {
        self.keys.iter().for_each(|&key| release(tag(key), EXCLUSIVE));
        TAKEN.set(TAKEN.get().saturating_sub(std::mem::take(&mut self.taken)));
    }

    /// Waits until nobody has any of these keys, with the turn, so that nobody takes one.
    fn take_turn(&mut self, mut new: Vec<Key>) {
        if !self.by_turn {
            self.release();
            self.by_turn = true;
        }
        self.keys.append(&mut new);
        self.keys.sort_unstable();
        let had_turn = has_turn();
        loop {
            if !had_turn {
                acquire(turn(), EXCLUSIVE, true);
            }
            let is_free = |key: Key| {
                let free = acquire(tag(key), EXCLUSIVE, false) != Acquired::Not;
                if free {
                    release(tag(key), EXCLUSIVE);
                }
                free
            };
            let Some(&taken) = self.keys.iter().find(|&&key| !is_free(key)) else { return };
            // Others need not wait until he has finished whom we wait for.
            if !had_turn {
                release(turn(), EXCLUSIVE);
            }
            acquire(tag(taken), EXCLUSIVE, true);
            release(tag(taken), EXCLUSIVE);
        }
    }
}

/// Waits until no other transaction takes anything from the queue, and keeps others from it until
/// the end of this one.
pub fn become_consumer() {
    acquire(lock_tag(CONSUMER_SPACE, 0), EXCLUSIVE, true);
}

/// Waits until no other transaction changes what operators say, and keeps others from it until the
/// end of this one. Whoever locks the graph as well does so afterwards.
pub fn become_operator() {
    acquire(lock_tag(OPERATOR_SPACE, 0), EXCLUSIVE, true);
}

/// Makes this process the only worker of its database, until it ends; false if there is one.
pub fn try_be_the_worker() -> bool {
    // SAFETY: a lock of the session, which its end releases.
    let result = unsafe { pg_sys::LockAcquire(&lock_tag(WORKER_SPACE, 0), EXCLUSIVE, true, true) };
    result != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
}

/// Waits for whoever changes the whole graph, and keeps such from it until the end of the
/// transaction. What others have committed before is known after it.
pub fn be_a_writer() {
    for table in ["identifier", "link"] {
        // SAFETY: waits for the lock that every writer of the table takes.
        unsafe {
            pg_sys::LockRelationOid(transaction::relation(table), pg_sys::RowExclusiveLock as _);
        }
    }
}

/// Waits until all transactions have ended that write to the graph now; holds up nobody.
pub fn wait_for_writers() {
    let tag = pg_sys::LOCKTAG {
        // SAFETY: set once for this backend.
        locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
        locktag_field2: transaction::relation("identifier").to_u32(),
        locktag_field3: 0,
        locktag_field4: 0,
        locktag_type: pg_sys::LockTagType::LOCKTAG_RELATION as u8,
        locktag_lockmethodid: pg_sys::DEFAULT_LOCKMETHOD as u8,
    };
    // SAFETY: as CREATE INDEX CONCURRENTLY waits; it can be cancelled.
    unsafe { pg_sys::WaitForLockers(tag, pg_sys::ShareRowExclusiveLock as _, false) };
}

/// Lets nobody write to a table until the end of the transaction.
pub fn keep_writers_from(oid: pg_sys::Oid) {
    // SAFETY: waits for the lock of a table, as LOCK TABLE does.
    unsafe { pg_sys::LockRelationOid(oid, pg_sys::ShareRowExclusiveLock as _) };
}

/// Keys that a transaction may take: the locks for which PostgreSQL has room.
fn most_keys() -> usize {
    // SAFETY: a setting that only changes with a restart.
    usize::try_from(unsafe { pg_sys::max_locks_per_xact }).unwrap_or_default()
}

fn tag(key: Key) -> pg_sys::LOCKTAG {
    lock_tag(KEY_SPACE, key)
}

fn turn() -> pg_sys::LOCKTAG {
    lock_tag(TURN_SPACE, 0)
}

fn lock_tag(space: u16, key: Key) -> pg_sys::LOCKTAG {
    pg_sys::LOCKTAG {
        // SAFETY: set once for this backend.
        locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
        locktag_field2: (key >> 32) as u32,
        locktag_field3: key as u32,
        locktag_field4: space,
        locktag_type: pg_sys::LockTagType::LOCKTAG_ADVISORY as u8,
        locktag_lockmethodid: pg_sys::USER_LOCKMETHOD as u8,
    }
}

fn has_turn() -> bool {
    // SAFETY: looks into this backend's own table of locks.
    unsafe { pg_sys::LockHeldByMe(&turn(), EXCLUSIVE) }
}

/// What became of an attempt to take a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Acquired {
    /// Somebody else has it.
    Not,
    New,
    /// This transaction had it before.
    Again,
}

/// Takes a lock until the end of the transaction; unless it may `wait`, only if it is free.
fn acquire(tag: pg_sys::LOCKTAG, mode: pg_sys::LOCKMODE, wait: bool) -> Acquired {
    // SAFETY: a lock of a transaction, which its end releases; waiting can be cancelled.
    match unsafe { pg_sys::LockAcquire(&tag, mode, false, !wait) } {
        pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL => Acquired::Not,
        pg_sys::LockAcquireResult::LOCKACQUIRE_OK => Acquired::New,
        _ => Acquired::Again,
    }
}

fn release(tag: pg_sys::LOCKTAG, mode: pg_sys::LOCKMODE) {
    // SAFETY: the lock was taken by this statement.
    unsafe { pg_sys::LockRelease(&tag, mode, false) };
}

/// Lets the end of each transaction reset the count of its keys.
fn listen() {
    if !LISTENING.replace(true) {
        // SAFETY: registers, once for this backend, a function that lives as long as it.
        unsafe { pg_sys::RegisterXactCallback(Some(ended), std::ptr::null_mut()) };
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn ended(event: pg_sys::XactEvent::Type, _arg: *mut std::ffi::c_void) {
    use pg_sys::XactEvent::{XACT_EVENT_ABORT, XACT_EVENT_COMMIT, XACT_EVENT_PREPARE};
    if matches!(event, XACT_EVENT_COMMIT | XACT_EVENT_ABORT | XACT_EVENT_PREPARE) {
        TAKEN.set(0);
    }
}
