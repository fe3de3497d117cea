//! What operators say, as rows of the tables `must_link` and `separation`, and what an operation must
//! remember to take it back.

use super::spi;
use pgrx::JsonB;
use pgrx::datum::TimestampWithTimeZone;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// When what is said ends by itself.
pub type Until = Option<TimestampWithTimeZone>;

/// The tables of what operators say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Table {
    MustLink,
    Separation,
}

impl Table {
    /// Its name in the schema.
    pub fn name(self) -> &'static str {
        match self {
            Table::MustLink => "must_link",
            Table::Separation => "separation",
        }
    }
}

/// The bytewise lesser first, as the tables have them.
fn in_order(ends: &[String; 2]) -> [&str; 2] {
    let [a, b] = ends.each_ref().map(String::as_str);
    [a.min(b), a.max(b)]
}

/// A row of one of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Word {
    pub table: Table,
    /// The row as to_jsonb() makes it.
    pub row: Json,
}

impl Word {
    /// The two identifiers.
    pub fn ends(&self) -> [&str; 2] {
        ["a", "b"].map(|column| self.row[column].as_str().unwrap_or_default())
    }

    /// Writes it down for the caller.
    fn say(table: Table, ends: &[String; 2], reason: Option<&str>, until: Until) -> Self {
        // A word that an old snapshot does not show is met here, as a failure to serialize.
        let statement = format!(
            "INSERT INTO identity_resolve.{0} AS t (a, b, reason, until, created_at)
             VALUES ($1, $2, $3, $4, clock_timestamp())
             ON CONFLICT (a, b) DO UPDATE SET (reason, until, created_at, actor) =
                 (excluded.reason, excluded.until, excluded.created_at, excluded.actor)
             RETURNING to_jsonb(t)",
            table.name()
        );
        let [a, b] = in_order(ends);
        let row = spi::returning_json(&statement, &[a.into(), b.into(), reason.into(), until.into()]);
        Word { table, row: row.unwrap_or_default() }
    }

    /// Removes what the table says about a pair, if it says something.
    fn remove(table: Table, ends: &[String; 2]) -> Option<Self> {
        let statement = format!(
            "DELETE FROM identity_resolve.{0} AS t WHERE a = $1 AND b = $2 RETURNING to_jsonb(t)",
            table.name()
        );
        let [a, b] = in_order(ends);
        let row = spi::returning_json(&statement, &[a.into(), b.into()])?;
        Some(Word { table, row })
    }

    /// Removes this very row; false if it is not there as it was.
    pub fn take_back(&self) -> bool {
        let table = self.table.name();
        let statement = format!(
            "DELETE FROM identity_resolve.{table} AS t
             USING jsonb_populate_record(NULL::identity_resolve.{table}, $1) AS r
             WHERE (t.a, t.b, t.created_at) = (r.a, r.b, r.created_at) AND t.until IS NOT DISTINCT FROM r.until"
        );
        spi::run(&statement, &[JsonB(self.row.clone()).into()]) > 0
    }

    /// Puts the row back; false if another one is in its place.
    pub fn put_back(&self) -> bool {
        let table = self.table.name();
        let statement = format!(
            "INSERT INTO identity_resolve.{table}
             SELECT * FROM jsonb_populate_record(NULL::identity_resolve.{table}, $1) ON CONFLICT DO NOTHING"
        );
        spi::run(&statement, &[JsonB(self.row.clone()).into()]) > 0
    }
}

/// What an operation wrote beside evidence.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Effects {
    /// Rows that it wrote.
    pub added: Vec<Word>,
    /// Rows that it took away.
    pub removed: Vec<Word>,
    /// `setting.expired_as_of` before and after, as ISO 8601 has it.
    pub expired_as_of: Option<(Option<String>, String)>,
    /// A review, and what was decided about it before and after.
    pub review: Option<(i64, String, String)>,
}

impl Effects {
    /// Lets a table say something about a pair, and the other one nothing.
    pub fn say(&mut self, table: Table, ends: &[String; 2], reason: Option<&str>, until: Until) {
        let removed = [Table::MustLink, Table::Separation].map(|table| Word::remove(table, ends));
        self.removed.extend(removed.into_iter().flatten());
        self.added.push(Word::say(table, ends, reason, until));
    }

    /// As the log keeps it.
    pub fn to_json(&self) -> Json {
        serde_json::to_value(self).unwrap_or_default()
    }
}
