//! The tables in memory: rows are loaded, settled and written as the database shell does it.

use super::world::Fact;
use crate::graph::evidence;
use crate::graph::reference::{self, Counts, Pair, Seen, Verdict};
use crate::graph::rules::Rules;
use crate::graph::solver::Reason;
use crate::graph::stable_id::Former;
use crate::graph::{Changes, Day, Graph, IdentifierRow, LinkRow, NO_DAY, Replaced};
use crate::source::sighting::{Observer, Sighting, Value};
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
        let mut touched = BTreeSet::new();
        for &(fact, times) in facts {
            if let Fact::Asserted(pair) | Fact::Matched(pair, _) | Fact::Separated(pair) = fact {
                touched.extend([pair.0.clone(), pair.1.clone()]);
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
        let graph = match way {
            Way::Whole | Way::Component => observe(rules, &seen, &mut touched),
            Way::Segments => {
                let (early, late) = seen.split_at(seen.len() / 2);
                let mut graph = observe(rules, early, &mut touched);
                let late = observe(rules, late, &mut touched).into_segment();
                let early = std::mem::take(&mut graph).into_segment();
                graph.add_segment(rules, &late).expect("a segment is read back");
                graph.add_segment(rules, &early).expect("a segment is read back");
                graph
            }
        };
        self.settle(rules, graph, (way == Way::Component).then_some(&touched))
    }

    /// Reads a source anew: its evidence from the day `from` on gives way to `seen`.
    pub fn read_again(&mut self, rules: &Rules, source: u32, from: Day, seen: &[&Seen]) -> usize {
        let seen: Vec<(&Seen, i64)> = seen.iter().map(|&seen| (seen, 1)).collect();
        let mut graph = observe(rules, &seen, &mut BTreeSet::new());
        graph.replace(Replaced { source, from });
        self.settle(rules, graph, None)
    }

    /// Applies `rules` to what is stored.
    pub fn rebuild(&mut self, rules: &Rules) -> usize {
        self.settle(rules, Graph::default(), None)
    }

    /// Writes down what an operator or matching says, or that it no longer holds.
    fn say(&mut self, fact: &Fact, holds: bool) {
        match fact {
            Fact::Seen(_) => {}
            Fact::Asserted(pair) => self.link_row(pair).asserted = holds,
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
            evidence: Vec::new(),
        };
        self.identifiers.insert(self.last_identifier, row);
        self.last_identifier
    }

    fn settle(&mut self, rules: &Rules, mut graph: Graph, touched: Option<&BTreeSet<String>>) -> usize {
        match touched {
            Some(touched) => self.load_component(&mut graph, rules, touched),
            None => self.load_all(&mut graph, rules),
        }
        for (a, b) in &self.separations {
            graph.separate(a, b);
        }
        let former = self.load_former(&graph);
        let mut last_profile = self.last_profile;
        let new_id = || {
            last_profile += 1;
            Uuid::from_u128(last_profile)
        };
        let changes = graph.settle(rules, former, new_id, &mut || {}).expect("stored evidence is sound");
        self.last_profile = last_profile;
        self.write(changes)
    }

    fn load_identifier(&self, graph: &mut Graph, rules: &Rules, id: i64) -> u32 {
        let row = &self.identifiers[&id];
        let row = IdentifierRow {
            id,
            identifier: &row.text,
            profile: row.profile,
            aside: row.aside,
            first_seen: row.first_seen,
            last_seen: row.last_seen,
            evidence: &row.evidence,
        };
        graph.load_identifier(rules, &row).expect("its type is configured")
    }

    fn load_link(&self, graph: &mut Graph, (a, b): (i64, i64)) {
        let row = &self.links[&(a, b)];
        let Link { asserted, probability, held, .. } = *row;
        graph.load_link(&LinkRow { a, b, asserted, probability, held, evidence: &row.evidence });
    }

    fn load_all(&self, graph: &mut Graph, rules: &Rules) {
        for &id in self.identifiers.keys() {
            self.load_identifier(graph, rules, id);
        }
        for &ends in self.links.keys() {
            self.load_link(graph, ends);
        }
    }

    /// Loads `touched` with all their links, and what hangs together with them through what does
    /// not stand aside.
    fn load_component(&self, graph: &mut Graph, rules: &Rules, touched: &BTreeSet<String>) {
        let is_touched = |id: &i64| touched.contains(&self.identifiers[id].text);
        let mut frontier: Vec<i64> = self.identifiers.keys().copied().filter(is_touched).collect();
        let mut loaded: BTreeSet<i64> = frontier.iter().copied().collect();
        let mut links = BTreeSet::new();
        for &id in &frontier {
            self.load_identifier(graph, rules, id);
        }
        while let Some(id) = frontier.pop() {
            for &(a, b) in self.links.keys().filter(|&&(a, b)| a == id || b == id) {
                let other = if a == id { b } else { a };
                if loaded.insert(other) {
                    let number = self.load_identifier(graph, rules, other);
                    let passes = match self.identifiers[&other].aside {
                        None => true,
                        Some(Reason::Shared) => {
                            !graph.is_public(rules, number).expect("evidence is sound")
                        }
                        Some(_) => false,
                    };
                    if passes {
                        frontier.push(other);
                    } else {
                        graph.freeze(number);
                    }
                }
                if links.insert((a, b)) {
                    self.load_link(graph, (a, b));
                }
            }
        }
    }

    fn load_former(&self, graph: &Graph) -> Vec<Former> {
        let mut former = BTreeMap::<Uuid, Former>::new();
        for &(id, member) in &self.former {
            let retired =
                former.entry(id).or_insert(Former { id, members: Vec::new(), elsewhere: false });
            match graph.by_stored_id(member) {
                Some(number) => retired.members.push(number),
                None => retired.elsewhere = true,
            }
        }
        former.into_values().collect()
    }

    /// Writes changes; every row to insert is new, every other is there, and none stays as it was.
    fn write(&mut self, mut changes: Changes) -> usize {
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
        for row in changes.changed_identifiers() {
            let old = self.identifiers.insert(row.id, Identifier::from(&row));
            let differs = old.is_some_and(|old| old != Identifier::from(&row));
            write(differs, format!("updated identifier {row:?} differs"));
        }
        for &id in changes.revived() {
            let before = self.former.len();
            self.former.retain(|&(former, _)| former != id);
            write(self.former.len() < before, format!("revived id {id} was retired"));
        }
        let numbers = changes.number_new(self.last_identifier + 1);
        self.last_identifier += numbers.len() as i64;
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

impl From<&IdentifierRow<'_>> for Identifier {
    fn from(row: &IdentifierRow) -> Self {
        Identifier {
            text: row.identifier.to_owned(),
            profile: row.profile,
            aside: row.aside,
            first_seen: row.first_seen,
            last_seen: row.last_seen,
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

/// A graph that holds the counts of `seen` and nothing else; adds their identifiers to `touched`.
fn observe(rules: &Rules, seen: &[(&Seen, i64)], touched: &mut BTreeSet<String>) -> Graph {
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
        touched.extend(usable);
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
