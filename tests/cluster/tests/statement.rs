//! Statements that fire the trigger function several times, and what else the review of the live
//! graph found.

use cluster::{Cluster, Database, Dice, meaning};
use std::thread;

const MAPPING: &str = r#"{"key": "id", "identifiers": {"email": "email", "cookie": "cookie"}}"#;
const EVENTS: &str = r#"{"identifiers": {"email": "email", "cookie": "cookie"}}"#;

/// A backfill finds nothing to change.
fn assert_settled(database: &Database) {
    let mut client = database.connect();
    let live = meaning(&mut client);
    assert!(!live.is_empty());
    client.batch_execute("CALL identity_resolve.backfill()").unwrap();
    live.assert_is(&meaning(&mut client), "live");
}

/// Six sessions run statements that `statement` writes about two people each; none may fail.
fn hammer(database: &Database, statement: impl Fn(&mut Dice, [u64; 2]) -> String + Sync) {
    thread::scope(|scope| {
        for seed in 0..6 {
            let (statement, mut client) = (&statement, database.connect());
            scope.spawn(move || {
                // The library is loaded, so that it knows where the next statement ends.
                client
                    .batch_execute("SELECT identity_resolve.canonical('email', 'a@example.com')")
                    .unwrap();
                let mut dice = Dice::new(seed);
                for _ in 0..150 {
                    let people = [dice.below(20), dice.below(20)];
                    let sql = statement(&mut dice, people);
                    client.batch_execute(&sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
                }
            });
        }
    });
    assert_settled(database);
}

fn person(n: u64) -> String {
    format!("'a{n}@example.com', 'c{n}'")
}

#[test]
fn an_upsert_that_inserts_and_updates_decides_once() {
    let cluster = Cluster::running();
    let database = Database::with_extension(&cluster, "upsert");
    database.run("CREATE TABLE t (id bigint PRIMARY KEY, email text, cookie text)");
    database.run(&format!("SELECT identity_resolve.add_source('t', '{MAPPING}', 'trigger')"));
    hammer(&database, |dice, [a, b]| {
        let (new, old) = (100 + dice.below(1 << 40), dice.below(50));
        format!(
            "INSERT INTO t VALUES ({new}, {}), ({old}, {}) ON CONFLICT (id) DO UPDATE
             SET email = excluded.email, cookie = excluded.cookie",
            person(a),
            person(b)
        )
    });
}

#[test]
fn a_statement_that_writes_two_sources_decides_once() {
    let cluster = Cluster::running();
    let database = Database::with_extension(&cluster, "two_sources");
    for table in ["s", "t"] {
        database.run(&format!("CREATE TABLE {table} (email text, cookie text)"));
        database.run(&format!("SELECT identity_resolve.add_source('{table}', '{EVENTS}', 'trigger')"));
    }
    hammer(&database, |_, [a, b]| {
        format!("WITH s AS (INSERT INTO s VALUES ({})) INSERT INTO t VALUES ({})", person(a), person(b))
    });
}

#[test]
fn row_triggers_of_a_statement_decide_once() {
    let cluster = Cluster::running();
    let database = Database::with_extension(&cluster, "row_triggers");
    database.run("CREATE TABLE t (email text, cookie text)");
    database.run(&format!("SELECT identity_resolve.add_source('t', '{EVENTS}')"));
    database.run(
        "CREATE TRIGGER each_row AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION identity_resolve.observe()",
    );
    hammer(&database, |_, [a, b]| format!("INSERT INTO t VALUES ({}), ({})", person(a), person(b)));
}

/// What a block with an exception handler has undone is not told, what it has done is.
#[test]
fn what_a_trigger_undoes_is_not_told() {
    let cluster = Cluster::running();
    let database = Database::with_extension(&cluster, "undone");
    for table in ["s", "t"] {
        database.run(&format!("CREATE TABLE {table} (email text, cookie text)"));
        database.run(&format!("SELECT identity_resolve.add_source('{table}', '{EVENTS}', 'trigger')"));
    }
    database.run(
        "CREATE FUNCTION copy() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             INSERT INTO s VALUES ('kept@example.com', NEW.cookie);
             BEGIN
                 INSERT INTO s VALUES ('undone@example.com', NEW.cookie);
                 RAISE EXCEPTION 'no';
             EXCEPTION WHEN raise_exception THEN
                 INSERT INTO s VALUES ('instead@example.com', NULL);
             END;
             RETURN NULL;
         END $$;
         CREATE TRIGGER copy AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION copy()",
    );
    let mut client = database.connect();
    for _ in 0..2 {
        client.batch_execute("INSERT INTO t VALUES ('a@example.com', 'c')").unwrap();
    }
    let known =
        "SELECT string_agg(identifier, ' ' ORDER BY identifier) FROM identity_resolve.identifier";
    assert_eq!(
        client.query_one(known, &[]).unwrap().get::<_, String>(0),
        "cookie:c email:a@example.com email:instead@example.com email:kept@example.com"
    );
    assert_settled(&database);
}

/// Indexes that are not ours are not looked into.
#[test]
fn indexes_of_others_lead_nowhere() {
    let cluster = Cluster::running();
    let database = Database::with_extension(&cluster, "indexes");
    database.run("CREATE TABLE t (id bigint PRIMARY KEY, email text, cookie text)");
    database.run(&format!("SELECT identity_resolve.add_source('t', '{MAPPING}', 'trigger')"));
    database.run("CREATE INDEX held ON identity_resolve.link (b) WHERE held_reason IS NOT NULL");
    database.run("REINDEX INDEX CONCURRENTLY identity_resolve.link_b");
    for (id, [email, cookie]) in [["1", "1"], ["2", "1"], ["1", "2"], ["2", "2"]].iter().enumerate() {
        database.run(&format!("INSERT INTO t VALUES ({id}, 'a{email}@example.com', 'c{cookie}')"));
    }
    assert_settled(&database);
}

/// A publication of all tables does not keep the extension from deleting rows.
#[test]
fn a_publication_of_all_tables_is_no_obstacle() {
    let cluster = Cluster::running();
    let database = Database::with_extension(&cluster, "publication");
    database.run("CREATE PUBLICATION everything FOR ALL TABLES");
    database.run("CREATE TABLE t (id bigint PRIMARY KEY, email text, cookie text)");
    database.run(&format!("SELECT identity_resolve.add_source('t', '{MAPPING}', 'trigger')"));
    database.run("INSERT INTO t VALUES (1, 'a@example.com', 'c'), (2, 'no address', 'd')");
    assert_settled(&database);
    database.run("SELECT identity_resolve.drop_source('t')");
}
