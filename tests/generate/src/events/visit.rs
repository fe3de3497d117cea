//! One visit of a person and the rows it leaves.

use super::household::{Device, Household, Kind};
use super::log::{Channel, Log, Row};
use super::person::{Known, Member};
use super::world::{
    LISTED_EMAILS, LISTED_PHONES, MADE_UP, UNLISTED_EMAILS, UNLISTED_PHONES, World, mobile_ip,
};
use crate::dice::Dice;

/// How often the devices of others are used: to browse often, to read one's mail seldom.
const OFTEN: u64 = 3;
const SELDOM: u64 = 1;

/// A visit of the member with an index, at a time.
pub struct Visit {
    pub index: usize,
    pub at: u32,
}

impl Visit {
    pub fn write(&self, home: &mut Household, world: &World, log: &mut Log, dice: &mut Dice) {
        let member = &home.members[self.index];
        match member.known {
            Known::Visitor => self.online(home, log, dice),
            Known::Subscriber => match dice.below(1000) {
                0..=24 => self.call(home, log, dice),
                25..=59 => self.guest_order(home, log, dice),
                60..=139 => self.newsletter(home, log, dice),
                _ => self.online(home, log, dice),
            },
            Known::Customer => match dice.below(2000) {
                0..=49 => self.call(home, log, dice),
                50..=189 => log.push(self.receipt(member, world, dice)),
                190..=209 => self.guest_order(home, log, dice),
                210..=269 => self.newsletter(home, log, dice),
                270..=272 => log.push(self.kiosk(member, world, dice)),
                _ => self.online(home, log, dice),
            },
        }
    }

    /// Pages on a device, signed in from some page on or not at all.
    fn online(&self, home: &mut Household, log: &mut Log, dice: &mut Dice) {
        let (mut row, own) = self.on_a_device(home, OFTEN, dice);
        let member = &home.members[self.index];
        let pages = match member.known {
            Known::Visitor => 1 + dice.weighted(&[85, 10, 5]) as u32,
            _ => 1 + dice.weighted(&[60, 25, 10, 5]) as u32,
        };
        // The password is saved on one's own device.
        let sign_ins = if own { member.sign_ins } else { member.sign_ins / 4 };
        let signed_in_from = match member.known {
            Known::Customer if dice.chance(sign_ins) => dice.below(pages.into()) as u32,
            _ => pages,
        };
        let identity = Identity::draw(member, dice);
        for page in 0..pages {
            if page >= signed_in_from {
                row.customer_number = identity.customer_number;
                row.email = identity.email;
            }
            log.push(row);
            row.at += dice.between(10, 200) as u32;
        }
    }

    /// A click in a newsletter carries the address to the browser.
    fn newsletter(&self, home: &mut Household, log: &mut Log, dice: &mut Dice) {
        let (mut row, _) = self.on_a_device(home, SELDOM, dice);
        row.channel = Channel::Email;
        row.email = Some(*dice.pick(&home.members[self.index].emails));
        log.push(row);
    }

    /// Address, phone and browser together, no account.
    fn guest_order(&self, home: &mut Household, log: &mut Log, dice: &mut Dice) {
        let (mut row, _) = self.on_a_device(home, OFTEN, dice);
        let member = &home.members[self.index];
        row.email = Some(*dice.pick(&member.emails));
        row.phone = home.phone(self.index, self.at, dice);
        if row.phone.is_some() && dice.chance(20) {
            row.phone = Some(made_up(LISTED_PHONES.len(), UNLISTED_PHONES.len(), 700, dice));
        }
        log.push(row);
    }

    fn call(&self, home: &mut Household, log: &mut Log, dice: &mut Dice) {
        let mut row = Row::new(self.at, Channel::CallCenter);
        row.phone = home.phone(self.index, self.at, dice);
        let member = &home.members[self.index];
        if row.phone.is_none() || dice.chance(650) {
            row.customer_number = member.customer_numbers.first().copied();
            if row.customer_number.is_none() || dice.chance(400) {
                row.email = Some(member.emails[0]);
            }
        }
        log.push(row);
    }

    /// At the till the card tells the customer; address and phone are typed by staff.
    fn receipt(&self, member: &Member, world: &World, dice: &mut Dice) -> Row {
        let mut row = Row::new(self.at, Channel::Store);
        row.customer_number = Some(*dice.pick(&member.customer_numbers));
        match dice.below(1000) {
            0..=249 => row.email = Some(member.emails[0]),
            250..=252 => row.email = world.any_email(dice),
            253..=274 => {
                row.email = Some(made_up(LISTED_EMAILS.len(), UNLISTED_EMAILS.len(), 700, dice));
            }
            275..=399 => row.phone = member.mobile.and_then(|mobile| mobile.at(self.at)),
            400..=419 => {
                row.phone = Some(made_up(LISTED_PHONES.len(), UNLISTED_PHONES.len(), 700, dice));
            }
            _ => {}
        }
        row
    }

    fn kiosk(&self, member: &Member, world: &World, dice: &mut Dice) -> Row {
        let kiosk = world.kiosk(dice);
        let identity = Identity::draw(member, dice);
        Row {
            device_type: kiosk.label,
            cookie: Some(kiosk.cookie),
            ip: Some(kiosk.ip),
            customer_number: identity.customer_number,
            email: identity.email,
            ..Row::new(self.at, Channel::Store)
        }
    }

    /// A row from one of the devices the member may use, mostly their own, and whether it is.
    fn on_a_device(&self, home: &mut Household, borrowing: u64, dice: &mut Dice) -> (Row, bool) {
        let weight = |device: &Device| match (device.kind, device.owner == self.index) {
            (Kind::App, true) => 750,
            (Kind::Smartphone, true) => 1500,
            (Kind::Desktop, true) => 1050,
            (Kind::Tablet, true) => 600,
            (Kind::Television, true) => 90,
            // A phone is lent now and then, the app hardly ever opened by others.
            (Kind::App, false) => 0,
            (Kind::Smartphone, false) => 2 * borrowing,
            (Kind::Desktop, false) => 80 * borrowing,
            (Kind::Tablet, false) => 120 * borrowing,
            (Kind::Television, false) => 30 * borrowing,
        };
        let weights: Vec<u64> = home.devices.iter().map(weight).collect();
        let at = dice.weighted(&weights);
        let home_ip = home.home_ip(self.at);
        let device = &mut home.devices[at];
        let roams = matches!(device.kind, Kind::App | Kind::Smartphone) && dice.chance(450);
        let channel = if device.kind == Kind::App { Channel::App } else { Channel::Web };
        let row = Row {
            device_type: device.label,
            cookie: Some(device.visit(self.index, self.at, dice)),
            ip: Some(if roams { mobile_ip(dice) } else { home_ip }),
            ..Row::new(self.at, channel)
        };
        (row, device.owner == self.index)
    }
}

/// What a sign-in tells.
struct Identity {
    customer_number: Option<u32>,
    email: Option<u32>,
}

impl Identity {
    fn draw(member: &Member, dice: &mut Dice) -> Self {
        if member.customer_numbers.is_empty() {
            return Identity { customer_number: None, email: None };
        }
        let customer_number = Some(*dice.pick(&member.customer_numbers));
        let email = Some(member.emails[0]);
        match dice.below(10) {
            0..=5 => Identity { customer_number, email: None },
            6..=8 => Identity { customer_number, email },
            _ => Identity { customer_number: None, email },
        }
    }
}

/// A made-up value: one that block lists name `permille` times in a thousand, else one they don't.
fn made_up(listed: usize, unlisted: usize, permille: u64, dice: &mut Dice) -> u32 {
    let index = if dice.chance(permille) {
        dice.below(listed as u64)
    } else {
        listed as u64 + dice.below(unlisted as u64)
    };
    MADE_UP + index as u32
}
