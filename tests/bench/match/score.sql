-- What the run found against the truth, over all pairs of records that the profiles imply; and of the
-- pairs it scored, how far their probabilities can be trusted.

CREATE TEMP TABLE found AS
SELECT record, person, source, coalesce(i.profile::text, record) AS profile
FROM data.truth
LEFT JOIN identity_resolve.profile_identifier AS i ON i.type = 'record' AND i.identifier = record;

CREATE FUNCTION pg_temp.pairs(bigint) RETURNS numeric IMMUTABLE RETURN $1::numeric * ($1 - 1) / 2;

WITH found_pairs AS (
    SELECT sum(pg_temp.pairs(records)) AS pairs, max(records) AS largest
    FROM (SELECT count(*) AS records FROM found GROUP BY profile) AS p
), right_pairs AS (
    SELECT sum(pg_temp.pairs(records)) AS pairs
    FROM (SELECT count(*) AS records FROM found GROUP BY profile, person) AS p
), true_pairs AS (
    -- Where only records of two sources are linked, less those of one.
    SELECT sum(pg_temp.pairs(records)) - coalesce(sum(within) FILTER (WHERE linked), 0) AS pairs
    FROM (SELECT sum(records)::bigint AS records, sum(pg_temp.pairs(records)) AS within, max(last) > 1 AS linked
          FROM (SELECT person, count(*) AS records, max(max(source)) OVER () AS last
                FROM found GROUP BY person, source) AS s
          GROUP BY person) AS p
), calibration AS (
    SELECT sum(abs(expected * found - correct)) / sum(found) AS error
    FROM identity_resolve.evaluate('data.truth')
    WHERE level = 'calibration'
)
UPDATE ours SET
    records = (SELECT count(*) FROM found),
    precision = right_pairs.pairs / nullif(found_pairs.pairs, 0),
    recall = right_pairs.pairs / true_pairs.pairs,
    largest = found_pairs.largest,
    calibration_error = calibration.error,
    peak_anonymous_kb = :anonymous
FROM found_pairs, right_pairs, true_pairs, calibration
WHERE (part, data, round) = (:'part', :'data', :round);
