//! Puts a stream out of order without holding all of it.

use crate::dice::Dice;

/// How many items wait to be overtaken.
const WAITING: usize = 1 << 16;

/// Items leave in an order that tells nothing of who came side by side.
pub struct Shuffle<T> {
    waiting: Vec<T>,
}

impl<T> Shuffle<T> {
    pub fn new() -> Self {
        Shuffle { waiting: Vec::new() }
    }

    /// Takes an item in, and gives one back once enough are waiting.
    pub fn push(&mut self, item: T, dice: &mut Dice) -> Option<T> {
        if self.waiting.len() < WAITING {
            self.waiting.push(item);
            return None;
        }
        let at = dice.below(WAITING as u64) as usize;
        Some(std::mem::replace(&mut self.waiting[at], item))
    }

    /// What still waits.
    pub fn rest(mut self, dice: &mut Dice) -> Vec<T> {
        for last in (1..self.waiting.len()).rev() {
            self.waiting.swap(last, dice.below(last as u64 + 1) as usize);
        }
        self.waiting
    }
}
