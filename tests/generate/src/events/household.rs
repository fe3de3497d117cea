//! One household: its members, its devices, and what they share.

use super::log::{DeviceType, Identifier, Log, Person};
use super::person::{Known, Member};
use super::visit::Visit;
use super::world::{DAYS, SECONDS, World, home_ip, time_on};
use crate::clock::DAY;
use crate::dice::Dice;

/// Households of one to five members, in a hundred.
const SIZES: [u64; 5] = [38, 32, 14, 11, 5];

/// Households, of a thousand, that know the shop.
const CLIENTS: u64 = 460;
/// Visitors, subscribers and customers among their members, and among those of the others.
const OF_CLIENTS: [u64; 3] = [25, 20, 55];
const OF_STRANGERS: [u64; 3] = [94, 3, 3];

pub struct Household {
    pub members: Vec<Member>,
    pub devices: Vec<Device>,
    pub landline: Option<Landline>,
    /// Providers change the address of a line every quarter or so.
    home_ips: Vec<u32>,
}

/// The phone at home, and which members have given its number.
pub struct Landline {
    number: u32,
    given_by: Vec<bool>,
}

/// A browser on a device.
pub struct Device {
    /// Index of the member it was bought for.
    pub owner: usize,
    pub kind: Kind,
    pub label: DeviceType,
    cookies: Cookies,
    /// Visits of each member.
    used_by: Vec<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The installed app: its identifier lives as long as the phone.
    App,
    Smartphone,
    Desktop,
    Tablet,
    Television,
}

enum Cookies {
    /// One after the other, each until a time.
    Lasting(Vec<(u32, u64)>),
    /// A new one each visit, and which member came: private windows, browsers that delete.
    Fresh(Vec<(usize, u64)>),
}

impl Household {
    pub fn draw(world: &mut World, dice: &mut Dice) -> Self {
        let size = 1 + dice.weighted(&SIZES);
        let kinds = if dice.chance(CLIENTS) { OF_CLIENTS } else { OF_STRANGERS };
        let mut members: Vec<Member> = (0..size)
            .map(|_| {
                let known = [Known::Visitor, Known::Subscriber, Known::Customer][dice.weighted(&kinds)];
                Member::draw(known, world, dice)
            })
            .collect();
        share_an_address(&mut members, dice);
        let mut devices = Vec::new();
        for (owner, member) in members.iter().enumerate() {
            if dice.chance(920) {
                devices.push(Device::draw(Kind::Smartphone, owner, size, dice));
                if member.known != Known::Visitor && dice.chance(350) {
                    devices.push(Device::draw(Kind::App, owner, size, dice));
                }
            } else {
                devices.push(Device::draw(Kind::Desktop, owner, size, dice));
            }
        }
        for (kind, permille) in [(Kind::Desktop, 600), (Kind::Tablet, 450), (Kind::Television, 150)] {
            if dice.chance(permille) {
                let owner = dice.below(size as u64) as usize;
                devices.push(Device::draw(kind, owner, size, dice));
            }
        }
        Household {
            members,
            devices,
            landline: dice
                .chance(550)
                .then(|| Landline { number: world.new_landline(), given_by: vec![false; size] }),
            home_ips: (0..=DAYS / 90).map(|_| home_ip(dice)).collect(),
        }
    }

    /// Writes two years of the household into the log.
    pub fn live(&mut self, world: &mut World, log: &mut Log, dice: &mut Dice) {
        for index in 0..self.members.len() {
            let member = &self.members[index];
            let (visits, days) = (member.visits, (member.first_day, member.last_day));
            for _ in 0..visits {
                let at = time_on(dice.between(days.0, days.1), dice);
                Visit { index, at }.write(self, world, log, dice);
            }
        }
        log.settle(self.owned().into_iter());
    }

    pub fn home_ip(&self, at: u32) -> u32 {
        self.home_ips[(u64::from(at) / (90 * DAY as u64)) as usize]
    }

    /// The number a member gives: their mobile, or the line at home.
    pub fn phone(&mut self, member: usize, at: u32, dice: &mut Dice) -> Option<u32> {
        let mobile = self.members[member].mobile.and_then(|mobile| mobile.at(at));
        match &mut self.landline {
            Some(landline) if mobile.is_none() || dice.chance(250) => {
                landline.given_by[member] = true;
                Some(landline.number)
            }
            _ => mobile,
        }
    }

    /// What belongs to exactly one person: a device's cookies to its main user, an address where
    /// one person has it, the line at home where only one has ever given it.
    fn owned(&self) -> Vec<(Identifier, Person)> {
        let mut owned = Vec::new();
        for member in &self.members {
            let numbers = member.customer_numbers.iter().copied();
            owned.extend(numbers.map(|n| (Identifier::CustomerNumber(n), member.person)));
            for &email in &member.emails {
                let users = self.members.iter().filter(|other| other.emails.contains(&email));
                if users.count() == 1 {
                    owned.push((Identifier::Email(email), member.person));
                }
            }
            if let Some(mobile) = member.mobile.filter(|mobile| mobile.until == u32::MAX) {
                owned.push((Identifier::Phone(mobile.number), member.person));
            }
        }
        if let Some(landline) = &self.landline {
            let members = self.members.iter().zip(&landline.given_by);
            let mut givers = members.filter(|(_, given)| **given).map(|(member, _)| member.person);
            if let (Some(only), None) = (givers.next(), givers.next()) {
                owned.push((Identifier::Phone(landline.number), only));
            }
        }
        for device in &self.devices {
            let main_user = device.main_user();
            let cookies: Vec<(usize, u64)> = match &device.cookies {
                Cookies::Lasting(all) => all.iter().map(|&(_, cookie)| (main_user, cookie)).collect(),
                Cookies::Fresh(all) => all.clone(),
            };
            owned.extend(
                cookies
                    .iter()
                    .map(|&(member, cookie)| (Identifier::Cookie(cookie), self.members[member].person)),
            );
        }
        owned
    }
}

/// Some couples have one address between them.
fn share_an_address(members: &mut [Member], dice: &mut Dice) {
    if let [first, second, ..] = members
        && let (Some(&shared), Some(own)) = (first.emails.first(), second.emails.first_mut())
        && dice.chance(40)
    {
        *own = shared;
    }
}

impl Device {
    fn draw(kind: Kind, owner: usize, members: usize, dice: &mut Dice) -> Self {
        let label = match kind {
            Kind::App | Kind::Smartphone => "smartphone",
            Kind::Desktop => "desktop",
            // Tablets ask for the desktop site.
            Kind::Tablet if dice.chance(300) => "desktop",
            Kind::Tablet => "tablet",
            Kind::Television => "TV",
        };
        let label = (kind == Kind::App || dice.chance(750)).then_some(label);
        let cookies = Cookies::draw(kind, dice);
        Device { owner, kind, label, cookies, used_by: vec![0; members] }
    }

    /// A member comes with it: the cookie it shows.
    pub fn visit(&mut self, member: usize, at: u32, dice: &mut Dice) -> u64 {
        self.used_by[member] += 1;
        match &mut self.cookies {
            Cookies::Fresh(all) => {
                let cookie = dice.bits();
                all.push((member, cookie));
                cookie
            }
            Cookies::Lasting(all) => all[all.partition_point(|&(until, _)| until <= at)].1,
        }
    }
}

impl Device {
    /// The member who came with it most often; between equals, the one it was bought for.
    fn main_user(&self) -> usize {
        let visits = |member: &usize| (self.used_by[*member], *member == self.owner);
        (0..self.used_by.len()).max_by_key(visits).expect("a household has members")
    }
}

impl Cookies {
    fn draw(kind: Kind, dice: &mut Dice) -> Self {
        if kind == Kind::App {
            return Cookies::Lasting(vec![(u32::MAX, dice.bits())]);
        }
        // Days a cookie lives at most; phones forget sooner than what stands at home.
        let (fresh, lives) = match kind {
            Kind::Smartphone => (120, [21, 45, 90, 180, 395]),
            _ => (50, [60, 180, 395, 395, 395]),
        };
        if dice.chance(fresh) {
            return Cookies::Fresh(Vec::new());
        }
        let life = *dice.pick(&lives);
        let mut cookies = Vec::new();
        let mut until = 0;
        while until < SECONDS {
            until += (dice.between(life / 3, life) * DAY as u64) as u32;
            cookies.push((until, dice.bits()));
        }
        Cookies::Lasting(cookies)
    }
}
