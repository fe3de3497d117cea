//! What operators say: two identifiers are one person's, or never are.
//!
//! What they say stands in the tables `must_link` and `separation`, by which the rule decides.

use super::configuration::Configuration;
use super::history::{Kind, Operation};
use super::lookup::{canonical_value, split};
use super::transaction::{self, with_latest_snapshot};
use super::words::{Effects, Table, Until, Word};
use super::{live, lock, spi};
use crate::error::Error;
use crate::graph::rules::{Role, Rules};
use crate::graph::{Changes, Graph, Left};
use rustc_hash::FxHashSet;
use serde_json::Value as Json;
use std::rc::Rc;
use uuid::Uuid;

/// One of the parts that a profile has come apart into.
pub struct Part {
    /// Nil for identifiers that belong to nobody.
    pub profile: Uuid,
    pub identifiers: Vec<String>,
}

/// Says that two identifiers are one person's. Returns whose both now are, if they are.
pub fn link(a: &str, b: &str, reason: Option<&str>, until: Until) -> Result<Option<Uuid>, Error> {
    let configuration = begin()?;
    let ends = pair(&configuration.rules, a, b)?;
    for end in &ends {
        refuse_unlinkable(&configuration.rules, end)?;
    }
    let changes = say(
        Kind::Link,
        &configuration,
        std::slice::from_ref(&ends),
        Table::MustLink,
        reason,
        until,
        None,
    )?;
    Ok(shared_profile(&changes, &ends))
}

/// Says that two identifiers never are one person's. Returns what has become of their profiles.
pub fn unlink(a: &str, b: &str, reason: Option<&str>, until: Until) -> Result<Vec<Part>, Error> {
    let configuration = begin()?;
    let ends = pair(&configuration.rules, a, b)?;
    for end in &ends {
        refuse_network(&configuration.rules, end)?;
    }
    let changes = say(
        Kind::Unlink,
        &configuration,
        std::slice::from_ref(&ends),
        Table::Separation,
        reason,
        until,
        None,
    )?;
    Ok(parts(&changes, &ends))
}

/// Decides a review: a must-link if it is accepted, else a separation.
pub fn decide_review(review: i64, accepted: bool) -> Result<Option<Uuid>, Error> {
    let configuration = begin()?;
    let known = with_latest_snapshot(|| {
        spi::one(
            "SELECT a, b, state FROM identity_resolve.review WHERE review = $1",
            &[review.into()],
            |row| [0, 1, 2].map(|column| row.text(column).unwrap_or_default().to_owned()),
        )
    });
    let Some([a, b, state]) = known else { return Err(Error::NoReview { review }) };
    if state != "open" {
        return Err(Error::Reviewed { review, state });
    }
    let (kind, table, state) = match accepted {
        true => (Kind::Accept, Table::MustLink, "accepted"),
        false => (Kind::Reject, Table::Separation, "rejected"),
    };
    set_review(review, state);
    let effect = (review, "open".to_owned(), state.to_owned());
    let reason = format!("review {review}");
    let ends = [a, b];
    let mut pairs = vec![ends.clone()];
    if accepted {
        for end in &ends {
            refuse_unlinkable(&configuration.rules, end)?;
        }
        pairs.extend(with_latest_snapshot(|| over_limits(&ends)));
    }
    let changes = say(kind, &configuration, &pairs, table, Some(&reason), None, Some(effect))?;
    Ok(shared_profile(&changes, &ends))
}

/// What must be linked as well for the profiles of two identifiers to become one that loses nothing: of
/// each type of which both have some, together more than one profile may have, all to the first.
fn over_limits(ends: &[String; 2]) -> Vec<[String; 2]> {
    let query = "
        WITH profile AS (
            SELECT DISTINCT i.profile FROM identity_resolve.identifier AS i
            WHERE i.identifier IN ($1, $2) AND i.profile IS NOT NULL
        ), member AS (
            SELECT i.identifier, i.profile, t.name, t.max_per_profile
            FROM profile AS p
            JOIN identity_resolve.identifier AS i USING (profile)
            JOIN identity_resolve.identifier_type AS t ON t.name = split_part(i.identifier, ':', 1)
            WHERE t.max_per_profile IS NOT NULL
        ), over AS (
            SELECT m.name, min(m.identifier COLLATE \"C\") AS first FROM member AS m GROUP BY m.name
            HAVING count(*) > min(m.max_per_profile) AND count(DISTINCT m.profile) = 2
        )
        SELECT o.first, m.identifier FROM over AS o JOIN member AS m USING (name)
        WHERE m.identifier <> o.first AND NOT EXISTS (
            SELECT FROM identity_resolve.separation AS s
            WHERE s.a IN (o.first, m.identifier) AND s.b IN (o.first, m.identifier))
        ORDER BY m.identifier COLLATE \"C\"";
    let [a, b] = ends;
    spi::all(query, &[a.as_str().into(), b.as_str().into()], |row| {
        [0, 1].map(|column| row.text(column).unwrap_or_default().to_owned())
    })
}

pub(super) fn set_review(review: i64, state: &str) {
    spi::run(
        "UPDATE identity_resolve.review SET state = $2,
             decided_at = CASE $2 WHEN 'open' THEN NULL ELSE clock_timestamp() END,
             decided_by = CASE $2 WHEN 'open' THEN NULL ELSE session_user END
         WHERE review = $1",
        &[review.into(), state.into()],
    );
}

/// Whoever changes what operators say keeps other operators waiting, before anything else is locked.
fn begin() -> Result<Rc<Configuration>, Error> {
    lock::become_operator();
    live::begin()
}

/// Lets a table say something about pairs, and the other one nothing.
fn say(
    kind: Kind,
    configuration: &Configuration,
    pairs: &[[String; 2]],
    table: Table,
    reason: Option<&str>,
    until: Until,
    review: Option<(i64, String, String)>,
) -> Result<Box<Changes>, Error> {
    if until.is_some_and(|until| until.into_inner() <= transaction::now()) {
        return Err(Error::Ended);
    }
    let mut effects = Effects { review, ..Effects::default() };
    pairs.iter().for_each(|ends| effects.say(table, ends, reason, until));
    let operation =
        Operation::new(kind).because(reason.map(str::to_owned)).with_effects(effects.to_json());
    let (changes, _) =
        conclude(configuration, operation, pairs.iter().flatten().cloned().collect(), &[])?;
    Ok(changes.unwrap_or_else(|| unreachable!("two identifiers are decided about")))
}

/// Decides anew about identifiers, if there are any, and writes the operation down. Where it takes
/// another one back, `homes` are the profiles that identifiers come back to.
pub(super) fn conclude(
    configuration: &Configuration,
    mut operation: Operation,
    wide: FxHashSet<String>,
    homes: &[(String, Uuid)],
) -> Result<(Option<Box<Changes>>, i64), Error> {
    let number = operation.number();
    let changes = live::apply(configuration, &mut operation, wide, false, &mut || {
        let mut graph = Graph::default();
        homes.iter().for_each(|(identifier, profile)| graph.came_from(identifier.clone(), *profile));
        graph
    })?;
    Ok((changes, number))
}

/// Two canonical identifiers, which differ.
fn pair(rules: &Rules, a: &str, b: &str) -> Result<[String; 2], Error> {
    let canonical = |identifier| {
        let (type_name, value) = split(identifier)?;
        Ok::<_, Error>(format!("{type_name}:{}", canonical_value(rules, type_name, value)?))
    };
    let ends = [canonical(a)?, canonical(b)?];
    if ends[0] == ends[1] {
        let [identifier, _] = ends;
        return Err(Error::SameIdentifier { identifier });
    }
    Ok(ends)
}

fn refuse_unlinkable(rules: &Rules, identifier: &str) -> Result<(), Error> {
    let (type_name, value) = identifier.split_once(':').unwrap_or((identifier, ""));
    refuse_network(rules, identifier)?;
    if rules.blocked.matches(type_name, value) {
        return Err(Error::Unlinkable {
            identifier: identifier.to_owned(),
            why: "It is on the block list.",
        });
    }
    Ok(())
}

fn refuse_network(rules: &Rules, identifier: &str) -> Result<(), Error> {
    let (type_name, _) = identifier.split_once(':').unwrap_or((identifier, ""));
    let kind = rules.type_index(type_name).map(|index| rules.type_of(index));
    match kind.is_some_and(|kind| kind.role == Role::Network) {
        true => Err(Error::Unlinkable {
            identifier: identifier.to_owned(),
            why: "Network identifiers are evidence only.",
        }),
        false => Ok(()),
    }
}

fn shared_profile(changes: &Changes, ends: &[String; 2]) -> Option<Uuid> {
    let [a, b] = ends.each_ref().map(|end| changes.number(end).and_then(|n| changes.profile(n)));
    a.filter(|_| a == b)
}

/// What has become of the profiles that two identifiers were in.
fn parts(changes: &Changes, ends: &[String; 2]) -> Vec<Part> {
    let numbers: Vec<u32> = ends.iter().filter_map(|end| changes.number(end)).collect();
    let before: FxHashSet<Uuid> = numbers.iter().filter_map(|&n| changes.former_profile(n)).collect();
    let (mut profiles, mut nobodys): (Vec<Uuid>, Vec<String>) =
        (before.iter().copied().collect(), Vec::new());
    profiles.extend(numbers.iter().filter_map(|&n| changes.profile(n)));
    for event in changes
        .events(&mut transaction::check_for_cancel)
        .into_iter()
        .filter(|event| before.contains(&event.old))
    {
        match event.new.is_nil() {
            true if event.left == Some(Left::Gone) => {}
            true => nobodys.extend(event.members.iter().map(|&n| changes.text(n).to_owned())),
            false => profiles.push(event.new),
        }
    }
    let profiles: Vec<pgrx::Uuid> = profiles.into_iter().map(spi::id).collect();
    let of = |identifier: &str| ends.iter().position(|end| end == identifier).unwrap_or(ends.len());
    let mut parts: Vec<Part> = Vec::new();
    with_latest_snapshot(|| {
        let query =
            "SELECT profile, identifier FROM identity_resolve.identifier WHERE profile = ANY ($1)
                     ORDER BY profile, identifier COLLATE \"C\"";
        spi::all(query, &[profiles.into()], |row| {
            let (profile, identifier) =
                (row.uuid(0).unwrap_or_default(), row.text(1).unwrap_or_default());
            match parts.last_mut().filter(|part| part.profile == profile) {
                Some(part) => part.identifiers.push(identifier.to_owned()),
                None => parts.push(Part { profile, identifiers: vec![identifier.to_owned()] }),
            }
        })
    });
    if !nobodys.is_empty() {
        parts.push(Part { profile: Uuid::nil(), identifiers: nobodys });
    }
    parts.sort_by_key(|part| part.identifiers.iter().map(|identifier| of(identifier)).min());
    parts
}

/// Ends what operators said until a time that has come.
pub fn end_what_is_over() -> Result<(), Error> {
    let over = with_latest_snapshot(|| {
        let query = "SELECT FROM identity_resolve.must_link WHERE until <= now()
                     UNION ALL SELECT FROM identity_resolve.separation WHERE until <= now() LIMIT 1";
        spi::one(query, &[], |_| ()).is_some()
    });
    if !over {
        return Ok(());
    }
    let configuration = begin()?;
    let mut removed = Vec::new();
    for table in [Table::MustLink, Table::Separation] {
        let statement = format!(
            "WITH over AS (DELETE FROM identity_resolve.{} AS t WHERE until <= now() RETURNING to_jsonb(t) AS row)
             SELECT jsonb_agg(row) FROM over",
            table.name()
        );
        if let Some(Json::Array(rows)) = spi::returning_json(&statement, &[]) {
            removed.extend(rows.into_iter().map(|row| Word { table, row }));
        }
    }
    if removed.is_empty() {
        return Ok(());
    }
    let wide = removed.iter().flat_map(|word| word.ends().map(str::to_owned)).collect();
    let effects = Effects { removed, ..Effects::default() };
    let operation = Operation::new(Kind::End).with_effects(effects.to_json());
    conclude(&configuration, operation, wide, &[])?;
    Ok(())
}
