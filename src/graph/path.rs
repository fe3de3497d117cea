//! The strongest path between two identifiers of one profile: why they are one person's.

use super::groups::find;
use std::collections::VecDeque;

/// Of all paths from `from` to `to` the one whose weakest link is the strongest; of several, the
/// one with fewest links in the forest of the strongest links (Kruskal). `links` are pairs of node
/// numbers below `nodes`, from the strongest to the weakest. Returns places in `links`, in the order
/// of the path; `None` if there is no path.
pub fn strongest(nodes: usize, links: &[(u32, u32)], from: u32, to: u32) -> Option<Vec<usize>> {
    let mut parent: Vec<u32> = (0..nodes as u32).collect();
    let mut around: Vec<Vec<(u32, usize)>> = vec![Vec::new(); nodes];
    for (place, &(a, b)) in links.iter().enumerate() {
        let (x, y) = (find(&mut parent, a), find(&mut parent, b));
        if x == y {
            continue;
        }
        parent[x.max(y) as usize] = x.min(y);
        around[a as usize].push((b, place));
        around[b as usize].push((a, place));
        if find(&mut parent, from) == find(&mut parent, to) {
            break;
        }
    }
    let mut came: Vec<Option<(u32, usize)>> = vec![None; nodes];
    let mut queue = VecDeque::from([from]);
    while let Some(node) = queue.pop_front() {
        if node == to {
            let mut path = Vec::new();
            let mut at = to;
            while let Some((before, place)) = came[at as usize].filter(|_| at != from) {
                path.push(place);
                at = before;
            }
            path.reverse();
            return Some(path);
        }
        for &(other, place) in &around[node as usize] {
            if other != from && came[other as usize].is_none() {
                came[other as usize] = Some((node, place));
                queue.push_back(other);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weakest_link_of_the_path_is_as_strong_as_can_be() {
        // 0-1 is weak; 0-2-3-1 is strong all along.
        let links = [(0, 2), (2, 3), (3, 1), (0, 1)];
        assert_eq!(strongest(4, &links, 0, 1), Some(vec![0, 1, 2]));
        assert_eq!(strongest(4, &links, 1, 0), Some(vec![2, 1, 0]));
        assert_eq!(strongest(4, &links[2..], 1, 0), Some(vec![1]));
        assert_eq!(strongest(4, &links[..2], 1, 0), None);
        assert_eq!(strongest(4, &links, 2, 2), Some(vec![]));
    }
}
