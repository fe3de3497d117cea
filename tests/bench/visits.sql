-- A site's visits: what has been there, backfilled, and a table for each contestant to go on with.
-- visit.pgbench draws one visit as visit() draws many. People come by a power law (a tenth of them
-- makes a third of the visits), with one to three cookies each; most visits are anonymous, a tenth
-- shows a new cookie, two in a hundred are of new people; four people share a tablet, four thousand a
-- kiosk, and half of the kiosks don't say that they are.

DROP EXTENSION IF EXISTS identity_resolve CASCADE;
CREATE EXTENSION identity_resolve;

DROP SCHEMA IF EXISTS bare, "trigger", queue, plpgsql CASCADE;
CREATE SCHEMA bare;
CREATE SCHEMA "trigger";
CREATE SCHEMA queue;
CREATE SCHEMA plpgsql;

CREATE TABLE bare.web_visit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    customer_number text,
    email text,
    phone text,
    cookie text,
    device_type text,
    channel text
);
CREATE TABLE "trigger".web_visit (LIKE bare.web_visit INCLUDING ALL);
CREATE TABLE queue.web_visit (LIKE bare.web_visit INCLUDING ALL);
CREATE TABLE plpgsql.web_visit (LIKE bare.web_visit INCLUDING ALL);

DROP TABLE IF EXISTS public.stage;
DROP FUNCTION IF EXISTS public.visit, public.people;
CREATE FUNCTION public.people() RETURNS int IMMUTABLE RETURN :people;
CREATE FUNCTION public.visit(visits bigint, since interval DEFAULT '0') RETURNS TABLE (
    at timestamptz, customer_number text, email text, phone text, cookie text, device_type text, channel text
) LANGUAGE sql AS $$
    SELECT now() - random() * since,
           CASE WHEN kind BETWEEN 66 AND 92 OR kind >= 99 THEN person::text
                WHEN kind IN (97, 98) THEN '9' || fresh END,
           CASE WHEN kind BETWEEN 86 AND 96 THEN 'user' || person || '@example.com'
                WHEN kind IN (97, 98) THEN 'user9' || fresh || '@example.com' END,
           CASE WHEN kind BETWEEN 90 AND 92 THEN '06' || 10000000 + person END,
           CASE WHEN kind BETWEEN 56 AND 65 OR kind IN (97, 98) THEN 'n' || fresh
                WHEN kind = 99 THEN 't' || person / 4
                WHEN kind = 100 THEN 'kiosk' || kiosk
                ELSE 'c' || person || '-' || 1 + other % (1 + person % 3) END,
           CASE WHEN kind = 99 THEN 'tablet'
                WHEN kind = 100 THEN CASE WHEN kiosk % 2 = 0 THEN 'kiosk' END
                ELSE (ARRAY['smartphone', 'desktop', 'tablet'])[1 + other % (1 + person % 3)] END,
           'web'
    FROM (
        SELECT 1 + floor(public.people() * random() ^ 2)::int AS person,
               1 + floor(100 * random())::int AS kind,
               floor(6 * random())::int AS other,
               1 + floor(public.people() / 4000 * random())::int AS kiosk,
               floor(1e12 * random())::bigint AS fresh
        FROM generate_series(1, visits)
    ) AS drawn
$$;

SELECT setseed(0.5);
INSERT INTO :"past".web_visit (at, customer_number, email, phone, cookie, device_type, channel)
SELECT * FROM public.visit(:visits, '400 days');

SELECT '{"identifiers": {"customer_number": "customer_number", "email": "email", "phone": "phone",
                         "cookie": "cookie"},
         "seen_at": "at", "channel": "channel", "device_type": "device_type",
         "region": {"value": "FR"}}' AS mapping \gset
SELECT FROM identity_resolve.add_source('"trigger".web_visit', :'mapping');
SELECT FROM identity_resolve.add_source('queue.web_visit', :'mapping');
CALL identity_resolve.backfill();
SELECT FROM identity_resolve.set_mode('"trigger".web_visit', 'trigger');
SELECT FROM identity_resolve.set_mode('queue.web_visit', 'queue');

VACUUM (ANALYZE);
CHECKPOINT;
