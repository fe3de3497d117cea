//! Databases and sessions.

use crate::cluster::{Cluster, program};
use postgres::Client;
use postgres::error::SqlState;
use std::process::Command;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A database that lives as long as its test.
pub struct Database<'c> {
    cluster: &'c Cluster,
    name: String,
}

impl<'c> Database<'c> {
    /// A new, empty one.
    pub fn create(cluster: &'c Cluster, name: &str) -> Self {
        let name = format!("cluster_{name}");
        let mut postgres = cluster.connect("postgres").unwrap();
        postgres.execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"), &[]).unwrap();
        postgres.execute(&format!("CREATE DATABASE {name} TEMPLATE template0"), &[]).unwrap();
        Database { cluster, name }
    }

    /// A new one with the extension.
    pub fn with_extension(cluster: &'c Cluster, name: &str) -> Self {
        let database = Self::create(cluster, name);
        database.connect().batch_execute("CREATE EXTENSION identity_resolve").unwrap();
        database
    }

    pub fn connect(&self) -> Client {
        self.try_connect().unwrap()
    }

    /// A session, unless the server is down.
    pub fn try_connect(&self) -> Result<Client, postgres::Error> {
        self.cluster.connect(&self.name)
    }

    /// The server's major version.
    pub fn version(&self) -> i32 {
        let query = "SELECT current_setting('server_version_num')::int / 10000";
        self.connect().query_one(query, &[]).unwrap().get(0)
    }

    /// Runs SQL in a session of its own.
    pub fn run(&self, sql: &str) {
        self.connect().batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    /// Starts `sql` in another session, statement by statement: several at once would be one
    /// transaction, in which a backfill cannot save what it has read.
    pub fn start(&self, sql: &str) -> Backfill {
        let mut client = self.connect();
        let pid = client.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
        let sql = sql.to_owned();
        let started = Instant::now();
        let thread = thread::spawn(move || {
            let result = sql.split("; ").try_for_each(|statement| client.batch_execute(statement));
            (result, Instant::now())
        });
        Backfill { pid, started, thread }
    }

    /// psql, pg_dump and the like on this database. Its arguments are to follow.
    pub fn program(&self, name: &str) -> Command {
        let mut command = program(name);
        command.envs(self.cluster.environment()).env("PGDATABASE", &self.name);
        if name == "psql" {
            command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1"]);
        }
        command
    }
}

impl Drop for Database<'_> {
    fn drop(&mut self) {
        // After a failure it stays, to be looked at.
        if !thread::panicking() {
            let sql = format!("DROP DATABASE {} WITH (FORCE)", self.name);
            self.cluster.connect("postgres").unwrap().batch_execute(&sql).unwrap();
        }
    }
}

/// Work under way in another session.
pub struct Backfill {
    pub pid: i32,
    pub started: Instant,
    thread: JoinHandle<(Result<(), postgres::Error>, Instant)>,
}

impl Backfill {
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Its result, and when it came.
    pub fn finish(self) -> (Result<(), postgres::Error>, Instant) {
        self.thread.join().expect("the session's thread does not panic")
    }

    /// Waits until `phase` is under way; false if the work ends before.
    pub fn reaches(&self, client: &mut Client, phase: &str) -> bool {
        while !self.is_finished() {
            let sql = "SELECT FROM identity_resolve.progress WHERE pid = $1 AND phase = $2";
            if client.query_opt(sql, &[&self.pid, &phase]).unwrap().is_some() {
                return true;
            }
        }
        false
    }

    /// Cancels it. Returns its result and how long that took to come, in milliseconds.
    pub fn cancel(self, client: &mut Client) -> (Result<(), postgres::Error>, u128) {
        let before = Instant::now();
        client.execute("SELECT pg_cancel_backend($1)", &[&self.pid]).unwrap();
        let (result, at) = self.finish();
        (result, at.saturating_duration_since(before).as_millis())
    }

    /// Waits for the result, but not for ever.
    pub fn finish_within(self, patience: Duration) -> Option<Result<(), postgres::Error>> {
        while !self.is_finished() {
            if self.started.elapsed() > patience {
                return None;
            }
            thread::sleep(Duration::from_millis(5));
        }
        Some(self.finish().0)
    }
}

/// The SQLSTATE of a failure.
pub fn error_code<T>(result: &Result<T, postgres::Error>) -> &str {
    match result {
        Ok(_) => "no error",
        Err(error) => error.code().map_or("no SQLSTATE", SqlState::code),
    }
}
