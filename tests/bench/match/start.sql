-- An empty record of a run.

SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS fuzzystrmatch;
DROP TABLE IF EXISTS ours, splink;
DROP AGGREGATE IF EXISTS median(float8);

CREATE OR REPLACE FUNCTION middle(float8[]) RETURNS float8
    LANGUAGE sql IMMUTABLE
    AS 'SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY x) FROM unnest($1) AS x';
CREATE AGGREGATE median(float8) (SFUNC = array_append, STYPE = float8[], FINALFUNC = middle);

CREATE TABLE ours (
    part text,
    data text,
    round int,
    records bigint,
    backfill_seconds float8,
    train_seconds float8,
    match_seconds float8,
    precision float8, -- of all pairs that the profiles imply
    recall float8,
    largest bigint, -- records of one profile
    calibration_error float8,
    peak_anonymous_kb bigint,
    report jsonb -- what train() and match() said
);

-- What with_splink.py said.
CREATE TABLE splink (part text, data text, round int, said jsonb);
