//! The tables in memory: rows are loaded, settled and written as the database shell does it.

use super::world::Fact;
use crate::graph::evidence;
use crate::graph::reach::Stored;
use crate::graph::reference::{self, Counts, Pair, Seen, Verdict};
use crate::graph::rules::Rules;
use crate::graph::solver::Reason;
use crate::graph::stable_id::Former;
use crate::graph::{Changes, Day, Event, Graph, IdentifierRow, LinkRow, NO_DAY, Replaced, Settled};
use crate::source::sighting::{Observer, Sighting, Value};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// A row of the table `identifier`, without its id.
#[derive(Clone, Debug, PartialEq)]
pub struct Identifier {
    pub text: String,
    pub profile: Uuid,
    pub aside: Option<Reason>,
    pub first_seen: Day,
    pub last_seen: Day,
    pub last_with_person: Day,
    pub partners: u32,
    pub undisputed: bool,
    pub evidence: Vec<u8>,
}

/// A row of the table `link`, without its ends.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Link {
    pub asserted: bool,
    pub probability: Option<f64>,
    pub held: Option<Reason>,
    pub evidence: Vec<u8>,
}

/// How new facts get into the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// With the whole graph loaded.
    Whole,
    /// Like `Whole`, and read in two parts that were put away as segments.
    Segments,
    /// With what the new facts touch, and what hangs together with it.
    Component,
}

impl Way {
    pub const ALL: [Way; 3] = [Way::Whole, Way::Segments, Way::Component];
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Store {
    pub identifiers: BTreeMap<i64, Identifier>,
    pub links: BTreeMap<(i64, i64), Link>,
    pub former: BTreeSet<(Uuid, i64)>,
    pub separations: BTreeSet<Pair>,
    pub must_links: BTreeSet<Pair>,
    /// Who left which profile in the last step.
    pub moved: Vec<(String, Uuid)>,
    last_identifier: i64,
    last_profile: u128,
}

impl Store {
    /// A store that learns `facts` at once.
    pub fn of(rules: &Rules, facts: &[Fact]) -> Self {
        let mut store = Store::default();
        store.change(rules, &added(facts), Way::Whole);
        store
    }

    /// Adds each fact as often as it says, or takes it back; returns how many rows were written.
    pub fn change(&mut self, rules: &Rules, facts: &[(&Fact, i64)], way: Way) -> usize {
        self.change_from(rules, facts, way, &[])
    }

    /// The same, with the profiles that identifiers count as having been in.
    pub fn change_from(
        &mut self,
        rules: &Rules,
        facts: &[(&Fact, i64)],
        way: Way,
        homes: &[(String, Uuid)],
    ) -> usize {
        let come_home = |mut graph: Graph| {
            homes.iter().for_each(|(text, id)| graph.came_from(text.clone(), *id));
            graph
        };
        let mut wide = FxHashSet::default();
        for &(fact, times) in facts {
            if let Fact::Asserted(pair) | Fact::Matched(pair, _) | Fact::Separated(pair) = fact {
                wide.extend([pair.0.clone(), pair.1.clone()]);
                self.say(fact, times > 0);
            }
        }
        let seen: Vec<(&Seen, i64)> = facts
            .iter()
            .filter_map(
                |&(fact, times)| {
                    if let Fact::Seen(seen) = fact { Some((seen, times)) } else { None }
                },
            )
            .collect();
        match way {
            Way::Whole => self.settle_whole(rules, come_home(observe(rules, &seen))),
            Way::Segments => {
                let (early, late) = seen.split_at(seen.len() / 2);
                let mut graph = observe(rules, early);
                let late = observe(rules, late).into_segment();
                let early = std::mem::take(&mut graph).into_segment();
                graph.add_segment(rules, &late).expect("a segment is read back");
                graph.add_segment(rules, &early).expect("a segment is read back");
                self.settle_whole(rules, come_home(graph))
            }
            Way::Component => loop {
                let mut graph = come_home(observe(rules, &seen));
                graph.reach(rules, &wide, i32::MAX, self).expect("stored evidence is sound");
                match self.settle(rules, graph) {
                    Settled::Changes(changes) => break self.write(*changes),
                    Settled::Wider(texts) => wide.extend(texts),
                }
            },
        }
    }

    /// Reads a source anew: its evidence from the day `from` on gives way to `seen`.
    pub fn read_again(&mut self, rules: &Rules, source: u32, from: Day, seen: &[&Seen]) -> usize {
        let seen: Vec<(&Seen, i64)> = seen.iter().map(|&seen| (seen, 1)).collect();
        let mut graph = observe(rules, &seen);
        graph.replace(Replaced { source, from });
        self.settle_whole(rules, graph)
    }

    /// Applies `rules` to what is stored.
    pub fn rebuild(&mut self, rules: &Rules) -> usize {
        self.settle_whole(rules, Graph::default())
    }

    /// Writes down what an operator or matching says, or that it no longer holds.
    fn say(&mut self, fact: &Fact, holds: bool) {
        match fact {
            Fact::Seen(_) => {}
            Fact::Asserted(pair) if holds => drop(self.must_links.insert(pair.clone())),
            Fact::Asserted(pair) => drop(self.must_links.remove(pair)),
            Fact::Matched(pair, probability) => {
                self.link_row(pair).probability = holds.then_some(*probability);
            }
            Fact::Separated(pair) if holds => drop(self.separations.insert(pair.clone())),
            Fact::Separated(pair) => drop(self.separations.remove(pair)),
        }
    }

    fn link_row(&mut self, (a, b): &Pair) -> &mut Link {
        let ends = (self.identifier_id(a), self.identifier_id(b));
        self.links.entry(ends).or_default()
    }

    fn identifier_id(&mut self, text: &str) -> i64 {
        if let Some((&id, _)) = self.identifiers.iter().find(|(_, row)| row.text == text) {
            return id;
        }
        self.last_identifier += 1;
        let row = Identifier {
            text: text.to_owned(),
            profile: Uuid::nil(),
            aside: None,
            first_seen: NO_DAY,
            last_seen: NO_DAY,
            last_with_person: NO_DAY,
            partners: 0,
            undisputed: false,
            evidence: Vec::new(),
        };
        self.identifiers.insert(self.last_identifier, row);
        self.last_identifier
    }

    fn settle_whole(&mut self, rules: &Rules, mut graph: Graph) -> usize {
        self.identifiers.keys().for_each(|&id| self.load_identifier(&mut graph, rules, id));
        self.links.keys().for_each(|&ends| self.load_link(&mut graph, ends));
        self.must_links.iter().for_each(|(a, b)| graph.must_link(rules, a, b));
        self.separations.iter().for_each(|(a, b)| graph.separate(a, b));
        match self.settle(rules, graph) {
            Settled::Changes(changes) => self.write(*changes),
            Settled::Wider(_) => panic!("all is loaded"),
        }
    }

    fn settle(&mut self, rules: &Rules, graph: Graph) -> Settled {
        let mut last_profile = self.last_profile;
        let new_id = || {
            last_profile += 1;
            Uuid::from_u128(last_profile)
        };
        let former = |graph: &Graph| self.load_former(graph);
        let settled = graph.settle(rules, former, new_id, &mut || {}).expect("stored evidence is sound");
        // What is not written has used no ids.
        if matches!(settled, Settled::Changes(_)) {
            self.last_profile = last_profile;
        }
        settled
    }

    fn load_identifier(&self, graph: &mut Graph, rules: &Rules, id: i64) {
        graph.load_identifier(rules, &self.identifiers[&id].row(id)).expect("its type is configured");
    }

    fn load_link(&self, graph: &mut Graph, ends: (i64, i64)) {
        graph.load_link(&self.links[&ends].row(ends));
    }

    fn load_former(&self, graph: &Graph) -> Vec<Former> {
        let mut former = FxHashMap::default();
        for &(id, member) in &self.former {
            Former::add(&mut former, id, graph.by_stored_id(member));
        }
        former.into_values().collect()
    }

    /// Writes changes; every row to insert is new, every other is there, and none stays as it was.
    fn write(&mut self, mut changes: Changes) -> usize {
        let left = |event: &Event| {
            let old = event.old;
            event.members.iter().map(|&n| (changes.text(n).to_owned(), old)).collect::<Vec<_>>()
        };
        self.moved =
            changes.events(&mut || {}).iter().flat_map(left).filter(|(_, old)| !old.is_nil()).collect();
        let mut written = 0;
        let mut write = |lawful: bool, what: String| {
            assert!(lawful, "{what}");
            written += 1;
        };
        for ends in changes.gone_links() {
            write(self.links.remove(&ends).is_some(), format!("deleted link {ends:?} is stored"));
        }
        for row in changes.changed_links() {
            let old = self.links.insert((row.a, row.b), Link::from(&row));
            write(
                old.is_some_and(|old| old != Link::from(&row)),
                format!("updated link {row:?} differs"),
            );
        }
        for id in changes.gone_identifiers() {
            self.former.retain(|&(_, member)| member != id);
            write(self.identifiers.remove(&id).is_some(), format!("deleted identifier {id} is stored"));
        }
        for row in changes.rows(&changes.changed_identifiers()) {
            let old = self.identifiers.insert(row.id, Identifier::from(&row));
            let differs = old.is_some_and(|old| old != Identifier::from(&row));
            write(differs, format!("updated identifier {row:?} differs"));
        }
        for &id in changes.revived() {
            let before = self.former.len();
            self.former.retain(|&(former, _)| former != id);
            write(self.former.len() < before, format!("revived id {id} was retired"));
        }
        let numbers = changes.number_new(|| {
            self.last_identifier += 1;
            self.last_identifier
        });
        for row in changes.rows(&numbers) {
            let known = self.identifiers.values().any(|known| known.text == row.identifier);
            let old = self.identifiers.insert(row.id, Identifier::from(&row));
            write(!known && old.is_none(), format!("inserted identifier {row:?} is new"));
        }
        for row in changes.new_links() {
            let old = self.links.insert((row.a, row.b), Link::from(&row));
            write(old.is_none(), format!("inserted link {row:?} is new"));
        }
        for (id, member) in changes.retired() {
            let stored = self.identifiers.contains_key(&member);
            write(
                stored && self.former.insert((id, member)),
                format!("retired id {id} of {member} is new"),
            );
        }
        written
    }

    fn text(&self, id: i64) -> &str {
        &self.identifiers[&id].text
    }

    /// What is stored, in the words of the reference.
    pub fn verdict(&self) -> Verdict {
        let mut verdict = Verdict::default();
        for row in self.identifiers.values() {
            let same = |other: &&Identifier| !row.profile.is_nil() && other.profile == row.profile;
            let found = reference::Identifier {
                aside: row.aside,
                profile: self
                    .identifiers
                    .values()
                    .filter(same)
                    .map(|other| other.text.clone())
                    .collect(),
                days: (row.last_seen != NO_DAY).then_some((row.first_seen, row.last_seen)),
                counts: counts(&row.evidence),
            };
            verdict.identifiers.insert(row.text.clone(), found);
        }
        for (&(a, b), row) in &self.links {
            let &Link { asserted, probability, held, .. } = row;
            let found = reference::Link { asserted, probability, held, counts: counts(&row.evidence) };
            verdict.links.insert((self.text(a).to_owned(), self.text(b).to_owned()), found);
        }
        verdict
    }

    /// The packed evidence of links, and of identifiers as pairs with themselves.
    pub fn evidence(&self) -> BTreeMap<(&str, &str), &[u8]> {
        let alone = self.identifiers.values().map(|row| ((&*row.text, &*row.text), &*row.evidence));
        let together =
            self.links.iter().map(|(&(a, b), row)| ((self.text(a), self.text(b)), &*row.evidence));
        alone.chain(together).collect()
    }

    /// The profile id of each identifier; nil where it belongs to nobody.
    pub fn profiles(&self) -> BTreeMap<&str, Uuid> {
        self.identifiers.values().map(|row| (&*row.text, row.profile)).collect()
    }
}

impl Stored for Store {
    fn by_text(&mut self, texts: &[&str], each: &mut dyn FnMut(&IdentifierRow)) {
        let known = self.identifiers.iter().filter(|(_, row)| texts.contains(&&*row.text));
        known.for_each(|(&id, row)| each(&row.row(id)));
    }

    fn by_id(&mut self, ids: &[i64], each: &mut dyn FnMut(&IdentifierRow)) {
        ids.iter().for_each(|id| each(&self.identifiers[id].row(*id)));
    }

    fn links_of(&mut self, ids: &[i64], _most: usize, each: &mut dyn FnMut(&LinkRow)) {
        let of = self.links.iter().filter(|((a, b), _)| ids.contains(a) || ids.contains(b));
        of.for_each(|(&ends, row)| each(&row.row(ends)));
    }

    fn links(&mut self, pairs: &[(i64, i64)], each: &mut dyn FnMut(&LinkRow)) {
        pairs.iter().for_each(|ends| {
            if let Some(row) = self.links.get(ends) {
                each(&row.row(*ends));
            }
        });
    }

    fn separations(&mut self, texts: &[&str], each: &mut dyn FnMut(&str, &str)) {
        let of = |(a, b): &&Pair| texts.contains(&&**a) || texts.contains(&&**b);
        self.separations.iter().filter(of).for_each(|(a, b)| each(a, b));
    }

    fn must_links(&mut self, texts: &[&str], each: &mut dyn FnMut(&str, &str)) {
        let of = |(a, b): &&Pair| texts.contains(&&**a) || texts.contains(&&**b);
        self.must_links.iter().filter(of).for_each(|(a, b)| each(a, b));
    }
}

impl Identifier {
    fn row(&self, id: i64) -> IdentifierRow<'_> {
        IdentifierRow {
            id,
            identifier: &self.text,
            profile: self.profile,
            aside: self.aside,
            first_seen: self.first_seen,
            last_seen: self.last_seen,
            last_with_person: self.last_with_person,
            partners: self.partners,
            undisputed: self.undisputed,
            evidence: &self.evidence,
        }
    }
}

impl Link {
    fn row(&self, (a, b): (i64, i64)) -> LinkRow<'_> {
        let Link { asserted, probability, held, .. } = *self;
        LinkRow { a, b, asserted, probability, held, evidence: &self.evidence }
    }
}

impl From<&IdentifierRow<'_>> for Identifier {
    fn from(row: &IdentifierRow) -> Self {
        Identifier {
            text: row.identifier.to_owned(),
            profile: row.profile,
            aside: row.aside,
            first_seen: row.first_seen,
            last_seen: row.last_seen,
            last_with_person: row.last_with_person,
            partners: row.partners,
            undisputed: row.undisputed,
            evidence: row.evidence.to_vec(),
        }
    }
}

impl From<&LinkRow<'_>> for Link {
    fn from(row: &LinkRow) -> Self {
        let &LinkRow { asserted, probability, held, evidence, .. } = row;
        Link { asserted, probability, held, evidence: evidence.to_vec() }
    }
}

/// `facts`, each to be added once.
pub fn added(facts: &[Fact]) -> Vec<(&Fact, i64)> {
    facts.iter().map(|fact| (fact, 1)).collect()
}

/// A graph that holds the counts of `seen` and nothing else.
fn observe(rules: &Rules, seen: &[(&Seen, i64)]) -> Graph {
    let mut graph = Graph::default();
    let mut observers = BTreeMap::new();
    for &(seen, times) in seen {
        let named = |text| Some(Value { text, column: 0 });
        let sighting = Sighting {
            day: seen.day,
            channel: named(seen.channel),
            device_type: named(seen.device_type),
            region: None,
            identifiers: seen
                .identifiers
                .iter()
                .map(|(kind, text)| (*kind, Value { text, column: 0 }))
                .collect(),
        };
        let observer = observers.entry(seen.source).or_insert_with(|| Observer::new(rules, seen.source));
        observer.observe(&mut graph, &sighting, times, |_, _| {});
        let identifiers: Vec<u32> = observer.identifiers().collect();
        let texts: Vec<&str> = identifiers.iter().map(|&number| graph.text(number)).collect();
        let usable = reference::usable(rules, seen);
        assert_eq!(
            texts.iter().copied().collect::<BTreeSet<_>>(),
            usable.iter().map(|text| &**text).collect()
        );
        assert!(usable.iter().all(|text| reference::by_strength(rules, texts[0], text).is_le()));
    }
    graph
}

fn counts(packed: &[u8]) -> Counts {
    let mut counts = Counts::new();
    for histogram in evidence::unpack(packed) {
        let histogram = histogram.expect("stored evidence is sound");
        let label = (histogram.facet, histogram.source, histogram.name.to_owned());
        let old = counts.insert(label, histogram.days.collect());
        assert!(old.is_none(), "a label stands in evidence once");
    }
    counts
}
