//! Writes records of persons with errors: `persons --rows N --seed S --country us --out FILE`.

use generate::options::Options;
use generate::persons::{self, Country};
use std::process::ExitCode;

const USAGE: &str = "usage: persons [--rows N] [--seed S] [--country us|fr|de] --out FILE

Writes N records of persons (default 1000000) of a country (default us) as CSV; the column
person tells which records are the same one's. The same N, S (default 1) and country give the
same bytes on every machine.";

fn main() -> ExitCode {
    let (options, country) = match read() {
        Ok(read) => read,
        Err(problem) => {
            eprintln!("persons: {problem}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match persons::write(options.rows, options.seed, country, &options.out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("persons: {}: {error}", options.out.display());
            ExitCode::FAILURE
        }
    }
}

fn read() -> Result<(Options, Country), String> {
    let options = Options::read(std::env::args().skip(1), &["--country"])?;
    let mut country = Country::Us;
    for (_, code) in &options.own {
        country = Country::of_code(code).ok_or(format!("{code}: no such country"))?;
    }
    Ok((options, country))
}
