//! What operators do to random worlds, and what they are told: nothing that is said and taken back
//! leaves a trace, a preview says what a rebuild does, and whoever asks why gets an answer.

use cluster::{Author, Cluster, Database, Dice, State, World, at_once, client, error_code, soak};
use postgres::Client;

/// Who is in which profile, by its id.
fn profiles(client: &mut Client) -> State {
    State::of(
        client,
        "SELECT identifier || ' ' || standing || ' ' || coalesce(profile::text, '')
         FROM identity_resolve.profile_identifier",
    )
}

/// What a statement says in its first column, or the code of its error.
fn ask(client: &mut Client, statement: &str) -> Result<Option<i64>, String> {
    let answer = client.query_opt(statement, &[]);
    let code = error_code(&answer).to_owned();
    answer.map(|row| row.and_then(|row| row.get(0))).map_err(|_| code)
}

fn last_change(client: &mut Client) -> i64 {
    let last = ask(client, "SELECT coalesce(max(number), 0) FROM identity_resolve.change");
    last.unwrap().unwrap()
}

/// Says something, and takes it back.
fn say_and_take_back(client: &mut Client, author: &mut Author, what: &str) {
    let (a, b) = (author.known(), author.known());
    let as_of = format!("202{}-0{}-01", author.dice.below(6), 1 + author.dice.below(9));
    let said = match author.dice.below(3) {
        0 => format!("SELECT identity_resolve.link('{a}', '{b}')"),
        1 => format!("SELECT identity_resolve.unlink('{a}', '{b}')"),
        _ => format!("SELECT count(*) FROM identity_resolve.expire('{as_of}')"),
    };
    let before = profiles(client);
    let change = last_change(client);
    if client.batch_execute(&said).is_err() || last_change(client) == change {
        profiles(client).assert_is(&before, &format!("{what}: {said} has failed, or done nothing"));
        return;
    }
    remember(client);
    // What has expired can be undone if it was this sweep that set the date.
    let undone =
        ask(client, "SELECT identity_resolve.undo((SELECT max(number) FROM identity_resolve.change))");
    if said.contains("expire") && undone.as_ref().is_err_and(|code| code == "55000") {
        return;
    }
    assert!(undone.is_ok(), "{what}: {said}: {undone:?}");
    profiles(client).assert_is(&before, &format!("{what}: {said} was taken back"));
}

/// Without a change of the configuration a rebuild would do nothing.
fn nothing_is_due(client: &mut Client, what: &str) {
    let due = State::of(
        client,
        "SELECT concat_ws('|', change, profile, new_profile, identifiers, reason) FROM identity_resolve.preview()",
    );
    assert!(due.is_empty(), "{what}: a rebuild would change {due:?}");
}

/// A preview says what a rebuild then writes down, and after that there is nothing to do.
fn preview_and_rebuild(client: &mut Client, what: &str) {
    let known = "SELECT profile FROM identity_resolve.identifier WHERE profile IS NOT NULL
                 UNION SELECT profile FROM identity_resolve.former_member";
    client.batch_execute(&format!("CREATE TEMP TABLE known AS {known}")).unwrap();
    let previewed = State::of(
        client,
        "SELECT concat_ws('|', change, profile, coalesce(new_profile::text, 'none'), identifiers, reason)
         FROM identity_resolve.preview()",
    );
    let change = last_change(client);
    client.batch_execute("CALL identity_resolve.rebuild()").unwrap();
    let written = State::of(
        client,
        &format!(
            "SELECT concat_ws('|', event, old_profile,
                    CASE WHEN new_profile IN (TABLE known) THEN new_profile::text ELSE 'none' END, identifiers, reason)
             FROM identity_resolve.profile_change WHERE change > {change}"
        ),
    );
    written.assert_is(&previewed, &format!("{what}: rebuild() does what preview() says"));
    let still = ask(client, "SELECT count(*) FROM identity_resolve.preview()");
    assert_eq!(still, Ok(Some(0)), "{what}: after a rebuild nothing is to be done");
    let (after, change) = (profiles(client), last_change(client));
    client.batch_execute("CALL identity_resolve.rebuild(); DROP TABLE known").unwrap();
    profiles(client).assert_is(&after, &format!("{what}: a second rebuild changes nothing"));
    assert_eq!(last_change(client), change, "{what}: a second rebuild has nothing to write down");
}

/// Whoever asks why gets a path of links that are in force, or something that keeps the two apart.
fn why(client: &mut Client, what: &str) {
    let wrong = client
        .query(
            "WITH few AS MATERIALIZED (
                 SELECT * FROM identity_resolve.profile_identifier ORDER BY md5(identifier) LIMIT 25
             ), pair AS MATERIALIZED (
                 SELECT a.identifier AS a, b.identifier AS b, a.profile = b.profile AS together,
                        identity_resolve.why(a.identifier, b.identifier) AS why,
                        identity_resolve.why_text(a.identifier, b.identifier) AS words
                 FROM few AS a JOIN few AS b ON a.identifier < b.identifier
             ), step AS (
                 SELECT p.a, p.b, s.n, s.v ->> 'a' AS x, s.v ->> 'b' AS y, count(*) OVER (PARTITION BY p.a, p.b) AS steps
                 FROM pair AS p, jsonb_array_elements(p.why -> 'path') WITH ORDINALITY AS s (v, n)
             )
             SELECT 'not told: ' || a || ' ' || b FROM pair
             WHERE words IS NULL OR (why ->> 'together')::boolean IS DISTINCT FROM coalesce(together, false)
                OR CASE WHEN together THEN jsonb_array_length(why -> 'path') = 0 ELSE jsonb_array_length(why -> 'because') = 0 END
             UNION ALL
             SELECT 'no link: ' || x || ' ' || y FROM step AS s
             WHERE NOT EXISTS (SELECT FROM identity_resolve.links AS l WHERE l.a = s.x AND l.b = s.y AND l.in_force)
             UNION ALL
             SELECT 'no path: ' || s.a || ' ' || s.b FROM step AS s LEFT JOIN step AS t ON (t.a, t.b, t.n) = (s.a, s.b, s.n + 1)
             WHERE (s.n = 1 AND s.a NOT IN (s.x, s.y)) OR (s.n = s.steps AND s.b NOT IN (s.x, s.y))
                OR (t.n IS NOT NULL AND NOT ARRAY[s.x, s.y] && ARRAY[t.x, t.y])",
            &[],
        )
        .unwrap();
    let wrong: Vec<String> = wrong.iter().map(|row| row.get(0)).collect();
    assert!(wrong.is_empty(), "{what}: {wrong:#?}");
}

/// Writes down who has which id: call it after each statement.
fn remember(client: &mut Client) {
    client
        .batch_execute(
            "INSERT INTO seen_id
             SELECT profile, array_agg(id) FROM identity_resolve.identifier WHERE profile IS NOT NULL GROUP BY profile
             ON CONFLICT (profile) DO UPDATE SET members = excluded.members",
        )
        .unwrap();
}

/// Every id that was ever in use leads to a profile, as long as anybody is left who had it last and
/// belongs to somebody.
fn every_id_leads_on(client: &mut Client, what: &str) {
    let lost = "SELECT count(*) FROM seen_id AS s
         WHERE identity_resolve.current_profile(s.profile) IS NULL AND EXISTS (
             SELECT FROM identity_resolve.identifier AS i WHERE i.id = ANY (s.members) AND i.profile IS NOT NULL)";
    assert_eq!(ask(client, lost), Ok(Some(0)), "{what}: ids that lead nowhere");
    let elsewhere = "SELECT count(*) FROM seen_id AS s
         WHERE identity_resolve.current_profile(s.profile) <> s.profile
           AND identity_resolve.current_profile(s.profile) NOT IN (
             SELECT i.profile FROM identity_resolve.identifier AS i WHERE i.id = ANY (s.members) AND i.profile IS NOT NULL)";
    assert_eq!(ask(client, elsewhere), Ok(Some(0)), "{what}: ids that lead to others");
    let reused = "SELECT count(*) FROM identity_resolve.former_member AS f
         WHERE EXISTS (SELECT FROM identity_resolve.identifier AS i WHERE i.profile = f.profile)";
    assert_eq!(ask(client, reused), Ok(Some(0)), "{what}: ids that are retired and in use");
}

#[test]
fn what_operators_do_and_are_told() {
    let cluster = Cluster::running();
    let database = Database::create(&cluster, "steward");
    World::create_tables(&database);
    let first = std::env::var("SEED").map_or(1, |seed| seed.parse().expect("SEED is a number"));
    for seed in first..first + 24 * soak() {
        let what = format!("SEED={seed}");
        let mut dice = Dice::new(seed);
        // What is queued is decided in batches, between which nobody could write down who has what.
        let world = World { modes: ["trigger"; 4], ..World::random(&mut dice) };
        world.begin(&database);
        let people = 2 + dice.below(6);
        let mut author = Author::new(&database, seed, people);
        let mut client = client(&database, seed).unwrap();
        client
            .batch_execute("CREATE TEMP TABLE seen_id (profile uuid PRIMARY KEY, members bigint[])")
            .unwrap();
        for _ in 0..6 {
            for _ in 0..6 {
                let statement = if author.dice.once_in(4) { author.command() } else { author.write() };
                if !statement.contains("set_mode") {
                    let _ = client.batch_execute(&statement);
                    remember(&mut client);
                }
            }
            every_id_leads_on(&mut client, &what);
            for _ in 0..4 {
                say_and_take_back(&mut client, &mut author, &what);
                remember(&mut client);
            }
            every_id_leads_on(&mut client, &what);
            nothing_is_due(&mut client, &what);
            // Something is said, something else happens, and then it is taken back.
            let said = [author.link_or_unlink(), author.write(), author.write()];
            for statement in
                said.iter().map(String::as_str).chain(["CALL identity_resolve.drain_queue()"])
            {
                let _ = client.batch_execute(statement);
                remember(&mut client);
            }
            for back in 0..author.dice.below(4) {
                let undo = format!(
                    "SELECT identity_resolve.undo((SELECT max(number) - {back} FROM identity_resolve.change))"
                );
                let _ = client.batch_execute(&undo);
                remember(&mut client);
            }
            every_id_leads_on(&mut client, &what);
            nothing_is_due(&mut client, &what);
            why(&mut client, &what);
            if author.dice.once_in(2) {
                let max = author.dice.below(4) + 1;
                client
                    .batch_execute(&format!(
                        "UPDATE identity_resolve.identifier_type SET max_links = {max}, max_per_profile = {max}
                         WHERE name IN ('email', 'cookie')"
                    ))
                    .unwrap();
            }
            preview_and_rebuild(&mut client, &what);
            remember(&mut client);
            every_id_leads_on(&mut client, &what);
        }
    }
}

#[test]
fn who_asks_waits_for_nobody() {
    let cluster = Cluster::running();
    let database = Database::with_extension(&cluster, "steward_asks");
    database.run(
        r#"SELECT identity_resolve.identify('{"login": "ann", "cookie": "c"}', now() - interval '1 month');
           SELECT identity_resolve.link('login:ann', 'email:ann@example.com')"#,
    );
    let mut worker = database.connect();
    // As a rebuild does.
    worker
        .batch_execute(
            "BEGIN; LOCK TABLE identity_resolve.identifier, identity_resolve.link, identity_resolve.separation,
                 identity_resolve.must_link IN SHARE ROW EXCLUSIVE MODE",
        )
        .unwrap();
    let mut analyst = database.connect();
    analyst.batch_execute("SET lock_timeout = '1s'; BEGIN READ ONLY").unwrap();
    for question in [
        "SELECT identity_resolve.resolve('cookie:c')",
        "SELECT identity_resolve.resolve('cookie', 'c', now())",
        "SELECT identity_resolve.why('cookie:c', 'email:ann@example.com')",
        "SELECT * FROM identity_resolve.preview()",
        "SELECT * FROM identity_resolve.history(identity_resolve.resolve('cookie:c'))",
        "SELECT * FROM identity_resolve.households, identity_resolve.profile_health, identity_resolve.hubs",
    ] {
        analyst.batch_execute(question).unwrap_or_else(|error| panic!("{question}: {error:?}"));
    }
    // Nor does anybody wait for one who has asked.
    worker.batch_execute("ROLLBACK; SET lock_timeout = '1s'; CALL identity_resolve.rebuild()").unwrap();
}

#[test]
fn operators_at_once() {
    let cluster = Cluster::running();
    let database = Database::with_extension(&cluster, "steward_operators");
    database.run("SELECT identity_resolve.identify(jsonb_build_object('login', 'l' || n)) FROM generate_series(0, 9) AS n");
    // One whose snapshot is older than what another says must try again.
    let (mut early, mut late) = (database.connect(), database.connect());
    early
        .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM identity_resolve.must_link")
        .unwrap();
    late.batch_execute("SELECT identity_resolve.link('login:l0', 'login:l1')").unwrap();
    let outdated = early.batch_execute("SELECT identity_resolve.link('login:l1', 'login:l0')");
    assert_eq!(error_code(&outdated), "40001");
    drop((early, late));

    // Words of all kinds, some of which end soon, sweeps and rebuilds: nobody fails.
    at_once(&database, 6, |i, client| {
        let mut dice = Dice::new(i);
        for _ in 0..60 {
            let (a, b) = (dice.below(10), 10 + dice.below(10));
            let until = if dice.once_in(3) { "clock_timestamp() + interval '20 ms'" } else { "NULL" };
            let statement = match dice.below(12) {
                0 => "CALL identity_resolve.rebuild()".to_owned(),
                1 => "SELECT count(*) FROM identity_resolve.expire()".to_owned(),
                2 => "CALL identity_resolve.expire_in_batches()".to_owned(),
                3..7 => {
                    format!("SELECT identity_resolve.link('login:l{a}', 'login:l{b}', NULL, {until})")
                }
                7..10 => {
                    format!("SELECT identity_resolve.unlink('login:l{a}', 'login:l{b}', NULL, {until})")
                }
                _ => format!(
                    r#"SELECT identity_resolve.identify('{{"login": "l{a}", "email": "e{b}@example.com"}}')"#
                ),
            };
            client.batch_execute(&statement).unwrap_or_else(|error| panic!("{statement}: {error:?}"));
        }
    });
    let mut client = database.connect();
    client.batch_execute("SELECT pg_sleep(0.05); CALL identity_resolve.rebuild()").unwrap();
    nothing_is_due(&mut client, "after all that");
}
