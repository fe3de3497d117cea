//! The live path: fresh counts into the graph, within the writer's transaction and under any number
//! of other writers.
//!
//! Read what is touched, lock it, decide, write. What is decided rests on nothing that is not
//! locked: if any transaction has ended between the reading and the locking, all is read again, and
//! if more then turns out to be needed, it is locked too.

use super::configuration::{self, Configuration};
use super::history::Operation;
use super::lock::{self, Locks};
use super::tables::Tables;
use super::{settings, transaction, write};
use crate::error::Error;
use crate::graph::{Changes, Graph, Settled};
use rustc_hash::FxHashSet;
use std::rc::Rc;
use uuid::Uuid;

/// The configuration to decide by, after waiting for whoever changes the whole graph: what was
/// configured before he did so is in force from then on.
pub fn begin() -> Result<Rc<Configuration>, Error> {
    transaction::refuse_if_read_only();
    lock::be_a_writer();
    configuration::current()
}

/// Brings what `observe` counts in a new graph into the stored one, decides anew about `wide`
/// (canonical texts), and writes down what `operation` so did to profiles. Returns what has changed;
/// `None` if there was nothing to do.
///
/// `many`: there is more to come in this transaction than locks can be taken for. `observe` may be
/// called again, and must then count the same.
pub fn apply(
    configuration: &Configuration,
    operation: &mut Operation,
    mut wide: FxHashSet<String>,
    many: bool,
    observe: &mut dyn FnMut() -> Graph,
) -> Result<Option<Box<Changes>>, Error> {
    transaction::refuse_if_read_only();
    let Configuration { rules, words, .. } = configuration;
    let limit_mb = settings::graph_memory_mb();
    let mut graph = observe();
    if !graph.has_counts() && wide.is_empty() {
        return Ok(None);
    }
    let mut tables = Tables::open(words);
    let mut locks = if many { Locks::by_turn() } else { Locks::default() };
    loop {
        tables.forget();
        let completions = transaction::completions();
        transaction::with_latest_snapshot(|| graph.reach(rules, &wide, limit_mb, &mut tables))?;
        let keys = graph.keys();
        let is_current = locks.cover(&keys) || {
            locks.acquire(&keys);
            // If no transaction has ended since, what was read is what is now locked.
            completions == transaction::completions()
        };
        if is_current {
            graph.check_memory(limit_mb)?;
            let former = |graph: &Graph| transaction::with_latest_snapshot(|| tables.former(graph));
            match graph.settle(rules, former, Uuid::now_v7, &mut transaction::check_for_cancel)? {
                Settled::Changes(mut changes) => {
                    operation.log(&changes);
                    write::write(&mut changes, &mut tables);
                    return Ok(Some(changes));
                }
                Settled::Wider(texts) => wide.extend(texts),
            }
        }
        graph = observe();
    }
}
