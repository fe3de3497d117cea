//! From pairs to people.
//!
//! Pairs are taken from the most probable down. Two groups come together if their records, each of one
//! with each of the other, look like one person's on average (average linkage: Sokal and Michener,
//! University of Kansas Science Bulletin 38, 1958): a chain of chance likenesses joins no two groups
//! that are at odds.

use super::find::Edge;
use super::model::Scorer;
use super::pattern::{Comparer, MOST_FIELDS};
use super::watch::{Phase, Stopped, Watch};
use rayon::prelude::*;
use std::cmp::Ordering;

/// How much one pair of records counts at most, for or against.
const MOST: f64 = 10.0;

/// How far below even odds two groups may be on average: no further than two records of the least
/// probability (`LEAST_THRESHOLD`) that may be linked.
const LEAST: f64 = -3.0;

/// Pairs of records of two groups that are looked at.
const LOOKED_AT: usize = 400;

/// For each edge in order whether it joins, or stays inside a group: those that do connect exactly the
/// groups. The odds of each are those that `scorer` gives its records.
pub fn cluster(
    comparer: &Comparer,
    scorer: &Scorer,
    edges: &[Edge],
    watch: &Watch,
) -> Result<Vec<bool>, Stopped> {
    let records = comparer.records;
    watch.begin(Phase::Clustering, edges.len() as u64);
    let mut order: Vec<u32> = (0..edges.len() as u32).collect();
    let of = |n: &u32| edges[*n as usize];
    order.par_sort_unstable_by(|x, y| {
        let (x, y) = (of(x), of(y));
        y.log_odds.partial_cmp(&x.log_odds).unwrap_or(Ordering::Equal).then((x.a, x.b).cmp(&(y.a, y.b)))
    });
    let mut group: Vec<u32> = (0..records.len() as u32).collect();
    let mut members: Vec<Vec<u32>> = Vec::new();
    members.resize_with(records.len(), Vec::new);
    let mut joined = vec![false; edges.len()];
    for n in order {
        watch.advance(1)?;
        let Edge { a, b, log_odds } = edges[n as usize];
        let (one, other) = (group[a as usize], group[b as usize]);
        if one == other {
            joined[n as usize] = true;
            continue;
        }
        let (of_one, of_other) = (of_group(&members, &one), of_group(&members, &other));
        let average = match (of_one, of_other) {
            ([_], [_]) => log_odds.clamp(-MOST, MOST),
            _ => average(comparer, scorer, of_one, of_other),
        };
        if average >= LEAST {
            let (into, from) = if of_one.len() >= of_other.len() { (one, other) } else { (other, one) };
            let moved = take_group(&mut members, from);
            let mut all = take_group(&mut members, into);
            moved.iter().for_each(|&record| group[record as usize] = into);
            all.extend(moved);
            members[into as usize] = all;
            joined[n as usize] = true;
        }
    }
    Ok(joined)
}

/// The records of a group: `members` has them if there are several.
fn of_group<'m>(members: &'m [Vec<u32>], group: &'m u32) -> &'m [u32] {
    match &members[*group as usize][..] {
        [] => std::slice::from_ref(group),
        members => members,
    }
}

fn take_group(members: &mut [Vec<u32>], group: u32) -> Vec<u32> {
    match std::mem::take(&mut members[group as usize]) {
        members if members.is_empty() => vec![group],
        members => members,
    }
}

/// The average logarithm of the odds of records of two groups.
fn average(comparer: &Comparer, scorer: &Scorer, one: &[u32], other: &[u32]) -> f64 {
    let records = comparer.records;
    let mut equal = [0.0; MOST_FIELDS];
    // Without a divisor in common every record of the other group is looked at, not some of them again
    // and again.
    let fewest = (one.len() * other.len()).div_ceil(LOOKED_AT);
    let step = (fewest..).find(|&step| greatest_divisor(step, other.len()) == 1).unwrap_or(fewest);
    let (mut sum, mut count) = (0.0, 0);
    for n in (0..one.len() * other.len()).step_by(step) {
        let (a, b) = (one[n / other.len()], other[n % other.len()]);
        if records.comparable(a, b) {
            let pattern = comparer.compare(records.row(a), records.row(b), &mut equal);
            sum += scorer.log_odds(pattern, &equal).clamp(-MOST, MOST);
            count += 1;
        }
    }
    if count == 0 { LEAST } else { sum / f64::from(count) }
}

/// The greatest common divisor.
fn greatest_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::LEAST;
    use crate::matching::model::{LEAST_THRESHOLD, log_odds};

    #[test]
    fn the_least_probable_pair_that_may_be_linked_joins() {
        assert!(log_odds(LEAST_THRESHOLD) > LEAST);
    }
}
