//! Random worlds: a configuration, a handful of identifiers, and what is said about them.

use crate::graph::Day;
use crate::graph::reference::{self, Known, Pair, Seen};
use crate::graph::rules::{DeviceType, IdentifierType, Joins, Role, Rules, Sharing};
use crate::graph::weight::Decay;
use crate::identifier::{BlockList, Normalizer};
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

const FIRST_DAY: Day = 20_000;

/// Sightings are this many days apart or a multiple of it, and half-lives are multiples of it too,
/// so that different histograms often weigh exactly the same.
const STEP: Day = 15;

/// What [`Rules`] are made of.
#[derive(Clone)]
pub struct Configuration {
    pub types: Vec<IdentifierType>,
    pub device_types: Vec<DeviceType>,
    pub half_life: f64,
    /// Blocks the value `x` of every type.
    pub blocks: bool,
}

impl fmt::Debug for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(f, "half-life {}, blocks x: {}", self.half_life, self.blocks)?;
        self.types.iter().try_for_each(|kind| writeln!(f, "{kind:?}"))?;
        self.device_types.iter().try_for_each(|kind| writeln!(f, "{kind:?}"))
    }
}

impl Configuration {
    pub fn rules(&self) -> Rules {
        let blocked = self.blocks.then(|| (None, "x".to_owned()));
        Rules {
            types: self.types.clone(),
            device_types: self.device_types.clone(),
            decay: Decay::new(self.half_life),
            blocked: std::sync::Arc::new(BlockList::new(blocked).expect("the pattern is valid")),
            certified_issuers: vec!["good".to_owned()],
            region: None,
        }
    }
}

/// One thing that is said about identifiers.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    Seen(Seen),
    Asserted(Pair),
    Matched(Pair, f64),
    Separated(Pair),
}

/// A configuration and facts. No two facts but sightings concern the same pair in the same way.
#[derive(Clone)]
pub struct World {
    pub configuration: Configuration,
    pub facts: Vec<Fact>,
}

impl fmt::Debug for World {
    /// Short enough to read when a property fails.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(f, "{:?}", self.configuration)?;
        self.facts.iter().try_for_each(|fact| writeln!(f, "{fact:?}"))
    }
}

impl World {
    /// What the reference wants to know, when `facts` hold.
    pub fn knowing<T>(&self, rules: &Rules, facts: &[Fact], ask: impl FnOnce(&Known) -> T) -> T {
        let (mut seen, mut asserted, mut separated) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        let mut matched = BTreeMap::new();
        for fact in facts.iter().cloned() {
            match fact {
                Fact::Seen(sighting) => seen.push(sighting),
                Fact::Asserted(pair) => drop(asserted.insert(pair)),
                Fact::Matched(pair, probability) => drop(matched.insert(pair, probability)),
                Fact::Separated(pair) => drop(separated.insert(pair)),
            }
        }
        let reading = self.configuration.rules();
        ask(&Known {
            reading: &reading,
            rules,
            half_life: self.configuration.half_life,
            seen: &seen,
            asserted: &asserted,
            matched: &matched,
            separated: &separated,
        })
    }
}

/// Name, role, normaliser, usual way of joining, usual limits.
type Kind = (&'static str, Role, Normalizer, Joins, [Option<u32>; 2]);

/// The types of a world.
const TYPES: [Kind; 10] = [
    ("customer_number", Role::Person, Normalizer::Exact, Joins::Any, [Some(1), Some(1)]),
    ("login", Role::Person, Normalizer::Exact, Joins::Any, [Some(1), Some(1)]),
    ("loyalty_card", Role::Person, Normalizer::Exact, Joins::Any, [Some(2), Some(3)]),
    ("openid", Role::Person, Normalizer::Openid, Joins::Any, [None, None]),
    ("email", Role::Contact, Normalizer::Lower, Joins::Any, [None, Some(2)]),
    ("phone", Role::Contact, Normalizer::Exact, Joins::Complementary, [None, None]),
    ("nickname", Role::Contact, Normalizer::Exact, Joins::Never, [None, None]),
    ("cookie", Role::Device, Normalizer::Exact, Joins::Complementary, [None, None]),
    ("device", Role::Device, Normalizer::Exact, Joins::Complementary, [None, Some(2)]),
    ("record", Role::Record, Normalizer::Exact, Joins::Any, [None, None]),
];

/// The places in [`TYPES`] that identifiers are taken from; contested ones more often.
const KINDS: [u16; 16] = [0, 0, 1, 2, 3, 4, 4, 4, 5, 5, 6, 7, 7, 8, 8, 9];

const DEVICE_TYPES: [(&str, Sharing); 3] =
    [("smartphone", Sharing::Personal), ("tablet", Sharing::Household), ("kiosk", Sharing::Public)];

/// Values of every type; of OpenID subjects the first two are certified and the last is malformed.
const VALUES: [&str; 4] = ["a", "b", "c", "x"];
const SUBJECTS: [&str; 4] = ["good|a", "good|b", "bad|a", "x"];

fn owner_share() -> impl Strategy<Value = Option<f64>> {
    let shares = [0.3, 0.5, 0.6, 0.6, 2.0 / 3.0, 0.75, 1.0];
    prop_oneof![1 => Just(None), 7 => select(shares.to_vec()).prop_map(Some)]
}

fn expired_before() -> impl Strategy<Value = Option<Day>> {
    prop_oneof![12 => Just(None), 1 => (0..8).prop_map(|step| Some(FIRST_DAY + step * STEP))]
}

fn identifier_type(place: usize) -> impl Strategy<Value = IdentifierType> {
    let (name, role, normalizer, usual, [least, most]) = TYPES[place];
    let joins = prop_oneof![
        8 => Just(usual), 1 => Just(Joins::Any), 1 => Just(Joins::Complementary), 1 => Just(Joins::Never)
    ];
    let max_links = match role {
        Role::Contact | Role::Device => select(vec![None, None, None, None, Some(2), Some(3), Some(4)]),
        _ => select(vec![None, None, None, None, None, None, Some(4)]),
    };
    (joins, any::<bool>(), max_links, owner_share(), 0..4i32, expired_before()).prop_map(
        move |(joins, larger, max_links, owner_share, shift, expired_before)| IdentifierType {
            name: name.to_owned(),
            role,
            normalizer,
            joins,
            max_per_profile: if larger { most } else { least },
            max_links,
            owner_share,
            // Sometimes like the next type's, sometimes the other way round.
            priority: place as i32 + shift,
            expired_before,
        },
    )
}

fn device_type(place: usize) -> impl Strategy<Value = DeviceType> {
    let (name, sharing) = DEVICE_TYPES[place];
    (owner_share(), expired_before()).prop_map(move |(owner_share, expired_before)| DeviceType {
        name: name.to_owned(),
        sharing,
        owner_share,
        expired_before,
    })
}

pub fn configuration() -> impl Strategy<Value = Configuration> {
    let types: Vec<_> = (0..TYPES.len()).map(identifier_type).collect();
    let device_types: Vec<_> = (0..DEVICE_TYPES.len()).map(device_type).collect();
    let half_life = select(vec![30.0, 60.0, 90.0]);
    (types, device_types, half_life, prop::bool::weighted(0.3)).prop_map(
        |(types, device_types, half_life, blocks)| Configuration {
            types,
            device_types,
            half_life,
            blocks,
        },
    )
}

/// A configuration that decides otherwise, but reads rows in the same way.
pub fn other_decision(like: &Configuration, other: Configuration) -> Configuration {
    let mut changed = Configuration { half_life: like.half_life, blocks: like.blocks, ..other };
    for (new, old) in changed.types.iter_mut().zip(&like.types) {
        new.priority = old.priority;
    }
    changed
}

/// A place in the list of identifiers, whatever its length.
fn place() -> impl Strategy<Value = usize> {
    0..64usize
}

/// A sighting before it is known which identifiers there are: day, source, names, how often, and
/// which identifiers, each with whether it is spelt in another way.
type Draft = (Day, u32, usize, usize, usize, Vec<(usize, bool)>);

fn draft() -> impl Strategy<Value = Draft> {
    let times = select(vec![1, 1, 1, 2, 3, 5]);
    let identifiers = prop::collection::vec((place(), any::<bool>()), 1..=4);
    (0..8, 0..3u32, 0..4usize, 0..9usize, times, identifiers)
}

/// A word of an operator or of matching: which two identifiers, and what it says.
fn word() -> impl Strategy<Value = (usize, usize, usize)> {
    (place(), place(), 0..8usize)
}

pub fn world() -> impl Strategy<Value = World> {
    // Few types, so that identifiers get into each other's way.
    let kinds = prop::collection::vec(select(KINDS.to_vec()), 2..=6);
    let identifiers = prop::collection::vec((place(), 0..VALUES.len()), 2..=14usize);
    let identifiers = (kinds, identifiers).prop_map(|(kinds, identifiers)| {
        let kind = |place: usize| kinds[place % kinds.len()];
        identifiers.into_iter().map(|(place, value)| (kind(place), value)).collect::<Vec<_>>()
    });
    let drafts = prop::collection::vec(draft(), 1..=24);
    let words = prop::collection::vec(word(), 0..=3);
    (configuration(), identifiers, drafts, words).prop_map(
        |(configuration, identifiers, drafts, words)| {
            let rules = configuration.rules();
            let mut facts: Vec<Fact> = drafts
                .iter()
                .flat_map(|draft| repeated(sighting(draft, &identifiers), draft.4))
                .collect();
            for (x, y, what) in words {
                let of = |place: usize| canonical(&identifiers[place % identifiers.len()]);
                let (Some(x), Some(y)) = (of(x), of(y)) else {
                    continue;
                };
                if let Some(fact) = say(&rules, x, y, what)
                    && !facts.iter().any(|known| same_matter(known, &fact))
                {
                    facts.push(fact);
                }
            }
            World { configuration, facts }
        },
    )
}

fn repeated(seen: Seen, times: usize) -> impl Iterator<Item = Fact> {
    std::iter::repeat_n(Fact::Seen(seen), times)
}

fn sighting(draft: &Draft, identifiers: &[(u16, usize)]) -> Seen {
    let &(step, source, channel, device_type, _, ref places) = draft;
    Seen {
        source,
        day: FIRST_DAY + step * STEP,
        channel: ["", "web", "Web ", "store"][channel],
        device_type: ["", "", "", "tablet", " Tablet", "smartphone", "kiosk", "fridge", "watch"]
            [device_type],
        identifiers: places
            .iter()
            .map(|&(place, otherwise)| {
                let (kind, value) = identifiers[place % identifiers.len()];
                let value = value_of(kind, value);
                let loud = otherwise && TYPES[usize::from(kind)].2 == Normalizer::Lower;
                (kind, if loud { format!(" {} ", value.to_uppercase()) } else { value.to_owned() })
            })
            .collect(),
    }
}

fn value_of(kind: u16, value: usize) -> &'static str {
    match TYPES[usize::from(kind)].2 {
        Normalizer::Openid => SUBJECTS[value],
        _ => VALUES[value],
    }
}

fn canonical(&(kind, value): &(u16, usize)) -> Option<String> {
    let (name, _, normalizer, ..) = TYPES[usize::from(kind)];
    let value = normalizer.canonical(value_of(kind, value), None).ok()?;
    Some(format!("{name}:{value}"))
}

fn say(rules: &Rules, x: String, y: String, what: usize) -> Option<Fact> {
    let pair = match reference::by_strength(rules, &x, &y) {
        std::cmp::Ordering::Less => (x, y),
        std::cmp::Ordering::Equal => return None,
        std::cmp::Ordering::Greater => (y, x),
    };
    Some(match what {
        0..2 => Fact::Asserted(pair),
        // A probability about a record goes with its row, and does not come back with it.
        2..5 if [&pair.0, &pair.1].iter().any(|end| end.starts_with("record:")) => return None,
        2..5 => Fact::Matched(pair, [0.8, 0.9, 0.9][what - 2]),
        _ => Fact::Separated(pair),
    })
}

fn same_matter(x: &Fact, y: &Fact) -> bool {
    match (x, y) {
        (Fact::Asserted(x), Fact::Asserted(y)) | (Fact::Separated(x), Fact::Separated(y)) => x == y,
        (Fact::Matched(x, _), Fact::Matched(y, _)) => x == y,
        _ => false,
    }
}

/// Small decisions of a test, from a seed.
pub struct Dice(pub u64);

impl Dice {
    /// A number below `sides` (splitmix64: Steele, Lea, Flood, 2014).
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % sides as u64) as usize
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for place in (1..items.len()).rev() {
            items.swap(place, self.roll(place + 1));
        }
    }
}
