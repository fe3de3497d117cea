//! Pairs that matching puts before somebody.

use super::spi;
use serde_json::Value as Json;

/// Links between identifiers that begin as the scope says and that a limit holds.
const HELD_BETWEEN: &str = "
    SELECT l.a, l.b, l.probability
    FROM identity_resolve.link AS l JOIN identity_resolve.identifier AS a ON a.id = l.a
    WHERE l.probability IS NOT NULL AND l.held_reason = 'limit'
      AND EXISTS (SELECT FROM scope WHERE starts_with(a.identifier, name))";

const IS_BETWEEN: &str = "EXISTS (SELECT FROM scope WHERE starts_with(r.a, name))
    AND EXISTS (SELECT FROM scope WHERE starts_with(r.b, name))";

/// Links of the identifiers of the scope that a limit holds.
const HELD_OF: &str = "
    SELECT l.a, l.b, l.probability
    FROM scope JOIN identity_resolve.identifier AS i ON i.identifier = name
    JOIN identity_resolve.link AS l ON l.a = i.id
    WHERE l.probability IS NOT NULL AND l.held_reason = 'limit'
    UNION
    SELECT l.a, l.b, l.probability
    FROM scope JOIN identity_resolve.identifier AS i ON i.identifier = name
    JOIN identity_resolve.link AS l ON l.b = i.id
    WHERE l.probability IS NOT NULL AND l.held_reason = 'limit'";

const IS_OF: &str = "(r.a IN (SELECT name FROM scope) OR r.b IN (SELECT name FROM scope))";

/// Puts pairs (canonical texts and the probability) in the place of those that matching has left open
/// between identifiers that begin as `scope` says; returns how many there are now. What was decided
/// stays. Links that matching found and a limit holds are possible duplicate accounts: these are put
/// before somebody as well. Nobody is asked about two who are in one profile already, or whose profiles
/// an operator keeps apart.
pub fn replace(scope: &[String], pairs: &[(String, String, f64)]) -> usize {
    put(HELD_BETWEEN, IS_BETWEEN, scope, pairs)
}

/// The same for pairs of which at least one identifier is one of `scope`.
pub fn replace_of(scope: &[String], pairs: &[(String, String, f64)]) -> usize {
    put(HELD_OF, IS_OF, scope, pairs)
}

fn put(held: &str, in_scope: &str, scope: &[String], pairs: &[(String, String, f64)]) -> usize {
    let a: Vec<&str> = pairs.iter().map(|(a, _, _)| a.as_str()).collect();
    let b: Vec<&str> = pairs.iter().map(|(_, b, _)| b.as_str()).collect();
    let probability: Vec<f64> = pairs.iter().map(|(_, _, probability)| *probability).collect();
    let statement = format!(
        "WITH scope AS (SELECT unnest($1::text[]) AS name),
         held AS ({held}),
         pair AS (
             SELECT a, b, probability, 'probably one person' AS reason
             FROM unnest($2::text[], $3::text[], $4::float8[]) AS p (a, b, probability)
             UNION ALL
             SELECT a.identifier, b.identifier, held.probability, 'possible duplicate account'
             FROM held
             JOIN identity_resolve.identifier AS a ON a.id = held.a
             JOIN identity_resolve.identifier AS b ON b.id = held.b),
         one AS (
             SELECT least(a COLLATE \"C\", b COLLATE \"C\") AS a, greatest(a COLLATE \"C\", b COLLATE \"C\") AS b,
                    max(probability) AS probability, max(reason) AS reason
             FROM pair GROUP BY 1, 2),
         found AS (
             SELECT one.*
             FROM one
             LEFT JOIN identity_resolve.identifier AS x ON x.identifier = one.a COLLATE \"default\"
             LEFT JOIN identity_resolve.identifier AS y ON y.identifier = one.b COLLATE \"default\"
             WHERE (x.profile = y.profile) IS NOT TRUE
               AND NOT EXISTS (
                   SELECT FROM identity_resolve.separated_profiles AS s
                   WHERE s.a = least(x.profile, y.profile) AND s.b = greatest(x.profile, y.profile))),
         gone AS (
             DELETE FROM identity_resolve.review AS r
             WHERE r.state = 'open' AND r.probability IS NOT NULL AND {in_scope}
               AND NOT EXISTS (SELECT FROM found AS f WHERE f.a = r.a AND f.b = r.b)),
         put AS (
             INSERT INTO identity_resolve.review AS r (a, b, probability, reason)
             SELECT a, b, probability, reason FROM found ORDER BY a, b
             ON CONFLICT (a, b) DO UPDATE SET probability = excluded.probability, reason = excluded.reason
             WHERE r.state = 'open' AND (r.probability, r.reason) IS DISTINCT FROM (excluded.probability, excluded.reason))
         SELECT to_jsonb(count(*)) FROM found AS f
         WHERE NOT EXISTS (SELECT FROM identity_resolve.review AS r WHERE r.a = f.a AND r.b = f.b AND r.state <> 'open')"
    );
    let count = spi::returning_json(
        &statement,
        &[scope.to_vec().into(), a.into(), b.into(), probability.into()],
    );
    count.as_ref().and_then(Json::as_u64).unwrap_or_default() as usize
}
