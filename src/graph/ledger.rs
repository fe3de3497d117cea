//! The ledger collects counts while rows are read, in memory that grows with the distinct counts
//! and not with the rows.
//!
//! Counts are appended to a buffer; a full buffer is sorted, added up and packed into a run; in the
//! end the runs are merged in one pass, in order of pair, label and day (a log-structured merge:
//! O'Neil, Cheng, Gawlick, O'Neil, 1996).

use super::Day;
use super::evidence::{Cell, Reader, put_varint};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

/// A pair of identifiers by number; an identifier's own evidence is under the pair with itself.
pub type Pair = (u32, u32);

/// What is counted: pair, label and day, in one number that sorts in that order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key(u128);

impl Key {
    fn new((a, b): Pair, label: u32, day: Day) -> Self {
        let day = day as u32 ^ 0x8000_0000;
        Key(u128::from(a) << 96 | u128::from(b) << 64 | u128::from(label) << 32 | u128::from(day))
    }

    fn pair(self) -> Pair {
        ((self.0 >> 96) as u32, (self.0 >> 64) as u32)
    }

    fn cell(self, count: i64) -> Cell {
        Cell { label: (self.0 >> 32) as u32, day: (self.0 as u32 ^ 0x8000_0000) as Day, count }
    }
}

/// Counts by pair, label and day.
#[derive(Default)]
pub struct Ledger {
    buffer: Vec<(Key, i64)>,
    runs: Vec<Vec<u8>>,
}

impl Ledger {
    /// Counts that are gathered before they are sorted and packed: 32 bytes each.
    const BUFFER: usize = 1 << 21;

    /// Adds `count` (negative to take back) to `pair` under `label` on `day`.
    pub fn add(&mut self, pair: Pair, label: u32, day: Day, count: i64) {
        if self.buffer.len() == Self::BUFFER {
            self.flush();
        }
        self.buffer.push((Key::new(pair, label, day), count));
    }

    /// Bytes that the ledger occupies.
    pub fn memory(&self) -> usize {
        let buffer = self.buffer.capacity() * size_of::<(Key, i64)>();
        buffer + self.runs.iter().map(Vec::capacity).sum::<usize>()
    }

    fn flush(&mut self) {
        self.buffer.sort_unstable_by_key(|&(key, _)| key);
        let mut run = Vec::new();
        let mut previous = Key(0);
        for same in self.buffer.chunk_by(|x, y| x.0 == y.0) {
            let count: i64 = same.iter().map(|&(_, count)| count).sum();
            let step = same[0].0.0 - previous.0;
            put_varint(&mut run, (step >> 64) as u64);
            put_varint(&mut run, step as u64);
            put_varint(&mut run, (count << 1 ^ count >> 63) as u64);
            previous = same[0].0;
        }
        run.shrink_to_fit();
        self.runs.push(run);
        self.buffer.clear();
    }

    /// All counts, pair by pair in ascending order.
    pub fn into_pairs(mut self) -> Pairs {
        self.flush();
        drop(std::mem::take(&mut self.buffer));
        let mut heads = BinaryHeap::with_capacity(self.runs.len());
        for bytes in self.runs {
            let mut run = Run { bytes, at: 0, previous: Key(0) };
            if let Some((key, count)) = run.next() {
                heads.push(Reverse(Head { key, count, run }));
            }
        }
        Pairs { heads }
    }
}

struct Run {
    bytes: Vec<u8>,
    at: usize,
    previous: Key,
}

impl Iterator for Run {
    type Item = (Key, i64);

    fn next(&mut self) -> Option<Self::Item> {
        let mut reader = Reader { bytes: &self.bytes, at: self.at };
        let high = reader.varint().ok()?;
        let low = reader.varint().ok()?;
        let count = reader.varint().ok()?;
        self.at = reader.at;
        self.previous = Key(self.previous.0 + (u128::from(high) << 64 | u128::from(low)));
        Some((self.previous, (count >> 1) as i64 ^ -((count & 1) as i64)))
    }
}

struct Head {
    key: Key,
    count: i64,
    run: Run,
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}
impl Eq for Head {}
impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Head {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}

/// The counts of a ledger, merged; see [`Ledger::into_pairs`].
pub struct Pairs {
    heads: BinaryHeap<Reverse<Head>>,
}

impl Pairs {
    /// The pair whose counts come next.
    pub fn peek(&self) -> Option<Pair> {
        self.heads.peek().map(|Reverse(head)| head.key.pair())
    }

    /// Appends the counts of the next pair, which must be `pair`, to `cells`.
    pub fn take(&mut self, pair: Pair, cells: &mut Vec<Cell>) {
        while let Some(mut top) = self.heads.peek_mut() {
            let Reverse(head) = &mut *top;
            if head.key.pair() != pair {
                return;
            }
            cells.push(head.key.cell(head.count));
            match head.run.next() {
                Some((key, count)) => (head.key, head.count) = (key, count),
                None => drop(PeekMut::pop(top)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_merged_in_order() {
        let mut ledger = Ledger::default();
        for i in 0..10u32 {
            ledger.add((i % 3, 9), 1, -5, 1);
            ledger.add((i % 3, 2), 0, i as Day, -1);
            if i % 4 == 0 {
                ledger.flush();
            }
        }
        let mut pairs = ledger.into_pairs();
        let mut seen = Vec::new();
        while let Some(pair) = pairs.peek() {
            let mut cells = Vec::new();
            pairs.take(pair, &mut cells);
            let total: i64 = cells.iter().map(|c| c.count).sum();
            assert!(cells.is_sorted_by_key(|c| (c.label, c.day)));
            seen.push((pair, total));
        }
        assert_eq!(
            seen,
            [((0, 2), -4), ((0, 9), 4), ((1, 2), -3), ((1, 9), 3), ((2, 2), -3), ((2, 9), 3)]
        );
    }
}
