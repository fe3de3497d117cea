//! The command line of the generators that write as many rows as one asks for.

use std::path::PathBuf;

/// `--rows N --seed S --out PATH`, and the options that only one generator has.
pub struct Options {
    pub rows: usize,
    pub seed: u64,
    pub out: PathBuf,
    /// The value of each of the generator's own options that was given.
    pub own: Vec<(String, String)>,
}

impl Options {
    /// Reads the words after the program's name. `own` names the options of this generator.
    pub fn read(mut words: impl Iterator<Item = String>, own: &[&str]) -> Result<Self, String> {
        let (mut rows, mut seed, mut out, mut given) = (1_000_000, 1, None, Vec::new());
        while let Some(option) = words.next() {
            let value = words.next().ok_or(format!("{option} needs a value"))?;
            let number = || value.parse().map_err(|_| format!("{option} {value}: not a number"));
            match option.as_str() {
                "--rows" => rows = number()? as usize,
                "--seed" => seed = number()?,
                "--out" => out = Some(PathBuf::from(&value)),
                name if own.contains(&name) => given.push((option, value)),
                _ => return Err(format!("{option}: no such option")),
            }
        }
        let out = out.ok_or("--out is missing")?;
        Ok(Options { rows, seed, out, own: given })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Options, String> {
        Options::read(line.split(' ').map(String::from), &["--country"])
    }

    #[test]
    fn options_have_defaults_and_names() {
        let options =
            read("--out x --country fr --seed 7").unwrap_or_else(|problem| panic!("{problem}"));
        assert_eq!((options.rows, options.seed), (1_000_000, 7));
        assert_eq!(options.own, [("--country".into(), "fr".into())]);
        assert_eq!(read("--seed 1").err().unwrap(), "--out is missing");
        assert_eq!(read("--out x --seed").err().unwrap(), "--seed needs a value");
        assert_eq!(read("--out x --town y").err().unwrap(), "--town: no such option");
    }
}
