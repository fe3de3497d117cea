//! The log and its truth as CSV files.

use super::Events;
use super::log::{Channel, Row};
use super::name::{canonical, typed_email, typed_phone};
use super::world::START;
use crate::clock::time_text;
use crate::csv::Csv;
use crate::dice::Dice;
use std::fmt::Write;
use std::io;
use std::path::Path;

const HEADER: [&str; 8] =
    ["at", "cookie", "device_type", "email", "phone", "customer_number", "channel", "ip"];

/// Writes `events.csv` and `truth.csv` into a folder. The seed decides how values were typed.
pub fn write(events: &Events, seed: u64, folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let mut dice = Dice::new(seed ^ 0x7479_7065_6421);
    let mut csv = Csv::create(&folder.join("events.csv"), &HEADER)?;
    let mut line = String::new();
    for row in events.0.rows() {
        line.clear();
        spell(row, &mut line, &mut dice).expect("a String takes any text");
        csv.raw(line.as_bytes())?;
    }
    csv.finish()?;

    let mut csv = Csv::create(&folder.join("truth.csv"), &["identifier", "person"])?;
    for &(identifier, person) in events.0.truth() {
        csv.record(&[canonical(identifier), person.to_string()])?;
    }
    csv.finish()
}

/// One line; none of the values holds a comma or a quote.
fn spell(row: &Row, line: &mut String, dice: &mut Dice) -> std::fmt::Result {
    line.push_str(&time_text(START + i64::from(row.at)));
    line.push(',');
    if let Some(cookie) = row.cookie {
        write!(line, "{cookie:016x}")?;
    }
    line.push(',');
    line.push_str(row.device_type.unwrap_or_default());
    line.push(',');
    if let Some(email) = row.email {
        line.push_str(&typed_email(email, dice));
    }
    line.push(',');
    if let Some(phone) = row.phone {
        line.push_str(&typed_phone(phone, dice));
    }
    line.push(',');
    if let Some(number) = row.customer_number {
        write!(line, "{number}")?;
    }
    line.push(',');
    line.push_str(match row.channel {
        Channel::Web => "web",
        Channel::App => "app",
        Channel::Store => "store",
        Channel::CallCenter => "call_center",
        Channel::Email => "email",
    });
    line.push(',');
    if let Some(ip) = row.ip {
        let [a, b, c, d] = ip.to_be_bytes();
        write!(line, "{a}.{b}.{c}.{d}")?;
    }
    line.push('\n');
    Ok(())
}
