//! Households: profiles that share identifiers, directly or through others. They stay apart.

use super::groups::find;
use rustc_hash::FxHashMap;
use uuid::Uuid;

/// Of claims, each of a profile on an identifier: the household of each, named by the oldest profile
/// in it. `pulse` is called every few thousand claims and may unwind to cancel.
pub fn of(claims: &[(i64, Uuid)], pulse: &mut dyn FnMut()) -> Vec<Uuid> {
    // A UUID of version 7 is less than a younger one.
    let mut profiles: Vec<Uuid> = claims.iter().map(|&(_, profile)| profile).collect();
    profiles.sort_unstable();
    profiles.dedup();
    let mut parent: Vec<u32> = (0..profiles.len() as u32).collect();
    let mut claimed_before: FxHashMap<i64, u32> = FxHashMap::default();
    let mut numbers = Vec::with_capacity(claims.len());
    for (place, (identifier, profile)) in claims.iter().enumerate() {
        if place % 4096 == 0 {
            pulse();
        }
        let number = profiles.binary_search(profile).unwrap_or_default() as u32;
        let other = *claimed_before.entry(*identifier).or_insert(number);
        let (x, y) = (find(&mut parent, number), find(&mut parent, other));
        parent[x.max(y) as usize] = x.min(y);
        numbers.push(number);
    }
    numbers.into_iter().map(|number| profiles[find(&mut parent, number) as usize]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_shares_with_somebody_who_shares_is_of_the_household_of_the_oldest() {
        // 5 and 3 share a phone, 3 and 1 a tablet, 4 and 2 another one; 6 shares nothing.
        let claims = [(10, 5), (11, 4), (10, 3), (12, 3), (11, 2), (12, 1), (13, 6), (13, 6)];
        let households = of(&claims.map(|(of, profile)| (of, Uuid::from_u128(profile))), &mut || ());
        assert_eq!(households, [1, 2, 1, 1, 2, 1, 6, 6].map(Uuid::from_u128));
    }
}
