//! People who live together, and what they share: the address, the name, the phone, the birthday.

use super::person::{DAYS, Gender, Person, TODAY, Times, adult_year};
use super::place::Address;
use super::world::World;
use crate::clock::civil;
use crate::dice::Dice;
use crate::names::ascii;

/// Of a thousand persons, those of whom there is a record at all.
const KNOWN_ADULTS: u64 = 850;
const KNOWN_CHILDREN: u64 = 350;

/// The members of one household of whom there are records.
pub fn draw(world: &mut World, dice: &mut Dice) -> Vec<Person> {
    let home = world.new_home(dice);
    let mut members = match dice.weighted(&[34, 22, 26, 6, 12]) {
        0 => vec![adult(home, world, dice)],
        1 => couple(home, world, dice),
        2 => {
            let parents = couple(home, world, dice);
            family(parents, world, dice)
        }
        3 => {
            let parent = adult(home, world, dice);
            family(vec![parent], world, dice)
        }
        _ => flat_mates(home, world, dice),
    };
    members.retain(|member| dice.chance(if member.adult() { KNOWN_ADULTS } else { KNOWN_CHILDREN }));
    members
}

fn either(dice: &mut Dice) -> Gender {
    if dice.chance(510) { Gender::Woman } else { Gender::Man }
}

fn adult(home: Address, world: &mut World, dice: &mut Dice) -> Person {
    let (year, gender) = (adult_year(dice), either(dice));
    let last_name = world.names.last(dice).to_owned();
    let mut person = Person::draw(year, gender, &last_name, home, world, dice);
    move_house(std::slice::from_mut(&mut person), world, dice);
    if gender == Gender::Woman && dice.chance(60) {
        // Married or divorced; the partner is not known here.
        let name = world.names.last(dice).to_owned();
        person.last_name.change(dice.below(DAYS), name);
    }
    person.connect(world, dice);
    person
}

/// Two who live together: married for long, in these ten years, or not at all.
fn couple(home: Address, world: &mut World, dice: &mut Dice) -> Vec<Person> {
    let year = adult_year(dice);
    let first = either(dice);
    let second = match (first, dice.chance(40)) {
        (Gender::Woman, false) | (Gender::Man, true) => Gender::Man,
        _ => Gender::Woman,
    };
    let name = world.names.last(dice).to_owned();
    let others = world.names.last(dice).to_owned();
    let partner_year = (year + dice.between(0, 10) as i64 - 5).min(2006);
    let mut people = vec![
        Person::draw(year, first, &name, home.clone(), world, dice),
        Person::draw(partner_year, second, &others, home, world, dice),
    ];
    marry(&mut people, &name, &others, dice);
    move_house(&mut people, world, dice);
    for person in &mut people {
        person.connect(world, dice);
    }
    share_contacts(&mut people, &name, world, dice);
    people
}

/// One takes the other's name, before these ten years or within, or puts it behind the own one.
fn marry(people: &mut [Person], name: &str, others: &str, dice: &mut Dice) {
    let taker = usize::from(people[1].gender == Gender::Woman || people[0].gender == Gender::Man);
    let (own, taken) = if taker == 1 { (others, name) } else { (name, others) };
    let after = if dice.chance(120) { format!("{own}-{taken}") } else { taken.to_owned() };
    match dice.weighted(&[58, 17, 25]) {
        0 => people[taker].last_name = Times::always(after),
        1 => people[taker].last_name.change(dice.below(DAYS), after),
        _ => {}
    }
}

/// Children are at home, or have one of their own by now.
fn family(mut parents: Vec<Person>, world: &mut World, dice: &mut Dice) -> Vec<Person> {
    let youngest = parents.iter().map(|parent| civil(parent.born).0).max().unwrap_or(1980);
    let mut children: Vec<Person> = Vec::new();
    for _ in 0..=dice.weighted(&[40, 40, 15, 5]) {
        let year = youngest + dice.between(19, 38) as i64;
        if year > 2023 {
            continue;
        }
        let child = child(year, &parents, world, dice);
        if dice.chance(25) {
            children.push(twin(&child, world, dice));
        }
        children.push(child);
    }
    for child in &mut children {
        live_on(child, &parents[0], world, dice);
    }
    parents.append(&mut children);
    parents
}

fn child(year: i64, parents: &[Person], world: &mut World, dice: &mut Dice) -> Person {
    let gender = either(dice);
    let last_name = parents[0].last_name.last().clone();
    let mut child = Person::draw(year, gender, &last_name, parents[0].home.at(0).clone(), world, dice);
    child.home = parents[0].home.clone();
    let namesake = parents.iter().find(|parent| parent.gender == gender);
    if let Some(namesake) = namesake
        && dice.chance(if gender == Gender::Man { 50 } else { 10 })
    {
        child.first_name.clone_from(&namesake.first_name);
        child.goes_by.clone_from(&namesake.goes_by);
    }
    child
}

/// Born on the same day; some parents like names that sound alike.
fn twin(first: &Person, world: &mut World, dice: &mut Dice) -> Person {
    let gender = if dice.chance(650) { first.gender } else { either(dice) };
    let (year, _, _) = civil(first.born);
    let mut twin =
        Person::draw(year, gender, first.last_name.last(), first.home.at(0).clone(), world, dice);
    let initial = first.first_name.chars().next().unwrap_or_default();
    let alike = dice.chance(350);
    let mut tries = 40;
    while alike && tries > 0 && !twin.first_name.starts_with(initial) {
        twin.first_name = world.names.given(gender, dice).to_owned();
        tries -= 1;
    }
    while twin.first_name == first.first_name {
        twin.first_name = world.names.given(gender, dice).to_owned();
    }
    twin.goes_by = None;
    twin.born = first.born;
    twin.national_id = world.country.national_id(twin.number, gender, twin.born);
    twin.home = first.home.clone();
    twin
}

/// Grown children move out, and have a phone and an address of their own.
fn live_on(child: &mut Person, parent: &Person, world: &mut World, dice: &mut Dice) {
    let left_home = child.age() >= 19 && dice.chance(650);
    if left_home {
        let home = world.home_after(parent.home.last(), dice);
        // In these years, or before the first of them.
        if child.age() < 29 {
            child.home.change(child.home.last_change().max(dice.below(DAYS)), home);
        } else {
            child.home = Times::always(home);
        }
    }
    if child.age() < 14 {
        child.share_contacts(parent);
    } else {
        child.connect(world, dice);
        if !left_home {
            child.landline.clone_from(&parent.landline);
        }
    }
}

/// Unrelated people behind one door.
fn flat_mates(home: Address, world: &mut World, dice: &mut Dice) -> Vec<Person> {
    let (this_year, _, _) = civil(TODAY);
    let landline = dice.chance(100).then(|| world.new_landline(home.town));
    (0..dice.between(2, 5))
        .map(|_| {
            let year = this_year - dice.between(19, 34) as i64;
            let gender = either(dice);
            let last_name = world.names.last(dice).to_owned();
            let mut mate = Person::draw(year, gender, &last_name, home.clone(), world, dice);
            move_house(std::slice::from_mut(&mut mate), world, dice);
            mate.connect(world, dice);
            mate.landline.clone_from(&landline);
            mate
        })
        .collect()
}

/// Together, once or twice in the ten years, or never.
fn move_house(people: &mut [Person], world: &World, dice: &mut Dice) {
    let mut day = 0;
    for _ in 0..dice.weighted(&[58, 30, 12]) {
        day = dice.between(day, DAYS);
        let home = world.home_after(people[0].home.last(), dice);
        for person in &mut *people {
            person.home.change(day, home.clone());
        }
    }
}

/// The line at home is everybody's; some couples have one e-mail address between them.
fn share_contacts(people: &mut [Person], name: &str, world: &mut World, dice: &mut Dice) {
    if dice.chance(550) {
        let landline = world.new_landline(people[0].home.last().town);
        for person in &mut *people {
            person.landline = Some(landline.clone());
        }
    }
    if dice.chance(50) {
        let user = format!("{}{}", ["family.", "the", "team"][dice.below(3) as usize], ascii(name));
        let shared = Times::always(Some(world.new_email(&user, dice)));
        for person in people {
            person.email = shared.clone();
        }
    }
}
