//! Matching can be cancelled at any moment, runs out of memory with an error, and tells how far it is.

use cluster::{CANCEL_MS, Cluster, Database, Dice, error_code, insist, versions, while_working};
use postgres::Client;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// People who differ in everything, a third of them twice, with slips of the pen.
fn people(database: &Database, rows: u32) {
    database.run(&format!(
        "CREATE TABLE person (id int PRIMARY KEY, first_name text, last_name text, birth_date date, city text, email text);
         INSERT INTO person
         SELECT n, letters('f' || p % 997, 6), letters('l' || p % 7919, 8), date '1940-01-01' + p * 7919 % 25000,
                'city ' || p % 300, CASE WHEN p % 2 = 0 THEN 'u' || p || '@example.com' END
         FROM generate_series(1, {rows}) AS n, LATERAL (SELECT n * 3 / 4 AS p) AS person;
         UPDATE person SET last_name = overlay(last_name PLACING 'x' FROM 3 FOR 1) WHERE id % 7 = 0;
         UPDATE person SET email = NULL WHERE id % 5 = 0;
         SELECT identity_resolve.add_source('person', '{MAPPING}')"
    ));
}

const LETTERS: &str =
    "CREATE FUNCTION letters(seed text, length int) RETURNS text LANGUAGE sql IMMUTABLE
    AS $$ SELECT translate(substr(md5(seed), 1, length), '0123456789', 'ghijklmnop') $$";

const MAPPING: &str = r#"{"key": "id", "traits": {"first_name": "first_name", "last_name": "last_name",
    "birth_date": "birth_date", "city": "city", "email": "email"}}"#;

fn prepare<'c>(cluster: &'c Cluster, name: &str, rows: u32) -> Database<'c> {
    let database = Database::with_extension(cluster, name);
    database.run(LETTERS);
    people(&database, rows);
    database.run("CALL identity_resolve.backfill()");
    database
}

fn everything(client: &mut Client) -> String {
    let query = "SELECT coalesce((SELECT string_agg(md5(m::text), ' ' ORDER BY name) FROM identity_resolve.model AS m), '')
        || (SELECT count(*) FROM identity_resolve.review) || ' ' || (SELECT count(*) FROM identity_resolve.progress)";
    let rest: String = client.query_one(query, &[]).unwrap().get(0);
    versions(client) + &rest
}

#[test]
fn a_cancel_is_answered_at_once_and_leaves_nothing_behind() {
    let cluster = Cluster::running();
    let database = prepare(&cluster, "match_cancel", 150_000);
    let mut client = database.connect();
    let mut dice = Dice::new(std::process::id().into());
    let (mut slowest, mut cancelled) = (0, 0);
    let training: &[&str] = &["reading", "counting", "sampling", "learning"];
    let matching: &[&str] = &["reading", "comparing", "clustering", "loading", "solving", "writing"];
    for (statement, phases) in
        [("SELECT identity_resolve.train()", training), ("CALL identity_resolve.match()", matching)]
    {
        for phase in phases {
            // A short phase may be over before anybody looks.
            for _ in 0..5 {
                // Everything is new.
                database.run("DELETE FROM identity_resolve.match_index");
                let before = everything(&mut client);
                let work = database.start(statement);
                if work.reaches(&mut client, phase) {
                    std::thread::sleep(Duration::from_millis(dice.below(20)));
                }
                let (result, answered) = work.cancel(&mut client);
                if result.is_ok() {
                    continue;
                }
                assert_eq!(error_code(&result), "57014", "{phase}");
                assert_eq!(everything(&mut client), before, "{statement} cancelled while {phase}");
                println!("{statement}, {phase}: {answered} ms");
                slowest = slowest.max(answered);
                cancelled += 1;
                break;
            }
        }
        database.run(statement);
    }
    println!("slowest of {cancelled} answers: {slowest} ms");
    assert!(cancelled >= 8);
    assert!(slowest <= CANCEL_MS, "{slowest} ms");
}

/// The model, the links that it found, and the pairs in doubt.
fn found(client: &mut Client) -> String {
    let query = "SELECT md5((SELECT parameters::text FROM identity_resolve.model))
        || md5((SELECT string_agg(concat_ws(' ', a, b, probability, held_reason), ',' ORDER BY a, b)
                FROM identity_resolve.links WHERE kind = 'matched'))
        || md5(coalesce((SELECT string_agg(concat_ws(' ', a, b, probability), ',' ORDER BY a, b) FROM identity_resolve.reviews), ''))";
    client.query_one(query, &[]).unwrap().get(0)
}

/// Rows come, change and go while others match what is new, and are cancelled now and then. What is
/// left of it is what a run over everything finds.
#[test]
fn what_is_new_is_matched_beside_writers_and_cancels() {
    let cluster = Cluster::running();
    let database = prepare(&cluster, "match_new", 20_000);
    database.run("SELECT identity_resolve.set_mode('person', 'trigger')");
    database.run("SELECT identity_resolve.train()");
    database.run("CALL identity_resolve.match()");
    let mut client = database.connect();
    let mut dice = Dice::new(u64::from(std::process::id()));
    let (mut cancelled, mut finished) = (0, 0);
    while_working(
        |done| {
            let mut writer = database.connect();
            let mut dice = Dice::new(7);
            while !done.load(Ordering::Relaxed) {
                let id = dice.below(30_000);
                let statement = match dice.below(4) {
                    0 => format!("DELETE FROM person WHERE id = {id}"),
                    1 => format!("UPDATE person SET last_name = letters('l' || {id} % 7919, 8) WHERE id = {id}"),
                    2 => format!("UPDATE person SET id = 100000 + {id} WHERE id = {id} AND NOT EXISTS (SELECT FROM person WHERE id = 100000 + {id})"),
                    _ => format!(
                        "INSERT INTO person SELECT {id}, first_name, last_name, birth_date, city, NULL FROM person
                         WHERE id <> {id} ORDER BY md5(id::text || {id}) LIMIT 1 ON CONFLICT DO NOTHING"
                    ),
                };
                insist(&mut writer, &[statement], &[]);
            }
        },
        || {
            for _ in 0..25 {
                let patience = 1 + dice.below(600);
                client.batch_execute(&format!("SET statement_timeout = {patience}")).unwrap();
                match error_code(&client.batch_execute("CALL identity_resolve.match()")) {
                    "57014" => cancelled += 1,
                    "no error" => finished += 1,
                    other => panic!("{other}"),
                }
            }
        },
    );
    println!("{cancelled} cancelled, {finished} finished");
    client.batch_execute("SET statement_timeout = 0; CALL identity_resolve.match()").unwrap();
    let compared =
        "SELECT (match_report ->> 'records_compared')::int < (match_report ->> 'records')::int / 2
        FROM identity_resolve.model";
    assert!(client.query_one(compared, &[]).unwrap().get::<_, bool>(0), "only what is new");
    let by_and_by = found(&mut client);
    client
        .batch_execute("DELETE FROM identity_resolve.match_index; CALL identity_resolve.match()")
        .unwrap();
    assert_eq!(found(&mut client), by_and_by);
}

#[test]
fn what_is_too_much_is_an_error_that_names_the_setting() {
    let cluster = Cluster::running();
    let database = prepare(&cluster, "match_memory", 60_000);
    let mut client = database.connect();
    let before = everything(&mut client);
    client.batch_execute("SET identity_resolve.match_memory = '16MB'").unwrap();
    let result = client.batch_execute("SELECT identity_resolve.train()");
    assert_eq!(error_code(&result), "53200");
    let error = result.unwrap_err();
    let hint = error.as_db_error().and_then(|error| error.hint()).unwrap_or_default().to_owned();
    assert!(hint.contains("identity_resolve.match_memory"), "{hint}");
    assert_eq!(everything(&mut client), before);
}

/// The same links, whoever compares and however many do.
#[test]
fn neither_threads_nor_the_order_of_rows_matter() {
    let cluster = Cluster::running();
    let database = prepare(&cluster, "match_order", 20_000);
    let mut client = database.connect();
    let mut seen = Vec::new();
    for statement in [
        "SET identity_resolve.threads = 1",
        "SET identity_resolve.threads = 4",
        "CREATE TABLE shuffled AS SELECT * FROM person ORDER BY md5(id::text);
         TRUNCATE person; INSERT INTO person SELECT * FROM shuffled",
    ] {
        client.batch_execute(statement).unwrap();
        client.batch_execute("SELECT identity_resolve.train()").unwrap();
        // As if it had never been: what was compared before is not compared again.
        client.batch_execute("DELETE FROM identity_resolve.match_index").unwrap();
        client.batch_execute("CALL identity_resolve.match()").unwrap();
        seen.push(found(&mut client));
    }
    assert_eq!(seen[0], seen[1], "threads");
    assert_eq!(seen[0], seen[2], "order of rows");
    // Threads would take the signals of the session.
    let searching = database.connect().query_one(
        "SELECT (SELECT count(*) FROM identity_resolve.search('{\"first_name\": \"lmafkb\", \"city\": \"city 7\"}')) >= 0
             AND identity_resolve.score('{\"city\": \"city 7\"}', '{\"city\": \"city 8\"}') < 1,
             (SELECT count(*) FROM pg_ls_dir('/proc/self/task'))",
        &[],
    );
    let searching = searching.unwrap();
    assert!(searching.get::<_, bool>(0));
    assert_eq!(searching.get::<_, i64>(1), 1, "threads of a session that searches");
}
