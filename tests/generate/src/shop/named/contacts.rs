//! Whose number, address, card or account it is: shared, recycled, made up, foreign.

use super::CERTIFIED_ISSUER;
use crate::shop::catalogue::{COFFEE, DETERGENT, WASHING_MACHINE};
use crate::shop::story::{browser, caller_id, card, customer, every, on, shelf};
use crate::shop::tables::{AtTill, Caller, Customer, Order, Shop};

/// Adèle and Bruno both gave the phone at home, and both call from it.
pub fn couples_phone(shop: &mut Shop) {
    let home_phone = "01 99 00 45 67";
    let at_home = |id, first_name| Customer {
        home_phone: home_phone.into(),
        street: "12 quai des Brumes".into(),
        postal_code: "44000".into(),
        city: "Nantes".into(),
        marital_status: "married",
        updated: on(2026, 2, 10),
        ..customer(id, first_name, "Fontaine")
    };
    let adele = Customer { profession: "architect", ..at_home(1003, "Adèle") };
    let bruno = Customer { gender: "m", profession: "baker", ..at_home(1004, "Bruno") };
    shop.calls(&[on(2026, 3, 2), on(2026, 6, 18)], "+33199004567", "1003", "delivery");
    shop.calls(&[on(2026, 3, 20), on(2026, 6, 2)], "+33199004567", "1004", "complaint");
    let nobody = Caller { phone: "+33199004567", ..Caller::default() };
    shop.call(on(2026, 9, 5), nobody, "opening hours");
    for (person, cookie) in [(&adele, "ck-adele-phone"), (&bruno, "ck-bruno-phone")] {
        let times = every(30, (2025, 2, 1), (2026, 10, 15));
        let phone = browser(cookie, "smartphone").behind("82.64.45.67");
        shop.visits(&times, &phone, &person.login);
    }
    shop.customers.extend([adele, bruno]);
}

/// Solange gives up her number in February 2025; the operator hands it to Driss in January 2026.
pub fn recycled_number(shop: &mut Shop) {
    let typed = "06 00 00 17 77";
    let solange = Customer {
        mobile: typed.into(),
        updated: on(2025, 1, 20),
        ..customer(1009, "Solange", "Meyer")
    };
    let driss = Customer {
        gender: "m",
        mobile: typed.into(),
        created: on(2026, 1, 15),
        updated: on(2026, 1, 15),
        ..customer(1010, "Driss", "Amrani")
    };
    shop.calls(&[on(2025, 1, 28), on(2025, 2, 11)], &caller_id(1777), "1009", "invoice");
    shop.calls(&[on(2026, 3, 9), on(2026, 7, 21)], &caller_id(1777), "1010", "delivery");
    shop.visits(
        &every(50, (2025, 1, 10), (2026, 9, 30)),
        &browser("ck-solange-desktop", "desktop"),
        &solange.login,
    );
    shop.customers.extend([solange, driss]);
}

/// Victoire lost her store card and found it again after she had got another one.
pub fn two_cards(shop: &mut Shop) {
    let victoire = customer(1013, "Victoire", "Lemaire");
    let second = "2990000091013";
    shop.store_card(&card(1013), 1013, victoire.created);
    shop.store_card(second, 1013, on(2025, 9, 12));
    shop.buys_with_card(&every(30, (2025, 2, 1), (2026, 10, 1)), "Nantes", &card(1013));
    shop.buys_with_card(&every(55, (2025, 9, 12), (2026, 10, 1)), "Nantes", second);
    shop.customers.push(victoire);
}

/// Honoré and Iris have nothing in common but what forms and tired staff put in.
pub fn junk_values(shop: &mut Shop) {
    let honore = Customer {
        gender: "m",
        email: "honore.blanchet.mail.example".into(),
        home_phone: "0000000000".into(),
        ..customer(1014, "Honoré", "Blanchet")
    };
    let iris = Customer {
        email: "test@test.com".into(),
        home_phone: "00 00 00 00 00".into(),
        ..customer(1015, "Iris", "Caron")
    };
    for person in [&honore, &iris] {
        let (id, phone, card) = (person.id, caller_id(person.id), card(person.id));
        shop.store_card(&card, id, person.created);
        let till = AtTill { card: &card, email: "test@test.com", ..AtTill::default() };
        shop.receipt(on(2026, 3, 3), "Lille", till, &COFFEE);
        let unknown = Caller { phone: &phone, customer_number: "unknown", email: "null" };
        shop.call(on(2026, 5, 11), unknown, "delivery");
        let withheld = Caller { phone: "anonymous", customer_number: &person.number(), email: "" };
        shop.call(on(2026, 5, 12), withheld, "delivery");
    }
    let typo = Caller { phone: "abc", customer_number: "1014", email: "" };
    shop.call(on(2026, 8, 19), typo, "invoice");
    shop.customers.extend([honore, iris]);
}

/// Jasmine, of Brussels, signs in through a provider. Her CRM entry has a number as Belgians
/// write it.
pub fn openid(shop: &mut Shop) {
    let jasmine = Customer {
        home_phone: "02 555 12 17".into(),
        mobile: String::new(),
        login: String::new(),
        postal_code: "1000".into(),
        city: "Bruxelles".into(),
        country: "BE".into(),
        ..customer(1017, "Jasmine", "Okafor")
    };
    let phone = browser("ck-jasmine-phone", "smartphone");
    for at in every(35, (2025, 4, 1), (2026, 10, 10)) {
        let email = jasmine.email.to_uppercase();
        shop.openid(at, CERTIFIED_ISSUER, "okafor-51c7", &email, &phone);
    }
    shop.customers.push(jasmine);
}

/// Hugo buys a washing machine in four instalments, and detergent ever since.
pub fn instalments(shop: &mut Shop) {
    let hugo = Customer { gender: "m", profession: "mason", ..customer(1018, "Hugo", "Castellan") };
    let order = |product, instalments| Order {
        customer: Some(1018),
        who: &hugo,
        email: "Hugo.Castellan@mail.example",
        phone: "+33 6 00 00 10 18",
        product,
        instalments,
        method: if instalments > 1 { "instalments" } else { "card" },
        account: "880001018",
    };
    shop.order(on(2026, 3, 14), order(&WASHING_MACHINE, 4));
    for at in every(75, (2026, 4, 10), (2026, 10, 20)) {
        shop.order(at, order(&DETERGENT, 1));
    }
    let tv = browser("ck-hugo-tv", "TV");
    shop.visits(&every(25, (2026, 1, 20), (2026, 10, 20)), &tv, &hugo.login);
    shop.customers.push(hugo);
}

/// Lucie has no account and wants none. She orders as a guest.
pub fn guest(shop: &mut Shop) {
    let lucie = Customer {
        street: "5 impasse du Puits".into(),
        postal_code: "35000".into(),
        city: "Rennes".into(),
        ..customer(0, "Lucie", "Tanguy")
    };
    for (at, email) in [
        (on(2025, 11, 20), "lucie.tanguy@courriel.example"),
        (on(2026, 4, 2), "Lucie.Tanguy@Courriel.example "),
    ] {
        shop.order(
            at,
            Order {
                customer: None,
                who: &lucie,
                email,
                phone: "06.00.00.19.99",
                product: shelf(at),
                instalments: 2,
                method: "instalments",
                account: "880009001",
            },
        );
    }
}

/// Greta, of Cologne, writes her numbers the German way in the CRM and with 0049 elsewhere.
pub fn abroad(shop: &mut Shop) {
    let greta = Customer {
        mobile: "0176 04069019".into(),
        home_phone: "0221 4710119".into(),
        street: "Lindenstraße 19".into(),
        postal_code: "50667".into(),
        city: "Köln".into(),
        country: "DE".into(),
        ..customer(1019, "Greta", "Hartmann")
    };
    shop.order(
        on(2026, 2, 2),
        Order {
            customer: Some(1019),
            who: &greta,
            email: &greta.email,
            phone: "0049 221 4710119",
            product: &COFFEE,
            instalments: 1,
            method: "transfer",
            account: "880001019",
        },
    );
    let call = Caller { phone: "+49 176 04069019", email: &greta.email, ..Caller::default() };
    shop.call(on(2026, 2, 20), call, "delivery");
    shop.customers.push(greta);
}
