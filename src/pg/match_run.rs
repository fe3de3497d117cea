//! Runs of matching: over all records, or over what has come since the last one.

use super::backfill::{self, Matches};
use super::history::{self, Operation};
use super::match_index::{self, Index, Mark, Moment, State};
use super::matching::{keyed, record_type, specs};
use super::model::{self, Prepared};
use super::observe::Mode;
use super::records::{self, Loaded, Names, Plan, Rows, key_hash};
use super::review::Scope;
use super::transaction::{self, PinnedSettings, Procedure};
use super::{configuration, live, lock, parallel, progress, queue, review, source, spi};
use crate::error::Error;
use crate::graph::Graph;
use crate::matching::find::{Edge, RuleCount, compares_all, is_few};
use crate::matching::index::{Page, name_hash};
use crate::matching::model::probability;
use crate::matching::people::compare_all;
use crate::matching::records::{FieldSpec, pairs_of};
use crate::matching::refresh::{self, Arrived, Halt, Means, Name, News, Refreshed};
use crate::matching::watch::{Stopped, Watch};
use crate::source::batch;
use pgrx::pg_sys;
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::{Value as Json, json};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};

/// Compares the records of a model's sources, links those that are probably one person's and puts
/// doubtful pairs before somebody. What has been compared before is not compared again.
pub fn run(name: &str, procedure: &Procedure) -> Result<(), Error> {
    transaction::refuse_if_read_only();
    let pinned = PinnedSettings::pin();
    bring_up_to_date(model::current(name)?.sources.as_deref(), procedure, &pinned)?;
    let configuration = configuration::current()?;
    progress::begin(progress::Work::Match);
    match_index::claim(name);
    let model = transaction::with_latest_snapshot(|| model::current(name))?;
    let attached = keyed(model.sources.as_deref())?;
    let plans: Vec<Plan> =
        attached.iter().map(|source| Plan::new(source, &configuration.rules)).collect();
    let specs = specs(&model.model, &plans);
    let record_type = record_type(&configuration.rules);
    let reading = match_index::reading(&plans, &specs, &record_type)?;
    let run = Run { name, model, plans, specs, record_type, reading, procedure };
    let report = match run.refresh()? {
        Some(report) => report,
        None => run.full()?,
    };
    model::note_match(name, &report);
    progress::end();
    Ok(())
}

/// Backfills sources that nobody has, and takes in what is queued: only records that are known can be
/// linked. Fails if a source may not be read.
fn bring_up_to_date(
    sources: Option<&[pg_sys::Oid]>,
    procedure: &Procedure,
    pinned: &PinnedSettings,
) -> Result<(), Error> {
    for source in keyed(sources)? {
        source::readable(source.oid)?;
        if source.mode == Mode::Queue {
            queue::drain_source(&source)?;
            if procedure.may_commit() {
                procedure.commit();
                pinned.renew();
            }
        }
        let was_read = "SELECT FROM identity_resolve.source WHERE id = $1 AND backfilled_at IS NOT NULL";
        if spi::one(was_read, &[(source.number as i32).into()], |_| ()).is_none() {
            backfill::backfill(Some(source.oid), procedure)?;
        }
    }
    Ok(())
}

/// The share of the records of the last full run that may come until all is compared anew: 1 of so
/// many. What has come is kept apart, and that must stay small.
const NEW_OF: u32 = 4;

/// Bytes of pages that are sent to be written together, and how many times as many may wait.
const TOGETHER: usize = 4 << 20;
const WAITING: usize = 4;

/// A run under way.
struct Run<'r> {
    name: &'r str,
    model: Arc<Prepared>,
    plans: Vec<Plan<'r>>,
    specs: Vec<FieldSpec>,
    record_type: String,
    /// Of what the result depends on beside the rows and the model.
    reading: i64,
    procedure: &'r Procedure,
}

impl Run<'_> {
    /// What the log says of it.
    fn reason(&self) -> String {
        format!("model {}", self.name)
    }

    /// Compares all records.
    fn full(&self) -> Result<Json, Error> {
        let (Moment { since, identifiers, .. }, loaded) = transaction::with_snapshot(|| {
            let now = match_index::now();
            records::load(&self.plans, &self.specs, self.model.model.link_only, 1.0)
                .map(|loaded| (now, loaded))
        })?;
        let rows = loaded.rows.iter();
        let marks: Vec<Mark> = rows.map(|&rows| Mark { since, rows }).collect();
        // Two rows of one key are one record: one of them must not go unnoticed.
        let tells_new = self.plans.iter().all(Plan::knows_new_rows) && !loaded.has_twins();
        let records = loaded.records.len() as u32;
        let state = State {
            parameters: self.model.digest,
            reading: self.reading,
            sources: loaded.names.sources.clone(),
            slots: self.specs.iter().map(|spec| spec.slots).collect(),
            marks: None,
            identifiers,
            compares_all: compares_all(&self.model.model, &loaded.records),
            full: records,
            arrived: 0,
            next: records,
            links: 0,
            blocking: Json::Null,
        };
        let loaded_sources = loaded.names.sources.clone();
        let index = match_index::begin(self.name);
        let (sender, pages) = sync_channel(WAITING);
        let (model, record_type) = (Arc::clone(&self.model), self.record_type.clone());
        let mut write = || pages.try_iter().for_each(|pages| match_index::write(index, pages));
        let Outcome { matches, reviews, mut report } =
            parallel::run(loaded.bytes(), &mut write, move |watch| {
                outcome(&loaded, &model, &record_type, &sender, watch)
            })?;
        // Who looks somebody up is not to wait, in the end, for who decides a review.
        lock::become_operator();
        review::keep_others_out();
        let (scope, links) = (matches.scope.clone(), matches.pairs.len());
        let left_out = backfill::replace_matches(matches, &self.reason(), self.procedure)?;
        // Where the graph did not know some, all is to be looked at again.
        let marks = Some(marks).filter(|_| tells_new && left_out == 0);
        match_index::set_state(
            index,
            &State { marks, links, blocking: report["blocking"].clone(), ..state },
        );
        match_index::outdate_others(self.name, &loaded_sources);
        report["reviews"] = review::replace(&Scope { sources: &scope, records: None }, &reviews).into();
        Ok(report)
    }

    /// Compares what has come since the last run; `None` if only a full run will do.
    fn refresh(&self) -> Result<Option<Json>, Error> {
        let Some(index) = transaction::with_latest_snapshot(|| Index::of(self.name)) else {
            return Ok(None);
        };
        let state = &index.state;
        let same = state.parameters == self.model.digest && state.reading == self.reading;
        let Some(marks) = state.marks.as_ref().filter(|_| same && !state.compares_all) else {
            return Ok(None);
        };
        if !self.plans.iter().all(Plan::knows_new_rows) {
            return Ok(None);
        }
        let mut read = transaction::with_snapshot(|| self.read(state, marks, false))?;
        let is_same = |read: &Read| {
            let rows = |marks: &[Mark]| marks.iter().map(|mark| mark.rows).collect::<Vec<_>>();
            read.news.arrived.is_empty() && rows(&read.marks) == rows(marks)
        };
        if read.as_ref().is_some_and(is_same) {
            let reviews = self.put_reviews(state, &[], &[]);
            return Ok(Some(report_of_new(state, 0, 0, reviews)));
        }
        let stored = Arc::new(transaction::with_snapshot(|| index.load()));
        if stored.next() < state.next {
            return Ok(None);
        }
        loop {
            let Some(Read { news, marks: after, identifiers }) = read else { return Ok(None) };
            let arrived = news.arrived.len() as u32;
            let sides = after.iter().map(|mark| mark.rows.count as f64);
            let few = is_few(&self.model.model, pairs_of(sides, self.model.model.link_only));
            if few || state.arrived + arrived > state.full / NEW_OF {
                return Ok(None);
            }
            let news = Arc::new(news);
            let (model, specs) = (Arc::clone(&self.model), self.specs.clone());
            let nicknames = configuration::current()?.nicknames();
            let (sources, before, now) = (state.sources.clone(), marks.clone(), after.clone());
            let (their_stored, their_news) = (Arc::clone(&stored), Arc::clone(&news));
            let found = parallel::run(stored.bytes(), &mut || (), move |watch| {
                let Prepared { model, scorer, .. } = &*model;
                let means =
                    Means { model, scorer, specs: &specs, nicknames: &nicknames, sources: &sources };
                let nobody_else_is_gone = |new: &[&Arrived]| {
                    let mut rows: Vec<Rows> = before.iter().map(|mark| mark.rows).collect();
                    new.iter().for_each(|new| rows[usize::from(new.side)].add(new.row));
                    rows.into_iter().eq(now.iter().map(|mark| mark.rows))
                };
                match refresh::refresh(&means, &their_stored, &their_news, nobody_else_is_gone, watch) {
                    Err(Halt::Stopped) => Err(Stopped),
                    other => Ok(other),
                }
            });
            // Comparing all takes no more than it does.
            let found = match found {
                Err(Error::MatchMemory { .. }) => return Ok(None),
                found => found?,
            };
            match found {
                Ok(refreshed) => {
                    let state = State {
                        marks: Some(after),
                        identifiers,
                        arrived: state.arrived + arrived,
                        next: refreshed.next,
                        links: refreshed.joined,
                        ..state.clone()
                    };
                    let pairs = refreshed.pairs_compared;
                    let reviews = self.apply(&index, state.clone(), refreshed)?;
                    return Ok(Some(report_of_new(&state, arrived, pairs, reviews)));
                }
                Err(Halt::Gone) => {
                    read = transaction::with_snapshot(|| self.read(state, marks, true))?;
                }
                Err(Halt::Stale | Halt::Stopped) => return Ok(None),
            }
        }
    }

    /// Reads rows that may be new and, if asked, the names of all; `None` if only a full run will do.
    fn read(&self, state: &State, marks: &[Mark], all: bool) -> Result<Option<Read>, Error> {
        let Moment { since, next, identifiers } = match_index::now();
        let configuration = configuration::current()?;
        let mut names = Names::new(&configuration.rules);
        let fields: Vec<(String, usize)> =
            self.specs.iter().map(|spec| (spec.name.clone(), spec.slots)).collect();
        let width = 1 + fields.iter().map(|(_, slots)| slots).sum::<usize>();
        let mut arrived = Vec::new();
        let mut after = Vec::new();
        let mut present = all.then(FxHashSet::default);
        let mut seen = 0;
        let most = (state.full / NEW_OF) as usize;
        for (side, (plan, mark)) in self.plans.iter().zip(marks).enumerate() {
            let side = side as u16;
            names.begin_source(&plan.source.name);
            let Some(newer) = mark.newer(next) else { return Ok(None) };
            progress::phase(progress::Phase::Reading, 0, plan.source.oid.to_u32());
            super::cursor::stream(&plan.query(&fields, &newer)?, &[], |row| {
                let Some(key) = row.text(0).filter(|_| arrived.len() <= most) else { return };
                if let Some(canonical) = names.canonical_key(side, key) {
                    let text = |column| batch::start(row.text(column).unwrap_or_default()).to_owned();
                    let values = (1..width).map(text).collect();
                    arrived.push(Arrived { side, key: canonical, row: key_hash(key), values });
                    progress::advance(1);
                }
            });
            if let Some(present) = &mut present {
                super::cursor::stream(&plan.query(&[], "")?, &[], |row| {
                    let key = row.text(0).and_then(|key| names.canonical_key(side, key));
                    if let Some(key) = key {
                        present.insert(name_hash(&names.sources[usize::from(side)], &key));
                        seen += 1;
                    }
                });
                // Two rows of one key are one record: both must be read.
                if present.len() != seen {
                    return Ok(None);
                }
            }
            after.push(Mark { since, rows: plan.rows()? });
        }
        Ok(Some(Read { news: News { arrived, present }, marks: after, identifiers }))
    }

    /// Writes down what a refresh has found; returns how many reviews of it are open.
    fn apply(&self, index: &Index, mut state: State, refreshed: Refreshed) -> Result<usize, Error> {
        lock::become_operator();
        let Refreshed { links, reviews, scope, pages, .. } = refreshed;
        let name = |(side, key): &Name| {
            format!("{}:{}{key}", self.record_type, state.sources[usize::from(*side)])
        };
        let mut changed: FxHashMap<(String, String), Option<f64>> = FxHashMap::default();
        for (a, b, probability) in &links {
            let (a, b) = (name(a), name(b));
            let pair = if a < b { (a, b) } else { (b, a) };
            // A record that is written anew loses its links first.
            let entry = changed.entry(pair).or_default();
            *entry = probability.or(*entry);
        }
        let ends: FxHashSet<String> = changed.keys().flat_map(|(a, b)| [a.clone(), b.clone()]).collect();
        let scope: Vec<String> = scope.iter().map(name).collect();
        let reviews: Vec<(String, String, f64)> =
            reviews.iter().map(|(a, b, probability)| (name(a), name(b), *probability)).collect();
        let linked = changed.iter().filter(|(_, probability)| probability.is_some());
        if !all_known(linked.flat_map(|((a, b), _)| [a.as_str(), b.as_str()]).collect()) {
            // The graph does not know some yet: they are read once more.
            for (mark, before) in
                state.marks.iter_mut().flatten().zip(index.state.marks.iter().flatten())
            {
                mark.since = before.since;
            }
            state.identifiers = index.state.identifiers;
        }
        index.refresh(pages, &state);
        if !changed.is_empty() {
            match_index::outdate_others(self.name, &state.sources);
            let configuration = live::begin()?;
            let mut operation = Operation::new(history::Kind::Match).because(Some(self.reason()));
            let many = ends.len() > FEW;
            live::apply(&configuration, &mut operation, ends, many, &mut || {
                let mut graph = Graph::default();
                for ((a, b), probability) in &changed {
                    graph.match_pair(&configuration.rules, a, b, *probability);
                }
                graph
            })?;
        }
        Ok(self.put_reviews(&state, &scope, &reviews))
    }

    /// Puts doubtful pairs of records before somebody; returns how many reviews of them are open.
    fn put_reviews(&self, state: &State, scope: &[String], pairs: &[(String, String, f64)]) -> usize {
        let sources = state.sources.iter().map(|source| format!("{}:{source}", self.record_type));
        let sources: Vec<String> = sources.collect();
        review::replace(&Scope { sources: &sources, records: Some(scope) }, pairs)
    }
}

/// Whether the graph knows all identifiers.
fn all_known(identifiers: Vec<&str>) -> bool {
    let unknown = "SELECT FROM unnest($1::text[]) AS sought (identifier)
         WHERE NOT EXISTS (SELECT FROM identity_resolve.identifier AS i WHERE i.identifier = sought.identifier) LIMIT 1";
    transaction::with_latest_snapshot(|| spi::one(unknown, &[identifiers.into()], |_| ())).is_none()
}

/// Identifiers whose links may change without other writers having to wait for their turn.
const FEW: usize = 100;

/// What is said of a run that compared so many records, of so many pairs.
fn report_of_new(state: &State, arrived: u32, pairs_compared: u64, reviews: usize) -> Json {
    json!({
        "records": state.marks.iter().flatten().map(|mark| mark.rows.count).sum::<i64>(),
        "records_compared": arrived,
        "pairs_compared": pairs_compared,
        // Of the last run over everything: where it was too much, it still is.
        "blocking": state.blocking,
        "links": state.links,
        "reviews": reviews,
    })
}

/// What was read of rows that may be new.
struct Read {
    news: News,
    marks: Vec<Mark>,
    /// As [`State`] has it.
    identifiers: i64,
}

/// What comes of comparing all records: links, pairs in doubt, and what is said of it.
struct Outcome {
    matches: Matches,
    reviews: Vec<(String, String, f64)>,
    report: Json,
}

fn outcome(
    loaded: &Loaded,
    prepared: &Prepared,
    record_type: &str,
    pages: &SyncSender<Vec<Page>>,
    watch: &Watch,
) -> Result<Outcome, Stopped> {
    let Prepared { model, scorer, .. } = prepared;
    let Loaded { records, names, .. } = loaded;
    let (mut waiting, mut bytes) = (Vec::new(), 0);
    let mut keep = |found: Vec<Page>| {
        bytes += found.iter().map(|page| page.content.len()).sum::<usize>();
        waiting.extend(found);
        if bytes >= TOGETHER {
            bytes = 0;
            // If nobody takes them any more the work is about to be stopped.
            drop(pages.send(std::mem::take(&mut waiting)));
        }
    };
    let key = |record: u32| names.key(record as usize);
    let people = compare_all(records, &names.sources, key, model, scorer, &mut keep, watch)?;
    drop(pages.send(waiting));
    let named = |edge: &Edge| {
        let name = |record| loaded.identifier(record_type, record);
        (name(edge.a), name(edge.b), probability(edge.log_odds))
    };
    // Two rows of one key are one record.
    let differ = |(a, b, _): &(String, String, f64)| a != b;
    let joined = people.pairs.iter().filter(|pair| pair.joined);
    let pairs = joined.map(|pair| named(&pair.edge)).filter(differ).collect();
    watch.go_on()?;
    let reviews: Vec<_> = people.doubtful().map(named).filter(differ).collect();
    let matches = Matches { scope: loaded.scope(record_type), pairs };
    let report = report(&people.counts, matches.pairs.len(), &people.groups);
    Ok(Outcome { matches, reviews, report })
}

fn report(counts: &[RuleCount], links: usize, groups: &[u32]) -> Json {
    let mut sizes: FxHashMap<u32, usize> = FxHashMap::default();
    groups.iter().for_each(|&group| *sizes.entry(group).or_default() += 1);
    let several = sizes.values().filter(|&&size| size > 1);
    json!({
        "records": groups.len(),
        "records_compared": groups.len(),
        "pairs_compared": counts.iter().map(|count| count.pairs).sum::<u64>(),
        "blocking": counts,
        "links": links,
        "groups": several.clone().count(),
        "largest_group": several.max().copied().unwrap_or(1),
    })
}
