//! Times as seconds since 1970 and their ISO 8601 texts, without a calendar crate.

pub const MINUTE: i64 = 60;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;

/// Midnight UTC of a civil date (H. Hinnant, "chrono-compatible low-level date algorithms").
pub const fn date(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era - 719_468) * DAY
}

/// The civil date that holds a time: year, month, day.
pub const fn civil(time: i64) -> (i64, i64, i64) {
    let days = time.div_euclid(DAY) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + (month <= 2) as i64, month, day)
}

/// `2025-03-09`.
pub fn date_text(time: i64) -> String {
    let (year, month, day) = civil(time);
    format!("{year:04}-{month:02}-{day:02}")
}

/// `2025-03-09T18:04:00Z`.
pub fn time_text(time: i64) -> String {
    let second = time.rem_euclid(DAY);
    let (hour, minute, second) = (second / HOUR, second % HOUR / MINUTE, second % MINUTE);
    format!("{}T{hour:02}:{minute:02}:{second:02}Z", date_text(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_go_there_and_back() {
        assert_eq!(date(1970, 1, 1), 0);
        assert_eq!(date(2024, 2, 29) + DAY, date(2024, 3, 1));
        for time in (date(1899, 12, 1)..date(2101, 1, 31)).step_by(DAY as usize) {
            let (year, month, day) = civil(time + 5 * HOUR);
            assert_eq!(date(year, month, day), time);
        }
        assert_eq!(time_text(date(2025, 3, 9) + 18 * HOUR + 4 * MINUTE), "2025-03-09T18:04:00Z");
    }
}
