//! Canonical identifiers by small number.

use hashbrown::HashTable;
use rustc_hash::FxHasher;
use std::hash::Hasher;

/// Canonical texts (`type:value`), each once, numbered from 0 in order of arrival.
#[derive(Default)]
pub struct Interner {
    text: String,
    /// Where each text ends; it begins where the one before ends.
    ends: Vec<usize>,
    numbers: HashTable<Slot>,
    scratch: String,
}

/// A number with the hash of its text, so that growing the table and passing over others reads
/// no text.
struct Slot {
    hash: u32,
    number: u32,
}

impl Interner {
    /// The number of `type_name:value`, and whether it is new; `None` if it is new and not `allowed`.
    pub fn intern_if(
        &mut self,
        type_name: &str,
        value: &str,
        allowed: impl FnOnce() -> bool,
    ) -> Option<(u32, bool)> {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        scratch.push_str(type_name);
        scratch.push(':');
        scratch.push_str(value);
        let result = self.intern_text_if(&scratch, allowed);
        self.scratch = scratch;
        result
    }

    /// The number of `type_name:value`, and whether it is new.
    pub fn intern(&mut self, type_name: &str, value: &str) -> (u32, bool) {
        self.intern_if(type_name, value, || true).unwrap_or_default()
    }

    /// The number of the canonical identifier `text`, and whether it is new.
    pub fn intern_text(&mut self, text: &str) -> (u32, bool) {
        self.intern_text_if(text, || true).unwrap_or_default()
    }

    fn intern_text_if(&mut self, text: &str, allowed: impl FnOnce() -> bool) -> Option<(u32, bool)> {
        let Interner { text: all, ends, numbers, .. } = self;
        let hash = hash(text);
        let entry = numbers.entry(
            spread(hash),
            |slot| slot.hash == hash && span(all, ends, slot.number) == text,
            |slot| spread(slot.hash),
        );
        match entry {
            hashbrown::hash_table::Entry::Occupied(entry) => Some((entry.get().number, false)),
            hashbrown::hash_table::Entry::Vacant(_) if !allowed() => None,
            hashbrown::hash_table::Entry::Vacant(entry) => {
                let number = ends.len() as u32;
                entry.insert(Slot { hash, number });
                all.push_str(text);
                ends.push(all.len());
                Some((number, true))
            }
        }
    }

    /// The number of the canonical identifier `text`, if it is known.
    pub fn number(&self, text: &str) -> Option<u32> {
        let hash = hash(text);
        let same = |slot: &Slot| slot.hash == hash && self.get(slot.number) == text;
        self.numbers.find(spread(hash), same).map(|slot| slot.number)
    }

    /// The text with this number.
    pub fn get(&self, number: u32) -> &str {
        span(&self.text, &self.ends, number)
    }

    /// How many texts there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes that the texts have.
    pub fn text_bytes(&self) -> usize {
        self.text.len()
    }

    /// Bytes that the texts and their index occupy.
    pub fn memory(&self) -> usize {
        self.text.capacity()
            + self.ends.capacity() * size_of::<usize>()
            + self.numbers.capacity() * (size_of::<Slot>() + 1)
    }

    /// All numbers in the bytewise order of their texts.
    pub fn in_order(&self) -> Vec<u32> {
        // Comparing three words decides nearly always, and reads no text.
        let mut keyed: Vec<(Prefix, Tie)> = (0..self.len() as u32)
            .map(|number| {
                let text = self.get(number);
                (prefix(text), Tie { interner: self, number })
            })
            .collect();
        keyed.sort_unstable();
        keyed.into_iter().map(|(_, tie)| tie.number).collect()
    }
}

/// The first 24 bytes of a text, padded with nought.
type Prefix = (u64, u64, u64);

fn prefix(text: &str) -> Prefix {
    let mut bytes = [0u8; 24];
    let length = text.len().min(24);
    bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
    let word = |i: usize| u64::from_be_bytes(bytes[i..i + 8].try_into().unwrap_or_default());
    (word(0), word(8), word(16))
}

struct Tie<'a> {
    interner: &'a Interner,
    number: u32,
}

impl Tie<'_> {
    fn text(&self) -> &[u8] {
        self.interner.get(self.number).as_bytes()
    }
}
impl PartialEq for Tie<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}
impl Eq for Tie<'_> {}
impl PartialOrd for Tie<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Tie<'_> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.text().cmp(other.text())
    }
}

fn span<'a>(text: &'a str, ends: &[usize], number: u32) -> &'a str {
    let number = number as usize;
    let start = if number == 0 { 0 } else { ends[number - 1] };
    &text[start..ends[number]]
}

fn hash(text: &str) -> u32 {
    let mut hasher = FxHasher::default();
    hasher.write(text.as_bytes());
    (hasher.finish() >> 32) as u32
}

/// The table looks at the upper and at the lower bits (Fibonacci hashing, Knuth, TAOCP 3, 6.4).
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_order_is_bytewise(values in prop::collection::vec("[a-c]{0,30}", 1..40)) {
            let mut interner = Interner::default();
            for value in &values {
                let (number, _) = interner.intern("email", value);
                prop_assert_eq!(interner.get(number), format!("email:{value}"));
            }
            let mut texts: Vec<String> = values.iter().map(|v| format!("email:{v}")).collect();
            texts.sort();
            texts.dedup();
            let order = interner.in_order();
            let sorted: Vec<&str> = order.iter().map(|&number| interner.get(number)).collect();
            prop_assert_eq!(sorted, texts);
        }
    }
}
