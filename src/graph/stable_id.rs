//! Stable ids: which profile id each group goes by.
//!
//! Merge: the oldest id survives. Split: the part with most identifiers keeps the id; if that part
//! goes by an older one, the next. A part that
//! regroups all that is left of a retired id gets that id back, and what it so takes along does
//! not count for keeping another: undoing a merge restores both ids, whichever part is larger.
//! Ids are UUIDs of version 7, so the oldest is the smallest.

use super::Day;
use super::solver::Solution;
use rustc_hash::{FxHashMap, FxHashSet};
use std::cmp::Reverse;
use uuid::Uuid;

/// A retired id and what had it when it was retired.
#[derive(Debug)]
pub struct Former {
    pub id: Uuid,
    /// Those of its former members that still exist and are at hand.
    pub members: Vec<u32>,
    /// Whether others exist that are not at hand, and so are not regrouped here.
    pub elsewhere: bool,
}

impl Former {
    /// Adds what is stored of a retired id: one that had it, if at hand.
    pub fn add(known: &mut FxHashMap<Uuid, Former>, id: Uuid, member: Option<u32>) {
        let former = known.entry(id).or_insert(Former { id, members: Vec::new(), elsewhere: false });
        match member {
            Some(number) => former.members.push(number),
            None => former.elsewhere = true,
        }
    }
}

/// What [`assign`] decides.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Assignment {
    /// The profile id of each node; nil for a node that belongs to nobody.
    pub profile: Vec<Uuid>,
    /// Ids that are no longer in use, each with the nodes that had it.
    pub retired: Vec<(Uuid, Vec<u32>)>,
    /// Retired ids that are in use again.
    pub revived: Vec<Uuid>,
    /// Ids that nobody had before.
    pub created: FxHashSet<Uuid>,
}

/// Whether a retired id can come back at all: only to a part that splits off, or to what belonged
/// to nobody.
pub fn may_revive(group: &[u32], old: &[Uuid], is_stored: impl Fn(u32) -> bool) -> bool {
    let mut home: FxHashMap<Uuid, u32> = FxHashMap::default();
    (0..group.len() as u32).filter(|&node| is_stored(node)).any(|node| {
        let (group, id) = (group[node as usize], old[node as usize]);
        match id.is_nil() {
            true => group != Solution::NO_GROUP,
            false => *home.entry(id).or_insert(group) != group,
        }
    })
}

/// Gives each group its id.
///
/// `group` numbers the group of each node ([`Solution::NO_GROUP`] for none), `old` is each node's
/// id so far (nil for none), `home` the id that it counts for: its own, or, where a change is taken
/// back, the one that it had before. The node of least `age` is the oldest of several (day of its
/// first sighting, then place in the order of texts), and `order` lists the nodes in that order of
/// texts. `new_id` makes ids that ascend.
pub fn assign(
    group: &[u32],
    old: &[Uuid],
    home: &[Uuid],
    former: &[Former],
    age: impl Fn(u32) -> (Day, u32),
    order: &[u32],
    mut new_id: impl FnMut() -> Uuid,
) -> Assignment {
    let regrouped = regrouped(group, former);
    let taken_along: FxHashSet<u32> =
        regrouped.values().flatten().flat_map(|&i| former[i].members.iter().copied()).collect();

    let mut id_of_group = vec![Uuid::nil(); group.len()];
    // Ids in use that are not new.
    let mut kept: FxHashSet<Uuid> = FxHashSet::default();
    // The oldest comes first; each keeps the best of its parts that no older one has.
    for (id, parts) in heirs(group, home, &taken_along, age) {
        if let Some(part) = parts.into_iter().find(|&part| id_of_group[part as usize].is_nil()) {
            id_of_group[part as usize] = id;
            kept.insert(id);
        }
    }
    let mut assignment = Assignment { profile: vec![Uuid::nil(); group.len()], ..Assignment::default() };
    for &node in order {
        let group = group[node as usize];
        if group == Solution::NO_GROUP {
            continue;
        }
        let id = &mut id_of_group[group as usize];
        if id.is_nil() {
            // Of several, the one that most of the part had; then the oldest.
            let revived = regrouped.get(&group).and_then(|ids| {
                let free = ids.iter().filter(|&&i| !kept.contains(&former[i].id));
                free.min_by_key(|&&i| (Reverse(former[i].members.len()), former[i].id))
            });
            match revived {
                Some(&i) => {
                    *id = former[i].id;
                    kept.insert(*id);
                }
                None => {
                    *id = new_id();
                    assignment.created.insert(*id);
                }
            }
        }
        assignment.profile[node as usize] = *id;
    }
    assignment.note_what_differs(old, kept);
    assignment
}

impl Assignment {
    /// Notes which of the ids so far are no longer in use, and which are in use again; `kept` are those
    /// in use that are not new.
    fn note_what_differs(&mut self, old: &[Uuid], kept: FxHashSet<Uuid>) {
        let mut retired: FxHashMap<Uuid, Vec<u32>> = FxHashMap::default();
        let mut again = kept.clone();
        for (node, &id) in old.iter().enumerate().filter(|(_, id)| !id.is_nil()) {
            if kept.contains(&id) {
                again.remove(&id);
            } else {
                retired.entry(id).or_default().push(node as u32);
            }
        }
        self.revived = again.into_iter().collect();
        self.revived.sort_unstable();
        self.retired = retired.into_iter().collect();
        self.retired.sort_unstable();
    }
}

/// For each group the retired ids (by place in `former`) of which it holds all that is left.
fn regrouped(group: &[u32], former: &[Former]) -> FxHashMap<u32, Vec<usize>> {
    let mut regrouped = FxHashMap::<u32, Vec<usize>>::default();
    for (i, retired) in former.iter().enumerate() {
        let Some(&first) = retired.members.first() else {
            continue;
        };
        let home = group[first as usize];
        let together = retired.members.iter().all(|&node| group[node as usize] == home);
        if together && !retired.elsewhere && home != Solution::NO_GROUP {
            regrouped.entry(home).or_default().push(i);
        }
    }
    regrouped
}

/// For each id that nodes count for, ascending, the groups that may keep it, the best first.
fn heirs(
    group: &[u32],
    home: &[Uuid],
    taken_along: &FxHashSet<u32>,
    age: impl Fn(u32) -> (Day, u32),
) -> Vec<(Uuid, Vec<u32>)> {
    let mut members: Vec<(Uuid, u32, u32)> = (0..group.len() as u32)
        .filter(|&node| !home[node as usize].is_nil())
        .map(|node| (home[node as usize], group[node as usize], node))
        .collect();
    members.sort_unstable();
    members
        .chunk_by(|x, y| x.0 == y.0)
        .map(|of_id| {
            let mut parts: Vec<&[(Uuid, u32, u32)]> = of_id
                .chunk_by(|x, y| x.1 == y.1)
                .filter(|part| part[0].1 != Solution::NO_GROUP)
                .collect();
            if parts.len() > 1 {
                parts.sort_by_cached_key(|part| {
                    let own = part.iter().filter(|member| !taken_along.contains(&member.2)).count();
                    let oldest = part.iter().map(|member| age(member.2)).min();
                    (Reverse((own, part.len())), oldest)
                });
            }
            (of_id[0].0, parts.iter().map(|part| part[0].1).collect())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: u32 = Solution::NO_GROUP;

    fn id(n: u128) -> Uuid {
        Uuid::from_u128(n)
    }

    fn assign_plain(group: &[u32], old: &[u128], former: &[Former]) -> Assignment {
        let old: Vec<Uuid> = old.iter().map(|&n| id(n)).collect();
        let order: Vec<u32> = (0..group.len() as u32).collect();
        let mut next = 100;
        assign(
            group,
            &old,
            &old,
            former,
            |node| (0, node),
            &order,
            || {
                next += 1;
                id(next)
            },
        )
    }

    #[test]
    fn the_oldest_id_survives_a_merge() {
        let merged = assign_plain(&[0, 0, 0], &[5, 5, 3], &[]);
        assert_eq!(merged.profile, [id(3), id(3), id(3)]);
        assert_eq!(merged.retired, [(id(5), vec![0, 1])]);
    }

    #[test]
    fn undoing_a_merge_restores_both_ids_whichever_part_is_larger() {
        let former = [Former { id: id(5), members: vec![0, 1], elsewhere: false }];
        let split = assign_plain(&[0, 0, 2], &[3, 3, 3], &former);
        assert_eq!(split.profile, [id(5), id(5), id(3)]);
        assert_eq!(split.revived, [id(5)]);
    }

    #[test]
    fn the_larger_part_keeps_the_id_and_ties_go_to_the_oldest_identifier() {
        let split = assign_plain(&[0, 1, 1], &[3, 3, 3], &[]);
        assert_eq!(split.profile, [id(101), id(3), id(3)]);
        let tie = assign_plain(&[0, 1], &[3, 3], &[]);
        assert_eq!(tie.profile, [id(3), id(101)]);
    }

    #[test]
    fn an_id_without_members_is_retired_and_comes_back_with_them() {
        let gone = assign_plain(&[NONE], &[7], &[]);
        assert_eq!(gone.profile, [Uuid::nil()]);
        assert_eq!(gone.retired, [(id(7), vec![0])]);
        let former = [Former { id: id(7), members: vec![0], elsewhere: false }];
        assert_eq!(assign_plain(&[0], &[0], &former).profile, [id(7)]);
    }
}
