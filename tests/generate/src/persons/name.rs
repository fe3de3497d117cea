//! Names of persons: those of the lists, and behind them a long tail that nobody could list.

use super::country::Words;
use super::person::Gender;
use super::ranks::Ranks;
use crate::dice::{Dice, mix};
use std::collections::HashMap;

/// How many different names there are, the lists included.
const GIVEN: usize = 2_000;
const LAST: usize = 60_000;

pub struct Names {
    women: Table,
    men: Table,
    last: Table,
    /// What people make of a full name, in lower case.
    nicknames: HashMap<String, Vec<String>>,
}

/// Names by rank.
struct Table {
    names: Vec<String>,
    ranks: Ranks,
}

impl Names {
    pub fn new(words: &Words) -> Self {
        let lower = |group: &Vec<String>| (group[0].to_lowercase(), group[1..].to_vec());
        let given = || Ranks::steep(GIVEN, 14);
        Names {
            women: Table::new(given(), &words.women, &words.women_ends, words),
            men: Table::new(given(), &words.men, &words.men_ends, words),
            last: Table::new(Ranks::gentle(LAST, 20), &words.last, &words.last_ends, words),
            nicknames: words.nicknames.iter().map(lower).collect(),
        }
    }

    pub fn given(&self, gender: Gender, dice: &mut Dice) -> &str {
        match gender {
            Gender::Woman => self.women.draw(dice),
            Gender::Man => self.men.draw(dice),
        }
    }

    pub fn last(&self, dice: &mut Dice) -> &str {
        self.last.draw(dice)
    }

    /// A last name that the bits decide, common or not.
    pub fn last_of(&self, bits: u64) -> &str {
        &self.last.names[self.last.ranks.of(bits)]
    }

    /// What friends call somebody, where the language has a name for that.
    pub fn nickname(&self, given: &str, dice: &mut Dice) -> Option<&str> {
        let nicknames = self.nicknames.get(&given.to_lowercase())?;
        // The first of a group is the usual one.
        let among = dice.between(1, nicknames.len() as u64);
        Some(&nicknames[dice.below(among) as usize])
    }
}

impl Table {
    fn new(ranks: Ranks, listed: &[String], ends: &[String], words: &Words) -> Self {
        let made_up = (listed.len()..ranks.count()).map(|rank| made_up(rank as u64, ends, words));
        let names = listed.iter().cloned().chain(made_up).collect();
        Table { names, ranks }
    }

    fn draw(&self, dice: &mut Dice) -> &str {
        &self.names[self.ranks.draw(dice)]
    }
}

/// A name of syllables.
fn made_up(rank: u64, ends: &[String], words: &Words) -> String {
    let mut bits = mix(rank ^ (ends.len() as u64) << 32);
    let mut pick = |from: &[String]| {
        let index = (bits % from.len() as u64) as usize;
        bits /= from.len() as u64;
        from[index].clone()
    };
    let (start, middle, end) = (pick(&words.name_starts), pick(&words.name_middles), pick(ends));
    let middle = if bits.is_multiple_of(3) { "" } else { &middle };
    format!("{start}{middle}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::persons::Country;
    use std::collections::HashSet;

    #[test]
    fn few_names_are_common_and_many_are_rare() {
        let words = Words::of(Country::Us);
        let (names, mut dice) = (Names::new(&words), Dice::new(1));
        let drawn: Vec<String> = (0..20_000).map(|_| names.last(&mut dice).to_owned()).collect();
        let first = drawn.iter().filter(|name| **name == words.last[0]).count();
        let different = drawn.iter().collect::<HashSet<_>>().len();
        assert!((80..200).contains(&first), "{first}");
        assert!((5_000..15_000).contains(&different), "{different}");
    }
}
