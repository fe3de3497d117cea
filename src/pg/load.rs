//! All of the stored graph, from the tables. What a sighting touches comes from [`super::tables`].

use super::cursor::{Row, stream};
use super::table::Table;
use super::tables::{Words, identifier_row, link_row};
use super::{progress, settings, spi};
use crate::error::Error;
use crate::graph::Graph;
use crate::graph::rules::Rules;
use crate::graph::stable_id::Former;
use rustc_hash::FxHashMap;

/// Rows between two looks at the memory.
const MEMORY_CHECK: usize = 1 << 16;

/// Fails when the graph has outgrown `identity_resolve.graph_memory`.
pub fn check_memory(graph: &Graph) -> Result<(), Error> {
    graph.check_memory(settings::graph_memory_mb())
}

/// Shows each row of a table to `each`, with progress and an eye on the memory.
fn load_rows(
    graph: &mut Graph,
    table: &str,
    mut each: impl FnMut(&mut Graph, &Row) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut result = Ok(());
    let mut rows = 0;
    Table::open_to_read(table).scan(|row| {
        if result.is_ok() {
            result = each(graph, row);
            rows += 1;
            if rows % MEMORY_CHECK == 0 && result.is_ok() {
                progress::advance(MEMORY_CHECK as i64);
                result = check_memory(graph);
            }
        }
    });
    result
}

/// All stored identifiers.
pub fn identifiers(graph: &mut Graph, rules: &Rules, words: &Words) -> Result<(), Error> {
    load_rows(graph, "identifier", |graph, row| {
        graph.load_identifier(rules, &identifier_row(words, row))?;
        Ok(())
    })
}

/// All stored links, once their identifiers are loaded.
pub fn links(graph: &mut Graph, words: &Words) -> Result<(), Error> {
    load_rows(graph, "link", |graph, row| {
        graph.load_link(&link_row(words, row));
        Ok(())
    })
}

/// All separations in force.
pub fn separations(graph: &mut Graph) {
    stream(
        "SELECT a, b FROM identity_resolve.separation WHERE until IS NULL OR until > now()",
        &[],
        |row| graph.separate(row.text(0).unwrap_or_default(), row.text(1).unwrap_or_default()),
    );
}

/// All must-links in force.
pub fn must_links(graph: &mut Graph, rules: &Rules) {
    stream(
        "SELECT a, b FROM identity_resolve.must_link WHERE until IS NULL OR until > now()",
        &[],
        |row| {
            graph.must_link(rules, row.text(0).unwrap_or_default(), row.text(1).unwrap_or_default());
        },
    );
}

/// The retired ids that identifiers of the graph had, all of which are loaded.
pub fn former(graph: &Graph) -> Vec<Former> {
    let mut former = FxHashMap::default();
    Table::open_to_read("former_member").scan(|row| {
        if let (Some(id), Some(member)) = (row.uuid(0), row.int8(1)) {
            Former::add(&mut former, id, graph.by_stored_id(member));
        }
    });
    former.into_values().collect()
}

/// How many rows a table of the extension has, as the planner believes; 0 where it does not know.
pub fn estimated_rows(table: &str) -> i64 {
    spi::one(
        "SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = $1",
        &[super::transaction::relation(table).into()],
        |row| row.int8(0).unwrap_or_default(),
    )
    .unwrap_or_default()
}
