//! What is certain about some records, to learn from.

use rustc_hash::FxHashMap;

/// What is certain about a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Label {
    /// The two are one person's.
    Matched,
    /// They are not.
    Apart,
    /// They have nothing to do with each other.
    Unrelated,
}

/// Whose some records are.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// For each record what names its person: a type of identifiers, and one of them.
    persons: FxHashMap<u32, (u16, i64)>,
    /// What somebody has said of pairs, the lesser record first: that they are one person's, or not.
    pairs: FxHashMap<(u32, u32), bool>,
}

impl Known {
    /// Says which identifier of a type, both by number, names a record's person.
    pub fn name(&mut self, record: u32, kind: u16, identifier: i64) {
        self.persons.insert(record, (kind, identifier));
    }

    /// Says that two records are one person's, or are not.
    pub fn say(&mut self, a: u32, b: u32, same: bool) {
        self.pairs.insert((a.min(b), a.max(b)), same);
    }

    /// What is certain of two records. That two have different numbers says little: somebody may have
    /// two.
    pub fn label(&self, a: u32, b: u32) -> Option<Label> {
        if self.persons.is_empty() && self.pairs.is_empty() {
            return None;
        }
        match self.pairs.get(&(a.min(b), a.max(b))) {
            Some(true) => Some(Label::Matched),
            Some(false) => Some(Label::Apart),
            None => (self.same_name(a, b) == Some(true)).then_some(Label::Matched),
        }
    }

    /// Whether two records are known by the same identifier, if by ones of the same type.
    pub fn same_name(&self, a: u32, b: u32) -> Option<bool> {
        let (of_a, of_b) = (self.persons.get(&a)?, self.persons.get(&b)?);
        (of_a.0 == of_b.0).then_some(of_a.1 == of_b.1)
    }
}
