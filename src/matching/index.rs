//! What matching keeps from one run to the next, in pages that a table holds: the records, which of
//! them every block has, and the pairs that were found. By it a record is found without reading all
//! others, and a later run compares only what is new.
//!
//! Records are numbered in the order in which they came; who is gone leaves his number unused. Each
//! list of postings (one for every rule of blocking, and one of names) is sorted by block, in two
//! generations as in a log-structured merge tree (O'Neil, Cheng, Gawlick, O'Neil, 1996): one that a
//! full run wrote, and a small one of what came since.
//!
//! ```text
//! records:  for each number  varint(0: gone, else side + 1)  key  value of each slot
//! postings: for each block   varint(difference of blocks)  varint(bytes)  varint(number) …
//! edges:    varint(difference of a)  varint(b << 1 | joined)  log odds in 8 bytes
//! ```

use super::find::Edge;
use super::records::Records;
use super::sample::mix;
use crate::packed::{Damaged, Reader, put_text, put_varint};
use rayon::prelude::*;
use std::ops::Range;

/// Bytes of a page: less than a page of a table holds.
const PAGE: usize = 7_000;

/// Records in a page.
pub const IN_PAGE: u32 = 32;

/// Bits of a block's number that are kept. Of a million blocks one in a million shares its number with
/// another; a few more pairs are compared then, when new records are.
const BLOCK_BITS: u32 = 40;

/// What a page holds a piece of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Records,
    Edges,
    /// A list of postings, and whether of what came since the last full run.
    Postings {
        list: usize,
        is_new: bool,
    },
}

impl Part {
    /// By what number a table knows it.
    pub fn number(self) -> i32 {
        match self {
            Part::Records => 0,
            Part::Edges => 1,
            Part::Postings { list, is_new } => 2 + 2 * list as i32 + i32::from(is_new),
        }
    }
}

/// A row of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    pub part: i32,
    /// The first number or block that it holds; pages of edges are numbered.
    pub first: i64,
    pub content: Vec<u8>,
}

/// A record as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept<'p> {
    pub side: u16,
    pub key: &'p str,
    /// Of each slot of each field, canonical; empty is none.
    pub values: Vec<&'p str>,
}

/// A pair that was found: its records' numbers, and whether it joins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KeptPair {
    pub edge: Edge,
    pub joined: bool,
}

/// The number of a block in postings.
pub fn block_number(block: u64) -> u64 {
    block >> (64 - BLOCK_BITS)
}

/// A number for what a record is called: what the names of its source begin with, and the key.
pub fn name_hash(source: &str, key: &str) -> u64 {
    source.bytes().chain(key.bytes()).fold(0, |hash, byte| mix(hash ^ u64::from(byte)))
}

/// The page that holds a record.
pub fn page_of(record: u32) -> i64 {
    i64::from(record / IN_PAGE * IN_PAGE)
}

/// Records at some places as pages. The record at place 0 has the number `first`; it and the range
/// begin a page.
pub fn record_pages<'k>(
    records: &Records,
    range: Range<u32>,
    first: u32,
    key: impl Fn(u32) -> &'k str + Sync,
) -> Vec<Page> {
    let page = |place: u32| {
        let kept = (place..range.end.min(place + IN_PAGE)).map(|record| {
            let values = records.values(record).collect();
            Some(Kept { side: records.side(record), key: key(record), values })
        });
        record_page(i64::from(first + place), kept)
    };
    range.clone().into_par_iter().step_by(IN_PAGE as usize).map(page).collect()
}

/// A page of records.
pub fn record_page<'p>(first: i64, records: impl Iterator<Item = Option<Kept<'p>>>) -> Page {
    let mut content = Vec::new();
    for record in records {
        put_varint(&mut content, record.as_ref().map_or(0, |record| u64::from(record.side) + 1));
        if let Some(Kept { key, values, .. }) = record {
            put_text(&mut content, key);
            values.into_iter().for_each(|value| put_text(&mut content, value));
        }
    }
    Page { part: Part::Records.number(), first, content }
}

/// The records of a page, each with `slots` values, in order of their numbers.
pub fn records_of(content: &[u8], slots: usize) -> Result<Vec<Option<Kept<'_>>>, Damaged> {
    let mut reader = Reader { bytes: content, at: 0 };
    let mut records = Vec::with_capacity(IN_PAGE as usize);
    while reader.at < content.len() {
        records.push(record(&mut reader, slots)?);
    }
    Ok(records)
}

fn record<'p>(reader: &mut Reader<'p>, slots: usize) -> Result<Option<Kept<'p>>, Damaged> {
    let side = reader.varint()?;
    if side == 0 {
        return Ok(None);
    }
    let key = reader.text()?;
    let values = (0..slots).map(|_| reader.text()).collect::<Result<_, _>>()?;
    Ok(Some(Kept { side: (side - 1) as u16, key, values }))
}

/// Postings by the names of records.
pub fn names<'k>(
    records: &Records,
    sources: &[String],
    key: impl Fn(u32) -> &'k str + Sync,
) -> Vec<(u64, u32)> {
    let hash = |record: u32| name_hash(&sources[usize::from(records.side(record))], key(record));
    (0..records.len() as u32).into_par_iter().map(|record| (hash(record), record)).collect()
}

/// A list of postings as pages; `number` says by what number a block is known. A block is never on two
/// pages.
pub fn posting_pages(part: Part, postings: &[(u64, u32)], number: impl Fn(u64) -> u64) -> Vec<Page> {
    let mut pages: Vec<Page> = Vec::new();
    let mut before = 0;
    let mut numbers = Vec::new();
    for block in postings.chunk_by(|x, y| number(x.0) == number(y.0)) {
        let number = number(block[0].0);
        if pages.last().is_none_or(|page| page.content.len() + 4 * block.len() > PAGE) {
            let content = Vec::with_capacity(PAGE);
            pages.push(Page { part: part.number(), first: number as i64, content });
            before = number;
        }
        let Some(Page { content, .. }) = pages.last_mut() else { continue };
        put_varint(content, number - before);
        numbers.clear();
        block.iter().for_each(|&(_, record)| put_varint(&mut numbers, u64::from(record)));
        put_varint(content, numbers.len() as u64);
        content.extend_from_slice(&numbers);
        before = number;
    }
    pages
}

/// The records of a block as a page holds them.
pub struct Members<'p>(&'p [u8]);

impl Members<'_> {
    /// Their numbers.
    pub fn numbers(&self) -> Result<Vec<u32>, Damaged> {
        let mut reader = Reader { bytes: self.0, at: 0 };
        let mut numbers = Vec::new();
        while reader.at < self.0.len() {
            numbers.push(reader.varint()? as u32);
        }
        Ok(numbers)
    }
}

/// Calls `each` with every block of a page and its records.
pub fn each_block(
    first: i64,
    content: &[u8],
    mut each: impl FnMut(u64, Members) -> Result<(), Damaged>,
) -> Result<(), Damaged> {
    let mut reader = Reader { bytes: content, at: 0 };
    let mut block = first as u64;
    while reader.at < content.len() {
        block += reader.varint()?;
        let bytes = reader.varint()?;
        each(block, Members(reader.take(bytes)?))?;
    }
    Ok(())
}

/// Pairs, in the order of their records, as pages.
pub fn edge_pages(found: &[KeptPair]) -> Vec<Page> {
    let mut pages: Vec<Page> = Vec::new();
    let mut before = 0;
    for KeptPair { edge: Edge { a, b, log_odds }, joined } in found {
        if pages.last().is_none_or(|page| page.content.len() > PAGE) {
            let content = Vec::with_capacity(PAGE + 32);
            pages.push(Page { part: Part::Edges.number(), first: pages.len() as i64, content });
            before = 0;
        }
        let Some(Page { content, .. }) = pages.last_mut() else { continue };
        put_varint(content, u64::from(a - before));
        put_varint(content, u64::from(*b) << 1 | u64::from(*joined));
        content.extend_from_slice(&log_odds.to_le_bytes());
        before = *a;
    }
    pages
}

/// The pairs of a page.
pub fn edges_of(content: &[u8], found: &mut Vec<KeptPair>) -> Result<(), Damaged> {
    let mut reader = Reader { bytes: content, at: 0 };
    let mut a = 0;
    while reader.at < content.len() {
        a += reader.varint()? as u32;
        let b = reader.varint()?;
        let at = reader.at;
        let bytes = reader.take(8)?.try_into().map_err(|_| Damaged::at(at))?;
        let edge = Edge { a, b: (b >> 1) as u32, log_odds: f64::from_le_bytes(bytes) };
        found.push(KeptPair { edge, joined: b & 1 == 1 });
    }
    Ok(())
}

/// Where a record stands in its page that is gone.
pub const GONE: u32 = u32::MAX;

/// The first block of a page of postings, and its content.
type PostingPage = (i64, Box<[u8]>);

/// A page that was read: its part and its first number or block, as [`Page`] has them, and its content.
pub type StoredPage = (i32, i64, Box<[u8]>);

/// Pages at hand.
#[derive(Default)]
pub struct Stored {
    /// Values of a record.
    pub slots: usize,
    records: Vec<Box<[u8]>>,
    edges: Vec<Box<[u8]>>,
    /// Of each list the pages of a full run and those of what came since.
    lists: Vec<[Vec<PostingPage>; 2]>,
}

impl Stored {
    /// These pages, in whatever order, of records with so many values.
    pub fn new(slots: usize, mut pages: Vec<StoredPage>) -> Self {
        pages.sort_unstable_by_key(|&(part, first, _)| (part, first));
        let mut stored = Stored { slots, ..Stored::default() };
        for (part, first, content) in pages {
            match part {
                0 => stored.records.push(content),
                1 => stored.edges.push(content),
                ..0 => {}
                part => {
                    let (list, generation) = ((part - 2) as usize / 2, (part - 2) as usize % 2);
                    if stored.lists.len() <= list {
                        stored.lists.resize_with(list + 1, Default::default);
                    }
                    stored.lists[list][generation].push((first, content));
                }
            }
        }
        stored
    }

    /// The number of the first page of records that would be new.
    pub fn next(&self) -> u32 {
        self.records.len() as u32 * IN_PAGE
    }

    /// The list of names: the last.
    pub fn names(&self) -> usize {
        self.lists.len().saturating_sub(1)
    }

    /// For each number where the record stands in its page.
    pub fn places(&self) -> Result<Vec<u32>, Damaged> {
        let pages: Vec<Vec<u32>> = self
            .records
            .par_iter()
            .map(|content| {
                let mut reader = Reader { bytes: content, at: 0 };
                let mut places = Vec::with_capacity(IN_PAGE as usize);
                while reader.at < content.len() {
                    let place = reader.at as u32;
                    if reader.varint()? == 0 {
                        places.push(GONE);
                        continue;
                    }
                    for _ in 0..=self.slots {
                        let length = reader.varint()?;
                        reader.take(length)?;
                    }
                    places.push(place);
                }
                places.resize(IN_PAGE as usize, GONE);
                Ok(places)
            })
            .collect::<Result<_, Damaged>>()?;
        Ok(pages.concat())
    }

    /// The record of this number, which stands there in its page.
    pub fn record(&self, number: u32, place: u32) -> Result<Kept<'_>, Damaged> {
        let content = &self.records[(number / IN_PAGE) as usize];
        record(&mut Reader { bytes: content, at: place as usize }, self.slots)?
            .ok_or(Damaged::at(place as usize))
    }

    /// Calls `each` with the place in `wanted`, blocks in ascending order, and records of that block,
    /// maybe twice: with those of the last full run, and with those that came since.
    pub fn each_wanted(
        &self,
        list: usize,
        wanted: &[u64],
        mut each: impl FnMut(usize, &[u32]),
    ) -> Result<(), Damaged> {
        for pages in self.lists.get(list).into_iter().flatten() {
            let mut next = 0;
            for (n, (first, content)) in pages.iter().enumerate() {
                let end = pages.get(n + 1).map_or(u64::MAX, |(first, _)| *first as u64);
                next += wanted[next..].partition_point(|&block| block < *first as u64);
                if wanted.get(next).is_none_or(|&block| block >= end) {
                    continue;
                }
                each_block(*first, content, |block, members| {
                    while wanted.get(next).is_some_and(|&wanted| wanted < block) {
                        next += 1;
                    }
                    if wanted.get(next) == Some(&block) {
                        each(next, &members.numbers()?);
                    }
                    Ok(())
                })?;
            }
        }
        Ok(())
    }

    /// Calls `each` with every block of a list, and each of its records, that came since the last full
    /// run.
    pub fn each_new(&self, list: usize, mut each: impl FnMut(u64, u32)) -> Result<(), Damaged> {
        for (first, content) in self.lists.get(list).map_or(&[][..], |list| &list[1]) {
            each_block(*first, content, |block, members| {
                members.numbers()?.into_iter().for_each(|record| each(block, record));
                Ok(())
            })?;
        }
        Ok(())
    }

    /// All pairs.
    pub fn edges(&self) -> Result<Vec<KeptPair>, Damaged> {
        let mut found = Vec::new();
        self.edges.iter().try_for_each(|content| edges_of(content, &mut found))?;
        Ok(found)
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        let lists = self.lists.iter().flatten().flatten().map(|(_, content)| content);
        let pages = self.records.iter().chain(&self.edges).chain(lists);
        pages.map(|content| content.len() + 2 * size_of::<usize>()).sum()
    }
}
