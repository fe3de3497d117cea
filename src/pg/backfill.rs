//! Backfill: reads sources and brings the whole graph up to date.

use super::checkpoint::{self, Saved};
use super::configuration::{self, Configuration};
use super::copy::{Indexes, copy_into};
use super::progress::{self, Phase};
use super::scan::{Reader, Stretch};
use super::source::{self, Source};
use super::transaction::{self, PinnedSettings, Procedure};
use super::{load, settings, spi, thread, write};
use crate::error::Error;
use crate::graph::rules::Rules;
use crate::graph::{Day, Graph, Replaced};
use crate::source::row::{Rejection, Tally};
use crate::source::sighting::Observer;
use pgrx::pg_sys;
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
    progress::begin();
    let mut graph = Graph::threaded(thread::spawn);
    let mut tallies = Vec::new();
    let sources = source::attached(oid)?;
    for source in &sources {
        let backfill = Backfill { source, configuration: &configuration, procedure, pinned: &pinned };
        tallies.push(backfill.read(&mut graph)?);
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
    settle(graph, &configuration.rules, procedure.may_commit())?;
    for (source, tally) in sources.iter().zip(&tallies) {
        record(source, tally);
    }
    progress::end();
    Ok(())
}

/// Takes back all that sources told.
pub fn retract(sources: &[Source]) -> Result<(), Error> {
    let configuration = configuration::current()?;
    progress::begin();
    let mut graph = Graph::default();
    for source in sources {
        graph.replace(Replaced { source: source.number, from: Day::MIN });
    }
    settle(graph, &configuration.rules, false)?;
    progress::end();
    Ok(())
}

/// Adds the stored graph to fresh counts, decides, and writes what changed. `ends_soon`: the
/// transaction does, after this.
fn settle(mut graph: Graph, rules: &Rules, ends_soon: bool) -> Result<(), Error> {
    transaction::lock_graph();
    let changes = transaction::with_snapshot(|| -> Result<_, Error> {
        progress::phase(
            Phase::Loading,
            load::estimated_rows("identifier") + load::estimated_rows("link"),
            0,
        );
        load::identifiers(&mut graph, rules)?;
        load::links(&mut graph)?;
        load::separations(&mut graph);
        load::check_memory(&graph)?;
        let former = load::former(&graph, None);
        progress::phase(Phase::Solving, 0, 0);
        Ok(graph.settle(rules, former, Uuid::now_v7, &mut transaction::check_for_cancel)?)
    })?;
    progress::phase(Phase::Writing, changes.count() as i64, 0);
    write::write(changes, ends_soon);
    Ok(())
}

/// Writes down what a reading found beside identifiers.
fn record(source: &Source, tally: &Tally) {
    checkpoint::clear(source);
    spi::run(
        "DELETE FROM identity_resolve.rejection WHERE source = $1",
        &[(source.number as i32).into()],
    );
    let (now, number) = (transaction::now(), source.number as i32);
    copy_into(
        "rejection",
        6,
        Indexes::Maintain,
        tally.rejections.iter(),
        |rejection: &Rejection, out| {
            out.int4(number).text_or_null(rejection.row_key.as_deref()).text(&rejection.column);
            out.text(&rejection.value).text(&rejection.error).int8(now);
        },
    );
    spi::run(
        "UPDATE identity_resolve.source SET backfilled_at = now(), rows_read = $2, malformed = $3, blocked = $4
         WHERE id = $1",
        &[(source.number as i32).into(), tally.rows.into(), tally.malformed.into(), tally.blocked.into()],
    );
}

/// The backfill of one source.
struct Backfill<'a> {
    source: &'a Source,
    configuration: &'a Configuration,
    procedure: &'a Procedure,
    pinned: &'a PinnedSettings,
}

impl Backfill<'_> {
    /// Counts all sightings of the source in `whole`.
    fn read(&self, whole: &mut Graph) -> Result<Tally, Error> {
        source::claim(self.source)?;
        let Configuration { rules, rejections_kept: kept, .. } = self.configuration;
        let mut reader = Reader::new(self.source, rules, *kept)?;
        let digest = checkpoint::configuration_digest(self.source, &reader);
        progress::phase(Phase::Reading, reader.estimated_rows(), self.source.oid.to_u32());
        let saves = self.procedure.may_commit() && reader.has_blocks();
        let mut saved = if saves { checkpoint::saved(self.source, digest) } else { Vec::new() };
        progress::advance(saved.iter().map(|s| s.rows).sum());
        let done: Vec<Stretch> = saved.iter().flat_map(|s| s.stretches.iter().copied()).collect();
        let mut to_do = VecDeque::from(reader.stretches(STRETCH_BLOCKS, &done));
        loop {
            // What can be saved is collected apart from other sources' counts.
            let mut graph = if saves { Graph::threaded(thread::spawn) } else { std::mem::take(whole) };
            let mut tally = Tally::default();
            let mut unsaved = Saved::default();
            transaction::with_snapshot(|| -> Result<(), Error> {
                let mut observer = Observer::new(rules, self.source.number);
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
                Ok(())
            })?;
            if to_do.is_empty() {
                if saves && whole.len() > 0 {
                    whole.add_segment(rules, &graph.into_segment())?;
                } else {
                    *whole = graph;
                }
                return Ok(tally);
            }
            unsaved.save(self.source, digest, graph, &tally);
            saved.push(unsaved);
            self.procedure.commit();
            self.pinned.renew();
            source::claim(self.source)?;
        }
    }
}

/// Whether it is time to save what was read since `started`.
fn is_due(started: Instant, graph: &Graph) -> bool {
    started.elapsed() >= settings::checkpoint_interval() || graph.segment_bytes() > SEGMENT_BYTES
}
