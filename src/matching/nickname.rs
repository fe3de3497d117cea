//! Given names and how else they are written.

use rustc_hash::FxHashMap;

/// Groups of names: one and its nicknames.
#[derive(Debug, Default)]
pub struct Nicknames {
    numbers: FxHashMap<Box<str>, u32>,
    /// The groups each folded name is in, in order.
    groups: FxHashMap<Box<str>, Vec<u32>>,
}

impl Nicknames {
    /// Says that who is called `name` may be written `nickname`, both folded.
    pub fn add(&mut self, name: &str, nickname: &str) {
        let next = self.numbers.len() as u32;
        let group = *self.numbers.entry(name.into()).or_insert(next);
        for member in [name, nickname] {
            let groups = self.groups.entry(member.into()).or_default();
            if let Err(place) = groups.binary_search(&group) {
                groups.insert(place, group);
            }
        }
    }

    /// Whether two names are of one group.
    pub fn are(&self, a: &str, b: &str) -> bool {
        let (Some(a), Some(b)) = (self.groups.get(a), self.groups.get(b)) else { return false };
        a.iter().any(|group| b.binary_search(group).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_nicknames_of_one_name_are_alike() {
        let mut nicknames = Nicknames::default();
        for (name, nickname) in
            [("william", "bill"), ("william", "will"), ("wilhelmina", "will"), ("wilhelmina", "mina")]
        {
            nicknames.add(name, nickname);
        }
        assert!(
            nicknames.are("bill", "will")
                && nicknames.are("william", "bill")
                && nicknames.are("mina", "will")
        );
        assert!(!nicknames.are("bill", "mina") && !nicknames.are("bill", "robert"));
    }
}
