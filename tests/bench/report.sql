-- What the benchmark is about, a figure a line. `other` is what ours is compared with.

\pset footer off
\pset null ''

SELECT EXISTS (SELECT FROM measurement WHERE part IS NOT NULL) AS limited, EXISTS (SELECT FROM flood) AS flooded \gset

\if :limited
\echo
\echo 'Parts of the limit, in seconds'
SELECT rows, part, round(percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds)::numeric, 3) AS median
FROM measurement
WHERE part IS NOT NULL
GROUP BY rows, part
ORDER BY rows, part LIKE 'index%', part LIKE 'table%', part;
\endif

\if :flooded
\echo
\echo 'The flood, every five seconds'
SELECT DISTINCT ON (floor(second / 5)) round(second::numeric) AS second, over, backlog, round(lag::numeric, 1) AS lag,
       drained, errors, doing, in_progress
FROM flood
ORDER BY floor(second / 5), second;
\endif

\echo
\echo 'Figures'
WITH whole AS (
    SELECT rows, trial, contestant, seconds FROM measurement WHERE part IS NULL
), comparison AS (
    SELECT other.rows, other.contestant, median(ours.seconds) AS ours, median(other.seconds) AS other,
           median(ours.seconds / other.seconds) AS ratio, count(*) AS rounds
    FROM whole AS ours
    JOIN whole AS other USING (trial)
    WHERE ours.contestant = 'backfill' AND other.contestant NOT IN ('backfill', 'rebuild')
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
), versus AS (
    SELECT ours.part, ours.setting, ours.contestant, other.contestant AS against,
           median(ours.value) AS ours, median(other.value) AS other, median(ours.value / other.value) AS ratio
    FROM live AS ours
    JOIN live AS other USING (part, setting, round)
    WHERE ours.contestant <> other.contestant
    GROUP BY ours.part, ours.setting, ours.contestant, other.contestant
), expiry AS (
    SELECT setting,
           median(value) FILTER (WHERE contestant = 'seconds') AS seconds,
           median(value) FILTER (WHERE contestant = 'expired') AS expired,
           max(value) FILTER (WHERE contestant = 'slowest') AS slowest
    FROM live
    WHERE part = 'expiry'
    GROUP BY setting
), rebuild AS (
    SELECT ours.rows, median(ours.seconds) AS ours, median(other.seconds) AS other
    FROM whole AS ours JOIN whole AS other USING (rows)
    WHERE ours.contestant = 'rebuild' AND other.contestant = 'backfill'
    GROUP BY ours.rows
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
    UNION ALL
    SELECT 8, format('inserts, mode %s, %s; bare', contestant, setting), NULL, '/s', ours, other, ratio,
           CASE WHEN contestant = 'queue' THEN 0.85 WHEN setting LIKE '%on' THEN 0.7 ELSE 0.4 END, NULL
    FROM versus
    WHERE part = 'trigger' AND against = 'bare'
    UNION ALL
    SELECT 9, format('inserts of 1,000, %s; %s', contestant, against), NULL, 'rows/s', ours, other, ratio,
           CASE WHEN contestant = 'trigger' THEN CASE against WHEN 'bare' THEN 0.25 ELSE 3 END END, NULL
    FROM versus
    WHERE part = 'statement' AND (against = 'bare' OR (contestant, against) = ('trigger', 'plpgsql'))
    UNION ALL
    SELECT 10, format('drain, %s; per CPU second', setting), NULL, 'rows/s', ours, other, NULL, 50000, NULL
    FROM versus
    WHERE part = 'drain' AND against = 'cpu'
    UNION ALL
    SELECT 11, format('an insert beside %s identifiers; %s', contestant, against), NULL, 'µs', 1e6 / ours, 1e6 / other,
           1 / ratio, NULL, 1.5
    FROM versus
    WHERE part = 'live-growth' AND contestant::bigint > against::bigint
    UNION ALL
    SELECT 12, setting || ', devices that expired', round(expired), 's', seconds, NULL, NULL, NULL, 10
    FROM expiry
    WHERE seconds IS NOT NULL
    UNION ALL
    SELECT 13, format('slowest insert, %s; %s', ours.setting, other.setting), NULL, 'ms', ours.slowest, other.slowest,
           NULL, NULL, 100
    FROM expiry AS ours, expiry AS other
    WHERE ours.setting = 'expire_in_batches()' AND other.setting = 'no sweep'
    UNION ALL
    SELECT 14, 'flood, inserts', NULL, '/s', value, NULL, NULL, NULL, NULL
    FROM live
    WHERE part = 'flood' AND contestant = 'queue'
    UNION ALL
    SELECT 15, 'flood, most rows waiting; when it ended', NULL, 'rows', max(backlog),
           max(backlog) FILTER (WHERE over), NULL, NULL, NULL
    FROM flood
    HAVING count(*) > 0
    UNION ALL
    SELECT 16, 'flood, longest lag; until empty', NULL, 's', max(lag),
           max(second) - max(second) FILTER (WHERE NOT over), NULL, NULL, NULL
    FROM flood
    HAVING count(*) > 0
    UNION ALL
    SELECT 17, 'flood, drained; inserted', NULL, 'rows', max(drained) - min(drained), max(value),
           (max(drained) - min(drained)) / max(value), 1, NULL
    FROM flood, live
    WHERE part = 'flood' AND contestant = 'inserted'
    HAVING count(*) > 0
    UNION ALL
    SELECT 17, 'rebuild(); backfill', rows, 's', ours, other, ours / other, NULL, 1.3
    FROM rebuild
    UNION ALL
    SELECT 18, setting || ', median; slowest', NULL, 'ms', median(value), max(value), NULL, NULL,
           CASE setting WHEN 'why()' THEN 20 WHEN 'undo()' THEN NULL ELSE 5 END
    FROM live
    WHERE part = 'steward'
    GROUP BY setting
)
SELECT figure, rows,
       round(ours::numeric, digits) AS ours,
       round(other::numeric, digits) AS other,
       unit,
       round(ratio::numeric, 2) AS ratio,
       coalesce('≥ ' || least, '≤ ' || most) AS target,
       CASE WHEN coalesce(ratio, ours) >= least OR coalesce(ratio, ours) <= most THEN 'met'
            WHEN coalesce(least, most) IS NOT NULL THEN 'missed' END AS verdict
FROM line, LATERAL (SELECT CASE unit WHEN 'pairs' THEN 4 WHEN 's' THEN 2 WHEN 'ms' THEN 1 ELSE 0 END AS digits) AS d
ORDER BY place, figure, rows;
