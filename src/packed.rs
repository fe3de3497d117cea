//! Numbers and texts as bytes, one after the other.

use thiserror::Error;

/// The bytes are not what was written.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("stored bytes are damaged at byte {0}")]
pub struct Damaged(usize);

impl Damaged {
    /// The bytes from this one on are not what they should be.
    pub fn at(byte: usize) -> Self {
        Damaged(byte)
    }
}

/// Appends `value` as a LEB128 varint.
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a number of either sign, those near nought in few bytes.
pub fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_varint(out, (value << 1 ^ value >> 63) as u64);
}

/// Appends a text and how long it is.
pub fn put_text(out: &mut Vec<u8>, text: &str) {
    put_varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// Reads varints and byte strings one after the other.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    pub bytes: &'a [u8],
    pub at: usize,
}

impl<'a> Reader<'a> {
    /// The next varint.
    pub fn varint(&mut self) -> Result<u64, Damaged> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = *self.bytes.get(self.at).ok_or(Damaged(self.at))?;
            self.at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Damaged(self.at))
    }

    /// The next `length` bytes.
    pub fn take(&mut self, length: u64) -> Result<&'a [u8], Damaged> {
        let end = usize::try_from(length).ok().and_then(|length| self.at.checked_add(length));
        let slice = end.and_then(|end| self.bytes.get(self.at..end)).ok_or(Damaged(self.at))?;
        self.at += slice.len();
        Ok(slice)
    }

    /// What [`put_signed`] has put.
    pub fn signed(&mut self) -> Result<i64, Damaged> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// What [`put_text`] has put.
    pub fn text(&mut self) -> Result<&'a str, Damaged> {
        let length = self.varint()?;
        let at = self.at;
        std::str::from_utf8(self.take(length)?).map_err(|_| Damaged(at))
    }
}
