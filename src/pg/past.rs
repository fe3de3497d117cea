//! Whose an identifier was, by the evidence up to a day.

use super::tables::Tables;
use super::transaction::check_for_cancel;
use super::{configuration, lookup, settings, spi};
use crate::error::Error;
use crate::graph::{Graph, Holder, Settled};
use crate::source::seen_at;
use pgrx::datum::TimestampWithTimeZone;
use uuid::Uuid;

/// The profile, by its present id, that a value of a type belonged to at a time.
pub fn resolve(type_name: &str, value: &str, at: TimestampWithTimeZone) -> Result<Option<Uuid>, Error> {
    let identifier = format!("{type_name}:{}", lookup::canonical(type_name, value)?);
    let time = at.into_inner();
    let day = seen_at::of_timestamp(time, seen_at::today()).map_err(|bad| Error::Time {
        argument: "at",
        value: format!("{}: {bad}", seen_at::timestamp_text(time)),
    })?;
    let configuration = configuration::current()?;
    let rules = configuration::rules_as_of(&configuration.rules, at)?;
    let mut graph = Graph::default();
    let mut tables = Tables::open_to_read(&configuration.words);
    graph.reach_past(&rules, &identifier, day, settings::graph_memory_mb(), &mut tables)?;
    drop(tables);
    let settled = graph.settle(&rules, |_| Vec::new(), Uuid::now_v7, &mut check_for_cancel)?;
    let Settled::Changes(changes) = settled else { unreachable!("all of it is loaded") };
    Ok(match changes.holder(&rules, &identifier) {
        Holder::Nobody => None,
        Holder::Profile(id) => Some(id),
        Holder::Anonymous { today, members } => Some(today).filter(|id| has_only(*id, members)),
    })
}

/// Whether a profile has so many identifiers.
fn has_only(profile: Uuid, members: usize) -> bool {
    let query = "SELECT FROM identity_resolve.identifier WHERE profile = $1 LIMIT $2";
    spi::all(query, &[spi::id(profile).into(), (members as i64 + 1).into()], |_| ()).len() == members
}
