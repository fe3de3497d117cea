//! Writes the CSV files of the shop: `shop DIR`.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder] = &arguments[..] else {
        eprintln!("usage: shop DIR\n\nWrites the CSV files of the shop into DIR.");
        return ExitCode::from(2);
    };
    match generate::shop::write(Path::new(folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("shop: {folder}: {error}");
            ExitCode::FAILURE
        }
    }
}
