//! Writes a big event log and its truth: `events --rows N --seed S --out DIR`.

use generate::events;
use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "usage: events [--rows N] [--seed S] --out DIR

Writes DIR/events.csv (N rows, default 1000000) and DIR/truth.csv (identifier,person).
The same N and S (default 1) give the same bytes on every machine.";

struct Options {
    rows: usize,
    seed: u64,
    out: PathBuf,
}

fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("events: {problem}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let log = events::generate(options.rows, options.seed);
    match events::write(&log, options.seed, &options.out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("events: {}: {error}", options.out.display());
            ExitCode::FAILURE
        }
    }
}

fn options(mut words: impl Iterator<Item = String>) -> Result<Options, String> {
    let (mut rows, mut seed, mut out) = (1_000_000, 1, None);
    while let Some(option) = words.next() {
        let value = words.next().ok_or(format!("{option} needs a value"))?;
        let number = || value.parse().map_err(|_| format!("{option} {value}: not a number"));
        match option.as_str() {
            "--rows" => rows = number()? as usize,
            "--seed" => seed = number()?,
            "--out" => out = Some(PathBuf::from(&value)),
            _ => return Err(format!("{option}: no such option")),
        }
    }
    let out = out.ok_or("--out is missing")?;
    Ok(Options { rows, seed, out })
}
