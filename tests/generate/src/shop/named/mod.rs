//! The people the tests call by name. Each function of the modules below is one story.

mod contacts;
mod devices;

use super::tables::Shop;

/// The provider that checks identity papers, and one that takes anybody.
pub const CERTIFIED_ISSUER: &str = "https://id.example.org";
pub const OPEN_ISSUER: &str = "https://social.example.com";

pub fn live(shop: &mut Shop) {
    devices::daughters_tablet(shop);
    devices::two_tablets(shop);
    devices::discarded_phone(shop);
    devices::resold_phone(shop);
    devices::visitor_becomes_known(shop);
    devices::readers_tablet(shop);
    devices::desktop_that_ties(shop);
    contacts::couples_phone(shop);
    contacts::recycled_number(shop);
    contacts::two_cards(shop);
    contacts::junk_values(shop);
    contacts::openid(shop);
    contacts::instalments(shop);
    contacts::guest(shop);
    contacts::abroad(shop);
}
