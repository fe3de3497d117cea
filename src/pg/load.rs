//! From the tables to the graph: all of it, or what a sighting touches.

use super::copy::UNIX_EPOCH;
use super::cursor::{Row, stream};
use super::{progress, settings, spi};
use crate::error::Error;
use crate::graph::rules::Rules;
use crate::graph::solver::Reason;
use crate::graph::stable_id::Former;
use crate::graph::{Graph, IdentifierRow, LinkRow, NO_DAY};
use rustc_hash::{FxHashMap, FxHashSet};
use uuid::Uuid;

const IDENTIFIER: &str =
    "SELECT id, identifier, profile, standing::text, first_seen, last_seen, evidence
     FROM identity_resolve.identifier";
const LINK: &str =
    "SELECT a, b, asserted, probability, held_reason::text, evidence FROM identity_resolve.link";

/// Rows between two looks at the memory.
const MEMORY_CHECK: usize = 1 << 16;

fn identifier<'a>(row: &Row<'a>) -> IdentifierRow<'a> {
    let day = |column| row.int4(column).map_or(NO_DAY, |days| days - UNIX_EPOCH);
    IdentifierRow {
        id: row.int8(0).unwrap_or_default(),
        identifier: row.text(1).unwrap_or_default(),
        profile: row.uuid(2).unwrap_or(Uuid::nil()),
        // "member" is not a reason.
        aside: row.text(3).and_then(Reason::parse),
        first_seen: day(4),
        last_seen: day(5),
        evidence: row.bytes(6).unwrap_or_default(),
    }
}

fn link<'a>(row: &Row<'a>) -> LinkRow<'a> {
    LinkRow {
        a: row.int8(0).unwrap_or_default(),
        b: row.int8(1).unwrap_or_default(),
        asserted: row.bool(2).unwrap_or_default(),
        probability: row.float8(3),
        held: row.text(4).and_then(Reason::parse),
        evidence: row.bytes(5).unwrap_or_default(),
    }
}

/// Fails when the graph has outgrown `identity_resolve.graph_memory`.
pub fn check_memory(graph: &Graph) -> Result<(), Error> {
    graph.check_memory(settings::graph_memory_mb())
}

/// Shows each row of `query` to `each`, with progress and an eye on the memory.
fn load_rows(
    graph: &mut Graph,
    query: &str,
    mut each: impl FnMut(&mut Graph, &Row) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut result = Ok(());
    let mut rows = 0;
    stream(query, &[], |row| {
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
pub fn identifiers(graph: &mut Graph, rules: &Rules) -> Result<(), Error> {
    load_rows(graph, IDENTIFIER, |graph, row| {
        graph.load_identifier(rules, &identifier(row))?;
        Ok(())
    })
}

/// All stored links, once their identifiers are loaded.
pub fn links(graph: &mut Graph) -> Result<(), Error> {
    load_rows(graph, LINK, |graph, row| {
        graph.load_link(&link(row));
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

/// The retired ids that identifiers of the graph had. `whole`: every identifier is loaded.
pub fn former(graph: &Graph, ids: Option<&[i64]>) -> Vec<Former> {
    let mut former = FxHashMap::<Uuid, Former>::default();
    let mut read = |row: &Row| {
        let (Some(id), Some(member)) = (row.uuid(0), row.int8(1)) else {
            return;
        };
        let retired = former.entry(id).or_insert(Former { id, members: Vec::new(), elsewhere: false });
        match graph.by_stored_id(member) {
            Some(number) => retired.members.push(number),
            None => retired.elsewhere = true,
        }
    };
    match ids {
        None => stream("SELECT profile, identifier FROM identity_resolve.former_member", &[], read),
        Some(ids) => stream(
            "SELECT f.profile, f.identifier FROM identity_resolve.former_member AS f
             WHERE f.profile IN (SELECT g.profile FROM identity_resolve.former_member AS g WHERE g.identifier = ANY ($1))",
            &[ids.to_vec().into()],
            &mut read,
        ),
    }
    former.into_values().collect()
}

/// Loads what a sighting of `touched` (canonical texts) can change: these identifiers with all
/// their links, and all that hangs together with them. What stands aside is loaded but not passed
/// through, unless it is touched itself.
pub fn component(graph: &mut Graph, rules: &Rules, touched: &[String]) -> Result<Vec<i64>, Error> {
    let mut frontier = Vec::new();
    let mut failed = None;
    let query = format!("{IDENTIFIER} WHERE identifier = ANY ($1)");
    stream(&query, &[touched.to_vec().into()], |row| {
        match graph.load_identifier(rules, &identifier(row)) {
            Ok(_) => frontier.push(row.int8(0).unwrap_or_default()),
            Err(error) => failed = Some(error),
        }
    });
    let mut loaded: FxHashSet<i64> = frontier.iter().copied().collect();
    let mut all = frontier.clone();
    let mut links = FxHashSet::<(i64, i64)>::default();
    while !frontier.is_empty() && failed.is_none() {
        let mut found: Vec<OwnedLink> = Vec::new();
        let query = format!("{LINK} WHERE a = ANY ($1) UNION ALL {LINK} WHERE b = ANY ($1)");
        stream(&query, &[frontier.clone().into()], |row| {
            let link = link(row);
            if links.insert((link.a, link.b)) {
                found.push(OwnedLink::from(link));
            }
        });
        let ends = found.iter().flat_map(|link| [link.row.a, link.row.b]);
        let new: Vec<i64> = ends.filter(|&id| loaded.insert(id)).collect();
        frontier.clear();
        let query = format!("{IDENTIFIER} WHERE id = ANY ($1)");
        stream(&query, &[new.clone().into()], |row| {
            let row = identifier(row);
            let (id, aside) = (row.id, row.aside);
            match graph.load_identifier(rules, &row).and_then(|number| {
                let passes = match aside {
                    None => true,
                    // Shared by the evidence, and not for being public: takes part until found out.
                    Some(Reason::Shared) => !graph.is_public(rules, number)?,
                    Some(_) => false,
                };
                if !passes {
                    graph.freeze(number);
                }
                Ok(passes)
            }) {
                Ok(true) => frontier.push(id),
                Ok(false) => {}
                Err(error) => failed = Some(error),
            }
        });
        all.extend(new);
        for link in &found {
            graph.load_link(&link.row());
        }
    }
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(all),
    }
}

/// A link row that outlives its batch.
struct OwnedLink {
    row: LinkRow<'static>,
    evidence: Vec<u8>,
}

impl From<LinkRow<'_>> for OwnedLink {
    fn from(link: LinkRow) -> Self {
        let evidence = link.evidence.to_vec();
        OwnedLink { row: LinkRow { evidence: &[], ..link }, evidence }
    }
}

impl OwnedLink {
    fn row(&self) -> LinkRow<'_> {
        LinkRow { evidence: &self.evidence, ..self.row }
    }
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
