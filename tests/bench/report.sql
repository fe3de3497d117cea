-- What the benchmark is about, a figure a line. `other` is what ours is compared with.

\pset footer off
\pset null ''

\echo
\echo 'Parts of the limit, in seconds'
SELECT rows, part, round(percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds)::numeric, 3) AS median
FROM measurement
WHERE part IS NOT NULL
GROUP BY rows, part
ORDER BY rows, part LIKE 'index%', part LIKE 'table%', part;

\echo 'Figures'
WITH whole AS (
    SELECT rows, trial, contestant, seconds FROM measurement WHERE part IS NULL
), comparison AS (
    SELECT other.rows, other.contestant, median(ours.seconds) AS ours, median(other.seconds) AS other,
           median(ours.seconds / other.seconds) AS ratio, count(*) AS rounds
    FROM whole AS ours
    JOIN whole AS other USING (trial)
    WHERE ours.contestant = 'backfill' AND other.contestant <> 'backfill'
    GROUP BY other.rows, other.contestant
), size AS (
    SELECT rows, median(seconds) AS ours, lag(rows) OVER by_size AS before, lag(median(seconds)) OVER by_size AS other
    FROM whole
    WHERE contestant = 'backfill'
    GROUP BY rows
    WINDOW by_size AS (ORDER BY rows)
), quality AS (
    SELECT rows, method, right_pairs / known_pairs AS precision, right_pairs / pairs AS strict_precision,
           right_pairs / true_pairs AS recall
    FROM accuracy
), look_up_median AS (
    SELECT mode, clients,
           median(rate) FILTER (WHERE contestant = 'resolve') AS ours,
           median(rate) FILTER (WHERE contestant = 'table') AS other
    FROM look_up
    GROUP BY mode, clients
), line (place, figure, rows, unit, ours, other, ratio, least, most) AS (
    SELECT 1, 'precision; of plain components', ours.rows, 'pairs', ours.precision, plain.precision,
           NULL::float8, 0.975::float8, NULL::float8
    FROM quality AS ours JOIN quality AS plain USING (rows)
    WHERE ours.method = 'profiles' AND plain.method = 'plain components'
    UNION ALL
    SELECT 2, 'precision, identifiers of nobody counted as wrong', ours.rows, 'pairs', ours.strict_precision,
           plain.strict_precision, NULL, NULL, NULL
    FROM quality AS ours JOIN quality AS plain USING (rows)
    WHERE ours.method = 'profiles' AND plain.method = 'plain components'
    UNION ALL
    SELECT 3, 'recall; of plain components', ours.rows, 'pairs', ours.recall, plain.recall,
           ours.recall / plain.recall, 0.9, NULL
    FROM quality AS ours JOIN quality AS plain USING (rows)
    WHERE ours.method = 'profiles' AND plain.method = 'plain components'
    UNION ALL
    SELECT 4, 'backfill; ' || contestant, rows, 's', ours, other, ratio,
           NULL, CASE contestant WHEN 'limit' THEN 2 WHEN 'pgrouting' THEN 0.5 END
    FROM comparison
    UNION ALL
    SELECT 5, format('growth; from %s rows', before), rows, 's', ours, other, ours / other,
           NULL, 1.2 * rows / before
    FROM size
    WHERE before IS NOT NULL
    UNION ALL
    SELECT 6, 'most memory; not shared', rows, 'MB', max(peak_kb) / 1024.0, max(peak_anonymous_kb) / 1024.0,
           NULL, NULL, NULL
    FROM memory
    GROUP BY rows
    UNION ALL
    SELECT 7, format('resolve(), %s, %s clients; indexed table', mode, clients), NULL, '/s', ours, other,
           ours / other, 0.7, NULL
    FROM look_up_median
)
SELECT figure, rows,
       round(ours::numeric, digits) AS ours,
       round(other::numeric, digits) AS other,
       unit,
       round(ratio::numeric, 2) AS ratio,
       coalesce('≥ ' || least, '≤ ' || most) AS target,
       CASE WHEN coalesce(ratio, ours) >= least OR coalesce(ratio, ours) <= most THEN 'met'
            WHEN coalesce(least, most) IS NOT NULL THEN 'missed' END AS verdict
FROM line, LATERAL (SELECT CASE unit WHEN 'pairs' THEN 4 WHEN 's' THEN 2 ELSE 0 END AS digits) AS d
ORDER BY place, figure, rows;
