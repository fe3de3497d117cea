//! Rows on their way from the reader to the thread that turns them into sightings.

use crate::identifier::MAX_BYTES;
use crate::packed::{Damaged, Reader, put_varint};
use std::ops::Range;

/// Block and place in the block, of a row of a table.
pub type RowPlace = (u32, u16);

/// Some thousand rows of one source, as plain memory.
#[derive(Default)]
pub struct Batch {
    text: String,
    /// Start and length in `text` of each value, row by row; `None` is null.
    values: Vec<Option<(u32, u32)>>,
    rows: Vec<RowHead>,
}

/// What is known of a row beside its values.
#[derive(Clone, Copy, Default)]
pub struct RowHead {
    /// When it was seen, in the unit of its column.
    pub time: Option<i64>,
    /// Where it stands, if it is a row of a table.
    pub place: Option<RowPlace>,
    /// Whether what it told is taken back.
    pub taken_back: bool,
}

impl Batch {
    /// Rows of a full batch.
    pub const ROWS: usize = 4096;

    /// Bytes of text of a full batch.
    const BYTES: usize = 1 << 20;

    /// Whether it is time to hand it on.
    pub fn is_full(&self) -> bool {
        self.rows.len() >= Self::ROWS || self.text.len() >= Self::BYTES
    }

    /// How many rows it holds.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Begins a row; its values follow.
    pub fn push_row(&mut self, head: RowHead) {
        self.rows.push(head);
    }

    /// Adds the next value of the row.
    pub fn push_value(&mut self, value: Option<&str>) {
        self.values.push(value.map(|value| {
            let value = start(value);
            let start = self.text.len() as u32;
            self.text.push_str(value);
            (start, value.len() as u32)
        }));
    }

    /// All rows, of `columns` values each.
    pub fn rows(&self, columns: usize) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().enumerate().map(move |(row, &head)| {
            let values = &self.values[row * columns..(row + 1) * columns];
            Row { text: &self.text, values, head }
        })
    }

    /// Packs some of its rows, of `columns` values each, with `shape`: what the reader must know to
    /// be the same when they are unpacked. For each row a byte (1: it has a time, 2: it is taken
    /// back), the time, and for each value the varint of its length + 1 (0 is null) and its bytes.
    pub fn pack(&self, columns: usize, rows: Range<usize>, shape: u64) -> Vec<u8> {
        let mut out = shape.to_le_bytes().to_vec();
        for row in self.rows(columns).skip(rows.start).take(rows.len()) {
            let RowHead { time, taken_back, .. } = row.head;
            out.push(u8::from(time.is_some()) | u8::from(taken_back) << 1);
            out.extend(time.iter().flat_map(|time| time.to_le_bytes()));
            for column in 0..columns {
                let value = row.value(column);
                put_varint(&mut out, value.map_or(0, |value| value.len() as u64 + 1));
                out.extend_from_slice(value.unwrap_or_default().as_bytes());
            }
        }
        out
    }

    /// The packed row that a packed row takes back; `None` if it takes nothing back.
    pub fn added(packed: &[u8]) -> Option<Vec<u8>> {
        let mut added = packed.to_vec();
        let flags = added.get_mut(8).filter(|flags| **flags & 2 != 0)?;
        *flags &= !2;
        Some(added)
    }

    /// The shape that packed rows have.
    pub fn packed_shape(packed: &[u8]) -> Result<u64, Damaged> {
        let mut reader = Reader { bytes: packed, at: 0 };
        Ok(u64::from_le_bytes(reader.take(8)?.try_into().unwrap_or_default()))
    }

    /// Adds packed rows of `columns` values each.
    pub fn unpack(&mut self, columns: usize, packed: &[u8]) -> Result<(), Damaged> {
        let mut reader = Reader { bytes: packed, at: 8 };
        while reader.at < packed.len() {
            let flags = reader.take(1)?[0];
            let time = match flags & 1 {
                0 => None,
                _ => Some(i64::from_le_bytes(reader.take(8)?.try_into().unwrap_or_default())),
            };
            self.push_row(RowHead { time, place: None, taken_back: flags & 2 != 0 });
            for _ in 0..columns {
                let at = reader.at;
                let value = match reader.varint()? {
                    0 => None,
                    length => Some(reader.take(length - 1)?),
                };
                let text = value.map(std::str::from_utf8).transpose().map_err(|_| Damaged::at(at))?;
                self.push_value(text);
            }
        }
        Ok(())
    }
}

/// The start of a value, which will do of one that is too long for anything.
pub fn start(value: &str) -> &str {
    &value[..value.floor_char_boundary(2 * MAX_BYTES)]
}

/// One row of a batch.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    text: &'a str,
    values: &'a [Option<(u32, u32)>],
    pub head: RowHead,
}

impl<'a> Row<'a> {
    /// A value of the row.
    pub fn value(&self, column: usize) -> Option<&'a str> {
        self.values[column].map(|(start, length)| &self.text[start as usize..(start + length) as usize])
    }
}
