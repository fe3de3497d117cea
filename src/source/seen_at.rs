//! When something was seen: points in time as days, and what is no such point.

use crate::graph::Day;
use chrono::{DateTime, NaiveDate, NaiveDateTime};

/// 2000-01-01, from which PostgreSQL counts, as a day.
const POSTGRES_EPOCH: Day = 10_957;

/// 1900-01-01: nothing that identifies people today was seen before.
const FIRST: Day = -25_567;

const MICROSECONDS_A_DAY: i64 = 86_400_000_000;

/// Why a time cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTime {
    /// `infinity` or `-infinity`.
    #[error("infinite time")]
    Infinite,
    /// Before 1900.
    #[error("time before 1900")]
    TooOld,
    /// After tomorrow.
    #[error("time in the future")]
    Future,
    /// Text that is no date or time as in ISO 8601.
    #[error("text that is no time like 2026-03-01 12:00:00+01")]
    Unreadable,
}

/// The UTC day of a timestamp in microseconds since 2000, as PostgreSQL stores it.
pub fn of_timestamp(microseconds: i64, today: Day) -> Result<Day, BadTime> {
    match microseconds {
        i64::MIN | i64::MAX => Err(BadTime::Infinite),
        _ => plausible(microseconds.div_euclid(MICROSECONDS_A_DAY) + i64::from(POSTGRES_EPOCH), today),
    }
}

/// The day of a date in days since 2000, as PostgreSQL stores it.
pub fn of_date(days: i32, today: Day) -> Result<Day, BadTime> {
    match days {
        i32::MIN | i32::MAX => Err(BadTime::Infinite),
        _ => plausible(i64::from(days) + i64::from(POSTGRES_EPOCH), today),
    }
}

/// The UTC day of a date or time in ISO 8601 (a blank may stand for the T); a time without an
/// offset is UTC.
pub fn of_text(text: &str, today: Day) -> Result<Day, BadTime> {
    let text = text.trim();
    let with_offset = [
        "%+",
        "%Y-%m-%d %H:%M:%S%.f%#z",
        "%Y-%m-%dT%H:%M:%S%.f%#z",
        "%Y-%m-%d %H:%M%#z",
        "%Y-%m-%dT%H:%M%#z",
    ]
    .iter()
    .find_map(|format| DateTime::parse_from_str(text, format).ok())
    .map(|time| time.naive_utc().date());
    let without = || {
        ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"]
            .iter()
            .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
            .map(|time| time.date())
    };
    let date = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
    let day = with_offset.or_else(without).or_else(date).ok_or(BadTime::Unreadable)?;
    let epoch = NaiveDate::default();
    plausible(day.signed_duration_since(epoch).num_days(), today)
}

fn plausible(day: i64, today: Day) -> Result<Day, BadTime> {
    if day < i64::from(FIRST) {
        Err(BadTime::TooOld)
    } else if day > i64::from(today) + 1 {
        Err(BadTime::Future)
    } else {
        Ok(day as Day)
    }
}

/// A timestamp (see [`of_timestamp`]) as text, whatever is wrong with it.
pub fn timestamp_text(microseconds: i64) -> String {
    let since_1970 = microseconds.saturating_add(i64::from(POSTGRES_EPOCH) * MICROSECONDS_A_DAY);
    match microseconds {
        i64::MIN => "-infinity".into(),
        i64::MAX => "infinity".into(),
        _ => DateTime::from_timestamp_micros(since_1970).map_or(String::new(), |time| time.to_string()),
    }
}

/// A date (see [`of_date`]) as text, whatever is wrong with it.
pub fn date_text(days: i32) -> String {
    match days {
        i32::MIN => "-infinity".into(),
        i32::MAX => "infinity".into(),
        _ => NaiveDate::from_num_days_from_ce_opt(days.saturating_add(730_120))
            .map_or(String::new(), |date| date.to_string()),
    }
}

/// The beginning of a day, in microseconds since 2000.
pub fn to_timestamp(day: Day) -> i64 {
    i64::from(day - POSTGRES_EPOCH) * MICROSECONDS_A_DAY
}

/// A day as text.
pub fn day_text(day: Day) -> String {
    date_text(day - POSTGRES_EPOCH)
}

/// Today, in UTC.
pub fn today() -> Day {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| (since.as_secs() / 86_400) as Day)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: Day = 20_000;

    #[test]
    fn days_are_those_of_utc() {
        assert_eq!(of_timestamp(-1, TODAY), Ok(POSTGRES_EPOCH - 1));
        assert_eq!(of_date(0, TODAY), Ok(POSTGRES_EPOCH));
        assert_eq!(of_text("2000-01-01T00:30:00+01:00", TODAY), Ok(POSTGRES_EPOCH - 1));
        assert_eq!(of_text("2000-01-01 00:30:00+01", TODAY), Ok(POSTGRES_EPOCH - 1));
        assert_eq!(of_text(" 2000-01-01 23:30 ", TODAY), Ok(POSTGRES_EPOCH));
        assert_eq!(of_text("2000-01-01", TODAY), Ok(POSTGRES_EPOCH));
        assert_eq!(of_text("2000-01-01T12:00Z", TODAY), Ok(POSTGRES_EPOCH));
        assert_eq!(of_text("2000-01-01 00:30+01", TODAY), Ok(POSTGRES_EPOCH - 1));
    }

    #[test]
    fn what_is_no_time_is_named() {
        assert_eq!(of_timestamp(i64::MAX, TODAY), Err(BadTime::Infinite));
        assert_eq!(of_date(i32::MIN, TODAY), Err(BadTime::Infinite));
        assert_eq!(of_date(-800_000, TODAY), Err(BadTime::TooOld));
        assert_eq!(of_text("9999-12-31", TODAY), Err(BadTime::Future));
        assert_eq!(of_text("01/02/2003", TODAY), Err(BadTime::Unreadable));
        assert_eq!(of_text("", TODAY), Err(BadTime::Unreadable));
        assert_eq!(timestamp_text(i64::MIN), "-infinity");
        assert_eq!(timestamp_text(0), "2000-01-01 00:00:00 UTC");
        assert_eq!(date_text(0), "2000-01-01");
    }
}
