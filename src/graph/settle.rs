//! From stored rows and fresh counts to a decision: [`Graph::settle`].

use super::Day;
use super::changes::Changes;
use super::event::{Left, Move};
use super::evidence::{self, Cell, Summary};
use super::lane;
use super::ledger::Pair;
use super::rules::{Joins, Role, Rules, Sharing};
use super::solver::{self, Kind, Problem, Reason, Solution};
use super::stable_id::{self, Former};
use super::store::{Blob, Extent, Graph, Link, NO_DAY, Node, StoreError};
use super::task::Task;
use super::weight::Weight;
use rustc_hash::FxHashSet;
use uuid::Uuid;

/// What [`Graph::settle`] comes to.
pub enum Settled {
    /// What differs from the stored rows.
    Changes(Box<Changes>),
    /// These identifiers (canonical texts) must be loaded with all that hangs together with them:
    /// the fast lane does not do. Never after the whole graph was loaded.
    Wider(Vec<String>),
}

impl Graph {
    /// Brings evidence up to date, decides, and finds what differs from the stored rows.
    ///
    /// `former` tells which retired ids the identifiers had, if that is asked; `new_id` makes
    /// ascending profile ids; `pulse` may unwind to cancel.
    pub fn settle(
        mut self,
        rules: &Rules,
        former: impl FnOnce(&Graph) -> Vec<Former>,
        new_id: impl FnMut() -> Uuid,
        pulse: &mut dyn FnMut(),
    ) -> Result<Settled, StoreError> {
        self.assert_links(rules);
        if !self.matches.is_empty() {
            let matches = std::mem::take(&mut self.matches);
            self.put_matches(rules, matches, |_| false);
        }
        // The texts are sorted while the evidence, which needs none of them, is brought up to date.
        let names = std::mem::take(&mut self.names);
        let sorting = Task::begin(self.spawn, move || (names.in_order(), names));
        self.update_evidence(pulse)?;
        let facts = self.facts(rules, pulse)?;
        let (order, names) = sorting.finish(pulse);
        self.names = names;
        let mut rank = vec![0; order.len()];
        for (place, &node) in order.iter().enumerate() {
            rank[node as usize] = place as u32;
        }
        let nodes = self.solver_nodes(rules, &facts)?;
        let mut links: Vec<solver::Link> = self
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
        links.extend(self.bonds().into_iter().map(|(a, b)| solver::Link {
            a,
            b,
            kind: Kind::Asserted,
            weight: Weight::NONE,
            probability: 0.0,
        }));
        let separations = &self.separations;
        let problem = Problem { nodes: &nodes, rank: &rank, links: &links, separations, rules };
        let mut solution = solver::solve(&problem, pulse);
        let own = self.links.len();
        let wider = self.must_widen(rules, &nodes, &links[..own], &solution)?;
        if !wider.is_empty() {
            let texts = wider.into_iter().map(|number| self.text(number).to_owned());
            return Ok(Settled::Wider(texts.collect()));
        }
        let undisputed = lane::undisputed(&nodes, &links[..own], &solution);
        drop((nodes, links));
        for (node, group) in self.nodes.iter().zip(&mut solution.group) {
            if node.gone {
                *group = Solution::NO_GROUP;
            }
        }
        let old: Vec<Uuid> = self.nodes.iter().map(|node| node.profile).collect();
        let age = |node: u32| (facts.first_seen[node as usize], rank[node as usize]);
        let is_stored = |node: u32| self.nodes[node as usize].id != 0;
        let former = match stable_id::may_revive(&solution.group, &old, is_stored) {
            true => former(&self),
            false => Vec::new(),
        };
        let mut home = old.clone();
        for (text, id) in std::mem::take(&mut self.homes) {
            if let Some(number) = self.names.number(&text) {
                home[number as usize] = id;
            }
        }
        let ids = stable_id::assign(&solution.group, &old, &home, &former, age, &order, new_id);
        // Another id would have to be given to those as well that are not loaded.
        let in_lane = |node: &Node| node.extent == Extent::Partial && node.aside.is_none();
        let renamed: Vec<String> = (0..self.nodes.len())
            .filter(|&i| in_lane(&self.nodes[i]) && ids.profile[i] != old[i])
            .map(|i| self.text(i as u32).to_owned())
            .collect();
        if !renamed.is_empty() {
            return Ok(Settled::Wider(renamed));
        }
        pulse();
        Ok(Settled::Changes(Box::new(self.compare(rules, facts, solution, ids, order, undisputed))))
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
                self.links.push(Link { evidence, ..Link::new(pair) });
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

    /// Brings links in line with what operators say.
    fn assert_links(&mut self, rules: &Rules) {
        let must_links = std::mem::take(&mut self.must_links);
        let mut stored = FxHashSet::default();
        for link in &mut self.links {
            // Operators were asked about what is loaded whole.
            let asked = [link.a, link.b].map(|end| self.nodes[end as usize].extent == Extent::Whole);
            if asked != [false, false] {
                let pair = (link.a.min(link.b), link.a.max(link.b));
                let asserted = must_links.contains(&pair);
                link.changed |= link.asserted != asserted;
                link.asserted = asserted;
                if asserted {
                    stored.insert(pair);
                }
            }
        }
        let strength = |number: u32| (self.strength(rules, number), self.text(number));
        let new: Vec<Link> = must_links
            .difference(&stored)
            .filter(|(a, b)| [a, b].iter().all(|&&end| self.nodes[end as usize].extent == Extent::Whole))
            .map(|&(x, y)| Link::new(if strength(x) < strength(y) { (x, y) } else { (y, x) }))
            .map(|link| Link { asserted: true, ..link })
            .collect();
        self.links.extend(new);
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
        // What is not loaded is in the row.
        for (i, node) in self.nodes.iter().enumerate().filter(|(_, node)| node.extent == Extent::Partial)
        {
            facts.partners[i] = node.partners;
            facts.first_seen[i] = if node.first_seen == NO_DAY { Day::MAX } else { node.first_seen };
            facts.last_seen[i] = node.last_seen;
            facts.last_with_person[i] = node.last_with_person;
        }
        let mirrored = self.mirrored(rules);
        let supported = self.supported();
        let mut linked: Vec<bool> = self.nodes.iter().map(|node| node.extent != Extent::Whole).collect();
        let mut scratch = Vec::new();
        let links = std::mem::take(&mut self.links);
        self.links.reserve_exact(links.len());
        for (step, link) in links.into_iter().enumerate() {
            if step.is_multiple_of(4096) {
                pulse();
            }
            let packed = self.bytes(link.evidence);
            let summary = evidence::summarise(packed, &rules.decay, None, &mut scratch)?;
            let ends_stand = || [link.a, link.b].iter().all(|&end| supported[end as usize]);
            let matched = link.probability.is_some() && ends_stand();
            if summary.is_none() && !link.asserted && !matched {
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
                    let role = self.nodes[other as usize].role;
                    let known = match self.nodes[end as usize].extent {
                        Extent::Whole => mirrored.contains(&(link.a, link.b)),
                        _ => link.observed || mirrored.contains(&(link.b, link.a)),
                    };
                    facts.saw_together(end, role, &summary, !known);
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
            self.nodes[i].gone = alone.is_none() && !linked;
        }
        Ok(facts)
    }

    /// Which identifiers are there whatever a probability says: a record is no more when its row is
    /// not.
    fn supported(&self) -> Vec<bool> {
        let alone = |node: &Node| {
            node.role != Role::Record || node.extent != Extent::Whole || node.evidence.length > 0
        };
        let mut supported: Vec<bool> = self.nodes.iter().map(alone).collect();
        for link in self.links.iter().filter(|link| link.asserted || link.evidence.length > 0) {
            supported[link.a as usize] = true;
            supported[link.b as usize] = true;
        }
        supported
    }

    /// Of pairs that are stored in both directions, which a change of priorities leaves behind until
    /// the sources are read again, the direction that is not today's.
    fn mirrored(&self, rules: &Rules) -> FxHashSet<Pair> {
        let is_todays = |link: &&Link| self.strength(rules, link.a) <= self.strength(rules, link.b);
        let others: FxHashSet<Pair> =
            self.links.iter().filter(|link| !is_todays(link)).map(|link| (link.a, link.b)).collect();
        if others.is_empty() {
            return others;
        }
        let mirrors = self.links.iter().filter(is_todays).map(|link| (link.b, link.a));
        mirrors.filter(|pair| others.contains(pair)).collect()
    }

    fn solver_nodes(&self, rules: &Rules, facts: &Facts) -> Result<Vec<solver::Node>, StoreError> {
        let mut nodes = Vec::with_capacity(self.nodes.len());
        for (i, node) in self.nodes.iter().enumerate() {
            let kind = rules.type_of(node.type_index);
            let device_type = self.device_type(i as u32)?;
            let device = device_type.and_then(|name| rules.device_type(name));
            let mut joins = kind.joins;
            let mut owner_share = kind.owner_share;
            let mut public = false;
            if let Some(device) = device {
                match device.sharing {
                    Sharing::Personal => joins = Joins::Any,
                    Sharing::Household => joins = Joins::Complementary,
                    Sharing::Public => public = true,
                }
                owner_share = device.owner_share.or(owner_share);
            }
            let last_in_use = match facts.last_with_person[i] {
                NO_DAY => facts.last_seen[i],
                day => day,
            };
            let expired_before = rules.expired_before(node.type_index, device_type);
            let expired = expired_before.is_some_and(|day| last_in_use != NO_DAY && last_in_use < day);
            let aside = if node.extent == Extent::Boundary {
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
        rules: &Rules,
        facts: Facts,
        solution: Solution,
        ids: stable_id::Assignment,
        order: Vec<u32>,
        undisputed: Vec<bool>,
    ) -> Changes {
        let Solution { aside, held, .. } = solution;
        // A profile of which a part is not loaded was undisputed, and still is.
        let in_lane: FxHashSet<Uuid> = self
            .nodes
            .iter()
            .filter(|node| node.extent == Extent::Partial && node.aside.is_none())
            .map(|node| node.profile)
            .collect();
        let mut moves = Vec::new();
        for (i, node) in self.nodes.iter_mut().enumerate() {
            if node.extent == Extent::Boundary {
                continue;
            }
            let stays_too_common = aside[i] == Some(Reason::TooCommon) && node.aside == aside[i];
            let mut new = Node {
                profile: ids.profile[i],
                aside: aside[i],
                first_seen: if facts.last_seen[i] == NO_DAY { NO_DAY } else { facts.first_seen[i] },
                last_seen: facts.last_seen[i],
                last_with_person: facts.last_with_person[i],
                partners: match rules.type_of(node.type_index).max_links {
                    None => 0,
                    Some(_) if stays_too_common => node.partners,
                    Some(_) => facts.partners[i],
                },
                undisputed: undisputed[i] || in_lane.contains(&ids.profile[i]),
                ..*node
            };
            let left = if new.gone { Some(Left::Gone) } else { new.aside.map(Left::Aside) };
            let expires = new.aside == Some(Reason::Expired) && node.aside != new.aside;
            if node.id != 0 && (node.profile != new.profile || expires) {
                moves.push(Move { number: i as u32, old: node.profile, new: new.profile, left });
            }
            new.changed |= !node.says_the_same(&new);
            *node = new;
        }
        for (link, held) in self.links.iter_mut().zip(held) {
            link.changed |= link.held != held;
            link.held = held;
        }
        Changes {
            graph: self,
            order,
            gone_links: facts.gone_links,
            moves,
            created: ids.created,
            retired: ids.retired,
            revived: ids.revived,
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

    /// `first`: this partner has not been counted under the pair's other direction.
    fn saw_together(&mut self, node: u32, other: Role, summary: &Summary, first: bool) {
        let node = node as usize;
        if first && other != Role::Record {
            self.partners[node] += 1;
        }
        if other.names_a_person() {
            self.last_with_person[node] = self.last_with_person[node].max(summary.last);
        }
    }
}
