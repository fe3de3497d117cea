//! Matching can be cancelled at any moment, runs out of memory with an error, and tells how far it is.

use cluster::{CANCEL_MS, Cluster, Database, Dice, error_code, versions};
use postgres::Client;
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
        let before = everything(&mut client);
        for phase in phases {
            let work = database.start(statement);
            // A short phase may be over before anybody looks.
            if work.reaches(&mut client, phase) {
                std::thread::sleep(Duration::from_millis(dice.below(40)));
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
        }
        database.run(statement);
    }
    println!("slowest of {cancelled} answers: {slowest} ms");
    assert!(cancelled >= 6);
    assert!(slowest <= CANCEL_MS, "{slowest} ms");
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
        client.batch_execute("CALL identity_resolve.match()").unwrap();
        let query = "SELECT md5((SELECT parameters::text FROM identity_resolve.model))
            || md5((SELECT string_agg(concat_ws(' ', a, b, probability), ',' ORDER BY a, b)
                    FROM identity_resolve.links WHERE kind = 'matched'))
            || md5(coalesce((SELECT string_agg(concat_ws(' ', a, b, probability), ',' ORDER BY a, b) FROM identity_resolve.reviews), ''))";
        let found: String = client.query_one(query, &[]).unwrap().get(0);
        seen.push(found);
    }
    assert_eq!(seen[0], seen[1], "threads");
    assert_eq!(seen[0], seen[2], "order of rows");
}
