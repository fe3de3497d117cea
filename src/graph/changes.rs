//! What a decision changes in the tables.

use super::event::Move;
use super::rules::Rules;
use super::store::{Graph, IdentifierRow, Link, LinkRow, Node};
use rustc_hash::FxHashSet;
use std::cmp::Ordering;
use uuid::Uuid;

/// What differs from the stored rows after [`Graph::settle`].
pub struct Changes {
    pub(super) graph: Graph,
    /// All identifiers in the bytewise order of their texts.
    pub(super) order: Vec<u32>,
    pub(super) gone_links: Vec<(u32, u32)>,
    /// Ids that are no longer in use, each with the identifiers that had it.
    pub(super) retired: Vec<(Uuid, Vec<u32>)>,
    pub(super) revived: Vec<Uuid>,
    pub(super) moves: Vec<Move>,
    /// Ids that nobody had before.
    pub(super) created: FxHashSet<Uuid>,
}

/// Rows of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// To add.
    pub new: usize,
    /// To bring up to date.
    pub changed: usize,
    /// Stored so far.
    pub stored: usize,
}

impl Counts {
    fn see(&mut self, stored: bool, changed: bool) {
        self.stored += usize::from(stored);
        self.changed += usize::from(stored && changed);
    }
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
            last_with_person: node.last_with_person,
            partners: node.partners,
            undisputed: node.undisputed,
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
        let (identifiers, links) = (self.count_identifiers(), self.count_links());
        self.count_gone() + identifiers.new + identifiers.changed + links.new + links.changed
    }

    /// How many stored rows nothing holds any more.
    pub fn count_gone(&self) -> usize {
        self.gone_links.len() + self.gone_identifiers().count()
    }

    /// How many identifiers there are to write; call before [`Changes::number_new`].
    pub fn count_identifiers(&self) -> Counts {
        let mut counts = Counts::default();
        self.graph.nodes.iter().for_each(|node| match node.is_new() {
            true => counts.new += 1,
            false => counts.see(node.id != 0, node.changed && !node.gone),
        });
        counts
    }

    /// How many links there are to write.
    pub fn count_links(&self) -> Counts {
        let mut counts = Counts::default();
        self.graph.links.iter().for_each(|link| match link.stored {
            false => counts.new += 1,
            true => counts.see(true, link.changed),
        });
        counts
    }

    /// Numbers the new identifiers with what `next` gives, in the order of their texts; lists their
    /// rows.
    pub fn number_new(&mut self, mut next: impl FnMut() -> i64) -> Vec<u32> {
        let mut numbered = Vec::new();
        for &i in &self.order {
            let node = &mut self.graph.nodes[i as usize];
            if node.is_new() {
                node.id = next();
                numbered.push(i);
            }
        }
        numbered
    }

    /// The rows of identifiers (numbers of the graph).
    pub fn rows<'a>(&'a self, numbers: &'a [u32]) -> impl Iterator<Item = IdentifierRow<'a>> {
        numbers.iter().map(|&number| self.identifier_row(number))
    }

    /// Stored identifiers to bring up to date (numbers of the graph), in the order of their texts; call
    /// before [`Changes::number_new`].
    pub fn changed_identifiers(&self) -> Vec<u32> {
        let changed = |number: &u32| {
            let node = &self.graph.nodes[*number as usize];
            node.id != 0 && node.changed && !node.gone
        };
        self.order.iter().copied().filter(changed).collect()
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

    /// Orders identifiers (numbers of the graph) from the strongest to the weakest.
    pub fn by_strength(&self, rules: &Rules, x: u32, y: u32) -> Ordering {
        let strength = |number| (self.graph.strength(rules, number), self.text(number));
        strength(x).cmp(&strength(y))
    }

    /// The number in the graph of a canonical identifier, if it is at hand.
    pub fn number(&self, text: &str) -> Option<u32> {
        self.graph.number(text)
    }

    /// The profile that an identifier (a number of the graph) was in, if any.
    pub fn former_profile(&self, number: u32) -> Option<Uuid> {
        match self.moves.iter().find(|moved| moved.number == number) {
            Some(moved) => Some(moved.old).filter(|id| !id.is_nil()),
            None => self.profile(number).filter(|&id| !self.is_new(id)),
        }
    }

    /// The profile of an identifier (a number of the graph), if it has one.
    pub fn profile(&self, number: u32) -> Option<Uuid> {
        Some(self.graph.nodes[number as usize].profile).filter(|id| !id.is_nil())
    }
}
