//! Records in memory: every value once in a dictionary, every record a row of codes.

use super::compare::{CROSSED, Comparison, Level, MISSING, NICKNAME};
use super::frequency::{CLASSES, Frequencies, class};
use super::kind::Kind;
use super::known::Known;
use super::nickname::{Nicknames, are_nicknames};
use super::pool;
use super::value;
use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;
use std::hash::BuildHasher;
use std::mem::size_of;
use std::ops::Range;
use std::sync::Arc;

/// What is compared of records.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldSpec {
    pub name: String,
    pub comparison: Comparison,
    /// Whether dates such as 01/02/2000 have the day first.
    pub day_first: bool,
    /// How many values a record can have.
    pub slots: usize,
}

/// A field of [`Records`].
#[derive(Clone)]
pub struct Field {
    pub spec: FieldSpec,
    /// The places of its values in a row.
    columns: Range<usize>,
    /// Of what dictionary its codes are: names share one, as they may stand in each other's place.
    dictionary: usize,
    /// How often each value of the dictionary stands in this field, by code.
    counts: Vec<u32>,
    /// Values in all records.
    filled: u32,
}

/// A short value, or where a longer one stands: it is read a hundred million times from random places,
/// and so must take one line of the cache.
#[derive(Clone, Copy, Default)]
#[repr(align(16))]
struct Entry([u8; 16]);

/// Bytes of a value that fit into an entry, whose last byte says how many it has.
const SHORT: usize = 15;

/// The last byte of the entry of a longer value: its place and length are in the others.
const LONG: u8 = 0xff;

/// Distinct values; the code of one is its place, 0 is none.
#[derive(Clone)]
pub struct Dictionary {
    /// Codes by the hash of their text, and that.
    codes: HashTable<(u32, u32)>,
    entries: Vec<Entry>,
    /// Longer values.
    text: String,
    /// For names the groups of nicknames each is in.
    groups: Option<Vec<Box<[u32]>>>,
}

impl Dictionary {
    fn new(of_names: bool) -> Self {
        let groups = of_names.then(|| vec![Box::default()]);
        Dictionary {
            codes: HashTable::new(),
            entries: vec![Entry::default()],
            text: String::new(),
            groups,
        }
    }

    fn code(&mut self, value: &str, nicknames: &Nicknames) -> u32 {
        let hash = hash(value);
        if let Some(code) = self.find_hashed(hash, value) {
            return code;
        }
        let code = self.entries.len() as u32;
        self.entries.push(put(value, &mut self.text));
        self.codes.insert_unique(spread(hash), (hash, code), |&(hash, _)| spread(hash));
        if let Some(groups) = &mut self.groups {
            groups.push(nicknames.groups(value).into());
        }
        code
    }

    /// The code of a value, if there is one.
    pub fn find(&self, value: &str) -> Option<u32> {
        self.find_hashed(hash(value), value)
    }

    fn find_hashed(&self, hash: u32, value: &str) -> Option<u32> {
        let is_it = |&(other, code): &(u32, u32)| other == hash && self.value(code) == value;
        self.codes.find(spread(hash), is_it).map(|&(_, code)| code)
    }

    /// The groups of nicknames that a value is in, if these are names.
    pub fn groups(&self, code: u32) -> &[u32] {
        self.groups.as_ref().map_or(&[], |groups| &groups[code as usize])
    }

    pub fn value(&self, code: u32) -> &str {
        read(&self.entries[code as usize], &self.text)
    }

    /// How many codes there are, 0 among them.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// All values by code, the empty one of 0 first.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        (0..self.entries.len() as u32).map(|code| self.value(code))
    }

    fn bytes(&self) -> usize {
        let groups = self.groups.as_ref().map_or(0, |groups| groups.len() * size_of::<Box<[u32]>>());
        self.text.len()
            + self.entries.len() * (size_of::<Entry>() + 2 * size_of::<(u32, u32)>())
            + groups
    }
}

fn hash(value: &str) -> u32 {
    (FxBuildHasher.hash_one(value) >> 32) as u32
}

/// A table of hashes looks at the upper bits, and at the lower ones.
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

/// The entry of a value; a longer one goes to the end of `text`.
fn put(value: &str, text: &mut String) -> Entry {
    let mut entry = Entry::default();
    if value.len() <= SHORT {
        entry.0[..value.len()].copy_from_slice(value.as_bytes());
        entry.0[SHORT] = value.len() as u8;
    } else {
        entry.0[..8].copy_from_slice(&text.len().to_le_bytes());
        entry.0[8..12].copy_from_slice(&(value.len() as u32).to_le_bytes());
        entry.0[SHORT] = LONG;
        text.push_str(value);
    }
    entry
}

/// What [`put`] has put.
fn read<'t>(Entry(entry): &'t Entry, text: &'t str) -> &'t str {
    if entry[SHORT] != LONG {
        // Checking so few bytes takes less than to wait for another line.
        return std::str::from_utf8(&entry[..usize::from(entry[SHORT])]).unwrap_or_default();
    }
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0, |sum, &byte| sum << 8 | usize::from(byte));
    let start = number(&entry[..8]);
    &text[start..start + number(&entry[8..12])]
}

/// Records that may be about the same people.
#[derive(Clone)]
pub struct Records {
    pub fields: Vec<Field>,
    dictionaries: Vec<Dictionary>,
    /// Row by row, the codes of all fields' values.
    codes: Vec<u32>,
    width: usize,
    /// What each record is of, such as a source: in link-only matching two of one are not compared.
    sides: Vec<u16>,
    link_only: bool,
    nicknames: Arc<Nicknames>,
    /// Places of given and family name, which may be crossed.
    crossable: Option<(usize, usize)>,
    /// What is certain about them. Said when they are in their order.
    pub known: Known,
}

/// Records from which on fields are read side by side.
const MANY: usize = 256;

impl Field {
    /// Counts values that have come.
    fn count(&mut self, codes: &[u32]) {
        for code in codes.iter().map(|&code| code as usize).filter(|&code| code > 0) {
            if self.counts.len() <= code {
                self.counts.resize((code + 1).next_power_of_two(), 0);
            }
            self.counts[code] += 1;
            self.filled += 1;
        }
    }
}

/// Pairs of so many records of each side that are compared if nothing keeps them apart.
pub fn pairs_of(sides: impl Iterator<Item = f64>, link_only: bool) -> f64 {
    let pairs = |count: f64| count * (count - 1.0) / 2.0;
    let (mut all, mut within) = (0.0, 0.0);
    for count in sides {
        all += count;
        within += pairs(count);
    }
    pairs(all) - if link_only { within } else { 0.0 }
}

fn names_are_in(kind: Kind) -> bool {
    matches!(kind, Kind::GivenName | Kind::FamilyName)
}

impl Records {
    /// No records yet.
    pub fn new(specs: &[FieldSpec], link_only: bool, nicknames: impl Into<Arc<Nicknames>>) -> Self {
        let mut dictionaries = Vec::new();
        let mut names = None;
        let mut width = 0;
        let fields: Vec<Field> = specs
            .iter()
            .map(|spec| {
                let mut fresh = || {
                    dictionaries.push(Dictionary::new(names_are_in(spec.comparison.kind)));
                    dictionaries.len() - 1
                };
                let dictionary = match spec.comparison.kind {
                    kind if names_are_in(kind) => *names.get_or_insert_with(fresh),
                    _ => fresh(),
                };
                let columns = width..width + spec.slots;
                width = columns.end;
                Field { spec: spec.clone(), columns, dictionary, counts: Vec::new(), filled: 0 }
            })
            .collect();
        let place =
            |kind| fields.iter().position(|field: &Field| field.spec.comparison.is_standard(kind));
        let crossable = place(Kind::GivenName).zip(place(Kind::FamilyName));
        Records {
            fields,
            dictionaries,
            codes: Vec::new(),
            width,
            sides: Vec::new(),
            link_only,
            nicknames: nicknames.into(),
            crossable,
            known: Known::default(),
        }
    }

    /// Adds a record: for each slot of each field its value as it is written, empty if it has none.
    pub fn push<'v>(&mut self, values: impl Iterator<Item = &'v str>, side: u16) {
        let values: Vec<&str> = values.collect();
        self.push_many([side].into_iter(), |_, slot| values[slot]);
    }

    /// Adds a record of each of these sides; `value` has what is written in a slot of one of them.
    /// Fields are read side by side if there are many.
    pub fn push_many<'v>(
        &mut self,
        sides: impl ExactSizeIterator<Item = u16>,
        value: impl Fn(usize, usize) -> &'v str + Sync,
    ) {
        let canonical =
            |spec: &FieldSpec, raw| value::canonical(spec.comparison.kind, raw, spec.day_first);
        self.add(sides, value, canonical);
    }

    /// The same of values that [`Records::values`] has said.
    pub fn push_canonical<'v>(
        &mut self,
        sides: impl ExactSizeIterator<Item = u16>,
        value: impl Fn(usize, usize) -> &'v str + Sync,
    ) {
        self.add(sides, value, |_, value| (!value.is_empty()).then_some(value));
    }

    fn add<'v, V: AsRef<str>>(
        &mut self,
        sides: impl ExactSizeIterator<Item = u16>,
        value: impl Fn(usize, usize) -> &'v str + Sync,
        canonical: impl Fn(&FieldSpec, &'v str) -> Option<V> + Sync,
    ) {
        let count = sides.len();
        self.sides.extend(sides);
        let Records { fields, dictionaries, nicknames, .. } = self;
        let mut of_dictionary: Vec<Vec<&mut Field>> = dictionaries.iter().map(|_| Vec::new()).collect();
        fields.iter_mut().for_each(|field| of_dictionary[field.dictionary].push(field));
        let work = dictionaries.iter_mut().zip(of_dictionary);
        let encode = |(dictionary, fields): (&mut Dictionary, Vec<&mut Field>)| {
            let mut columns = Vec::new();
            for field in fields {
                for slot in field.columns.clone() {
                    // All values first: then the processor looks up several codes at once.
                    let canonical = |record| canonical(&field.spec, value(record, slot));
                    let values: Vec<Option<V>> = (0..count).map(canonical).collect();
                    let mut code = |value: V| dictionary.code(value.as_ref(), nicknames);
                    let codes: Vec<u32> =
                        values.into_iter().map(|value| value.map_or(0, &mut code)).collect();
                    field.count(&codes);
                    columns.push((slot, codes));
                }
            }
            columns
        };
        let columns: Vec<Vec<(usize, Vec<u32>)>> = match count {
            MANY.. => pool::map(work.collect::<Vec<_>>(), encode),
            _ => work.map(encode).collect(),
        };
        let first = self.codes.len();
        self.codes.resize(first + count * self.width, 0);
        for (slot, codes) in columns.into_iter().flatten() {
            let places = self.codes.iter_mut().skip(first + slot).step_by(self.width);
            places.zip(codes).for_each(|(place, code)| *place = code);
        }
    }

    /// Puts the records into another order: `order` has the places they stand at now.
    pub fn reorder(&mut self, order: &[u32]) {
        self.codes = order.iter().flat_map(|&record| self.row(record).iter().copied()).collect();
        self.sides = order.iter().map(|&record| self.sides[record as usize]).collect();
    }

    pub fn len(&self) -> usize {
        self.sides.len()
    }

    /// Given and family name, which may stand in each other's place.
    pub fn crossable(&self) -> Option<(usize, usize)> {
        self.crossable
    }

    pub fn link_only(&self) -> bool {
        self.link_only
    }

    pub fn side(&self, record: u32) -> u16 {
        self.sides[record as usize]
    }

    /// About how much memory they take, in bytes.
    pub fn bytes(&self) -> usize {
        let dictionaries: usize = self.dictionaries.iter().map(Dictionary::bytes).sum();
        let counts: usize = self.fields.iter().map(|field| field.counts.len()).sum();
        dictionaries + 4 * (self.codes.len() + counts) + 2 * self.sides.len()
    }

    pub fn row(&self, record: u32) -> &[u32] {
        &self.codes[record as usize * self.width..][..self.width]
    }

    /// The codes of a field's values in a row.
    pub fn codes_of<'r>(&self, field: usize, row: &'r [u32]) -> &'r [u32] {
        &row[self.fields[field].columns.clone()]
    }

    pub fn dictionary(&self, field: usize) -> &Dictionary {
        &self.dictionaries[self.fields[field].dictionary]
    }

    /// The canonical value of each slot of each field, empty if there is none.
    pub fn values(&self, record: u32) -> impl Iterator<Item = &str> {
        let row = self.row(record);
        (0..self.fields.len()).flat_map(move |field| {
            self.codes_of(field, row).iter().map(move |&code| self.dictionary(field).value(code))
        })
    }

    /// A record's value of a field; of several the first.
    pub fn value(&self, field: usize, record: u32) -> Option<&str> {
        let code = self.codes_of(field, self.row(record)).iter().find(|&&code| code > 0)?;
        Some(self.dictionary(field).value(*code))
    }

    /// The share of records with a value of a field, 0 to 1.
    pub fn fill_rate(&self, field: usize) -> f64 {
        let field = &self.fields[field];
        f64::from(field.filled) / (self.len().max(1) * field.spec.slots) as f64
    }

    /// How many values of a field there are.
    pub fn distinct(&self, field: usize) -> usize {
        self.fields[field].counts.iter().filter(|&&count| count > 0).count()
    }

    pub fn frequencies(&self, field: usize) -> Frequencies {
        let counts = self.fields[field].counts.iter().copied();
        Frequencies::new(self.dictionary(field).values().zip(counts))
    }

    /// The shares of a field's values whose frequency is of each class.
    pub fn class_shares(&self, field: usize) -> [f64; CLASSES] {
        let Field { counts, filled, .. } = &self.fields[field];
        let filled = f64::from(*filled);
        // Whole numbers: the order of codes, which is that of reading, must not matter.
        let mut of_class = [0u64; CLASSES];
        for &count in counts.iter().filter(|&&count| count > 0) {
            of_class[class(f64::from(count) / filled)] += u64::from(count);
        }
        of_class.map(|count| if count > 0 { count as f64 / filled } else { 0.0 })
    }

    /// Pairs of records that are compared if nothing keeps them apart.
    pub fn all_pairs(&self) -> f64 {
        let mut of_side: Vec<f64> = Vec::new();
        for &side in &self.sides {
            if of_side.len() <= usize::from(side) {
                of_side.resize(usize::from(side) + 1, 0.0);
            }
            of_side[usize::from(side)] += 1.0;
        }
        pairs_of(of_side.into_iter(), self.link_only)
    }

    /// Whether two records are compared at all.
    pub fn comparable(&self, a: u32, b: u32) -> bool {
        a != b && !(self.link_only && self.sides[a as usize] == self.sides[b as usize])
    }

    /// How alike two rows are: the level of each field. `level_of` says it of two values, as
    /// [`Records::level_of`] does.
    pub fn compare(
        &self,
        a: &[u32],
        b: &[u32],
        level_of: impl Fn(usize, u32, u32) -> Level,
        levels: &mut [Level],
    ) {
        for (field, level) in levels.iter_mut().enumerate() {
            let (x, y) = (self.codes_of(field, a), self.codes_of(field, b));
            let all = x.iter().flat_map(|&x| y.iter().map(move |&y| (x, y)));
            // The values of a field that are most alike count.
            *level = all.map(|(x, y)| level_of(field, x, y)).max().unwrap_or(MISSING);
        }
        if let Some((given, family)) = self.crossable {
            self.cross(given, family, a, b, levels);
        }
    }

    /// Whether a given name of one row is a family name of the other.
    pub fn may_be_crossed(&self, a: &[u32], b: &[u32]) -> bool {
        self.crossable.is_some_and(|(given, family)| {
            let of = |field, row| self.codes_of(field, row);
            let meet = |x: &[u32], y: &[u32]| x.iter().any(|&code| code > 0 && y.contains(&code));
            meet(of(given, a), of(family, b)) || meet(of(family, a), of(given, b))
        })
    }

    /// Sees given and family names that stand in each other's place: the given name's level then says
    /// it for both.
    fn cross(&self, given: usize, family: usize, a: &[u32], b: &[u32], levels: &mut [Level]) {
        if levels[given] >= CROSSED || levels[family] >= CROSSED {
            return;
        }
        let first = |field: usize, row: &[u32]| self.codes_of(field, row)[0];
        let same = |p: u32, q: u32| p > 0 && p == q;
        let fits = |p: u32, q: u32| p == 0 || q == 0 || self.level_of(given, p, q) > CROSSED;
        let here = (first(given, a), first(family, b));
        let there = (first(family, a), first(given, b));
        if same(here.0, here.1) && fits(there.0, there.1)
            || same(there.0, there.1) && fits(here.0, here.1)
        {
            levels[given] = CROSSED;
            levels[family] = MISSING;
        }
    }

    /// The level of two values of a field.
    pub fn level_of(&self, field: usize, a: u32, b: u32) -> Level {
        if a == 0 || b == 0 {
            return MISSING;
        }
        let Field { spec, dictionary, .. } = &self.fields[field];
        if a == b {
            return spec.comparison.top();
        }
        let dictionary = &self.dictionaries[*dictionary];
        let (x, y) = (dictionary.value(a), dictionary.value(b));
        // A similarity may differ in its last bit with the order.
        let (x, y) = if x < y { (x, y) } else { (y, x) };
        let level = spec.comparison.level(x, y);
        let nicknamed = level < NICKNAME
            && spec.comparison.is_standard(Kind::GivenName)
            && are_nicknames(dictionary.groups(a), dictionary.groups(b));
        if nicknamed { NICKNAME } else { level }
    }
}
