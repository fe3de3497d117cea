//! Packed evidence for SQL.

use super::configuration;
use super::copy::UNIX_EPOCH;
use crate::error::Error;
use crate::graph::evidence::{self, Facet, Summary};
use crate::graph::weight::Decay;
use crate::graph::{Day, StoreError};
use pgrx::datum::Date;

/// One count: source, channel, device type, day, sightings.
pub type Count = (Option<i32>, Option<String>, Option<String>, Option<Date>, Option<i64>);

/// A day as PostgreSQL has it.
pub fn date(day: Day) -> Date {
    // SAFETY: days come out of dates, or were checked against their range when read.
    unsafe { Date::from_pg_epoch_days(day.saturating_add(UNIX_EPOCH)) }
}

/// All counts of packed evidence.
pub fn counts(packed: &[u8]) -> Result<Vec<Count>, Error> {
    let mut counts = Vec::new();
    for histogram in evidence::unpack(packed) {
        let histogram = histogram.map_err(StoreError::from)?;
        let name = (!histogram.name.is_empty()).then(|| histogram.name.to_owned());
        let (channel, device_type) = match histogram.facet {
            Facet::Seen => (name, None),
            Facet::DeviceType => (None, name),
        };
        let source = (histogram.source > 0).then_some(histogram.source as i32);
        counts.extend(histogram.days.map(|(day, count)| {
            (source, channel.clone(), device_type.clone(), Some(date(day)), Some(count as i64))
        }));
    }
    Ok(counts)
}

/// What packed evidence comes to; the weight is left to [`weight`].
pub fn summary(packed: &[u8]) -> Result<Option<Summary>, Error> {
    summarise(packed, &Decay::new(1.0))
}

/// The device type that most sightings in packed evidence name.
pub fn device_type(packed: &[u8]) -> Result<Option<&str>, Error> {
    Ok(evidence::device_type(packed).map_err(StoreError::from)?)
}

/// The weight of packed evidence: a sighting of `today` weighs 1.
pub fn weight(packed: &[u8], today: Date) -> Result<f64, Error> {
    let configuration = configuration::current()?;
    let decay = &configuration.rules.decay;
    let today = decay.at(today.to_pg_epoch_days() - UNIX_EPOCH, 1.0);
    Ok(summarise(packed, decay)?.map_or(0.0, |summary| summary.weight.relative_to(today)))
}

fn summarise(packed: &[u8], decay: &Decay) -> Result<Option<Summary>, Error> {
    Ok(evidence::summarise(packed, decay, None, &mut Vec::new()).map_err(StoreError::from)?)
}
