//! Backfill: what it leaves behind, and what others see of it.

use cluster::{Cluster, Database, Dice, Events, State, error_code, meaning, state, versions};
use std::time::{Duration, Instant};

const LOG: Events = Events { table: "visit", storage: "", rows: 60_000, people: 12_000, seed: 0.1 };

/// A second backfill, of one source or of all, writes not a single row.
#[test]
fn a_second_backfill_writes_nothing() {
    let cluster = Cluster::running();
    let database = Database::with_extension(&cluster, "twice");
    LOG.create(&database);
    LOG.attach(&database, Events::MAPPING);
    let customers = Events { table: "customer", rows: 5_000, seed: 0.2, ..LOG };
    customers.create(&database);
    customers.attach(&database, Events::KEYED);
    database.run("CALL identity_resolve.backfill()");

    let mut client = database.connect();
    let (known, rows) = (state(&mut client), versions(&mut client));
    assert!(known.count("identifier") > 20_000 && known.count("link") > 10_000);
    for call in ["backfill()", "backfill('visit')", "backfill('customer')", "backfill()"] {
        database.run(&format!("CALL identity_resolve.{call}"));
        assert_eq!(versions(&mut client), rows, "{call}");
    }
    state(&mut client).assert_is(&known, "after all");

    // In a transaction block, which is another way through the code, it is no different.
    database.run("BEGIN; CALL identity_resolve.backfill(); COMMIT");
    assert_eq!(versions(&mut client), rows);
}

/// Rows that come, go and change, some at a time, lead where reading them all at once leads.
#[test]
fn changes_lead_where_a_fresh_start_leads() {
    let cluster = Cluster::running();
    let database = Database::with_extension(&cluster, "changes");
    let log = Events { rows: 20_000, people: 4_000, ..LOG };
    log.create(&database);
    log.attach(&database, Events::KEYED);
    let mut client = database.connect();
    for round in 0..4 {
        database.run("CALL identity_resolve.backfill()");
        database.run(&format!(
            "SELECT setseed(0.5 + 0.1 * {round});
             DELETE FROM visit WHERE random() < 0.1;
             UPDATE visit SET login = 'l' || floor(random() * 4000) WHERE random() < 0.05;
             UPDATE visit SET at = at + interval '1 day' WHERE random() < 0.05"
        ));
        log.insert(&database, 20_001 + round * 2_000, 22_000 + round * 2_000);
    }
    database.run("CALL identity_resolve.backfill()");
    let step_by_step = state(&mut client);

    database.run("DROP EXTENSION identity_resolve; CREATE EXTENSION identity_resolve");
    log.attach(&database, Events::KEYED);
    database.run("CALL identity_resolve.backfill()");
    step_by_step.assert_is(&state(&mut database.connect()), "changed step by step");
}

/// Where much of the graph changes, rows are replaced in bulk and indexes built anew; in the midst of a
/// transaction row by row, and so if a reader does not let go of the tables. All lead to the same.
#[test]
fn many_changes_lead_where_row_by_row_leads() {
    let cluster = Cluster::running();
    let log = Events { rows: 100_000, people: 60_000, ..LOG };
    let changed = |name: &str, backfill: &str, is_read: bool| {
        let database = Database::with_extension(&cluster, name);
        log.create(&database);
        log.attach(&database, Events::KEYED);
        database.run("CALL identity_resolve.backfill()");
        let mut client = database.connect();
        let mut indexes = || {
            let query = "SELECT string_agg(indexrelid::text, ' ' ORDER BY indexrelid) FROM pg_index
                 WHERE indrelid IN ('identity_resolve.identifier'::regclass, 'identity_resolve.link'::regclass)";
            client.query_one(query, &[]).unwrap().get::<_, String>(0)
        };
        let before = indexes();
        database.run("UPDATE visit SET cookie = 'c' || id % 40000 WHERE id % 3 > 0");
        let mut reader = database.connect();
        if is_read {
            reader.batch_execute("BEGIN; SELECT identity_resolve.resolve('login:l1')").unwrap();
        }
        database.run(backfill);
        reader.batch_execute("ROLLBACK").unwrap();
        let anew = indexes() != before;
        database.run(
            "CREATE EXTENSION amcheck;
             SELECT bt_index_parent_check(indexrelid, heapallindexed => true) FROM pg_index
             WHERE indrelid IN ('identity_resolve.identifier'::regclass, 'identity_resolve.link'::regclass);
             DROP EXTENSION amcheck",
        );
        (anew, state(&mut client))
    };
    let (is_built, in_bulk) = changed("in_bulk", "CALL identity_resolve.backfill()", false);
    assert!(is_built, "no index was built");
    for (name, backfill, is_read) in [
        ("row_by_row", "BEGIN; CALL identity_resolve.backfill(); COMMIT", false),
        ("while_read", "CALL identity_resolve.backfill()", true),
    ] {
        let (is_built, row_by_row) = changed(name, backfill, is_read);
        assert!(!is_built, "{name}: indexes were built");
        row_by_row.assert_is(&in_bulk, name);
    }
}

/// COPY in its binary format takes texts in the encoding of the client, which is not ours.
#[test]
fn texts_are_kept_whatever_the_client_speaks() {
    let cluster = Cluster::running();
    let database = Database::with_extension(&cluster, "latin");
    database.run(
        "CREATE TABLE v (id int PRIMARY KEY, login text, cookie text);
         INSERT INTO v SELECT n, 'josé' || n, NULL FROM generate_series(1, 1500) AS n;
         INSERT INTO v SELECT 10000 + n, NULL, 'c' || n FROM generate_series(1, 1500) AS n;
         SELECT identity_resolve.add_source('v', '{\"key\": \"id\", \"identifiers\": {\"login\": \"login\", \"cookie\": \"cookie\"}}')",
    );
    let mut client = database.connect();
    for statement in [
        "SET client_encoding = 'LATIN1'",
        "CALL identity_resolve.backfill()",
        "UPDATE v SET cookie = 'c' || id WHERE id <= 1500",
        "CALL identity_resolve.backfill()",
    ] {
        client.batch_execute(statement).unwrap();
    }
    let count = |query: &str| database.connect().query_one(query, &[]).unwrap().get::<_, i64>(0);
    let stored =
        "SELECT count(*) FROM identity_resolve.identifier WHERE identifier ~ '^login:josé\\d+$'";
    assert_eq!(count(stored), 1500);
    let told = "SELECT count(*) FROM identity_resolve.profile_change, unnest(identifiers) AS told";
    assert!(count(told) >= 1500);
    let unknown = format!(
        "{told} WHERE NOT EXISTS (SELECT FROM identity_resolve.identifier AS i WHERE i.identifier = told)"
    );
    assert_eq!(count(&unknown), 0);
}

/// The order in which rows stand in their table is nothing.
#[test]
fn the_order_of_rows_is_nothing() {
    let cluster = Cluster::running();
    let database = Database::with_extension(&cluster, "order");
    let log = Events { rows: 20_000, people: 4_000, ..LOG };
    log.create(&database);
    log.attach(&database, Events::MAPPING);
    database.run("CALL identity_resolve.backfill()");
    let mut client = database.connect();
    let known = state(&mut client);
    for order in ["id DESC", "md5(id::text)", "cookie, id", "at"] {
        database.run(&format!(
            "CREATE TEMP TABLE sorted AS SELECT * FROM visit ORDER BY {order};
             TRUNCATE visit; INSERT INTO visit TABLE sorted;
             DROP EXTENSION identity_resolve; CREATE EXTENSION identity_resolve"
        ));
        log.attach(&database, Events::MAPPING);
        database.run("CALL identity_resolve.backfill()");
        state(&mut database.connect()).assert_is(&known, order);
    }
}

/// Other sessions see who does what, how far it is, and how fast.
#[test]
fn others_see_its_progress() {
    let cluster = Cluster::running();
    let database = Database::with_extension(&cluster, "progress");
    let log = Events { rows: 150_000, people: 60_000, ..LOG };
    log.create(&database);
    database.run("ANALYZE visit");
    log.attach(&database, Events::MAPPING);
    let mut client = database.connect();
    let mut phases = Vec::<String>::new();
    for call in ["CALL identity_resolve.backfill('visit')", "CALL identity_resolve.backfill()"] {
        let backfill = database.start(call);
        let mut last = (String::new(), 0);
        while !backfill.is_finished() {
            let query = "SELECT pid, operation, source::text, phase, done, total, rate, started_at <= phase_started_at,
                                phase_started_at <= clock_timestamp() FROM identity_resolve.progress";
            let Some(row) = client.query_opt(query, &[]).unwrap() else { continue };
            let (phase, done): (String, i64) = (row.get("phase"), row.get("done"));
            assert_eq!(row.get::<_, i32>("pid"), backfill.pid);
            let operation = (phase != "indexing").then_some("backfill");
            assert_eq!(row.get::<_, Option<&str>>("operation"), operation);
            assert_eq!(
                row.get::<_, Option<String>>("source"),
                (phase == "reading").then(|| "visit".into())
            );
            assert!(done >= 0 && row.get::<_, Option<f64>>("rate").is_none_or(|rate| rate >= 0.0));
            if let Some(total) = row.get::<_, Option<i64>>("total") {
                assert!(done <= total, "{phase}: {done} of {total}");
            }
            if phase == "reading" {
                assert!(row.get::<_, Option<i64>>("total").is_some_and(|total| total >= 140_000));
            }
            assert!(row.get::<_, bool>(7) && row.get::<_, bool>(8), "{phase}: times");
            // Each index is counted anew.
            if last.0 == phase && phase != "indexing" {
                assert!(done >= last.1, "{phase}: {done} after {}", last.1);
            }
            last = (phase.clone(), done);
            if phases.last() != Some(&phase) {
                phases.push(phase);
            }
        }
        backfill.finish().0.unwrap();
        assert!(client.query_opt("SELECT FROM identity_resolve.progress", &[]).unwrap().is_none());
    }
    for phase in ["reading", "loading", "solving", "writing"] {
        assert!(phases.iter().any(|seen| seen == phase), "{phase} in {phases:?}");
    }
}

/// Who looks people up is never kept waiting, be the graph filled or rewritten meanwhile.
#[test]
fn readers_never_wait() {
    let cluster = Cluster::running();
    let database = Database::with_extension(&cluster, "readers");
    let log = Events { rows: 200_000, people: 80_000, ..LOG };
    log.create(&database);
    log.attach(&database, Events::MAPPING);
    database.run("SELECT identity_resolve.identify('{\"login\": \"reader\"}', '2025-01-01')");
    let mut client = database.connect();
    let mut slowest = Duration::ZERO;
    for prepare in
        ["", "UPDATE visit SET login = 'm' || id % 50000 WHERE login IS NOT NULL", "TRUNCATE visit"]
    {
        database.run(prepare);
        let backfill = database.start("CALL identity_resolve.backfill()");
        while !backfill.is_finished() {
            let before = Instant::now();
            let row = client
                .query_one(
                    "SELECT identity_resolve.resolve('login:reader') IS NOT NULL,
                            (SELECT count(*) FROM identity_resolve.candidates('login:reader'))",
                    &[],
                )
                .unwrap();
            slowest = slowest.max(before.elapsed());
            assert!(row.get::<_, bool>(0));
        }
        backfill.finish().0.unwrap();
    }
    println!("slowest look-up during a backfill: {slowest:?}");
    assert!(slowest < Duration::from_millis(500), "{slowest:?}");
}

/// A session that has looked something up and stays in its transaction holds nobody up: neither the
/// backfill, nor itself when it goes on.
#[test]
fn open_transactions_hold_nothing_up() {
    let cluster = Cluster::running();
    let database = Database::with_extension(&cluster, "open");
    let log = Events { rows: 200_000, people: 80_000, ..LOG };
    log.create(&database);
    log.attach(&database, Events::MAPPING);
    database.run("SELECT identity_resolve.identify('{\"login\": \"reader\"}', '2025-01-01')");

    let mut reader = database.connect();
    reader.batch_execute("BEGIN; SELECT identity_resolve.resolve('login:reader')").unwrap();
    let backfill = database.start("CALL identity_resolve.backfill()");
    let result = backfill.finish_within(Duration::from_secs(20));
    reader.batch_execute("COMMIT").unwrap();
    assert!(result.is_some_and(|result| result.is_ok()), "the backfill waited for a reader");
}

#[test]
fn a_look_up_and_an_identify_in_one_transaction_get_through() {
    let cluster = Cluster::running();
    let database = Database::with_extension(&cluster, "through");
    let log = Events { rows: 200_000, people: 80_000, ..LOG };
    log.create(&database);
    log.attach(&database, Events::MAPPING);
    database.run("SELECT identity_resolve.identify('{\"login\": \"reader\"}', '2025-01-01')");

    let mut looking = database.connect();
    let mut reader = database.connect();
    reader.batch_execute("BEGIN; SELECT identity_resolve.resolve('login:reader')").unwrap();
    let backfill = database.start("CALL identity_resolve.backfill()");
    assert!(backfill.reaches(&mut looking, "writing"));
    reader.batch_execute("SET statement_timeout = '20s'").unwrap();
    let identified = reader.batch_execute(
        "SELECT identity_resolve.identify('{\"login\": \"reader\"}', '2025-01-01'); COMMIT",
    );
    assert_eq!(error_code(&identified), "no error", "identify() and backfill wait for each other");
    backfill.finish().0.unwrap();
}

/// Two backfills of one source do not do the work twice; of two sources, both finish.
#[test]
fn one_backfill_of_a_source_at_a_time() {
    let cluster = Cluster::running();
    let database = Database::with_extension(&cluster, "two");
    let log = Events { rows: 100_000, people: 30_000, ..LOG };
    log.create(&database);
    log.attach(&database, Events::MAPPING);
    let other = Events { table: "other", seed: 0.7, ..log };
    other.create(&database);
    other.attach(&database, Events::KEYED);

    let mut client = database.connect();
    let first = database.start("CALL identity_resolve.backfill('visit')");
    assert!(first.reaches(&mut client, "reading"));
    for call in ["backfill('visit')", "backfill()"] {
        let second = client.batch_execute(&format!("CALL identity_resolve.{call}"));
        assert_eq!(error_code(&second), "55006");
        let error = second.unwrap_err();
        let error = error.as_db_error().unwrap();
        assert_eq!(error.message(), "\"public.visit\" is being backfilled already");
        assert_eq!(error.hint(), Some("SELECT * FROM identity_resolve.progress;"));
    }
    let second = database.start("CALL identity_resolve.backfill('other')");
    // Nor is a source taken away that is being read.
    let dropped =
        client.batch_execute("SET lock_timeout = '100ms'; SELECT identity_resolve.drop_source('visit')");
    assert!(matches!(error_code(&dropped), "55006" | "55P03"), "{dropped:?}");
    first.finish().0.unwrap();
    second.finish().0.unwrap();
    let known = state(&mut client);

    database.run("DROP EXTENSION identity_resolve; CREATE EXTENSION identity_resolve");
    log.attach(&database, Events::MAPPING);
    other.attach(&database, Events::KEYED);
    database.run("CALL identity_resolve.backfill()");
    known.assert_is(&state(&mut database.connect()), "at once");
}

/// A graph that needs more memory than it may take is refused, and nothing has changed.
#[test]
fn too_little_memory_is_an_error_that_changes_nothing() {
    let cluster = Cluster::running();
    let database = Database::with_extension(&cluster, "memory");
    let small = Events { rows: 1_000, people: 300, ..LOG };
    small.create(&database);
    small.attach(&database, Events::MAPPING);
    database.run("CALL identity_resolve.backfill()");
    let mut client = database.connect();
    let (known, rows) = (state(&mut client), versions(&mut client));
    Events { people: 90_000, ..LOG }.insert(&database, 1_001, 200_000);

    client.batch_execute("SET identity_resolve.graph_memory = '16MB'").unwrap();
    let result = client.batch_execute("CALL identity_resolve.backfill()");
    assert_eq!(error_code(&result), "53200");
    let error = result.unwrap_err();
    let error = error.as_db_error().unwrap();
    assert!(error.detail().unwrap().contains("may take 16 MB"), "{error:?}");
    let hint = error.hint().unwrap().to_owned();
    assert_eq!(versions(&mut client), rows);
    state(&mut client).assert_is(&known, "after the error");

    // What the hint says to type works, sooner or later: the first error may come long before all
    // has been read.
    let mut hint = Some(hint);
    for _ in 0..20 {
        let Some(line) = hint.take() else { break };
        client.batch_execute(&line).unwrap();
        if let Err(error) = client.batch_execute("CALL identity_resolve.backfill()") {
            hint = Some(error.as_db_error().unwrap().hint().unwrap().to_owned());
        }
    }
    assert!(hint.is_none());
    assert!(state(&mut client).count("identifier") > 50_000);
}

/// identify() and a backfill of a table with the same sightings tell the same.
#[test]
fn live_is_bulk() {
    let cluster = Cluster::running();
    let database = Database::with_extension(&cluster, "live");
    // Few people, so that much is contested.
    let log = Events { rows: 4_000, people: 400, seed: 0.3, ..LOG };
    log.create(&database);
    database.run(
        "UPDATE identity_resolve.identifier_type SET max_links = 6 WHERE name IN ('email', 'cookie');
         INSERT INTO identity_resolve.separation (a, b)
         SELECT 'login:l' || n, 'login:l' || n + 1 FROM generate_series(0, 40, 4) AS n",
    );
    let mut ids: Vec<i64> = (1..=4_000).collect();
    Dice::new(7).shuffle(&mut ids);
    let mut client = database.connect();
    client.batch_execute("SET synchronous_commit = off").unwrap();
    let identify = client.prepare(IDENTIFY).unwrap();
    for id in ids {
        client.execute(&identify, &[&id]).unwrap();
    }
    let live = meaning(&mut client);
    for held in ["shared", "too_common"] {
        let query = format!(
            "SELECT identifier FROM identity_resolve.profile_identifier WHERE standing = '{held}'"
        );
        assert!(!State::of(&mut client, &query).is_empty(), "no {held}");
    }

    // The whole graph at once has nothing to add.
    database.run("CALL identity_resolve.backfill()");
    meaning(&mut client).assert_is(&live, "solved as a whole");

    database.run(
        "CREATE TABLE kept AS SELECT name, max_links FROM identity_resolve.identifier_type;
         CREATE TABLE kept_separation AS SELECT a, b FROM identity_resolve.separation;
         DROP EXTENSION identity_resolve; CREATE EXTENSION identity_resolve;
         UPDATE identity_resolve.identifier_type AS t SET max_links = k.max_links FROM kept AS k WHERE k.name = t.name;
         INSERT INTO identity_resolve.separation (a, b) SELECT a, b FROM kept_separation",
    );
    log.attach(&database, Events::MAPPING);
    database.run("CALL identity_resolve.backfill()");
    meaning(&mut database.connect()).assert_is(&live, "in bulk");
}

/// Identifies the row of an id; rows of which nothing can be used are no sightings.
const IDENTIFY: &str = "
    SELECT identity_resolve.identify(
        jsonb_build_object('login', login, 'email', email, 'phone', phone, 'cookie', cookie), at, 'web', device)
    FROM visit WHERE id = $1";

/// Eight sessions identify at once; a table with the same sightings tells the same.
#[test]
fn many_identify_at_once() {
    let cluster = Cluster::running();
    let database = Database::with_extension(&cluster, "many");
    let log = Events { rows: 2_400, people: 300, seed: 0.4, ..LOG };
    log.create(&database);
    std::thread::scope(|scope| {
        for worker in 0..8 {
            let mut client = database.connect();
            scope.spawn(move || {
                client.batch_execute("SET synchronous_commit = off").unwrap();
                let identify = client.prepare(IDENTIFY).unwrap();
                for id in (1..=2_400i64).filter(|id| id % 8 == worker) {
                    client.execute(&identify, &[&id]).unwrap();
                }
            });
        }
    });
    let live = meaning(&mut database.connect());
    database.run("DROP EXTENSION identity_resolve; CREATE EXTENSION identity_resolve");
    log.attach(&database, Events::MAPPING);
    database.run("CALL identity_resolve.backfill()");
    meaning(&mut database.connect()).assert_is(&live, "eight at once");
}

/// Who identifies in an old snapshot is told to try again, and builds nothing on what is no more.
#[test]
fn old_snapshots_are_not_built_upon() {
    let cluster = Cluster::running();
    let database = Database::with_extension(&cluster, "snapshot");
    let identify =
        |identifiers: &str| format!("SELECT identity_resolve.identify('{identifiers}', '2025-03-01')");
    database.run(&identify(r#"{"loyalty_card": "1", "email": "a@example.com"}"#));
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        let mut old = database.connect();
        old.batch_execute(&format!(
            "BEGIN ISOLATION LEVEL {level}; SELECT identity_resolve.resolve('login:x')"
        ))
        .unwrap();
        database.run(&identify(r#"{"email": "a@example.com", "cookie": "c"}"#));
        let late = old.batch_execute(&identify(r#"{"loyalty_card": "2", "email": "a@example.com"}"#));
        assert_eq!(error_code(&late), "40001");
    }
    let mut client = database.connect();
    let known = state(&mut client);
    database.run("CALL identity_resolve.backfill()");
    state(&mut client).assert_is(&known, "as a whole");
}
