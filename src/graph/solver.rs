//! The rule: from links, separations and what stands aside to groups, standings and held links.
//!
//! [`solve`] is a pure function of its input, and of nothing but the connected component for each
//! component. Links are walked from the strongest to the weakest and join groups unless a reason
//! forbids it; then contested contacts and devices of which nobody has a large enough share are
//! set aside as shared, and the component is walked again, until no new one is found.

use super::groups::{Groups, Shape, find};
use super::rules::{Joins, Role, Rules};
use super::weight::Weight;
use rustc_hash::FxHashMap;

/// Shares that differ by less are equal.
const SHARE_TOLERANCE: f64 = 1e-9;

/// Why a link is held, in the order in which reasons are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    Blocked,
    Expired,
    TooCommon,
    Shared,
    Separated,
    Limit,
    Ambiguous,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Reason; 7] = [
        Reason::Blocked,
        Reason::Expired,
        Reason::TooCommon,
        Reason::Shared,
        Reason::Separated,
        Reason::Limit,
        Reason::Ambiguous,
    ];

    /// The word used in SQL.
    pub fn word(self) -> &'static str {
        match self {
            Reason::Blocked => "blocked",
            Reason::Expired => "expired",
            Reason::TooCommon => "too_common",
            Reason::Shared => "shared",
            Reason::Separated => "separated",
            Reason::Limit => "limit",
            Reason::Ambiguous => "ambiguous",
        }
    }

    /// Reads the word used in SQL.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.word() == word)
    }
}

/// What kind of evidence a link rests on, the strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// An operator said so.
    Asserted,
    /// Sightings.
    Observed,
    /// A probability.
    Matched,
}

/// An identifier, as far as the rule looks at it.
#[derive(Clone, Debug)]
pub struct Node {
    pub type_index: u16,
    pub role: Role,
    pub joins: Joins,
    /// Below this share of its evidence a contested contact or device is shared; `None`: never.
    pub owner_share: Option<f64>,
    /// Why it takes no part at all: blocked, expired, too common, or (a public device) shared.
    pub aside: Option<Reason>,
}

/// A link from the stronger node `a` to the weaker node `b`.
#[derive(Clone, Debug)]
pub struct Link {
    pub a: u32,
    pub b: u32,
    pub kind: Kind,
    /// Of its sightings; [`Weight::NONE`] without any.
    pub weight: Weight,
    /// In `0..=1`; only matters for [`Kind::Matched`].
    pub probability: f64,
}

/// Everything [`solve`] looks at.
pub struct Problem<'a> {
    pub nodes: &'a [Node],
    /// The place of each node in the bytewise order of canonical texts.
    pub rank: &'a [u32],
    pub links: &'a [Link],
    /// Pairs of nodes that may never share a group.
    pub separations: &'a [(u32, u32)],
    pub rules: &'a Rules,
}

/// What [`solve`] finds.
#[derive(Debug, PartialEq, Eq)]
pub struct Solution {
    /// For each node a number that the members of its group share; [`Solution::NO_GROUP`] for a
    /// node that stands aside or is shared.
    pub group: Vec<u32>,
    /// For each node why it belongs to nobody, if so.
    pub aside: Vec<Option<Reason>>,
    /// For each link why it is held; `None` is in force.
    pub held: Vec<Option<Reason>>,
}

impl Solution {
    /// The group of a node that has none.
    pub const NO_GROUP: u32 = u32::MAX;
}

/// Decides who is who. `pulse` is called every few thousand steps and may unwind to cancel.
pub fn solve(problem: &Problem, pulse: &mut dyn FnMut()) -> Solution {
    let mut solution = Solution {
        group: (0..problem.nodes.len() as u32).collect(),
        aside: problem.nodes.iter().map(|node| node.aside).collect(),
        held: problem.links.iter().map(|link| aside_of_link(problem, link)).collect(),
    };
    let components = Components::new(problem, &solution.held, pulse);
    let shape = Shape::new(problem.rules);
    let mut walker = Walker {
        problem,
        groups: Groups::new(&shape),
        place: vec![0; problem.nodes.len()],
        members: Vec::new(),
        separations: Vec::new(),
        claims: Vec::new(),
    };
    let mut steps = 0;
    for (root, links) in components.iter() {
        steps += links.len();
        if steps > 4096 {
            pulse();
            steps = 0;
        }
        walker.solve(links, components.separations(root), &mut solution, pulse);
    }
    for (group, aside) in solution.group.iter_mut().zip(&solution.aside) {
        if aside.is_some() {
            *group = Solution::NO_GROUP;
        }
    }
    solution
}

fn aside_of_link(problem: &Problem, link: &Link) -> Option<Reason> {
    let aside = |node: u32| problem.nodes[node as usize].aside;
    [aside(link.a), aside(link.b)].into_iter().flatten().min()
}

/// The links that take part, by connected component and in the order of the walk.
struct Components {
    /// Numbers of links; those of one component stand together.
    links: Vec<u32>,
    /// For each component, its root and where its links begin.
    starts: Vec<(u32, u32)>,
    separations: FxHashMap<u32, Vec<(u32, u32)>>,
}

impl Components {
    fn new(problem: &Problem, held: &[Option<Reason>], pulse: &mut dyn FnMut()) -> Self {
        let mut order: Vec<(WalkKey, u32)> = (0..problem.links.len() as u32)
            .filter(|&link| held[link as usize].is_none())
            .map(|link| (walk_key(problem, &problem.links[link as usize]), link))
            .collect();
        sort_with_pulse(&mut order, pulse);

        let mut parent: Vec<u32> = (0..problem.nodes.len() as u32).collect();
        for &(_, link) in &order {
            let link = &problem.links[link as usize];
            let (x, y) = (find(&mut parent, link.a), find(&mut parent, link.b));
            parent[x.max(y) as usize] = x.min(y);
        }
        let roots: Vec<u32> =
            order.iter().map(|&(_, l)| find(&mut parent, problem.links[l as usize].a)).collect();
        let mut next = vec![0u32; problem.nodes.len()];
        for &root in &roots {
            next[root as usize] += 1;
        }
        let mut starts = Vec::new();
        let mut start = 0;
        for (root, count) in next.iter_mut().enumerate() {
            if *count > 0 {
                starts.push((root as u32, start));
                start += std::mem::replace(count, start);
            }
        }
        let mut links = vec![0; order.len()];
        for (&(_, link), &root) in order.iter().zip(&roots) {
            links[next[root as usize] as usize] = link;
            next[root as usize] += 1;
        }
        let mut separations = FxHashMap::<u32, Vec<(u32, u32)>>::default();
        for &(x, y) in problem.separations {
            let (root, other) = (find(&mut parent, x), find(&mut parent, y));
            if root == other {
                separations.entry(root).or_default().push((x, y));
            }
        }
        Components { links, starts, separations }
    }

    fn iter(&self) -> impl Iterator<Item = (u32, &[u32])> {
        self.starts.iter().enumerate().map(|(i, &(root, start))| {
            let end = self.starts.get(i + 1).map_or(self.links.len(), |&(_, next)| next as usize);
            (root, &self.links[start as usize..end])
        })
    }

    fn separations(&self, root: u32) -> &[(u32, u32)] {
        self.separations.get(&root).map_or(&[], Vec::as_slice)
    }
}

/// Sorts, giving the caller a moment every so often: sorting millions takes longer than a cancel
/// may wait.
pub(super) fn sort_with_pulse<T: Ord>(items: &mut [T], pulse: &mut dyn FnMut()) {
    let mut comparisons = 0u32;
    items.sort_unstable_by(|x, y| {
        comparisons = comparisons.wrapping_add(1);
        if comparisons.is_multiple_of(1 << 18) {
            pulse();
        }
        x.cmp(y)
    });
}

/// Sorts links into the order of the walk: pass, kind, strength descending, the pair's texts.
type WalkKey = (u8, Kind, std::cmp::Reverse<Strength>, u32, u32);

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Strength {
    Weight(Weight),
    /// The bits of a number in `0..=1`, which sort like it.
    Probability(u64),
}

fn walk_key(problem: &Problem, link: &Link) -> WalkKey {
    let pass = match link.kind {
        Kind::Asserted => 1,
        Kind::Observed if problem.nodes[link.b as usize].joins == Joins::Any => 1,
        Kind::Observed => 2,
        Kind::Matched => 3,
    };
    let strength = match link.kind {
        Kind::Matched => Strength::Probability(link.probability.max(0.0).to_bits()),
        Kind::Asserted | Kind::Observed => Strength::Weight(link.weight),
    };
    let (a, b) = (problem.rank[link.a as usize], problem.rank[link.b as usize]);
    (pass, link.kind, std::cmp::Reverse(strength), a.min(b), a.max(b))
}

/// Solves one component at a time, in working space that it keeps.
struct Walker<'a> {
    problem: &'a Problem<'a>,
    groups: Groups<'a>,
    /// The place in `members` of each node of the component at hand.
    place: Vec<u32>,
    members: Vec<u32>,
    separations: Vec<(u32, u32)>,
    claims: Vec<Claims>,
}

/// The observed claims on one contact or device.
#[derive(Clone, Default)]
struct Claims {
    strongest: Option<Weight>,
    in_force: f64,
    all: f64,
    some_in_force: bool,
    some_held: bool,
    /// An asserted claim is in force.
    owned: bool,
}

impl Claims {
    fn below(&self, owner_share: f64) -> bool {
        let contested = self.some_in_force && self.some_held && !self.owned;
        contested && self.in_force / self.all < owner_share - SHARE_TOLERANCE
    }
}

impl<'a> Walker<'a> {
    fn solve(
        &mut self,
        links: &[u32],
        separations: &[(u32, u32)],
        solution: &mut Solution,
        pulse: &mut dyn FnMut(),
    ) {
        self.enter(links, separations);
        loop {
            self.walk(links, &solution.aside);
            if !self.set_shared_aside(links, &mut solution.aside) {
                break;
            }
            if links.len() > 1024 {
                pulse();
            }
        }
        for &number in links {
            let link = &self.problem.links[number as usize];
            solution.held[number as usize] = if takes_part(link, &solution.aside) {
                self.obstacle_to(link)
            } else {
                Some(Reason::Shared)
            };
        }
        for place in 0..self.members.len() {
            let root = self.groups.find(place as u32);
            solution.group[self.members[place] as usize] = self.members[root as usize];
        }
    }

    fn enter(&mut self, links: &[u32], separations: &[(u32, u32)]) {
        self.members.clear();
        for &number in links {
            let link = &self.problem.links[number as usize];
            for node in [link.a, link.b] {
                let known = self.members.get(self.place[node as usize] as usize) == Some(&node);
                if !known {
                    self.place[node as usize] = self.members.len() as u32;
                    self.members.push(node);
                }
            }
        }
        let place = |node: u32| self.place[node as usize];
        self.separations.clear();
        self.separations.extend(separations.iter().map(|&(x, y)| (place(x), place(y))));
    }

    fn node(&self, number: u32) -> &'a Node {
        &self.problem.nodes[number as usize]
    }

    /// Joins what may be joined, in the order of the walk.
    fn walk(&mut self, links: &[u32], aside: &[Option<Reason>]) {
        let nodes = &self.problem.nodes;
        self.groups.reset(self.members.iter().map(|&m| &nodes[m as usize]), &self.separations);
        for &number in links {
            let link = &self.problem.links[number as usize];
            if takes_part(link, aside) {
                let (x, y) = self.roots(link);
                let weaker = self.node(link.b);
                if x != y && self.groups.obstacle(x, y, link, weaker).is_none() {
                    self.groups.join(x, y);
                }
            }
        }
    }

    fn roots(&mut self, link: &Link) -> (u32, u32) {
        let (a, b) = (self.place[link.a as usize], self.place[link.b as usize]);
        (self.groups.find(a), self.groups.find(b))
    }

    /// Why `link` is held now; groups only grow, so what forbade it during the walk still does.
    fn obstacle_to(&mut self, link: &Link) -> Option<Reason> {
        let (x, y) = self.roots(link);
        let weaker = self.node(link.b);
        if x == y { None } else { self.groups.obstacle(x, y, link, weaker) }
    }

    /// Sets aside every contested contact and device of which nobody has a large enough share;
    /// true if there was a new one.
    fn set_shared_aside(&mut self, links: &[u32], aside: &mut [Option<Reason>]) -> bool {
        self.claims.clear();
        self.claims.resize(self.members.len(), Claims::default());
        for &number in links {
            let link = &self.problem.links[number as usize];
            let ownable = matches!(self.node(link.b).role, Role::Contact | Role::Device);
            if !ownable || link.kind == Kind::Matched || !takes_part(link, aside) {
                continue;
            }
            let obstacle = self.obstacle_to(link);
            let claims = &mut self.claims[self.place[link.b as usize] as usize];
            match (link.kind, obstacle) {
                (Kind::Asserted, None) => claims.owned = true,
                (Kind::Asserted, Some(_)) | (_, Some(Reason::Separated)) => {}
                (_, obstacle) => {
                    let strongest = *claims.strongest.get_or_insert(link.weight);
                    let weight = link.weight.relative_to(strongest);
                    claims.all += weight;
                    match obstacle {
                        None => {
                            claims.in_force += weight;
                            claims.some_in_force = true;
                        }
                        Some(_) => claims.some_held = true,
                    }
                }
            }
        }
        let mut found = false;
        for (&member, claims) in self.members.iter().zip(&self.claims) {
            if self.node(member).owner_share.is_some_and(|share| claims.below(share)) {
                aside[member as usize] = Some(Reason::Shared);
                found = true;
            }
        }
        found
    }
}

/// Whether neither end of `link` has been set aside as shared.
fn takes_part(link: &Link, aside: &[Option<Reason>]) -> bool {
    aside[link.a as usize].is_none() && aside[link.b as usize].is_none()
}
