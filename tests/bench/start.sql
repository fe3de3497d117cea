-- An empty record of a run.

SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgrouting CASCADE;
DROP TABLE IF EXISTS measurement, memory, accuracy, look_up, live, flood;
DROP AGGREGATE IF EXISTS median(float8);

CREATE OR REPLACE FUNCTION middle(float8[]) RETURNS float8
    LANGUAGE sql IMMUTABLE
    AS 'SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY x) FROM unnest($1) AS x';
CREATE AGGREGATE median(float8) (SFUNC = array_append, STYPE = float8[], FINALFUNC = middle);

CREATE TABLE measurement (
    rows bigint,
    trial int, -- one after the other; what is compared has the same number
    contestant text,
    part text, -- null: all of it
    seconds float8
);

CREATE TABLE memory (rows bigint, peak_kb bigint, peak_anonymous_kb bigint);

-- Counts of pairs of identifiers that a method put together.
CREATE TABLE accuracy (
    rows bigint,
    method text,
    pairs float8,
    known_pairs float8, -- both in the truth
    right_pairs float8,
    true_pairs float8,
    largest bigint
);

CREATE TABLE look_up (mode text, clients int, round int, contestant text, rate float8);

-- Inserts, or rows, a second; in the part expiry as the contestant says.
CREATE TABLE live (part text, setting text, round int, contestant text, value float8);

-- What worker_status and progress said.
CREATE TABLE flood (
    second float8,
    over boolean, -- nothing more is inserted
    backlog bigint,
    lag float8,
    drained bigint,
    errors bigint,
    doing text,
    in_progress bigint
);
