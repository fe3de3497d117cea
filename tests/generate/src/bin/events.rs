//! Writes a big event log and its truth: `events --rows N --seed S --out DIR`.

use generate::events;
use generate::options::Options;
use std::process::ExitCode;

const USAGE: &str = "usage: events [--rows N] [--seed S] --out DIR

Writes DIR/events.csv (N rows, default 1000000) and DIR/truth.csv (identifier,person).
The same N and S (default 1) give the same bytes on every machine.";

fn main() -> ExitCode {
    let options = match Options::read(std::env::args().skip(1), &[]) {
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
