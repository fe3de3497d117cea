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

/// Links that are read of an identifier whose partners are limited: one that has more is too common,
/// and its oldest come first.
const MOST_LINKS: usize = 1000;

/// Whose an identifier was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// Nobody's: it had not been seen, or stood aside.
    Nobody,
    /// Of whom this is today's profile.
    Profile(Uuid),
    /// Nobody's that was known: so many identifiers, records aside a single contact or only devices.
    /// This is their profile today; they were the same person's only if nothing has come to it since.
    Anonymous { today: Uuid, members: usize },
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
            // Kept until both ends are loaded, each with its evidence.
            let mut found: Vec<(LinkRow<'static>, Vec<u8>)> = Vec::new();
            let is_limited =
                |&&n: &&u32| rules.type_of(self.nodes[n as usize].type_index).max_links.is_some();
            let (limited, others): (Vec<u32>, Vec<u32>) = frontier.iter().partition(is_limited);
            for (numbers, most) in [(limited, MOST_LINKS), (others, usize::MAX)] {
                let mut ids: Vec<i64> = numbers.iter().map(|&n| self.nodes[n as usize].id).collect();
                ids.sort_unstable();
                let mut result = Ok(());
                stored.links_of(&ids, most, &mut |row| match self.evidence_until(row.evidence, day) {
                    Ok(kept) if kept.is_empty() && !row.asserted && row.probability.is_none() => {}
                    Ok(kept) if links.insert((row.a, row.b)) => {
                        found.push((LinkRow { evidence: &[], ..*row }, kept));
                    }
                    Ok(_) => {}
                    Err(error) => result = Err(error),
                });
                result?;
            }
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
                if self.was_too_common(rules, number, reached) {
                    continue;
                }
                for &other in reached {
                    let joins_nobody =
                        self.nodes[other as usize].blocked || self.is_public(rules, other)?;
                    if expanded.insert(other) && !joins_nobody {
                        next.push(other);
                    }
                }
            }
            frontier = next;
            self.check_memory(limit_mb)?;
        }
        self.load_words(&[], stored);
        Ok(())
    }

    /// Whether an identifier had too many of these partners to join anything.
    fn was_too_common(&self, rules: &Rules, number: u32, partners: &[u32]) -> bool {
        let counted = |&&other: &&u32| self.nodes[other as usize].role != Role::Record;
        let count = partners.iter().filter(counted).collect::<FxHashSet<_>>().len();
        let max = rules.type_of(self.nodes[number as usize].type_index).max_links;
        max.is_some_and(|max| count > max as usize)
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
            Some(today) if self.is_anonymous(&members) => {
                Holder::Anonymous { today, members: members.len() }
            }
            Some(id) => Holder::Profile(id),
        }
    }

    /// Whether a group tells of no person: nobody's certain identifier is in it, and no contact that
    /// anything else was seen with, records aside.
    fn is_anonymous(&self, members: &[u32]) -> bool {
        let role = |&member: &u32| self.graph.nodes[member as usize].role;
        let count = |wanted: Role| members.iter().filter(|member| role(member) == wanted).count();
        match (count(Role::Person), count(Role::Contact)) {
            (0, 0) => true,
            (0, 1) => count(Role::Device) == 0,
            _ => false,
        }
    }
}
