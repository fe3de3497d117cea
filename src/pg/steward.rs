//! What operators say: two identifiers are one person's, or never are; and taking that back.
//!
//! What they say stands in the tables `must_link` and `separation`, by which the rule decides. An
//! operation remembers which rows it wrote and removed; to undo it puts them back.

use super::configuration::Configuration;
use super::history::{Kind, Operation};
use super::lookup::{canonical_value, split};
use super::transaction::{self, with_latest_snapshot};
use super::{configuration, expire, live, lock, spi};
use crate::error::Error;
use crate::graph::rules::{Role, Rules};
use crate::graph::{Changes, Graph, Left};
use pgrx::JsonB;
use pgrx::datum::TimestampWithTimeZone;
use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// The tables of what operators say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Table {
    MustLink,
    Separation,
}

impl Table {
    fn name(self) -> &'static str {
        match self {
            Table::MustLink => "must_link",
            Table::Separation => "separation",
        }
    }
}

/// A row of one of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Word {
    table: Table,
    /// The row as to_jsonb() makes it.
    row: Json,
}

impl Word {
    fn ends(&self) -> [&str; 2] {
        ["a", "b"].map(|column| self.row[column].as_str().unwrap_or_default())
    }

    /// Writes it down for the caller.
    fn say(table: Table, ends: &[String; 2], reason: Option<&str>, until: Until) -> Self {
        let statement = format!(
            "INSERT INTO identity_resolve.{0} AS t (a, b, reason, until, created_at)
             VALUES ($1, $2, $3, $4, clock_timestamp()) RETURNING to_jsonb(t)",
            table.name()
        );
        let [a, b] = ends.each_ref().map(String::as_str);
        let row = spi::returning_json(&statement, &[a.into(), b.into(), reason.into(), until.into()]);
        Word { table, row: row.unwrap_or_default() }
    }

    /// Removes what the table says about a pair, if it says something.
    fn remove(table: Table, ends: &[String; 2]) -> Option<Self> {
        let statement = format!(
            "DELETE FROM identity_resolve.{0} AS t
             WHERE a = least($1 COLLATE \"C\", $2 COLLATE \"C\") AND b = greatest($1 COLLATE \"C\", $2 COLLATE \"C\")
             RETURNING to_jsonb(t)",
            table.name()
        );
        let [a, b] = ends.each_ref().map(String::as_str);
        let row = spi::returning_json(&statement, &[a.into(), b.into()])?;
        Some(Word { table, row })
    }

    /// Removes this very row; false if it is not there as it was.
    fn take_back(&self) -> bool {
        let table = self.table.name();
        let statement = format!(
            "DELETE FROM identity_resolve.{table} AS t
             USING jsonb_populate_record(NULL::identity_resolve.{table}, $1) AS r
             WHERE (t.a, t.b, t.created_at) = (r.a, r.b, r.created_at) AND t.until IS NOT DISTINCT FROM r.until"
        );
        spi::run(&statement, &[JsonB(self.row.clone()).into()]) > 0
    }

    /// Puts the row back; false if another one is in its place.
    fn put_back(&self) -> bool {
        let table = self.table.name();
        let statement = format!(
            "INSERT INTO identity_resolve.{table}
             SELECT * FROM jsonb_populate_record(NULL::identity_resolve.{table}, $1) ON CONFLICT DO NOTHING"
        );
        spi::run(&statement, &[JsonB(self.row.clone()).into()]) > 0
    }
}

/// What an operation wrote beside evidence.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Effects {
    added: Vec<Word>,
    removed: Vec<Word>,
    /// `setting.expired_as_of` before and after, as text.
    expired_as_of: Option<(Option<String>, String)>,
    /// A review, and what was decided about it before and after.
    review: Option<(i64, String, String)>,
}

impl Effects {
    fn to_json(&self) -> Json {
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// When what is said ends by itself.
pub type Until = Option<TimestampWithTimeZone>;

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
    let (changes, _) = say(Kind::Link, &configuration, &ends, Table::MustLink, reason, until, None)?;
    Ok(shared_profile(&changes, &ends))
}

/// Says that two identifiers never are one person's. Returns what has become of their profiles.
pub fn unlink(a: &str, b: &str, reason: Option<&str>, until: Until) -> Result<Vec<Part>, Error> {
    let configuration = begin()?;
    let ends = pair(&configuration.rules, a, b)?;
    for end in &ends {
        refuse_network(&configuration.rules, end)?;
    }
    let (changes, _) = say(Kind::Unlink, &configuration, &ends, Table::Separation, reason, until, None)?;
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
    for end in ends.iter().filter(|_| accepted) {
        refuse_unlinkable(&configuration.rules, end)?;
    }
    let (changes, _) = say(kind, &configuration, &ends, table, Some(&reason), None, Some(effect))?;
    Ok(shared_profile(&changes, &ends))
}

fn set_review(review: i64, state: &str) {
    spi::run(
        "UPDATE identity_resolve.review SET state = $2,
             decided_at = CASE $2 WHEN 'open' THEN NULL ELSE clock_timestamp() END,
             decided_by = CASE $2 WHEN 'open' THEN NULL ELSE session_user END
         WHERE review = $1",
        &[review.into(), state.into()],
    );
}

/// Whoever changes what operators say keeps other operators waiting.
fn begin() -> Result<std::rc::Rc<Configuration>, Error> {
    let configuration = live::begin()?;
    lock::become_operator();
    Ok(configuration)
}

/// Lets a table say something about a pair, and the other one nothing.
fn say(
    kind: Kind,
    configuration: &Configuration,
    ends: &[String; 2],
    table: Table,
    reason: Option<&str>,
    until: Until,
    review: Option<(i64, String, String)>,
) -> Result<(Box<Changes>, i64), Error> {
    if until.is_some_and(|until| until.into_inner() <= transaction::now()) {
        return Err(Error::Ended);
    }
    let removed = [Table::MustLink, Table::Separation].map(|table| Word::remove(table, ends));
    let effects = Effects {
        removed: removed.into_iter().flatten().collect(),
        added: vec![Word::say(table, ends, reason, until)],
        review,
        ..Effects::default()
    };
    let operation =
        Operation::new(kind).because(reason.map(str::to_owned)).with_effects(effects.to_json());
    conclude(configuration, operation, ends.iter().cloned().collect())
}

/// Decides anew about identifiers, and writes the operation down.
fn conclude(
    configuration: &Configuration,
    operation: Operation,
    wide: FxHashSet<String>,
) -> Result<(Box<Changes>, i64), Error> {
    conclude_from(configuration, operation, wide, &[])
}

/// The same, where identifiers come back to the profiles that they have left.
fn conclude_from(
    configuration: &Configuration,
    mut operation: Operation,
    wide: FxHashSet<String>,
    homes: &[(String, Uuid)],
) -> Result<(Box<Changes>, i64), Error> {
    let number = operation.number();
    let changes = live::apply(configuration, &mut operation, wide, false, &mut || {
        let mut graph = Graph::default();
        homes.iter().for_each(|(identifier, profile)| graph.came_from(identifier.clone(), *profile));
        graph
    })?;
    let changes = changes.unwrap_or_else(|| unreachable!("something is to be decided"));
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
    for event in changes.events().into_iter().filter(|event| before.contains(&event.old)) {
        match event.new.is_nil() {
            true if event.left == Some(Left::Gone) => {}
            true => nobodys.extend(event.members.iter().map(|&n| changes.text(n).to_owned())),
            false => profiles.push(event.new),
        }
    }
    let profiles: Vec<pgrx::Uuid> =
        profiles.iter().map(|id| pgrx::Uuid::from_bytes(*id.as_bytes())).collect();
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

/// A row of the log.
struct Logged {
    kind: String,
    effects: Option<Effects>,
}

/// Takes an operation back. Returns the number of the operation that does.
pub fn undo(number: i64) -> Result<i64, Error> {
    transaction::refuse_if_read_only();
    let logged = with_latest_snapshot(|| logged(number))?;
    if logged.effects.as_ref().is_some_and(|effects| effects.expired_as_of.is_some()) {
        // Whoever is at it has decided by the date that is to be put back.
        transaction::lock_graph();
    }
    let configuration = begin()?;
    // As it is now, that no other operator is at it.
    let logged = with_latest_snapshot(|| {
        let logged = logged_and_in_force(number)?;
        refuse_if_built_on(number).map(|()| logged)
    })?;
    let homes = with_latest_snapshot(|| homes(number));
    let operation = Operation::new(Kind::Undo).undoing(number);
    match logged.effects {
        Some(effects) => {
            let (effects, wide) = invert(number, effects)?;
            // The date may be another one.
            let configuration = configuration::current()?;
            let operation = operation.with_effects(effects.to_json());
            let mut wide = wide;
            if effects.expired_as_of.is_some() {
                wide.extend(expire::no_longer_expired(&configuration.rules)?);
            }
            Ok(conclude_from(&configuration, operation, wide, &homes)?.1)
        }
        None => {
            let separated = separate_what_joined(number, &logged.kind)?;
            let wide = separated.iter().flat_map(|word| word.ends().map(str::to_owned)).collect();
            let effects = Effects { added: separated, ..Effects::default() };
            let operation = operation.with_effects(effects.to_json());
            Ok(conclude_from(&configuration, operation, wide, &homes)?.1)
        }
    }
}

/// Who has left which profile by an operation, and is still where that has put them.
fn homes(number: i64) -> Vec<(String, Uuid)> {
    spi::all(
        "SELECT i.identifier, p.old_profile
         FROM identity_resolve.profile_change AS p
         JOIN identity_resolve.identifier AS i
           ON i.identifier = ANY (p.identifiers) AND i.profile IS NOT DISTINCT FROM p.new_profile
         WHERE p.change = $1 AND p.old_profile IS NOT NULL",
        &[number.into()],
        |row| (row.text(0).unwrap_or_default().to_owned(), row.uuid(1).unwrap_or_default()),
    )
}

fn logged(number: i64) -> Result<Logged, Error> {
    spi::one(
        "SELECT operation, effects::text FROM identity_resolve.change WHERE number = $1",
        &[number.into()],
        |row| Logged {
            kind: row.text(0).unwrap_or_default().to_owned(),
            effects: row.text(1).and_then(|text| serde_json::from_str(text).ok()),
        },
    )
    .ok_or(Error::NoChange { number })
}

/// The same, if it is in force and can be undone.
fn logged_and_in_force(number: i64) -> Result<Logged, Error> {
    let undone = spi::one("SELECT identity_resolve.undone_by($1)", &[number.into()], |row| row.int8(0));
    if let Some(by) = undone.flatten() {
        return Err(Error::CannotUndo { number, why: format!("Change {by} has undone it.") });
    }
    let logged = logged(number)?;
    if logged.kind == Kind::End.word() {
        return Err(Error::CannotUndo { number, why: "What it ended was said to end then.".into() });
    }
    Ok(logged)
}

/// Refuses if operators have joined or split since what an operation joined or split.
fn refuse_if_built_on(number: i64) -> Result<(), Error> {
    let later = spi::one(
        "SELECT max(c.number)
         FROM identity_resolve.profile_change AS p
         JOIN identity_resolve.profile_change AS q
           ON q.change > p.change AND q.event IN ('join', 'split')
          AND (q.old_profile IN (p.old_profile, p.new_profile) OR q.new_profile IN (p.old_profile, p.new_profile))
         JOIN identity_resolve.change AS c ON c.number = q.change
         WHERE p.change = $1 AND p.event IN ('join', 'split')
           AND c.operation IN ('link', 'unlink', 'accept', 'reject') AND identity_resolve.undone_by(c.number) IS NULL",
        &[number.into()],
        |row| row.int8(0),
    );
    match later.flatten() {
        Some(later) => Err(Error::BuiltOn { number, later }),
        None => Ok(()),
    }
}

/// Takes back what an operation wrote; returns what that did, and what is to be decided anew.
fn invert(number: i64, effects: Effects) -> Result<(Effects, FxHashSet<String>), Error> {
    let words = || effects.added.iter().chain(&effects.removed);
    let wide = words().flat_map(|word| word.ends().map(str::to_owned)).collect();
    let taken_back = effects.added.iter().find(|word| !word.take_back());
    if let Some(word) = taken_back.or_else(|| effects.removed.iter().find(|word| !word.put_back())) {
        return Err(built_on(number, word));
    }
    if let Some((before, after)) = &effects.expired_as_of {
        put_date_back(number, before.as_deref(), after)?;
    }
    if let Some((review, before, _)) = &effects.review {
        set_review(*review, before);
    }
    let undone = Effects { added: effects.removed, removed: effects.added, ..effects };
    Ok((undone, wide))
}

/// The error that names the operation after `number` that had another word on the same pair.
fn built_on(number: i64, word: &Word) -> Error {
    let [a, b] = word.ends();
    let same = json!([{"row": {"a": a, "b": b}}]);
    let later = with_latest_snapshot(|| {
        spi::one(
            "SELECT max(number) FROM identity_resolve.change
             WHERE number > $1 AND (effects -> 'added' @> $2 OR effects -> 'removed' @> $2)
               AND identity_resolve.undone_by(number) IS NULL",
            &[number.into(), JsonB(same).into()],
            |row| row.int8(0),
        )
    });
    match later.flatten() {
        Some(later) => Error::BuiltOn { number, later },
        None => Error::CannotUndo {
            number,
            why: format!("What it said about {a} and {b} was changed by hand."),
        },
    }
}

fn put_date_back(number: i64, before: Option<&str>, after: &str) -> Result<(), Error> {
    let later = with_latest_snapshot(|| {
        spi::one(
            "SELECT max(number) FROM identity_resolve.change
             WHERE number > $1 AND operation = 'expire' AND (effects #>> '{expired_as_of,1}')::timestamptz > $2::timestamptz
               AND identity_resolve.undone_by(number) IS NULL",
            &[number.into(), after.into()],
            |row| row.int8(0),
        )
    });
    if let Some(later) = later.flatten() {
        return Err(Error::BuiltOn { number, later });
    }
    spi::run("UPDATE identity_resolve.setting SET expired_as_of = $1::timestamptz", &[before.into()]);
    Ok(())
}

/// Separates what evidence had joined: each pair of linked identifiers of the two sides, so that the
/// sides are as they were; and the strongest of each, so that no later bridge joins them.
fn separate_what_joined(number: i64, kind: &str) -> Result<Vec<Word>, Error> {
    let joins = with_latest_snapshot(|| {
        spi::all(
            "SELECT DISTINCT new_profile FROM identity_resolve.profile_change WHERE change = $1 AND event = 'join'",
            &[number.into()],
            |row| row.uuid(0).unwrap_or_default(),
        )
    });
    let [profile] = joins[..] else {
        let why = match joins.len() {
            0 => format!("It ({kind}) wrote nothing that could be taken back, and joined no profiles."),
            n => format!("It joined others to {n} profiles, by the configuration."),
        };
        return Err(Error::CannotUndo { number, why });
    };
    let profile = pgrx::Uuid::from_bytes(*profile.as_bytes());
    let pairs = with_latest_snapshot(|| {
        spi::all(SIDES, &[number.into()], |row| {
            [0, 1].map(|column| row.text(column).unwrap_or_default().to_owned())
        })
    });
    if pairs.is_empty() {
        return Err(Error::CannotUndo { number, why: "The two are no longer in one profile.".into() });
    }
    let later = with_latest_snapshot(|| {
        spi::one(
            "SELECT max(p.change) FROM identity_resolve.profile_change AS p
             JOIN identity_resolve.change AS c ON c.number = p.change
             WHERE p.change > $1 AND p.event IN ('join', 'split') AND $2 IN (p.old_profile, p.new_profile)
               AND c.operation NOT IN ('expire', 'undo') AND identity_resolve.undone_by(c.number) IS NULL",
            &[number.into(), profile.into()],
            |row| row.int8(0),
        )
    });
    if let Some(later) = later.flatten() {
        return Err(Error::BuiltOn { number, later });
    }
    let reason = format!("undo of change {number}");
    Ok(pairs.iter().map(|ends| Word::say(Table::Separation, ends, Some(&reason), None)).collect())
}

/// Pairs of identifiers that a change ($1) brought together and that are not separated: linked ones of
/// different sides, and the strongest of each two sides. A side is what has joined the profile, or what
/// it was before; not who came to it with the change or later: they are where their evidence says.
const SIDES: &str = "
    WITH joined AS (
        SELECT i.id, i.identifier, p.number AS side, p.new_profile AS profile
        FROM identity_resolve.profile_change AS p
        JOIN identity_resolve.identifier AS i ON i.identifier = ANY (p.identifiers) AND i.profile = p.new_profile
        WHERE p.change = $1 AND p.event = 'join'
    ), came AS (
        SELECT unnest(p.identifiers) AS identifier
        FROM identity_resolve.profile_change AS p
        WHERE p.change >= $1 AND p.event = 'return' AND p.new_profile IN (SELECT profile FROM joined)
    ), side AS (
        SELECT id, identifier, side FROM joined
        UNION ALL
        SELECT i.id, i.identifier, 0 FROM identity_resolve.identifier AS i
        WHERE i.profile IN (SELECT profile FROM joined) AND i.id < (SELECT max(side) FROM joined)
          AND i.id NOT IN (SELECT id FROM joined) AND i.identifier NOT IN (SELECT identifier FROM came)
    ), strongest AS (
        SELECT DISTINCT ON (s.side) s.side, s.identifier
        FROM side AS s
        JOIN identity_resolve.identifier_type AS t ON t.name = split_part(s.identifier, ':', 1)
        ORDER BY s.side, array_position(ARRAY['person', 'contact', 'device', 'record'], t.role), t.priority,
                 s.identifier COLLATE \"C\"
    ), pair AS (
        SELECT x.identifier AS x, y.identifier AS y
        FROM side AS x
        JOIN identity_resolve.link AS l ON l.a = x.id
        JOIN side AS y ON y.id = l.b AND y.side <> x.side
        UNION
        SELECT x.identifier, y.identifier FROM strongest AS x JOIN strongest AS y ON x.side < y.side
    )
    SELECT least(x COLLATE \"C\", y COLLATE \"C\"), greatest(x COLLATE \"C\", y COLLATE \"C\") FROM pair
    EXCEPT SELECT a, b FROM identity_resolve.separation";

/// The operation of a sweep that has put the date from `before` to `after`.
pub fn sweeping(before: Option<String>, after: String) -> Operation {
    let effects = Effects { expired_as_of: Some((before, after)), ..Effects::default() };
    Operation::new(Kind::Expire).with_effects(effects.to_json())
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
    conclude(&configuration, Operation::new(Kind::End).with_effects(effects.to_json()), wide)?;
    Ok(())
}
