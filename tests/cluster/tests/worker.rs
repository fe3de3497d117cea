//! The background worker: it drains and expires by itself, stands in nobody's way, survives what
//! ends it, and tells the truth about itself.

use cluster::{Cluster, Database, error_code};
use postgres::{Client, Row};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// For what should take a second or two, on a machine that may be busy.
const SOON: Duration = Duration::from_secs(30);

/// A server that looks after these databases.
fn server(name: &str, databases: &str, settings: &[&str]) -> Cluster {
    let databases = format!("identity_resolve.databases={databases}");
    let own = [
        "shared_preload_libraries=identity_resolve",
        "identity_resolve.naptime=100ms",
        "identity_resolve.expire_interval=0",
        "shared_buffers=64MB",
        &databases,
    ];
    let cluster = Cluster::start(name, &[&own, settings].concat());
    // It may be what a failure has left.
    let mut postgres = cluster.connect("postgres").unwrap();
    let left = "SELECT format('DROP DATABASE %I WITH (FORCE)', datname) FROM pg_database
                WHERE NOT datistemplate AND datname <> 'postgres'";
    for row in postgres.query(left, &[]).unwrap() {
        postgres.batch_execute(row.get(0)).unwrap();
    }
    postgres.batch_execute("ALTER SYSTEM RESET ALL").unwrap();
    postgres.batch_execute("SELECT pg_reload_conf()").unwrap();
    cluster
}

const ATTACH: &str = r#"
    CREATE TABLE sighting (id bigint PRIMARY KEY, login text, email text, at timestamptz);
    SELECT identity_resolve.add_source('sighting',
        '{"identifiers": {"login": "login", "email": "email"}, "seen_at": "at"}', mode => 'queue')"#;

/// Adds `rows` people, in statements of at most 1,000 rows.
fn insert(client: &mut Client, from: i64, rows: i64) {
    for first in (from..from + rows).step_by(1_000) {
        let last = (first + 1_000).min(from + rows) - 1;
        client
            .batch_execute(&format!(
                "INSERT INTO sighting SELECT n, 'l' || n, 'e' || n || '@example.com', '2025-01-01 00:00+00'
                 FROM generate_series({first}, {last}) AS n"
            ))
            .unwrap();
    }
}

fn status(client: &mut Client) -> Row {
    client.query_one("SELECT *, lag > '0 s' AS lags FROM identity_resolve.worker_status", &[]).unwrap()
}

fn drained(client: &mut Client) -> i64 {
    status(client).get("drained")
}

fn is(client: &mut Client, condition: &str) -> bool {
    client.query_one(&format!("SELECT coalesce({condition}, false)"), &[]).unwrap().get(0)
}

/// Waits until a condition, in SQL, is met.
#[track_caller]
fn soon(client: &mut Client, condition: &str) {
    let started = Instant::now();
    while !is(client, condition) {
        assert!(started.elapsed() < SOON, "not within {SOON:?}: {condition}\n{:?}", shown(client));
        thread::sleep(Duration::from_millis(20));
    }
}

/// What to look at after a failure.
fn shown(client: &mut Client) -> String {
    let query = "SELECT s::text || (SELECT string_agg(a::text, E'\n') FROM pg_stat_activity AS a)
                 FROM identity_resolve.worker_status AS s";
    client.query_one(query, &[]).map_or_else(|error| error.to_string(), |row| row.get(0))
}

/// A session, as soon as the server takes one.
fn reconnect(cluster: &Cluster, database: &str) -> Client {
    let started = Instant::now();
    loop {
        match cluster.connect(database) {
            Ok(client) => return client,
            Err(error) => assert!(started.elapsed() < SOON, "{error:?}"),
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// Changes a setting of the server.
fn set(cluster: &Cluster, setting: &str, value: &str) -> Result<(), postgres::Error> {
    let mut client = cluster.connect("postgres").unwrap();
    client.batch_execute(&format!("ALTER SYSTEM SET identity_resolve.{setting} = {value}"))?;
    client.batch_execute("SELECT pg_reload_conf()")
}

/// Makes each batch take as long as this, in seconds.
fn slow_down(client: &mut Client, seconds: f64) {
    client
        .batch_execute(&format!(
            "CREATE OR REPLACE FUNCTION slow_down() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN PERFORM pg_catalog.pg_sleep({seconds}); RETURN NEW; END $$;
             CREATE OR REPLACE TRIGGER slow_down BEFORE UPDATE ON identity_resolve.worker_run
             FOR EACH ROW WHEN (NEW.drained > OLD.drained) EXECUTE FUNCTION public.slow_down()"
        ))
        .unwrap();
}

const LAUNCHER: &str =
    "(SELECT min(pid) FROM pg_stat_activity WHERE backend_type = 'identity_resolve launcher')";
const WORKER: &str = "(SELECT pid FROM identity_resolve.worker_status)";

fn pid(client: &mut Client, of: &str) -> i32 {
    soon(client, &format!("{of} IS NOT NULL"));
    // It may have ended meanwhile.
    let found = client.query_one(&format!("SELECT {of}"), &[]).unwrap().get::<_, Option<i32>>(0);
    found.unwrap_or_else(|| pid(client, of))
}

#[test]
fn drains_and_tells_the_truth() {
    let cluster = server("worker_drain", "cluster_drained", &["identity_resolve.queue_batch=1000"]);
    let database = Database::create(&cluster, "drained");
    let mut client = database.connect();
    // The worker has been there already, and found nothing to do.
    soon(&mut client, &format!("{LAUNCHER} IS NOT NULL"));
    client.batch_execute("CREATE EXTENSION identity_resolve").unwrap();
    client.batch_execute(ATTACH).unwrap();

    let before = status(&mut client);
    assert!(before.get::<_, bool>("running"));
    assert_eq!(before.get::<_, i64>("backlog"), 0);
    assert_eq!(before.get::<_, Option<bool>>("lags"), None);
    assert_eq!(before.get::<_, i64>("drained"), 0);
    assert_eq!(before.get::<_, i64>("errors"), 0);
    assert!(is(&mut client, "(SELECT started_at < now() FROM identity_resolve.worker_status)"));
    soon(&mut client, "(SELECT last_run IS NOT NULL FROM identity_resolve.worker_status)");

    insert(&mut client, 1, 100);
    soon(&mut client, "(SELECT backlog = 0 AND drained = 100 FROM identity_resolve.worker_status)");
    assert!(is(
        &mut client,
        "identity_resolve.resolve('login:l100') = identity_resolve.resolve('email:e100@example.com')"
    ));
    assert!(is(
        &mut client,
        "(SELECT last_run > now() - interval '1 minute' FROM identity_resolve.worker_status)"
    ));

    // While it drains a long queue, what is not waiting any more has been drained.
    slow_down(&mut client, 0.2);
    let (mut backlogs, mut doings) = (Vec::new(), Vec::new());
    client.batch_execute("BEGIN").unwrap();
    insert(&mut client, 101, 12_000);
    client.batch_execute("COMMIT").unwrap();
    let started = Instant::now();
    while backlogs.last() != Some(&0) {
        let row = status(&mut client);
        let backlog = row.get::<_, i64>("backlog");
        assert_eq!(row.get::<_, i64>("drained") + backlog, 12_100);
        assert_eq!(row.get::<_, Option<bool>>("lags"), (backlog > 0).then_some(true));
        assert!(row.get::<_, bool>("running"));
        doings.push((row.get::<_, Option<i32>>("pid").is_some(), row.get::<_, String>("doing")));
        backlogs.push(backlog);
        assert!(started.elapsed() < SOON, "{backlogs:?}");
        thread::sleep(Duration::from_millis(10));
    }
    assert!(backlogs.is_sorted_by(|a, b| a >= b), "{backlogs:?}");
    backlogs.dedup();
    assert!(backlogs.len() > 8, "{backlogs:?}");
    let draining =
        doings.iter().filter(|(there, doing)| *there && doing.starts_with("draining the queue"));
    assert!(draining.count() > 8, "{doings:?}");

    // It stays a little, and goes.
    soon(&mut client, "(SELECT pid IS NULL AND doing = 'waiting' FROM identity_resolve.worker_status)");
    // Nothing happens, nothing is written.
    let version = "SELECT xmin::text || ctid::text FROM identity_resolve.worker_run";
    let known: String = client.query_one(version, &[]).unwrap().get(0);
    thread::sleep(Duration::from_secs(1));
    assert_eq!(client.query_one(version, &[]).unwrap().get::<_, String>(0), known);

    // By hand counts, too; and one who is not looked after is told so.
    set(&cluster, "databases", "''").unwrap();
    soon(&mut client, "NOT (SELECT running FROM identity_resolve.worker_status)");
    soon(&mut client, "(SELECT pid IS NULL FROM identity_resolve.worker_status)");
    insert(&mut client, 20_001, 10);
    thread::sleep(Duration::from_millis(500));
    let row = status(&mut client);
    assert_eq!(row.get::<_, i64>("backlog"), 10);
    assert_eq!(row.get::<_, Option<String>>("doing"), None);
    client.batch_execute("CALL identity_resolve.drain_queue()").unwrap();
    assert_eq!(drained(&mut client), 12_110);
    // Rows that somebody deletes do not make it more than one, or none.
    client.batch_execute("DELETE FROM identity_resolve.worker_run").unwrap();
    assert_eq!(drained(&mut client), 0);
    insert(&mut client, 30_001, 10);
    client.batch_execute("CALL identity_resolve.drain_queue()").unwrap();
    assert_eq!(drained(&mut client), 10);
}

#[test]
fn survives_what_ends_it() {
    let cluster = server("worker_ends", "cluster_ends", &["identity_resolve.queue_batch=1000"]);
    let database = Database::with_extension(&cluster, "ends");
    let mut client = database.connect();
    client.batch_execute(ATTACH).unwrap();
    slow_down(&mut client, 0.1);
    let mut rows = 0;

    for end in ["pg_terminate_backend", "pg_cancel_backend"] {
        for who in [WORKER, LAUNCHER] {
            insert(&mut client, rows + 1, 5_000);
            rows += 5_000;
            let pid = pid(&mut client, who);
            client.execute(&format!("SELECT {end}($1)"), &[&pid]).unwrap();
            soon(
                &mut client,
                &format!("(SELECT drained = {rows} AND running FROM identity_resolve.worker_status)"),
            );
            if who == LAUNCHER {
                assert!(is(&mut client, &format!("{LAUNCHER} <> {pid}")), "{end}");
            }
        }
    }
    // A cancelled batch is an error, and was tried again.
    let error: String = status(&mut client).get("last_error");
    assert!(error.starts_with("canceling statement due to user request"), "{error}");

    // The worker is killed: PostgreSQL ends every session and recovers.
    for who in [WORKER, LAUNCHER] {
        insert(&mut client, rows + 1, 5_000);
        rows += 5_000;
        let pid = pid(&mut client, who);
        assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
        // Until the postmaster has noticed, the old session answers.
        while client.simple_query("SELECT").is_ok() {}
        client = reconnect(&cluster, "cluster_ends");
        soon(
            &mut client,
            &format!("(SELECT drained = {rows} AND backlog = 0 FROM identity_resolve.worker_status)"),
        );
    }
    let people =
        "(SELECT count(DISTINCT profile) = count(*) / 2 FROM identity_resolve.profile_identifier)";
    assert!(is(&mut client, people));
    assert!(is(
        &mut client,
        &format!("(SELECT count(*) = 2 * {rows} FROM identity_resolve.profile_identifier)")
    ));
}

/// There is one worker, also where its launcher ended and a new one does not know of it.
#[test]
fn one_worker_for_a_database() {
    let cluster = server("worker_one", "cluster_one", &["identity_resolve.queue_batch=1000"]);
    let database = Database::with_extension(&cluster, "one");
    let mut client = database.connect();
    client.batch_execute(ATTACH).unwrap();
    slow_down(&mut client, 1.0);
    insert(&mut client, 1, 12_000);
    let worker = pid(&mut client, WORKER);
    let launcher = pid(&mut client, LAUNCHER);
    client.execute("SELECT pg_terminate_backend($1)", &[&launcher]).unwrap();
    soon(&mut client, &format!("{LAUNCHER} <> {launcher}"));
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(2) {
        // One that has just been started ends as soon as it sees the other.
        let query =
            "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'identity_resolve worker'
                         AND query LIKE 'draining%'";
        assert_eq!(client.query_one(query, &[]).unwrap().get::<_, i64>(0), 1);
        assert_eq!(pid(&mut client, WORKER), worker);
    }
}

#[test]
fn stands_in_nobodys_way() {
    let databases = "cluster_way, cluster_gone, cluster_copied";
    let settings = ["identity_resolve.queue_batch=1000"];
    let cluster = server("worker_way", databases, &settings);
    let database = Database::with_extension(&cluster, "way");
    let mut postgres = cluster.connect("postgres").unwrap();

    // Idle, and in the midst of work.
    for rows in [0, 20_000] {
        postgres.batch_execute("CREATE DATABASE cluster_gone").unwrap();
        let mut client = cluster.connect("cluster_gone").unwrap();
        client.batch_execute("CREATE EXTENSION identity_resolve").unwrap();
        client.batch_execute(ATTACH).unwrap();
        slow_down(&mut client, 0.3);
        insert(&mut client, 1, rows);
        if rows > 0 {
            soon(&mut client, "(SELECT drained > 0 FROM identity_resolve.worker_status)");
        }
        drop(client);
        postgres.batch_execute("CREATE DATABASE cluster_copied TEMPLATE cluster_gone").unwrap();
        let dropped = Instant::now();
        postgres.batch_execute("DROP DATABASE cluster_gone").unwrap();
        assert!(dropped.elapsed() < Duration::from_secs(5), "{:?}", dropped.elapsed());
        // The copy is looked after at once.
        let mut client = cluster.connect("cluster_copied").unwrap();
        soon(&mut client, &format!("(SELECT drained = {rows} FROM identity_resolve.worker_status)"));
        drop(client);
        postgres.batch_execute("DROP DATABASE cluster_copied").unwrap();
    }

    let mut client = database.connect();
    client.batch_execute(ATTACH).unwrap();
    for round in 0..5 {
        slow_down(&mut client, 0.1);
        insert(&mut client, 1, 8_000);
        soon(&mut client, "(SELECT drained > 0 FROM identity_resolve.worker_status)");
        // There is nothing to update to.
        client.batch_execute("ALTER EXTENSION identity_resolve UPDATE").unwrap();
        client.batch_execute("VACUUM FULL identity_resolve.worker_run").unwrap();
        if round % 2 == 0 {
            let moment = 30 * round;
            thread::sleep(Duration::from_millis(moment));
        } else {
            soon(&mut client, "(SELECT backlog = 0 FROM identity_resolve.worker_status)");
        }
        client.batch_execute("DROP EXTENSION identity_resolve CASCADE").unwrap();
        thread::sleep(Duration::from_millis(200));
        client.batch_execute("DROP TABLE sighting; CREATE EXTENSION identity_resolve").unwrap();
        client.batch_execute(ATTACH).unwrap();
        // Of what it met there nothing is an error.
        assert_eq!(status(&mut client).get::<_, i64>("errors"), 0);
        insert(&mut client, 1, 10);
        soon(&mut client, "(SELECT drained = 10 FROM identity_resolve.worker_status)");
        client
            .batch_execute("TRUNCATE sighting; UPDATE identity_resolve.worker_run SET drained = 0")
            .unwrap();
    }
}

#[test]
fn reads_its_settings_anew() {
    let cluster = server("worker_settings", "cluster_first, nowhere", &[]);
    let first = Database::with_extension(&cluster, "first");
    let mut postgres = cluster.connect("postgres").unwrap();
    postgres.batch_execute("CREATE DATABASE \"a, \"\"b\"\" C\"").unwrap();
    let mut one = first.connect();
    let mut two = cluster.connect("a, \"b\" C").unwrap();
    two.batch_execute("CREATE EXTENSION identity_resolve").unwrap();
    for client in [&mut one, &mut two] {
        client.batch_execute(ATTACH).unwrap();
    }
    let running = "(SELECT running FROM identity_resolve.worker_status)";
    soon(&mut one, running);
    assert!(!is(&mut two, running));
    soon(
        &mut one,
        "EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'identity_resolve launcher'
                     AND query = 'databases: cluster_first, nowhere' AND state = 'idle')",
    );

    set(&cluster, "databases", r#"'"a, ""b"" C", cluster_first'"#).unwrap();
    soon(&mut two, running);
    for client in [&mut one, &mut two] {
        insert(client, 1, 10);
        soon(client, "(SELECT drained = 10 FROM identity_resolve.worker_status)");
    }
    set(&cluster, "databases", r#"'"a, ""b"" C"'"#).unwrap();
    soon(&mut one, "NOT (SELECT running FROM identity_resolve.worker_status)");
    for client in [&mut one, &mut two] {
        insert(client, 11, 10);
    }
    soon(&mut two, "(SELECT drained = 20 FROM identity_resolve.worker_status)");
    assert_eq!(drained(&mut one), 10);

    // One that is in the midst of work leaves it, too.
    slow_down(&mut two, 0.5);
    set(&cluster, "queue_batch", "1000").unwrap();
    insert(&mut two, 21, 50_000);
    soon(&mut two, "(SELECT drained > 20 FROM identity_resolve.worker_status)");
    set(&cluster, "databases", "cluster_first").unwrap();
    soon(&mut two, "(SELECT pid IS NULL FROM identity_resolve.worker_status)");
    assert!(drained(&mut two) < 40_000);
    soon(&mut one, "(SELECT drained = 20 FROM identity_resolve.worker_status)");

    // A database that comes later is looked after when it is there.
    set(&cluster, "databases", "cluster_first, cluster_later").unwrap();
    thread::sleep(Duration::from_millis(300));
    let later = Database::with_extension(&cluster, "later");
    let mut client = later.connect();
    client.batch_execute(ATTACH).unwrap();
    insert(&mut client, 1, 10);
    soon(&mut client, "(SELECT drained = 10 FROM identity_resolve.worker_status)");

    // A long nap is cut short by the reload that makes it a short one.
    set(&cluster, "naptime", "'1 h'").unwrap();
    thread::sleep(Duration::from_millis(500));
    insert(&mut client, 11, 10);
    thread::sleep(Duration::from_secs(1));
    set(&cluster, "naptime", "100").unwrap();
    soon(&mut client, "(SELECT drained = 20 FROM identity_resolve.worker_status)");

    for malformed in ["'a,'", "'\"a'", "','", "'a\"b\"'"] {
        let refused = set(&cluster, "databases", malformed);
        assert_eq!(error_code(&refused), "22023", "{malformed}");
    }
    let refused = client.batch_execute("SET identity_resolve.databases = 'cluster_first'");
    assert_eq!(error_code(&refused), "55P02");
    drop(two);
    postgres.batch_execute("DROP DATABASE \"a, \"\"b\"\" C\"").unwrap();
}

#[test]
fn expires_by_itself() {
    let cluster = server("worker_expires", "cluster_expires", &[]);
    let database = Database::with_extension(&cluster, "expires");
    let mut client = database.connect();
    client
        .batch_execute(
            r#"SELECT identity_resolve.identify('{"login": "ann", "cookie": "old"}', now() - interval '3 years');
               SELECT identity_resolve.identify('{"login": "ann", "cookie": "new"}', now())"#,
        )
        .unwrap();
    thread::sleep(Duration::from_millis(500));
    assert!(is(&mut client, "(SELECT last_expiry IS NULL FROM identity_resolve.worker_status)"));

    set(&cluster, "expire_interval", "'1 s'").unwrap();
    soon(
        &mut client,
        "(SELECT standing = 'expired' FROM identity_resolve.profile_identifier WHERE identifier = 'cookie:old')",
    );
    soon(&mut client, "(SELECT last_expiry IS NOT NULL FROM identity_resolve.worker_status)");
    assert!(is(
        &mut client,
        "identity_resolve.resolve('cookie:new') = identity_resolve.resolve('login:ann')"
    ));
    // And again.
    let last: String = client
        .query_one("SELECT last_expiry::text FROM identity_resolve.worker_status", &[])
        .unwrap()
        .get(0);
    soon(&mut client, &format!("(SELECT last_expiry > '{last}' FROM identity_resolve.worker_status)"));
    client.batch_execute(r#"SELECT identity_resolve.identify('{"login": "bob", "cookie": "late"}', now() - interval '3 years')"#).unwrap();
    soon(
        &mut client,
        "(SELECT standing = 'expired' FROM identity_resolve.profile_identifier WHERE identifier = 'cookie:late')",
    );

    // A long interval is kept.
    set(&cluster, "expire_interval", "'1 h'").unwrap();
    thread::sleep(Duration::from_millis(1_500));
    let last = |client: &mut Client| -> String {
        client
            .query_one("SELECT last_expiry::text FROM identity_resolve.worker_status", &[])
            .unwrap()
            .get(0)
    };
    let known = last(&mut client);
    thread::sleep(Duration::from_millis(1_500));
    assert_eq!(last(&mut client), known);
    client
        .batch_execute(
            "UPDATE identity_resolve.worker_run SET last_expiry = now() - interval '61 minutes'",
        )
        .unwrap();
    soon(
        &mut client,
        "(SELECT last_expiry > now() - interval '1 minute' FROM identity_resolve.worker_status)",
    );

    // Its failure is told, and holds up nothing else.
    client
        .batch_execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN RAISE EXCEPTION 'no sweep today' USING HINT = 'Come back tomorrow.'; END $$;
             CREATE TRIGGER refuse BEFORE UPDATE OF expired_as_of ON identity_resolve.setting
             FOR EACH ROW EXECUTE FUNCTION refuse();
             UPDATE identity_resolve.worker_run SET last_expiry = now() - interval '1 year'",
        )
        .unwrap();
    client.batch_execute(ATTACH).unwrap();
    soon(&mut client, "(SELECT errors > 0 FROM identity_resolve.worker_status)");
    assert_eq!(
        status(&mut client).get::<_, String>("last_error"),
        "no sweep today\nHINT: Come back tomorrow."
    );
    insert(&mut client, 1, 10);
    soon(&mut client, "(SELECT drained = 10 FROM identity_resolve.worker_status)");
    assert_eq!(status(&mut client).get::<_, i64>("errors"), 1);
    client.batch_execute("DROP TRIGGER refuse ON identity_resolve.setting; UPDATE identity_resolve.worker_run SET expiry_retry_at = now()").unwrap();
    soon(
        &mut client,
        "(SELECT last_expiry > now() - interval '1 minute' FROM identity_resolve.worker_status)",
    );
}

#[test]
fn tells_of_failures_and_goes_on() {
    let cluster =
        server("worker_fails", "cluster_fails, cluster_well", &["identity_resolve.expire_interval=1s"]);
    let database = Database::with_extension(&cluster, "fails");
    let well = Database::with_extension(&cluster, "well");
    let mut client = database.connect();
    client.batch_execute(ATTACH).unwrap();
    client
        .batch_execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN RAISE EXCEPTION 'not today' USING DETAIL = 'It is Sunday.', ERRCODE = 'IR001'; END $$;
             CREATE TRIGGER refuse BEFORE DELETE ON identity_resolve.queue FOR EACH ROW EXECUTE FUNCTION refuse()",
        )
        .unwrap();
    insert(&mut client, 1, 10);
    soon(&mut client, "(SELECT errors = 1 FROM identity_resolve.worker_status)");
    let row = status(&mut client);
    assert_eq!(row.get::<_, String>("last_error"), "not today\nDETAIL: It is Sunday.");
    assert!(is(
        &mut client,
        "(SELECT last_error_at > now() - interval '1 minute' FROM identity_resolve.worker_status)"
    ));
    assert_eq!((row.get::<_, i64>("backlog"), row.get::<_, i64>("drained")), (10, 0));
    // After 1 s, 2 s and 4 s it is tried again; not each time that a worker comes.
    let failing = Instant::now();
    soon(&mut client, "(SELECT errors = 4 FROM identity_resolve.worker_status)");
    assert!(failing.elapsed() > Duration::from_secs(6), "{:?}", failing.elapsed());
    // Meanwhile the rest goes on, here and elsewhere.
    let last = "(SELECT last_expiry > now() - interval '5 s' FROM identity_resolve.worker_status)";
    soon(&mut client, last);
    let mut other = well.connect();
    other.batch_execute(ATTACH).unwrap();
    insert(&mut other, 1, 10);
    soon(&mut other, "(SELECT drained = 10 AND errors = 0 FROM identity_resolve.worker_status)");
    // Nor does a database that fails hold up who wants it.
    drop(other);

    client.batch_execute("DROP TRIGGER refuse ON identity_resolve.queue").unwrap();
    soon(&mut client, "(SELECT drained = 10 AND backlog = 0 FROM identity_resolve.worker_status)");
    let row = status(&mut client);
    assert_eq!(row.get::<_, i64>("errors"), 4);
    assert_eq!(row.get::<_, String>("last_error"), "not today\nDETAIL: It is Sunday.");
    assert!(is(
        &mut client,
        "(SELECT failures = 0 AND retry_at IS NULL FROM identity_resolve.worker_run)"
    ));
}

/// What a database or a role is set to is for its sessions.
#[test]
fn works_whatever_is_set() {
    let cluster = server("worker_set", "cluster_set", &["identity_resolve.expire_interval=1s"]);
    let database = Database::with_extension(&cluster, "set");
    let mut client = database.connect();
    client.batch_execute(ATTACH).unwrap();
    for setting in [
        "default_transaction_read_only = on",
        "default_transaction_isolation = 'serializable'",
        "default_transaction_deferrable = on",
        "statement_timeout = 1",
        "lock_timeout = 1",
        "idle_in_transaction_session_timeout = 1",
        "search_path = nowhere",
        "datestyle = 'German'",
        "timezone = 'Asia/Tokyo'",
        "synchronous_commit = off",
    ] {
        client.batch_execute(&format!("ALTER DATABASE cluster_set SET {setting}")).unwrap();
    }
    soon(&mut client, "(SELECT pid IS NULL FROM identity_resolve.worker_status)");
    insert(&mut client, 1, 5_000);
    soon(&mut client, "(SELECT drained = 5000 AND backlog = 0 FROM identity_resolve.worker_status)");
    soon(&mut client, "(SELECT last_expiry IS NOT NULL FROM identity_resolve.worker_status)");
    let row = status(&mut client);
    assert_eq!(row.get::<_, Option<String>>("last_error"), None);
    let seen =
        "(SELECT count(*) = 10000 AND min(first_seen) = '2025-01-01' AND max(last_seen) = '2025-01-01'
                 FROM identity_resolve.profile_identifier)";
    assert!(is(&mut client, seen));
}

/// A row that fails is set aside, and the rest goes on.
#[test]
fn sets_failing_rows_aside() {
    let cluster = server("worker_letters", "cluster_letters", &[]);
    let database = Database::with_extension(&cluster, "letters");
    let mut client = database.connect();
    client.batch_execute(ATTACH).unwrap();
    client
        .batch_execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN RAISE EXCEPTION 'not this one'; END $$;
             CREATE TRIGGER refuse BEFORE INSERT ON identity_resolve.identifier
             FOR EACH ROW WHEN (NEW.identifier = 'login:l7') EXECUTE FUNCTION refuse()",
        )
        .unwrap();
    insert(&mut client, 1, 10);
    soon(&mut client, "(SELECT dead_letters = 1 AND backlog = 0 FROM identity_resolve.worker_status)");
    assert!(is(&mut client, "(SELECT count(*) = 9 FROM identity_resolve.profiles)"));
    let row = client.query_one(
        "SELECT error, sqlstate, attempts, row->>'login' FROM identity_resolve.dead_letter",
        &[],
    );
    let row = row.unwrap();
    assert_eq!(row.get::<_, &str>(0), "not this one");
    assert_eq!(row.get::<_, &str>(1), "P0001");
    assert_eq!(row.get::<_, i32>(2), 3);
    assert_eq!(row.get::<_, &str>(3), "l7");
    insert(&mut client, 11, 10);
    soon(&mut client, "(SELECT count(*) = 19 FROM identity_resolve.profiles)");

    client.batch_execute("DROP TRIGGER refuse ON identity_resolve.identifier; SELECT identity_resolve.retry_dead_letters()").unwrap();
    soon(&mut client, "(SELECT dead_letters = 0 AND backlog = 0 FROM identity_resolve.worker_status)");
    soon(&mut client, "(SELECT count(*) = 20 FROM identity_resolve.profiles)");
}

#[test]
fn without_the_library_preloaded() {
    let cluster = Cluster::running();
    let database = Database::with_extension(&cluster, "unloaded");
    let mut client = database.connect();
    let row = status(&mut client);
    assert!(!row.get::<_, bool>("running"));
    assert_eq!(row.get::<_, Option<i32>>("pid"), None);
    assert_eq!(row.get::<_, Option<String>>("doing"), None);
    assert_eq!(error_code(&client.batch_execute("SET identity_resolve.databases = 'x'")), "55P02");
}
