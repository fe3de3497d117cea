//! What all households share: the calendar, number ranges, kiosks, and the values that people and
//! staff make up.

use super::log::{DeviceType, Person};
use crate::clock::{DAY, date};
use crate::dice::{Dice, scatter};

/// First midnight of the log.
pub const START: i64 = date(2024, 11, 1);
pub const DAYS: u64 = 730;
pub const SECONDS: u32 = (DAYS * DAY as u64) as u32;

/// Relative traffic of the hours of a day, UTC.
const HOURS: [u64; 24] =
    [3, 2, 1, 1, 1, 2, 5, 8, 10, 11, 12, 12, 13, 12, 11, 11, 12, 13, 15, 18, 20, 17, 11, 6];

/// Rows for each kiosk. A kiosk of a busy store sees hundreds of customers in two years.
const ROWS_PER_KIOSK: usize = 60_000;

/// Addresses that block lists name.
pub const LISTED_EMAILS: [&str; 4] = ["test@test.com", "null", "unknown", "anonymous"];
/// Addresses no list names: the shop's own, typed by staff for customers who give none.
pub const UNLISTED_EMAILS: [&str; 3] =
    ["accueil@maison-claire.example", "pasdemail@maison-claire.example", "client@client.example"];
pub const LISTED_PHONES: [&str; 3] = ["0000000000", "000000000", "unknown"];
/// Numbers that are valid and nobody's.
pub const UNLISTED_PHONES: [u32; 3] = [601_020_304, 606_060_606, 102_030_405];

/// Short forms from here on are indexes into the made-up values, listed ones first.
pub const MADE_UP: u32 = u32::MAX - 16;

pub struct Kiosk {
    pub cookie: u64,
    /// Half of the kiosks were never registered as such.
    pub label: DeviceType,
    pub ip: u32,
}

pub struct World {
    kiosks: Vec<Kiosk>,
    /// Numbers given up, and the time from which an operator hands them out again.
    released: Vec<(u32, u32)>,
    persons: Person,
    emails: u32,
    mobiles: u32,
    landlines: u32,
    customers: u32,
}

impl World {
    pub fn new(rows: usize, dice: &mut Dice) -> Self {
        let kiosks = (0..2 + 2 * (rows / ROWS_PER_KIOSK / 2))
            .map(|index| Kiosk {
                cookie: dice.bits(),
                label: (index % 2 == 0).then_some("kiosk"),
                ip: home_ip(dice),
            })
            .collect();
        World {
            kiosks,
            released: Vec::new(),
            persons: 0,
            emails: 0,
            mobiles: 0,
            landlines: 0,
            customers: 0,
        }
    }

    /// A kiosk; the first ones stand in the busiest stores.
    pub fn kiosk(&self, dice: &mut Dice) -> &Kiosk {
        let among = dice.between(1, self.kiosks.len() as u64);
        &self.kiosks[dice.below(among) as usize]
    }

    pub fn new_person(&mut self) -> Person {
        self.persons += 1;
        self.persons
    }

    pub fn new_email(&mut self) -> u32 {
        self.emails += 1;
        self.emails
    }

    /// An address that somebody else has: what a slip of the pen hits.
    pub fn any_email(&self, dice: &mut Dice) -> Option<u32> {
        (self.emails > 0).then(|| dice.between(1, self.emails.into()) as u32)
    }

    pub fn new_customer_number(&mut self) -> u32 {
        self.customers += 1;
        10_000_000 + scatter(self.customers.into(), 90_000_000) as u32
    }

    pub fn new_mobile(&mut self) -> u32 {
        self.mobiles += 1;
        640_000_000 + scatter(self.mobiles.into(), 50_000_000) as u32
    }

    pub fn new_landline(&mut self) -> u32 {
        self.landlines += 1;
        110_000_000 + scatter(self.landlines.into(), 50_000_000) as u32
    }

    /// A number goes back to the operator, who lets it rest for four months.
    pub fn release(&mut self, mobile: u32, at: u32) {
        let free = u64::from(at) + 120 * DAY as u64;
        if free < u64::from(SECONDS) - 60 * DAY as u64 {
            self.released.push((mobile, free as u32));
        }
    }

    /// A number somebody else had, and since when it may be used.
    pub fn recycled_mobile(&mut self) -> Option<(u32, u32)> {
        self.released.pop()
    }
}

/// A time of day on a day of the log, busy in the evening.
pub fn time_on(day: u64, dice: &mut Dice) -> u32 {
    let hour = dice.weighted(&HOURS) as u64;
    (day * DAY as u64 + hour * 3600 + dice.below(3600)) as u32
}

pub fn home_ip(dice: &mut Dice) -> u32 {
    let network = *dice.pick(&[2u32, 31, 37, 78, 80, 82, 86, 90, 92, 109, 176]);
    network << 24 | dice.below(1 << 24) as u32
}

/// One of the addresses behind which a mobile operator hides all its customers.
pub fn mobile_ip(dice: &mut Dice) -> u32 {
    77 << 24 | 136 << 16 | dice.below(1 << 12) as u32
}
