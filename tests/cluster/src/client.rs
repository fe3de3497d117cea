//! Clients at work.

use crate::{Database, error_code};
use postgres::Client;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Each client writes times in a way of its own.
const MANNERS: [&str; 4] = [
    "SET timezone = 'UTC'; SET datestyle = 'ISO, YMD'",
    "SET timezone = 'Asia/Tokyo'; SET datestyle = 'SQL, DMY'",
    "SET timezone = 'America/Los_Angeles'; SET datestyle = 'German'",
    "SET timezone = 'Pacific/Kiritimati'; SET datestyle = 'Postgres, MDY'",
];

/// The `n`th client of a database. It soon knows of a deadlock, and waits for no disk.
pub fn client(database: &Database, n: u64) -> Result<Client, postgres::Error> {
    let mut client = database.try_connect()?;
    client.batch_execute(
        "SET deadlock_timeout = '20ms'; SET synchronous_commit = off; SET client_min_messages = warning",
    )?;
    client.batch_execute(MANNERS[(n % 4) as usize])?;
    Ok(client)
}

/// Runs a transaction; an error rolls it back.
pub fn run(client: &mut Client, transaction: &[String]) -> Result<(), postgres::Error> {
    let result = transaction.iter().try_for_each(|statement| client.batch_execute(statement));
    if result.is_err() && transaction.len() > 1 && !client.is_closed() {
        client.batch_execute("ROLLBACK")?;
    }
    result
}

/// `n` clients work at the same time.
pub fn at_once(database: &Database, n: u64, work: impl Fn(u64, &mut Client) + Sync) {
    thread::scope(|scope| {
        for i in 0..n {
            let work = &work;
            scope.spawn(move || work(i, &mut client(database, i).unwrap()));
        }
    });
}

/// Runs a transaction until it succeeds. Panics at a failure that is none of `retried`.
#[track_caller]
pub fn insist(client: &mut Client, transaction: &[String], retried: &[&str]) {
    for _ in 0..1_000 {
        let result = run(client, transaction);
        if result.is_ok() {
            return;
        }
        assert!(retried.contains(&error_code(&result)), "{transaction:#?}: {result:?}");
    }
    panic!("after 1,000 times, still not: {transaction:#?}");
}

/// Clients work until `meanwhile` is over: `work` is to end soon after it is told so.
pub fn while_working(work: impl FnOnce(&AtomicBool) + Send, meanwhile: impl FnOnce()) {
    /// Tells them, be it after a panic.
    struct Done<'a>(&'a AtomicBool);
    impl Drop for Done<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let tell = Done(&done);
        scope.spawn(|| work(&done));
        meanwhile();
        drop(tell);
    });
}
