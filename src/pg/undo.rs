//! Taking operations back: rows that they wrote go, rows that they removed come back, what evidence
//! joined is separated; and everybody has the profile id again that he had.

use super::history::{Kind, Operation};
use super::steward::{begin, conclude, set_review};
use super::transaction::{self, with_latest_snapshot};
use super::words::{Effects, Table, Word};
use super::{configuration, expire, spi};
use crate::error::Error;
use pgrx::JsonB;
use rustc_hash::FxHashSet;
use serde_json::json;
use uuid::Uuid;

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
            Ok(conclude(&configuration, operation, wide, &homes)?.1)
        }
        None => {
            let separated = separate_what_joined(number, &logged.kind)?;
            let wide = separated.iter().flat_map(|word| word.ends().map(str::to_owned)).collect();
            let effects = Effects { added: separated, ..Effects::default() };
            let operation = operation.with_effects(effects.to_json());
            Ok(conclude(&configuration, operation, wide, &homes)?.1)
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
    let sets_date = logged.effects.as_ref().is_some_and(|effects| effects.expired_as_of.is_some());
    let why = if logged.kind == Kind::End.word() {
        "What it ended was said to end then."
    } else if logged.kind == Kind::Undo.word() && sets_date {
        "It took a sweep back: call expire() again."
    } else {
        return Ok(logged);
    };
    Err(Error::CannotUndo { number, why: why.into() })
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
            "SELECT number, operation FROM identity_resolve.change
             WHERE number > $1 AND (effects -> 'added' @> $2 OR effects -> 'removed' @> $2)
               AND identity_resolve.undone_by(number) IS NULL
             ORDER BY number DESC LIMIT 1",
            &[number.into(), JsonB(same).into()],
            |row| (row.int8(0).unwrap_or_default(), row.text(1) == Some(Kind::End.word())),
        )
    });
    let why = match later {
        Some((later, false)) => return Error::BuiltOn { number, later },
        Some((later, true)) => format!("What it said has ended by itself (change {later})."),
        None => format!("What it said about {a} and {b} was changed by hand."),
    };
    Error::CannotUndo { number, why }
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
