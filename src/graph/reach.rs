//! What of the stored graph must be at hand to decide about fresh counts: [`Graph::reach`].
//!
//! A profile that is *undisputed* (see [`super::lane`]) takes what changes nothing about it with
//! only the touched identifiers and links loaded: the fast lane. Everything else loads all that
//! hangs together with it, through what does not stand aside. An identifier that stands aside
//! (blocked, expired, too common, a public device) is loaded with the touched links only as long
//! as it stays aside: a kiosk may have a million links.

use super::groups::find;
use super::ledger::Pair;
use super::rules::{Joins, Role, Rules};
use super::solver::Reason;
use super::store::{Extent, Graph, IdentifierRow, LinkRow, NO_DAY, StoreError};
use crate::error::Error;
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};
use std::hash::{Hash, Hasher};
use uuid::Uuid;

/// The tables, as far as they are looked up by key.
pub trait Stored {
    /// Shows each stored identifier of these canonical texts.
    fn by_text(&mut self, texts: &[&str], each: &mut dyn FnMut(&IdentifierRow));

    /// Shows each stored identifier of these ids.
    fn by_id(&mut self, ids: &[i64], each: &mut dyn FnMut(&IdentifierRow));

    /// Shows each stored link of any of these ids, maybe twice; of an id that has more than `most` as
    /// its stronger end, or as its weaker one, so many.
    fn links_of(&mut self, ids: &[i64], most: usize, each: &mut dyn FnMut(&LinkRow));

    /// Shows those of these links that are stored.
    fn links(&mut self, pairs: &[(i64, i64)], each: &mut dyn FnMut(&LinkRow));

    /// Shows what is separated from any of these canonical texts, as pairs.
    fn separations(&mut self, texts: &[&str], each: &mut dyn FnMut(&str, &str));

    /// Shows what must be linked to any of these canonical texts, as pairs.
    fn must_links(&mut self, texts: &[&str], each: &mut dyn FnMut(&str, &str));
}

/// What keeps two writers apart: whoever changes what a key stands for holds its lock.
pub type Key = u64;

/// The key of everything in one profile.
fn profile_key(profile: Uuid) -> Key {
    // The lower half of a UUID of version 7 is random.
    profile.as_u64_pair().1
}

/// The key of an identifier that is in no profile: by its number, or, of one that is not stored, by
/// its text.
fn identifier_key(name: impl Hash) -> Key {
    let mut hasher = FxHasher::default();
    name.hash(&mut hasher);
    hasher.finish()
}

impl Graph {
    /// Loads what fresh counts and `wide` (canonical texts) can change: `wide` with all that hangs
    /// together with it, counts where they change nothing else through the fast lane.
    ///
    /// All sightings must have been observed, and nothing loaded. Fails if settling would take more
    /// than `limit_mb` megabytes.
    pub fn reach(
        &mut self,
        rules: &Rules,
        wide: &FxHashSet<String>,
        limit_mb: i32,
        stored: &mut impl Stored,
    ) -> Result<(), Error> {
        for text in wide {
            let (type_name, value) = text.split_once(':').unwrap_or((text, ""));
            let kind =
                rules.type_index(type_name).ok_or_else(|| StoreError::UnknownType(text.clone()))?;
            self.intern(rules, kind, value);
        }
        let fresh = self.ledger.net();
        let mut touched = vec![false; self.len()];
        for &(pair, _) in &fresh {
            touched[pair.0 as usize] = true;
            touched[pair.1 as usize] = true;
        }
        let mut is_wide = vec![false; self.len()];
        for number in wide.iter().filter_map(|text| self.names.number(text)) {
            touched[number as usize] = true;
            is_wide[number as usize] = true;
        }
        let is_touched = touched;
        let mut touched: Vec<u32> = (0..self.len() as u32).filter(|&n| is_touched[n as usize]).collect();
        // Neighbours in an index are looked up one after the other.
        touched.sort_unstable_by(|&x, &y| self.text(x).cmp(self.text(y)));
        self.load_touched(rules, &touched, stored)?;
        for &(pair, count) in &fresh {
            if count < 0 {
                // What is taken back may have been the first, the last or the only one.
                is_wide[pair.0 as usize] = true;
                is_wide[pair.1 as usize] = true;
            }
        }
        self.widen_sets(rules, &touched, &fresh, &mut is_wide)?;

        let frontier: Vec<u32> =
            touched.iter().copied().filter(|&n| is_wide[n as usize] && self.is_stored(n)).collect();
        let mut links = FxHashSet::default();
        self.load_touched_links(&fresh, &mut links, stored);
        self.load_component(rules, frontier, &mut links, limit_mb, stored)?;
        self.load_words(&is_touched, stored);
        Ok(())
    }

    /// Whether there are fresh counts that do not come to nought.
    pub fn has_counts(&mut self) -> bool {
        !self.ledger.net().is_empty()
    }

    fn is_stored(&self, number: u32) -> bool {
        self.nodes[number as usize].id != 0
    }

    fn load_touched(
        &mut self,
        rules: &Rules,
        touched: &[u32],
        stored: &mut impl Stored,
    ) -> Result<(), StoreError> {
        let texts: Vec<String> = touched.iter().map(|&n| self.text(n).to_owned()).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let mut result = Ok(());
        stored.by_text(&texts, &mut |row| {
            let loaded = self.load_identifier(rules, row).and_then(|number| {
                self.nodes[number as usize].extent = Extent::Partial;
                let device_type = self.device_type(number)?.map(str::to_owned);
                self.device_types.extend(device_type.map(|name| (number, name)));
                Ok(())
            });
            if let Err(error) = loaded {
                result = Err(error);
            }
        });
        result
    }

    /// Whether it takes no part as it is stored, whatever its links.
    fn stands_aside(&self, rules: &Rules, number: u32) -> Result<bool, StoreError> {
        Ok(match self.nodes[number as usize].aside {
            None => false,
            // Shared by the evidence, and not for being public: takes part until found out.
            Some(Reason::Shared) => self.is_public(rules, number)?,
            Some(_) => true,
        })
    }

    /// Marks what the fast lane does not do for, among identifiers that hang together by fresh counts:
    /// all of a set; or, if all its profiles are undisputed, what is in another profile than the
    /// strongest of the set, as what a cookie did before somebody signed in.
    fn widen_sets(
        &self,
        rules: &Rules,
        touched: &[u32],
        fresh: &[(Pair, i64)],
        is_wide: &mut [bool],
    ) -> Result<(), StoreError> {
        let mut part = Vec::with_capacity(touched.len());
        for &number in touched {
            if is_wide[number as usize] || !self.stands_aside(rules, number)? {
                part.push(number);
            }
        }
        let mut takes_part = vec![false; self.len()];
        part.iter().for_each(|&number| takes_part[number as usize] = true);
        let mut parent: Vec<u32> = (0..self.len() as u32).collect();
        for &((a, b), _) in fresh {
            if takes_part[a as usize] && takes_part[b as usize] {
                let (x, y) = (find(&mut parent, a), find(&mut parent, b));
                parent[x.max(y) as usize] = x.min(y);
            }
        }
        let root: Vec<u32> = part.iter().map(|&number| find(&mut parent, number)).collect();
        // Of each set: its strongest stored identifier, and whether it must be wide.
        let mut sets: FxHashMap<u32, (Option<u32>, bool)> = FxHashMap::default();
        for (&number, root) in part.iter().zip(&root) {
            let (strongest, wide) = sets.entry(*root).or_default();
            *wide |= is_wide[number as usize];
            if self.is_stored(number) {
                *wide |= !self.nodes[number as usize].undisputed;
                let strength = |number: u32| (self.strength(rules, number), self.text(number));
                let other = strongest.get_or_insert(number);
                if strength(number) < strength(*other) {
                    *other = number;
                }
            }
        }
        let profile = |number: u32| self.nodes[number as usize].profile;
        for (&number, root) in part.iter().zip(&root) {
            let node = &self.nodes[number as usize];
            let Some(strongest) = sets[root].0 else {
                // Nothing of it is stored: there is nothing to load.
                continue;
            };
            let comes_along = self.joins_silently(rules, number)
                // Its profile is probably no person's, and its id will not be the one that survives.
                && node.last_with_person == NO_DAY
                && (!self.is_stored(number) || profile(strongest) < node.profile);
            let is_there = self.is_stored(number) && profile(strongest) == node.profile;
            let joins = rules.type_of(node.type_index).joins;
            if !(is_there || comes_along) || joins == Joins::Never {
                sets.entry(*root).and_modify(|(_, wide)| *wide = true);
            }
        }
        for (&number, root) in part.iter().zip(&root) {
            let (strongest, wide) = sets[root];
            let elsewhere = strongest.is_some_and(|strongest| profile(strongest) != profile(number));
            is_wide[number as usize] |= wide || elsewhere;
        }
        Ok(())
    }

    /// Whether an identifier may come to a profile without anything being decided anew: it says
    /// nothing about a person, and nothing limits how many there are.
    pub(super) fn joins_silently(&self, rules: &Rules, number: u32) -> bool {
        let node = &self.nodes[number as usize];
        let kind = rules.type_of(node.type_index);
        matches!(node.role, Role::Device | Role::Record) && kind.max_per_profile.is_none()
    }

    /// Loads the stored links that have fresh counts.
    fn load_touched_links(
        &mut self,
        fresh: &[(Pair, i64)],
        links: &mut FxHashSet<(i64, i64)>,
        stored: &mut impl Stored,
    ) {
        let id = |number: u32| self.nodes[number as usize].id;
        let both_stored =
            |&((a, b), _): &(Pair, i64)| (a != b && id(a) != 0 && id(b) != 0).then(|| (id(a), id(b)));
        let mut pairs: Vec<(i64, i64)> = fresh.iter().filter_map(both_stored).collect();
        pairs.sort_unstable();
        stored.links(&pairs, &mut |row| {
            links.insert((row.a, row.b));
            self.load_link(row);
        });
        // A change of priorities may have left the other direction.
        pairs.retain(|pair| !links.contains(pair));
        pairs.iter_mut().for_each(|pair| *pair = (pair.1, pair.0));
        stored.links(&pairs, &mut |row| {
            links.insert((row.a, row.b));
            self.load_link(row);
        });
    }

    /// Loads all that hangs together with `frontier`. What stands aside is loaded but not passed
    /// through.
    fn load_component(
        &mut self,
        rules: &Rules,
        mut frontier: Vec<u32>,
        links: &mut FxHashSet<(i64, i64)>,
        limit_mb: i32,
        stored: &mut impl Stored,
    ) -> Result<(), Error> {
        for &number in &frontier {
            self.nodes[number as usize].extent = Extent::Whole;
        }
        while !frontier.is_empty() {
            let mut ids: Vec<i64> = frontier.iter().map(|&n| self.nodes[n as usize].id).collect();
            ids.sort_unstable();
            let mut ends = Vec::new();
            // Kept until both ends are loaded, each with its evidence.
            let mut found: Vec<(LinkRow<'static>, Vec<u8>)> = Vec::new();
            stored.links_of(&ids, usize::MAX, &mut |row| {
                if links.insert((row.a, row.b)) {
                    found.push((LinkRow { evidence: &[], ..*row }, row.evidence.to_vec()));
                }
                ends.extend([row.a, row.b]);
            });
            ends.sort_unstable();
            ends.dedup();
            frontier.clear();
            let known: Vec<u32> = ends.iter().filter_map(|id| self.by_stored_id(*id)).collect();
            for number in known {
                let partial = self.nodes[number as usize].extent == Extent::Partial;
                if partial && !self.stands_aside(rules, number)? {
                    self.nodes[number as usize].extent = Extent::Whole;
                    frontier.push(number);
                }
            }
            let new: Vec<i64> =
                ends.iter().copied().filter(|id| self.by_stored_id(*id).is_none()).collect();
            let mut result = Ok(());
            stored.by_id(&new, &mut |row| {
                let reached = self.load_identifier(rules, row).and_then(|number| {
                    let aside = self.stands_aside(rules, number)?;
                    let node = &mut self.nodes[number as usize];
                    node.extent = if aside { Extent::Boundary } else { Extent::Whole };
                    if !aside {
                        frontier.push(number);
                    }
                    Ok(())
                });
                if let Err(error) = reached {
                    result = Err(error);
                }
            });
            result?;
            for (row, evidence) in &found {
                self.load_link(&LinkRow { evidence, ..*row });
            }
            self.check_memory(limit_mb)?;
        }
        Ok(())
    }

    /// Loads what operators say about what is loaded whole; notes separations from what is not
    /// loaded. What must be linked to that waits for a rebuild: only a row written by hand can say so.
    ///
    /// `is_touched` tells the new identifiers from those whose counts have come to nought, which may
    /// be stored.
    pub(super) fn load_words(&mut self, is_touched: &[bool], stored: &mut impl Stored) {
        let Graph { names, nodes, separations, separated_elsewhere, must_links, .. } = self;
        let is_touched = |number: u32| is_touched.get(number as usize).is_some_and(|&touched| touched);
        let at_hand =
            |text: &str| names.number(text).filter(|&n| nodes[n as usize].id != 0 || is_touched(n));
        let whole = (0..nodes.len() as u32).filter(|&n| nodes[n as usize].extent == Extent::Whole);
        let texts: Vec<&str> = whole.map(|n| names.get(n)).collect();
        stored.separations(&texts, &mut |a, b| match (at_hand(a), at_hand(b)) {
            (Some(a), Some(b)) => separations.push((a, b)),
            (one, other) => separated_elsewhere.extend(one.or(other)),
        });
        stored.must_links(&texts, &mut |a, b| {
            if let (Some(a), Some(b)) = (at_hand(a), at_hand(b)) {
                must_links.insert((a.min(b), a.max(b)));
            }
        });
    }

    /// The keys of all that a decision may change or rests on.
    pub fn keys(&self) -> Vec<Key> {
        let mut keys: Vec<Key> = (0..self.len() as u32)
            .filter(|&number| self.nodes[number as usize].extent != Extent::Boundary)
            .map(|number| {
                let node = &self.nodes[number as usize];
                match node.id {
                    0 => identifier_key(self.text(number)),
                    id if node.profile.is_nil() => identifier_key(id),
                    _ => profile_key(node.profile),
                }
            })
            .collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}
