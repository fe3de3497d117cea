-- Identifiers that pgbench can make up: numbers. They join the graph of the log, so that they are
-- looked up among all of its identifiers; the plain table has the same values.

DROP TABLE IF EXISTS public.customer, public.plain;
CREATE TABLE public.customer AS
SELECT (10000000 + n)::text AS number, 'card' || n AS cookie
FROM generate_series(1, 200000) AS n;

SELECT FROM identity_resolve.add_source('public.customer',
    '{"identifiers": {"customer_number": "number", "cookie": "cookie"}}');
CALL identity_resolve.backfill('public.customer');

CREATE TABLE public.plain AS
SELECT DISTINCT ON (value) value COLLATE "C" AS value, profile
FROM identity_resolve.profile_identifier
ORDER BY value, type;
ALTER TABLE public.plain ADD PRIMARY KEY (value);

VACUUM (ANALYZE) public.plain, identity_resolve.identifier;
CHECKPOINT;
