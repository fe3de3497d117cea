//! What is found live is what a backfill finds, whoever does what to the tables.

use cluster::{Author, Cluster, Database, Dice, World, at_once, client, error_code, run, soak};

/// The seeds of a test's worlds: `n` of them, or from SEED on, to see one again.
fn seeds(n: u64) -> std::ops::Range<u64> {
    let first = std::env::var("SEED").map_or(1, |seed| seed.parse().expect("SEED is a number"));
    first..first + n * soak()
}

type Script = Vec<Vec<String>>;

/// What may go wrong for a client that is alone: a key that exists, one that does not; nothing to
/// undo; a pair that cannot be linked.
const ALONE: [&str; 7] = ["no error", "23505", "23503", "42704", "55000", "22023", "22004"];

/// Beside these: deadlocks, old snapshots, two backfills of one source.
const AMONG_OTHERS: [&str; 3] = ["40P01", "40001", "55006"];

/// What concerns the whole graph fails in an old snapshot after any commit in the whole cluster.
fn is_outdated(transaction: &[String], result: &Result<(), postgres::Error>) -> bool {
    let concerns_all = |statement: &String| {
        statement.contains("identity_resolve.") || statement.starts_with("TRUNCATE")
    };
    error_code(result) == "40001"
        && transaction[0].starts_with("BEGIN ISOLATION")
        && transaction.iter().any(concerns_all)
}

/// Plays a script from the world's beginning. Says what is wrong in the end.
fn play(database: &Database, world: &World, script: &Script) -> Option<String> {
    world.begin(database);
    let mut client = client(database, script.len() as u64).unwrap();
    for transaction in script {
        let result = run(&mut client, transaction);
        if !ALONE.contains(&error_code(&result)) && !is_outdated(transaction, &result) {
            return Some(format!("error {} of {transaction:#?}: {result:?}", error_code(&result)));
        }
    }
    drop(client);
    world.difference(database)
}

/// The items without those that a failure doesn't need.
fn reduce<T: Clone>(items: &mut Vec<T>, fails: impl Fn(&Vec<T>) -> bool) {
    let mut size = items.len().div_ceil(2);
    while size > 0 {
        let mut start = 0;
        while start < items.len() {
            let mut fewer = items.clone();
            fewer.drain(start..items.len().min(start + size));
            if fails(&fewer) {
                *items = fewer;
            } else {
                start += size;
            }
        }
        size /= 2;
    }
}

/// Reduces a script that fails like `failure`, to be printed for psql.
fn reduced(database: &Database, mut world: World, mut script: Script, failure: &str) -> String {
    let kind = |failure: &str| failure.split(' ').take(4).map(str::to_owned).collect::<Vec<_>>();
    let fails = |world: &World, script: &Script| {
        play(database, world, script).is_some_and(|other| kind(&other) == kind(failure))
    };
    reduce(&mut script, |script| fails(&world, script));
    for i in 0..script.len() {
        let mut transaction = script[i].clone();
        reduce(&mut transaction, |transaction| {
            let mut script = script.clone();
            script[i] = transaction.clone();
            fails(&world, &script)
        });
        script[i] = transaction;
    }
    let mut configuration = world.configuration.clone();
    reduce(&mut configuration, |fewer| {
        fails(&World { configuration: fewer.clone(), ..world.clone() }, &script)
    });
    world.configuration = configuration;
    let difference = play(database, &world, &script).unwrap_or_default();
    let mut lines = world.beginning();
    lines.extend(script.into_iter().flatten());
    format!("{};\n{difference}", lines.join(";\n"))
}

#[test]
fn one_client() {
    let cluster = Cluster::running();
    let database = Database::create(&cluster, "live_one");
    World::create_tables(&database);
    for seed in seeds(120) {
        let mut dice = Dice::new(seed);
        let world = World::random(&mut dice);
        let people = 2 + dice.below(6);
        let mut author = Author::new(&database, seed, people);
        let script: Script = (0..8 + dice.below(40)).map(|_| author.transaction()).collect();
        if let Some(difference) = play(&database, &world, &script) {
            eprintln!("SEED={seed}: {difference}\nreducing …");
            panic!("{}", reduced(&database, world, script, &difference));
        }
    }
}

#[test]
fn eight_clients() {
    let cluster = Cluster::running();
    let database = Database::create(&cluster, "live_eight");
    World::create_tables(&database);
    for seed in seeds(80) {
        let mut dice = Dice::new(!seed);
        let world = World::random(&mut dice);
        world.begin(&database);
        let people = 2 + dice.below(10);
        at_once(&database, 8, |i, client| {
            let mut author = Author::new(&database, seed << 8 | i, people);
            for _ in 0..12 {
                let transaction = author.transaction();
                let result = run(client, &transaction);
                let code = error_code(&result);
                assert!(
                    ALONE.contains(&code) || AMONG_OTHERS.contains(&code),
                    "{transaction:#?}: {result:?}"
                );
            }
        });
        world.assert_equal(&database, &format!("SEED={seed}"));
    }
}
