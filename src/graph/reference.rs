//! The rule a second time, slow and obvious, for tests to compare with.
//!
//! It is written from the text of the rule and shares nothing with the solver but the names of
//! reasons and the configuration: groups are sets of texts, weights are sums of floating-point
//! numbers, and everything is worked out again whenever it is asked for.

use super::Day;
use super::evidence::Facet;
use super::rules::{DeviceType, IdentifierType, Joins, Role, Rules, Sharing};
use super::solver::Reason;
use crate::identifier::Normalizer;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// Two canonical identifiers, the stronger first.
pub type Pair = (String, String);

/// How often something was seen: facet, source and name → day → count.
pub type Counts = BTreeMap<(Facet, u32, String), BTreeMap<Day, u64>>;

/// Sets of identifiers that belong together.
type Groups = Vec<BTreeSet<String>>;

/// Shares and weights that differ by less are equal.
const TOLERANCE: f64 = 1e-9;

/// One row that was read; an empty channel or device type says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub source: u32,
    pub day: Day,
    pub channel: &'static str,
    pub device_type: &'static str,
    /// The index of each identifier's type, and its value as written.
    pub identifiers: Vec<(u16, String)>,
}

/// All that is known, as plain lists.
#[derive(Debug)]
pub struct Known<'a> {
    /// The configuration when the rows were read.
    pub reading: &'a Rules,
    /// The configuration that decides.
    pub rules: &'a Rules,
    /// In days.
    pub half_life: f64,
    pub seen: &'a [Seen],
    pub asserted: &'a BTreeSet<Pair>,
    pub matched: &'a BTreeMap<Pair, f64>,
    pub separated: &'a BTreeSet<Pair>,
}

/// Who is who.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    pub identifiers: BTreeMap<String, Identifier>,
    pub links: BTreeMap<Pair, Link>,
}

/// What is found of an identifier.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Identifier {
    /// Why it belongs to nobody, if so.
    pub aside: Option<Reason>,
    /// The members of its profile, itself included; empty where it belongs to nobody.
    pub profile: BTreeSet<String>,
    /// First and last day on which it was seen.
    pub days: Option<(Day, Day)>,
    /// Its sightings alone, and those that named a device type.
    pub counts: Counts,
}

/// What is found of a link.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Link {
    pub asserted: bool,
    pub probability: Option<f64>,
    pub held: Option<Reason>,
    pub counts: Counts,
}

/// The type and the value of a canonical identifier.
pub fn parts(text: &str) -> (&str, &str) {
    text.split_once(':').expect("a canonical identifier has a colon")
}

/// The type of a canonical identifier.
pub fn type_of<'r>(rules: &'r Rules, text: &str) -> &'r IdentifierType {
    rules.types.iter().find(|kind| kind.name == parts(text).0).expect("its type is configured")
}

/// The role of a canonical identifier.
pub fn role_of(rules: &Rules, text: &str) -> Role {
    let kind = type_of(rules, text);
    let issuer = parts(text).1.split('|').next().unwrap_or_default();
    let certified = rules.certified_issuers.iter().any(|known| known == issuer);
    match kind.normalizer {
        Normalizer::Openid if kind.role == Role::Person && !certified => Role::Contact,
        _ => kind.role,
    }
}

/// Orders identifiers from the strongest to the weakest.
pub fn by_strength(rules: &Rules, x: &str, y: &str) -> Ordering {
    let key = |text: &str| {
        let role = match role_of(rules, text) {
            Role::Person => 1,
            Role::Contact => 2,
            Role::Device => 3,
            Role::Record => 4,
            Role::Network => 5,
        };
        (role, type_of(rules, text).priority)
    };
    key(x).cmp(&key(y)).then_with(|| x.as_bytes().cmp(y.as_bytes()))
}

/// The identifiers of a sighting, without malformed and blocked values.
pub fn usable(rules: &Rules, seen: &Seen) -> BTreeSet<String> {
    let mut usable = BTreeSet::new();
    for (type_index, value) in &seen.identifiers {
        let kind = &rules.types[usize::from(*type_index)];
        if let Ok(value) = kind.normalizer.canonical(value, None)
            && !rules.blocked.matches(&kind.name, &value)
        {
            usable.insert(format!("{}:{value}", kind.name));
        }
    }
    usable
}

fn is_person_or_contact(rules: &Rules, text: &str) -> bool {
    [Role::Person, Role::Contact].contains(&role_of(rules, text))
}

fn add(counts: &mut Counts, facet: Facet, seen: &Seen, name: &str) {
    let label = (facet, seen.source, name.trim().to_lowercase());
    *counts.entry(label).or_default().entry(seen.day).or_default() += 1;
}

/// The days on which something was seen, and how often.
fn histogram(counts: &Counts) -> BTreeMap<Day, u64> {
    let mut histogram = BTreeMap::new();
    for ((facet, _, _), days) in counts {
        for (day, count) in days {
            if *facet == Facet::Seen {
                *histogram.entry(*day).or_default() += count;
            }
        }
    }
    histogram
}

fn union_of(groups: &Groups, text: &str) -> BTreeSet<String> {
    groups.iter().find(|group| group.contains(text)).cloned().unwrap_or_default()
}

impl Known<'_> {
    /// The rule.
    pub fn decide(&self) -> Verdict {
        let mut verdict = self.collect();
        for text in verdict.identifiers.keys().cloned().collect::<Vec<_>>() {
            let aside = self.set_aside(&verdict, &text);
            verdict.identifiers.get_mut(&text).unwrap().aside = aside;
        }
        loop {
            let groups = self.walk(&verdict);
            let shared: Vec<String> = verdict
                .identifiers
                .keys()
                .filter(|text| self.is_newly_shared(&verdict, &groups, text))
                .cloned()
                .collect();
            for text in &shared {
                verdict.identifiers.get_mut(text).unwrap().aside = Some(Reason::Shared);
            }
            if shared.is_empty() {
                return self.conclude(verdict, &groups);
            }
        }
    }

    /// The evidence: stars and claims, and what operators and matching said.
    fn collect(&self) -> Verdict {
        let mut verdict = Verdict::default();
        for seen in self.seen {
            let usable = usable(self.reading, seen);
            let Some(strongest) = usable.iter().min_by(|x, y| by_strength(self.reading, x, y)) else {
                continue;
            };
            for other in usable.iter().filter(|other| *other != strongest) {
                let link = verdict.links.entry((strongest.clone(), other.clone())).or_default();
                add(&mut link.counts, Facet::Seen, seen, seen.channel);
            }
            for text in &usable {
                let identifier = verdict.identifiers.entry(text.clone()).or_default();
                if usable.len() == 1 {
                    add(&mut identifier.counts, Facet::Seen, seen, seen.channel);
                }
                if role_of(self.reading, text) == Role::Device && !seen.device_type.is_empty() {
                    add(&mut identifier.counts, Facet::DeviceType, seen, seen.device_type);
                }
                let (first, last) = identifier.days.unwrap_or((seen.day, seen.day));
                identifier.days = Some((first.min(seen.day), last.max(seen.day)));
            }
        }
        for pair in self.asserted {
            verdict.links.entry(pair.clone()).or_default().asserted = true;
        }
        for (pair, probability) in self.matched {
            verdict.links.entry(pair.clone()).or_default().probability = Some(*probability);
        }
        for (a, b) in verdict.links.keys() {
            verdict.identifiers.entry(a.clone()).or_default();
            verdict.identifiers.entry(b.clone()).or_default();
        }
        verdict
    }

    /// The configured device type of a device, if it has one: that of most sightings, ties by name.
    fn device_type(&self, verdict: &Verdict, text: &str) -> Option<&DeviceType> {
        if role_of(self.rules, text) != Role::Device {
            return None;
        }
        let mut sightings = BTreeMap::<&str, u64>::new();
        for ((facet, _, name), days) in &verdict.identifiers[text].counts {
            if *facet == Facet::DeviceType {
                *sightings.entry(name).or_default() += days.values().sum::<u64>();
            }
        }
        let most = sightings.values().max()?;
        let name = sightings.iter().find(|(_, count)| *count == most)?.0;
        self.rules.device_types.iter().find(|known| known.name == *name)
    }

    fn joins(&self, verdict: &Verdict, text: &str) -> Joins {
        match self.device_type(verdict, text).map(|device| device.sharing) {
            Some(Sharing::Personal) => Joins::Any,
            Some(Sharing::Household) => Joins::Complementary,
            Some(Sharing::Public) | None => type_of(self.rules, text).joins,
        }
    }

    fn owner_share(&self, verdict: &Verdict, text: &str) -> Option<f64> {
        let of_device = self.device_type(verdict, text).and_then(|device| device.owner_share);
        of_device.or(type_of(self.rules, text).owner_share)
    }

    pub fn is_blocked(&self, text: &str) -> bool {
        let (type_name, value) = parts(text);
        self.rules.blocked.matches(type_name, value)
    }

    pub fn is_expired(&self, verdict: &Verdict, text: &str) -> bool {
        let of_device = self.device_type(verdict, text).and_then(|device| device.expired_before);
        let Some(expired_before) = of_device.or(type_of(self.rules, text).expired_before) else {
            return false;
        };
        let last_with_person = verdict
            .links
            .iter()
            .filter_map(|((a, b), link)| {
                let partner = if a == text { b } else { a };
                let counts = a == text || b == text;
                let days = histogram(&link.counts);
                (counts && is_person_or_contact(self.rules, partner)).then(|| days.into_keys().max())?
            })
            .max();
        let last = last_with_person.or(verdict.identifiers[text].days.map(|(_, last)| last));
        last.is_some_and(|last| last < expired_before)
    }

    pub fn is_too_common(&self, verdict: &Verdict, text: &str) -> bool {
        let observed = verdict.links.iter().filter(|(_, link)| !link.counts.is_empty());
        let partners: BTreeSet<&String> = observed
            .flat_map(|((a, b), _)| [(a, b), (b, a)])
            .filter(|(end, partner)| *end == text && role_of(self.rules, partner) != Role::Record)
            .map(|(_, partner)| partner)
            .collect();
        type_of(self.rules, text).max_links.is_some_and(|max| partners.len() > max as usize)
    }

    pub fn is_public(&self, verdict: &Verdict, text: &str) -> bool {
        self.device_type(verdict, text).is_some_and(|device| device.sharing == Sharing::Public)
    }

    /// Step 1.
    fn set_aside(&self, verdict: &Verdict, text: &str) -> Option<Reason> {
        if self.is_blocked(text) {
            Some(Reason::Blocked)
        } else if self.is_expired(verdict, text) {
            Some(Reason::Expired)
        } else if self.is_too_common(verdict, text) {
            Some(Reason::TooCommon)
        } else if self.is_public(verdict, text) {
            Some(Reason::Shared)
        } else {
            None
        }
    }

    fn takes_part(&self, verdict: &Verdict, (a, b): &Pair) -> bool {
        verdict.identifiers[a].aside.is_none() && verdict.identifiers[b].aside.is_none()
    }

    fn weight(&self, link: &Link) -> f64 {
        let landmark = self.seen.iter().map(|seen| seen.day).max().unwrap_or(0);
        let days = histogram(&link.counts);
        days.iter()
            .map(|(day, count)| *count as f64 * (f64::from(day - landmark) / self.half_life).exp2())
            .sum()
    }

    /// Step 2.
    fn in_order<'v>(&self, verdict: &'v Verdict) -> Vec<(&'v Pair, &'v Link)> {
        let kind = |link: &Link| match link {
            Link { asserted: true, .. } => 1,
            Link { counts, .. } if !counts.is_empty() => 2,
            _ => 3,
        };
        let strength = |link: &Link| match link.probability {
            Some(probability) if kind(link) == 3 => probability,
            _ => self.weight(link),
        };
        let ends = |(a, b): &Pair| (a.min(b).clone(), a.max(b).clone());
        let mut links: Vec<_> =
            verdict.links.iter().filter(|(pair, _)| self.takes_part(verdict, pair)).collect();
        links.sort_by(|(pair, link), (other_pair, other)| {
            let (x, y) = (strength(link), strength(other));
            let stronger =
                if (x - y).abs() <= TOLERANCE * x.max(y) { Ordering::Equal } else { y.total_cmp(&x) };
            kind(link).cmp(&kind(other)).then(stronger).then_with(|| ends(pair).cmp(&ends(other_pair)))
        });
        links
    }

    fn pass(&self, verdict: &Verdict, pair: &Pair, link: &Link) -> u8 {
        if link.asserted {
            1
        } else if link.counts.is_empty() {
            3
        } else if self.joins(verdict, &pair.1) == Joins::Any {
            1
        } else {
            2
        }
    }

    /// Step 3: the groups of those that do not stand aside.
    fn walk(&self, verdict: &Verdict) -> Groups {
        let members = verdict.identifiers.iter().filter(|(_, found)| found.aside.is_none());
        let mut groups: Groups = members.map(|(text, _)| BTreeSet::from([text.clone()])).collect();
        let links = self.in_order(verdict);
        for pass in 1..=3 {
            for (pair, link) in &links {
                if self.pass(verdict, pair, link) == pass
                    && self.obstacle(verdict, &groups, pair, link).is_none()
                {
                    let (x, y) = (union_of(&groups, &pair.0), union_of(&groups, &pair.1));
                    groups.retain(|group| *group != x && *group != y);
                    groups.push(x.union(&y).cloned().collect());
                }
            }
        }
        groups
    }

    /// What keeps the groups of the two ends of a link apart; `None` if nothing does, or if they
    /// are one group.
    fn obstacle(
        &self,
        verdict: &Verdict,
        groups: &Groups,
        (a, b): &Pair,
        link: &Link,
    ) -> Option<Reason> {
        let (x, y) = (union_of(groups, a), union_of(groups, b));
        if x == y {
            None
        } else if self.are_separated(&x, &y) {
            Some(Reason::Separated)
        } else if !link.asserted && self.exceed_a_limit(&x, &y) {
            Some(Reason::Limit)
        } else if !link.asserted && self.are_ambiguous(verdict, &x, &y, b) {
            Some(Reason::Ambiguous)
        } else {
            None
        }
    }

    pub fn are_separated(&self, x: &BTreeSet<String>, y: &BTreeSet<String>) -> bool {
        let apart =
            |a: &String, b: &String| x.contains(a) && y.contains(b) || x.contains(b) && y.contains(a);
        self.separated.iter().any(|(a, b)| apart(a, b))
    }

    pub fn exceed_a_limit(&self, x: &BTreeSet<String>, y: &BTreeSet<String>) -> bool {
        self.rules.types.iter().any(|kind| {
            let of = |group: &BTreeSet<String>| {
                group.iter().filter(|text| parts(text).0 == kind.name).count()
            };
            let over = kind.max_per_profile.is_some_and(|max| of(x) + of(y) > max as usize);
            of(x) > 0 && of(y) > 0 && over
        })
    }

    pub fn are_ambiguous(
        &self,
        verdict: &Verdict,
        x: &BTreeSet<String>,
        y: &BTreeSet<String>,
        weaker: &str,
    ) -> bool {
        let people = |group: &BTreeSet<String>| -> BTreeSet<String> {
            let people = group.iter().filter(|text| is_person_or_contact(self.rules, text));
            people.map(|text| parts(text).0.to_owned()).collect()
        };
        let (x, y) = (people(x), people(y));
        match self.joins(verdict, weaker) {
            Joins::Any => false,
            Joins::Complementary => x.intersection(&y).any(|kind| *kind != parts(weaker).0),
            Joins::Never => !x.is_empty() && !y.is_empty(),
        }
    }

    /// Step 4, for one identifier.
    fn is_newly_shared(&self, verdict: &Verdict, groups: &Groups, text: &str) -> bool {
        let Some(owner_share) = self.owner_share(verdict, text) else {
            return false;
        };
        if ![Role::Contact, Role::Device].contains(&role_of(self.rules, text)) {
            return false;
        }
        let (mut in_force, mut held) = (Vec::new(), Vec::new());
        let walked = verdict.links.iter().filter(|(pair, _)| self.takes_part(verdict, pair));
        for (pair, link) in walked.filter(|(pair, _)| pair.1 == text) {
            match self.obstacle(verdict, groups, pair, link) {
                None if link.asserted => return false,
                None if !link.counts.is_empty() => in_force.push(self.weight(link)),
                Some(Reason::Limit | Reason::Ambiguous) if !link.counts.is_empty() => {
                    held.push(self.weight(link))
                }
                _ => {}
            }
        }
        let (ours, others): (f64, f64) = (in_force.iter().sum(), held.iter().sum());
        !in_force.is_empty() && !held.is_empty() && ours / (ours + others) < owner_share - TOLERANCE
    }

    /// Profiles, and what holds each link in the end.
    fn conclude(&self, mut verdict: Verdict, groups: &Groups) -> Verdict {
        let asides: BTreeMap<&String, Option<Reason>> =
            verdict.identifiers.iter().map(|(text, found)| (text, found.aside)).collect();
        let order = [Reason::Blocked, Reason::Expired, Reason::TooCommon, Reason::Shared];
        let mut held = BTreeMap::new();
        for (pair, link) in &verdict.links {
            let ends = [asides[&pair.0], asides[&pair.1]];
            let aside = order.into_iter().find(|reason| ends.contains(&Some(*reason)));
            held.insert(pair.clone(), aside.or_else(|| self.obstacle(&verdict, groups, pair, link)));
        }
        for (pair, link) in &mut verdict.links {
            link.held = held[pair];
        }
        for (text, found) in &mut verdict.identifiers {
            // No group holds what stands aside.
            found.profile = union_of(groups, text);
        }
        verdict
    }
}
