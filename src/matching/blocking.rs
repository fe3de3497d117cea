//! Which pairs of records are compared: those that agree in all keys of a rule.

use super::kind::Kind;
use super::pool;
use super::records::Records;
use super::sample::mix;
use super::text::{skeleton, soundex};
use super::watch::{Stopped, Watch};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// What is taken of a value as a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transform {
    Exact,
    /// The first so many characters.
    Prefix(u8),
    /// The last so many characters.
    Suffix(u8),
    Soundex,
    /// How a name sounds, by [`skeleton`].
    Sound,
    /// Of a date.
    Year,
    /// Month and day of a date, in either order.
    MonthDay,
    /// An e-mail address without its domain.
    User,
    /// The word that comes first by the alphabet, of those with more than two letters.
    FirstWord,
    /// The word that comes last by the alphabet.
    LastWord,
    Digits,
}

impl Transform {
    /// The key of a value; `None` if it has none.
    pub fn of(self, value: &str) -> Option<String> {
        let key = match self {
            Transform::Exact => value.to_owned(),
            Transform::Prefix(length) => value.chars().take(length.into()).collect(),
            Transform::Suffix(length) => {
                let start = value.char_indices().rev().nth(usize::from(length).saturating_sub(1))?.0;
                value[start..].to_owned()
            }
            Transform::Soundex => soundex(value),
            Transform::Sound => skeleton(value),
            Transform::Year => value.get(..4)?.to_owned(),
            Transform::MonthDay => {
                let (month, day) = (value.get(4..6)?, value.get(6..8)?);
                if month < day { format!("{month}{day}") } else { format!("{day}{month}") }
            }
            Transform::User => value.split('@').next()?.to_owned(),
            Transform::FirstWord => value.split(' ').filter(|word| word.len() > 2).min()?.to_owned(),
            Transform::LastWord => value.split(' ').filter(|word| word.len() > 2).max()?.to_owned(),
            Transform::Digits => value.chars().filter(char::is_ascii_digit).collect(),
        };
        (!key.is_empty()).then_some(key)
    }

    /// The transforms that make sense for a kind.
    fn of_kind(kind: Kind) -> &'static [Transform] {
        use Transform::*;
        match kind {
            Kind::GivenName => &[Exact, Prefix(3), Sound],
            Kind::FamilyName => &[Exact, Prefix(3), Sound],
            Kind::FullName => &[Exact, FirstWord, LastWord, Prefix(4)],
            Kind::Date => &[Exact, Year, MonthDay],
            Kind::Email => &[Exact, User, Prefix(4)],
            Kind::Phone => &[Exact, Prefix(5), Suffix(4)],
            Kind::Id => &[Exact, Prefix(4), Suffix(4)],
            Kind::PostalCode => &[Exact],
            Kind::Text => &[Exact, Prefix(5), FirstWord],
            Kind::Gender | Kind::Category | Kind::Number | Kind::Set => &[Exact],
            Kind::Location => &[],
        }
    }
}

/// A part of a rule: two records agree in it if the transform of this field is equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    pub field: usize,
    pub transform: Transform,
}

/// Keys of all records.
pub struct Keys {
    pub keys: Vec<Key>,
    /// Where each key's numbers stand in a row, one for each value of its field.
    columns: Vec<Range<usize>>,
    width: usize,
    /// Row by row a number for what each key is of a value; 0 is none. It comes from the text alone,
    /// so that nothing depends on the order of records.
    rows: Vec<u32>,
}

/// Keys there can be, each a bit.
pub const MOST_KEYS: usize = 64;

impl Keys {
    pub fn new(records: &Records, keys: Vec<Key>) -> Self {
        let mut width = 0;
        let columns: Vec<Range<usize>> = keys
            .iter()
            .map(|key| {
                let start = width;
                width += records.fields[key.field].spec.slots;
                start..width
            })
            .collect();
        let numbers: Vec<Vec<u32>> = pool::map(&keys, |key| numbers(records, *key));
        let mut rows = vec![0; width * records.len()];
        let fill = |(record, row): (usize, &mut [u32])| {
            let codes = records.row(record as u32);
            for ((key, columns), numbers) in keys.iter().zip(&columns).zip(&numbers) {
                let values = records.codes_of(key.field, codes);
                for (number, &code) in row[columns.clone()].iter_mut().zip(values) {
                    *number = numbers[code as usize];
                }
            }
        };
        match pool::is_in_pool() {
            true => rows.par_chunks_mut(width.max(1)).enumerate().for_each(fill),
            false => rows.chunks_mut(width.max(1)).enumerate().for_each(fill),
        }
        Keys { keys, columns, width, rows }
    }

    /// All keys that make sense.
    pub fn all(records: &Records) -> Self {
        let keys = records.fields.iter().enumerate().flat_map(|(field, of)| {
            let transforms = Transform::of_kind(of.spec.comparison.kind);
            transforms.iter().map(move |&transform| Key { field, transform })
        });
        Self::new(records, keys.take(MOST_KEYS).collect())
    }

    /// The numbers of a record's keys.
    pub fn row(&self, record: u32) -> &[u32] {
        &self.rows[record as usize * self.width..][..self.width]
    }

    /// Bytes that they take.
    pub fn bytes(&self) -> usize {
        4 * self.rows.len()
    }

    /// The keys in which two rows agree, as bits.
    pub fn agree(&self, a: &[u32], b: &[u32]) -> u64 {
        let mut agree = 0;
        if self.width == self.keys.len() {
            for (key, (&x, &y)) in a.iter().zip(b).enumerate() {
                agree |= u64::from(x == y && x > 0) << key;
            }
            return agree;
        }
        for (key, columns) in self.columns.iter().enumerate() {
            let (a, b) = (&a[columns.clone()], &b[columns.clone()]);
            agree |= u64::from(a.iter().any(|&x| x > 0 && b.contains(&x))) << key;
        }
        agree
    }

    /// Calls `each` with a number for every block of a rule to which a row belongs: one if no field
    /// has several values.
    pub fn each_block(&self, rule: Rule, row: &[u32], mut each: impl FnMut(u64)) {
        self.add_key(rule.0, row, SEED, &mut each);
    }

    /// Calls `each` with the blocks to which records belong, and the record.
    fn each_posting(&self, rule: Rule, records: Range<u32>, mut each: impl FnMut(u64, u32)) {
        if self.overlap(rule) {
            for record in records {
                self.each_block(rule, self.row(record), |block| each(block, record));
            }
            return;
        }
        let columns: Vec<usize> = (0..self.keys.len())
            .filter(|key| rule.0 >> key & 1 == 1)
            .map(|key| self.columns[key].start)
            .collect();
        for record in records {
            let row = self.row(record);
            if columns.iter().all(|&column| row[column] > 0) {
                each(
                    columns.iter().fold(SEED, |block, &column| mix(block ^ u64::from(row[column]))),
                    record,
                );
            }
        }
    }

    fn add_key(&self, rest: u64, row: &[u32], block: u64, each: &mut impl FnMut(u64)) {
        if rest == 0 {
            return each(block);
        }
        let numbers = &row[self.columns[rest.trailing_zeros() as usize].clone()];
        for (n, &number) in numbers.iter().enumerate() {
            if number > 0 && !numbers[..n].contains(&number) {
                self.add_key(rest & (rest - 1), row, mix(block ^ u64::from(number)), each);
            }
        }
    }

    /// Whether two records can share several blocks of a rule: where a field has several values.
    pub fn overlap(&self, rule: Rule) -> bool {
        (0..self.keys.len()).any(|key| rule.0 >> key & 1 == 1 && self.columns[key].len() > 1)
    }

    /// The keys of a rule.
    pub fn of(&self, rule: Rule) -> Vec<Key> {
        (0..self.keys.len()).filter(|key| rule.0 >> key & 1 == 1).map(|key| self.keys[key]).collect()
    }
}

/// Where numbers of blocks begin.
const SEED: u64 = 0x5eed;

/// A number for what a key is of each value.
fn numbers(records: &Records, Key { field, transform }: Key) -> Vec<u32> {
    let number = |value: &str| {
        transform.of(value).map_or(0, |key| {
            let hash = key.bytes().fold(SEED, |hash, byte| mix(hash ^ u64::from(byte)));
            ((hash >> 32) as u32).max(1)
        })
    };
    records.dictionary(field).values().map(number).collect()
}

/// Keys that two records must agree in, as bits. Without any, all pairs are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Rule(pub u64);

impl Rule {
    pub fn holds(self, agree: u64) -> bool {
        agree & self.0 == self.0
    }
}

/// Rules of which any may hold. Asked of hundreds of rules for each of a million pairs, those of one and
/// of two keys answer by the keys that agree, which are few.
pub struct AnyRule {
    /// For each key those with which it makes a rule; itself, if alone.
    partners: [u64; MOST_KEYS],
    longer: Vec<Rule>,
}

impl AnyRule {
    pub fn of(rules: impl IntoIterator<Item = Rule>) -> Self {
        let mut any = AnyRule { partners: [0; MOST_KEYS], longer: Vec::new() };
        for Rule(keys) in rules {
            match keys.count_ones() {
                1 | 2 => any.partners[keys.trailing_zeros() as usize] |= 1 << keys.ilog2(),
                _ => any.longer.push(Rule(keys)),
            }
        }
        any
    }

    /// Whether one of them holds for a pair that agrees in these keys.
    pub fn holds(&self, agree: u64) -> bool {
        let mut left = agree;
        while left != 0 {
            if agree & self.partners[left.trailing_zeros() as usize] != 0 {
                return true;
            }
            left &= left - 1;
        }
        self.longer.iter().any(|rule| rule.holds(agree))
    }
}

/// Records that are looked at between two looks whether to go on.
const STRETCH: u32 = 16_384;

/// Records of a share of a rule's blocks, 1 of `one_of`, block by block.
pub fn blocks(
    records: &Records,
    keys: &Keys,
    rule: Rule,
    one_of: u64,
    watch: &Watch,
) -> Result<Vec<(u64, u32)>, Stopped> {
    let stretches: Vec<Vec<(u64, u32)>> = stretches(records)
        .into_par_iter()
        .map(|stretch| {
            watch.go_on()?;
            let mut found = Vec::with_capacity(stretch.len());
            keys.each_posting(rule, stretch, |block, record| {
                if one_of == 1 || mix(block).is_multiple_of(one_of) {
                    found.push((block, record));
                }
            });
            Ok(found)
        })
        .collect::<Result<_, Stopped>>()?;
    let mut blocks = stretches.concat();
    watch.go_on()?;
    blocks.par_sort_unstable();
    Ok(blocks)
}

/// How many pairs a share of a rule's blocks makes, 1 of `one_of`.
pub fn pairs(
    records: &Records,
    keys: &Keys,
    rule: Rule,
    one_of: u64,
    watch: &Watch,
) -> Result<f64, Stopped> {
    let mut blocks = Vec::with_capacity(records.len());
    for stretch in stretches(records) {
        watch.go_on()?;
        keys.each_posting(rule, stretch, |block, _| {
            if one_of == 1 || mix(block).is_multiple_of(one_of) {
                blocks.push(block);
            }
        });
    }
    blocks.sort_unstable();
    let pairs = |records: f64| records * (records - 1.0) / 2.0;
    Ok(blocks.chunk_by(|a, b| a == b).map(|block| pairs(block.len() as f64)).sum())
}

fn stretches(records: &Records) -> Vec<Range<u32>> {
    let count = records.len() as u32;
    (0..count).step_by(STRETCH as usize).map(|first| first..count.min(first + STRETCH)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_rule_holds_if_one_does(
            keys in prop::collection::vec(prop::collection::vec(0..MOST_KEYS, 0..4), 0..8),
            agree in prop::collection::vec(0..MOST_KEYS, 0..8),
        ) {
            let bits = |keys: &[usize]| keys.iter().fold(0, |bits, key| bits | 1 << key);
            let rules: Vec<Rule> = keys.iter().map(|keys| Rule(bits(keys))).collect();
            let one_does = rules.iter().any(|rule| rule.holds(bits(&agree)));
            prop_assert_eq!(AnyRule::of(rules).holds(bits(&agree)), one_does);
        }
    }
}
