//! Small worlds: a configuration, some tables, and random statements on them.
//!
//! There are few people and few days, so that components overlap, limits are exceeded, devices are
//! shared and weights are equal. Dates come in any order.

use crate::{Database, Dice};

/// One of the tables.
pub struct Source {
    pub table: &'static str,
    /// The first numbers the rows.
    columns: &'static [&'static str],
    mapping: &'static str,
}

impl Source {
    /// The statement that attaches it.
    pub fn attach(&self, mode: &str) -> String {
        format!("SELECT identity_resolve.add_source('{}', '{}', '{mode}')", self.table, self.mapping)
    }
}

/// In the order in which they are attached.
pub const SOURCES: [Source; 4] = [
    Source {
        table: "customer",
        columns: &["id", "number", "login", "email", "phone", "at"],
        mapping: r#"{"key": "id", "identifiers": {"customer_number": "number", "login": "login", "email": "email",
            "phone": "phone"}, "seen_at": "at", "channel": {"value": "store"}}"#,
    },
    Source {
        table: "card",
        columns: &["id", "customer", "card", "email", "at"],
        mapping: r#"{"key": "id", "identifiers": {"loyalty_card": "card", "email": "email"}, "seen_at": "at"}"#,
    },
    Source {
        table: "signup",
        columns: &["id", "login", "email", "device", "kind", "at"],
        mapping: r#"{"identifiers": {"login": "login", "email": "email", "device": "device"},
            "seen_at": "at", "device_type": "kind", "channel": {"value": "app"}}"#,
    },
    Source {
        table: "visit",
        columns: &["id", "cookie", "device", "login", "email", "phone", "kind", "channel", "at"],
        mapping: r#"{"identifiers": {"cookie": "cookie", "device": "device", "login": "login", "email": "email",
            "phone": "phone"}, "seen_at": "at", "device_type": "kind", "channel": "channel"}"#,
    },
];

const CUSTOMER: &Source = &SOURCES[0];
const CARD: &Source = &SOURCES[1];
const SIGNUP: &Source = &SOURCES[2];
pub const VISIT: &Source = &SOURCES[3];

/// A partition has its columns in another order, another one is partitioned itself.
const TABLES: &str = "
    CREATE TABLE customer (id int PRIMARY KEY, gone int, number text, login text, email text, phone text, at timestamptz);
    ALTER TABLE customer DROP gone;
    CREATE TABLE card (id int PRIMARY KEY, customer int REFERENCES customer ON DELETE CASCADE ON UPDATE CASCADE,
        card text, email text, at timestamptz);
    CREATE TABLE signup (id int PRIMARY KEY, login text, email text, device text, kind text, at timestamptz);
    CREATE TABLE visit (id int, cookie text, device text, login text, email text, phone text, kind text,
        channel text, at timestamptz) PARTITION BY RANGE (at);
    CREATE TABLE visit_2022 (at timestamptz, gone int, channel text, kind text, phone text, email text, login text,
        device text, cookie text, id int);
    ALTER TABLE visit_2022 DROP gone;
    ALTER TABLE visit ATTACH PARTITION visit_2022 FOR VALUES FROM (MINVALUE) TO ('2023-01-01 00:00+00');
    CREATE TABLE visit_2023 PARTITION OF visit FOR VALUES FROM ('2023-01-01 00:00+00') TO ('2024-01-01 00:00+00')
        PARTITION BY HASH (id);
    CREATE TABLE visit_2023_0 PARTITION OF visit_2023 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE visit_2023_1 PARTITION OF visit_2023 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
    CREATE TABLE visit_default PARTITION OF visit DEFAULT";

/// What a world may be configured to, beside what is shipped.
const CONFIGURATION: [&str; 20] = [
    "UPDATE identity_resolve.identifier_type SET max_links = 2 WHERE name = 'email'",
    "UPDATE identity_resolve.identifier_type SET max_links = 3 WHERE name IN ('cookie', 'device', 'phone')",
    "UPDATE identity_resolve.identifier_type SET max_links = 4 WHERE name = 'login'",
    "UPDATE identity_resolve.identifier_type SET max_per_profile = 1 WHERE name IN ('email', 'loyalty_card')",
    "UPDATE identity_resolve.identifier_type SET max_per_profile = 2 WHERE name IN ('cookie', 'phone')",
    "UPDATE identity_resolve.identifier_type SET max_per_profile = 2 WHERE name = 'login'",
    "UPDATE identity_resolve.identifier_type SET owner_share = 0.5 WHERE name IN ('cookie', 'email')",
    "UPDATE identity_resolve.identifier_type SET owner_share = NULL WHERE name IN ('device', 'phone')",
    "UPDATE identity_resolve.identifier_type SET joins = 'any' WHERE name = 'cookie'",
    "UPDATE identity_resolve.identifier_type SET joins = 'never' WHERE name IN ('device', 'phone')",
    "UPDATE identity_resolve.identifier_type SET expires_after = '6 months' WHERE name IN ('email', 'cookie')",
    "UPDATE identity_resolve.identifier_type SET expires_after = '2 years' WHERE name IN ('login', 'phone')",
    "UPDATE identity_resolve.device_type SET sharing = 'personal' WHERE name = 'tablet'",
    "UPDATE identity_resolve.device_type SET owner_share = 0.9 WHERE name = 'smartphone'",
    "INSERT INTO identity_resolve.blocked_value (type, pattern) VALUES ('email', 'e1@.*')",
    "INSERT INTO identity_resolve.separation (a, b) VALUES ('email:e0@example.com', 'email:e2@example.com')",
    "INSERT INTO identity_resolve.separation (a, b) VALUES ('login:l0', 'login:l1'), ('cookie:c0', 'customer_number:n0')",
    "INSERT INTO identity_resolve.separation (a, b) VALUES ('record:public.customer/1', 'record:public.customer/2')",
    "UPDATE identity_resolve.setting SET half_life = '30 days'",
    "UPDATE identity_resolve.setting SET region = 'FR'",
];

/// A configuration, and how each of [`SOURCES`] is attached at first.
#[derive(Clone)]
pub struct World {
    pub configuration: Vec<&'static str>,
    pub modes: [&'static str; SOURCES.len()],
}

impl World {
    /// One as shipped.
    pub fn plain(modes: [&'static str; SOURCES.len()]) -> Self {
        World { configuration: Vec::new(), modes }
    }

    /// Any.
    pub fn random(dice: &mut Dice) -> Self {
        let configuration = CONFIGURATION.into_iter().filter(|_| dice.once_in(5)).collect();
        let all = dice.below(3);
        let modes = SOURCES
            .each_ref()
            .map(|_| ["trigger", "queue"][(if all < 2 { all } else { dice.below(2) }) as usize]);
        World { configuration, modes }
    }

    /// Makes the tables, once in a database.
    pub fn create_tables(database: &Database) {
        database.run(TABLES);
    }

    /// The statements that begin it: empty tables, and an extension that knows nothing.
    pub fn beginning(&self) -> Vec<String> {
        let tables = SOURCES.each_ref().map(|source| source.table).join(", ");
        let mut statements = vec![
            "SET client_min_messages = warning".to_owned(),
            "DROP EXTENSION IF EXISTS identity_resolve CASCADE".to_owned(),
            format!("TRUNCATE {tables}"),
        ];
        statements.extend(self.extension(&self.modes));
        statements
    }

    /// The statements that create the extension and attach the tables.
    pub fn extension(&self, modes: &[&str; SOURCES.len()]) -> Vec<String> {
        let mut statements = vec!["CREATE EXTENSION identity_resolve".to_owned()];
        statements.extend(self.configuration.iter().copied().map(str::to_owned));
        statements.extend(SOURCES.iter().zip(modes).map(|(source, mode)| source.attach(mode)));
        statements
    }

    /// Begins it.
    pub fn begin(&self, database: &Database) {
        database.run(&self.beginning().join("; "));
    }
}

/// Makes up statements. Those on rows concern only its own ones: the ids that leave `lot` when
/// divided by `lots`.
pub struct Author {
    pub dice: Dice,
    pub people: u64,
    pub lot: u64,
    pub lots: u64,
    /// From PostgreSQL 15 on.
    pub has_merge: bool,
}

/// Ids of rows in one lot.
const IDS: u64 = 24;

impl Author {
    /// One of many, who all own the same rows.
    pub fn new(database: &Database, seed: u64, people: u64) -> Self {
        let has_merge = database.version() >= 15;
        Author { dice: Dice::new(seed), people, lot: 0, lots: 1, has_merge }
    }

    /// One of `lots`, each of whom owns other rows.
    pub fn of_lot(self, lot: u64, lots: u64) -> Self {
        Author { lot, lots, ..self }
    }

    fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.dice.below(items.len() as u64) as usize]
    }

    fn id(&mut self) -> u64 {
        self.lot + self.lots * self.dice.below(IDS)
    }

    /// A condition on a few rows.
    fn some(&mut self) -> String {
        let (n, lot, lots) = (2 + self.dice.below(8), self.lot, self.lots);
        format!("id % {lots} = {lot} AND id / {lots} % {n} = {}", self.dice.below(n))
    }

    /// A time, at one of few dates.
    fn time(&mut self, years: &[u64]) -> String {
        let (year, month, day) = (self.pick(years), 1 + self.dice.below(6) * 2, self.pick(&[1, 15]));
        format!("{year}-{month:02}-{day:02} {:02}:30+00", self.pick(&[0, 12, 23]))
    }

    /// What a row says in a column, if it says something.
    fn value(&mut self, column: &str) -> Option<String> {
        let n = self.dice.below(self.people);
        let once_in = |dice: &mut Dice, n, value: String| dice.once_in(n).then_some(value);
        match column {
            "number" => once_in(&mut self.dice, 2, format!("n{n}")),
            "login" => once_in(&mut self.dice, 3, format!("l{n}")),
            "card" => Some(format!("{}", n % (self.people / 2 + 1))),
            "email" => match self.dice.below(16) {
                0 => Some("nobody".to_owned()),
                1 => Some("unknown@example.com".to_owned()),
                2 => Some(" Info@Example.com".to_owned()),
                3..9 => Some(format!("e{n}@example.com")),
                _ => None,
            },
            "phone" => match self.dice.below(9) {
                0 => Some(format!("06 12 34 {:02} {:02}", n / 100, n % 100)),
                1..3 => Some(format!("+3361234{n:04}")),
                _ => None,
            },
            "cookie" => match self.dice.below(8) {
                0 => Some("null".to_owned()),
                1..6 => Some(format!("c{n}")),
                _ => None,
            },
            "device" => once_in(&mut self.dice, 3, format!("d{}", n % (self.people / 2 + 1))),
            "kind" => {
                let kinds = [
                    "",
                    "",
                    "tablet",
                    " Tablet",
                    "smartphone",
                    "smartphone",
                    "desktop",
                    "kiosk",
                    "fridge",
                ];
                Some(self.pick(&kinds).to_owned())
            }
            "channel" => Some(self.pick(&["", "web", "Web ", "app"]).to_owned()),
            _ => Some(self.time(&[2022, 2022, 2023, 2024, 2025])),
        }
    }

    /// The values of a row, in the order of the columns.
    fn row(&mut self, source: &Source, id: u64) -> Vec<Option<String>> {
        let others = source.columns[1..].iter().map(|column| self.value(column));
        std::iter::once(Some(id.to_string())).chain(others).collect()
    }

    /// The list of rows that follows VALUES, of ids from `first` on.
    fn rows(&mut self, source: &Source, first: u64, n: u64) -> String {
        let literal = |(column, value): (&&str, Option<String>)| match (*column, value) {
            (_, None) => "NULL".to_owned(),
            ("id", Some(id)) => id,
            ("at", Some(time)) => format!("timestamptz '{time}'"),
            (_, Some(value)) => format!("'{value}'"),
        };
        let row = |i| {
            let row = self.row(source, first + i * self.lots);
            format!("({})", source.columns.iter().zip(row).map(literal).collect::<Vec<_>>().join(", "))
        };
        (0..n).map(row).collect::<Vec<_>>().join(", ")
    }

    /// One row or a few.
    fn number(&mut self) -> u64 {
        if self.dice.once_in(2) { 1 } else { self.dice.below(6) + 1 }
    }

    /// INSERT of `n` visits.
    pub fn visits(&mut self, n: u64) -> String {
        let id = self.id();
        format!("INSERT INTO visit ({}) VALUES {}", VISIT.columns.join(", "), self.rows(VISIT, id, n))
    }

    /// INSERT of `n` sign-ups, whose ids nobody else gives.
    pub fn sign_ups(&mut self, first: u64, n: u64) -> String {
        format!("INSERT INTO signup VALUES {}", self.rows(SIGNUP, first * self.lots + self.lot, n))
    }

    /// A statement that adds rows; where some are there already it changes them, or fails.
    pub fn insert(&mut self) -> String {
        let (id, n) = (self.id(), self.number());
        match self.dice.below(if self.has_merge { 12 } else { 11 }) {
            0..4 => self.visits(n),
            4 => {
                let year = self.pick(&[2022, 2023]);
                let mut row = self.row(VISIT, id);
                row[VISIT.columns.len() - 1] = Some(self.time(&[year]));
                let row = row.iter().map(|value| value.as_deref().unwrap_or("unknown"));
                let row = row.collect::<Vec<_>>().join("', '");
                format!("INSERT INTO visit_{year} ({}) VALUES ('{row}')", VISIT.columns.join(", "))
            }
            5 => self.copy(n),
            6 => {
                let source = self.pick(&[CUSTOMER, SIGNUP]);
                format!("INSERT INTO {} VALUES {}", source.table, self.rows(source, id, n))
            }
            7 | 8 => {
                let source = self.pick(&[CUSTOMER, SIGNUP]);
                let (table, last) = (source.table, self.pick(&["NOTHING", "UPDATE SET email = EXCLUDED.email, at = EXCLUDED.at"]));
                format!("INSERT INTO {table} VALUES {} ON CONFLICT (id) DO {last}", self.rows(source, id, n))
            }
            9 => {
                let (card, some) = (self.value("card").unwrap_or_default(), self.some());
                format!(
                    "INSERT INTO card SELECT id, id, '{card}', email, at FROM customer WHERE {some} ON CONFLICT (id) DO NOTHING"
                )
            }
            10 => format!(
                "WITH new AS (INSERT INTO customer VALUES {} ON CONFLICT (id) DO NOTHING RETURNING *)
                 INSERT INTO visit (id, login, email, cookie, at) SELECT id, login, email, 'c' || id % {}, at FROM new",
                self.rows(CUSTOMER, id, n),
                self.people
            ),
            _ => format!(
                "MERGE INTO customer AS c USING (VALUES {}) AS v (id, number, login, email, phone, at) ON c.id = v.id
                 WHEN MATCHED AND c.email = v.email THEN DELETE
                 WHEN MATCHED THEN UPDATE SET email = v.email, at = v.at
                 WHEN NOT MATCHED THEN INSERT VALUES (v.id, v.number, v.login, v.email, v.phone, v.at)",
                self.rows(CUSTOMER, id, n)
            ),
        }
    }

    /// COPY from a program, which needs no client.
    fn copy(&mut self, n: u64) -> String {
        let mut text = String::new();
        for _ in 0..n {
            let id = self.id();
            let row = self.row(VISIT, id).into_iter().map(|value| value.unwrap_or("\\\\N".to_owned()));
            text.push_str(&(row.collect::<Vec<_>>().join("\\t") + "\\n"));
        }
        format!("COPY visit ({}) FROM PROGRAM $$printf '{text}'$$", VISIT.columns.join(", "))
    }

    /// A statement that changes rows or, of a keyed source, deletes them.
    pub fn change(&mut self) -> String {
        let some = self.some();
        match self.dice.below(8) {
            0 => format!("DELETE FROM customer WHERE {some}"),
            1 => format!("DELETE FROM card WHERE {some}"),
            2 => format!("UPDATE customer SET id = id + {} WHERE id = {}", IDS * self.lots, self.id()),
            3 => format!("UPDATE customer SET email = email WHERE {some}"),
            _ => {
                let source = self.pick(&[CUSTOMER, CARD, SIGNUP, VISIT, VISIT]);
                let first = 2 + self.dice.below(source.columns.len() as u64 - 2) as usize;
                let mut columns = vec![source.columns[first], source.columns[source.columns.len() - 1]];
                columns.dedup();
                let keep = 1 + self.dice.below(columns.len() as u64) as usize;
                let set: Vec<_> = columns[..keep]
                    .iter()
                    .map(|column| match self.value(column) {
                        Some(value) => format!("{column} = '{value}'"),
                        None => format!("{column} = NULL"),
                    })
                    .collect();
                format!("UPDATE {} SET {} WHERE {some}", source.table, set.join(", "))
            }
        }
    }

    /// Removes all rows of a keyed source.
    fn truncate(&mut self) -> String {
        self.pick(&["TRUNCATE card", "TRUNCATE customer CASCADE"]).to_owned()
    }

    /// A call of identity_resolve.
    pub fn command(&mut self) -> String {
        let table = self.pick(&SOURCES.each_ref().map(|source| source.table));
        let as_of = self.time(&[2022, 2023, 2024, 2025, 2026]);
        match self.dice.below(18) {
            0..3 => "CALL identity_resolve.drain_queue()".to_owned(),
            3 | 4 => format!("SELECT count(*) FROM identity_resolve.expire('{as_of}')"),
            5 => format!("CALL identity_resolve.expire_in_batches('{as_of}')"),
            6..9 => {
                format!(
                    "SELECT identity_resolve.set_mode('{table}', '{}')",
                    self.pick(&["trigger", "queue"])
                )
            }
            9 | 10 => format!("CALL identity_resolve.backfill('{table}')"),
            11 => "CALL identity_resolve.backfill()".to_owned(),
            12 => "CALL identity_resolve.rebuild()".to_owned(),
            13..17 => self.link_or_unlink(),
            _ => format!(
                "SELECT identity_resolve.undo((SELECT max(number) - {} FROM identity_resolve.change))",
                self.dice.below(4)
            ),
        }
    }

    /// An operator's word on two identifiers.
    pub fn link_or_unlink(&mut self) -> String {
        let what = self.pick(&["link", "unlink"]);
        format!("SELECT identity_resolve.{what}('{}', '{}')", self.known(), self.known())
    }

    /// An identifier that may have been seen.
    pub fn known(&mut self) -> String {
        let n = self.dice.below(self.people);
        let (kind, letter, rest) = self.pick(&[
            ("customer_number", "n", ""),
            ("login", "l", ""),
            ("email", "e", "@example.com"),
            ("cookie", "c", ""),
            ("device", "d", ""),
        ]);
        format!("{kind}:{letter}{n}{rest}")
    }

    /// A statement on rows.
    pub fn write(&mut self) -> String {
        if self.dice.once_in(3) { self.change() } else { self.insert() }
    }

    fn statement(&mut self) -> String {
        match self.dice.below(24) {
            0..4 => self.command(),
            4 => self.truncate(),
            _ => self.write(),
        }
    }

    /// A transaction of a statement, or of several, of which savepoints or all may be rolled back.
    pub fn transaction(&mut self) -> Vec<String> {
        if !self.dice.once_in(3) {
            return vec![self.statement()];
        }
        let begin = [
            "BEGIN",
            "BEGIN",
            "BEGIN ISOLATION LEVEL REPEATABLE READ",
            "BEGIN ISOLATION LEVEL SERIALIZABLE",
        ];
        let mut statements = vec![self.pick(&begin).to_owned()];
        for _ in 0..self.dice.below(4) + 1 {
            let statement = self.statement();
            if self.dice.once_in(3) {
                let end = self.pick(&[
                    "ROLLBACK TO SAVEPOINT s",
                    "ROLLBACK TO SAVEPOINT s",
                    "RELEASE SAVEPOINT s",
                ]);
                statements.extend(["SAVEPOINT s".to_owned(), statement, end.to_owned()]);
            } else {
                statements.push(statement);
            }
        }
        statements.push(self.pick(&["COMMIT", "COMMIT", "COMMIT", "ROLLBACK"]).to_owned());
        statements
    }
}
