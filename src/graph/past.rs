//! Whose an identifier was: the rule applied to the evidence up to a day.

use super::Day;
use super::changes::Changes;
use super::evidence;
use super::reach::Stored;
use super::rules::{Role, Rules};
use super::store::{Graph, IdentifierRow, LinkRow, StoreError};
use crate::error::Error;
use rustc_hash::{FxHashMap, FxHashSet};
use uuid::Uuid;

/// Whose an identifier was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// Nobody's: it had not been seen, or stood aside.
    Nobody,
    /// Of whom this is today's profile.
    Profile(Uuid),
    /// A contact or device of which nothing else was known; this is its profile today. It was the
    /// same person's only if nothing has come to it since.
    Alone(Uuid),
}

impl Graph {
    /// Loads what decides whose the identifier `text` was on a day: all that hung together with it by
    /// the evidence up to then, and as far as it goes through what did not stand aside.
    ///
    /// The graph must be empty. Fails if settling would take more than `limit_mb` megabytes.
    pub fn reach_past(
        &mut self,
        rules: &Rules,
        text: &str,
        day: Day,
        limit_mb: i32,
        stored: &mut impl Stored,
    ) -> Result<(), Error> {
        let mut frontier = Vec::new();
        let mut result = Ok(());
        stored.by_text(&[text], &mut |row| {
            result = self.load_past(rules, row, day).map(|number| frontier.push(number));
        });
        result?;
        let mut links = FxHashSet::default();
        let mut expanded: FxHashSet<u32> = frontier.iter().copied().collect();
        while !frontier.is_empty() {
            let mut ids: Vec<i64> = frontier.iter().map(|&n| self.nodes[n as usize].id).collect();
            ids.sort_unstable();
            let mut found: Vec<(LinkRow<'static>, Vec<u8>)> = Vec::new();
            let mut result = Ok(());
            stored.links_of(&ids, &mut |row| {
                let kept = self.evidence_until(row.evidence, day);
                match kept {
                    Ok(kept) if kept.is_empty() && !row.asserted && row.probability.is_none() => {}
                    Ok(kept) if links.insert((row.a, row.b)) => {
                        found.push((LinkRow { evidence: &[], ..*row }, kept));
                    }
                    Ok(_) => {}
                    Err(error) => result = Err(error),
                }
            });
            result?;
            let mut new: Vec<i64> = found.iter().flat_map(|(row, _)| [row.a, row.b]).collect();
            new.retain(|&id| self.by_stored_id(id).is_none());
            new.sort_unstable();
            new.dedup();
            let mut result = Ok(());
            stored.by_id(&new, &mut |row| {
                if let Err(error) = self.load_past(rules, row, day) {
                    result = Err(error);
                }
            });
            result?;
            let mut partners: FxHashMap<u32, Vec<u32>> = FxHashMap::default();
            for (row, evidence) in &found {
                self.load_link(&LinkRow { evidence, ..*row });
            }
            for (row, _) in &found {
                if let (Some(a), Some(b)) = (self.by_stored_id(row.a), self.by_stored_id(row.b)) {
                    partners.entry(a).or_default().push(b);
                    partners.entry(b).or_default().push(a);
                }
            }
            let mut next = Vec::new();
            for &number in &frontier {
                let reached = partners.get(&number).map_or(&[][..], Vec::as_slice);
                if !self.stood_aside(rules, number, reached)? {
                    next.extend(reached.iter().copied().filter(|&other| expanded.insert(other)));
                }
            }
            frontier = next;
            self.check_memory(limit_mb)?;
        }
        self.load_words(&[], stored);
        Ok(())
    }

    /// Whether nothing is joined by an identifier, whoever else is known: blocked, a public device,
    /// or, among these partners, too common.
    fn stood_aside(&self, rules: &Rules, number: u32, partners: &[u32]) -> Result<bool, StoreError> {
        let node = &self.nodes[number as usize];
        let counted = |&&other: &&u32| self.nodes[other as usize].role != Role::Record;
        let count = partners.iter().filter(counted).collect::<FxHashSet<_>>().len();
        let max = rules.type_of(node.type_index).max_links;
        Ok(node.blocked
            || max.is_some_and(|max| count > max as usize)
            || self.is_public(rules, number)?)
    }

    fn load_past(&mut self, rules: &Rules, row: &IdentifierRow, day: Day) -> Result<u32, StoreError> {
        let evidence = self.evidence_until(row.evidence, day)?;
        self.load_identifier(rules, &IdentifierRow { evidence: &evidence, ..row.clone() })
    }

    fn evidence_until(&mut self, packed: &[u8], day: Day) -> Result<Vec<u8>, StoreError> {
        let mut cells = Vec::new();
        evidence::unpack_into(packed, &mut self.labels, |_, seen| seen <= day, &mut cells)?;
        let mut kept = Vec::new();
        evidence::pack(&mut cells, &self.labels, &mut kept);
        Ok(kept)
    }
}

impl Changes {
    /// Whose the identifier `text` was, after a graph that [`Graph::reach_past`] loaded was settled:
    /// by its present id, the profile of the strongest identifier that was in one group with it and
    /// is in a profile today.
    pub fn holder(&self, rules: &Rules, text: &str) -> Holder {
        let Some(number) = self.number(text) else { return Holder::Nobody };
        let Some(group) = self.profile(number) else { return Holder::Nobody };
        let today: FxHashMap<u32, Uuid> = self.moves.iter().map(|m| (m.number, m.old)).collect();
        let mut members: Vec<u32> =
            (0..self.graph.len() as u32).filter(|&other| self.profile(other) == Some(group)).collect();
        members.sort_by(|&x, &y| self.by_strength(rules, x, y));
        let holder = members.iter().find_map(|&member| {
            let id = today.get(&member).copied().or_else(|| self.profile(member))?;
            (!id.is_nil() && !self.is_new(id)).then_some(id)
        });
        match holder {
            None => Holder::Nobody,
            Some(id) if members.len() == 1 && self.graph.nodes[number as usize].role != Role::Person => {
                Holder::Alone(id)
            }
            Some(id) => Holder::Profile(id),
        }
    }
}
