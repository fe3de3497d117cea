//! The graph in memory, from rows to changes.
//!
//! A caller loads stored rows (all of them, or a connected component), adds counts to the ledger,
//! and calls [`Graph::settle`]: evidence is brought up to date, the rule decides, and what differs
//! from the stored rows comes out as [`Changes`](super::Changes).

use super::Day;
use super::evidence::{self, Labels};
use super::intern::Interner;
use super::ledger::Ledger;
use super::rules::{Role, Rules, Sharing};
use super::solver::{Kind, Reason};
use super::task::Spawn;
use crate::error::Error;
use crate::packed::Damaged;
use rustc_hash::{FxHashMap, FxHashSet};
use uuid::Uuid;

/// No day at all: of an identifier that only an operator's word holds.
pub const NO_DAY: Day = Day::MIN;

/// A row of the table `identifier`.
#[derive(Clone, Debug, PartialEq)]
pub struct IdentifierRow<'a> {
    pub id: i64,
    pub identifier: &'a str,
    /// Nil where it belongs to nobody.
    pub profile: Uuid,
    /// Why it belongs to nobody, if so.
    pub aside: Option<Reason>,
    /// [`NO_DAY`] without any sighting; so is `last_seen`.
    pub first_seen: Day,
    pub last_seen: Day,
    /// Of its last sighting with a person or contact identifier; [`NO_DAY`] without any.
    pub last_with_person: Day,
    /// Distinct observed partners, records not counted; 0 where its type has no `max_links`. Not
    /// kept up while it is too common.
    pub partners: u32,
    /// Whether its profile is one whatever the order of its links, see [`super::lane`].
    pub undisputed: bool,
    /// Packed: sightings alone, and device types.
    pub evidence: &'a [u8],
}

/// A row of the table `link`.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkRow<'a> {
    pub a: i64,
    pub b: i64,
    pub asserted: bool,
    pub probability: Option<f64>,
    pub held: Option<Reason>,
    /// Packed: sightings together.
    pub evidence: &'a [u8],
}

/// A source whose evidence is read anew.
#[derive(Clone, Copy, Debug)]
pub struct Replaced {
    pub source: u32,
    /// Stored evidence from this day on gives way to what was read.
    pub from: Day,
}

/// Why a graph cannot be settled.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Stored bytes are not evidence.
    #[error(transparent)]
    Damaged(#[from] Damaged),
    /// A stored identifier is of a type that the configuration no longer has.
    #[error("stored identifier \"{0}\" is of no known type")]
    UnknownType(String),
}

/// A stretch of the arena that holds all packed evidence.
#[derive(Clone, Copy, Default)]
pub(super) struct Blob {
    pub(super) start: usize,
    pub(super) length: u32,
}

/// How much of what is stored about an identifier is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// All its links, or it is new.
    Whole,
    /// The links that have fresh counts. What the others say is in its stored row.
    Partial,
    /// The links to what is loaded. It stands aside, and stays as it is.
    Boundary,
}

#[derive(Clone, Copy)]
pub(super) struct Node {
    pub(super) type_index: u16,
    pub(super) role: Role,
    pub(super) blocked: bool,
    pub(super) extent: Extent,
    pub(super) undisputed: bool,
    pub(super) gone: bool,
    pub(super) changed: bool,
    /// 0 for a new one.
    pub(super) id: i64,
    pub(super) profile: Uuid,
    pub(super) aside: Option<Reason>,
    pub(super) first_seen: Day,
    pub(super) last_seen: Day,
    pub(super) last_with_person: Day,
    pub(super) partners: u32,
    pub(super) evidence: Blob,
}

pub(super) struct Link {
    pub(super) a: u32,
    pub(super) b: u32,
    pub(super) asserted: bool,
    pub(super) stored: bool,
    /// There are stored sightings.
    pub(super) observed: bool,
    pub(super) changed: bool,
    pub(super) held: Option<Reason>,
    pub(super) probability: Option<f64>,
    pub(super) evidence: Blob,
}

/// Pairs, the lesser number first, with the probability that makes them one person's; `None` if none
/// does any more.
pub(super) type Matches = FxHashMap<(u32, u32), Option<f64>>;

/// Stored rows and fresh counts. See the module.
#[derive(Default)]
pub struct Graph {
    pub(super) names: Interner,
    pub(super) labels: Labels,
    pub(super) ledger: Ledger,
    pub(super) nodes: Vec<Node>,
    pub(super) links: Vec<Link>,
    pub(super) separations: Vec<(u32, u32)>,
    /// Pairs that an operator says are one person's, the lesser number first.
    pub(super) must_links: FxHashSet<(u32, u32)>,
    /// What probabilities newly say.
    pub(super) matches: Matches,
    /// Identifiers that are separated from such as are not loaded.
    pub(super) separated_elsewhere: FxHashSet<u32>,
    pub(super) replaced: Vec<Replaced>,
    /// Whose identifiers (canonical texts) count as, where a change is taken back.
    pub(super) homes: Vec<(String, Uuid)>,
    pub(super) by_id: FxHashMap<i64, u32>,
    /// The stored device type of each device that is loaded in part.
    pub(super) device_types: FxHashMap<u32, String>,
    pub(super) arena: Vec<u8>,
    pub(super) spawn: Option<Spawn>,
}

impl Graph {
    /// Adds a stored identifier.
    pub fn load_identifier(&mut self, rules: &Rules, row: &IdentifierRow) -> Result<u32, StoreError> {
        let (type_name, value) = row.identifier.split_once(':').unwrap_or((row.identifier, ""));
        let type_index = rules
            .type_index(type_name)
            .ok_or_else(|| StoreError::UnknownType(row.identifier.to_owned()))?;
        let (number, new) = self.names.intern_text(row.identifier);
        if new {
            self.push_node(rules, type_index, value);
        }
        let evidence = self.keep(row.evidence);
        let node = &mut self.nodes[number as usize];
        node.id = row.id;
        node.profile = row.profile;
        node.aside = row.aside;
        node.first_seen = row.first_seen;
        node.last_seen = row.last_seen;
        node.last_with_person = row.last_with_person;
        node.partners = row.partners;
        node.undisputed = row.undisputed;
        node.evidence = evidence;
        self.by_id.insert(row.id, number);
        Ok(number)
    }

    /// Adds a stored link; one with an end that is not loaded is left out.
    pub fn load_link(&mut self, row: &LinkRow) {
        let (Some(&a), Some(&b)) = (self.by_id.get(&row.a), self.by_id.get(&row.b)) else {
            return;
        };
        let evidence = self.keep(row.evidence);
        self.links.push(Link {
            a,
            b,
            asserted: row.asserted,
            stored: true,
            observed: evidence.length > 0,
            changed: false,
            held: row.held,
            probability: row.probability,
            evidence,
        });
    }

    /// Forbids that two identifiers (canonical texts) share a profile, if both are at hand: call it
    /// after [`Graph::must_link`].
    pub fn separate(&mut self, a: &str, b: &str) {
        if let (Some(a), Some(b)) = (self.names.number(a), self.names.number(b)) {
            self.separations.push((a, b));
        }
    }

    /// Says that two identifiers (canonical texts) are one person's, seen or not; those of a type that
    /// is not configured, or of a network, are left out.
    pub fn must_link(&mut self, rules: &Rules, a: &str, b: &str) {
        let ends = [a, b].map(|text| {
            let (type_name, value) = text.split_once(':')?;
            let kind = rules.type_index(type_name)?;
            (rules.type_of(kind).role != Role::Network).then(|| self.intern(rules, kind, value))
        });
        if let [Some(a), Some(b)] = ends {
            self.must_links.insert((a.min(b), a.max(b)));
        }
    }

    /// Says which pairs a probability makes one person's, in place of all that it did so far between
    /// those of which `in_scope` says so: call it when all is loaded. Pairs that are not at hand are
    /// left out; returns how many.
    pub fn replace_matches<'m>(
        &mut self,
        rules: &Rules,
        in_scope: impl Fn(&str) -> bool,
        matches: impl Iterator<Item = (&'m str, &'m str, f64)>,
    ) -> usize {
        let mut new = Matches::default();
        let mut left_out = 0;
        for (a, b, probability) in matches {
            match (self.names.number(a), self.names.number(b)) {
                // Two rows of one key are one record.
                (Some(a), Some(b)) if a == b => {}
                (Some(a), Some(b)) => drop(new.insert((a.min(b), a.max(b)), Some(probability))),
                _ => left_out += 1,
            }
        }
        self.put_matches(rules, new, in_scope);
        left_out
    }

    /// Says that a probability makes two records (canonical texts) one person's, or no longer does.
    pub fn match_pair(&mut self, rules: &Rules, a: &str, b: &str, probability: Option<f64>) {
        let ends = [a, b].map(|text| {
            let (type_name, value) = text.split_once(':')?;
            Some(self.intern(rules, rules.type_index(type_name)?, value))
        });
        if let [Some(a), Some(b)] = ends
            && a != b
        {
            self.matches.insert((a.min(b), a.max(b)), probability);
        }
    }

    /// Brings links in line with what probabilities say of pairs, and no longer of others in scope.
    pub(super) fn put_matches(
        &mut self,
        rules: &Rules,
        mut new: Matches,
        in_scope: impl Fn(&str) -> bool,
    ) {
        for i in 0..self.links.len() {
            let Link { a, b, probability: before, .. } = self.links[i];
            let found = new.remove(&(a.min(b), a.max(b)));
            let kept = || before.filter(|_| !in_scope(self.text(a)) || !in_scope(self.text(b)));
            let probability = found.unwrap_or_else(kept);
            self.links[i].changed |= probability != before;
            self.links[i].probability = probability;
        }
        let strength = |number: u32| (self.strength(rules, number), self.text(number));
        let mut new: Vec<Link> = new
            .into_iter()
            .filter(|(_, probability)| probability.is_some())
            .map(|((x, y), probability)| {
                let pair = if strength(x) < strength(y) { (x, y) } else { (y, x) };
                Link { probability, ..Link::new(pair) }
            })
            .collect();
        new.sort_unstable_by_key(|link| (link.a, link.b));
        self.links.extend(new);
    }

    /// Lets an identifier count, for the ids of profiles, as if it were in the profile that it was in
    /// before a change that is now taken back.
    pub fn came_from(&mut self, text: String, profile: Uuid) {
        self.homes.push((text, profile));
    }

    /// Lets the evidence of a source give way to what the ledger holds.
    pub fn replace(&mut self, replaced: Replaced) {
        self.replaced.push(replaced);
    }

    /// The number of the identifier `value` of a type, which need not be stored yet.
    pub fn intern(&mut self, rules: &Rules, type_index: u16, value: &str) -> u32 {
        let (number, new) = self.names.intern(&rules.type_of(type_index).name, value);
        if new {
            self.push_node(rules, type_index, value);
        }
        number
    }

    /// Like [`Graph::intern`], but `None` for a value that is on the block list. The list is asked
    /// about new values only: all sightings must be observed before stored rows are loaded.
    pub fn intern_allowed(&mut self, rules: &Rules, type_index: u16, value: &str) -> Option<u32> {
        let type_name = &rules.type_of(type_index).name;
        let allowed = || !rules.blocked.matches(type_name, value);
        let (number, new) = self.names.intern_if(type_name, value, allowed)?;
        if new {
            self.push_node(rules, type_index, value);
        }
        Some(number)
    }

    fn push_node(&mut self, rules: &Rules, type_index: u16, value: &str) {
        self.nodes.push(Node {
            type_index,
            role: rules.role_of(type_index, value),
            blocked: rules.blocked.matches(&rules.type_of(type_index).name, value),
            extent: Extent::Whole,
            undisputed: false,
            gone: false,
            changed: false,
            id: 0,
            profile: Uuid::nil(),
            aside: None,
            first_seen: NO_DAY,
            last_seen: NO_DAY,
            last_with_person: NO_DAY,
            partners: 0,
            evidence: Blob::default(),
        });
    }

    fn keep(&mut self, bytes: &[u8]) -> Blob {
        let blob = Blob { start: self.arena.len(), length: bytes.len() as u32 };
        self.arena.extend_from_slice(bytes);
        blob
    }

    pub(super) fn bytes(&self, blob: Blob) -> &[u8] {
        &self.arena[blob.start..blob.start + blob.length as usize]
    }

    /// The canonical text of an identifier.
    pub fn text(&self, number: u32) -> &str {
        self.names.get(number)
    }

    /// The identifier of this canonical text, if it is at hand.
    pub fn number(&self, text: &str) -> Option<u32> {
        self.names.number(text)
    }

    /// The identifier with this stored id, if it is loaded.
    pub fn by_stored_id(&self, id: i64) -> Option<u32> {
        self.by_id.get(&id).copied()
    }

    /// The ids of what is stored and loaded.
    pub fn stored_ids(&self) -> impl Iterator<Item = i64> {
        self.nodes.iter().map(|node| node.id).filter(|&id| id != 0)
    }

    /// Role and priority of an identifier: its strength, smaller is stronger; texts break ties.
    pub(super) fn strength(&self, rules: &Rules, number: u32) -> (Role, i32) {
        let node = &self.nodes[number as usize];
        (node.role, rules.type_of(node.type_index).priority)
    }

    /// An empty graph that does on other threads what can be done there.
    pub fn threaded(spawn: Spawn) -> Self {
        Graph { ledger: Ledger::threaded(spawn), spawn: Some(spawn), ..Graph::default() }
    }

    /// Where fresh counts go.
    pub fn ledger(&mut self) -> &mut Ledger {
        &mut self.ledger
    }

    /// The labels of fresh counts.
    pub fn labels(&mut self) -> &mut Labels {
        &mut self.labels
    }

    /// Whether the evidence of a loaded device makes it public.
    pub(super) fn is_public(&self, rules: &Rules, number: u32) -> Result<bool, StoreError> {
        let known = self.device_type(number)?.and_then(|name| rules.device_type(name));
        Ok(known.is_some_and(|known| known.sharing == Sharing::Public))
    }

    /// What most sightings of a loaded device call it; `None` for what is no device.
    pub(super) fn device_type(&self, number: u32) -> Result<Option<&str>, StoreError> {
        let node = &self.nodes[number as usize];
        if node.role != Role::Device {
            return Ok(None);
        }
        Ok(evidence::device_type(self.bytes(node.evidence))?)
    }

    /// How many identifiers are at hand.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Fails if settling would take more than `limit_mb` megabytes.
    pub fn check_memory(&self, limit_mb: i32) -> Result<(), Error> {
        let needed_mb = self.memory_to_settle() >> 20;
        if needed_mb > limit_mb as usize { Err(Error::Memory { limit_mb, needed_mb }) } else { Ok(()) }
    }

    /// Bytes that [`Graph::settle`] takes at its height, the graph itself included.
    pub fn memory_to_settle(&self) -> usize {
        // Keys to sort texts and links, the solver's copies of both, and the facts on each.
        self.memory() + self.nodes.len() * 160 + self.links.len() * 160
    }

    /// Bytes that the graph occupies.
    pub fn memory(&self) -> usize {
        self.names.memory()
            + self.ledger.memory()
            + self.nodes.capacity() * size_of::<Node>()
            + self.links.capacity() * size_of::<Link>()
            + self.by_id.capacity() * (size_of::<(i64, u32)>() + 1)
            + self.arena.capacity()
    }
}

impl Link {
    /// One that is not stored, from the stronger end to the weaker.
    pub(super) fn new((a, b): (u32, u32)) -> Self {
        Link {
            a,
            b,
            asserted: false,
            stored: false,
            observed: false,
            changed: true,
            held: None,
            probability: None,
            evidence: Blob::default(),
        }
    }

    pub(super) fn kind(&self) -> Kind {
        if self.asserted {
            Kind::Asserted
        } else if self.evidence.length > 0 {
            Kind::Observed
        } else {
            Kind::Matched
        }
    }
}

impl Node {
    pub(super) fn is_new(&self) -> bool {
        self.id == 0 && !self.gone
    }

    /// Whether the stored row of this one would do for `other`, evidence apart.
    pub(super) fn says_the_same(&self, other: &Node) -> bool {
        let says = |node: &Node| {
            let days = (node.first_seen, node.last_seen, node.last_with_person);
            (node.profile, node.aside, days, node.partners, node.undisputed)
        };
        says(self) == says(other)
    }
}
