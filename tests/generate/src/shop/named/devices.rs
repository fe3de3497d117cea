//! Whose device it is: lent, sold, forgotten, used by two.

use crate::shop::story::{browser, card, customer, every, installation, on};
use crate::shop::tables::{Customer, Shop};

/// Lila signs in on her tablet every ten days for a year and a half; her mother Margaux does so
/// once, on 14 June 2026. Margaux' own phone is where she usually is.
pub fn daughters_tablet(shop: &mut Shop) {
    let margaux = Customer {
        marital_status: "married",
        profession: "nurse",
        home_phone: "01 99 00 10 01".into(),
        ..customer(1001, "Margaux", "Delorme")
    };
    let lila = Customer {
        born: crate::clock::date(2008, 5, 17),
        street: margaux.street.clone(),
        profession: "pupil",
        ..customer(1002, "Lila", "Delorme")
    };
    let tablet = browser("ck-lila-tablet", "tablet").behind("82.64.10.1");
    let phone = browser("ck-margaux-phone", "smartphone").behind("82.64.10.1");
    shop.visits(&every(10, (2025, 3, 1), (2026, 10, 28)), &tablet, &lila.login);
    shop.visits(&every(9, (2025, 2, 20), (2026, 10, 30)), &tablet, "");
    shop.visits(&every(20, (2025, 1, 15), (2026, 10, 25)), &phone, &margaux.login);
    shop.visits(&[on(2026, 6, 14)], &tablet, &margaux.login);
    shop.store_card(&card(1001), 1001, margaux.created);
    shop.buys_with_card(&every(45, (2025, 1, 20), (2026, 10, 20)), "Lyon", &card(1001));
    shop.customers.extend([margaux, lila]);
}

/// Clémence and Augustin each have a tablet and now and then take the other's.
pub fn two_tablets(shop: &mut Shop) {
    let clemence = customer(1011, "Clémence", "Rousselet");
    let augustin = Customer { gender: "m", ..customer(1012, "Augustin", "Rousselet") };
    let hers = browser("ck-clemence-tablet", "tablet").behind("82.64.11.12");
    let his = browser("ck-augustin-tablet", "tablet").behind("82.64.11.12");
    let (often, seldom) = (14, 70);
    shop.visits(&every(often, (2025, 2, 3), (2026, 10, 28)), &hers, &clemence.login);
    shop.visits(&every(seldom, (2025, 3, 8), (2026, 10, 28)), &his, &clemence.login);
    shop.visits(&every(often, (2025, 2, 5), (2026, 10, 28)), &his, &augustin.login);
    shop.visits(&every(seldom, (2025, 4, 2), (2026, 10, 28)), &hers, &augustin.login);
    shop.customers.extend([clemence, augustin]);
}

/// Gaspard sells his old phone in May 2025 without removing the app. The buyer opens it now and
/// then and never signs in.
pub fn discarded_phone(shop: &mut Shop) {
    let gaspard = Customer { gender: "m", profession: "teacher", ..customer(1005, "Gaspard", "Tissot") };
    let old = installation("inst-gaspard-old");
    let new = installation("inst-gaspard-new");
    shop.opens_app(&every(12, (2025, 1, 6), (2025, 4, 30)), &old, &gaspard.login);
    shop.opens_app(&every(25, (2025, 5, 20), (2026, 10, 20)), &old, "");
    shop.opens_app(&every(15, (2025, 5, 3), (2026, 10, 20)), &new, &gaspard.login);
    shop.customers.push(gaspard);
}

/// Théo's phone is sold too, but its buyer Karim signs in on it.
pub fn resold_phone(shop: &mut Shop) {
    let theo = Customer { gender: "m", ..customer(1006, "Théo", "Lagarde") };
    let karim = Customer { gender: "m", ..customer(1007, "Karim", "Belkacem") };
    let phone = installation("inst-theo-phone");
    shop.opens_app(&every(9, (2025, 1, 5), (2025, 6, 25)), &phone, &theo.login);
    shop.opens_app(&every(22, (2025, 11, 8), (2026, 10, 20)), &phone, &karim.login);
    shop.visits(
        &every(40, (2025, 7, 1), (2026, 10, 1)),
        &browser("ck-theo-desktop", "desktop"),
        &theo.login,
    );
    shop.customers.extend([theo, karim]);
}

/// Noé looks around for three months before he opens an account and signs in.
pub fn visitor_becomes_known(shop: &mut Shop) {
    let noe = Customer {
        gender: "m",
        created: on(2026, 4, 5),
        updated: on(2026, 4, 5),
        ..customer(1008, "Noé", "Garrigue")
    };
    let laptop = browser("ck-noe-laptop", "desktop");
    shop.visits(&every(6, (2026, 1, 4), (2026, 4, 4)), &laptop, "");
    shop.visits(&[on(2026, 4, 5), on(2026, 5, 1)], &laptop, &noe.login);
    shop.customers.push(noe);
}

/// Odette and Marcel read the newsletter, she mostly, on one tablet. They never bought.
pub fn readers_tablet(shop: &mut Shop) {
    let (odette, marcel) = ("odette.pasquier@poste.example", "marcel.pasquier@poste.example");
    let tablet = browser("ck-pasquier-tablet", "tablet");
    shop.subscribe(on(2025, 1, 12), odette, "Odette", &tablet);
    shop.subscribe(on(2025, 3, 30), marcel, "Marcel", &browser("", ""));
    for at in every(30, (2025, 2, 1), (2026, 10, 20)) {
        shop.open(at, odette, &tablet);
    }
    for at in [on(2025, 9, 1), on(2026, 2, 1)] {
        shop.open(at, marcel, &tablet);
    }
}

/// Basile gave no address at the till. His desktop, where he signs in and reads the newsletter,
/// is all that ties the address to his customer number.
pub fn desktop_that_ties(shop: &mut Shop) {
    let basile = Customer { gender: "m", email: String::new(), ..customer(1016, "Basile", "Noiret") };
    let desktop = browser("ck-basile-desktop", "desktop");
    let email = "basile.noiret@poste.example";
    shop.subscribe(on(2025, 6, 1), email, "Basile", &desktop);
    for at in every(60, (2025, 6, 10), (2026, 10, 20)) {
        shop.open(at, email, &desktop);
    }
    shop.visits(&every(30, (2025, 6, 3), (2026, 10, 20)), &desktop, &basile.login);
    shop.store_card(&card(1016), 1016, basile.created);
    shop.buys_with_card(&every(70, (2025, 3, 1), (2026, 10, 1)), "Lyon", &card(1016));
    shop.customers.push(basile);
}
