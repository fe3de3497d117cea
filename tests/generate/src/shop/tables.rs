//! The rows of the shop, table by table. Texts stand as they were typed; an empty one is null.

use super::catalogue::{Product, euros};

/// A row of the CRM.
#[derive(Clone, Default)]
pub struct Customer {
    pub id: u32,
    pub first_name: String,
    pub last_name: String,
    pub gender: &'static str,
    pub born: i64,
    pub email: String,
    pub mobile: String,
    pub home_phone: String,
    pub login: String,
    pub street: String,
    pub postal_code: String,
    pub city: String,
    pub country: String,
    pub marital_status: &'static str,
    pub profession: &'static str,
    pub created: i64,
    pub updated: i64,
}

/// A browser on a device, as the web site sees it.
#[derive(Clone)]
pub struct Browser {
    pub cookie: String,
    /// Empty where the user agent told nothing.
    pub device_kind: &'static str,
    pub ip: String,
}

/// The app installed on a phone.
#[derive(Clone)]
pub struct Installation {
    pub id: String,
    pub mobile_ad_id: String,
    pub ip: String,
}

/// What a receipt may carry besides its products.
#[derive(Clone, Copy, Default)]
pub struct AtTill<'a> {
    pub card: &'a str,
    pub email: &'a str,
    pub phone: &'a str,
}

/// What an agent of the call centre notes.
#[derive(Clone, Copy, Default)]
pub struct Caller<'a> {
    pub phone: &'a str,
    pub email: &'a str,
    pub customer_number: &'a str,
}

pub struct Order<'a> {
    /// None for a guest.
    pub customer: Option<u32>,
    pub who: &'a Customer,
    pub email: &'a str,
    pub phone: &'a str,
    pub product: &'a Product,
    pub instalments: u32,
    pub method: &'a str,
    /// The customer's account in finance; guests have one too.
    pub account: &'a str,
}

/// Rows with the time that orders them.
pub type Rows = Vec<(i64, Vec<String>)>;

/// All tables. Event rows get their numbers when they are written, in the order of time.
#[derive(Default)]
pub struct Shop {
    pub customers: Vec<Customer>,
    pub store_cards: Rows,
    pub web_events: Rows,
    pub app_events: Rows,
    pub receipts: Rows,
    pub calls: Rows,
    pub orders: Rows,
    pub payments: Rows,
    pub subscriptions: Rows,
    pub opens: Rows,
    pub openid_logins: Rows,
}

impl Shop {
    pub fn store_card(&mut self, card: &str, customer: u32, issued: i64) {
        let issued_on = crate::clock::date_text(issued);
        self.store_cards.push((issued, vec![card.into(), customer.to_string(), issued_on]));
    }

    /// A page view, signed in when `login` is not empty.
    pub fn visit(&mut self, at: i64, browser: &Browser, login: &str, product: &Product) {
        self.web_events.push((
            at,
            vec![
                browser.cookie.clone(),
                browser.device_kind.into(),
                login.into(),
                browser.ip.clone(),
                format!("/{}", product.name.replace([' ', ','], "-")),
                product.category.into(),
            ],
        ));
    }

    pub fn app(&mut self, at: i64, phone: &Installation, login: &str, product: &Product) {
        self.app_events.push((
            at,
            vec![
                phone.id.clone(),
                phone.mobile_ad_id.clone(),
                "smartphone".into(),
                login.into(),
                phone.ip.clone(),
                product.category.into(),
            ],
        ));
    }

    pub fn receipt(&mut self, at: i64, store: &str, till: AtTill, product: &Product) {
        self.receipts.push((
            at,
            vec![
                store.into(),
                till.card.into(),
                till.email.into(),
                till.phone.into(),
                product.name.into(),
                product.category.into(),
                euros(product.cents),
            ],
        ));
    }

    pub fn call(&mut self, at: i64, caller: Caller, topic: &str) {
        self.calls.push((
            at,
            vec![caller.phone.into(), caller.email.into(), caller.customer_number.into(), topic.into()],
        ));
    }

    /// An order and its payments, one a month. It gets its number when the tables are written.
    pub fn order(&mut self, at: i64, order: Order) {
        let number = self.orders.len().to_string();
        let Customer { first_name, last_name, street, postal_code, city, country, .. } = order.who;
        self.orders.push((
            at,
            vec![
                number.clone(),
                order.customer.map(|id| id.to_string()).unwrap_or_default(),
                order.email.into(),
                order.phone.into(),
                first_name.clone(),
                last_name.clone(),
                street.clone(),
                postal_code.clone(),
                city.clone(),
                country.clone(),
                order.product.name.into(),
                order.product.category.into(),
                euros(order.product.cents),
                order.instalments.to_string(),
            ],
        ));
        for instalment in 0..order.instalments {
            let paid = at + 3600 + i64::from(instalment) * 30 * crate::clock::DAY;
            if paid >= super::END {
                break;
            }
            let share = order.product.cents / u64::from(order.instalments);
            self.payments.push((
                paid,
                vec![
                    number.clone(),
                    order.account.into(),
                    order.email.into(),
                    (instalment + 1).to_string(),
                    euros(share),
                    order.method.into(),
                ],
            ));
        }
    }

    pub fn subscribe(&mut self, at: i64, email: &str, first_name: &str, browser: &Browser) {
        self.subscriptions.push((
            at,
            vec![email.into(), first_name.into(), browser.cookie.clone(), browser.device_kind.into()],
        ));
    }

    /// A newsletter opened in a browser.
    pub fn open(&mut self, at: i64, email: &str, browser: &Browser) {
        let campaign = format!("newsletter {}", &crate::clock::date_text(at)[..7]);
        self.opens.push((
            at,
            vec![email.into(), browser.cookie.clone(), browser.device_kind.into(), campaign],
        ));
    }

    pub fn openid(&mut self, at: i64, issuer: &str, subject: &str, email: &str, browser: &Browser) {
        self.openid_logins.push((
            at,
            vec![
                issuer.into(),
                subject.into(),
                email.into(),
                browser.cookie.clone(),
                browser.device_kind.into(),
                browser.ip.clone(),
            ],
        ));
    }
}
