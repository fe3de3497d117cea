//! Bridges: links whose end alone would split a profile (Tarjan, "A Note on Finding the Bridges of a
//! Graph", Information Processing Letters 2, 1974).

use rustc_hash::FxHashMap;

/// Steps from one pulse to the next.
const PULSE: usize = 4096;

/// The bridges that split a profile most evenly.
#[derive(Debug, PartialEq, Eq)]
pub struct Bridges {
    pub links: Vec<(i64, i64)>,
    /// How many nodes the smaller of the two halves has.
    pub smaller_half: u32,
}

/// A node on the way from the first one to where the search is.
struct Step {
    node: usize,
    /// The node before it, itself at the start, and the place of the link from there.
    above: usize,
    link: usize,
    /// How many of its neighbours have been looked at.
    looked_at: usize,
}

/// Of the links that alone hold two halves of at least two nodes each together, those whose smaller
/// half is the largest. All nodes hang together; a pair of nodes is one link in either direction.
/// `pulse` is called every few thousand steps and may unwind to cancel.
pub fn widest(links: &[(i64, i64)], pulse: &mut dyn FnMut()) -> Option<Bridges> {
    let around = neighbours(links);
    // When each node was entered, from 1 on, and the earliest that it or a node below it is next to.
    let mut entered = vec![0; around.len()];
    let mut reaches = vec![0; around.len()];
    let mut now = 0;
    // The place of each bridge, and how many nodes are below it.
    let mut bridges: Vec<(usize, u32)> = Vec::new();
    let mut way = Vec::new();
    let mut next = (!links.is_empty()).then_some(Step { node: 0, above: 0, link: 0, looked_at: 0 });
    for step in 1.. {
        if step % PULSE == 0 {
            pulse();
        }
        if let Some(step) = next.take() {
            now += 1;
            entered[step.node] = now;
            reaches[step.node] = now;
            way.push(step);
        }
        let Some(Step { node, above, link, looked_at }) = way.last_mut() else { break };
        let (node, above) = (*node, *above);
        if let Some(&(other, link)) = around[node].get(*looked_at) {
            *looked_at += 1;
            if entered[other] == 0 {
                next = Some(Step { node: other, above: node, link, looked_at: 0 });
            } else if other != above {
                reaches[node] = reaches[node].min(entered[other]);
            }
        } else {
            if node != above && reaches[node] == entered[node] {
                bridges.push((*link, now - entered[node] + 1));
            }
            reaches[above] = reaches[above].min(reaches[node]);
            way.pop();
        }
    }
    let smaller = |below: u32| below.min(now - below);
    let smaller_half =
        bridges.iter().map(|&(_, below)| smaller(below)).max().filter(|&half| half > 1)?;
    bridges.retain(|&(_, below)| smaller(below) == smaller_half);
    let links = bridges.into_iter().map(|(link, _)| links[link]).collect();
    Some(Bridges { links, smaller_half })
}

/// For each node, numbered as they come, its neighbours with the place of the link.
fn neighbours(links: &[(i64, i64)]) -> Vec<Vec<(usize, usize)>> {
    let mut numbers = FxHashMap::default();
    let mut around = Vec::new();
    for (place, &(a, b)) in links.iter().enumerate() {
        let [a, b] = [a, b].map(|id| {
            let next = numbers.len();
            *numbers.entry(id).or_insert(next)
        });
        around.resize_with(numbers.len(), Vec::new);
        around[a].push((b, place));
        around[b].push((a, place));
    }
    around
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::groups::find;
    use proptest::prelude::*;

    fn widest(links: &[(i64, i64)]) -> Option<(Vec<(i64, i64)>, u32)> {
        super::widest(links, &mut || ()).map(|found| (pairs(found.links.iter()), found.smaller_half))
    }

    /// How many nodes hang together with the first link's stronger end when a pair is left out.
    fn reached(links: &[(i64, i64)], without: Option<(i64, i64)>) -> u32 {
        let mut parent: Vec<u32> = (0..16).collect();
        for &(a, b) in links.iter().filter(|&&(a, b)| ![Some((a, b)), Some((b, a))].contains(&without)) {
            let (x, y) = (find(&mut parent, a as u32), find(&mut parent, b as u32));
            parent[x as usize] = y;
        }
        let root = find(&mut parent, links[0].0 as u32);
        (0..16).filter(|&node| find(&mut parent, node) == root).count() as u32
    }

    /// Leaves out one link after the other, and counts.
    fn naive(links: &[(i64, i64)]) -> Option<(Vec<(i64, i64)>, u32)> {
        let all = reached(links, None);
        let smaller_half = |&pair: &(i64, i64)| {
            let half = reached(links, Some(pair));
            half.min(all - half)
        };
        let best = links.iter().map(smaller_half).max().filter(|&half| half > 1)?;
        Some((pairs(links.iter().filter(|pair| smaller_half(pair) == best)), best))
    }

    fn pairs<'a>(links: impl Iterator<Item = &'a (i64, i64)>) -> Vec<(i64, i64)> {
        let mut pairs: Vec<_> = links.map(|&(a, b)| (a.min(b), a.max(b))).collect();
        pairs.sort_unstable();
        pairs.dedup();
        pairs
    }

    #[test]
    fn two_triangles_hang_on_the_link_between_them() {
        let links = [(1, 2), (2, 3), (1, 3), (4, 5), (5, 6), (4, 6), (3, 4)];
        assert_eq!(widest(&links), Some((vec![(3, 4)], 3)));
        assert_eq!(widest(&[&links[..], &[(1, 6)]].concat()), None);
    }

    #[test]
    fn a_star_has_no_bridge_between_two_halves() {
        assert_eq!(widest(&[(1, 2), (1, 3), (1, 4)]), None);
        assert_eq!(widest(&[(1, 2), (1, 3), (1, 4), (4, 5)]), Some((vec![(1, 4)], 2)));
        assert_eq!(widest(&[(1, 2)]), None);
        assert_eq!(widest(&[]), None);
    }

    #[test]
    fn a_pair_is_one_link_in_either_direction() {
        assert_eq!(widest(&[(1, 2), (2, 3), (3, 2), (3, 4)]), Some((vec![(2, 3)], 2)));
    }

    #[test]
    fn the_middle_of_a_chain_of_a_hundred_thousand_is_found_and_can_be_cancelled() {
        let links: Vec<(i64, i64)> = (1..100_000).map(|node| (node, node + 1)).collect();
        let mut pulses = 0;
        let bridges = super::widest(&links, &mut || pulses += 1).unwrap();
        assert_eq!(bridges, Bridges { links: vec![(50_000, 50_001)], smaller_half: 50_000 });
        assert!(pulses > 20);
    }

    proptest! {
        #[test]
        fn the_same_as_leaving_out_one_link_after_the_other(
            // Each node hangs on an earlier one; further links anywhere.
            on in prop::collection::vec(any::<prop::sample::Index>(), 1..12),
            more in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..8),
            order in any::<u64>(),
        ) {
            let nodes = on.len() + 1;
            let mut links: Vec<(i64, i64)> =
                on.iter().enumerate().map(|(i, on)| (on.index(i + 1) as i64, i as i64 + 1)).collect();
            links.extend(
                more.iter().map(|(a, b)| (a.index(nodes) as i64, b.index(nodes) as i64)).filter(|(a, b)| a != b),
            );
            links.sort_unstable_by_key(|&(a, b)| order.rotate_left((a * 7 + b * 13) as u32) % 97);
            prop_assert_eq!(widest(&links), naive(&links));
        }
    }
}
