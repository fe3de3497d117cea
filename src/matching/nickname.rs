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

    /// The groups a folded name is in, in order.
    pub fn groups(&self, name: &str) -> &[u32] {
        self.groups.get(name).map_or(&[], Vec::as_slice)
    }
}

/// Whether two names are of one group, by the groups each is in.
pub fn are_nicknames(a: &[u32], b: &[u32]) -> bool {
    a.iter().any(|group| b.binary_search(group).is_ok())
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
        let are = |a: &str, b: &str| are_nicknames(nicknames.groups(a), nicknames.groups(b));
        assert!(are("bill", "will") && are("william", "bill") && are("mina", "will"));
        assert!(!are("bill", "mina") && !are("bill", "robert"));
    }
}
