//! Taking operations back: rows that they wrote go, rows that they removed come back, what evidence
//! joined is separated; and everybody has the profile id again that he had.

use super::history::{Kind, Operation};
use super::steward::{conclude, set_review};
use super::transaction::{self, with_latest_snapshot};
use super::words::{Effects, Table};
use super::{configuration, expire, live, lock, spi};
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
    lock::become_operator();
    let logged = with_latest_snapshot(|| {
        let logged = logged_and_in_force(number)?;
        refuse_if_built_on(number).map(|()| logged)
    })?;
    if logged.effects.as_ref().is_some_and(|effects| effects.expired_as_of.is_some()) {
        // Whoever is at it has decided by the date that is to be put back.
        transaction::lock_graph();
    }
    let configuration = live::begin()?;
    let homes = with_latest_snapshot(|| homes(number));
    let mut wide = with_latest_snapshot(|| in_use(&homes));
    let (effects, configuration) = match logged.effects {
        Some(effects) => {
            let effects = invert(number, effects)?;
            // The date may be another one.
            let configuration = configuration::current()?;
            if effects.expired_as_of.is_some() {
                wide.extend(expire::no_longer_expired(&configuration.rules)?);
            }
            (effects, configuration)
        }
        None => (separate_what_joined(number, &logged.kind)?, configuration),
    };
    let words = effects.added.iter().chain(&effects.removed);
    wide.extend(words.flat_map(|word| word.ends().map(str::to_owned)));
    let operation = Operation::new(Kind::Undo).undoing(number).with_effects(effects.to_json());
    Ok(conclude(&configuration, operation, wide, &homes)?.1)
}

/// Of each profile that somebody comes back to, one of those who have it now: they have as good a
/// claim to its id, and must be looked at.
fn in_use(homes: &[(String, Uuid)]) -> FxHashSet<String> {
    let ids: FxHashSet<Uuid> = homes.iter().map(|(_, id)| *id).collect();
    let ids: Vec<pgrx::Uuid> = ids.into_iter().map(spi::id).collect();
    let query = "SELECT DISTINCT ON (profile) identifier FROM identity_resolve.identifier WHERE profile = ANY ($1)";
    let identifiers = spi::all(query, &[ids.into()], |row| row.text(0).unwrap_or_default().to_owned());
    identifiers.into_iter().collect()
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

/// Takes back what an operation wrote; returns what that did.
fn invert(number: i64, effects: Effects) -> Result<Effects, Error> {
    let taken_back = effects.added.iter().find(|word| !word.take_back());
    if let Some(word) = taken_back.or_else(|| effects.removed.iter().find(|word| !word.put_back())) {
        return Err(built_on(number, word.ends()));
    }
    if let Some((before, after)) = &effects.expired_as_of {
        put_date_back(number, before.as_deref(), after)?;
    }
    if let Some((review, before, _)) = &effects.review {
        set_review(*review, before);
    }
    Ok(Effects { added: effects.removed, removed: effects.added, ..effects })
}

/// The error that names the operation after `number` that had another word on the same pair.
fn built_on(number: i64, ends: [&str; 2]) -> Error {
    let [a, b] = [ends[0].min(ends[1]), ends[0].max(ends[1])];
    let same = json!([{"row": {"a": a, "b": b}}]);
    let later = with_latest_snapshot(|| {
        spi::one(
            "SELECT number, operation FROM identity_resolve.change
             WHERE number > $1 AND effects IS NOT NULL
               AND (effects -> 'added' @> $2 OR effects -> 'removed' @> $2)
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
             WHERE number > $1 AND effects IS NOT NULL AND operation = 'expire' AND (effects #>> '{expired_as_of,1}')::timestamptz > $2::timestamptz
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

/// Profiles that one change has joined: of more, the separations would be too many.
const MOST_JOINED: i64 = 100;

/// Separates what evidence had joined: each pair of linked identifiers of the two sides, so that the
/// sides are as they were; and the strongest of each, so that no later bridge joins them.
fn separate_what_joined(number: i64, kind: &str) -> Result<Effects, Error> {
    let cannot = |why: String| Err(Error::CannotUndo { number, why });
    let joins = with_latest_snapshot(|| {
        spi::all(
            "SELECT new_profile, count(*) FROM identity_resolve.profile_change
             WHERE change = $1 AND event = 'join' GROUP BY new_profile",
            &[number.into()],
            |row| (row.uuid(0).unwrap_or_default(), row.int8(1).unwrap_or_default()),
        )
    });
    let profile = match joins[..] {
        [] => {
            return cannot(format!(
                "It ({kind}) wrote nothing that could be taken back, and joined no profiles."
            ));
        }
        [(profile, ..=MOST_JOINED)] => spi::id(profile),
        [(_, n)] => return cannot(format!("It joined {n} profiles at once.")),
        _ => return cannot("It joined several profiles, by the configuration.".into()),
    };
    let pairs = with_latest_snapshot(|| {
        spi::all(SIDES, &[number.into()], |row| {
            let ends = [0, 1].map(|column| row.text(column).unwrap_or_default().to_owned());
            (ends, row.bool(2).unwrap_or_default())
        })
    });
    if pairs.is_empty() {
        return cannot("The two are no longer in one profile.".into());
    }
    // An operator has said since that two of them are one.
    if let Some((ends, _)) = pairs.iter().find(|(_, must_link)| *must_link) {
        return Err(built_on(number, [&ends[0], &ends[1]]));
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
    let mut effects = Effects::default();
    for (ends, _) in &pairs {
        effects.say(Table::Separation, ends, Some(&reason), None);
    }
    Ok(effects)
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
    SELECT p.x, p.y, EXISTS (
               SELECT FROM identity_resolve.must_link AS m WHERE m.a IN (p.x, p.y) AND m.b IN (p.x, p.y))
    FROM pair AS p
    WHERE NOT EXISTS (
        SELECT FROM identity_resolve.separation AS s
        WHERE s.a IN (p.x, p.y) AND s.b IN (p.x, p.y) AND (s.until IS NULL OR s.until > now()))";
