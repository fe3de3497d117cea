//! Backfill: reads sources and brings the whole graph up to date.

use super::checkpoint::{self, Saved};
use super::configuration::{self, Configuration};
use super::history::{Kind, Operation};
use super::observe::Mode;
use super::progress::{self, Phase, Work};
use super::scan::{Reader, Stretch};
use super::source::{self, Source};
use super::table::Place;
use super::tables::Words;
use super::transaction::{self, PinnedSettings, Procedure};
use super::{load, lock, queue, rejection, settings, spi, steward, thread, trigger, watch, write};
use crate::error::Error;
use crate::graph::rules::Rules;
use crate::graph::{Changes, Day, Graph, Replaced, Settled};
use crate::source::row::Tally;
use crate::source::sighting::Observer;
use pgrx::pg_sys;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::time::Instant;
use uuid::Uuid;

/// Blocks of a stretch: 32 MB of a table with blocks of 8 kB.
const STRETCH_BLOCKS: i64 = 4096;

/// A segment must fit into one value of type bytea, which holds 1 GB.
const SEGMENT_BYTES: usize = 900 << 20;

/// Reads a source (`None`: all) and brings the whole graph up to date.
pub fn backfill(oid: Option<pg_sys::Oid>, procedure: &Procedure) -> Result<(), Error> {
    transaction::refuse_if_read_only();
    let pinned = PinnedSettings::pin();
    let configuration = configuration::current()?;
    let mut graph = Graph::threaded(thread::spawn);
    let mut tallies = Vec::new();
    let mut queued = Vec::new();
    let sources = source::attached(oid)?;
    // What was queued counts first, as it would have without the queue: rows may be gone by now.
    for source in sources.iter().filter(|source| source.mode == Mode::Queue) {
        queue::drain_source(source)?;
        if procedure.may_commit() {
            procedure.commit();
            pinned.renew();
        }
    }
    progress::begin(Work::Backfill);
    // To save is to commit, which lets go of the sources that have been read before.
    let may_save = procedure.may_commit()
        && (sources.len() == 1 || sources.iter().all(|source| source.mode == Mode::Manual));
    for source in &sources {
        let backfill =
            Backfill { source, may_save, configuration: &configuration, procedure, pinned: &pinned };
        let (tally, places) = backfill.read(&mut graph)?;
        tallies.push(tally);
        queued.extend(places);
    }
    for (source, tally) in sources.iter().zip(&tallies) {
        // A keyed source's evidence is exactly its rows; an event source may have dropped old ones.
        let from = match source.mapping.key {
            Some(_) => Some(Day::MIN),
            None => tally.oldest,
        };
        if let Some(from) = from {
            graph.replace(Replaced { source: source.number, from });
        }
    }
    settle(Operation::new(Kind::Backfill), graph, &configuration, None, procedure.may_commit())?;
    queue::remove(&queued);
    for (source, tally) in sources.iter().zip(&tallies) {
        record(source, tally);
    }
    progress::end();
    Ok(())
}

/// Takes back all that sources told.
pub fn retract(sources: &[Source]) -> Result<(), Error> {
    let configuration = configuration::current()?;
    progress::begin(Work::Backfill);
    let mut graph = Graph::default();
    for source in sources {
        graph.replace(Replaced { source: source.number, from: Day::MIN });
    }
    settle(Operation::new(Kind::Backfill), graph, &configuration, None, false)?;
    progress::end();
    Ok(())
}

/// Applies today's configuration to the stored evidence.
pub fn rebuild(procedure: &Procedure) -> Result<(), Error> {
    lock::become_operator();
    transaction::lock_graph();
    steward::end_what_is_over()?;
    progress::begin(Work::Rebuild);
    let operation = Operation::new(Kind::Rebuild);
    settle(operation, Graph::default(), &*configuration::current()?, None, procedure.may_commit())?;
    progress::end();
    Ok(())
}

/// Pairs that a probability makes one person's.
pub struct Matches {
    /// What the identifiers begin with between which they replace all others.
    pub scope: Vec<String>,
    /// Canonical texts, and the probability.
    pub pairs: Vec<(String, String, f64)>,
}

/// Lets pairs that a probability makes one person's take the place of those so far, for this reason.
/// Returns how many it left out, as the graph does not know their identifiers.
pub fn replace_matches(matches: Matches, reason: &str, procedure: &Procedure) -> Result<usize, Error> {
    let configuration = configuration::current()?;
    let operation = Operation::new(Kind::Match).because(Some(reason.to_owned()));
    settle(operation, Graph::default(), &configuration, Some(matches), procedure.may_commit())
}

/// What a rebuild would change; it changes nothing.
pub fn preview() -> Result<Box<Changes>, Error> {
    let configuration = configuration::current()?;
    progress::begin(Work::Preview);
    let (changes, _) = solve(Graph::default(), &configuration.rules, &configuration.words, None)?;
    progress::end();
    Ok(changes)
}

/// Adds the stored graph to fresh counts, decides, and writes what changed. `ends_soon`: the
/// transaction does, after this. Returns how many matches were left out.
fn settle(
    mut operation: Operation,
    graph: Graph,
    configuration: &Configuration,
    matches: Option<Matches>,
    ends_soon: bool,
) -> Result<usize, Error> {
    transaction::lock_graph();
    let Configuration { rules, words, .. } = configuration;
    let current = configuration::current()?;
    // Somebody may have expired while the sources were read.
    let rules = &match std::ptr::eq(configuration, &raw const *current) {
        true => Cow::Borrowed(rules),
        false => Cow::Owned(rules.as_of(&current.rules)),
    };
    let (changes, left_out) = transaction::with_snapshot(|| solve(graph, rules, words, matches))?;
    progress::phase(Phase::Writing, changes.count() as i64, 0);
    operation.log(&changes);
    spi::run(
        "INSERT INTO identity_resolve.last_decision (configuration) VALUES (identity_resolve.deciding_configuration())
         ON CONFLICT (one_row) DO UPDATE SET configuration = excluded.configuration, at = now()",
        &[],
    );
    write::write_whole(*changes, words, ends_soon);
    Ok(left_out)
}

/// Adds the stored graph, as the active snapshot shows it, to fresh counts, and decides. Returns how many
/// matches it left out, too.
fn solve(
    mut graph: Graph,
    rules: &Rules,
    words: &Words,
    matches: Option<Matches>,
) -> Result<(Box<Changes>, usize), Error> {
    let rows = load::estimated_rows("identifier") + load::estimated_rows("link");
    progress::phase(Phase::Loading, rows, 0);
    load::identifiers(&mut graph, rules, words)?;
    load::links(&mut graph, words)?;
    load::must_links(&mut graph, rules);
    load::separations(&mut graph);
    let left_out = matches.map_or(0, |Matches { scope, pairs }| {
        let in_scope = |text: &str| scope.iter().any(|prefix| text.starts_with(prefix));
        let pairs = pairs.iter().map(|(a, b, probability)| (&**a, &**b, *probability));
        graph.replace_matches(rules, in_scope, pairs)
    });
    load::check_memory(&graph)?;
    progress::phase(Phase::Solving, 0, 0);
    match graph.settle(rules, load::former, Uuid::now_v7, &mut transaction::check_for_cancel)? {
        Settled::Changes(changes) => Ok((changes, left_out)),
        Settled::Wider(_) => unreachable!("all is loaded"),
    }
}

/// Writes down what a reading found beside identifiers.
fn record(source: &Source, tally: &Tally) {
    checkpoint::clear(source);
    rejection::replace(source, tally);
    spi::run(
        "UPDATE identity_resolve.source SET backfilled_at = now(), rows_read = $2, malformed = $3, blocked = $4,
             read_with = identity_resolve.reading_configuration(mapping)
         WHERE id = $1",
        &[(source.number as i32).into(), tally.rows.into(), tally.malformed.into(), tally.blocked.into()],
    );
}

/// The backfill of one source.
struct Backfill<'a> {
    source: &'a Source,
    may_save: bool,
    configuration: &'a Configuration,
    procedure: &'a Procedure,
    pinned: &'a PinnedSettings,
}

impl Backfill<'_> {
    /// Keeps everybody else from the source whose changes would be counted twice or not at all: other
    /// backfills; the consumer of its queue, which will not find what is read here; writers whose
    /// triggers change the graph at once.
    fn claim(&self) -> Result<(), Error> {
        source::claim(self.source)?;
        // Its mode may have been switched since it was looked up.
        let mode = transaction::with_latest_snapshot(|| source::of_number(self.source.number))?
            .map_or(Mode::Manual, |source| source.mode);
        let counts_at_once = trigger::counts_at_once(self.source, mode);
        if counts_at_once || mode == Mode::Queue {
            lock::become_consumer();
        }
        if counts_at_once {
            watch::tree(self.source.oid).into_iter().for_each(lock::keep_writers_from);
        }
        if mode != Mode::Manual {
            trigger::make(self.source.oid, self.source.mapping.key.is_some())?;
        }
        Ok(())
    }

    /// Counts all sightings of the source in `whole`; returns what was counted beside them, and
    /// where the entries of the queue stand that are so made superfluous.
    fn read(&self, whole: &mut Graph) -> Result<(Tally, Vec<Place>), Error> {
        self.claim()?;
        let Configuration { rules, rejections_kept: kept, .. } = self.configuration;
        let mut reader = Reader::new(self.source, rules, *kept)?;
        let digest = checkpoint::configuration_digest(self.source, &reader);
        progress::phase(Phase::Reading, reader.estimated_rows(), self.source.oid.to_u32());
        let saves = self.may_save && reader.has_blocks();
        let mut saved = if saves { checkpoint::saved(self.source, digest) } else { Vec::new() };
        progress::advance(saved.iter().map(|s| s.rows).sum());
        let done: Vec<Stretch> = saved.iter().flat_map(|s| s.stretches.iter().copied()).collect();
        let mut to_do = VecDeque::from(reader.stretches(STRETCH_BLOCKS, &done));
        loop {
            // What can be saved is collected apart from other sources' counts.
            let mut graph = if saves { Graph::threaded(thread::spawn) } else { std::mem::take(whole) };
            let mut tally = Tally::default();
            let mut unsaved = Saved::default();
            let mut queued = Vec::new();
            transaction::with_snapshot(|| -> Result<(), Error> {
                let mut observer = Observer::of_many(rules, self.source.number);
                let started = Instant::now();
                while let Some(stretch) = to_do.pop_front() {
                    unsaved.stretches.push(stretch);
                    unsaved.add_version(reader.read(stretch, &mut observer, &mut graph, &mut tally)?);
                    if saves && !to_do.is_empty() && is_due(started, &graph) {
                        return Ok(());
                    }
                }
                // All has been read; what was saved must be as true as the rest, in this snapshot.
                let mut again = if saved.is_empty() { Vec::new() } else { reader.refresh() };
                for saved in &saved {
                    if saved.is_current(&reader)? {
                        saved.restore(rules, *kept, &mut graph, &mut tally)?;
                    } else {
                        again.extend(saved.stretches.iter().filter(|&&stretch| reader.has(stretch)));
                    }
                }
                for stretch in again {
                    reader.read(stretch, &mut observer, &mut graph, &mut tally)?;
                }
                queued = queue::places(self.source);
                if self.source.mapping.key.is_none() {
                    // What is queued of days that are not replaced counts as if there were no queue.
                    let replaced = tally.oldest.unwrap_or(Day::MAX);
                    queue::count_before(
                        replaced,
                        self.source,
                        self.configuration,
                        &mut observer,
                        &mut graph,
                    )?;
                }
                Ok(())
            })?;
            if to_do.is_empty() {
                if saves && whole.len() > 0 {
                    whole.add_segment(rules, &graph.into_segment())?;
                } else {
                    *whole = graph;
                }
                return Ok((tally, queued));
            }
            unsaved.save(self.source, digest, graph, &tally);
            saved.push(unsaved);
            self.procedure.commit();
            self.pinned.renew();
            self.claim()?;
        }
    }
}

/// Whether it is time to save what was read since `started`.
fn is_due(started: Instant, graph: &Graph) -> bool {
    started.elapsed() >= settings::checkpoint_interval() || graph.segment_bytes() > SEGMENT_BYTES
}
