//! A backfill that was interrupted goes on where it was, and gives what one in one go gives.

use cluster::{Cluster, Database, Dice, Events, error_code, state};
use postgres::Client;
use std::process::Command;
use std::time::Duration;

/// Eight partitions, each of them saved when it has been read.
const PARTITIONED: Events = Events {
    table: "visit",
    storage: "PARTITION BY HASH (id)",
    rows: 200_000,
    people: 40_000,
    seed: 0.1,
};

/// One table of some hundred megabytes, which is saved in pieces.
const WIDE: Events = Events {
    table: "wide",
    storage: "WITH (fillfactor = 10)",
    rows: 110_000,
    people: 20_000,
    seed: 0.2,
};

fn create(database: &Database) {
    PARTITIONED.create_partitioned(database, 8);
    WIDE.create(database);
    attach(database);
}

fn attach(database: &Database) {
    PARTITIONED.attach(database, Events::KEYED);
    WIDE.attach(database, Events::MAPPING);
}

/// Changes rows here and there; `all`: whatever can happen to a table.
fn change(database: &Database, dice: &mut Dice) {
    let n = dice.below(1_000);
    let change = match dice.below(7) {
        0 => format!("DELETE FROM visit WHERE id % 1000 = {n}"),
        1 => format!("UPDATE visit SET login = 'l' || id % 40000 WHERE id % 1000 = {n}"),
        2 => format!("UPDATE wide SET cookie = 'c' || id % 9000 WHERE id % 1000 = {n}"),
        3 => format!("DELETE FROM wide WHERE id % 1000 = {n}; VACUUM wide"),
        4 => format!("INSERT INTO wide SELECT * FROM visit WHERE id % 1000 = {n}"),
        5 => format!(
            "INSERT INTO visit SELECT id + 1000000, at, login, email, phone, cookie, device FROM wide WHERE id % 1000 = {n}"
        ),
        _ => return,
    };
    for statement in change.split("; ") {
        database.run(statement);
    }
}

fn saved(client: &mut Client) -> i64 {
    client.query_one("SELECT count(*) FROM identity_resolve.checkpoint", &[]).unwrap().get(0)
}

/// Finishes, and compares with a backfill that nothing has interrupted.
fn finish(database: &Database) {
    database.start(BACKFILL).finish().0.unwrap();
    let mut client = database.connect();
    assert_eq!(saved(&mut client), 0, "checkpoints are removed in the end");
    let resumed = state(&mut client);
    drop(client);
    database.run("DROP EXTENSION identity_resolve; CREATE EXTENSION identity_resolve");
    attach(database);
    database.run("CALL identity_resolve.backfill()");
    resumed.assert_is(&state(&mut database.connect()), "resumed");
}

const BACKFILL: &str = "SET identity_resolve.checkpoint_interval = 0; CALL identity_resolve.backfill()";

#[test]
fn after_cancels_and_changes() {
    let cluster = Cluster::running();
    let database = Database::with_extension(&cluster, "resume");
    create(&database);
    let mut dice = Dice::new(std::process::id().into());
    let mut client = database.connect();
    let mut used = 0;
    for _ in 0..8 {
        let backfill = database.start(BACKFILL);
        std::thread::sleep(Duration::from_millis(dice.below(900)));
        let (result, _) = backfill.cancel(&mut client);
        if error_code(&result) == "57014" {
            used += i64::from(saved(&mut client) > 0);
        }
        change(&database, &mut dice);
    }
    assert!(used > 0, "nothing was ever saved");
    drop(client);
    finish(&database);
}

/// What was saved is not read again.
#[test]
fn what_was_saved_is_used() {
    let cluster = Cluster::running();
    let database = Database::with_extension(&cluster, "used");
    create(&database);
    let mut client = database.connect();
    let backfill = database
        .start("SET identity_resolve.checkpoint_interval = 0; CALL identity_resolve.backfill('visit')");
    while saved(&mut client) < 6 && !backfill.is_finished() {}
    let (result, _) = backfill.cancel(&mut client);
    assert_eq!(error_code(&result), "57014");
    let kept = saved(&mut client);
    assert!(kept >= 6);

    // Progress begins with the rows that were saved.
    let backfill = database.start(BACKFILL);
    let mut first = None;
    while !backfill.is_finished() && first.is_none() {
        let query = "SELECT done FROM identity_resolve.progress WHERE phase = 'reading' AND done > 0";
        first = client.query_opt(query, &[]).unwrap().map(|row| row.get::<_, i64>(0));
    }
    backfill.finish().0.unwrap();
    assert!(first.is_some_and(|done| done >= 140_000), "{first:?}");
    drop(client);
    finish(&database);
}

/// What can happen to a source between the interruption and the next try, beside rows that change.
const HAPPENINGS: [(&str, &str); 8] = [
    (
        "a partition that was read is dropped",
        "DROP TABLE visit_2; CREATE TABLE visit_2 PARTITION OF visit FOR VALUES WITH (MODULUS 8, REMAINDER 2)",
    ),
    ("a partition that was read is detached", "ALTER TABLE visit DETACH PARTITION visit_2"),
    ("partitions are truncated", "TRUNCATE visit_1, visit_2"),
    (
        "columns change their names",
        "ALTER TABLE visit RENAME login TO l; ALTER TABLE visit RENAME cookie TO login; ALTER TABLE visit RENAME l TO cookie",
    ),
    (
        "a column is dropped and added again",
        "ALTER TABLE visit DROP login; ALTER TABLE visit ADD login text DEFAULT 'everybody'",
    ),
    (
        "the mapping changes",
        r#"UPDATE identity_resolve.source SET mapping = mapping || '{"channel": {"value": "app"}}' WHERE name = 'public.visit'"#,
    ),
    (
        "the configuration changes",
        "INSERT INTO identity_resolve.blocked_value (type, pattern) VALUES ('login', 'l[0-9]')",
    ),
    ("the table is written anew", "DELETE FROM wide WHERE id > 20000; VACUUM FULL wide"),
];

#[test]
fn after_whatever_has_happened() {
    let cluster = Cluster::running();
    let database = Database::create(&cluster, "happened");
    let mut failures = Vec::new();
    for (what, statements) in HAPPENINGS {
        database.run(
            "DROP EXTENSION IF EXISTS identity_resolve; DROP TABLE IF EXISTS visit, visit_2, wide;
             CREATE EXTENSION identity_resolve",
        );
        let visit = Events { rows: 40_000, ..PARTITIONED };
        let writes_wide = statements.contains("wide");
        let wide = Events { rows: if writes_wide { 100_000 } else { 500 }, ..WIDE };
        visit.create_partitioned(&database, 8);
        wide.create(&database);
        attach(&database);
        let mut client = database.connect();
        let backfill = database.start(BACKFILL);
        while saved(&mut client) < if writes_wide { 8 } else { 7 } && !backfill.is_finished() {}
        assert_eq!(error_code(&backfill.cancel(&mut client).0), "57014", "{what}");
        for statement in statements.split("; ") {
            database.run(statement);
        }
        if let Err(error) = database.start(BACKFILL).finish().0 {
            failures.push(format!("{what}: {error:?}"));
            continue;
        }
        let resumed = state(&mut client);
        let query = "SELECT mapping::text FROM identity_resolve.source ORDER BY id";
        let mappings: Vec<String> =
            client.query(query, &[]).unwrap().iter().map(|row| row.get(0)).collect();
        drop(client);
        database.run("DROP EXTENSION identity_resolve; CREATE EXTENSION identity_resolve");
        if statements.contains("blocked_value") {
            database.run(statements);
        }
        visit.attach(&database, &mappings[0]);
        wide.attach(&database, &mappings[1]);
        database.run("CALL identity_resolve.backfill()");
        let difference = resumed.difference(&state(&mut database.connect()));
        failures.extend(difference.map(|difference| format!("{what}: {difference}")));
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Partitions may go while a backfill runs: between two of its transactions it holds no lock on them.
#[test]
fn a_partition_dropped_meanwhile_is_no_accident() {
    let cluster = Cluster::running();
    let database = Database::with_extension(&cluster, "meanwhile");
    create(&database);
    let mut client = database.connect();
    let backfill = database
        .start("SET identity_resolve.checkpoint_interval = 0; CALL identity_resolve.backfill('visit')");
    while saved(&mut client) < 1 && !backfill.is_finished() {}
    database.run("SET lock_timeout = '5s'; DROP TABLE visit_7, visit_0");
    let (result, _) = backfill.finish();
    // To have read it before, or to say so, is both right.
    assert!(matches!(error_code(&result), "no error" | "42P01"), "{result:?}");
    drop(client);
    database.start(BACKFILL).finish().0.unwrap();
    finish(&database);
}

#[test]
fn after_crashes() {
    let cluster = Cluster::start("crash_test", &["fsync=on", "max_wal_size=1GB"]);
    let database = Database::with_extension(&cluster, "crash");
    create(&database);
    let mut dice = Dice::new(std::process::id().into());
    let mut used = 0;
    for round in 0..4 {
        let mut client = database.connect();
        let backfill = database.start(BACKFILL);
        let before = std::time::Instant::now();
        let wait = Duration::from_millis(200 + dice.below(900));
        while before.elapsed() < wait && !backfill.is_finished() {
            std::thread::sleep(Duration::from_millis(5));
        }
        if round % 2 == 0 {
            // One server process, which takes the others along.
            let kill = Command::new("kill").args(["-9", &backfill.pid.to_string()]).status().unwrap();
            assert!(kill.success());
            while client.batch_execute("SELECT").is_ok() {}
            while cluster.connect("postgres").is_err() {
                std::thread::sleep(Duration::from_millis(50));
            }
        } else {
            cluster.crash();
        }
        let (result, _) = backfill.finish();
        let mut client = database.connect();
        if result.is_err() {
            used += i64::from(saved(&mut client) > 0);
        }
        drop(client);
        change(&database, &mut dice);
    }
    assert!(used > 0, "nothing was ever saved");
    finish(&database);
}
