-- Configuration is tables: shipped with defaults, changed with INSERT, UPDATE and DELETE, and
-- checked where it is written.
\set ECHO none
SET client_min_messages = warning;
CREATE EXTENSION identity_resolve;
\set ECHO all
SET search_path = identity_resolve;

-- What is shipped ---------------------------------------------------------------------------------

-- The types of identifiers, the strongest first.
SELECT name, role, normalizer, joins, max_per_profile AS max, max_links, owner_share AS share, expires_after
FROM identifier_type ORDER BY priority;

-- Kinds of device, and who usually uses one.
SELECT name, sharing, owner_share, expires_after FROM device_type ORDER BY name;

-- Where a company meets people, and which identifier reaches them there.
SELECT name, kind, cost, reaches FROM channel ORDER BY kind DESC, cost, name;

-- Values that identify nobody. A pattern is for one type or for all, and for the whole value.
SELECT type, pattern FROM blocked_value ORDER BY type NULLS FIRST, pattern;

-- OpenID providers whose subjects are certain to be one person.
SELECT issuer, certified FROM identity_provider ORDER BY issuer;

-- Given names, and how else they are written: each pair once, in one direction.
SELECT name, string_agg(nickname, ' ' ORDER BY nickname) AS nicknames FROM nickname
WHERE name IN ('aleksandr', 'catherine', 'jose', 'philip', 'william', 'yuri') GROUP BY name ORDER BY name;
SELECT count(*) > 4000 AS many, count(*) FILTER (WHERE nickname !~ '^[a-z]+$' OR name !~ '^[a-z]+$') AS unfolded,
       count(*) FILTER (WHERE EXISTS (SELECT FROM nickname AS o WHERE o.name = n.nickname AND o.nickname = n.name)) AS twice
FROM nickname AS n;

-- And one row for what holds everywhere.
SELECT half_life, region, rejections_kept, expired_as_of FROM setting;

-- Nothing is attached, separated or known.
SELECT (SELECT count(*) FROM source) AS sources, (SELECT count(*) FROM separation) AS separations,
       (SELECT count(*) FROM identifier) AS identifiers, (SELECT count(*) FROM link) AS links;

-- Nothing is for PUBLIC ---------------------------------------------------------------------------

SELECT count(*) FROM pg_catalog.pg_class AS c, pg_catalog.aclexplode(c.relacl) AS acl
WHERE c.relnamespace = 'identity_resolve'::pg_catalog.regnamespace AND acl.grantee = 0;

SELECT p.oid::pg_catalog.regprocedure FROM pg_catalog.pg_proc AS p
WHERE p.pronamespace = 'identity_resolve'::pg_catalog.regnamespace
  AND (p.proacl IS NULL OR EXISTS (SELECT FROM pg_catalog.aclexplode(p.proacl) AS acl WHERE acl.grantee = 0));

SELECT pg_catalog.has_schema_privilege('public', 'identity_resolve', 'USAGE') AS usage,
       pg_catalog.has_schema_privilege('public', 'identity_resolve', 'CREATE') AS "create";

-- A look-up only reads: it may run on a standby, and in parallel.
SELECT p.oid::pg_catalog.regprocedure AS function, p.provolatile AS volatility, p.proparallel AS parallel
FROM pg_catalog.pg_proc AS p
WHERE p.pronamespace = 'identity_resolve'::pg_catalog.regnamespace
  AND p.proname IN ('canonical', 'resolve', 'candidates', 'current_profile', 'identify', 'backfill',
                    'add_source', 'drop_source')
ORDER BY p.proname, p.pronargs;

-- A change holds from the next statement on -------------------------------------------------------

-- A phone number without country code is malformed, unless a region says how to read it.
SELECT canonical('phone', '06 12 34 56 78');
UPDATE setting SET region = 'FR';
SELECT canonical('phone', '06 12 34 56 78');

-- A change that is rolled back never was.
BEGIN;
UPDATE setting SET region = 'US';
SELECT canonical('phone', '(415) 555-2671');
ROLLBACK;
SELECT canonical('phone', '06 12 34 56 78');

BEGIN;
SAVEPOINT before;
UPDATE setting SET region = 'US';
SELECT canonical('phone', '(415) 555-2671');
ROLLBACK TO before;
SELECT canonical('phone', '06 12 34 56 78');
COMMIT;

-- A type of one's own.
INSERT INTO identifier_type (name, role, normalizer, priority) VALUES ('passport', 'person', 'lower', 3);
SELECT canonical('passport', ' 12AB34567 ');
SELECT joins, max_per_profile, max_links, owner_share, expires_after FROM identifier_type WHERE name = 'passport';

-- A type may take another name before it is used; what refers to it follows.
UPDATE identifier_type SET name = 'mail' WHERE name = 'email';
SELECT name FROM channel WHERE reaches = 'mail';
SELECT count(*) FROM blocked_value WHERE type = 'mail';
UPDATE identifier_type SET name = 'email' WHERE name = 'mail';

-- One that is in use cannot go: its identifiers would be of no type.
SELECT identify('{"passport": "12AB34567", "cookie": "c-1"}', '2025-03-01') IS NOT NULL AS known;
DELETE FROM identifier_type WHERE name = 'passport';
UPDATE identifier_type SET name = 'pass' WHERE name = 'passport';
DELETE FROM identifier_type WHERE name = 'cookie';

-- One that is not, can.
DELETE FROM channel WHERE reaches = 'device';
DELETE FROM identifier_type WHERE name = 'device';
SELECT count(*) FROM blocked_value WHERE type = 'device';

-- A blocked value is refused from now on, in any case and only as a whole.
INSERT INTO blocked_value (type, pattern) VALUES ('email', 'info@.*|shop-[0-9]+@example\.com');
SELECT identify('{"email": "Shop-7@Example.com"}');
SELECT identify('{"email": "Info@Example.com"}');
SELECT identify('{"email": "my-info@example.com"}') IS NOT NULL AS not_blocked;

-- A pattern for every type may be there once.
INSERT INTO blocked_value (pattern) VALUES ('tbd');
INSERT INTO blocked_value (pattern) VALUES ('tbd');
DELETE FROM blocked_value WHERE pattern = 'tbd';

-- A shipped row is a row: to insert it again is an error, and changes nothing.
INSERT INTO device_type (name, sharing) VALUES ('tablet', 'personal');
INSERT INTO device_type (name, sharing) VALUES ('tablet', 'personal') ON CONFLICT DO NOTHING;
SELECT sharing FROM device_type WHERE name = 'tablet';
INSERT INTO device_type (name, sharing) VALUES ('tablet', 'personal')
    ON CONFLICT (name) DO UPDATE SET sharing = excluded.sharing;
SELECT sharing FROM device_type WHERE name = 'tablet';

-- It can be deleted, and come back.
DELETE FROM device_type WHERE name = 'tv';
INSERT INTO device_type (name, sharing) VALUES ('tv', 'household');
SELECT sharing, expires_after FROM device_type WHERE name = 'tv';

-- A nickname may be written in any way.
INSERT INTO nickname (name, nickname) VALUES ('María-José', 'Ma. José'), ('Łucja', 'ŁUCKA'), ('Александр', 'Саша'), ('Jürg', ' Jüri ')
RETURNING *;
UPDATE nickname SET nickname = 'Kätchen' WHERE nickname = 'kathe' AND name = 'katharina' RETURNING *;
SELECT * FROM removed_seed WHERE relation = 'nickname';

-- What cannot work is refused where it is written ---------------------------------------------------

INSERT INTO identifier_type (name, role) VALUES ('E-mail', 'contact');
INSERT INTO identifier_type (name, role) VALUES ('badge', 'human');
INSERT INTO identifier_type (name, role, normalizer) VALUES ('badge', 'person', 'upper');
INSERT INTO identifier_type (name, role, joins) VALUES ('badge', 'person', 'some');
UPDATE identifier_type SET max_per_profile = 0 WHERE name = 'login';
UPDATE identifier_type SET max_links = -5 WHERE name = 'email';
UPDATE identifier_type SET owner_share = 1.5 WHERE name = 'email';
UPDATE identifier_type SET owner_share = 'NaN' WHERE name = 'email';
UPDATE identifier_type SET priority = 0 WHERE name = 'email';
UPDATE identifier_type SET expires_after = '-1 day' WHERE name = 'cookie';
INSERT INTO device_type (name, sharing) VALUES ('Console', 'household');
INSERT INTO device_type (name, sharing) VALUES ('console', 'everybody');
INSERT INTO channel (name, kind) VALUES ('fax', 'paper');
INSERT INTO channel (name, kind, cost) VALUES ('fax', 'offline', -1);
INSERT INTO channel (name, kind, cost) VALUES ('fax', 'offline', 'NaN');
INSERT INTO channel (name, kind, reaches) VALUES ('fax', 'offline', 'fax_number');
INSERT INTO blocked_value (type, pattern) VALUES ('email', '');
INSERT INTO blocked_value (type, pattern) VALUES ('email', '(unclosed');
INSERT INTO blocked_value (type, pattern) VALUES ('fax_number', '0+');
INSERT INTO identity_provider (issuer, certified) VALUES ('https://id.example.com|x', true);
INSERT INTO nickname (name, nickname) VALUES ('William', 'Bill');
INSERT INTO nickname (name, nickname) VALUES ('Zoë', 'zoe');
INSERT INTO nickname (name, nickname) VALUES ('William', '???');
INSERT INTO nickname (name) VALUES ('William');
UPDATE setting SET half_life = '0';
UPDATE setting SET half_life = '-90 days';
UPDATE setting SET region = 'France';
UPDATE setting SET rejections_kept = -1;
UPDATE setting SET expired_as_of = 'infinity';
INSERT INTO setting (half_life) VALUES ('30 days');
INSERT INTO setting (one_row) VALUES (false);
DELETE FROM setting;
TRUNCATE setting;

-- Separations are canonical, the lesser first, and of two identifiers.
INSERT INTO separation (a, b, reason) VALUES ('phone:06 12 34 56 78', 'email: Ann@Example.COM', 'siblings');
SELECT a, b, reason, until FROM separation;
INSERT INTO separation (a, b) VALUES ('email:ann@example.com', 'phone:+33612345678');
INSERT INTO separation (a, b) VALUES ('email:ann@example.com', 'email:ANN@example.com');
INSERT INTO separation (a, b) VALUES ('email:ann', 'cookie:c-1');
INSERT INTO separation (a, b) VALUES ('ann@example.com', 'cookie:c-1');

-- Nothing of this has changed anything else.
SELECT name, max_per_profile, max_links, owner_share, priority, expires_after
FROM identifier_type WHERE name IN ('login', 'email', 'cookie') ORDER BY priority;
SELECT half_life, region, rejections_kept, expired_as_of FROM setting;

-- Run-time settings ---------------------------------------------------------------------------------

SHOW identity_resolve.graph_memory;
SHOW identity_resolve.checkpoint_interval;
SET identity_resolve.graph_memory = '1MB';
SET identity_resolve.checkpoint_interval = '-1s';
