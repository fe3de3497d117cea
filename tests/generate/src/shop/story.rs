//! Words to tell a person's story with: who they are, what they hold, how often they come.

use super::END;
use super::catalogue::{PRODUCTS, Product};
use super::tables::{AtTill, Browser, Caller, Customer, Installation, Shop};
use crate::clock::{DAY, HOUR, MINUTE, date};
use crate::names::ascii;

/// A customer with the usual entries in the CRM; a story changes what matters to it.
pub fn customer(id: u32, first_name: &str, last_name: &str) -> Customer {
    let name = format!("{}.{}", ascii(first_name), ascii(last_name));
    Customer {
        id,
        first_name: first_name.into(),
        last_name: last_name.into(),
        gender: "f",
        born: date(1960 + i64::from(id * 7 % 40), 1 + i64::from(id % 12), 1 + i64::from(id % 28)),
        email: format!("{name}@mail.example"),
        mobile: mobile(id),
        login: name,
        street: format!("{} rue des Lilas", id % 90 + 1),
        postal_code: "69003".into(),
        city: "Lyon".into(),
        country: "FR".into(),
        created: date(2025, 1, 2) + i64::from(id % 20) * DAY,
        updated: date(2026, 1, 10) + 10 * HOUR,
        ..Customer::default()
    }
}

impl Customer {
    pub fn number(&self) -> String {
        self.id.to_string()
    }
}

/// A French mobile number as people write it.
pub fn mobile(id: u32) -> String {
    let digits = format!("060000{:04}", id % 10_000);
    let pairs: Vec<&str> = (0..5).map(|pair| &digits[2 * pair..2 * pair + 2]).collect();
    pairs.join(" ")
}

/// The same number as a telephone system reports it.
pub fn caller_id(id: u32) -> String {
    format!("+3360000{:04}", id % 10_000)
}

/// The store card a customer got first.
pub fn card(id: u32) -> String {
    format!("299000000{id:04}")
}

pub fn browser(cookie: &str, device_kind: &'static str) -> Browser {
    let sum: u32 = cookie.bytes().map(u32::from).sum();
    let ip = format!("82.64.{}.{}", sum % 199 + 1, sum * 7 % 250 + 1);
    Browser { cookie: cookie.into(), device_kind, ip }
}

impl Browser {
    /// The same browser behind the line of a household.
    pub fn behind(self, ip: &str) -> Self {
        Browser { ip: ip.into(), ..self }
    }
}

pub fn installation(id: &str) -> Installation {
    let ip = browser(id, "").ip;
    Installation { id: id.into(), mobile_ad_id: String::new(), ip }
}

/// A moment on a date, between nine in the morning and nine in the evening.
pub fn on(year: i64, month: i64, day: i64) -> i64 {
    let midnight = date(year, month, day);
    midnight + 9 * HOUR + (midnight / DAY * 37 % 720) * MINUTE
}

/// Moments some days apart, from the first date on and before the last.
pub fn every(days: i64, from: (i64, i64, i64), until: (i64, i64, i64)) -> Vec<i64> {
    let last = on(until.0, until.1, until.2).min(END);
    let times = (0..).map(|turn| on(from.0, from.1, from.2) + turn * (days * DAY + 23 * MINUTE));
    times.take_while(|&at| at < last).collect()
}

/// What is looked at or bought at a moment: the shelves in turn.
pub fn shelf(at: i64) -> &'static Product {
    &PRODUCTS[(at / HOUR % PRODUCTS.len() as i64) as usize]
}

impl Shop {
    pub fn visits(&mut self, times: &[i64], browser: &Browser, login: &str) {
        for &at in times {
            self.visit(at, browser, login, shelf(at));
        }
    }

    pub fn opens_app(&mut self, times: &[i64], phone: &Installation, login: &str) {
        for &at in times {
            self.app(at, phone, login, shelf(at));
        }
    }

    pub fn buys_with_card(&mut self, times: &[i64], store: &str, card: &str) {
        for &at in times {
            self.receipt(at, store, AtTill { card, ..AtTill::default() }, shelf(at));
        }
    }

    /// Calls in which the caller tells the customer number.
    pub fn calls(&mut self, times: &[i64], phone: &str, customer_number: &str, topic: &str) {
        for &at in times {
            self.call(at, Caller { phone, customer_number, ..Caller::default() }, topic);
        }
    }
}
