//! The rows of the log and the owners of its identifiers, kept small: ten million rows fit in
//! memory and are put into the order of time at the end.

use std::collections::HashSet;

/// What the log calls a person.
pub type Person = u32;

/// One identifier in its short form; `name.rs` spells it out.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Identifier {
    CustomerNumber(u32),
    Email(u32),
    /// A French number without its leading zero.
    Phone(u32),
    Cookie(u64),
}

/// How a row came in.
#[derive(Clone, Copy)]
pub enum Channel {
    Web,
    App,
    Store,
    CallCenter,
    Email,
}

/// What the log says of the device; `None` where the user agent told nothing.
pub type DeviceType = Option<&'static str>;

#[derive(Clone, Copy)]
pub struct Row {
    /// Seconds after the log's first midnight.
    pub at: u32,
    pub channel: Channel,
    pub device_type: DeviceType,
    pub cookie: Option<u64>,
    pub email: Option<u32>,
    pub phone: Option<u32>,
    pub customer_number: Option<u32>,
    pub ip: Option<u32>,
}

impl Row {
    pub fn new(at: u32, channel: Channel) -> Self {
        Row {
            at,
            channel,
            device_type: None,
            cookie: None,
            email: None,
            phone: None,
            customer_number: None,
            ip: None,
        }
    }

    fn identifiers(&self) -> impl Iterator<Item = Identifier> {
        [
            self.customer_number.map(Identifier::CustomerNumber),
            self.email.map(Identifier::Email),
            self.phone.map(Identifier::Phone),
            self.cookie.map(Identifier::Cookie),
        ]
        .into_iter()
        .flatten()
    }
}

pub struct Log {
    rows: Vec<Row>,
    wanted: usize,
    /// Only identifiers that occur in `rows`.
    truth: Vec<(Identifier, Person)>,
    /// Identifiers of the household that is being written.
    used: HashSet<Identifier>,
}

impl Log {
    pub fn with_rows(wanted: usize) -> Self {
        Log {
            rows: Vec::with_capacity(wanted),
            wanted,
            truth: Vec::with_capacity(wanted / 2),
            used: HashSet::new(),
        }
    }

    pub fn is_full(&self) -> bool {
        self.rows.len() == self.wanted
    }

    /// Adds a row, unless the log is full.
    pub fn push(&mut self, row: Row) {
        if !self.is_full() {
            self.used.extend(row.identifiers());
            self.rows.push(row);
        }
    }

    /// Ends a household: of what its members own, what was used becomes truth.
    pub fn settle(&mut self, owned: impl Iterator<Item = (Identifier, Person)>) {
        self.truth.extend(owned.filter(|(identifier, _)| self.used.contains(identifier)));
        self.used.clear();
    }

    /// Puts the rows into the order of time. The sort is stable, so the result does not depend on
    /// how the standard library breaks ties.
    pub fn sort(&mut self) {
        self.rows.sort_by_key(|row| row.at);
    }

    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    pub fn truth(&self) -> &[(Identifier, Person)] {
        &self.truth
    }
}
