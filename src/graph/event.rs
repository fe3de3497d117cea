//! What became of profiles: what downstream systems follow, and operators undo.

use super::Day;
use super::changes::Changes;
use super::solver::{Reason, sort_with_pulse};
use super::store::NO_DAY;
use rustc_hash::{FxHashMap, FxHashSet};
use uuid::Uuid;

/// A stored identifier that is no longer in the profile it was in.
#[derive(Clone, Copy)]
pub(super) struct Move {
    pub(super) number: u32,
    /// Nil: it was in none.
    pub(super) old: Uuid,
    /// Nil: it is in none.
    pub(super) new: Uuid,
    pub(super) left: Option<Left>,
}

/// Why an identifier belongs to nobody any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Left {
    /// It stands aside.
    Aside(Reason),
    /// Its evidence was taken back.
    Gone,
}

/// What happens to profiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// All of a profile went to another one, and its id is retired.
    Join,
    /// A part of a profile went to another one.
    Split,
    /// An identifier was not seen for too long.
    Expire,
    /// Identifiers belong to nobody any more for another reason.
    Leave,
    /// Identifiers that belonged to nobody came to a profile.
    Return,
}

impl EventKind {
    /// The word used in SQL.
    pub fn word(self) -> &'static str {
        match self {
            EventKind::Join => "join",
            EventKind::Split => "split",
            EventKind::Expire => "expire",
            EventKind::Leave => "leave",
            EventKind::Return => "return",
        }
    }
}

/// What became of a profile, or of a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub kind: EventKind,
    /// The profile that they left; nil if they were in none.
    pub old: Uuid,
    /// The profile that they went to; nil if to none.
    pub new: Uuid,
    /// Why, if they went to none.
    pub left: Option<Left>,
    /// Who (numbers of the graph), in the order of texts.
    pub members: Vec<u32>,
}

/// The day that counts for expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastInUse {
    /// Of the last sighting with a person or contact; without any, of the last.
    pub day: Day,
    pub with_person: bool,
}

impl Changes {
    /// What became of profiles, in the order of their ids; each expired identifier for itself. `pulse`
    /// may unwind to cancel.
    pub fn events(&self, pulse: &mut dyn FnMut()) -> Vec<Event> {
        if self.moves.is_empty() {
            return Vec::new();
        }
        let mut rank = vec![0; self.order.len()];
        for (place, &number) in self.order.iter().enumerate() {
            rank[number as usize] = place;
        }
        let mut moves: Vec<_> = self
            .moves
            .iter()
            .map(|m| (m.old, m.new, m.left, rank[m.number as usize], m.number))
            .collect();
        sort_with_pulse(&mut moves, pulse);
        let expired = Some(Left::Aside(Reason::Expired));
        let mut events: Vec<Event> = moves
            .chunk_by(|x, y| x.2 != expired && (x.0, x.1, x.2) == (y.0, y.1, y.2))
            .map(|moves| {
                let (old, new, left, ..) = moves[0];
                let kind = match left {
                    None if old.is_nil() => EventKind::Return,
                    None => EventKind::Split,
                    Some(Left::Aside(Reason::Expired)) => EventKind::Expire,
                    Some(_) => EventKind::Leave,
                };
                Event { kind, old, new, left, members: moves.iter().map(|m| m.4).collect() }
            })
            .collect();
        // What went to one profile alone, and left nobody behind, has joined that.
        let retired: FxHashSet<Uuid> = self.retired.iter().map(|&(id, _)| id).collect();
        let mut parts: FxHashMap<Uuid, usize> = FxHashMap::default();
        for event in events.iter().filter(|event| event.kind == EventKind::Split) {
            *parts.entry(event.old).or_default() += 1;
        }
        for event in events.iter_mut().filter(|event| event.kind == EventKind::Split) {
            if retired.contains(&event.old) && parts[&event.old] == 1 {
                event.kind = EventKind::Join;
            }
        }
        events
    }

    /// When an identifier (a number of the graph) was in use last.
    pub fn last_in_use(&self, number: u32) -> LastInUse {
        let node = &self.graph.nodes[number as usize];
        match node.last_with_person {
            NO_DAY => LastInUse { day: node.last_seen, with_person: false },
            day => LastInUse { day, with_person: true },
        }
    }

    /// Whether no identifier had this id before.
    pub fn is_new(&self, profile: Uuid) -> bool {
        self.created.contains(&profile)
    }
}
