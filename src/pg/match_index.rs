//! The tables that hold what matching keeps between runs, see [`crate::matching::index`].

use super::copy::{Indexes, Progress, copy_into};
use super::records::{Plan, Rows};
use super::table::Table;
use super::{spi, transaction};
use crate::error::Error;
use crate::matching::index::{Page, Stored};
use crate::matching::records::FieldSpec;
use pgrx::{JsonB, pg_sys};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// What a model's pages are about.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    /// Of the parameters of the model.
    pub parameters: i64,
    /// Of everything else that the result of a run depends on beside the rows.
    pub reading: i64,
    /// What names begin with, by side.
    pub sources: Vec<String>,
    /// How many values of each field are kept.
    pub slots: Vec<usize>,
    /// By side, from where on rows may be new, and what rows there were. None if that cannot be told.
    pub marks: Option<Vec<Mark>>,
    /// The last identifier there was. Records that come later have greater numbers; those of transactions
    /// that were under way may not, and wait for the next run.
    pub identifiers: i64,
    /// Whether all pairs were compared, without blocks.
    pub compares_all: bool,
    /// Records of the last full run, those that have come since, and the number after the last.
    pub full: u32,
    pub arrived: u32,
    pub next: u32,
    /// Pairs that are linked.
    pub links: usize,
    /// What each rule did in the last full run.
    pub blocking: Json,
}

/// What a source was when it was read.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Mark {
    /// Rows that this transaction or a later one wrote may not have been read.
    pub since: i64,
    pub rows: Rows,
}

/// Half of all transaction ids, beyond which one cannot be told from another.
const FAR: i64 = 1 << 31;

/// When sources were read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moment {
    /// The least and the next of the ids of transactions that may have been under way.
    pub since: i64,
    pub next: i64,
    /// The last identifier there was.
    pub identifiers: i64,
}

/// The moment of the active snapshot.
pub fn now() -> Moment {
    spi::one(
        "SELECT pg_snapshot_xmin(now)::text::bigint, pg_snapshot_xmax(now)::text::bigint,
                coalesce((SELECT max(id) FROM identity_resolve.identifier), 0)
         FROM pg_current_snapshot() AS now",
        &[],
        |row| {
            let [since, next, identifiers] =
                std::array::from_fn(|column| row.int8(column).unwrap_or_default());
            Moment { since, next, identifiers }
        },
    )
    .unwrap_or_default()
}

impl Mark {
    /// The condition that holds for rows that may have come since, if there is one.
    pub fn newer(self, next: i64) -> Option<String> {
        let since = self.since;
        (0..FAR)
            .contains(&(next - since))
            .then(|| format!("WHERE age(xmin) <= age('{}'::xid)", since & 0xffff_ffff))
    }
}

/// A number for what the result of a run depends on beside the rows and the model.
pub fn reading(plans: &[Plan], specs: &[FieldSpec], record_type: &str) -> Result<i64, Error> {
    let fields: Vec<(String, usize)> =
        specs.iter().map(|spec| (spec.name.clone(), spec.slots)).collect();
    let queries = plans.iter().map(|plan| plan.query(&fields, ""));
    let queries: Vec<String> = queries.collect::<Result<_, _>>()?;
    let sources: Vec<String> =
        plans.iter().map(|plan| format!("{} {}", plan.source.number, plan.source.name)).collect();
    let tables: Vec<pg_sys::Oid> =
        plans.iter().flat_map(|plan| super::watch::tree(plan.source.oid)).collect();
    let digest = spi::one(
        "SELECT hashtextextended(jsonb_build_array($1::text, $3::text[], $5::text[],
             (SELECT to_jsonb(t) FROM identity_resolve.identifier_type AS t WHERE t.name = $2),
             (SELECT jsonb_agg(n ORDER BY n.name, n.nickname) FROM identity_resolve.nickname AS n),
             (SELECT jsonb_agg(jsonb_build_array(e.enumtypid, e.enumlabel) ORDER BY e.oid) FROM pg_enum AS e),
             -- Columns can change names and defaults without any row being written.
             (SELECT jsonb_agg(jsonb_build_array(a.attrelid, a.attnum, a.attname, a.atttypid, a.attmissingval::text)
                               ORDER BY a.attrelid, a.attnum)
              FROM pg_attribute AS a
              WHERE a.attrelid = ANY ($4) AND a.attnum > 0 AND NOT a.attisdropped))::text, 0)",
        &[env!("CARGO_PKG_VERSION").into(), record_type.into(), queries.into(), tables.into(), sources.into()],
        |row| row.int8(0).unwrap_or_default(),
    );
    Ok(digest.unwrap_or_default())
}

/// The pages of a model.
pub struct Index {
    pub id: i32,
    pub state: State,
}

impl Index {
    /// What is kept for a model, if anything.
    pub fn of(model: &str) -> Option<Index> {
        let (id, state) = spi::one(
            "SELECT id, state::text FROM identity_resolve.match_index WHERE model = $1",
            &[model.into()],
            |row| (row.int4(0).unwrap_or_default(), row.text(1).unwrap_or_default().to_owned()),
        )?;
        Some(Index { id, state: serde_json::from_str(&state).ok()? })
    }

    /// Reads all pages.
    pub fn load(&self) -> Stored {
        let mut pages = Vec::new();
        Table::open_to_read("match_page").scan(|row| {
            if row.int4(0) == Some(self.id) {
                let (part, first) = (row.int4(1).unwrap_or_default(), row.int8(2).unwrap_or_default());
                pages.push((part, first, row.bytes(3).unwrap_or_default().into()));
            }
        });
        Stored::new(self.state.slots.iter().sum(), pages)
    }

    /// Puts pages in the place of those of records with the same number, of edges and of what is new.
    pub fn refresh(&self, pages: Vec<Page>, state: &State) {
        let records: Vec<i64> =
            pages.iter().filter(|page| page.part == 0).map(|page| page.first).collect();
        // By the index: the pages of a full run, which stay, are many.
        spi::run(
            "DELETE FROM identity_resolve.match_page WHERE index = $1 AND part = 0 AND first = ANY ($2)",
            &[self.id.into(), records.into()],
        );
        spi::run(
            "DELETE FROM identity_resolve.match_page
             WHERE index = $1 AND part = ANY (ARRAY(SELECT generate_series(1, (
                 SELECT max(part) FROM identity_resolve.match_page WHERE index = $1), 2)))",
            &[self.id.into()],
        );
        write(self.id, pages);
        set_state(self.id, state);
    }
}

/// Keeps other runs of a model from its pages until the end of the transaction.
pub fn claim(model: &str) {
    spi::run("SELECT FROM identity_resolve.model WHERE name = $1 FOR UPDATE", &[model.into()]);
}

/// Begins the pages of a model anew; returns the number of the index.
pub fn begin(model: &str) -> i32 {
    spi::run("DELETE FROM identity_resolve.match_index WHERE model = $1", &[model.into()]);
    spi::run(
        "INSERT INTO identity_resolve.match_index (model, state) VALUES ($1, 'null')",
        &[model.into()],
    );
    transaction::with_snapshot(|| {
        spi::one(
            "SELECT id FROM identity_resolve.match_index WHERE model = $1",
            &[model.into()],
            |row| row.int4(0).unwrap_or_default(),
        )
    })
    .unwrap_or_default()
}

/// Adds pages.
pub fn write(index: i32, pages: Vec<Page>) {
    let pages = pages.into_iter();
    copy_into("match_page", 4, Indexes::Maintain, Progress::Unseen, pages, |page, out| {
        out.int4(index).int4(page.part).int8(page.first).bytea(&page.content);
    });
}

/// Says what the pages of an index are about, when all are there.
pub fn set_state(index: i32, state: &State) {
    spi::run(
        "UPDATE identity_resolve.match_index SET state = $2 WHERE id = $1",
        &[index.into(), JsonB(serde_json::to_value(state).unwrap_or_default()).into()],
    );
}

/// Lets the next run of each other model with one of these sources compare everything: the links are no
/// longer those that it made.
pub fn outdate_others(model: &str, sources: &[String]) {
    spi::run(
        "UPDATE identity_resolve.match_index SET state = state || '{\"marks\": null}'
         WHERE model <> $1 AND state -> 'sources' ?| $2 AND state -> 'marks' <> 'null'",
        &[model.into(), sources.to_vec().into()],
    );
}

/// Forgets the records of a source.
pub fn forget(source: &str) {
    spi::run(
        "DELETE FROM identity_resolve.match_index
         WHERE EXISTS (SELECT FROM jsonb_array_elements_text(state -> 'sources') AS s (name) WHERE lower(s.name) = lower($1 || '/'))",
        &[source.into()],
    );
}
