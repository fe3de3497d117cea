//! A log of what people do on the web, made by the server itself.

use crate::Database;

/// How to make one.
pub struct Events<'a> {
    /// Its table, and what follows the columns: such as a partition key or storage options.
    pub table: &'a str,
    pub storage: &'a str,
    pub rows: u32,
    pub people: u32,
    /// Between 0 and 1.
    pub seed: f64,
}

impl Events<'_> {
    /// The columns of the table.
    pub const COLUMNS: &'static str =
        "id bigint, at timestamptz, login text, email text, phone text, cookie text, device text";

    /// How it is attached without and with a key.
    pub const MAPPING: &'static str = r#"{"identifiers": {"login": "login", "email": "email", "phone": "phone",
        "cookie": "cookie"}, "seen_at": "at", "device_type": "device", "channel": {"value": "web"}}"#;
    pub const KEYED: &'static str = r#"{"key": "id", "identifiers": {"login": "login", "email": "email",
        "phone": "phone", "cookie": "cookie"}, "seen_at": "at", "device_type": "device"}"#;

    /// Makes the table and fills it.
    ///
    /// Some people do much and most do little. Some share a phone or a tablet, some sign in at a
    /// kiosk; some addresses are junk, and some are typed by everybody.
    pub fn create(&self, database: &Database) {
        let Events { table, storage, rows, .. } = self;
        database.run(&format!("CREATE TABLE {table} ({}) {storage}", Self::COLUMNS));
        self.insert(database, 1, *rows);
    }

    /// Makes the table of `n` partitions, called after it, and fills it.
    pub fn create_partitioned(&self, database: &Database, n: u32) {
        let Events { table, storage, rows, .. } = self;
        database.run(&format!("CREATE TABLE {table} ({}) {storage}", Self::COLUMNS));
        for i in 0..n {
            database.run(&format!(
                "CREATE TABLE {table}_{i} PARTITION OF {table} FOR VALUES WITH (MODULUS {n}, REMAINDER {i})"
            ));
        }
        self.insert(database, 1, *rows);
    }

    /// Adds the rows of these ids.
    pub fn insert(&self, database: &Database, first: u32, last: u32) {
        let Events { table, people, seed, .. } = self;
        database.run(&format!(
            "SELECT setseed({seed});
             INSERT INTO {table}
             SELECT id, '2025-01-01 00:00+00'::timestamptz + random() * interval '300 days',
                    CASE WHEN r1 < 0.2 THEN 'l' || person END,
                    CASE WHEN r2 < 0.12 THEN 'p' || person || '@example.com' WHEN r2 < 0.13 THEN 'info@example.com'
                         WHEN r2 < 0.14 THEN 'p' || person || '.example.com' WHEN r2 < 0.15 THEN 'test@test.com' END,
                    CASE WHEN r3 < 0.1 THEN '+336' || 10000000 + person / 2 WHEN r3 < 0.105 THEN '06' END,
                    CASE WHEN kind = 0 THEN 'k' || person % 50 WHEN kind < 5 THEN 't' || person / 3
                         ELSE 'c' || person * 4 + kind % 4 END,
                    CASE WHEN kind = 0 THEN 'kiosk' WHEN kind < 5 THEN 'tablet' WHEN kind % 4 = 1 THEN 'smartphone' END
             FROM (SELECT id, floor({people} * power(random(), 2))::int AS person, random() AS r1,
                          random() AS r2, random() AS r3, floor(random() * 40)::int AS kind
                   FROM generate_series({first}, {last}) AS id OFFSET 0) AS visit"
        ));
    }

    /// Attaches the table.
    pub fn attach(&self, database: &Database, mapping: &str) {
        database.run(&format!("SELECT identity_resolve.add_source('{}', '{mapping}')", self.table));
    }
}
