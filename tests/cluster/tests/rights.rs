//! Who may do what, and whose code runs with whose rights.

use cluster::{Cluster, Database, Events, State, error_code, meaning};

/// Makes a role anew.
fn role(database: &Database, name: &str) {
    database.run(&format!(
        "DO $$ BEGIN IF to_regrole('{name}') IS NULL THEN CREATE ROLE {name}; END IF; END $$"
    ));
}

fn drop_role(database: &Database, name: &str) {
    database.run(&format!("DROP OWNED BY {name}; DROP ROLE {name}"));
}

/// An application needs the schema and the functions it calls, and no table.
#[test]
fn an_application_needs_two_grants() {
    let cluster = Cluster::running();
    let database = Database::with_extension(&cluster, "application");
    role(&database, "cluster_application");
    database.run(
        "GRANT USAGE ON SCHEMA identity_resolve TO cluster_application;
         GRANT EXECUTE ON FUNCTION identity_resolve.identify, identity_resolve.resolve(text),
             identity_resolve.resolve(text, text), identity_resolve.candidates, identity_resolve.current_profile,
             identity_resolve.canonical TO cluster_application",
    );
    let mut client = database.connect();
    client.batch_execute("SET ROLE cluster_application").unwrap();
    let identify =
        "SELECT identity_resolve.identify('{\"login\": \"ann\", \"email\": \"ann@example.com\"}',
                        '2025-03-01', 'web', 'tablet', '{\"first_name\": \"Ann\"}')";
    client.batch_execute(identify).unwrap();
    let resolve = "SELECT identity_resolve.resolve('login:ann')
        = identity_resolve.current_profile(identity_resolve.resolve('email', 'ANN@example.com'))";
    assert!(client.query_one(resolve, &[]).unwrap().get::<_, bool>(0));
    client.query_one("SELECT * FROM identity_resolve.candidates('login:ann')", &[]).unwrap();
    for denied in [
        "SELECT count(*) FROM identity_resolve.identifier",
        "SELECT count(*) FROM identity_resolve.profiles",
        "INSERT INTO identity_resolve.identifier VALUES (1, 'login:x', NULL, 'member', NULL, NULL, NULL, 0, false, '')",
        "SELECT nextval('identity_resolve.identifier_id')",
        "CALL identity_resolve.backfill()",
        "SELECT identity_resolve.running()",
    ] {
        assert_eq!(error_code(&client.batch_execute(denied)), "42501", "{denied}");
    }
    drop(client);
    drop_role(&database, "cluster_application");
}

/// Who may read the views, and execute the functions inside them, may read all that they show.
#[test]
fn an_analyst_reads_the_views() {
    let cluster = Cluster::running();
    let database = Database::with_extension(&cluster, "analyst");
    database.run("SELECT identity_resolve.identify('{\"login\": \"ann\", \"cookie\": \"c\"}', '2025-03-01', 'web', 'tablet')");
    role(&database, "cluster_analyst");
    let views = [
        "profiles",
        "profile_identifier",
        "profile_channel",
        "links",
        "conflicts",
        "households",
        "profile_health",
        "hubs",
        "history",
        "reviews",
        "rejections",
        "progress",
        "stats",
    ];
    database.run("GRANT USAGE ON SCHEMA identity_resolve TO cluster_analyst");
    for view in views {
        database.run(&format!("GRANT SELECT ON identity_resolve.{view} TO cluster_analyst"));
    }
    database.run(
        "GRANT EXECUTE ON FUNCTION identity_resolve.household_claims, identity_resolve.widest_bridges,
             identity_resolve.evidence_device_type, identity_resolve.evidence(bytea), identity_resolve.evidence_sightings(bytea),
             identity_resolve.evidence_first(bytea), identity_resolve.evidence_last(bytea),
             identity_resolve.evidence_weight(bytea, date), identity_resolve.running(),
             identity_resolve.held_meaning, identity_resolve.held_needed, identity_resolve.undone_by,
             identity_resolve.reading_configuration, identity_resolve.deciding_configuration
         TO cluster_analyst",
    );
    let mut client = database.connect();
    client.batch_execute("SET ROLE cluster_analyst").unwrap();
    let denied: Vec<_> = views
        .iter()
        .filter_map(|view| client.query(&format!("SELECT * FROM identity_resolve.{view}"), &[]).err())
        .map(|error| error.as_db_error().map_or(String::new(), |error| error.message().to_owned()))
        .collect();
    assert!(denied.is_empty(), "{denied:?}");
    drop(client);
    drop_role(&database, "cluster_analyst");
}

/// A role with rights on all tables, but not their owner, can do everything.
#[test]
fn who_is_not_the_owner_can_backfill() {
    let cluster = Cluster::running();
    let database = Database::with_extension(&cluster, "steward");
    let log = Events { table: "visit", storage: "", rows: 150_000, people: 60_000, seed: 0.1 };
    log.create(&database);
    role(&database, "cluster_steward");
    database.run(
        "GRANT USAGE ON SCHEMA identity_resolve TO cluster_steward;
         GRANT ALL ON ALL TABLES IN SCHEMA identity_resolve TO cluster_steward;
         GRANT ALL ON ALL SEQUENCES IN SCHEMA identity_resolve TO cluster_steward;
         GRANT ALL ON ALL ROUTINES IN SCHEMA identity_resolve TO cluster_steward;
         GRANT SELECT ON visit TO cluster_steward",
    );
    let mut client = database.connect();
    client.batch_execute("SET ROLE cluster_steward").unwrap();
    let attach = format!("SELECT identity_resolve.add_source('visit', '{}')", Events::MAPPING);
    for statement in [
        attach.as_str(),
        "CALL identity_resolve.backfill()",
        "SELECT identity_resolve.drop_source('visit')",
    ] {
        let result = client.batch_execute(statement);
        assert_eq!(error_code(&result), "no error", "{result:?}");
    }
    drop(client);
    drop_role(&database, "cluster_steward");
}

/// Functions and operators that come first in the search_path of whoever installs or calls.
const HOSTILE: &str = "
    CREATE SCHEMA hostile;
    CREATE TABLE hostile.ran (what text);
    GRANT USAGE ON SCHEMA hostile TO PUBLIC;
    GRANT INSERT ON hostile.ran TO PUBLIC;
    CREATE FUNCTION hostile.note(what text) RETURNS boolean LANGUAGE plpgsql AS
        'BEGIN INSERT INTO hostile.ran VALUES (what); RETURN true; END';
    CREATE FUNCTION hostile.now() RETURNS timestamptz LANGUAGE sql AS
        'SELECT hostile.note(''now''); SELECT ''2001-01-01''::timestamptz';
    CREATE FUNCTION hostile.lower(text) RETURNS text LANGUAGE sql AS 'SELECT hostile.note(''lower''); SELECT $1';
    CREATE FUNCTION hostile.btrim(text) RETURNS text LANGUAGE sql AS 'SELECT hostile.note(''btrim''); SELECT $1';
    CREATE FUNCTION hostile.format(text, VARIADIC text[]) RETURNS text LANGUAGE sql AS 'SELECT hostile.note(''format''); SELECT $1';
    CREATE FUNCTION hostile.has_table_privilege(oid, text) RETURNS boolean LANGUAGE sql AS 'SELECT hostile.note(''has_table_privilege'')';
    CREATE FUNCTION hostile.resolve(text) RETURNS uuid LANGUAGE sql AS 'SELECT hostile.note(''resolve''); SELECT NULL::uuid';
    CREATE TABLE hostile.identifier (id bigint, identifier text, profile uuid);
    CREATE TABLE hostile.setting (half_life interval, region text, rejections_kept int);
    CREATE TABLE hostile.pg_class (oid oid, relname text);
    CREATE TABLE hostile.source (id int);
    CREATE TYPE hostile.text AS ENUM ('hostile');";

/// Operators, as name and argument types: the exact match of an operator wins over any in
/// pg_catalog that needs a cast.
const OPERATORS: [(&str, &str, &str); 14] = [
    ("=", "text", "text"),
    ("<>", "text", "text"),
    ("=", "bigint", "bigint"),
    ("=", "uuid", "uuid"),
    ("=", "oid", "oid"),
    ("=", "\"char\"", "text"),
    ("<>", "bytea", "text"),
    (">=", "float8", "int"),
    ("<=", "float8", "int"),
    (">=", "numeric", "int"),
    ("||", "text", "bigint"),
    ("<", "text", "varchar"),
    ("=", "name", "text"),
    ("~", "varchar", "text"),
];

fn hostile(database: &Database) {
    database.run(HOSTILE);
    for (i, (name, left, right)) in OPERATORS.iter().enumerate() {
        let result = if *name == "||" { "pg_catalog.text" } else { "boolean" };
        database.run(&format!(
            "CREATE FUNCTION hostile.operator_{i}({left}, {right}) RETURNS {result}
                 LANGUAGE sql AS 'SELECT hostile.note(''{name} ({left}, {right})'')::{result}';
             CREATE OPERATOR hostile.{name} (LEFTARG = {left}, RIGHTARG = {right}, FUNCTION = hostile.operator_{i})"
        ));
    }
}

/// One run of everything under a search_path.
fn everything(database: &Database, search_path: &str) -> State {
    let mut client = database.connect();
    client.batch_execute(&format!("SET search_path = {search_path}")).unwrap();
    for statement in [
        "CREATE EXTENSION identity_resolve",
        "INSERT INTO identity_resolve.identifier_type (name, role, normalizer, owner_share) VALUES ('passport', 'person', 'lower', 0.5)",
        "INSERT INTO identity_resolve.device_type (name, sharing, owner_share) VALUES ('fridge', 'household', 0.5)",
        "INSERT INTO identity_resolve.channel (name, kind, cost) VALUES ('fax', 'offline', 1)",
        "UPDATE identity_resolve.device_type SET owner_share = 0.7 WHERE name OPERATOR(pg_catalog.=) 'tablet'",
        "INSERT INTO identity_resolve.separation (a, b) VALUES ('login:l1', 'login:l2')",
        &format!("SELECT identity_resolve.add_source('public.visit', '{}')", Events::KEYED),
        "CALL identity_resolve.backfill('public.visit')",
        "SELECT identity_resolve.identify('{\"passport\": \"X1\", \"login\": \"l3\"}', '2025-03-01', traits => '{\"first_name\": \"Ann\"}')",
        "SELECT identity_resolve.identify('{\"login\": [\"l4\", \"l5\"]}', '2025-03-01')",
        "SELECT identity_resolve.resolve('login:l3'), identity_resolve.resolve('login', 'l3')",
        "SELECT * FROM identity_resolve.candidates('cookie:t1')",
        "SELECT identity_resolve.current_profile(identity_resolve.resolve('login:l3'))",
        "SELECT * FROM identity_resolve.profiles; SELECT * FROM identity_resolve.profile_identifier;
         SELECT * FROM identity_resolve.profile_channel; SELECT * FROM identity_resolve.links;
         SELECT * FROM identity_resolve.conflicts; SELECT * FROM identity_resolve.rejections;
         SELECT * FROM identity_resolve.progress; SELECT * FROM identity_resolve.stats",
        "BEGIN; CALL identity_resolve.backfill(); COMMIT",
        // The caller's search_path is what it was.
        "SELECT hostile.note(current_setting('search_path')) WHERE current_setting('search_path') OPERATOR(pg_catalog.!~) '^(hostile|pg_catalog)'",
    ] {
        client
            .batch_execute(statement)
            .unwrap_or_else(|error| panic!("{search_path}: {statement}: {error:?}"));
    }
    client.batch_execute("RESET search_path").unwrap();
    let state = meaning(&mut client);
    client.batch_execute("DROP EXTENSION identity_resolve").unwrap();
    state
}

#[test]
fn no_search_path_leads_astray() {
    let cluster = Cluster::running();
    let database = Database::create(&cluster, "search_path");
    Events { table: "visit", storage: "", rows: 2_000, people: 400, seed: 0.1 }.create(&database);
    hostile(&database);
    let expected = everything(&database, "pg_catalog");
    let mut client = database.connect();
    for search_path in ["hostile, pg_catalog, public", "hostile, public", "hostile, pg_catalog, pg_temp"]
    {
        let found = everything(&database, search_path);
        found.assert_is(&expected, search_path);
        let ran = State::of(&mut client, "SELECT DISTINCT what FROM hostile.ran");
        assert!(ran.is_empty(), "{search_path}: ran {ran:?}");
    }
}

/// The configuration in force is the latest, even for a session that reads it in an old transaction.
#[test]
fn no_session_keeps_an_old_configuration() {
    let cluster = Cluster::running();
    let database = Database::with_extension(&cluster, "configuration");
    let (mut a, mut b) = (database.connect(), database.connect());
    let canonical = |client: &mut postgres::Client| -> String {
        client.query_one("SELECT identity_resolve.canonical('login', 'ABC')", &[]).unwrap().get(0)
    };
    assert_eq!(canonical(&mut a), "ABC");
    a.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM pg_class LIMIT 1").unwrap();
    b.batch_execute(
        "UPDATE identity_resolve.identifier_type SET normalizer = 'lower' WHERE name = 'login'",
    )
    .unwrap();
    a.batch_execute("SELECT count(*) FROM pg_am").unwrap();
    canonical(&mut a);
    a.batch_execute("COMMIT").unwrap();
    assert_eq!(canonical(&mut a), "abc");
}
