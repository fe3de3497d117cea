//! One person: how often they come, and under which identifiers they are known.

use super::log::Person;
use super::world::{DAYS, World};
use crate::clock::DAY;
use crate::dice::Dice;

/// The most visits of one person in two years.
const MOST_VISITS: u64 = 200;

pub struct Member {
    pub person: Person,
    pub known: Known,
    pub visits: u64,
    /// Days of the log between which the person comes.
    pub first_day: u64,
    pub last_day: u64,
    /// Sign-ins per thousand visits.
    pub sign_ins: u64,
    /// Mostly one number; a second one when an account was opened twice.
    pub customer_numbers: Vec<u32>,
    /// The first is the one on file.
    pub emails: Vec<u32>,
    pub mobile: Option<Mobile>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Never says who they are.
    Visitor,
    /// Reads the newsletter and buys as a guest.
    Subscriber,
    Customer,
}

/// A mobile number and the time between which it is this person's.
#[derive(Clone, Copy)]
pub struct Mobile {
    pub number: u32,
    pub from: u32,
    pub until: u32,
}

impl Member {
    pub fn draw(known: Known, world: &mut World, dice: &mut Dice) -> Self {
        let visits = match known {
            Known::Visitor => dice.heavy_tail(MOST_VISITS),
            Known::Subscriber => (2 * dice.heavy_tail(MOST_VISITS)).min(MOST_VISITS),
            Known::Customer => (3 * dice.heavy_tail(MOST_VISITS)).min(MOST_VISITS),
        };
        let (first_day, last_day) = active_days(dice);
        let mut member = Member {
            person: world.new_person(),
            known,
            visits,
            first_day,
            last_day,
            sign_ins: dice.between(300, 750),
            customer_numbers: Vec::new(),
            emails: Vec::new(),
            mobile: None,
        };
        if known == Known::Customer {
            member.customer_numbers.push(world.new_customer_number());
            if dice.chance(50) {
                member.customer_numbers.push(world.new_customer_number());
            }
        }
        if known != Known::Visitor {
            let addresses = 1 + dice.weighted(&[80, 17, 3]);
            member.emails = (0..addresses).map(|_| world.new_email()).collect();
            member.mobile = Mobile::draw(last_day, world, dice);
        }
        member
    }
}

/// Two in five stay for the whole log; others come or go in between.
fn active_days(dice: &mut Dice) -> (u64, u64) {
    if dice.chance(400) {
        return (0, DAYS - 1);
    }
    let first = dice.below(DAYS);
    (first, dice.between(first, DAYS - 1))
}

impl Mobile {
    fn draw(last_day: u64, world: &mut World, dice: &mut Dice) -> Option<Self> {
        if dice.chance(150) {
            return None;
        }
        if dice.chance(15)
            && let Some((number, from)) = world.recycled_mobile()
        {
            return Some(Mobile { number, from, until: u32::MAX });
        }
        let number = world.new_mobile();
        let mut until = u32::MAX;
        if dice.chance(20) {
            until = (last_day * DAY as u64) as u32;
            world.release(number, until);
        }
        Some(Mobile { number, from: 0, until })
    }

    pub fn at(self, at: u32) -> Option<u32> {
        (self.from <= at && at < self.until).then_some(self.number)
    }
}
