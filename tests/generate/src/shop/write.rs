//! The tables as CSV files, one a table, in the order of time.

use super::tables::{Rows, Shop};
use crate::clock::{date_text, time_text};
use crate::csv::Csv;
use std::io;
use std::path::Path;

const CUSTOMER: [&str; 17] = [
    "customer_id",
    "first_name",
    "last_name",
    "gender",
    "birth_date",
    "email",
    "mobile",
    "home_phone",
    "login",
    "street",
    "postal_code",
    "city",
    "country",
    "marital_status",
    "profession",
    "created_at",
    "updated_at",
];
const STORE_CARD: [&str; 3] = ["card_number", "customer_id", "issued_on"];
const WEB_EVENT: [&str; 8] =
    ["event_id", "at", "cookie", "device_kind", "login", "ip", "page", "category"];
const APP_EVENT: [&str; 8] =
    ["event_id", "at", "installation_id", "mobile_ad_id", "device_kind", "login", "ip", "category"];
const RECEIPT: [&str; 9] =
    ["receipt_id", "at", "store", "loyalty_card", "email", "phone", "product", "category", "amount"];
const CALL: [&str; 6] = ["call_id", "at", "caller_phone", "email", "customer_number", "topic"];
const ORDER: [&str; 15] = [
    "order_id",
    "ordered_at",
    "customer_id",
    "email",
    "phone",
    "first_name",
    "last_name",
    "street",
    "postal_code",
    "city",
    "country",
    "product",
    "category",
    "amount",
    "instalments",
];
const PAYMENT: [&str; 8] = [
    "payment_id",
    "paid_at",
    "order_id",
    "account_number",
    "payer_email",
    "instalment",
    "amount",
    "method",
];
const SUBSCRIPTION: [&str; 6] =
    ["subscription_id", "subscribed_at", "email", "first_name", "cookie", "device_kind"];
const OPEN: [&str; 6] = ["open_id", "at", "email", "cookie", "device_kind", "campaign"];
const OPENID_LOGIN: [&str; 8] =
    ["login_id", "at", "issuer", "subject", "email", "cookie", "device_kind", "ip"];

/// Writes every table into a folder.
pub fn write(mut shop: Shop, folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    customers(&shop, folder)?;
    let mut csv = Csv::create(&folder.join("store_card.csv"), &STORE_CARD)?;
    for (_, row) in &shop.store_cards {
        csv.record(row)?;
    }
    csv.finish()?;
    number_orders(&mut shop);
    let mut csv = Csv::create(&folder.join("orders.csv"), &ORDER)?;
    for (at, row) in &shop.orders {
        csv.record(&[&[row[0].clone(), time_text(*at)], &row[1..]].concat())?;
    }
    csv.finish()?;
    events("web_event", &WEB_EVENT, 100_001, shop.web_events, folder)?;
    events("app_event", &APP_EVENT, 400_001, shop.app_events, folder)?;
    events("receipt", &RECEIPT, 70_001, shop.receipts, folder)?;
    events("call", &CALL, 3_001, shop.calls, folder)?;
    events("payment", &PAYMENT, 60_001, shop.payments, folder)?;
    events("newsletter", &SUBSCRIPTION, 1, shop.subscriptions, folder)?;
    events("newsletter_open", &OPEN, 1, shop.opens, folder)?;
    events("openid_login", &OPENID_LOGIN, 1, shop.openid_logins, folder)
}

/// Puts the orders into the order of time and gives them, and the payments for them, numbers.
fn number_orders(shop: &mut Shop) {
    shop.orders.sort_by_key(|row| row.0);
    let mut numbers = vec![String::new(); shop.orders.len()];
    for (place, (_, row)) in shop.orders.iter_mut().enumerate() {
        let index: usize = row[0].parse().expect("an order is pushed with its index");
        numbers[index] = (50_001 + place).to_string();
        row[0] = numbers[index].clone();
    }
    for (_, row) in &mut shop.payments {
        let index: usize = row[0].parse().expect("a payment is pushed with its order's index");
        row[0] = numbers[index].clone();
    }
}

fn customers(shop: &Shop, folder: &Path) -> io::Result<()> {
    let mut csv = Csv::create(&folder.join("customer.csv"), &CUSTOMER)?;
    for customer in &shop.customers {
        csv.record(&[
            &customer.id.to_string(),
            &customer.first_name,
            &customer.last_name,
            customer.gender,
            &date_text(customer.born),
            &customer.email,
            &customer.mobile,
            &customer.home_phone,
            &customer.login,
            &customer.street,
            &customer.postal_code,
            &customer.city,
            &customer.country,
            customer.marital_status,
            customer.profession,
            &time_text(customer.created),
            &time_text(customer.updated),
        ])?;
    }
    csv.finish()
}

/// A table whose rows are numbered as they happen.
fn events(
    table: &str,
    header: &[&str],
    first_id: usize,
    mut rows: Rows,
    folder: &Path,
) -> io::Result<()> {
    rows.sort_by_key(|row| row.0);
    let mut csv = Csv::create(&folder.join(format!("{table}.csv")), header)?;
    for (index, (at, row)) in rows.iter().enumerate() {
        let id_and_time = [(first_id + index).to_string(), time_text(*at)];
        csv.record(&[&id_and_time[..], row].concat())?;
    }
    csv.finish()
}
