//! The strongest path between two identifiers of one profile: why they are one person's.
//!
//! Each link is taken to be right with some probability, independent of the others; the strongest
//! path is the one most likely to be right as a whole. It is found by the algorithm of Dijkstra
//! (Numerische Mathematik 1, 1959) on negative logarithms.

use super::solver::Kind;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What each link of a path costs beside what it may be wrong: of two equals the shorter is better.
const STEP: f64 = 1e-6;

/// A link between two nodes, by their numbers.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    pub a: u32,
    pub b: u32,
    cost: Cost,
}

impl Link {
    /// `weight` is that of its sightings, relative to a day that is the same for all links;
    /// `probability` that of a match.
    pub fn new(a: u32, b: u32, kind: Kind, weight: f64, probability: f64) -> Self {
        let right = match kind {
            Kind::Asserted => 1.0,
            // Half the doubt is left by each sighting.
            Kind::Observed => 1.0 - 0.5 * (-weight).exp2(),
            Kind::Matched => 0.5 * probability,
        };
        Link { a, b, cost: Cost(STEP - right.max(f64::MIN_POSITIVE).ln()) }
    }
}

/// A sum of logarithms, never NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Cost(f64);

impl Eq for Cost {}

impl PartialOrd for Cost {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Cost {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// The strongest path from `from` to `to`, as places in `links` in its order; `None` if there is
/// none. Numbers of nodes are below `nodes`.
pub fn strongest(nodes: usize, links: &[Link], from: u32, to: u32) -> Option<Vec<usize>> {
    let mut around: Vec<Vec<usize>> = vec![Vec::new(); nodes];
    for (place, link) in links.iter().enumerate() {
        around[link.a as usize].push(place);
        around[link.b as usize].push(place);
    }
    let mut best: Vec<Option<(Cost, usize)>> = vec![None; nodes];
    let mut queue = BinaryHeap::from([Reverse((Cost(0.0), from))]);
    while let Some(Reverse((so_far, node))) = queue.pop() {
        if node == to {
            break;
        }
        if best[node as usize].is_some_and(|(known, _)| known < so_far) {
            continue;
        }
        for &place in &around[node as usize] {
            let Link { a, b, cost } = links[place];
            let other = if a == node { b } else { a };
            let sum = Cost(so_far.0 + cost.0);
            let is_better = best[other as usize].is_none_or(|(known, _)| sum < known);
            if other != from && is_better {
                best[other as usize] = Some((sum, place));
                queue.push(Reverse((sum, other)));
            }
        }
    }
    let mut path = Vec::new();
    let mut node = to;
    while node != from {
        let (_, place) = best[node as usize]?;
        path.push(place);
        node = if links[place].a == node { links[place].b } else { links[place].a };
    }
    path.reverse();
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed(a: u32, b: u32, weight: f64) -> Link {
        Link::new(a, b, Kind::Observed, weight, 0.0)
    }

    #[test]
    fn two_strong_links_beat_a_weak_one_and_one_beats_two_equals() {
        let links = [observed(0, 1, 0.1), observed(0, 2, 9.0), observed(2, 1, 9.0)];
        assert_eq!(strongest(3, &links, 0, 1), Some(vec![1, 2]));
        assert_eq!(strongest(3, &links, 1, 0), Some(vec![2, 1]));
        let links = [observed(0, 2, 2.0), observed(2, 1, 2.0), observed(0, 1, 2.0)];
        assert_eq!(strongest(3, &links, 0, 1), Some(vec![2]));
        assert_eq!(strongest(3, &links[..1], 0, 1), None);
        assert_eq!(strongest(3, &links, 1, 1), Some(vec![]));
    }

    #[test]
    fn what_an_operator_said_is_strongest_and_a_probability_weakest() {
        let said = Link::new(0, 1, Kind::Asserted, 0.0, 0.0);
        let seen = observed(0, 1, 0.0);
        let matched = Link::new(0, 1, Kind::Matched, 0.0, 0.99);
        assert_eq!(strongest(2, &[matched, seen, said], 0, 1), Some(vec![2]));
        assert_eq!(strongest(2, &[matched, seen], 0, 1), Some(vec![1]));
    }
}
