//! Servers are killed under load: what was acknowledged is there, counted once.

use cluster::{Author, Cluster, Database, Dice, World, client, error_code, run, soak, while_working};
use postgres::Client;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const DATABASE: &str = "recovery";
const CLIENTS: u64 = 6;
const PATIENCE: Duration = Duration::from_secs(30);

/// Who dies, in turn. A server process takes the others along.
const VICTIMS: [&str; 4] = [
    "backend_type = 'client backend'",
    "backend_type = 'identity_resolve worker'",
    "everything",
    "query ~ 'drain_queue'",
];

/// A session with a server that may be starting. What it is told has happened stays.
fn reconnect(database: &Database, n: u64) -> Client {
    let started = Instant::now();
    let durable = |mut client: Client| {
        client.batch_execute("SET synchronous_commit = on")?;
        Ok(client)
    };
    loop {
        match client(database, n).and_then(durable) {
            Ok(client) => return client,
            Err(error) => {
                assert!(started.elapsed() < PATIENCE, "the server does not come back: {error:?}")
            }
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Writes until `done`, each transaction with its number; returns those that were acknowledged.
fn write(database: &Database, seed: u64, lot: u64, done: &AtomicBool) -> Vec<i32> {
    let mut author = Author::new(database, seed << 8 | lot, 60).of_lot(lot, CLIENTS);
    let mut client = reconnect(database, lot);
    let mut acknowledged = Vec::new();
    for number in 0.. {
        if done.load(Ordering::Relaxed) {
            break;
        }
        let is_command = author.dice.once_in(6);
        let transaction = if is_command {
            vec![author.command()]
        } else {
            let writes = 1 + author.dice.below(3);
            let mut block = vec!["BEGIN".to_owned()];
            block.extend((0..writes).map(|_| author.write()));
            block.push(format!("INSERT INTO acknowledged VALUES ({lot}, {number})"));
            block.push("COMMIT".to_owned());
            block
        };
        let result = run(&mut client, &transaction);
        match error_code(&result) {
            "no error" if !is_command => acknowledged.push(number),
            "no error" | "23505" | "40P01" | "40001" | "55006" => {}
            // Nothing to undo, or a pair that cannot be linked.
            "42704" | "55000" | "22023" | "22004" if is_command => {}
            "57P01" | "57P02" | "57P03" | "no SQLSTATE" => client = reconnect(database, lot),
            _ => panic!("{transaction:#?}: {result:?}"),
        }
    }
    acknowledged
}

/// Kills a process of this kind, as soon as there is one, or the whole cluster.
fn kill(cluster: &Cluster, database: &Database, victim: &str) {
    if victim == "everything" {
        return cluster.crash();
    }
    let query = format!(
        "SELECT pid FROM pg_stat_activity WHERE {victim} AND datname = current_database()
         AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1"
    );
    let mut client = reconnect(database, 0);
    let started = Instant::now();
    let pid: i32 = loop {
        if let Some(row) = client.query_opt(&query, &[]).unwrap() {
            break row.get(0);
        }
        assert!(started.elapsed() < PATIENCE, "there is no process with {victim}");
    };
    // It may have ended meanwhile.
    Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
}

#[test]
fn nothing_is_lost_nor_counted_twice() {
    let cluster = Cluster::start(
        "recovery_test",
        &[
            "shared_preload_libraries=identity_resolve",
            &format!("identity_resolve.databases=cluster_{DATABASE}"),
            "identity_resolve.naptime=200ms",
            "identity_resolve.queue_batch=20",
        ],
    );
    let database = Database::create(&cluster, DATABASE);
    World::create_tables(&database);
    database.run("CREATE TABLE acknowledged (client int, number int, PRIMARY KEY (client, number))");
    for round in 0..4 * soak() {
        let mut dice = Dice::new(round);
        let world =
            World { modes: ["trigger", "queue", "queue", "trigger"], ..World::random(&mut dice) };
        world.begin(&database);
        database.run("TRUNCATE acknowledged");
        let acknowledged = Mutex::new(Vec::new());
        let work = |done: &AtomicBool| {
            thread::scope(|scope| {
                for lot in 0..CLIENTS {
                    let (database, acknowledged) = (&database, &acknowledged);
                    scope.spawn(move || {
                        let numbers = write(database, round, lot, done);
                        let mine = numbers.into_iter().map(|number| (lot as i32, number));
                        acknowledged.lock().unwrap().extend(mine);
                    });
                }
            });
        };
        while_working(work, || {
            for n in 0..2 {
                thread::sleep(Duration::from_millis(300 + dice.below(1_500)));
                kill(&cluster, &database, VICTIMS[((round * 2 + n) % 4) as usize]);
            }
            thread::sleep(Duration::from_millis(300));
        });
        let mut client = reconnect(&database, 0);
        let written: Vec<(i32, i32)> = client
            .query("SELECT client, number FROM acknowledged", &[])
            .unwrap()
            .iter()
            .map(|row| (row.get(0), row.get(1)))
            .collect();
        drop(client);
        let acknowledged = acknowledged.into_inner().unwrap();
        assert!(!acknowledged.is_empty());
        assert!(acknowledged.iter().all(|transaction| written.contains(transaction)));
        world.assert_equal(&database, &format!("round {round}"));
    }
}
