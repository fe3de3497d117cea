//! What was found live must be what a backfill finds.

use crate::world::SOURCES;
use crate::{Database, World, decoded, versions};

impl World {
    /// Applies what is queued and compares what is known with a backfill of the same tables, first
    /// in place, which must not write anything, then from scratch. Says where they differ.
    pub fn difference(&self, database: &Database) -> Option<String> {
        database.run("CALL identity_resolve.drain_queue()");
        let mut client = database.connect();
        let query = "SELECT (SELECT count(*) FROM identity_resolve.queue),
                            (SELECT string_agg(error, '; ') FROM identity_resolve.dead_letter),
                            (SELECT expired_as_of::text FROM identity_resolve.setting)";
        let row = client.query_one(query, &[]).unwrap();
        let (queued, dead): (i64, Option<String>) = (row.get(0), row.get(1));
        if queued > 0 || dead.is_some() {
            return Some(format!("{queued} left in the queue, dead letters: {dead:?}"));
        }
        let (live, rows) = (decoded(&mut client), versions(&mut client));

        database.run("CALL identity_resolve.backfill()");
        if let Some(difference) = live.difference(&decoded(&mut client)) {
            return Some(format!("a backfill in place changes {difference}"));
        }
        if versions(&mut client) != rows {
            return Some("a backfill in place writes what was there already".to_owned());
        }
        drop(client);

        database.run(&self.anew(row.get(2)).join("; "));
        database.run("CALL identity_resolve.backfill()");
        let difference = live.difference(&decoded(&mut database.connect()))?;
        Some(format!("a backfill from scratch changes {difference}"))
    }

    /// The statements that forget everything and attach the same tables.
    fn anew(&self, expired_as_of: Option<&str>) -> Vec<String> {
        let mut statements = vec![
            "SET client_min_messages = warning".to_owned(),
            "DROP TABLE IF EXISTS kept_must_link, kept_separation".to_owned(),
            "CREATE TABLE kept_must_link AS TABLE identity_resolve.must_link".to_owned(),
            "CREATE TABLE kept_separation AS TABLE identity_resolve.separation".to_owned(),
            "DROP EXTENSION identity_resolve CASCADE".to_owned(),
        ];
        statements.extend(self.extension(&["manual"; SOURCES.len()]));
        // What operators have said, and those who configured the world.
        statements.extend(["must_link", "separation"].iter().flat_map(|table| {
            [
                format!("DELETE FROM identity_resolve.{table}"),
                format!("INSERT INTO identity_resolve.{table} TABLE kept_{table}"),
            ]
        }));
        statements.extend(
            expired_as_of
                .map(|as_of| format!("UPDATE identity_resolve.setting SET expired_as_of = '{as_of}'")),
        );
        statements
    }

    /// Panics where live and bulk differ.
    #[track_caller]
    pub fn assert_equal(&self, database: &Database, what: &str) {
        if let Some(difference) = self.difference(database) {
            panic!("{what}: {difference}");
        }
    }
}
