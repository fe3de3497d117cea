//! A backfill can be cancelled at any moment: at once, and as if it had never begun.

use cluster::{CANCEL_MS, Cluster, Database, Dice, Events, error_code, versions};
use postgres::Client;
use std::time::{Duration, Instant};

const LOG: Events = Events { table: "visit", storage: "", rows: 300_000, people: 120_000, seed: 0.1 };

/// What a cancelled backfill may not change.
fn everything(client: &mut Client) -> String {
    let query = "SELECT (SELECT count(*) FROM identity_resolve.rejection) || ' '
        || (SELECT string_agg(concat_ws(' ', name, backfilled_at, rows_read), ',' ORDER BY id) FROM identity_resolve.source)
        || (SELECT count(*) FROM identity_resolve.progress)
        || (SELECT string_agg(indexname, ' ' ORDER BY indexname) FROM pg_indexes WHERE schemaname = 'identity_resolve')";
    let rest: String = client.query_one(query, &[]).unwrap().get(0);
    versions(client) + &rest
}

/// Cancels backfills in each of `phases`, and one at any time, `times` times. Returns how long the
/// slowest answer took and how many there were.
fn cancel_in(
    database: &Database,
    phases: &[&str],
    times: u32,
    dice: &mut Dice,
    length: Duration,
) -> (u128, u32) {
    let mut client = database.connect();
    let before = everything(&mut client);
    let (mut slowest, mut cancelled) = (0, 0);
    for _ in 0..times {
        for phase in phases.iter().map(Some).chain([None]) {
            let backfill = database.start("CALL identity_resolve.backfill()");
            let wait = match phase {
                Some(phase) => {
                    if !backfill.reaches(&mut client, phase) {
                        panic!("it never was {phase}: {:?}", backfill.finish().0);
                    }
                    dice.below(length.as_millis() as u64 / 12)
                }
                None => dice.below(length.as_millis() as u64 / 2),
            };
            std::thread::sleep(Duration::from_millis(wait));
            let (result, answered) = backfill.cancel(&mut client);
            if result.is_ok() {
                // It had finished before.
                return (slowest, cancelled);
            }
            assert_eq!(error_code(&result), "57014", "{phase:?}");
            assert_eq!(everything(&mut client), before, "cancelled while {phase:?}");
            println!("{:>8} + {wait:>4} ms: {answered} ms", phase.unwrap_or(&"any"));
            slowest = slowest.max(answered);
            cancelled += 1;
        }
    }
    (slowest, cancelled)
}

#[test]
fn a_cancel_is_answered_at_once_and_leaves_nothing_behind() {
    let cluster = Cluster::running();
    let database = Database::with_extension(&cluster, "cancel");
    LOG.create(&database);
    LOG.attach(&database, Events::MAPPING);
    let mut dice = Dice::new(std::process::id().into());

    let started = Instant::now();
    database.run("CALL identity_resolve.backfill()");
    let length = started.elapsed();
    println!("a backfill of {} rows takes {length:?}", LOG.rows);

    // Of a graph that is rewritten,
    database.run("UPDATE visit SET login = 'm' || id % 50000 WHERE id % 3 = 0");
    let (rewriting, n) =
        cancel_in(&database, &["reading", "loading", "solving", "writing"], 2, &mut dice, length);

    // and of an empty one that is filled.
    let mut slowest = rewriting;
    let mut cancelled = n;
    for _ in 0..3 {
        database.run("DROP EXTENSION identity_resolve; CREATE EXTENSION identity_resolve");
        LOG.attach(&database, Events::MAPPING);
        let (filling, n) =
            cancel_in(&database, &["reading", "solving", "writing", "indexing"], 1, &mut dice, length);
        slowest = slowest.max(filling);
        cancelled += n;
    }
    println!("slowest of {cancelled} answers: {slowest} ms");
    assert!(cancelled >= 20);
    assert!(slowest <= CANCEL_MS, "{slowest} ms");
}

#[test]
fn a_statement_timeout_ends_it_in_time() {
    let cluster = Cluster::running();
    let database = Database::with_extension(&cluster, "timeout");
    LOG.create(&database);
    LOG.attach(&database, Events::MAPPING);
    let mut client = database.connect();
    let before = everything(&mut client);
    let mut slowest = 0;
    for timeout in [1, 50, 150, 300, 450, 600] {
        client.batch_execute(&format!("SET statement_timeout = {timeout}")).unwrap();
        let started = Instant::now();
        let result = client.batch_execute("CALL identity_resolve.backfill()");
        let late = started.elapsed().as_millis().saturating_sub(timeout);
        client.batch_execute("RESET statement_timeout").unwrap();
        if result.is_ok() {
            break;
        }
        assert_eq!(error_code(&result), "57014");
        assert_eq!(everything(&mut client), before);
        slowest = slowest.max(late);
    }
    println!("slowest after its time: {slowest} ms");
    assert!(slowest <= CANCEL_MS, "{slowest} ms");
}

/// However much an application puts into one call.
#[test]
fn a_call_with_very_many_values_ends_in_time() {
    let cluster = Cluster::running();
    let database = Database::with_extension(&cluster, "values");
    let mut client = database.connect();
    client.batch_execute("CREATE TABLE call AS SELECT jsonb_build_object('cookie', jsonb_agg('c' || i)) AS identifiers FROM generate_series(1, 100000) AS i; SET statement_timeout = 300").unwrap();
    let started = Instant::now();
    let result = client.batch_execute("SELECT identity_resolve.identify(identifiers) FROM call");
    let took = started.elapsed().as_millis();
    println!("100,000 values in one call: {} after {took} ms", error_code(&result));
    assert!(took <= 300 + CANCEL_MS, "{took} ms");
}

/// A session whose backfill failed at any moment goes on, and holds up nobody.
#[test]
fn the_session_goes_on_after_a_failure() {
    let cluster = Cluster::running();
    let database = Database::with_extension(&cluster, "goes_on");
    let log = Events { rows: 120_000, people: 60_000, ..LOG };
    log.create(&database);
    log.attach(&database, Events::MAPPING);
    let (mut session, mut other) = (database.connect(), database.connect());
    let mut failures = 0;
    for timeout in (100..).step_by(150) {
        session.batch_execute(&format!("SET statement_timeout = {timeout}")).unwrap();
        let result = session.batch_execute("CALL identity_resolve.backfill()");
        session.batch_execute("SET statement_timeout = 0").unwrap();
        if result.is_ok() {
            break;
        }
        failures += 1;
        other
            .batch_execute("SET lock_timeout = '5s'; SELECT identity_resolve.identify('{\"login\": \"other\"}', '2025-01-01')")
            .unwrap();
        session
            .batch_execute("SELECT identity_resolve.identify('{\"login\": \"same\"}', '2025-01-01')")
            .unwrap();
    }
    assert!(failures > 0, "no backfill failed");
}
