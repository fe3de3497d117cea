//! Fresh counts as bytes, so that a long reading can be put away and taken up again.
//!
//! ```text
//! names: varint(how many), each varint(length) text
//! labels: varint(how many), each varint(source << 1 | facet) varint(length) name
//! counts, up to the end: varint(a) varint(b) varint(label) varint(zigzag day) varint(zigzag count)
//! ```

use super::evidence::Facet;
use super::ledger::Ledger;
use super::rules::Rules;
use super::{Day, Graph, StoreError};
use crate::packed::{Damaged, Reader, put_signed, put_text, put_varint};

impl Graph {
    /// About how long [`Graph::into_segment`] would be.
    pub fn segment_bytes(&self) -> usize {
        self.names.text_bytes() + self.ledger.memory()
    }

    /// Takes all fresh counts out of a graph that holds nothing else.
    pub fn into_segment(mut self) -> Vec<u8> {
        let mut out = Vec::new();
        put_varint(&mut out, self.len() as u64);
        for number in 0..self.len() as u32 {
            put_text(&mut out, self.text(number));
        }
        put_varint(&mut out, self.labels().len() as u64);
        for number in 0..self.labels().len() as u32 {
            let label = self.labels().get(number);
            let facet = u64::from(label.facet == Facet::DeviceType);
            put_varint(&mut out, u64::from(label.source) << 1 | facet);
            put_text(&mut out, &label.name);
        }
        let mut pairs = std::mem::take::<Ledger>(self.ledger()).into_pairs();
        let mut cells = Vec::new();
        while let Some((a, b)) = pairs.peek() {
            cells.clear();
            pairs.take((a, b), &mut cells);
            for cell in &cells {
                put_varint(&mut out, u64::from(a));
                put_varint(&mut out, u64::from(b));
                put_varint(&mut out, u64::from(cell.label));
                put_signed(&mut out, i64::from(cell.day));
                put_signed(&mut out, cell.count);
            }
        }
        out
    }

    /// Adds the counts of a segment.
    pub fn add_segment(&mut self, rules: &Rules, segment: &[u8]) -> Result<(), StoreError> {
        let mut reader = Reader { bytes: segment, at: 0 };
        let mut numbers = Vec::new();
        for _ in 0..reader.varint()? {
            let text = reader.text()?;
            let (type_name, value) = text.split_once(':').unwrap_or((text, ""));
            let kind =
                rules.type_index(type_name).ok_or_else(|| StoreError::UnknownType(text.to_owned()))?;
            numbers.push(self.intern(rules, kind, value));
        }
        let mut labels = Vec::new();
        for _ in 0..reader.varint()? {
            let head = reader.varint()?;
            let facet = if head & 1 == 0 { Facet::Seen } else { Facet::DeviceType };
            let name = reader.text()?;
            labels.push(self.labels().number(facet, (head >> 1) as u32, name));
        }
        while reader.at < segment.len() {
            let mut known = |list: &[u32]| -> Result<u32, StoreError> {
                let place = reader.varint()?;
                Ok(*list.get(place as usize).ok_or(Damaged::at(reader.at))?)
            };
            let pair = (known(&numbers)?, known(&numbers)?);
            let label = known(&labels)?;
            let day = reader.signed()? as Day;
            let count = reader.signed()?;
            self.ledger().add(pair, label, day, count);
        }
        Ok(())
    }
}
