//! Many write at once: nobody fails who need not, and nothing is lost.

use cluster::{Author, Cluster, Database, World, at_once, error_code, insist, run, soak, while_working};
use postgres::Client;
use std::sync::atomic::{AtomicBool, Ordering};

/// A new world.
fn begin<'c>(cluster: &'c Cluster, name: &str, world: &World) -> Database<'c> {
    let database = Database::create(cluster, name);
    World::create_tables(&database);
    world.begin(&database);
    database
}

fn count(client: &mut Client, query: &str) -> i64 {
    client.query_one(&format!("SELECT count(*) {query}"), &[]).unwrap().get(0)
}

/// Visits of many people, a row each, whom nobody else knows.
fn strangers(tribe: &str, people: u32) -> String {
    format!(
        "INSERT INTO visit (id, login, email, cookie, at)
         SELECT NULL, '{tribe}' || n, '{tribe}' || n || '@example.com', '{tribe}' || n, '2024-05-01 12:00+00'
         FROM generate_series(1, {people}) AS n"
    )
}

/// Single rows and a thousand at a time.
#[test]
fn inserts_never_fail() {
    let cluster = Cluster::running();
    let world = World::plain(["trigger"; 4]);
    let database = begin(&cluster, "inserts", &world);
    at_once(&database, 8, |i, client| {
        let mut author = Author::new(&database, i, 300);
        for n in 0..120 * soak() {
            let rows = if i < 2 && n % 30 == 0 { 1_000 } else { 1 };
            run(client, &[author.visits(rows)]).unwrap();
        }
    });
    world.assert_equal(&database, "after inserts");
}

/// Each changes rows of his own, of people that all have to do with.
#[test]
fn changes_of_ones_own_rows_never_fail() {
    let cluster = Cluster::running();
    for modes in [["trigger"; 4], ["queue", "trigger", "trigger", "queue"]] {
        let world = World::plain(modes);
        let database = begin(&cluster, "changes_at_once", &world);
        at_once(&database, 8, |i, client| {
            let mut author = Author::new(&database, i, 20).of_lot(i, 8);
            for _ in 0..60 * soak() {
                let statement = author.write();
                let result = run(client, std::slice::from_ref(&statement));
                // The row may be there already, and then it is the author's.
                assert!(matches!(error_code(&result), "no error" | "23505"), "{statement}: {result:?}");
            }
        });
        world.assert_equal(&database, "after changes");
    }
}

/// Several statements in one transaction may lock each other out; one of them tries again.
#[test]
fn transactions_meet_nothing_but_deadlocks() {
    let cluster = Cluster::running();
    let world = World::plain(["trigger"; 4]);
    let database = begin(&cluster, "transactions", &world);
    let transactions = 25 * soak();
    at_once(&database, 8, |i, client| {
        let mut author = Author::new(&database, i, 40).of_lot(i, 8);
        for n in 0..transactions {
            let statements = [author.visits(1), author.sign_ups(n, 1), author.visits(2)];
            let block = [vec!["BEGIN".to_owned()], statements.to_vec(), vec!["COMMIT".to_owned()]];
            insist(client, &block.concat(), &["40P01"]);
        }
    });
    let mut client = database.connect();
    assert_eq!(count(&mut client, "FROM visit") as u64, 8 * 3 * transactions);
    assert_eq!(count(&mut client, "FROM signup") as u64, 8 * transactions);
    world.assert_equal(&database, "after transactions");
}

/// In an old snapshot nobody builds on what is no more.
#[test]
fn old_snapshots_meet_nothing_but_serialization_failures() {
    let cluster = Cluster::running();
    for level in ["repeatable read", "serializable"] {
        let world = World::plain(["trigger", "trigger", "queue", "trigger"]);
        let database = begin(&cluster, "snapshots", &world);
        at_once(&database, 6, |i, client| {
            client.batch_execute(&format!("SET default_transaction_isolation = '{level}'")).unwrap();
            let mut author = Author::new(&database, i, 40).of_lot(i, 6);
            for n in 0..20 * soak() {
                insist(client, &[author.visits(1)], &["40001"]);
                let statements =
                    ["BEGIN".to_owned(), author.visits(2), author.sign_ups(n, 1), "COMMIT".to_owned()];
                insist(client, &statements, &["40001", "40P01"]);
            }
        });
        let mut client = database.connect();
        assert_eq!(count(&mut client, "FROM visit") as u64, 6 * 3 * 20 * soak());
        world.assert_equal(&database, level);
    }
}

/// Four write while `meanwhile` runs; none of them fails.
fn while_writing(database: &Database, seed: u64, meanwhile: impl FnOnce(&mut Client)) {
    let write = |done: &AtomicBool| {
        at_once(database, 4, |i, client| {
            let mut author = Author::new(database, seed << 8 | i, 60).of_lot(i, 4);
            while !done.load(Ordering::Relaxed) {
                let statement = author.write();
                let result = run(client, std::slice::from_ref(&statement));
                let known = matches!(error_code(&result), "no error" | "23505");
                assert!(known, "{statement}: {result:?}");
            }
        });
    };
    while_working(write, || meanwhile(&mut database.connect()));
}

#[test]
fn a_backfill_while_others_write_loses_nothing() {
    let cluster = Cluster::running();
    let world = World::plain(["trigger", "queue", "manual", "manual"]);
    let database = begin(&cluster, "meanwhile", &world);
    database.run(&format!(
        "{}; INSERT INTO visit (id, login, cookie, at)
         SELECT NULL, 'l' || n % 20000, 'c' || n % 30011, timestamptz '2022-06-01 12:00+00' + n % 1000 * interval '1 day'
         FROM generate_series(1, 60000) AS n;
         SELECT identity_resolve.set_mode('visit', 'trigger'), identity_resolve.set_mode('signup', 'queue')",
        strangers("s", 20_000)
    ));
    while_writing(&database, 1, |client| {
        for statement in [
            "CALL identity_resolve.backfill()",
            "SET identity_resolve.checkpoint_interval = 0",
            "CALL identity_resolve.backfill('visit')",
            "CALL identity_resolve.drain_queue()",
            "CALL identity_resolve.backfill()",
        ] {
            client.batch_execute(statement).unwrap();
        }
    });
    world.assert_equal(&database, "written meanwhile");
}

#[test]
fn modes_change_while_others_write() {
    let cluster = Cluster::running();
    let world = World::plain(["trigger", "queue", "trigger", "queue"]);
    let database = begin(&cluster, "modes", &world);
    while_writing(&database, 2, |client| {
        for round in 0..8 * soak() {
            for (i, table) in ["customer", "card", "signup", "visit"].into_iter().enumerate() {
                let mode = ["trigger", "queue"][((round + i as u64) % 2) as usize];
                let switch = format!("SELECT identity_resolve.set_mode('{table}', '{mode}')");
                client.batch_execute(&switch).unwrap();
            }
            client.batch_execute("CALL identity_resolve.drain_queue()").unwrap();
        }
    });
    world.assert_equal(&database, "after switches");
}

#[test]
fn sources_come_and_go_while_others_write() {
    let cluster = Cluster::running();
    let world = World::plain(["trigger", "queue", "queue", "trigger"]);
    let database = begin(&cluster, "sources", &world);
    while_writing(&database, 3, |client| {
        for round in 0..3 * soak() {
            for (table, mode) in [("visit", "trigger"), ("card", "queue"), ("customer", "queue")] {
                let query = format!(
                    "SELECT id, mapping::text FROM identity_resolve.source WHERE source = '{table}'::regclass"
                );
                let source = client.query_one(&query, &[]).unwrap();
                let (id, mapping): (i32, String) = (source.get(0), source.get(1));
                client
                    .batch_execute(&format!("SELECT identity_resolve.drop_source('{table}')"))
                    .unwrap();
                for trace in [
                    "identity_resolve.identifier, identity_resolve.evidence(evidence) AS e WHERE e.source",
                    "identity_resolve.link, identity_resolve.evidence(evidence) AS e WHERE e.source",
                    "identity_resolve.queue WHERE source",
                    "identity_resolve.dead_letter WHERE source",
                    "identity_resolve.rejection WHERE source",
                ] {
                    assert_eq!(
                        count(client, &format!("FROM {trace} = {id}")),
                        0,
                        "round {round}: {trace}"
                    );
                }
                let triggers = format!(
                    "FROM pg_trigger WHERE tgname LIKE 'identity\\_resolve\\_%' AND tgrelid IN (
                         SELECT '{table}'::regclass UNION SELECT relid FROM pg_partition_tree('{table}'))"
                );
                assert_eq!(count(client, &triggers), 0, "triggers on {table}");
                let attach =
                    format!("SELECT identity_resolve.add_source('{table}', '{mapping}', '{mode}')");
                client.batch_execute(&attach).unwrap();
                client.batch_execute(&format!("CALL identity_resolve.backfill('{table}')")).unwrap();
            }
        }
    });
    world.assert_equal(&database, "after all");
}

/// Who has not finished holds up those who write about the same people, and only where they are
/// resolved at once.
#[test]
fn an_idle_transaction_blocks_nobody_else() {
    let cluster = Cluster::running();
    let world = World::plain(["trigger", "trigger", "queue", "trigger"]);
    let database = begin(&cluster, "idle", &world);
    database.run(&strangers("known", 300));
    let mut idle = database.connect();
    idle.batch_execute(
        "BEGIN;
         INSERT INTO visit (id, login, cookie, at) VALUES (1, 'alice', 'alice', '2024-05-02 12:00+00');
         INSERT INTO visit (id, login, cookie, at) VALUES (1, 'known1', 'known1', '2024-05-02 12:00+00')",
    )
    .unwrap();
    let mut client = database.connect();
    client.batch_execute("SET lock_timeout = '500ms'").unwrap();
    for n in 2..=300 {
        let visit = |who: &str| {
            format!(
                "INSERT INTO visit (id, login, cookie, at) VALUES ({n}, '{who}{n}', 'new{n}', '2024-05-03 12:00+00')"
            )
        };
        client.batch_execute(&visit("known")).unwrap();
        client.batch_execute(&visit("unknown")).unwrap();
        let sign_up = format!(
            "INSERT INTO signup VALUES ({n}, 'alice', NULL, 'd{n}', 'tablet', '2024-05-03 12:00+00')"
        );
        client.batch_execute(&sign_up).unwrap();
    }
    client.batch_execute(&strangers("crowd", 1_000)).unwrap();
    client
        .batch_execute(
            "UPDATE visit SET email = 'two@example.com' WHERE login = 'known2';
             INSERT INTO customer VALUES (3, 'n3', 'known3', NULL, NULL, '2024-05-03 12:00+00');
             DELETE FROM customer",
        )
        .unwrap();
    idle.batch_execute("COMMIT").unwrap();
    world.assert_equal(&database, "after all");
}

/// However many people a transaction writes about, there is room for what it locks.
#[test]
fn large_transactions_have_room() {
    let cluster = Cluster::running();
    let world = World::plain(["trigger"; 4]);
    let database = begin(&cluster, "room", &world);
    at_once(&database, 4, |i, client| match i {
        0 => {
            client.batch_execute("BEGIN").unwrap();
            for n in 0..3_000 {
                let visit = format!(
                    "INSERT INTO visit (id, login, email, cookie, at)
                     VALUES ({n}, 'a{n}', 'a{n}@example.com', 'a{n}', '2024-05-01 12:00+00')"
                );
                client.batch_execute(&visit).unwrap();
            }
            client.batch_execute("COMMIT").unwrap();
        }
        1 => client.batch_execute(&strangers("b", 20_000)).unwrap(),
        _ => {
            let mut author = Author::new(&database, i, 300);
            for _ in 0..300 {
                run(client, &[author.visits(1)]).unwrap();
            }
        }
    });
    world.assert_equal(&database, "after all");
}
