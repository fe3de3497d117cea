//! The ordinary customers, singles and couples, and what they do in two years.

use super::catalogue::{PRODUCTS, Product, STORES};
use super::named::{CERTIFIED_ISSUER, OPEN_ISSUER};
use super::story::{browser, caller_id, card, installation, mobile};
use super::tables::{AtTill, Browser, Caller, Customer, Installation, Order, Shop};
use super::{END, START};
use crate::clock::{DAY, HOUR, date};
use crate::dice::Dice;
use crate::names::{LAST, MEN, STREETS, TOWNS, WOMEN, ascii};

const FIRST_ID: u32 = 2001;
const SINGLES: u32 = 80;
const COUPLES: u32 = 75;

pub fn live(shop: &mut Shop, dice: &mut Dice) {
    for _ in 0..SINGLES {
        household(shop, 1, dice);
    }
    for _ in 0..COUPLES {
        household(shop, 2, dice);
    }
}

/// What the members of a household have in common.
struct Home {
    last_name: &'static str,
    street: String,
    town: (&'static str, &'static str, &'static str),
    landline: String,
    ip: String,
    /// A desktop, tablet or television, and its next one after the cookie was cleared.
    shared: [Browser; 2],
}

fn household(shop: &mut Shop, members: u64, dice: &mut Dice) {
    let town = *dice.pick(&TOWNS);
    let number = shop.customers.len();
    let landline = match town.0 {
        "BE" => format!("02 555 {:02} {:02}", 20 + number / 100, number % 100),
        "DE" => format!("030 23125 {:03}", number % 1000),
        _ => format!("02 61 91 {:02} {:02}", 10 + number / 100, number % 100),
    };
    let kind = dice.word(&["desktop", "desktop", "tablet", "TV"]);
    let ip = home_ip(dice);
    let home = Home {
        last_name: dice.word(&LAST),
        street: format!("{} {}", dice.between(1, 120), dice.word(&STREETS)),
        town,
        landline: if dice.chance(650) { landline } else { String::new() },
        shared: [own_browser(kind, &ip, dice), own_browser(kind, &ip, dice)],
        ip,
    };
    for member in 0..members {
        let customer = customer(shop, &home, member, members == 2, dice);
        Person::new(&customer, &home, member, dice).live(shop, dice);
        shop.customers.push(customer);
    }
}

fn customer(shop: &Shop, home: &Home, member: u64, couple: bool, dice: &mut Dice) -> Customer {
    let last = shop.customers.last().map_or(0, |customer| customer.id);
    let id = (last + 1).max(FIRST_ID);
    let woman = member == 0 && dice.chance(600) || member == 1 && dice.chance(400);
    let first_name = dice.word(if woman { &WOMEN } else { &MEN });
    let last_name = if member == 0 || dice.chance(600) { home.last_name } else { dice.word(&LAST) };
    let name = format!("{}.{}{}", ascii(first_name), ascii(last_name), id % 100);
    let provider = dice.word(&["mail.example", "poste.example", "boite.example", "courrier.example"]);
    let email = match dice.below(1000) {
        0..=9 => "null".into(),
        10..=79 => String::new(),
        80..=179 => format!("{name}@{provider}").to_uppercase(),
        _ => format!("{name}@{provider}"),
    };
    let mobile = match dice.below(1000) {
        _ if home.town.0 != "FR" => String::new(),
        0..=14 => "0000000000".into(),
        15..=119 => String::new(),
        120..=419 => caller_id(id),
        420..=519 => mobile(id).replace(' ', ""),
        _ => mobile(id),
    };
    let created = date(2025, 1, 1) + dice.below(500) as i64 * DAY + 10 * HOUR;
    Customer {
        id,
        first_name: first_name.into(),
        last_name: last_name.into(),
        gender: if woman { "f" } else { "m" },
        born: date(1940, 1, 1) + dice.below(67 * 365) as i64 * DAY,
        email,
        mobile,
        home_phone: if dice.chance(750) { home.landline.clone() } else { String::new() },
        login: if dice.chance(820) { name } else { String::new() },
        street: home.street.clone(),
        postal_code: home.town.1.into(),
        city: home.town.2.into(),
        country: home.town.0.into(),
        marital_status: if couple { "married" } else { dice.word(&["single", "widowed", ""]) },
        profession: dice.word(&["", "", "teacher", "nurse", "engineer", "farmer", "retired"]),
        created,
        updated: created + dice.below(((END - created) / DAY) as u64) as i64 * DAY,
    }
}

/// A customer with what they carry.
struct Person<'a> {
    customer: &'a Customer,
    home: &'a Home,
    /// The second member of a couple uses the shared device less.
    shares: u64,
    phone: [Browser; 3],
    app: Option<Installation>,
    card: String,
}

impl<'a> Person<'a> {
    fn new(customer: &'a Customer, home: &'a Home, member: u64, dice: &mut Dice) -> Self {
        let phone = [(); 3].map(|()| own_browser("smartphone", &home.ip, dice));
        let app = dice.chance(300).then(|| Installation {
            mobile_ad_id: if dice.chance(500) { uuid(dice) } else { String::new() },
            ip: home.ip.clone(),
            ..installation(&format!("{:016X}", dice.bits()))
        });
        let card = if dice.chance(650) { card(customer.id) } else { String::new() };
        Person { customer, home, shares: if member == 0 { 450 } else { 100 }, phone, app, card }
    }

    fn live(&self, shop: &mut Shop, dice: &mut Dice) {
        if !self.card.is_empty() {
            shop.store_card(&self.card, self.customer.id, self.customer.created);
        }
        self.browse(shop, dice);
        self.buy(shop, dice);
        self.call(shop, dice);
    }

    fn browse(&self, shop: &mut Shop, dice: &mut Dice) {
        let Customer { login, created, .. } = self.customer;
        let has_email = self.customer.email.contains('@');
        for _ in 0..dice.heavy_tail(40) + 3 {
            let at = moment(dice);
            if let (Some(app), true) = (&self.app, dice.chance(400)) {
                let login = if at > *created && dice.chance(500) { login } else { "" };
                shop.app(at, app, login, dice.pick(&PRODUCTS));
                continue;
            }
            let login = if at > *created && dice.chance(350) { login } else { "" };
            shop.visit(at, self.browser(at, dice), login, dice.pick(&PRODUCTS));
        }
        if has_email && dice.chance(450) {
            let subscribed = moment(dice);
            let (email, first_name) = (&self.customer.email, &self.customer.first_name);
            shop.subscribe(subscribed, email, first_name, self.browser(subscribed, dice));
            for _ in 0..dice.below(8) {
                let at = moment_since(subscribed, dice);
                shop.open(at, email, self.browser(at, dice));
            }
        }
        if has_email && dice.chance(80) {
            let issuer = if dice.chance(500) { CERTIFIED_ISSUER } else { OPEN_ISSUER };
            let subject = format!("{}-{:04x}", ascii(&self.customer.last_name), dice.below(1 << 16));
            for _ in 0..dice.between(1, 6) {
                let at = moment(dice);
                let email = &self.customer.email;
                shop.openid(at, issuer, &subject, email, self.browser(at, dice));
            }
        }
    }

    fn buy(&self, shop: &mut Shop, dice: &mut Dice) {
        let customer = self.customer;
        if !self.card.is_empty() {
            for _ in 0..dice.heavy_tail(8) {
                let till = AtTill {
                    card: &self.card,
                    email: if dice.chance(150) { &customer.email } else { "" },
                    phone: if dice.chance(80) { &customer.mobile } else { "" },
                };
                shop.receipt(self.moment(dice), dice.word(&STORES), till, dice.pick(&PRODUCTS));
            }
        }
        if customer.email.contains('@') && dice.chance(400) {
            let account = format!("88{:07}", customer.id);
            for _ in 0..dice.heavy_tail(4) {
                let product: &Product = dice.pick(&PRODUCTS);
                let instalments = if product.cents > 20_000 && dice.chance(600) { 4 } else { 1 };
                shop.order(
                    self.moment(dice),
                    Order {
                        customer: dice.chance(800).then_some(customer.id),
                        who: customer,
                        email: &customer.email,
                        phone: &customer.mobile,
                        product,
                        instalments,
                        method: if instalments > 1 { "instalments" } else { "card" },
                        account: &account,
                    },
                );
            }
        }
    }

    fn call(&self, shop: &mut Shop, dice: &mut Dice) {
        let customer = self.customer;
        for _ in 0..dice.below(4) {
            let phone = if self.home.town.0 == "FR" && !customer.mobile.starts_with("0000") {
                caller_id(customer.id)
            } else {
                "anonymous".into()
            };
            let number = if dice.chance(600) { customer.number() } else { String::new() };
            let caller = Caller {
                phone: if customer.mobile.is_empty() { "" } else { &phone },
                email: if dice.chance(300) { &customer.email } else { "" },
                customer_number: if dice.chance(40) { "unknown" } else { &number },
            };
            shop.call(self.moment(dice), caller, dice.word(&["delivery", "invoice", "advice"]));
        }
    }

    /// A moment since they became a customer.
    fn moment(&self, dice: &mut Dice) -> i64 {
        moment_since(self.customer.created, dice)
    }

    /// The phone, whose browser forgets twice, or the device at home, which forgets once.
    fn browser(&self, at: i64, dice: &mut Dice) -> &Browser {
        let part = |parts: i64| ((at - START) * parts / (END - START)) as usize;
        if dice.chance(self.shares) { &self.home.shared[part(2)] } else { &self.phone[part(3)] }
    }
}

/// A moment of the data, in waking hours.
pub fn moment(dice: &mut Dice) -> i64 {
    moment_since(START, dice)
}

pub fn moment_since(start: i64, dice: &mut Dice) -> i64 {
    let first = start / DAY + 1;
    let day = first + dice.below((END / DAY - first) as u64) as i64;
    day * DAY + dice.between(6 * 60, 22 * 60) as i64 * 60
}

pub fn own_browser(device_kind: &'static str, ip: &str, dice: &mut Dice) -> Browser {
    // A quarter of the browsers do not tell what they run on.
    let device_kind = if dice.chance(750) { device_kind } else { "" };
    browser(&format!("{:016x}", dice.bits()), device_kind).behind(ip)
}

pub fn home_ip(dice: &mut Dice) -> String {
    format!("82.66.{}.{}", dice.below(256), dice.between(1, 254))
}

fn uuid(dice: &mut Dice) -> String {
    let (high, low) = (dice.bits(), dice.bits());
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        low >> 52,
        low & 0xffff_ffff_ffff
    )
}
