//! Evidence: how often something was seen on which day, per source and label, packed.
//!
//! Counts are integers, so that adding a sighting and taking it back commute to the bit. The
//! packed form is what the tables store: for each label, ascending,
//!
//! ```text
//! varint(source << 1 | facet)  varint(length of name)  name  varint(number of days)
//! then for each day, ascending:  varint(day; the first zigzag, then differences)  varint(count)
//! ```
//!
//! with varints as in LEB128. A day whose count reaches nought is left out, a label without days
//! too, and no label at all is the empty string: equal evidence is equal bytes.

use super::Day;
use super::weight::{Decay, Weight};
use crate::packed::{Damaged, Reader, put_varint};
use rustc_hash::FxHashMap;

/// What a count counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Facet {
    /// Sightings; the label's name is the channel, empty where there is none.
    Seen,
    /// Sightings of a device as some device type, which the label names.
    DeviceType,
}

/// The key of one histogram inside the evidence of a link or an identifier.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label {
    pub facet: Facet,
    /// The source's number; 0 for [`identify()`](crate::api) calls.
    pub source: u32,
    pub name: String,
}

/// Labels by small number, so that a hot loop compares numbers.
#[derive(Debug, Default)]
pub struct Labels {
    labels: Vec<Label>,
    numbers: FxHashMap<Label, u32>,
}

impl Labels {
    /// The number of `label`, new or known.
    pub fn number(&mut self, facet: Facet, source: u32, name: &str) -> u32 {
        let label = Label { facet, source, name: name.to_owned() };
        *self.numbers.entry(label).or_insert_with_key(|label| {
            self.labels.push(label.clone());
            (self.labels.len() - 1) as u32
        })
    }

    /// The label with this number.
    pub fn get(&self, number: u32) -> &Label {
        &self.labels[number as usize]
    }

    /// How many labels there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }
}

/// `count` sightings under label `label` on `day`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    pub label: u32,
    pub day: Day,
    pub count: i64,
}

/// Appends the packed form of `cells` to `out`, adding up cells of one label and day.
///
/// Days whose sum is nought or less are left out: taking back what was never there leaves nothing.
pub fn pack(cells: &mut [Cell], labels: &Labels, out: &mut Vec<u8>) {
    if cells.len() > 1 {
        cells.sort_unstable_by(|x, y| {
            let by_label = if x.label == y.label {
                std::cmp::Ordering::Equal
            } else {
                labels.get(x.label).cmp(labels.get(y.label))
            };
            by_label.then(x.day.cmp(&y.day))
        });
    }
    let mut rest = &*cells;
    while let Some(first) = rest.first() {
        let end = rest.iter().position(|c| c.label != first.label).unwrap_or(rest.len());
        let (group, after) = rest.split_at(end);
        rest = after;
        let days = || {
            group
                .chunk_by(|x, y| x.day == y.day)
                .map(|same| (same[0].day, same.iter().map(|c| c.count).sum::<i64>()))
                .filter(|&(_, count)| count > 0)
        };
        let number_of_days = days().count();
        if number_of_days == 0 {
            continue;
        }
        let label = labels.get(first.label);
        let facet = u64::from(label.facet == Facet::DeviceType);
        put_varint(out, u64::from(label.source) << 1 | facet);
        put_varint(out, label.name.len() as u64);
        out.extend_from_slice(label.name.as_bytes());
        put_varint(out, number_of_days as u64);
        let mut previous = None;
        for (day, count) in days() {
            match previous {
                None => put_varint(out, zigzag(day)),
                Some(previous) => put_varint(out, (i64::from(day) - i64::from(previous)) as u64),
            }
            put_varint(out, count as u64);
            previous = Some(day);
        }
    }
}

/// One histogram of packed evidence: whose, and its `(day, count)` pairs in ascending order.
#[derive(Debug)]
pub struct Histogram<'a> {
    pub facet: Facet,
    pub source: u32,
    pub name: &'a str,
    pub days: Days<'a>,
}

/// The `(day, count)` pairs of one histogram.
#[derive(Clone, Debug)]
pub struct Days<'a> {
    reader: Reader<'a>,
    left: u64,
    previous: Option<Day>,
}

impl Iterator for Days<'_> {
    type Item = (Day, u64);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let step = self.reader.varint().ok()?;
        let day = match self.previous {
            None => unzigzag(step),
            Some(previous) => previous.saturating_add(i32::try_from(step).unwrap_or(i32::MAX)),
        };
        self.previous = Some(day);
        Some((day, self.reader.varint().ok()?))
    }
}

/// The histograms of packed evidence, in the order of their labels.
pub fn unpack(packed: &[u8]) -> Unpack<'_> {
    Unpack { reader: Reader { bytes: packed, at: 0 } }
}

/// See [`unpack`].
#[derive(Debug)]
pub struct Unpack<'a> {
    reader: Reader<'a>,
}

impl<'a> Iterator for Unpack<'a> {
    type Item = Result<Histogram<'a>, Damaged>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.at == self.reader.bytes.len() {
            return None;
        }
        let histogram = self.histogram();
        if histogram.is_err() {
            self.reader.at = self.reader.bytes.len();
        }
        Some(histogram)
    }
}

impl<'a> Unpack<'a> {
    fn histogram(&mut self) -> Result<Histogram<'a>, Damaged> {
        let reader = &mut self.reader;
        let head = reader.varint()?;
        let damaged = Damaged::at(reader.at);
        let facet = if head & 1 == 0 { Facet::Seen } else { Facet::DeviceType };
        let source = u32::try_from(head >> 1).map_err(|_| Damaged::at(reader.at))?;
        let length = reader.varint()?;
        let name = std::str::from_utf8(reader.take(length)?).map_err(|_| damaged)?;
        let left = reader.varint()?;
        let days = Days { reader: reader.clone(), left, previous: None };
        for _ in 0..left {
            reader.varint()?;
            reader.varint()?;
        }
        Ok(Histogram { facet, source, name, days })
    }
}

/// What the sightings of one piece of evidence come to, whatever their source and channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    pub sightings: u64,
    pub first: Day,
    pub last: Day,
    pub weight: Weight,
}

/// Adds up the sightings in `packed`; `None` where there are none (device types do not count).
///
/// With `until`, only sightings up to that day count. `scratch` is working space that is kept from
/// call to call.
pub fn summarise(
    packed: &[u8],
    decay: &Decay,
    until: Option<Day>,
    scratch: &mut Vec<(Day, u64)>,
) -> Result<Option<Summary>, Damaged> {
    scratch.clear();
    let mut histograms = 0;
    for histogram in unpack(packed) {
        let histogram = histogram?;
        if histogram.facet == Facet::Seen {
            histograms += 1;
            scratch.extend(histogram.days.filter(|&(day, _)| until.is_none_or(|u| day <= u)));
        }
    }
    if histograms > 1 {
        scratch.sort_unstable_by_key(|&(day, _)| day);
        scratch.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
            }
            same
        });
    }
    let (Some(&(first, _)), Some(&(last, _))) = (scratch.first(), scratch.last()) else {
        return Ok(None);
    };
    let sightings = scratch.iter().map(|&(_, count)| count).sum();
    Ok(Some(Summary { sightings, first, last, weight: decay.weigh(scratch) }))
}

/// The device type that most sightings in `packed` name; of several, the first by name.
pub fn device_type(packed: &[u8]) -> Result<Option<&str>, Damaged> {
    let mut counts: Vec<(&str, u64)> = Vec::new();
    for histogram in unpack(packed) {
        let histogram = histogram?;
        if histogram.facet == Facet::DeviceType {
            let count = histogram.days.map(|(_, count)| count).sum();
            match counts.iter_mut().find(|(name, _)| *name == histogram.name) {
                Some((_, sum)) => *sum += count,
                None => counts.push((histogram.name, count)),
            }
        }
    }
    let best = counts.iter().max_by(|x, y| x.1.cmp(&y.1).then(y.0.cmp(x.0)));
    Ok(best.map(|&(name, _)| name))
}

/// Appends the cells of `packed` that `keep(source, day)` approves to `cells`.
pub fn unpack_into(
    packed: &[u8],
    labels: &mut Labels,
    keep: impl Fn(u32, Day) -> bool,
    cells: &mut Vec<Cell>,
) -> Result<(), Damaged> {
    for histogram in unpack(packed) {
        let histogram = histogram?;
        let label = labels.number(histogram.facet, histogram.source, histogram.name);
        cells.extend(
            histogram.days.filter(|&(day, _)| keep(histogram.source, day)).map(|(day, count)| Cell {
                label,
                day,
                count: count as i64,
            }),
        );
    }
    Ok(())
}

fn zigzag(day: Day) -> u64 {
    ((day << 1) ^ (day >> 31)) as u32 as u64
}

fn unzigzag(value: u64) -> Day {
    let value = value as u32;
    ((value >> 1) as i32) ^ -((value & 1) as i32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn labels() -> Labels {
        let mut labels = Labels::default();
        labels.number(Facet::Seen, 7, "web");
        labels.number(Facet::DeviceType, 7, "tablet");
        labels.number(Facet::Seen, 2, "");
        labels.number(Facet::DeviceType, 2, "desktop");
        labels
    }

    fn cell() -> impl Strategy<Value = Cell> {
        (0..4u32, -50_000..50_000i32, 1..4i64).prop_map(|(label, day, count)| Cell { label, day, count })
    }

    proptest! {
        #[test]
        fn order_and_batching_do_not_matter(cells in prop::collection::vec(cell(), 0..60), split in 0..60usize) {
            let mut labels = labels();
            let mut whole = Vec::new();
            pack(&mut cells.clone(), &labels, &mut whole);

            let (early, late) = cells.split_at(split.min(cells.len()));
            let mut packed = Vec::new();
            pack(&mut late.to_vec(), &labels, &mut packed);
            let mut again = early.to_vec();
            unpack_into(&packed, &mut labels, |_, _| true, &mut again).unwrap();
            let mut batched = Vec::new();
            pack(&mut again, &labels, &mut batched);
            prop_assert_eq!(whole, batched);
        }

        #[test]
        fn adding_and_taking_back_is_the_identity(kept in prop::collection::vec(cell(), 0..30), gone in prop::collection::vec(cell(), 0..30)) {
            let labels = labels();
            let mut before = Vec::new();
            pack(&mut kept.clone(), &labels, &mut before);
            let mut cells = [kept, gone.clone()].concat();
            cells.extend(gone.iter().map(|c| Cell { count: -c.count, ..*c }));
            let mut after = Vec::new();
            pack(&mut cells, &labels, &mut after);
            prop_assert_eq!(before, after);
        }

        #[test]
        fn damaged_bytes_are_an_error_or_evidence_but_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = summarise(&bytes, &Decay::new(90.0), None, &mut Vec::new());
            let _ = device_type(&bytes);
        }
    }

    #[test]
    fn most_sightings_make_the_device_type_and_names_break_ties() {
        let mut labels = labels();
        let tv = labels.number(Facet::DeviceType, 9, "TV");
        let mut cells = vec![
            Cell { label: 1, day: 1, count: 2 },
            Cell { label: 3, day: 5, count: 3 },
            Cell { label: tv, day: 9, count: 3 },
        ];
        let mut packed = Vec::new();
        pack(&mut cells, &labels, &mut packed);
        assert_eq!(device_type(&packed).unwrap(), Some("TV"));
    }
}
