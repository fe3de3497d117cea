//! What the shop sells and where its stores are.

pub struct Product {
    pub name: &'static str,
    pub category: &'static str,
    pub cents: u64,
}

const fn product(name: &'static str, category: &'static str, cents: u64) -> Product {
    Product { name, category, cents }
}

pub const WASHING_MACHINE: Product = product("washing machine 8 kg", "laundry appliances", 52_900);
pub const DETERGENT: Product = product("liquid detergent 3 l", "detergents", 1_190);
pub const COFFEE: Product = product("coffee beans 1 kg", "coffee", 1_650);

pub const PRODUCTS: [Product; 16] = [
    WASHING_MACHINE,
    DETERGENT,
    COFFEE,
    product("tumble dryer", "laundry appliances", 48_900),
    product("espresso machine", "coffee", 28_900),
    product("cast-iron casserole", "kitchen", 11_900),
    product("knife set", "kitchen", 6_400),
    product("duvet cover", "bedding", 4_990),
    product("feather pillow", "bedding", 2_790),
    product("garden chair", "garden", 3_990),
    product("lawn mower", "garden", 24_900),
    product("hose 25 m", "garden", 1_990),
    product("building blocks", "toys", 2_990),
    product("jigsaw of 1000 pieces", "toys", 1_590),
    product("floor lamp", "lighting", 7_900),
    product("LED bulbs, six", "lighting", 1_290),
];

pub const STORES: [&str; 4] = ["Lyon", "Lille", "Nantes", "Bruxelles"];

/// `529.00`.
pub fn euros(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}
