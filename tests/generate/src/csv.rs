//! CSV as PostgreSQL's COPY reads it: an empty field is null, quotes only where needed.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// One CSV file being written.
pub struct Csv(BufWriter<File>);

impl Csv {
    /// Creates the file with its header line.
    pub fn create(path: &Path, header: &[&str]) -> io::Result<Self> {
        let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
        writeln!(out, "{}", header.join(","))?;
        Ok(Csv(out))
    }

    /// Writes one record; an empty text becomes null.
    pub fn record<T: AsRef<str>>(&mut self, fields: &[T]) -> io::Result<()> {
        for (index, field) in fields.iter().enumerate() {
            if index > 0 {
                self.0.write_all(b",")?;
            }
            let field = field.as_ref();
            if field.bytes().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r')) {
                write!(self.0, "\"{}\"", field.replace('"', "\"\""))?;
            } else {
                self.0.write_all(field.as_bytes())?;
            }
        }
        self.0.write_all(b"\n")
    }

    /// Writes bytes that are already CSV.
    pub fn raw(&mut self, lines: &[u8]) -> io::Result<()> {
        self.0.write_all(lines)
    }

    pub fn finish(mut self) -> io::Result<()> {
        self.0.flush()
    }
}
