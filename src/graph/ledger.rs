//! The ledger collects counts while rows are read, in memory that grows with the distinct counts
//! and not with the rows.
//!
//! Counts are appended to a buffer; a full buffer is sorted, added up and packed into a run, if
//! need be on another thread; in the end the runs are merged in one pass, in order of pair, label
//! and day (a log-structured merge: O'Neil, Cheng, Gawlick, O'Neil, 1996).

use super::Day;
use super::evidence::Cell;
use super::task::{Spawn, Task};
use crate::packed::{Reader, put_varint};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

/// A pair of identifiers by number; an identifier's own evidence is under the pair with itself.
pub type Pair = (u32, u32);

/// What is counted and how often, in one number that sorts by pair, label and day: 32, 32, 20 and
/// 24 bits, and 20 for the count.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry(u128);

impl Entry {
    const DAY_ZERO: i32 = 1 << 23;
    const COUNT_ZERO: i64 = 1 << 19;

    fn new((a, b): Pair, label: u32, day: Day, count: i64) -> Self {
        let rest = u64::from(label) << 44
            | ((day + Self::DAY_ZERO) as u64 & 0xff_ffff) << 20
            | (count + Self::COUNT_ZERO) as u64;
        Entry(u128::from(a) << 96 | u128::from(b) << 64 | u128::from(rest))
    }

    fn pair(self) -> Pair {
        ((self.0 >> 96) as u32, (self.0 >> 64) as u32)
    }

    /// Pair, label and day.
    fn key(self) -> u128 {
        self.0 >> 20
    }

    fn cell(self, count: i64) -> Cell {
        let rest = self.0 as u64;
        let day = (rest >> 20) as i32 & 0xff_ffff;
        Cell { label: (rest >> 44) as u32, day: day - Self::DAY_ZERO, count }
    }

    fn count(self) -> i64 {
        (self.0 as i64 & 0xf_ffff) - Self::COUNT_ZERO
    }
}

/// Counts by pair, label and day.
#[derive(Default)]
pub struct Ledger {
    buffer: Vec<Entry>,
    runs: Vec<Vec<u8>>,
    /// The run that is being packed.
    packing: Option<Task<Vec<u8>>>,
    spawn: Option<Spawn>,
}

impl Ledger {
    /// Counts that are gathered before they are sorted and packed: 16 bytes each.
    const BUFFER: usize = 1 << 21;

    /// The greatest count that one entry holds.
    const MOST: i64 = Entry::COUNT_ZERO - 1;

    /// A ledger that sorts and packs on other threads, one at a time.
    pub fn threaded(spawn: Spawn) -> Self {
        Ledger { spawn: Some(spawn), ..Ledger::default() }
    }

    /// Adds `count` (negative to take back) to `pair` under `label` (below 2²⁰) on `day` (up to
    /// 2²³ days from 1970).
    pub fn add(&mut self, pair: Pair, label: u32, day: Day, mut count: i64) {
        while count != 0 {
            let step = count.clamp(-Self::MOST, Self::MOST);
            if self.buffer.len() == Self::BUFFER {
                self.flush();
            }
            self.buffer.push(Entry::new(pair, label, day, step));
            count -= step;
        }
    }

    /// Adds up equal counts and drops what comes to nought; returns each pair with its least count.
    /// For few counts: none may have been packed.
    pub fn net(&mut self) -> Vec<(Pair, i64)> {
        debug_assert!(self.runs.is_empty() && self.packing.is_none());
        self.buffer.sort_unstable();
        let mut fresh: Vec<(Pair, i64)> = Vec::new();
        let mut netted = Vec::with_capacity(self.buffer.len());
        for same in self.buffer.chunk_by(|x, y| x.key() == y.key()) {
            let count: i64 = same.iter().map(|entry| entry.count()).sum();
            if count == 0 {
                continue;
            }
            netted.extend(same.iter().copied());
            let pair = same[0].pair();
            match fresh.last_mut().filter(|(last, _)| *last == pair) {
                Some((_, least)) => *least = count.min(*least),
                None => fresh.push((pair, count)),
            }
        }
        self.buffer = netted;
        fresh
    }

    /// Bytes that the ledger occupies.
    pub fn memory(&self) -> usize {
        let buffers =
            self.buffer.capacity() * size_of::<Entry>() * (1 + usize::from(self.packing.is_some()));
        buffers + self.runs.iter().map(Vec::capacity).sum::<usize>()
    }

    fn flush(&mut self) {
        self.collect();
        let mut full = std::mem::replace(&mut self.buffer, Vec::with_capacity(Self::BUFFER));
        self.packing = Some(Task::begin(self.spawn, move || pack(&mut full)));
    }

    /// Waits for the run that is being packed.
    fn collect(&mut self) {
        if let Some(packing) = self.packing.take() {
            self.runs.push(packing.finish(&mut || {}));
        }
    }

    /// All counts, pair by pair in ascending order.
    pub fn into_pairs(mut self) -> Pairs {
        self.collect();
        let last = pack(&mut self.buffer);
        drop(std::mem::take(&mut self.buffer));
        let mut heads = BinaryHeap::with_capacity(self.runs.len() + 1);
        for bytes in self.runs.into_iter().chain([last]) {
            let mut run = Run { bytes, at: 0, a: 0 };
            if let Some((entry, count)) = run.next() {
                heads.push(Reverse(Head { entry, count, run }));
            }
        }
        Pairs { heads }
    }
}

/// Sorts entries and adds them up. For each key: varint(difference of a << 1 | whether b = a), b
/// unless it is a, label, day, zigzag count.
fn pack(entries: &mut [Entry]) -> Vec<u8> {
    entries.sort_unstable();
    let mut run = Vec::with_capacity(entries.len() * 8);
    let mut previous = 0;
    for same in entries.chunk_by(|x, y| x.key() == y.key()) {
        let count: i64 = same.iter().map(|entry| entry.count()).sum();
        let (a, b) = same[0].pair();
        put_varint(&mut run, u64::from(a - previous) << 1 | u64::from(a == b));
        if a != b {
            put_varint(&mut run, u64::from(b));
        }
        put_varint(&mut run, same[0].key() as u64 >> 24 & 0xf_ffff);
        put_varint(&mut run, same[0].key() as u64 & 0xff_ffff);
        put_varint(&mut run, (count << 1 ^ count >> 63) as u64);
        previous = a;
    }
    run.shrink_to_fit();
    run
}

struct Run {
    bytes: Vec<u8>,
    at: usize,
    a: u32,
}

impl Iterator for Run {
    /// A key (as an entry that counts nothing) and its count.
    type Item = (Entry, i64);

    fn next(&mut self) -> Option<Self::Item> {
        let mut reader = Reader { bytes: &self.bytes, at: self.at };
        let head = reader.varint().ok()?;
        self.a += (head >> 1) as u32;
        let b = if head & 1 == 1 { self.a } else { reader.varint().ok()? as u32 };
        let label = reader.varint().ok()? as u32;
        let day = reader.varint().ok()? as i32 - Entry::DAY_ZERO;
        let count = reader.varint().ok()?;
        self.at = reader.at;
        Some((Entry::new((self.a, b), label, day, 0), (count >> 1) as i64 ^ -((count & 1) as i64)))
    }
}

struct Head {
    entry: Entry,
    count: i64,
    run: Run,
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.entry == other.entry
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
        self.entry.cmp(&other.entry)
    }
}

/// The counts of a ledger, merged; see [`Ledger::into_pairs`].
pub struct Pairs {
    heads: BinaryHeap<Reverse<Head>>,
}

impl Pairs {
    /// The pair whose counts come next.
    pub fn peek(&self) -> Option<Pair> {
        self.heads.peek().map(|Reverse(head)| head.entry.pair())
    }

    /// Appends the counts of the next pair, which must be `pair`, to `cells`.
    pub fn take(&mut self, pair: Pair, cells: &mut Vec<Cell>) {
        while let Some(mut top) = self.heads.peek_mut() {
            let Reverse(head) = &mut *top;
            if head.entry.pair() != pair {
                // Leaves the heap untouched: nothing was changed through the guard.
                return;
            }
            cells.push(head.entry.cell(head.count));
            match head.run.next() {
                Some((entry, count)) => (head.entry, head.count) = (entry, count),
                None => drop(PeekMut::pop(top)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_any_size_come_back() {
        let mut ledger = Ledger::default();
        for count in [1, -1, 5_000_000, -7_000_000] {
            ledger.add((3, 4), 1_000_000, -25_567, count);
        }
        let mut cells = Vec::new();
        ledger.into_pairs().take((3, 4), &mut cells);
        assert_eq!(cells, [Cell { label: 1_000_000, day: -25_567, count: -2_000_000 }]);
    }

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
