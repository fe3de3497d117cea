//! The graph in memory, from rows to changes.
//!
//! A caller loads stored rows (all of them, or a connected component), adds counts to the ledger,
//! and calls [`Graph::settle`]: evidence is brought up to date, the rule decides, and what differs
//! from the stored rows comes out as [`Changes`].

use super::Day;
use super::evidence::{self, Cell, Damaged, Labels, Summary};
use super::intern::Interner;
use super::ledger::{Ledger, Pair};
use super::rules::{Joins, Role, Rules, Sharing};
use super::solver::{self, Kind, Problem, Reason, Solution};
use super::stable_id::{self, Former};
use super::weight::Weight;
use rustc_hash::FxHashMap;
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
struct Blob {
    start: usize,
    length: u32,
}

struct Node {
    type_index: u16,
    role: Role,
    blocked: bool,
    /// Only some of its links are loaded: it stands aside, and stays as it is.
    frozen: bool,
    gone: bool,
    changed: bool,
    /// 0 for a new one.
    id: i64,
    profile: Uuid,
    aside: Option<Reason>,
    first_seen: Day,
    last_seen: Day,
    evidence: Blob,
}

struct Link {
    a: u32,
    b: u32,
    asserted: bool,
    stored: bool,
    changed: bool,
    held: Option<Reason>,
    probability: Option<f64>,
    evidence: Blob,
}

/// Stored rows and fresh counts. See the module.
#[derive(Default)]
pub struct Graph {
    names: Interner,
    labels: Labels,
    ledger: Ledger,
    nodes: Vec<Node>,
    links: Vec<Link>,
    separations: Vec<(u32, u32)>,
    replaced: Vec<Replaced>,
    by_id: FxHashMap<i64, u32>,
    arena: Vec<u8>,
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
            changed: false,
            held: row.held,
            probability: row.probability,
            evidence,
        });
    }

    /// Leaves the stored identifier `number` out of the decision: not all its links are loaded.
    pub fn freeze(&mut self, number: u32) {
        self.nodes[number as usize].frozen = true;
    }

    /// Forbids that two identifiers (canonical texts) share a profile, if both are at hand.
    pub fn separate(&mut self, a: &str, b: &str) {
        if let (Some(a), Some(b)) = (self.names.number(a), self.names.number(b)) {
            self.separations.push((a, b));
        }
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

    fn push_node(&mut self, rules: &Rules, type_index: u16, value: &str) {
        self.nodes.push(Node {
            type_index,
            role: rules.role_of(type_index, value),
            blocked: rules.blocked.matches(&rules.type_of(type_index).name, value),
            frozen: false,
            gone: false,
            changed: false,
            id: 0,
            profile: Uuid::nil(),
            aside: None,
            first_seen: NO_DAY,
            last_seen: NO_DAY,
            evidence: Blob::default(),
        });
    }

    fn keep(&mut self, bytes: &[u8]) -> Blob {
        let blob = Blob { start: self.arena.len(), length: bytes.len() as u32 };
        self.arena.extend_from_slice(bytes);
        blob
    }

    fn bytes(&self, blob: Blob) -> &[u8] {
        &self.arena[blob.start..blob.start + blob.length as usize]
    }

    /// The canonical text of an identifier.
    pub fn text(&self, number: u32) -> &str {
        self.names.get(number)
    }

    /// The identifier with this stored id, if it is loaded.
    pub fn by_stored_id(&self, id: i64) -> Option<u32> {
        self.by_id.get(&id).copied()
    }

    /// Whether an identifier is on the block list.
    pub fn is_blocked(&self, number: u32) -> bool {
        self.nodes[number as usize].blocked
    }

    /// Role and priority of an identifier: its strength, smaller is stronger; texts break ties.
    pub fn strength(&self, rules: &Rules, number: u32) -> (Role, i32) {
        let node = &self.nodes[number as usize];
        (node.role, rules.type_of(node.type_index).priority)
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
    pub fn is_public(&self, rules: &Rules, number: u32) -> Result<bool, StoreError> {
        let node = &self.nodes[number as usize];
        let device_type = evidence::device_type(self.bytes(node.evidence))?;
        let known = device_type.and_then(|name| rules.device_type(name));
        Ok(node.role == Role::Device && known.is_some_and(|known| known.sharing == Sharing::Public))
    }

    /// How many identifiers are at hand.
    pub fn len(&self) -> usize {
        self.nodes.len()
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

    /// Brings evidence up to date, decides, and finds what differs from the stored rows.
    ///
    /// `former` tells, once the graph is complete, which retired ids its identifiers had; `new_id`
    /// makes ascending profile ids; `pulse` may unwind to cancel.
    pub fn settle(
        mut self,
        rules: &Rules,
        former: Vec<Former>,
        new_id: impl FnMut() -> Uuid,
        pulse: &mut dyn FnMut(),
    ) -> Result<Changes, StoreError> {
        self.update_evidence(pulse)?;
        let facts = self.facts(rules, pulse)?;
        let order = self.names.in_order(pulse);
        let mut rank = vec![0; order.len()];
        for (place, &node) in order.iter().enumerate() {
            rank[node as usize] = place as u32;
        }
        let nodes = self.solver_nodes(rules, &facts)?;
        let links: Vec<solver::Link> = self
            .links
            .iter()
            .zip(&facts.weights)
            .map(|(link, &weight)| solver::Link {
                a: link.a,
                b: link.b,
                kind: link.kind(),
                weight,
                probability: link.probability.unwrap_or(0.0),
            })
            .collect();
        let separations = &self.separations;
        let problem = Problem { nodes: &nodes, rank: &rank, links: &links, separations, rules };
        let mut solution = solver::solve(&problem, pulse);
        drop((nodes, links));
        for (node, group) in self.nodes.iter().zip(&mut solution.group) {
            if node.gone {
                *group = Solution::NO_GROUP;
            }
        }
        let old: Vec<Uuid> = self.nodes.iter().map(|node| node.profile).collect();
        let age = |node: u32| (facts.first_seen[node as usize], rank[node as usize]);
        let ids = stable_id::assign(&solution.group, &old, &former, age, &order, new_id);
        pulse();
        Ok(self.compare(facts, solution, ids, order))
    }

    /// Merges the ledger into the stored evidence.
    fn update_evidence(&mut self, pulse: &mut dyn FnMut()) -> Result<(), StoreError> {
        let mut pairs = std::mem::take(&mut self.ledger).into_pairs();
        self.links.sort_unstable_by_key(|link| (link.a, link.b));
        let mut stored = 0;
        let stored_links = self.links.len();
        let mut cells = Vec::new();
        let mut rewritten = vec![false; self.nodes.len()];
        let replacing = !self.replaced.is_empty();
        for step in 0u32.. {
            if step.is_multiple_of(4096) {
                pulse();
            }
            let next_stored = self.links[..stored_links].get(stored).map(|link| (link.a, link.b));
            let fresh = pairs.peek();
            let Some(pair) = smaller(fresh, next_stored) else {
                break;
            };
            cells.clear();
            if fresh == Some(pair) {
                pairs.take(pair, &mut cells);
            }
            if pair.0 == pair.1 {
                let node = pair.0 as usize;
                rewritten[node] = true;
                let evidence = self.rewrite(self.nodes[node].evidence, &mut cells)?;
                self.nodes[node].changed |= evidence.is_some();
                self.nodes[node].evidence = evidence.unwrap_or(self.nodes[node].evidence);
            } else if next_stored == Some(pair) {
                if !cells.is_empty() || replacing {
                    let evidence = self.rewrite(self.links[stored].evidence, &mut cells)?;
                    let link = &mut self.links[stored];
                    link.changed |= evidence.is_some();
                    link.evidence = evidence.unwrap_or(link.evidence);
                }
                stored += 1;
            } else if let Some(evidence) = self.rewrite(Blob::default(), &mut cells)? {
                self.links.push(Link {
                    a: pair.0,
                    b: pair.1,
                    asserted: false,
                    stored: false,
                    changed: true,
                    held: None,
                    probability: None,
                    evidence,
                });
            }
        }
        if replacing {
            for node in (0..self.nodes.len()).filter(|&node| !rewritten[node]) {
                if self.nodes[node].evidence.length > 0 {
                    let evidence = self.rewrite(self.nodes[node].evidence, &mut Vec::new())?;
                    self.nodes[node].changed |= evidence.is_some();
                    self.nodes[node].evidence = evidence.unwrap_or(self.nodes[node].evidence);
                }
            }
        }
        Ok(())
    }

    /// The evidence `old` with `cells` added and without what is replaced; `None` if unchanged.
    fn rewrite(&mut self, old: Blob, cells: &mut Vec<Cell>) -> Result<Option<Blob>, StoreError> {
        let Graph { arena, labels, replaced, .. } = self;
        if old.length > 0 {
            let keep = |source, day| !replaced.iter().any(|r| r.source == source && day >= r.from);
            let old = &arena[old.start..old.start + old.length as usize];
            evidence::unpack_into(old, labels, keep, cells)?;
        }
        let start = arena.len();
        evidence::pack(cells, labels, arena);
        let (before, new) = arena.split_at(start);
        if new == &before[old.start..old.start + old.length as usize] {
            arena.truncate(start);
            return Ok(None);
        }
        Ok(Some(Blob { start, length: (arena.len() - start) as u32 }))
    }

    /// What the evidence says about each identifier and link; drops links that nothing holds.
    fn facts(&mut self, rules: &Rules, pulse: &mut dyn FnMut()) -> Result<Facts, StoreError> {
        let n = self.nodes.len();
        let mut facts = Facts {
            weights: Vec::with_capacity(self.links.len()),
            gone_links: Vec::new(),
            partners: vec![0; n],
            first_seen: vec![Day::MAX; n],
            last_seen: vec![NO_DAY; n],
            last_with_person: vec![NO_DAY; n],
        };
        let mut linked = vec![false; n];
        let mut scratch = Vec::new();
        let links = std::mem::take(&mut self.links);
        self.links.reserve_exact(links.len());
        for (step, link) in links.into_iter().enumerate() {
            if step.is_multiple_of(4096) {
                pulse();
            }
            let packed = self.bytes(link.evidence);
            let summary = evidence::summarise(packed, &rules.decay, None, &mut scratch)?;
            if summary.is_none() && !link.asserted && link.probability.is_none() {
                if link.stored {
                    facts.gone_links.push((link.a, link.b));
                }
                continue;
            }
            facts.weights.push(summary.map_or(Weight::NONE, |summary| summary.weight));
            for (end, other) in [(link.a, link.b), (link.b, link.a)] {
                linked[end as usize] = true;
                if let Some(summary) = summary {
                    facts.saw(end, &summary);
                    facts.saw_together(end, self.nodes[other as usize].role, &summary);
                }
            }
            self.links.push(link);
        }
        for (i, linked) in linked.into_iter().enumerate() {
            let packed = self.bytes(self.nodes[i].evidence);
            let alone = evidence::summarise(packed, &rules.decay, None, &mut scratch)?;
            if let Some(alone) = alone {
                facts.saw(i as u32, &alone);
            }
            self.nodes[i].gone = alone.is_none() && !linked && !self.nodes[i].frozen;
        }
        Ok(facts)
    }

    fn solver_nodes(&self, rules: &Rules, facts: &Facts) -> Result<Vec<solver::Node>, StoreError> {
        let mut nodes = Vec::with_capacity(self.nodes.len());
        for (i, node) in self.nodes.iter().enumerate() {
            let kind = rules.type_of(node.type_index);
            let mut device = None;
            if node.role == Role::Device {
                let name = evidence::device_type(self.bytes(node.evidence))?;
                device = name.and_then(|name| rules.device_type(name));
            }
            let mut joins = kind.joins;
            let mut owner_share = kind.owner_share;
            let mut expired_before = kind.expired_before;
            let mut public = false;
            if let Some(device) = device {
                match device.sharing {
                    Sharing::Personal => joins = Joins::Any,
                    Sharing::Household => joins = Joins::Complementary,
                    Sharing::Public => public = true,
                }
                owner_share = device.owner_share.or(owner_share);
                expired_before = device.expired_before.or(expired_before);
            }
            let last_in_use = match facts.last_with_person[i] {
                NO_DAY => facts.last_seen[i],
                day => day,
            };
            let expired = expired_before.is_some_and(|day| last_in_use != NO_DAY && last_in_use < day);
            let aside = if node.frozen {
                node.aside
            } else if node.blocked {
                Some(Reason::Blocked)
            } else if expired {
                Some(Reason::Expired)
            } else if kind.max_links.is_some_and(|max| facts.partners[i] > max) {
                Some(Reason::TooCommon)
            } else {
                public.then_some(Reason::Shared)
            };
            let (type_index, role) = (node.type_index, node.role);
            nodes.push(solver::Node { type_index, role, joins, owner_share, aside });
        }
        Ok(nodes)
    }

    fn compare(
        mut self,
        facts: Facts,
        solution: Solution,
        ids: stable_id::Assignment,
        order: Vec<u32>,
    ) -> Changes {
        let Solution { aside, held, .. } = solution;
        for (i, node) in self.nodes.iter_mut().enumerate() {
            if node.frozen {
                continue;
            }
            let first_seen = if facts.last_seen[i] == NO_DAY { NO_DAY } else { facts.first_seen[i] };
            let new = (ids.profile[i], aside[i], first_seen, facts.last_seen[i]);
            node.changed |= (node.profile, node.aside, node.first_seen, node.last_seen) != new;
            (node.profile, node.aside, node.first_seen, node.last_seen) = new;
        }
        for (link, held) in self.links.iter_mut().zip(held) {
            link.changed |= link.held != held;
            link.held = held;
        }
        Changes {
            graph: self,
            order,
            gone_links: facts.gone_links,
            retired: ids.retired,
            revived: ids.revived,
        }
    }
}

impl Link {
    fn kind(&self) -> Kind {
        if self.asserted {
            Kind::Asserted
        } else if self.evidence.length > 0 {
            Kind::Observed
        } else {
            Kind::Matched
        }
    }
}

fn smaller(x: Option<Pair>, y: Option<Pair>) -> Option<Pair> {
    match (x, y) {
        (Some(x), Some(y)) => Some(x.min(y)),
        (x, y) => x.or(y),
    }
}

/// What the evidence says, by node; weights by link.
struct Facts {
    weights: Vec<Weight>,
    gone_links: Vec<(u32, u32)>,
    /// Distinct observed partners, records not counted.
    partners: Vec<u32>,
    first_seen: Vec<Day>,
    last_seen: Vec<Day>,
    last_with_person: Vec<Day>,
}

impl Facts {
    fn saw(&mut self, node: u32, summary: &Summary) {
        let node = node as usize;
        self.first_seen[node] = self.first_seen[node].min(summary.first);
        self.last_seen[node] = self.last_seen[node].max(summary.last);
    }

    fn saw_together(&mut self, node: u32, other: Role, summary: &Summary) {
        let node = node as usize;
        if other != Role::Record {
            self.partners[node] += 1;
        }
        if other.names_a_person() {
            self.last_with_person[node] = self.last_with_person[node].max(summary.last);
        }
    }
}

/// What differs from the stored rows after [`Graph::settle`].
pub struct Changes {
    graph: Graph,
    /// All identifiers in the bytewise order of their texts.
    order: Vec<u32>,
    gone_links: Vec<(u32, u32)>,
    /// Ids that are no longer in use, each with the identifiers that had it.
    retired: Vec<(Uuid, Vec<u32>)>,
    revived: Vec<Uuid>,
}

impl Changes {
    fn nodes_in_order(&self) -> impl Iterator<Item = &Node> {
        self.order.iter().map(|&i| &self.graph.nodes[i as usize])
    }

    fn identifier_row(&self, number: u32) -> IdentifierRow<'_> {
        let node = &self.graph.nodes[number as usize];
        IdentifierRow {
            id: node.id,
            identifier: self.graph.text(number),
            profile: node.profile,
            aside: node.aside,
            first_seen: node.first_seen,
            last_seen: node.last_seen,
            evidence: self.graph.bytes(node.evidence),
        }
    }

    fn link_row(&self, link: &Link) -> LinkRow<'_> {
        LinkRow {
            a: self.graph.nodes[link.a as usize].id,
            b: self.graph.nodes[link.b as usize].id,
            asserted: link.asserted,
            probability: link.probability,
            held: link.held,
            evidence: self.graph.bytes(link.evidence),
        }
    }

    /// How many rows there are to write, about.
    pub fn count(&self) -> usize {
        let identifiers = self.graph.nodes.iter().filter(|node| node.changed || node.is_new()).count();
        identifiers + self.graph.links.iter().filter(|link| link.changed).count() + self.gone_links.len()
    }

    /// How many identifiers are new, and how many are stored.
    pub fn count_identifiers(&self) -> (usize, usize) {
        let new = self.graph.nodes.iter().filter(|node| node.is_new()).count();
        (new, self.graph.nodes.iter().filter(|node| node.id != 0).count())
    }

    /// How many links are new, and how many are stored.
    pub fn count_links(&self) -> (usize, usize) {
        let stored = self.graph.links.iter().filter(|link| link.stored).count();
        (self.graph.links.len() - stored, stored)
    }

    /// Numbers the new identifiers from `first` on, in the order of their texts; lists their rows.
    pub fn number_new(&mut self, first: i64) -> Vec<u32> {
        let mut numbered = Vec::new();
        for &i in &self.order {
            let node = &mut self.graph.nodes[i as usize];
            if node.is_new() {
                node.id = first + numbered.len() as i64;
                numbered.push(i);
            }
        }
        numbered
    }

    /// The rows of the identifiers that [`Changes::number_new`] listed.
    pub fn rows<'a>(&'a self, numbers: &'a [u32]) -> impl Iterator<Item = IdentifierRow<'a>> {
        numbers.iter().map(|&number| self.identifier_row(number))
    }

    /// Stored identifiers to bring up to date; call before [`Changes::number_new`].
    pub fn changed_identifiers(&self) -> impl Iterator<Item = IdentifierRow<'_>> {
        let changed = |&&i: &&u32| {
            let node = &self.graph.nodes[i as usize];
            node.id != 0 && node.changed && !node.gone
        };
        self.order.iter().filter(changed).map(|&i| self.identifier_row(i))
    }

    /// Ids of stored identifiers that nothing holds any more.
    pub fn gone_identifiers(&self) -> impl Iterator<Item = i64> {
        self.nodes_in_order().filter(|node| node.id != 0 && node.gone).map(|node| node.id)
    }

    /// New links, in the order of their ids; call after [`Changes::number_new`].
    pub fn new_links(&self) -> impl Iterator<Item = LinkRow<'_>> {
        let nodes = &self.graph.nodes;
        let mut new: Vec<&Link> = self.graph.links.iter().filter(|link| !link.stored).collect();
        new.sort_unstable_by_key(|link| (nodes[link.a as usize].id, nodes[link.b as usize].id));
        new.into_iter().map(|link| self.link_row(link))
    }

    /// Stored links to bring up to date.
    pub fn changed_links(&self) -> impl Iterator<Item = LinkRow<'_>> {
        self.graph.links.iter().filter(|l| l.stored && l.changed).map(|link| self.link_row(link))
    }

    /// Stored links that nothing holds any more, as pairs of ids.
    pub fn gone_links(&self) -> impl Iterator<Item = (i64, i64)> {
        let id = |i: u32| self.graph.nodes[i as usize].id;
        self.gone_links.iter().map(move |&(a, b)| (id(a), id(b)))
    }

    /// Ids that are no longer in use, with each remaining identifier that had it.
    pub fn retired(&self) -> impl Iterator<Item = (Uuid, i64)> {
        let nodes = &self.graph.nodes;
        self.retired.iter().flat_map(move |(id, members)| {
            let kept = members.iter().map(|&i| &nodes[i as usize]).filter(|node| !node.gone);
            kept.map(move |node| (*id, node.id))
        })
    }

    /// Retired ids that are in use again.
    pub fn revived(&self) -> &[Uuid] {
        &self.revived
    }

    /// The canonical text of an identifier (a number of the graph).
    pub fn text(&self, number: u32) -> &str {
        self.graph.text(number)
    }

    /// The profile of an identifier (a number of the graph), if it has one.
    pub fn profile(&self, number: u32) -> Option<Uuid> {
        Some(self.graph.nodes[number as usize].profile).filter(|id| !id.is_nil())
    }
}

impl Node {
    fn is_new(&self) -> bool {
        self.id == 0 && !self.gone
    }
}
