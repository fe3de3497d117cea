-- An event log and its truth as ordinary tables, in a schema of their own.

DROP SCHEMA IF EXISTS log_:rows CASCADE;
CREATE SCHEMA log_:rows;

CREATE TABLE events (
    at timestamptz NOT NULL,
    cookie text,
    device_type text,
    email text,
    phone text,
    customer_number text,
    channel text,
    ip text
);
\cd :directory
\copy events FROM 'events.csv' (FORMAT csv, HEADER)

CREATE TABLE truth (identifier text COLLATE "C" PRIMARY KEY, person bigint NOT NULL);
\copy truth FROM 'truth.csv' (FORMAT csv, HEADER)

VACUUM (ANALYZE) events, truth;
COMMENT ON SCHEMA log_:rows IS :'stamp';
