//! The fast lane: what changes nothing about a profile but its evidence.
//!
//! A profile is *undisputed* if the links between its identifiers, and all links that touch it
//! (save to what stands aside), are in force, and would be in any order of the walk. Then more
//! evidence on its links, new links inside it, and new devices and records (which say nothing about
//! a person) leave it one profile, and the solve need not look at the rest of it.
//!
//! Which orders could matter? No separation is inside a profile, and limits count the same in any
//! order. That leaves ambiguity: a link whose weaker end joins `complementary` groups is refused
//! while both groups hold a person or contact identifier of one type. Let a *core* be what the
//! first pass joins (links whose weaker end joins `any`; all of them succeed, in any order). Either
//!
//! - each type of persons and contacts stands in one core only: whatever is joined first, two groups
//!   never hold one type; or
//! - all persons and contacts that join `any` are in one core, and the others, all of one type (such
//!   as phones), are claimed by it directly. A claim on a phone overlooks phones, so it is never
//!   refused; what holds no person or contact is never refused either.

use super::groups::find;
use super::rules::{Joins, Rules};
use super::solver::{self, Kind, Node, Solution};
use super::store::{Extent, Graph, StoreError};
use rustc_hash::FxHashMap;

/// For each node, whether its group is undisputed. `links` are those of the solver, of which
/// `solution` says why they are held.
pub fn undisputed(nodes: &[Node], links: &[solver::Link], solution: &Solution) -> Vec<bool> {
    let mut cores: Vec<u32> = (0..nodes.len() as u32).collect();
    let mut disputed = vec![false; nodes.len()];
    let mut dispute = |node: u32| {
        if let Some(disputed) = disputed.get_mut(solution.group[node as usize] as usize) {
            *disputed = true;
        }
    };
    for (link, held) in links.iter().zip(&solution.held) {
        if nodes[link.a as usize].aside.is_some() || nodes[link.b as usize].aside.is_some() {
            continue;
        }
        let joins = nodes[link.b as usize].joins;
        if held.is_some() || link.kind != Kind::Observed || joins == Joins::Never {
            dispute(link.a);
            dispute(link.b);
        } else if joins == Joins::Any {
            let (x, y) = (find(&mut cores, link.a), find(&mut cores, link.b));
            cores[x.max(y) as usize] = x.min(y);
        }
    }
    // Group, type and core of each person and contact.
    let mut people: Vec<(u32, u16, u32, u32)> = Vec::new();
    for (number, node) in nodes.iter().enumerate() {
        if node.role.names_a_person() && solution.group[number] != Solution::NO_GROUP {
            let core = find(&mut cores, number as u32);
            people.push((solution.group[number], node.type_index, core, number as u32));
        }
    }
    people.sort_unstable();
    // Groups in which a type stands in several cores, with the core that must claim the rest.
    let mut scattered: FxHashMap<u32, Option<u32>> = FxHashMap::default();
    for pair in people.windows(2) {
        if (pair[0].0, pair[0].1) == (pair[1].0, pair[1].1) && pair[0].2 != pair[1].2 {
            scattered.insert(pair[0].0, None);
        }
    }
    if !scattered.is_empty() {
        let joins_any =
            |&&(_, _, _, number): &&(u32, u16, u32, u32)| nodes[number as usize].joins == Joins::Any;
        for &(group, _, core, _) in people.iter().filter(joins_any) {
            if let Some(known) = scattered.get_mut(&group) {
                match *known {
                    None => *known = Some(core),
                    Some(other) if other == core => {}
                    Some(_) => disputed[group as usize] = true,
                }
            }
        }
        let mut claimed = vec![false; nodes.len()];
        for link in links {
            let group = solution.group[link.b as usize];
            if let Some(&Some(core)) = scattered.get(&group) {
                claimed[link.b as usize] |= find(&mut cores, link.a) == core;
            }
        }
        let mut other_type = FxHashMap::default();
        for &(group, type_index, core, number) in &people {
            let Some(&claiming) = scattered.get(&group) else { continue };
            if Some(core) != claiming {
                let one_type = *other_type.entry(group).or_insert(type_index) == type_index;
                disputed[group as usize] |= !one_type || !claimed[number as usize];
            }
        }
    }
    solution
        .group
        .iter()
        .map(|&group| disputed.get(group as usize).is_some_and(|disputed| !disputed))
        .collect()
}

impl Graph {
    /// Links that stand for the unloaded rest of each profile that goes by the fast lane.
    pub(super) fn bonds(&self) -> Vec<(u32, u32)> {
        let mut first: FxHashMap<uuid::Uuid, u32> = FxHashMap::default();
        let mut bonds = Vec::new();
        for (number, node) in self.nodes.iter().enumerate() {
            if node.extent == Extent::Partial && !node.profile.is_nil() {
                let number = number as u32;
                let other = *first.entry(node.profile).or_insert(number);
                if other != number {
                    bonds.push((other, number));
                }
            }
        }
        bonds
    }

    /// The identifiers of which more must be loaded after all, because their part does not go by
    /// the fast lane, or what stood aside no longer does.
    pub(super) fn must_widen(
        &self,
        rules: &Rules,
        nodes: &[Node],
        links: &[solver::Link],
        solution: &Solution,
    ) -> Result<Vec<u32>, StoreError> {
        let mut wider = Vec::new();
        let lane = |number: u32| self.nodes[number as usize].extent == Extent::Partial;
        if !self.nodes.iter().any(|node| node.extent == Extent::Partial) {
            return Ok(wider);
        }
        // What comes to a profile in the lane must do so silently.
        let in_lane = |number: &u32| lane(*number) && nodes[*number as usize].aside.is_none();
        let of_group: FxHashMap<u32, u32> = (0..self.nodes.len() as u32)
            .filter(in_lane)
            .map(|number| (solution.group[number as usize], number))
            .collect();
        for number in (0..self.nodes.len() as u32).filter(|&number| !lane(number)) {
            if let Some(&member) = of_group.get(&solution.group[number as usize])
                && (!self.joins_silently(rules, number) || self.separated_elsewhere.contains(&number))
            {
                wider.push(member);
            }
        }
        for number in (0..self.nodes.len() as u32).filter(|&number| lane(number)) {
            let (before, now) = (&self.nodes[number as usize], &nodes[number as usize]);
            let stays = solution.aside[number as usize] == before.aside && now.aside == before.aside;
            let device_type = self.device_types.get(&number).map(String::as_str);
            if !stays || self.device_type(number)? != device_type {
                wider.push(number);
            }
        }
        for (link, held) in links.iter().zip(&solution.held) {
            let ends = [link.a, link.b];
            let aside = ends.iter().any(|&end| nodes[end as usize].aside.is_some());
            // A link to what stands aside is held, and disputes nothing.
            if held.is_some() && !aside {
                let groups = ends.map(|end| solution.group[end as usize]);
                wider.extend(groups.iter().filter_map(|group| of_group.get(group)));
            }
        }
        Ok(wider)
    }
}
