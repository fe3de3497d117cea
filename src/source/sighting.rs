//! From a row to a sighting, and from a sighting to counts.
//!
//! The strongest identifier of a sighting claims each of the others; the counts of these claims
//! go to the graph's ledger. Malformed and blocked values leave the sighting first.

use crate::graph::evidence::Facet;
use crate::graph::rules::{Role, Rules};
use crate::graph::{Day, Graph};
use crate::identifier::{MAX_BYTES, Malformed, Normalizer, Region};
use rustc_hash::{FxHashMap, FxHasher};
use std::hash::{Hash, Hasher};

/// One value of a row. `column` is any number by which the caller knows where it stood.
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    pub text: &'a str,
    pub column: usize,
}

/// Identifiers that were seen together, as text. Blank values say nothing.
#[derive(Debug, Default)]
pub struct Sighting<'a> {
    pub day: Day,
    pub channel: Option<Value<'a>>,
    pub device_type: Option<Value<'a>>,
    pub region: Option<Region>,
    /// The index of each identifier's type, and its value.
    pub identifiers: Vec<(u16, Value<'a>)>,
}

/// Why a value was left out of its sighting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeftOut {
    /// It cannot be an identifier of its type.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It is on the block list.
    #[error("blocked value")]
    Blocked,
    /// The source already has [`Observer::MAX_NAMES`] other channels (or device types).
    #[error("too many different names for a channel or device type")]
    TooManyNames,
}

/// Turns the sightings of one source into counts in one graph.
pub struct Observer<'r> {
    rules: &'r Rules,
    /// The source's number; 0 for `identify()`.
    source: u32,
    channels: FxHashMap<String, u32>,
    device_types: FxHashMap<String, u32>,
    /// Recent phone numbers, by hash: parsing one costs more than anything else here.
    recent: Vec<Option<Recent>>,
    remembers: bool,
    /// Those of the sighting at hand, each with its role and priority.
    identifiers: Vec<Seen>,
}

/// An identifier of a sighting.
#[derive(Clone, Copy)]
struct Seen {
    number: u32,
    role: Role,
    priority: i32,
}

struct Recent {
    type_index: u16,
    region: Option<Region>,
    text: Box<str>,
    seen: Seen,
}

impl<'r> Observer<'r> {
    /// Recent phone numbers that are remembered; a power of two.
    const RECENT: usize = 1 << 16;

    /// Distinct channels (and device types) that a source may name.
    pub const MAX_NAMES: usize = 10_000;

    /// An observer of the source of this number. All sightings must go to the same graph.
    pub fn new(rules: &'r Rules, source: u32) -> Self {
        Observer {
            rules,
            source,
            channels: FxHashMap::default(),
            device_types: FxHashMap::default(),
            recent: Vec::new(),
            remembers: false,
            identifiers: Vec::new(),
        }
    }

    /// One that remembers recent phone numbers: for many sightings.
    pub fn of_many(rules: &'r Rules, source: u32) -> Self {
        Observer { remembers: true, ..Observer::new(rules, source) }
    }

    /// Counts `sighting` `times` times (negative to take it back) in `graph`; tells `left_out`
    /// which values could not be used.
    pub fn observe(
        &mut self,
        graph: &mut Graph,
        sighting: &Sighting,
        times: i64,
        mut left_out: impl FnMut(Value, LeftOut),
    ) {
        self.identifiers.clear();
        for &(type_index, value) in &sighting.identifiers {
            match self.identifier(graph, type_index, value.text, sighting.region) {
                Ok(seen) if self.identifiers.iter().any(|known| known.number == seen.number) => {}
                Ok(seen) => self.identifiers.push(seen),
                Err(LeftOut::Malformed(Malformed::Empty)) => {}
                Err(reason) => left_out(value, reason),
            }
        }
        let mut label = |facet, value: Option<Value>| {
            let value = value.unwrap_or(Value { text: "", column: 0 });
            self.label(graph, facet, value.text).unwrap_or_else(|reason| {
                left_out(value, reason);
                None
            })
        };
        let device_type = label(Facet::DeviceType, sighting.device_type);
        let channel = label(Facet::Seen, sighting.channel);
        self.put_strongest_first(graph);
        if let Some((strongest, others)) = self.identifiers.split_first() {
            let channel = channel.unwrap_or_else(|| graph.labels().number(Facet::Seen, self.source, ""));
            let ledger = graph.ledger();
            for other in others {
                ledger.add((strongest.number, other.number), channel, sighting.day, times);
            }
            if others.is_empty() {
                ledger.add((strongest.number, strongest.number), channel, sighting.day, times);
            }
            if let Some(label) = device_type {
                for device in self.identifiers.iter().filter(|seen| seen.role == Role::Device) {
                    ledger.add((device.number, device.number), label, sighting.day, times);
                }
            }
        }
    }

    /// The identifiers of the sighting that was observed last, the strongest first.
    pub fn identifiers(&self) -> impl Iterator<Item = u32> {
        self.identifiers.iter().map(|seen| seen.number)
    }

    fn put_strongest_first(&mut self, graph: &Graph) {
        let strength = |&place: &usize| {
            let seen = &self.identifiers[place];
            (seen.role, seen.priority)
        };
        let text = |place: usize| graph.text(self.identifiers[place].number);
        let strongest = (0..self.identifiers.len())
            .min_by(|x, y| strength(x).cmp(&strength(y)).then_with(|| text(*x).cmp(text(*y))));
        if let Some(strongest) = strongest {
            self.identifiers.swap(0, strongest);
        }
    }

    /// The identifier that a value is.
    fn identifier(
        &mut self,
        graph: &mut Graph,
        type_index: u16,
        text: &str,
        region: Option<Region>,
    ) -> Result<Seen, LeftOut> {
        let normalizer = self.rules.type_of(type_index).normalizer;
        if normalizer != Normalizer::Phone || !self.remembers {
            return self.intern(graph, type_index, &normalizer.canonical(text, region)?);
        }
        let place = self.recent_place(type_index, text, region);
        let same = |recent: &&Recent| {
            recent.type_index == type_index && recent.region == region && *recent.text == *text
        };
        if let Some(recent) = self.recent[place].as_ref().filter(same) {
            return Ok(recent.seen);
        }
        let seen = self.intern(graph, type_index, &normalizer.canonical(text, region)?)?;
        self.recent[place] = Some(Recent { type_index, region, text: text.into(), seen });
        Ok(seen)
    }

    fn intern(&self, graph: &mut Graph, type_index: u16, value: &str) -> Result<Seen, LeftOut> {
        let number = graph.intern_allowed(self.rules, type_index, value).ok_or(LeftOut::Blocked)?;
        let role = self.rules.role_of(type_index, value);
        Ok(Seen { number, role, priority: self.rules.type_of(type_index).priority })
    }

    fn recent_place(&mut self, type_index: u16, text: &str, region: Option<Region>) -> usize {
        if self.recent.is_empty() {
            self.recent.resize_with(Self::RECENT, || None);
        }
        let mut hasher = FxHasher::default();
        (type_index, region, text).hash(&mut hasher);
        (hasher.finish() >> 32) as usize & (Self::RECENT - 1)
    }

    /// The number of the label called `name`; `None` for a blank name.
    fn label(&mut self, graph: &mut Graph, facet: Facet, name: &str) -> Result<Option<u32>, LeftOut> {
        if name.len() > MAX_BYTES {
            return Err(Malformed::TooLong.into());
        }
        let name = name.trim();
        if name.is_empty() {
            return Ok(None);
        }
        let known = match facet {
            Facet::Seen => &mut self.channels,
            Facet::DeviceType => &mut self.device_types,
        };
        if let Some(&label) = known.get(name) {
            return Ok(Some(label));
        }
        if known.len() == Self::MAX_NAMES {
            return Err(LeftOut::TooManyNames);
        }
        let label = graph.labels().number(facet, self.source, &name.to_lowercase());
        known.insert(name.to_owned(), label);
        Ok(Some(label))
    }
}
