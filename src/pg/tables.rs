//! The tables of the graph, row by row: what [`reach`](crate::graph::reach) looks up, and what a
//! decision changes.

use super::copy::UNIX_EPOCH;
use super::cursor::Row;
use super::spi;
use super::table::{Place, Table, Value};
use super::transaction::{self, with_latest_snapshot};
use crate::graph::reach::Stored;
use crate::graph::solver::Reason;
use crate::graph::stable_id::Former;
use crate::graph::{Day, Graph, IdentifierRow, LinkRow, NO_DAY};
use pgrx::pg_sys;
use rustc_hash::{FxHashMap, FxHashSet};
use uuid::Uuid;

/// The oids of the values of our two enums, which are what rows hold.
#[derive(Clone)]
pub struct Words {
    /// `None` is "member".
    standings: Vec<(pg_sys::Oid, Option<Reason>)>,
    held: Vec<(pg_sys::Oid, Reason)>,
}

impl Words {
    /// Reads them from the catalog.
    pub fn read() -> Self {
        let labels = |name: &str| {
            spi::all(
                "SELECT e.oid, e.enumlabel::text FROM pg_enum AS e JOIN pg_type AS t ON t.oid = e.enumtypid
                 WHERE t.typname = $1 AND t.typnamespace = 'identity_resolve'::regnamespace",
                &[name.into()],
                |row| (row.oid(0).unwrap_or(pg_sys::InvalidOid), row.text(1).and_then(Reason::parse)),
            )
        };
        let held = labels("held_reason").into_iter().filter_map(|(oid, word)| Some((oid, word?)));
        Words { standings: labels("standing"), held: held.collect() }
    }

    fn aside(&self, oid: Option<pg_sys::Oid>) -> Option<Reason> {
        self.standings.iter().find(|(known, _)| Some(*known) == oid).and_then(|(_, reason)| *reason)
    }

    fn standing(&self, aside: Option<Reason>) -> pg_sys::Oid {
        let known = self.standings.iter().find(|(_, reason)| *reason == aside);
        known.map_or(pg_sys::InvalidOid, |(oid, _)| *oid)
    }

    fn held(&self, oid: Option<pg_sys::Oid>) -> Option<Reason> {
        self.held.iter().find(|(known, _)| Some(*known) == oid).map(|(_, reason)| *reason)
    }

    fn held_oid(&self, held: Option<Reason>) -> Option<pg_sys::Oid> {
        let known = self.held.iter().find(|(_, reason)| Some(*reason) == held);
        known.map(|(oid, _)| *oid)
    }
}

/// Columns of the table `identifier` by number.
const ID: &[i16] = &[1];
const TEXT: &[i16] = &[2];
/// Columns of the tables `link`, `separation` and `former_member` by number.
const A_B: &[i16] = &[1, 2];
const B: &[i16] = &[2];

/// The tables of the graph.
pub struct Tables {
    words: Words,
    /// How they are opened.
    open: fn(&str) -> Table,
    identifier: Table,
    link: Table,
    /// Opened when first needed.
    separation: Option<Table>,
    must_link: Option<Table>,
    former: Option<Table>,
    /// Where the rows that were found stand.
    identifiers: FxHashMap<i64, Place>,
    links: FxHashMap<(i64, i64), Place>,
}

impl Tables {
    /// Opens them to write. Whoever changes the whole graph keeps others from this, and is kept from
    /// it.
    pub fn open(words: &Words) -> Self {
        Self::opened_by(words, Table::open)
    }

    /// Opens them to read.
    pub fn open_to_read(words: &Words) -> Self {
        Self::opened_by(words, Table::open_to_read)
    }

    fn opened_by(words: &Words, open: fn(&str) -> Table) -> Self {
        Tables {
            words: words.clone(),
            identifier: open("identifier"),
            link: open("link"),
            open,
            separation: None,
            must_link: None,
            former: None,
            identifiers: FxHashMap::default(),
            links: FxHashMap::default(),
        }
    }

    /// Forgets where rows stand: they are about to be looked up under another snapshot.
    pub fn forget(&mut self) {
        self.identifiers.clear();
        self.links.clear();
    }

    /// The retired ids that stored identifiers of the graph had.
    pub fn former(&mut self, graph: &Graph) -> Vec<Former> {
        let former = self.former.get_or_insert_with(|| Table::open("former_member"));
        let mut ids = FxHashSet::<Uuid>::default();
        let members = graph.stored_ids().map(|id| [Value::Int8(id), Value::Null]);
        former.find(B, members, |row, _| ids.extend(row.uuid(0)));
        let mut found = FxHashMap::<Uuid, Former>::default();
        former.find(A_B, ids.iter().map(|&id| [Value::Uuid(id), Value::Null]), |row, _| {
            if let (Some(id), Some(member)) = (row.uuid(0), row.int8(1)) {
                Former::add(&mut found, id, graph.by_stored_id(member));
            }
        });
        found.into_values().collect()
    }

    /// Inserts an identifier.
    pub fn insert_identifier(&mut self, row: &IdentifierRow) {
        self.identifier.insert(&identifier_values(&self.words, row));
    }

    /// Brings a stored identifier up to date.
    pub fn update_identifier(&mut self, row: &IdentifierRow) {
        let place = self.place_of_identifier(row.id);
        self.identifier.update(place, &identifier_values(&self.words, row));
    }

    /// Deletes a stored identifier.
    pub fn delete_identifier(&mut self, id: i64) {
        let place = self.place_of_identifier(id);
        self.identifier.delete(place);
    }

    /// Inserts a link.
    pub fn insert_link(&mut self, row: &LinkRow) {
        self.link.insert(&link_values(&self.words, row));
    }

    /// Brings a stored link up to date.
    pub fn update_link(&mut self, row: &LinkRow) {
        let place = self.place_of_link((row.a, row.b));
        self.link.update(place, &link_values(&self.words, row));
    }

    /// Deletes a stored link.
    pub fn delete_link(&mut self, ends: (i64, i64)) {
        let place = self.place_of_link(ends);
        self.link.delete(place);
    }

    /// Notes that a stored identifier had a retired id.
    pub fn insert_former(&mut self, profile: Uuid, identifier: i64) {
        let former = self.former.get_or_insert_with(|| Table::open("former_member"));
        former.insert(&[Value::Uuid(profile), Value::Int8(identifier)]);
    }

    /// Forgets that identifiers had an id, as it is in use again, or as they are gone.
    pub fn delete_former(&mut self, profiles: &[Uuid], identifiers: &[i64]) {
        if profiles.is_empty() && identifiers.is_empty() {
            return;
        }
        let former = self.former.get_or_insert_with(|| Table::open("former_member"));
        let mut rows = FxHashMap::default();
        let mut found = |row: &Row, place: Place| {
            rows.insert((row.uuid(0), row.int8(1)), place);
        };
        with_latest_snapshot(|| {
            former.find(A_B, profiles.iter().map(|&id| [Value::Uuid(id), Value::Null]), &mut found);
            former.find(B, identifiers.iter().map(|&id| [Value::Int8(id), Value::Null]), &mut found);
        });
        rows.into_values().for_each(|place| former.delete(place));
    }

    fn place_of_identifier(&mut self, id: i64) -> Place {
        if !self.identifiers.contains_key(&id) {
            with_latest_snapshot(|| self.by_id(&[id], &mut |_| {}));
        }
        self.identifiers[&id]
    }

    fn place_of_link(&mut self, ends: (i64, i64)) -> Place {
        if !self.links.contains_key(&ends) {
            with_latest_snapshot(|| self.links(&[ends], &mut |_| {}));
        }
        self.links[&ends]
    }
}

impl Stored for Tables {
    fn by_text(&mut self, texts: &[&str], each: &mut dyn FnMut(&IdentifierRow)) {
        let Tables { words, identifier, identifiers, .. } = self;
        identifier.find(
            TEXT,
            texts.iter().map(|&text| [Value::Text(text), Value::Null]),
            |row, place| {
                let row = identifier_row(words, row);
                identifiers.insert(row.id, place);
                each(&row);
            },
        );
    }

    fn by_id(&mut self, ids: &[i64], each: &mut dyn FnMut(&IdentifierRow)) {
        let Tables { words, identifier, identifiers, .. } = self;
        identifier.find(ID, ids.iter().map(|&id| [Value::Int8(id), Value::Null]), |row, place| {
            let row = identifier_row(words, row);
            identifiers.insert(row.id, place);
            each(&row);
        });
    }

    fn links_of(&mut self, ids: &[i64], most: usize, each: &mut dyn FnMut(&LinkRow)) {
        let Tables { words, link, links, .. } = self;
        for columns in [A_B, B] {
            let ids = ids.iter().map(|&id| [Value::Int8(id), Value::Null]);
            link.find_some(columns, ids, most, |row, place| {
                let row = link_row(words, row);
                links.insert((row.a, row.b), place);
                each(&row);
            });
        }
    }

    fn links(&mut self, pairs: &[(i64, i64)], each: &mut dyn FnMut(&LinkRow)) {
        let Tables { words, link, links, .. } = self;
        let pairs = pairs.iter().map(|&(a, b)| [Value::Int8(a), Value::Int8(b)]);
        link.find(A_B, pairs, |row, place| {
            let row = link_row(words, row);
            links.insert((row.a, row.b), place);
            each(&row);
        });
    }

    fn separations(&mut self, texts: &[&str], each: &mut dyn FnMut(&str, &str)) {
        words(self.separation.get_or_insert_with(|| (self.open)("separation")), texts, each);
    }

    fn must_links(&mut self, texts: &[&str], each: &mut dyn FnMut(&str, &str)) {
        words(self.must_link.get_or_insert_with(|| (self.open)("must_link")), texts, each);
    }
}

/// Shows the pairs in a table of operators' words that are in force and that any of these canonical
/// texts is in, maybe twice.
fn words(table: &mut Table, texts: &[&str], each: &mut dyn FnMut(&str, &str)) {
    if texts.is_empty() || table.is_empty() {
        return;
    }
    let now = transaction::now();
    for columns in [A_B, B] {
        let texts = texts.iter().map(|&text| [Value::Text(text), Value::Null]);
        table.find(columns, texts, |row, _| {
            let ended = row.int8(5).is_some_and(|until| until <= now);
            if let (Some(a), Some(b), false) = (row.text(0), row.text(1), ended) {
                each(a, b);
            }
        });
    }
}

/// The columns of `identifier`, all of them.
pub fn identifier_row<'a>(words: &Words, row: &Row<'a>) -> IdentifierRow<'a> {
    let day = |column| row.int4(column).map_or(NO_DAY, |days| days - UNIX_EPOCH);
    IdentifierRow {
        id: row.int8(0).unwrap_or_default(),
        identifier: row.text(1).unwrap_or_default(),
        profile: row.uuid(2).unwrap_or(Uuid::nil()),
        aside: words.aside(row.oid(3)),
        first_seen: day(4),
        last_seen: day(5),
        last_with_person: day(6),
        partners: row.int4(7).unwrap_or_default() as u32,
        undisputed: row.bool(8).unwrap_or_default(),
        evidence: row.bytes(9).unwrap_or_default(),
    }
}

fn identifier_values<'a>(words: &Words, row: &IdentifierRow<'a>) -> [Value<'a>; 10] {
    let day = |day: Day| Value::or_null((day != NO_DAY).then(|| Value::Int4(day + UNIX_EPOCH)));
    [
        Value::Int8(row.id),
        Value::Text(row.identifier),
        Value::or_null((!row.profile.is_nil()).then_some(Value::Uuid(row.profile))),
        Value::Oid(words.standing(row.aside)),
        day(row.first_seen),
        day(row.last_seen),
        day(row.last_with_person),
        Value::Int4(row.partners as i32),
        Value::Bool(row.undisputed),
        Value::Bytea(row.evidence),
    ]
}

/// The columns of `link`, all of them.
pub fn link_row<'a>(words: &Words, row: &Row<'a>) -> LinkRow<'a> {
    LinkRow {
        a: row.int8(0).unwrap_or_default(),
        b: row.int8(1).unwrap_or_default(),
        asserted: row.bool(2).unwrap_or_default(),
        probability: row.float8(3),
        held: words.held(row.oid(4)),
        evidence: row.bytes(5).unwrap_or_default(),
    }
}

fn link_values<'a>(words: &Words, row: &LinkRow<'a>) -> [Value<'a>; 6] {
    [
        Value::Int8(row.a),
        Value::Int8(row.b),
        Value::Bool(row.asserted),
        Value::or_null(row.probability.map(Value::Float8)),
        Value::or_null(words.held_oid(row.held).map(Value::Oid)),
        Value::Bytea(row.evidence),
    ]
}
