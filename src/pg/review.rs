//! Pairs that matching puts before somebody.

use super::spi;
use serde_json::Value as Json;

/// Whose reviews a run of matching decides about.
pub struct Scope<'s> {
    /// Those of pairs of identifiers that both begin as one of these says;
    pub sources: &'s [String],
    /// and of which, if it did not compare all, at least one is one of these. Of possible duplicate
    /// accounts it always decides about all.
    pub records: Option<&'s [String]>,
}

/// Waits until nobody else writes or locks reviews, and keeps others from it until the end of the
/// transaction. They can be read.
pub fn keep_others_out() {
    spi::run("LOCK TABLE identity_resolve.review IN EXCLUSIVE MODE", &[]);
}

/// Puts pairs (canonical texts and the probability) in the place of those that matching has left open
/// in `scope`; returns how many of them are open. What was decided stays. Links that matching found and a
/// limit holds are possible duplicate accounts: these are put before somebody as well. Nobody is asked
/// about two who are in one profile already, or whose profiles an operator keeps apart.
pub fn replace(scope: &Scope, pairs: &[(String, String, f64)]) -> usize {
    let in_sources = "EXISTS (SELECT FROM source WHERE starts_with(p.a, name)) AND EXISTS (SELECT FROM source WHERE starts_with(p.b, name))";
    let in_records = match scope.records {
        None => "true",
        Some(_) => {
            "(p.reason = 'possible duplicate account' OR p.a IN (SELECT name FROM record) OR p.b IN (SELECT name FROM record))"
        }
    };
    let a: Vec<&str> = pairs.iter().map(|(a, _, _)| a.as_str()).collect();
    let b: Vec<&str> = pairs.iter().map(|(_, b, _)| b.as_str()).collect();
    let probability: Vec<f64> = pairs.iter().map(|(_, _, probability)| *probability).collect();
    // NOT IN is looked up in a hash table whatever the planner believes.
    let statement = format!(
        "WITH source AS (SELECT unnest($1::text[]) AS name),
         record AS (SELECT unnest($5::text[]) AS name),
         held AS (
             SELECT a.identifier AS a, b.identifier AS b, l.probability
             FROM identity_resolve.link AS l
             JOIN identity_resolve.identifier AS a ON a.id = l.a
             JOIN identity_resolve.identifier AS b ON b.id = l.b
             WHERE l.probability IS NOT NULL AND l.held_reason = 'limit'),
         pair AS (
             SELECT a, b, probability, 'probably one person' AS reason
             FROM unnest($2::text[], $3::text[], $4::float8[]) AS p (a, b, probability)
             UNION ALL
             SELECT a, b, probability, 'possible duplicate account' FROM held AS p WHERE {in_sources}),
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
               AND ((least(x.profile, y.profile), greatest(x.profile, y.profile)) IN (
                   SELECT a, b FROM identity_resolve.separated_profiles)) IS NOT TRUE),
         gone AS (
             DELETE FROM identity_resolve.review AS p
             WHERE p.state = 'open' AND p.probability IS NOT NULL AND {in_sources} AND {in_records}
               AND (p.a, p.b) NOT IN (SELECT a, b FROM found)),
         put AS (
             INSERT INTO identity_resolve.review AS r (a, b, probability, reason)
             SELECT a, b, probability, reason FROM found ORDER BY a, b
             ON CONFLICT (a, b) DO UPDATE SET probability = excluded.probability, reason = excluded.reason
             WHERE r.state = 'open' AND (r.probability, r.reason) IS DISTINCT FROM (excluded.probability, excluded.reason))
         SELECT to_jsonb(count(*)) FROM found
         WHERE (a, b) NOT IN (SELECT a, b FROM identity_resolve.review WHERE state <> 'open')"
    );
    let records = scope.records.unwrap_or_default().to_vec();
    let args = [scope.sources.to_vec().into(), a.into(), b.into(), probability.into(), records.into()];
    let count = spi::returning_json(&statement, &args);
    count.as_ref().and_then(Json::as_u64).unwrap_or_default() as usize
}

/// Takes back what is asked about identifiers that are no more.
pub fn forget_unknown() {
    spi::run(
        "DELETE FROM identity_resolve.review AS r
         WHERE r.state = 'open' AND r.probability IS NOT NULL
           AND EXISTS (SELECT FROM unnest(ARRAY[r.a, r.b]) AS e (identifier)
                       WHERE NOT EXISTS (SELECT FROM identity_resolve.identifier AS i WHERE i.identifier = e.identifier))",
        &[],
    );
}
