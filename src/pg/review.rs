//! Pairs that matching puts before somebody.

use super::spi;

/// Puts pairs (canonical texts and the probability) in the place of those that matching has left open
/// between identifiers that begin as `scope` says. What was decided stays. Links that matching found
/// and a limit holds are possible duplicate accounts: these are put before somebody as well.
pub fn replace(scope: &[String], pairs: &[(String, String, f64)]) {
    let a: Vec<&str> = pairs.iter().map(|(a, _, _)| a.as_str()).collect();
    let b: Vec<&str> = pairs.iter().map(|(_, b, _)| b.as_str()).collect();
    let probability: Vec<f64> = pairs.iter().map(|(_, _, probability)| *probability).collect();
    spi::run(
        "WITH scope AS (SELECT unnest($1::text[]) AS prefix),
         pair AS (
             SELECT a, b, probability, 'probably one person' AS reason
             FROM unnest($2::text[], $3::text[], $4::float8[]) AS p (a, b, probability)
             UNION ALL
             SELECT a.identifier, b.identifier, l.probability, 'possible duplicate account'
             FROM identity_resolve.link AS l
             JOIN identity_resolve.identifier AS a ON a.id = l.a
             JOIN identity_resolve.identifier AS b ON b.id = l.b
             WHERE l.probability IS NOT NULL AND l.held_reason = 'limit'
               AND EXISTS (SELECT FROM scope WHERE starts_with(a.identifier, prefix))),
         found AS (
             SELECT least(a COLLATE \"C\", b COLLATE \"C\") AS a, greatest(a COLLATE \"C\", b COLLATE \"C\") AS b,
                    max(probability) AS probability, max(reason) AS reason
             FROM pair GROUP BY 1, 2),
         gone AS (
             DELETE FROM identity_resolve.review AS r
             WHERE r.state = 'open' AND r.probability IS NOT NULL
               AND EXISTS (SELECT FROM scope WHERE starts_with(r.a, prefix))
               AND EXISTS (SELECT FROM scope WHERE starts_with(r.b, prefix))
               AND NOT EXISTS (SELECT FROM found AS f WHERE f.a = r.a AND f.b = r.b))
         INSERT INTO identity_resolve.review AS r (a, b, probability, reason)
         SELECT a, b, probability, reason FROM found ORDER BY a, b
         ON CONFLICT (a, b) DO UPDATE SET probability = excluded.probability, reason = excluded.reason
         WHERE r.state = 'open' AND (r.probability, r.reason) IS DISTINCT FROM (excluded.probability, excluded.reason)",
        &[scope.to_vec().into(), a.into(), b.into(), probability.into()],
    );
}

/// The same for pairs of which at least one identifier is one of `scope`.
pub fn replace_of(scope: &[String], pairs: &[(String, String, f64)]) {
    let a: Vec<&str> = pairs.iter().map(|(a, _, _)| a.as_str()).collect();
    let b: Vec<&str> = pairs.iter().map(|(_, b, _)| b.as_str()).collect();
    let probability: Vec<f64> = pairs.iter().map(|(_, _, probability)| *probability).collect();
    spi::run("WITH scope AS (SELECT unnest($1::text[]) AS identifier),
         known AS (SELECT i.id FROM scope JOIN identity_resolve.identifier AS i USING (identifier)),
         held AS (
             SELECT l.a, l.b, l.probability FROM known AS k JOIN identity_resolve.link AS l ON l.a = k.id
             WHERE l.probability IS NOT NULL AND l.held_reason = 'limit'
             UNION
             SELECT l.a, l.b, l.probability FROM known AS k JOIN identity_resolve.link AS l ON l.b = k.id
             WHERE l.probability IS NOT NULL AND l.held_reason = 'limit'),
         pair AS (
             SELECT a, b, probability, 'probably one person' AS reason
             FROM unnest($2::text[], $3::text[], $4::float8[]) AS p (a, b, probability)
             UNION ALL
             SELECT a.identifier, b.identifier, held.probability, 'possible duplicate account'
             FROM held
             JOIN identity_resolve.identifier AS a ON a.id = held.a
             JOIN identity_resolve.identifier AS b ON b.id = held.b),
         found AS (
             SELECT least(a COLLATE \"C\", b COLLATE \"C\") AS a, greatest(a COLLATE \"C\", b COLLATE \"C\") AS b,
                    max(probability) AS probability, max(reason) AS reason
             FROM pair GROUP BY 1, 2),
         gone AS (
             DELETE FROM identity_resolve.review AS r
             WHERE r.state = 'open' AND r.probability IS NOT NULL
               AND (r.a IN (SELECT identifier FROM scope) OR r.b IN (SELECT identifier FROM scope))
               AND NOT EXISTS (SELECT FROM found AS f WHERE f.a = r.a AND f.b = r.b))
         INSERT INTO identity_resolve.review AS r (a, b, probability, reason)
         SELECT a, b, probability, reason FROM found ORDER BY a, b
         ON CONFLICT (a, b) DO UPDATE SET probability = excluded.probability, reason = excluded.reason
         WHERE r.state = 'open' AND (r.probability, r.reason) IS DISTINCT FROM (excluded.probability, excluded.reason)", &[scope.to_vec().into(), a.into(), b.into(), probability.into()]);
}
