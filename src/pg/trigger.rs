//! The triggers of a source's tables, which show what a statement has changed.

use super::observe::Mode;
use super::source::{self, Source};
use super::{lock, spi, watch};
use crate::error::Error;
use pgrx::pg_sys;

/// Makes the triggers of modes trigger and queue, on all tables of a source that lack them.
pub fn make(oid: pg_sys::Oid, keyed: bool) -> Result<(), Error> {
    for table in watch::tree(oid) {
        let has = triggers(table);
        let name = source::relation(table).map_or_else(|_| String::new(), |relation| relation.name);
        if let Some(trigger) = own_trigger(table) {
            return Err(Error::OwnTrigger { relation: name, trigger });
        }
        let wanted = TRIGGERS.iter().filter(|trigger| keyed || !trigger.of_keyed_only);
        for trigger in wanted.filter(|trigger| !has.iter().any(|known| known == trigger.name)) {
            lock::keep_writers_from(table);
            let Trigger { name: trigger_name, event, rows, .. } = trigger;
            spi::run(
                &format!(
                    "CREATE TRIGGER {trigger_name} {event} ON {name} {rows}
                     FOR EACH STATEMENT EXECUTE FUNCTION identity_resolve.observe()"
                ),
                &[],
            );
        }
    }
    Ok(())
}

/// A trigger that a user has made beside ours, so that each row would count twice; one for the role
/// of a replica does not fire where ours do.
fn own_trigger(table: pg_sys::Oid) -> Option<String> {
    let names: Vec<String> = TRIGGERS.iter().map(|trigger| trigger.name.to_owned()).collect();
    spi::one(
        "SELECT tgname::text FROM pg_trigger WHERE tgrelid = $1 AND NOT tgname = ANY ($2)
           AND tgfoid = 'identity_resolve.observe()'::regprocedure AND tgenabled IN ('O', 'A') AND tgnargs = 0",
        &[table.into(), names.into()],
        |row| row.text(0).unwrap_or_default().to_owned(),
    )
}

/// Drops the triggers that [`make`] made; also on partitions that were detached since.
pub fn drop_from(oid: pg_sys::Oid) {
    let detached = spi::all(
        "SELECT DISTINCT tgrelid FROM pg_trigger WHERE tgfoid = 'identity_resolve.observe()'::regprocedure",
        &[],
        |row| row.oid(0).unwrap_or(pg_sys::InvalidOid),
    );
    let detached = detached.into_iter().filter(|&table| matches!(source::of_relation(table), Ok(None)));
    let found: Vec<(pg_sys::Oid, Vec<String>)> = watch::tree(oid)
        .into_iter()
        .chain(detached)
        .map(|table| (table, triggers(table)))
        .filter(|(_, triggers)| !triggers.is_empty())
        .collect();
    // All of them before DROP TRIGGER locks the first against readers as well: who writes to a
    // partition by its own name reads what it is a partition of.
    found.iter().for_each(|&(table, _)| lock::keep_writers_from(table));
    for (table, triggers) in found {
        let Ok(relation) = source::relation(table) else { continue };
        for trigger in triggers {
            spi::run(&format!("DROP TRIGGER {trigger} ON {}", relation.name), &[]);
        }
    }
}

/// Whether a trigger of this name is one that [`make`] makes.
pub fn is_ours(name: &str) -> bool {
    TRIGGERS.iter().any(|trigger| trigger.name == name)
}

/// Whether rows of a source count in their writer's transaction: by its mode, or because somebody
/// has made a trigger that says so.
pub fn counts_at_once(source: &Source, mode: Mode) -> bool {
    let made = spi::one(
        "SELECT FROM pg_trigger AS t
         WHERE t.tgrelid = ANY ($1) AND t.tgfoid = 'identity_resolve.observe()'::regprocedure
           AND (t.tgnargs > 0 OR $2 <> 'queue')",
        &[watch::tree(source.oid).into(), mode.word().into()],
        |_| (),
    );
    mode == Mode::Trigger || made.is_some()
}

/// The names of those of our triggers that a table has.
fn triggers(table: pg_sys::Oid) -> Vec<String> {
    let names: Vec<String> = TRIGGERS.iter().map(|trigger| trigger.name.to_owned()).collect();
    spi::all(
        "SELECT tgname::text FROM pg_trigger WHERE tgrelid = $1 AND tgname = ANY ($2)
           AND tgfoid = 'identity_resolve.observe()'::regprocedure",
        &[table.into(), names.into()],
        |row| row.text(0).unwrap_or_default().to_owned(),
    )
}

/// A trigger of a source's table.
struct Trigger {
    name: &'static str,
    event: &'static str,
    rows: &'static str,
    of_keyed_only: bool,
}

const TRIGGERS: [Trigger; 4] = [
    Trigger {
        name: "identity_resolve_insert",
        event: "AFTER INSERT",
        rows: "REFERENCING NEW TABLE AS new_rows",
        of_keyed_only: false,
    },
    Trigger {
        name: "identity_resolve_update",
        event: "AFTER UPDATE",
        rows: "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows",
        of_keyed_only: false,
    },
    Trigger {
        name: "identity_resolve_delete",
        event: "AFTER DELETE",
        rows: "REFERENCING OLD TABLE AS old_rows",
        of_keyed_only: true,
    },
    Trigger {
        name: "identity_resolve_truncate",
        event: "BEFORE TRUNCATE",
        rows: "",
        of_keyed_only: true,
    },
];
