//! Building a table's indexes anew, in bulk, without keeping readers away.
//!
//! Filling an index row by row takes three to four times as long as building it from a full
//! table. So whoever writes much of a table leaves the indexes alone while he writes, builds new
//! ones beside the old ones (which readers go on using, and in which they miss nothing: the new
//! rows are not theirs to see yet, and those that were replaced still are), and puts them in place
//! at the very end.

use super::cursor::Row;
use super::{spi, transaction};
use pgrx::pg_sys;
use std::time::{Duration, Instant};

/// An index as the catalog describes it.
struct Index {
    /// All names are quoted where they must be.
    name: String,
    /// Its name until it is in place.
    new_name: String,
    /// CREATE INDEX statement up to the name, and from `ON` on.
    head: &'static str,
    tail: String,
    /// Name and kind of the constraint that rests on it.
    constraint: Option<(String, &'static str)>,
}

impl Index {
    fn from_row(row: &Row) -> Self {
        let text = |column| row.text(column).unwrap_or_default().to_owned();
        let definition = text(1);
        let tail = definition.split_once(" ON ").map_or(String::new(), |(_, tail)| tail.to_owned());
        let head =
            if definition.starts_with("CREATE UNIQUE") { "CREATE UNIQUE INDEX" } else { "CREATE INDEX" };
        let kind = match row.text(3) {
            Some("p") => Some("PRIMARY KEY"),
            Some("u") => Some("UNIQUE"),
            _ => None,
        };
        Index {
            name: text(0),
            new_name: text(4),
            head,
            tail,
            constraint: kind.map(|kind| (text(2), kind)),
        }
    }

    fn put_in_place(&self, table: &str) {
        let Index { name, new_name, constraint, .. } = self;
        let (table, new) = (format!("identity_resolve.{table}"), format!("identity_resolve.{new_name}"));
        let statements = match constraint {
            Some((constraint, kind)) => vec![
                format!("ALTER TABLE {table} DROP CONSTRAINT {constraint}"),
                format!("ALTER INDEX {new} RENAME TO {name}"),
                format!("ALTER TABLE {table} ADD CONSTRAINT {constraint} {kind} USING INDEX {name}"),
            ],
            None => vec![
                format!("DROP INDEX identity_resolve.{name}"),
                format!("ALTER INDEX {new} RENAME TO {name}"),
            ],
        };
        for statement in statements {
            spi::run(&statement, &[]);
        }
    }
}

/// Whether the current role may build indexes, as only the owner may, nothing of a user's own (a
/// foreign key, a view) depends on those that are there, and nobody follows the rows who would go wrong
/// where one that changes is deleted and inserted: a trigger, or a publication without one of the two.
pub fn may_rebuild() -> bool {
    spi::one(
        "SELECT bool_and(pg_has_role(c.relowner, 'USAGE')) AND NOT EXISTS (
             SELECT FROM pg_constraint AS k JOIN pg_depend AS d
                 ON d.refclassid = 'pg_constraint'::regclass AND d.refobjid = k.oid AND d.deptype = 'n'
             WHERE k.conrelid = ANY ($1)) AND NOT EXISTS (
             SELECT FROM pg_constraint AS k WHERE k.confrelid = ANY ($1)) AND NOT EXISTS (
             SELECT FROM pg_trigger AS t WHERE t.tgrelid = ANY ($1) AND NOT t.tgisinternal) AND NOT EXISTS (
             SELECT FROM pg_publication AS p, pg_get_publication_tables(p.pubname) AS t
             WHERE t.relid = ANY ($1) AND NOT (p.pubinsert AND p.pubdelete))
         FROM pg_class AS c WHERE c.oid = ANY ($1)",
        &[vec![transaction::relation("identifier"), transaction::relation("link")].into()],
        |row| row.bool(0).unwrap_or_default(),
    )
    .unwrap_or_default()
}

/// New indexes of a table that stand beside the old ones.
pub struct NewIndexes {
    table: &'static str,
    oid: pg_sys::Oid,
    indexes: Vec<Index>,
}

/// Builds all indexes of a table of this extension anew. The graph is locked.
pub fn build(table: &'static str) -> NewIndexes {
    let oid = transaction::relation(table);
    let indexes = transaction::with_snapshot(|| {
        spi::all(
            "SELECT quote_ident(c.relname), pg_get_indexdef(i.indexrelid), quote_ident(k.conname), k.contype::text,
                    format('new_%s', c.oid)
             FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
             LEFT JOIN pg_constraint AS k ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u')
             WHERE i.indrelid = $1 ORDER BY c.relname",
            &[oid.into()],
            Index::from_row,
        )
    });
    for Index { new_name, head, tail, .. } in &indexes {
        spi::run(&format!("{head} {new_name} ON {tail}"), &[]);
    }
    NewIndexes { table, oid, indexes }
}

/// Puts new indexes in the place of the old ones. False if readers would not let go of a table:
/// then the subtransaction that built them must be rolled back.
pub fn put_in_place(new: &[NewIndexes]) -> bool {
    if !new.iter().all(|new| lock_patiently(new.oid)) {
        return false;
    }
    for NewIndexes { table, indexes, .. } in new {
        indexes.iter().for_each(|index| index.put_in_place(table));
    }
    true
}

/// How long to try for the lock.
const PATIENCE: Duration = Duration::from_secs(5);

/// Takes the lock that replacing an index needs, until the end of the transaction, which is near.
/// It never waits in the queue, where it would hold up every reader behind one that takes long,
/// and could wait for one that waits for us. False if it cannot be had.
fn lock_patiently(table: pg_sys::Oid) -> bool {
    let started = Instant::now();
    // SAFETY: locks a table that exists.
    while !unsafe { pg_sys::ConditionalLockRelationOid(table, pg_sys::AccessExclusiveLock as _) } {
        if started.elapsed() > PATIENCE {
            return false;
        }
        transaction::check_for_cancel();
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}
