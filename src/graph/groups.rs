//! The groups of one connected component while the solver walks its links: a union-find that
//! knows, for each group, what may keep it from joining another.

use super::rules::{Joins, Rules};
use super::solver::{Kind, Link, Node, Reason};
use rustc_hash::FxHashMap;

/// Which identifier types the rule counts, and how.
pub struct Shape {
    /// For each type, its place among the types that have a `max_per_profile`.
    limited: Vec<Option<usize>>,
    /// The `max_per_profile` of each limited type, by that place.
    limits: Vec<u32>,
    /// 64-bit words that hold one bit for each type.
    words: usize,
}

impl Shape {
    /// The shape of `rules`.
    pub fn new(rules: &Rules) -> Self {
        let mut limits = Vec::new();
        let limited = rules
            .types
            .iter()
            .map(|kind| {
                kind.max_per_profile.map(|max| {
                    limits.push(max);
                    limits.len() - 1
                })
            })
            .collect();
        Shape { limited, limits, words: rules.types.len().div_ceil(64) }
    }
}

/// The root of `node` in a forest of parents, halving the way there.
pub fn find(parent: &mut [u32], mut node: u32) -> u32 {
    while parent[node as usize] != node {
        let up = parent[parent[node as usize] as usize];
        parent[node as usize] = up;
        node = up;
    }
    node
}

/// Groups of the nodes `0..n` of a component.
///
/// Invariant: the attributes of a group stand at its root's place.
pub struct Groups<'a> {
    shape: &'a Shape,
    parent: Vec<u32>,
    size: Vec<u32>,
    /// Bit set of the types of which the group holds a person or contact identifier.
    people: Vec<u64>,
    /// How many identifiers of each limited type the group holds.
    counts: Vec<u32>,
    /// For each group that has any, the nodes that some member may never meet.
    forbidden: FxHashMap<u32, Vec<u32>>,
}

impl<'a> Groups<'a> {
    /// No groups; [`Groups::reset`] makes some.
    pub fn new(shape: &'a Shape) -> Self {
        Groups {
            shape,
            parent: Vec::new(),
            size: Vec::new(),
            people: Vec::new(),
            counts: Vec::new(),
            forbidden: FxHashMap::default(),
        }
    }

    /// Makes each of `nodes` a group of its own; `separations` are pairs of places in `nodes`.
    pub fn reset<'n>(
        &mut self,
        nodes: impl ExactSizeIterator<Item = &'n Node>,
        separations: &[(u32, u32)],
    ) {
        let n = nodes.len();
        self.parent.clear();
        self.parent.extend(0..n as u32);
        self.size.clear();
        self.size.resize(n, 1);
        self.people.clear();
        self.people.resize(n * self.shape.words, 0);
        self.counts.clear();
        self.counts.resize(n * self.shape.limits.len(), 0);
        for (place, node) in nodes.enumerate() {
            let kind = usize::from(node.type_index);
            if node.role.names_a_person() {
                self.people[place * self.shape.words + kind / 64] |= 1 << (kind % 64);
            }
            if let Some(limited) = self.shape.limited[kind] {
                self.counts[place * self.shape.limits.len() + limited] = 1;
            }
        }
        self.forbidden.clear();
        for &(x, y) in separations {
            self.forbidden.entry(x).or_default().push(y);
            self.forbidden.entry(y).or_default().push(x);
        }
    }

    /// The root of the group that `node` is in.
    pub fn find(&mut self, node: u32) -> u32 {
        find(&mut self.parent, node)
    }

    /// Unites the groups of two different roots.
    pub fn join(&mut self, x: u32, y: u32) {
        let (small, large) = if self.size[x as usize] < self.size[y as usize] { (x, y) } else { (y, x) };
        self.parent[small as usize] = large;
        let (s, l) = (small as usize, large as usize);
        self.size[l] += self.size[s];
        for word in 0..self.shape.words {
            self.people[l * self.shape.words + word] |= self.people[s * self.shape.words + word];
        }
        for limited in 0..self.shape.limits.len() {
            let moved = self.counts[s * self.shape.limits.len() + limited];
            self.counts[l * self.shape.limits.len() + limited] += moved;
        }
        if let Some(moved) = self.forbidden.remove(&small) {
            let kept = self.forbidden.entry(large).or_default();
            if kept.len() < moved.len() {
                let fewer = std::mem::replace(kept, moved);
                kept.extend(fewer);
            } else {
                kept.extend(moved);
            }
        }
    }

    /// What forbids `link`, whose weaker end is `weaker`, to unite the groups of the different
    /// roots `x` and `y`: the first reason in the order of [`Reason`].
    pub fn obstacle(&mut self, x: u32, y: u32, link: &Link, weaker: &Node) -> Option<Reason> {
        if self.separated(x, y) {
            return Some(Reason::Separated);
        }
        if link.kind == Kind::Asserted {
            return None;
        }
        if self.over_limit(x, y) {
            return Some(Reason::Limit);
        }
        self.ambiguous(x, y, weaker).then_some(Reason::Ambiguous)
    }

    fn separated(&mut self, x: u32, y: u32) -> bool {
        if self.forbidden.is_empty() {
            return false;
        }
        let count = |root| self.forbidden.get(&root).map_or(0, Vec::len);
        let (few, other) = if count(x) <= count(y) { (x, y) } else { (y, x) };
        let forbidden = self.forbidden.get(&few).cloned().unwrap_or_default();
        forbidden.into_iter().any(|node| self.find(node) == other)
    }

    fn over_limit(&self, x: u32, y: u32) -> bool {
        let limits = &self.shape.limits;
        let of = |root: u32| &self.counts[root as usize * limits.len()..][..limits.len()];
        of(x)
            .iter()
            .zip(of(y))
            .zip(limits)
            .any(|((&p, &q), &max)| p > 0 && q > 0 && p.saturating_add(q) > max)
    }

    fn ambiguous(&self, x: u32, y: u32, weaker: &Node) -> bool {
        let words = self.shape.words;
        let of = |root: u32| &self.people[root as usize * words..][..words];
        match weaker.joins {
            Joins::Any => false,
            Joins::Never => of(x).iter().any(|&w| w != 0) && of(y).iter().any(|&w| w != 0),
            Joins::Complementary => {
                let own = usize::from(weaker.type_index);
                of(x).iter().zip(of(y)).enumerate().any(|(word, (&p, &q))| {
                    let others = if word == own / 64 { !(1 << (own % 64)) } else { !0 };
                    p & q & others != 0
                })
            }
        }
    }
}
