//! Dump and restore keep everything, and life goes on after them.

use cluster::{Cluster, Database, State, versions};
use postgres::Client;
use std::path::Path;
use std::process::Command;

const VIEWS: [&str; 9] = [
    "profiles",
    "profile_identifier",
    "profile_channel",
    "links",
    "conflicts",
    "rejections",
    "stats",
    "history",
    "reviews",
];
const TABLES: [&str; 18] = [
    "identifier_type",
    "device_type",
    "channel",
    "blocked_value",
    "identity_provider",
    "nickname",
    "setting",
    "source",
    "separation",
    "must_link",
    "last_decision",
    "review",
    "change",
    "profile_change",
    "identifier",
    "link",
    "former_member",
    "trait",
];

/// What every view and every table answers, and every look-up.
fn answers(client: &mut Client) -> State {
    let relations = VIEWS.iter().chain(&TABLES);
    let rows = relations.map(|name| {
        format!("SELECT '{name} ' || (to_jsonb(t) - 'seeded')::text FROM identity_resolve.{name} AS t")
    });
    let rest = [
        "SELECT 'resolve ' || i.identifier || coalesce(' ' || identity_resolve.resolve(i.identifier), ' nobody')
         FROM identity_resolve.identifier AS i",
        "SELECT concat_ws(' ', 'retired', f.profile, identity_resolve.current_profile(f.profile))
         FROM identity_resolve.former_member AS f",
        "SELECT concat_ws(' ', 'candidate', i.identifier, c.profile, c.share, c.reason)
         FROM identity_resolve.identifier AS i, identity_resolve.candidates(i.identifier) AS c
         WHERE i.identifier LIKE 'cookie:%'",
        "SELECT 'region ' || identity_resolve.canonical('phone', '02 555 12 17')",
    ];
    let query: Vec<String> = rows.chain(rest.map(str::to_owned)).collect();
    State::of(client, &query.join(" UNION ALL "))
}

fn succeeds(command: &mut Command) {
    let out = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success() && stderr.is_empty(), "{command:?}: {stderr}");
}

/// The shop, with all that a DBA can have done to the configuration.
fn fill(database: &Database) {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/shop");
    let data = data.to_str().unwrap();
    for file in ["schema", "load", "attach"] {
        let mut psql = database.program("psql");
        succeeds(psql.args([
            "-o",
            "/dev/null",
            "-v",
            &format!("data={data}"),
            "-f",
            &format!("{data}/{file}.sql"),
        ]));
    }
    for statement in CONFIGURE.split(";\n") {
        database.run(statement);
    }
    database.run("CALL identity_resolve.backfill()");
    // Retire ids: merge people that stay merged, and one pair that is parted again.
    database.run(
        r#"SELECT identity_resolve.identify('{"login": ["adele.fontaine", "clemence.rousselet"], "cookie": "bridge"}', '2026-05-01');
           SELECT identity_resolve.identify('{"email": ["lila.delorme@mail.example", "jasmine.okafor@mail.example"]}', '2026-05-01');
           SELECT identity_resolve.identify('{"passport": "12AB", "email": "margaux.delorme@mail.example"}', '2026-05-01',
               traits => '{"first_name": "Margaux"}');
           SELECT identity_resolve.identify('{"loyalty_card": "parted-1"}', '2026-05-01');
           SELECT identity_resolve.identify('{"loyalty_card": "parted-2"}', '2026-05-01');
           SELECT identity_resolve.identify('{"loyalty_card": ["parted-1", "parted-2", "parted-3"]}', '2026-05-01');
           INSERT INTO identity_resolve.separation (a, b, reason, until)
           VALUES ('loyalty_card:parted-1', 'loyalty_card:parted-2', 'two people', NULL),
                  ('passport:12AB', 'login:lila.delorme', NULL, '2999-01-01')"#,
    );
    // What operators say, and what they took back.
    database.run(
        "SELECT identity_resolve.link('loyalty_card:said-1', 'loyalty_card:said-2', 'the same', '2999-01-01');
         SELECT identity_resolve.unlink('loyalty_card:said-3', 'loyalty_card:parted-3');
         SELECT identity_resolve.undo(max(number)) FROM identity_resolve.change;
         INSERT INTO identity_resolve.review (a, b, probability) VALUES ('passport:12ab', 'loyalty_card:said-1', 0.5);
         SELECT identity_resolve.reject(max(review)) FROM identity_resolve.review",
    );
    database.run("CALL identity_resolve.backfill()");
    database.run(
        "DELETE FROM shop.store_card WHERE card_number LIKE '%7'; CALL identity_resolve.backfill('shop.store_card')",
    );
}

/// Seeds that are changed, renamed and removed, and rows that are new, in every table.
const CONFIGURE: &str = "
    INSERT INTO identity_resolve.identifier_type (name, role, normalizer, priority) VALUES ('passport', 'person', 'lower', 3);
    UPDATE identity_resolve.identifier_type SET max_links = 40, owner_share = 0.7 WHERE name = 'email';
    UPDATE identity_resolve.identifier_type SET max_per_profile = NULL WHERE name = 'login';
    UPDATE identity_resolve.identifier_type SET name = 'bssid' WHERE name = 'wifi';
    DELETE FROM identity_resolve.identifier_type WHERE name = 'ip';
    INSERT INTO identity_resolve.device_type (name, sharing) VALUES ('fridge', 'household');
    UPDATE identity_resolve.device_type SET owner_share = 0.8, expires_after = '2 years' WHERE name = 'tablet';
    UPDATE identity_resolve.device_type SET name = 'television' WHERE name = 'tv';
    DELETE FROM identity_resolve.device_type WHERE name = 'kiosk';
    INSERT INTO identity_resolve.device_type (name, sharing) VALUES ('kiosk', 'public');
    DELETE FROM identity_resolve.device_type WHERE name = 'desktop';
    INSERT INTO identity_resolve.channel (name, kind, reaches) VALUES ('border', 'offline', 'passport');
    UPDATE identity_resolve.channel SET cost = 7 WHERE name = 'call_center';
    DELETE FROM identity_resolve.channel WHERE name = 'sms';
    INSERT INTO identity_resolve.blocked_value (type, pattern) VALUES ('passport', '0+'), (NULL, 'tbd');
    UPDATE identity_resolve.blocked_value SET pattern = 'optout|gone' WHERE type = 'cookie';
    DELETE FROM identity_resolve.blocked_value WHERE type = 'device';
    DELETE FROM identity_resolve.blocked_value WHERE type IS NULL AND pattern LIKE '[x?%';
    INSERT INTO identity_resolve.identity_provider (issuer, certified) VALUES ('https://forum.example.com', false);
    UPDATE identity_resolve.identity_provider SET certified = false WHERE issuer = 'https://appleid.apple.com';
    DELETE FROM identity_resolve.identity_provider WHERE issuer = 'https://accounts.google.com';
    INSERT INTO identity_resolve.nickname (name, nickname) VALUES ('Célestine', 'Titine'), ('william', 'Gwilym');
    UPDATE identity_resolve.nickname SET nickname = 'Wm' WHERE (name, nickname) = ('william', 'willy');
    DELETE FROM identity_resolve.nickname WHERE name = 'robert';
    INSERT INTO identity_resolve.nickname (name, nickname) VALUES ('robert', 'bob');
    UPDATE identity_resolve.setting SET region = 'BE', half_life = '60 days', expired_as_of = '2026-06-01 00:00+00'";

/// A restored database answers what the dumped one did, and goes on from there.
fn compare(original: &State, restored: &Database, how: &str) {
    let mut client = restored.connect();
    answers(&mut client).assert_is(original, how);

    let rows = versions(&mut client);
    client.batch_execute("CALL identity_resolve.backfill()").unwrap();
    assert_eq!(versions(&mut client), rows, "{how}: a backfill changes nothing");

    // New numbers are new, and old ids are not given again.
    let row = client
        .query_one(
            r#"SELECT identity_resolve.identify('{"email": "new@example.com", "cookie": ["new-1", "new-2"]}') NOT IN
                      (SELECT profile FROM identity_resolve.profiles UNION SELECT profile FROM identity_resolve.former_member)"#,
            &[],
        )
        .unwrap();
    assert!(row.get::<_, bool>(0), "{how}");
    client
        .batch_execute(
            "CREATE TABLE later (login text, cookie text); INSERT INTO later VALUES ('later', 'later');
             SELECT identity_resolve.add_source('later', '{\"identifiers\": {\"login\": \"login\", \"cookie\": \"cookie\"}}');
             SELECT identity_resolve.drop_source('shop.call')",
        )
        .unwrap();
    client.batch_execute("CALL identity_resolve.backfill()").unwrap();
    let row = client.query_one(
        "SELECT identity_resolve.resolve('login:later') = identity_resolve.resolve('cookie:later')",
        &[],
    );
    assert!(row.unwrap().get::<_, bool>(0), "{how}");

    // What was said before the dump can be taken back after it.
    let row = client.query_one(
        "SELECT identity_resolve.undo((SELECT number FROM identity_resolve.change WHERE operation = 'link')) >
                (SELECT max(number) FROM identity_resolve.change)",
        &[],
    );
    assert!(row.unwrap().get::<_, bool>(0), "{how}");
    let row = client.query_one("SELECT count(*) FROM identity_resolve.must_link", &[]);
    assert_eq!(row.unwrap().get::<_, i64>(0), 0, "{how}");
}

#[test]
fn everything_comes_back() {
    let cluster = Cluster::running();
    let database = Database::with_extension(&cluster, "dumped");
    fill(&database);
    let original = answers(&mut database.connect());
    for what in ["former_member", "conflicts", "rejections", "trait", "retired"] {
        assert!(original.count(what) > 0, "no {what}");
    }
    let folder = std::env::temp_dir().join(format!("identity_resolve_dump_{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();

    succeeds(database.program("pg_dump").args(["-f", &path("plain.sql")]));
    succeeds(database.program("pg_dump").args(["-Fc", "-f", &path("custom")]));
    succeeds(database.program("pg_dump").args(["-Fd", "-j2", "-f", &path("directory")]));

    let restored = Database::create(&cluster, "restored");
    succeeds(restored.program("psql").args(["-o", "/dev/null", "-f", &path("plain.sql")]));
    // A dump of what was restored is as good.
    succeeds(restored.program("pg_dump").args(["-f", &path("again.sql")]));
    compare(&original, &restored, "plain");
    drop(restored);
    let restored = Database::create(&cluster, "restored");
    succeeds(restored.program("psql").args(["-o", "/dev/null", "-f", &path("again.sql")]));
    compare(&original, &restored, "plain, of what was restored");
    drop(restored);
    for (options, file) in
        [(&["-e"][..], "custom"), (&["-e", "-j2"], "custom"), (&["-e", "-j4"], "directory")]
    {
        // In parallel it may copy a reference before the identifier type that it is to, as the guide
        // says, and then is to be repeated.
        let restored = (0..10).find_map(|_| {
            let restored = Database::create(&cluster, "restored");
            let mut restore = restored.program("pg_restore");
            restore.args(options).args(["-d", "cluster_restored", &path(file)]);
            if options.len() == 1 {
                succeeds(&mut restore);
                return Some(restored);
            }
            let out = restore.output().unwrap();
            let stderr = String::from_utf8_lossy(&out.stderr).into_owned();
            assert!(out.status.success() || stderr.contains("foreign key constraint"), "{stderr}");
            out.status.success().then_some(restored)
        });
        let restored = restored.expect("one of ten restores comes first to the types");
        compare(&original, &restored, &format!("{file} {options:?}"));
    }
    std::fs::remove_dir_all(folder).unwrap();
}

/// TRUNCATE removes seeds, too.
#[test]
fn truncated_configuration_stays_truncated() {
    let cluster = Cluster::running();
    let database = Database::with_extension(&cluster, "truncated");
    database.run(
        "TRUNCATE identity_resolve.blocked_value, identity_resolve.identity_provider, identity_resolve.nickname",
    );
    let dump =
        std::env::temp_dir().join(format!("identity_resolve_truncated_{}.sql", std::process::id()));
    let dump = dump.to_str().unwrap();
    succeeds(database.program("pg_dump").args(["-f", dump]));
    let restored = Database::create(&cluster, "truncated_too");
    succeeds(restored.program("psql").args(["-o", "/dev/null", "-f", dump]));
    std::fs::remove_file(dump).unwrap();
    let query = "SELECT b.pattern FROM identity_resolve.blocked_value AS b
                 UNION ALL SELECT p.issuer FROM identity_resolve.identity_provider AS p
                 UNION ALL SELECT n.nickname FROM identity_resolve.nickname AS n";
    let left = State::of(&mut restored.connect(), query);
    assert!(left.is_empty(), "{left:?}");
}

/// Dropped and created again in one session, it is as new.
#[test]
fn dropped_and_created_again() {
    let cluster = Cluster::running();
    let database = Database::create(&cluster, "again");
    let mut client = database.connect();
    for _ in 0..3 {
        client.batch_execute("CREATE EXTENSION identity_resolve").unwrap();
        client.batch_execute("UPDATE identity_resolve.setting SET region = 'FR'").unwrap();
        let identify =
            "SELECT identity_resolve.identify('{\"login\": \"ann\", \"phone\": \"06 12 34 56 78\"}')
                            = identity_resolve.resolve('phone:+33612345678')";
        assert!(client.query_one(identify, &[]).unwrap().get::<_, bool>(0));
        client.batch_execute("CALL identity_resolve.backfill()").unwrap();
        client.batch_execute("DROP EXTENSION identity_resolve").unwrap();
        assert!(client.batch_execute("SELECT identity_resolve.resolve('login:ann')").is_err());
    }
    client.batch_execute("CREATE EXTENSION identity_resolve").unwrap();
    // The settings of before are gone with it.
    let malformed = client.batch_execute("SELECT identity_resolve.resolve('phone:06 12 34 56 78')");
    assert_eq!(cluster::error_code(&malformed), "22P02");
}
