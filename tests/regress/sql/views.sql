-- The views that analysts and DBAs read.
\set ECHO none
SET client_min_messages = warning;
CREATE EXTENSION identity_resolve;

CREATE TABLE visit (at timestamptz, login text, cookie text, device text);
INSERT INTO visit VALUES
    ('2025-03-01 10:00+00', 'ann', 'tablet', 'tablet'), ('2025-03-05 10:00+00', 'ann', 'tablet', 'tablet'),
    ('2025-03-05 11:00+00', 'ann', 'tablet', 'tablet'), ('2025-03-06 10:00+00', 'mother', 'tablet', 'tablet'),
    ('2025-03-07 10:00+00', NULL, 'kiosk', 'kiosk'), ('2025-03-07 11:00+00', 'mother', 'kiosk', 'kiosk');
CREATE TABLE customer (id int PRIMARY KEY, login text, email text, phone text, country text, updated_at date);
INSERT INTO customer VALUES
    (1, 'ann', 'ann@example.com', '06 12 34 56 78', 'FR', '2025-01-15'),
    (2, 'mother', 'mother@example', 'n/a', 'FR', '2025-01-16'),
    (3, NULL, 'noemail@example.com', '06 12', 'XX', '2025-01-17'),
    (4, NULL, E'a\tb@example.com', NULL, NULL, 'infinity');
\set ECHO all
SET search_path = identity_resolve, public;

-- Before anything is read -------------------------------------------------------------------------

SELECT (SELECT count(*) FROM profiles) AS profiles, (SELECT count(*) FROM profile_identifier) AS profile_identifier,
       (SELECT count(*) FROM profile_channel) AS profile_channel, (SELECT count(*) FROM links) AS links,
       (SELECT count(*) FROM conflicts) AS conflicts, (SELECT count(*) FROM rejections) AS rejections,
       (SELECT count(*) FROM progress) AS progress;
SELECT sum(value) FROM stats;

SELECT add_source('visit', '{"identifiers": {"login": "login", "cookie": "cookie"}, "seen_at": "at",
    "channel": {"value": "web"}, "device_type": "device"}');
SELECT add_source('customer', '{"key": "id", "identifiers": {"customer_number": "id", "login": "login",
    "email": "email", "phone": "phone"}, "seen_at": "updated_at", "region": "country", "channel": {"value": "fair"}}');
CALL backfill();

-- profile_identifier: every identifier, and whose it is ---------------------------------------------

SELECT profile IS NOT NULL AS somebodys, identifier, type, value, role, standing, first_seen,
       CASE WHEN last_seen = s.attached_on THEN 'attached' ELSE last_seen::text END AS last_seen
FROM profile_identifier, source AS s WHERE s.name = 'public.customer'
  AND first_seen < s.attached_on ORDER BY identifier;

-- profiles: one row for each person -----------------------------------------------------------------

SELECT p.identifiers, p.created_at BETWEEN now() - interval '1 minute' AND clock_timestamp() AS just_created,
       p.first_seen, p.last_seen
FROM profiles AS p WHERE p.profile = resolve('customer_number:1');

-- links: every link, the stronger end first -----------------------------------------------------------

SELECT a, b, kind, probability, sightings, first_seen, last_seen, in_force, held_reason
FROM links WHERE b NOT LIKE 'record:%' ORDER BY a, b;

-- Its weight is relative to today; between links it is as the evidence.
SELECT round((ann.weight / mother.weight)::numeric, 2) AS times_as_heavy
FROM links AS ann, links AS mother
WHERE (ann.a, ann.b, mother.a, mother.b) = ('login:ann', 'cookie:tablet', 'login:mother', 'cookie:tablet');
SELECT identify('{"login": "today", "cookie": "today"}') IS NOT NULL AS somebody;
SELECT round(weight::numeric, 1) AS weight FROM links WHERE a = 'login:today';

-- conflicts: held links and why ------------------------------------------------------------------------

SELECT a, b, held_reason, profile_a = resolve('login:mother') AS a_is_hers, profile_b = resolve('login:ann') AS b_is_anns,
       sightings, last_seen, meaning
FROM conflicts ORDER BY a, b;

-- profile_channel: where each person has been seen ------------------------------------------------------

-- The mother's visit is on the web, though the tablet is not hers, and not Ann's.
SELECT CASE profile WHEN resolve('login:ann') THEN 'ann' WHEN resolve('login:mother') THEN 'mother' END AS who,
       channel, kind, first_seen, last_seen, identifiers, reach
FROM profile_channel WHERE profile IN (resolve('login:ann'), resolve('login:mother')) ORDER BY who, channel;

-- rejections: values that were left out -------------------------------------------------------------------

SELECT source, row_key, column_name, value, error FROM rejections ORDER BY source::text, row_key, column_name;

-- The row of an event log is named by its place.
INSERT INTO visit VALUES ('2025-03-08 10:00+00', 'undefined', 'c', 'desktop');
CALL backfill('visit');
SELECT source, row_key, column_name, value, error FROM rejections WHERE source = 'visit'::regclass;
SELECT login, cookie FROM visit, rejections AS r WHERE r.source = 'visit'::regclass AND visit.ctid = r.row_key::tid;

-- They are those of the last backfill, up to setting.rejections_kept; all are counted.
UPDATE setting SET rejections_kept = 2;
CALL backfill('customer');
SELECT source, count(*) FROM rejections GROUP BY source ORDER BY source::text;
SELECT source, rows_read, malformed, blocked FROM source ORDER BY id;

-- stats: the graph in numbers -------------------------------------------------------------------------------

SELECT name, value, meaning FROM stats;

-- progress: long work under way; there is none ----------------------------------------------------------------

SELECT * FROM progress;
