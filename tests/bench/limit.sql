-- The least that any program must do to make those tables of these rows: read the columns that the
-- mapping names, write the tables that backfill filled, build their indexes.

CREATE SCHEMA least;

CREATE TEMP TABLE filled AS
SELECT relname AS name
FROM pg_class
WHERE relnamespace = 'identity_resolve'::regnamespace
  AND relname IN ('identifier', 'link', 'former_member', 'rejection')
  AND pg_relation_size(oid) > 0;

CREATE TEMP TABLE step AS
SELECT 1 AS phase, 'scan' AS part, 'SELECT count(at), count(cookie::text), count(device_type::text),
    count(email::text), count(phone::text), count(customer_number::text), count(channel::text),
    count(ip::text) FROM events' AS statement
UNION ALL
SELECT 2, 'table ' || name, format('CREATE TABLE least.%1$I AS SELECT * FROM identity_resolve.%1$I', name)
FROM filled
UNION ALL
SELECT 3, 'index ' || indexname, replace(indexdef, ' ON identity_resolve.', ' ON least.')
FROM pg_indexes JOIN filled ON tablename = name
WHERE schemaname = 'identity_resolve';
ALTER TABLE step ADD seconds float8;

CHECKPOINT;
SELECT clock_timestamp() AS started \gset
DO $$
DECLARE
    next record;
    started timestamptz;
BEGIN
    FOR next IN SELECT * FROM step ORDER BY phase, part LOOP
        started := clock_timestamp();
        EXECUTE next.statement;
        UPDATE step SET seconds = extract(epoch FROM clock_timestamp() - started) WHERE part = next.part;
    END LOOP;
END
$$;
INSERT INTO measurement
VALUES (:rows, :trial, 'limit', NULL, extract(epoch FROM clock_timestamp() - :'started'));

INSERT INTO measurement SELECT :rows, :trial, 'limit', part, seconds FROM step;
SET client_min_messages = error;
DROP SCHEMA least CASCADE;
