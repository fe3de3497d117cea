//! Those who are no customers, and what customers who never met have in common: kiosks and the
//! address that staff make up.

use super::catalogue::{PRODUCTS, STORES};
use super::people::{home_ip, moment, moment_since, own_browser};
use super::story::{browser, card};
use super::tables::{AtTill, Customer, Shop};
use crate::dice::Dice;
use crate::names::{MEN, WOMEN, ascii};

const READERS: u32 = 40;
const PASSERS_BY: u32 = 70;

/// Distinct customers who sign in at the kiosk and at the unlabelled one: the second exceeds what
/// one device may link.
const AT_KIOSK: usize = 36;
const AT_CORNER: usize = 60;

/// The address that staff at the till type for customers who have none. No block list has it; it
/// has more partners than one address may.
const STAFF_EMAIL: &str = "caisse@maison-claire.example";
const WITH_STAFF_EMAIL: usize = 56;

/// Adds the crowd to the customers that are there.
pub fn live(shop: &mut Shop, customers: &[Customer], dice: &mut Dice) {
    kiosks(shop, customers, dice);
    staff_email(shop, customers, dice);
    for index in 0..READERS {
        reader(shop, index, dice);
    }
    for _ in 0..PASSERS_BY {
        let ip = home_ip(dice);
        let anybody = own_browser("desktop", &ip, dice);
        for _ in 0..dice.heavy_tail(12) {
            shop.visit(moment(dice), &anybody, "", dice.pick(&PRODUCTS));
        }
    }
}

/// A kiosk in Lyon, known as one, and a tablet in a corner of the store in Lille that nobody
/// registered: only the crowd on it tells.
fn kiosks(shop: &mut Shop, customers: &[Customer], dice: &mut Dice) {
    let with_login = customers.iter().filter(|customer| !customer.login.is_empty());
    let visitors: Vec<&Customer> = with_login.collect();
    let kiosk = browser("ck-kiosk-lyon", "kiosk");
    let corner = browser("ck-corner-lille", "");
    for (device, visitors) in [(kiosk, &visitors[..AT_KIOSK]), (corner, &visitors[..AT_CORNER])] {
        for visitor in visitors {
            for _ in 0..dice.between(1, 2) {
                let at = moment_since(visitor.created, dice);
                shop.visit(at, &device, &visitor.login, dice.pick(&PRODUCTS));
                shop.visit(at + 240, &device, "", dice.pick(&PRODUCTS));
            }
        }
    }
}

fn staff_email(shop: &mut Shop, customers: &[Customer], dice: &mut Dice) {
    for customer in &customers[..WITH_STAFF_EMAIL] {
        let card = card(customer.id);
        if !shop.store_cards.iter().any(|(_, row)| row[0] == card) {
            shop.store_card(&card, customer.id, customer.created);
        }
        let till = AtTill { card: &card, email: STAFF_EMAIL, phone: "" };
        let at = moment_since(customer.created, dice);
        shop.receipt(at, dice.word(&STORES), till, dice.pick(&PRODUCTS));
    }
}

/// Somebody who reads the newsletter on a phone and maybe at home.
fn reader(shop: &mut Shop, index: u32, dice: &mut Dice) {
    let first_name = dice.word(if index.is_multiple_of(2) { &WOMEN } else { &MEN });
    let email = format!("{}.{}@courriel.example", ascii(first_name), 100 + index);
    let ip = home_ip(dice);
    let browsers = ["smartphone", "desktop"].map(|kind| own_browser(kind, &ip, dice));
    let subscribed = moment(dice);
    shop.subscribe(subscribed, &email, first_name, &browsers[0]);
    for _ in 0..dice.heavy_tail(15) {
        shop.open(moment_since(subscribed, dice), &email, dice.pick(&browsers));
    }
}
