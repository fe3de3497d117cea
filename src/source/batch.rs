//! Rows on their way from the reader to the thread that turns them into sightings.

use crate::identifier::MAX_BYTES;

/// Block and place in the block, of a row of a table.
pub type RowPlace = (u32, u16);

/// Some thousand rows of one source, as plain memory.
#[derive(Default)]
pub struct Batch {
    text: String,
    /// Start and length in `text` of each value, row by row; `None` is null.
    values: Vec<Option<(u32, u32)>>,
    /// When each row was seen, in the unit of its column, and where it stands in its table.
    rows: Vec<(Option<i64>, Option<RowPlace>)>,
}

impl Batch {
    /// Rows of a full batch.
    const ROWS: usize = 4096;

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
    pub fn push_row(&mut self, time: Option<i64>, place: Option<RowPlace>) {
        self.rows.push((time, place));
    }

    /// Adds the next value of the row. Of one that is too long for anything, the start will do.
    pub fn push_value(&mut self, value: Option<&str>) {
        self.values.push(value.map(|value| {
            let value = &value[..value.floor_char_boundary(2 * MAX_BYTES)];
            let start = self.text.len() as u32;
            self.text.push_str(value);
            (start, value.len() as u32)
        }));
    }

    /// All rows, of `columns` values each.
    pub fn rows(&self, columns: usize) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().enumerate().map(move |(row, &(time, place))| {
            let values = &self.values[row * columns..(row + 1) * columns];
            Row { text: &self.text, values, time, place }
        })
    }
}

/// One row of a batch.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    text: &'a str,
    values: &'a [Option<(u32, u32)>],
    /// When it was seen, in the unit of its column.
    pub time: Option<i64>,
    /// Where it stands, if it is a row of a table.
    pub place: Option<RowPlace>,
}

impl<'a> Row<'a> {
    /// A value of the row.
    pub fn value(&self, column: usize) -> Option<&'a str> {
        self.values[column].map(|(start, length)| &self.text[start as usize..(start + length) as usize])
    }
}
