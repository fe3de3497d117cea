-- What the benchmark is about, a figure a line. Splink's best is at the threshold that the truth says
-- is best; ours is at the default one.

\pset footer off
\pset null ''

SELECT EXISTS (SELECT FROM splink) AS has_splink, EXISTS (SELECT FROM ours) AS has_ours \gset

\if :has_splink
\echo
\echo 'Splink'
SELECT part, data, said ->> 'backend' AS backend, (said ->> 'records')::bigint AS records,
       (said ->> 'candidate_pairs')::bigint AS candidates,
       round(median((said #>> '{pairs,best,f1}')::float8)::numeric, 4) AS best_pair_f1,
       round(median((said #>> '{clusters,best,f1}')::float8)::numeric, 4) AS best_f1,
       round(median((said #>> '{clusters,usual,f1}')::float8)::numeric, 4) AS f1_at_95,
       round(median((said ->> 'calibration_error')::float8)::numeric, 3) AS calibration,
       round(median((said #>> '{seconds,u}')::float8 + (said #>> '{seconds,prior}')::float8
                    + (said #>> '{seconds,em}')::float8)::numeric, 1) AS train_s,
       round(median((said #>> '{seconds,predict}')::float8)::numeric, 1) AS predict_s,
       round(median((said #>> '{seconds,total}')::float8)::numeric, 1) AS total_s,
       round(median((said ->> 'rss_mb')::float8)) AS rss_mb
FROM splink
GROUP BY part, data, backend, records, candidates
ORDER BY part, data;
\endif

\if :has_ours
\echo
\echo 'Ours'
SELECT part, data, records, max((report ->> 'pairs_compared')::bigint) AS candidates,
       round(median(precision)::numeric, 4) AS precision, round(median(recall)::numeric, 4) AS recall,
       max(largest) AS largest, round(median(backfill_seconds)::numeric, 1) AS backfill_s,
       round(median(train_seconds)::numeric, 1) AS train_s, round(median(match_seconds)::numeric, 1) AS match_s,
       round(median((report ->> 'pairs_compared')::float8 / match_seconds / :cores)) AS pairs_a_second_and_core,
       round(median(peak_anonymous_kb) / 1024) AS memory_mb
FROM ours
GROUP BY part, data, records
ORDER BY part, data;
\endif

\if :has_splink
\if :has_ours
\echo
\echo 'Figures'
WITH both_sides AS (
    SELECT part, data, o.records,
           2 * o.precision * o.recall / (o.precision + o.recall) AS f1,
           (said #>> '{clusters,best,f1}')::float8 AS best_f1,
           (said #>> '{clusters,usual,f1}')::float8 AS usual_f1,
           o.calibration_error, (said ->> 'calibration_error')::float8 AS splink_calibration_error,
           o.backfill_seconds + o.train_seconds + o.match_seconds AS seconds, (said #>> '{seconds,total}')::float8 AS splink_seconds,
           o.peak_anonymous_kb / 1024.0 AS mb, (said ->> 'rss_mb')::float8 AS splink_mb,
           (said ->> 'true_pairs')::bigint AS true_pairs
    FROM ours AS o
    JOIN splink USING (part, data, round)
), line (place, figure, part, data, records, unit, ours, other, ratio, least, most) AS (
    SELECT 1, 'F1 of profiles; Splink''s best', part, data, records, NULL, median(f1), median(best_f1),
           median(f1 / best_f1), 1::float8, NULL::float8
    FROM both_sides GROUP BY part, data, records
    UNION ALL
    SELECT 2, 'F1 of profiles; Splink at 0.95', part, data, records, NULL, median(f1), median(usual_f1),
           median(f1 / usual_f1), NULL, NULL
    FROM both_sides GROUP BY part, data, records
    UNION ALL
    SELECT 3, 'calibration error; Splink''s', part, data, records, NULL, median(calibration_error),
           median(splink_calibration_error), NULL, NULL, CASE WHEN max(true_pairs) > 1000 THEN 0.03 END
    FROM both_sides GROUP BY part, data, records
    UNION ALL
    SELECT 4, 'table to profiles; Splink', part, data, records, 's', median(seconds), median(splink_seconds),
           median(splink_seconds / seconds), CASE part WHEN 'speed' THEN 10 WHEN 'postgres' THEN 50 END, NULL
    FROM both_sides GROUP BY part, data, records
    UNION ALL
    SELECT 5, 'memory; Splink', part, data, records, 'MB', median(mb), median(splink_mb),
           median(splink_mb / mb), CASE part WHEN 'speed' THEN 8 END, NULL
    FROM both_sides WHERE part <> 'postgres' GROUP BY part, data, records
)
SELECT figure, part, data, records,
       round(ours::numeric, digits) AS ours,
       round(other::numeric, digits) AS other,
       unit,
       round(ratio::numeric, digits) AS ratio,
       coalesce('≥ ' || least, '≤ ' || most) AS target,
       CASE WHEN coalesce(ratio, ours) >= least OR coalesce(ratio, ours) <= most THEN 'met'
            WHEN coalesce(least, most) IS NOT NULL THEN 'missed' END AS verdict
FROM line, LATERAL (SELECT CASE unit WHEN 's' THEN 2 WHEN 'MB' THEN 1 ELSE 4 END AS digits) AS d
ORDER BY place, part, data;
\endif
\endif
