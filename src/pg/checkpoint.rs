//! Saving what a long backfill has read, and taking it up again.
//!
//! A saved stretch is used only if the very row versions it was read from are still the ones to
//! read (their fingerprint says so); otherwise the stretch is read again. So a resumed backfill
//! gives what an uninterrupted one gives, whatever happened to the table in between.

use super::scan::{Reader, Stretch};
use super::source::Source;
use super::spi;
use crate::error::Error;
use crate::graph::rules::Rules;
use crate::graph::{Graph, StoreError};
use crate::source::row::Tally;

/// A part of a source that was read in one go.
#[derive(Default)]
pub struct Saved {
    number: i64,
    pub stretches: Vec<Stretch>,
    pub rows: i64,
    fingerprint: u64,
}

impl Saved {
    /// Adds the fingerprint of one of the stretches.
    pub fn add_version(&mut self, fingerprint: u64) {
        self.fingerprint = self.fingerprint.wrapping_add(fingerprint);
    }

    /// Whether what was read there is still what is there.
    pub fn is_current(&self, reader: &Reader) -> Result<bool, Error> {
        let mut now = 0u64;
        for &stretch in &self.stretches {
            if !reader.has(stretch) {
                return Ok(false);
            }
            now = now.wrapping_add(reader.fingerprint(stretch)?);
        }
        Ok(now == self.fingerprint)
    }

    /// Saves what was read.
    pub fn save(&mut self, source: &Source, configuration: i64, graph: Graph, tally: &Tally) {
        self.rows = tally.rows;
        let tally = serde_json::to_string(tally).unwrap_or_default();
        let stretches = serde_json::to_string(&self.stretches).unwrap_or_default();
        self.number = spi::one("SELECT nextval('identity_resolve.checkpoint_number_seq')", &[], |row| {
            row.int8(0).unwrap_or_default()
        })
        .unwrap_or_default();
        spi::run(
            "INSERT INTO identity_resolve.checkpoint VALUES ($1, $2, $3::jsonb, $4, $5, $6, $7::jsonb, $8)",
            &[
                self.number.into(),
                (source.number as i32).into(),
                stretches.into(),
                configuration.into(),
                (self.fingerprint as i64).into(),
                self.rows.into(),
                tally.into(),
                graph.into_segment().into(),
            ],
        );
    }

    /// Adds what was saved to `graph` and `tally`.
    pub fn restore(
        &self,
        rules: &Rules,
        kept: usize,
        graph: &mut Graph,
        tally: &mut Tally,
    ) -> Result<(), Error> {
        let restored = spi::one(
            "SELECT tally::text, content FROM identity_resolve.checkpoint WHERE number = $1",
            &[self.number.into()],
            |row| -> Result<(), StoreError> {
                let counted = serde_json::from_str(row.text(0).unwrap_or_default());
                tally.add(counted.unwrap_or_default(), kept);
                graph.add_segment(rules, row.bytes(1).unwrap_or_default())
            },
        );
        restored.transpose()?;
        Ok(())
    }
}

/// What a reading depends on beside the rows: mapping, configuration, version, columns.
pub fn configuration_digest(source: &Source, reader: &Reader) -> i64 {
    spi::one(
        "SELECT hashtextextended(jsonb_build_array($1::text, $2::text,
             (SELECT jsonb_agg(t ORDER BY t.name) FROM identity_resolve.identifier_type AS t),
             (SELECT jsonb_agg(b ORDER BY b.type, b.pattern) FROM identity_resolve.blocked_value AS b),
             (SELECT jsonb_agg(p ORDER BY p.issuer) FROM identity_resolve.identity_provider AS p),
             (SELECT s.region FROM identity_resolve.setting AS s),
             -- Columns can change names and defaults without any row being written.
             (SELECT jsonb_agg(jsonb_build_array(a.attrelid, a.attnum, a.attname, a.atttypid, a.attmissingval::text)
                               ORDER BY a.attrelid, a.attnum)
              FROM pg_attribute AS a
              WHERE a.attrelid = ANY ($3) AND a.attnum > 0 AND NOT a.attisdropped))::text, 0)",
        &[
            source.mapping_text.as_str().into(),
            env!("CARGO_PKG_VERSION").into(),
            reader.tables().into(),
        ],
        |row| row.int8(0).unwrap_or_default(),
    )
    .unwrap_or_default()
}

/// What earlier, unfinished backfills saved under this configuration.
pub fn saved(source: &Source, configuration: i64) -> Vec<Saved> {
    spi::all(
        "SELECT number, stretches::text, rows_read, fingerprint FROM identity_resolve.checkpoint
         WHERE source = $1 AND configuration = $2 ORDER BY number",
        &[(source.number as i32).into(), configuration.into()],
        |row| Saved {
            number: row.int8(0).unwrap_or_default(),
            stretches: serde_json::from_str(row.text(1).unwrap_or_default()).unwrap_or_default(),
            rows: row.int8(2).unwrap_or_default(),
            fingerprint: row.int8(3).unwrap_or_default() as u64,
        },
    )
}

/// Forgets what was saved of a source.
pub fn clear(source: &Source) {
    spi::run(
        "DELETE FROM identity_resolve.checkpoint WHERE source = $1",
        &[(source.number as i32).into()],
    );
}
