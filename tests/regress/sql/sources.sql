-- Sources: tables, views and the like whose rows are sightings.
\set ECHO none
SET client_min_messages = warning;
CREATE EXTENSION identity_resolve;
CREATE EXTENSION file_fdw;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;

-- One row for each person, and for each identifier that is nobody's.
CREATE VIEW people AS
SELECT string_agg(identifier, '  ' ORDER BY identifier) AS identifiers
FROM identity_resolve.profile_identifier GROUP BY profile, CASE WHEN profile IS NULL THEN identifier END
ORDER BY 1;
CREATE VIEW link AS
SELECT a, b, sightings, first_seen, last_seen FROM identity_resolve.links ORDER BY a, b;
\set ECHO all

-- A table with a key ------------------------------------------------------------------------------

CREATE TABLE customer (id int PRIMARY KEY, email text, mobile text, home_phone text, updated_at timestamptz);
INSERT INTO customer VALUES (1, 'Ann@Example.com', '06 12 34 56 78', '01 99 00 45 67', '2025-03-01 10:00+00'),
                            (2, 'bob@example.com', NULL, ' ', '2025-03-02 23:30-05');

-- A string names a column, a list several, and {"value": …} is a constant.
SELECT identity_resolve.add_source('customer', '{
    "key": "id",
    "identifiers": {"customer_number": "id", "email": "email", "phone": ["mobile", "home_phone"]},
    "traits": {"birth_date": "updated_at"},
    "seen_at": "updated_at", "channel": {"value": "Store"}, "region": {"value": "FR"}
}');

-- Attached is not read.
SELECT source, name, mode, backfilled_at, rows_read FROM identity_resolve.source;
TABLE people;

-- A backfill reads it. Each row is an identifier of its own, too: record:schema.table/key.
CALL identity_resolve.backfill('customer');
TABLE people;
TABLE link;
SELECT source, backfilled_at IS NOT NULL AS backfilled, rows_read, malformed, blocked FROM identity_resolve.source;

-- Read again, nothing changes: the rows are not even written.
CREATE VIEW version AS
SELECT 'identifier' AS relation, ctid AS place, xmin AS written_by FROM identity_resolve.identifier
UNION ALL SELECT 'link', ctid, xmin FROM identity_resolve.link;
CREATE TEMP TABLE before AS TABLE version;
CALL identity_resolve.backfill('customer');
SELECT count(*) AS rows, (SELECT count(*) FROM (TABLE before EXCEPT TABLE version) AS gone) AS rewritten FROM version;

-- The evidence of a keyed source is what its rows say now. What they said is taken back, and an
-- identifier of which nothing is left disappears.
UPDATE customer SET email = 'bob@work.example', updated_at = '2025-04-01 00:00+00' WHERE id = 2;
DELETE FROM customer WHERE id = 1;
CALL identity_resolve.backfill('customer');
TABLE people;
TABLE link;
DELETE FROM customer;
CALL identity_resolve.backfill('customer');
TABLE people;
SELECT identity_resolve.drop_source('customer');

-- A log of events -----------------------------------------------------------------------------------

-- Without a key, rows are events: what happened has happened, even if the row was deleted to save
-- space. A new backfill replaces evidence from the day of the oldest row on.
CREATE TABLE visit (at timestamp, cookie text, login text);
INSERT INTO visit VALUES ('2025-03-01 12:00', 'c1', 'ann'), ('2025-03-01 13:00', 'c1', 'ann'),
                         ('2025-03-02 12:00', 'c1', 'ann'), ('2025-03-03 12:00', 'c1', NULL),
                         ('2025-03-04 12:00', 'c2', 'bob'), ('2025-03-05 12:00', 'c2', 'bob');
SELECT identity_resolve.add_source('visit', '{"identifiers": {"login": "login", "cookie": "cookie"}, "seen_at": "at", "channel": {"value": "web"}}');
CALL identity_resolve.backfill('visit');
TABLE people;
TABLE link;

-- The rows before 4 March are deleted; their evidence stays.
DELETE FROM visit WHERE at < '2025-03-04';
CALL identity_resolve.backfill('visit');
TABLE link;

-- A row of the range that is left goes, and takes its evidence along.
DELETE FROM visit WHERE at > '2025-03-05';
CALL identity_resolve.backfill('visit');
TABLE link;

-- An empty log says nothing, and so takes nothing back.
TRUNCATE visit;
CALL identity_resolve.backfill('visit');
TABLE link;

-- Two sources speak of one link; each keeps its own evidence.
CREATE TABLE newsletter (cookie text, login text, opened date);
INSERT INTO newsletter VALUES ('c1', 'ann', '2025-06-01');
SELECT identity_resolve.add_source('newsletter', '{"identifiers": {"login": "login", "cookie": "cookie"}, "seen_at": "opened"}');
CALL identity_resolve.backfill();
SELECT s.name, e.channel, e.day, e.sightings
FROM identity_resolve.link AS l, identity_resolve.evidence(l.evidence) AS e
JOIN identity_resolve.source AS s ON s.id = e.source ORDER BY s.name, e.day;

-- Detached, a source takes back all that it told, and only that.
SELECT identity_resolve.drop_source('visit');
TABLE link;
TABLE people;
SELECT identity_resolve.drop_source('newsletter');
TABLE people;

-- Relations of other kinds ---------------------------------------------------------------------------

-- A view: for columns that must be cast or computed. It is read as a whole.
CREATE TABLE raw (document jsonb);
INSERT INTO raw VALUES ('{"user": {"mail": "ann@example.com"}, "card": 7}'), ('{"card": 8}');
CREATE VIEW card AS SELECT document #>> '{user,mail}' AS email, (document ->> 'card')::int AS card FROM raw;
SELECT identity_resolve.add_source('card', '{"identifiers": {"email": "email", "loyalty_card": "card"}}');
CALL identity_resolve.backfill('card');
TABLE people;
SELECT identity_resolve.drop_source('card');

-- A materialized view.
CREATE MATERIALIZED VIEW card_copy AS TABLE card;
SELECT identity_resolve.add_source('card_copy', '{"key": "card", "identifiers": {"email": "email"}}');
CALL identity_resolve.backfill('card_copy');
TABLE people;
SELECT identity_resolve.drop_source('card_copy');

-- A partitioned table, of several levels, with its columns in any order.
CREATE TABLE event (at date, cookie text, login text) PARTITION BY RANGE (at);
CREATE TABLE event_2024 PARTITION OF event FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE event_2025 PARTITION OF event FOR VALUES FROM ('2025-01-01') TO ('2026-01-01') PARTITION BY LIST (cookie);
CREATE TABLE event_2025_c1 (login text, extra int, cookie text, at date);
ALTER TABLE event_2025_c1 DROP COLUMN extra;
ALTER TABLE event_2025 ATTACH PARTITION event_2025_c1 FOR VALUES IN ('c1');
CREATE TABLE event_2025_rest PARTITION OF event_2025 DEFAULT;
INSERT INTO event VALUES ('2024-06-01', 'c1', 'ann'), ('2025-06-01', 'c1', 'ann'), ('2025-06-02', 'c2', 'bob');
SELECT identity_resolve.add_source('event', '{"identifiers": {"login": "login", "cookie": "cookie"}, "seen_at": "at"}');
CALL identity_resolve.backfill('event');
TABLE people;
TABLE link;
SELECT identity_resolve.drop_source('event');

-- A table with children, and not one row twice.
CREATE TABLE parent (login text, cookie text);
CREATE TABLE child () INHERITS (parent);
INSERT INTO parent VALUES ('ann', 'c1');
INSERT INTO child VALUES ('ann', 'c1');
SELECT identity_resolve.add_source('parent', '{"identifiers": {"login": "login", "cookie": "cookie"}}');
CALL identity_resolve.backfill('parent');
SELECT a, b, sightings FROM link;
SELECT identity_resolve.drop_source('parent');

-- A foreign table.
CREATE FOREIGN TABLE answer (id int, email text) SERVER files
    OPTIONS (program 'printf ''1,ann@example.com\n2,bob@example.com\n''', format 'csv');
SELECT identity_resolve.add_source('answer', '{"key": "id", "identifiers": {"email": "email"}}');
CALL identity_resolve.backfill('answer');
TABLE people;
SELECT identity_resolve.drop_source('answer');

-- Names that need quotes, even these.
CREATE SCHEMA "Call Center";
CREATE TABLE "Call Center"."the ""big"" list; DROP TABLE x" ("E-Mail" text, "caller's phone" text, "select" int);
INSERT INTO "Call Center"."the ""big"" list; DROP TABLE x" VALUES ('ann@example.com', '+33612345678', 1);
SELECT identity_resolve.add_source('"Call Center"."the ""big"" list; DROP TABLE x"',
    '{"key": "select", "identifiers": {"email": "E-Mail", "phone": "caller''s phone"}}');
CALL identity_resolve.backfill('"Call Center"."the ""big"" list; DROP TABLE x"');
TABLE people;
SELECT source, name FROM identity_resolve.source;
SELECT identity_resolve.drop_source('"Call Center"."the ""big"" list; DROP TABLE x"');

-- What a mapping may say -------------------------------------------------------------------------------

-- Columns of any single-valued type; domains and enums as what they are.
CREATE DOMAIN mail AS text CHECK (VALUE LIKE '%@%');
CREATE TYPE colour AS ENUM ('red', 'blue');
CREATE TABLE kinds (a mail, b colour, c uuid, d bigint, e varchar(10), f char(10), g inet, h numeric, i boolean, j date);
INSERT INTO kinds VALUES ('ann@example.com', 'red', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 7, 'v', 'c', '192.0.2.1',
                          12345678901234567890123, true, '2025-03-01');
SELECT identity_resolve.add_source('kinds', '{"identifiers": {"email": "a", "login": "b", "mobile_ad_id": "c",
    "customer_number": "d", "cookie": ["e", "f"], "ip": "g", "account_number": "h", "device": ["i", "j"]}}');
CALL identity_resolve.backfill('kinds');
TABLE people;

-- Its text does not depend on how a session likes to see it.
SET datestyle = 'german';
SET extra_float_digits = -15;
CALL identity_resolve.backfill('kinds');
RESET datestyle;
RESET extra_float_digits;
SELECT identifier FROM identity_resolve.profile_identifier WHERE type = 'device' ORDER BY 1;
SELECT identity_resolve.drop_source('kinds');

-- A key alone makes records; so do rows whose other values are null.
CREATE TABLE person (id text, name text);
INSERT INTO person VALUES ('a', 'Ann'), ('b', 'Bob'), (NULL, 'Nobody');
SELECT identity_resolve.add_source('person', '{"key": "id", "traits": {"first_name": "name"}}');
CALL identity_resolve.backfill('person');
TABLE people;
SELECT identity_resolve.drop_source('person');

-- Columns may say where, on what, and in which country a row was seen; what is not configured is kept
-- by name. Rows without a time were seen on the day the source was attached.
CREATE TABLE seen (login text, cookie text, phone text, place text, device text, country text, at text);
INSERT INTO seen VALUES ('ann', 'c1', '06 12 34 56 78', 'Web', 'Tablet', 'fr', '2025-03-01 23:30:00-05'),
                        ('ann', 'c1', '02 555 12 17', 'pigeon', 'fridge', 'BE', '2025-03-01T12:00:00Z'),
                        ('ann', 'c1', '+1 415 555 2671', NULL, '', '', NULL);
SELECT identity_resolve.add_source('seen', '{"identifiers": {"login": "login", "cookie": "cookie", "phone": "phone"},
    "channel": "place", "device_type": "device", "region": "country", "seen_at": "at"}');
CALL identity_resolve.backfill('seen');
TABLE people;
SELECT e.channel, CASE WHEN e.day = s.attached_on THEN 'attached' ELSE e.day::text END AS day, e.sightings
FROM identity_resolve.link AS l
JOIN identity_resolve.identifier AS b ON b.id = l.b AND b.identifier = 'cookie:c1',
    identity_resolve.evidence(l.evidence) AS e
JOIN identity_resolve.source AS s ON s.id = e.source ORDER BY channel, day;
SELECT e.device_type, e.day, e.sightings
FROM identity_resolve.identifier AS i, identity_resolve.evidence(i.evidence) AS e
WHERE i.identifier = 'cookie:c1' ORDER BY device_type;
SELECT identity_resolve.drop_source('seen');

-- A renamed table stays attached, and its records keep their names.
CREATE TABLE old_name (id int, email text);
INSERT INTO old_name VALUES (1, 'ann@example.com');
SELECT identity_resolve.add_source('old_name', '{"key": "id", "identifiers": {"email": "email"}}');
CALL identity_resolve.backfill('old_name');
ALTER TABLE old_name RENAME TO new_name;
CALL identity_resolve.backfill('new_name');
TABLE people;
SELECT source, name FROM identity_resolve.source;

-- A dropped table can still be detached, by the number under which it was attached.
SELECT 'new_name'::regclass::oid AS number \gset
DROP TABLE new_name;
SELECT identity_resolve.drop_source(:number::oid::regclass);
TABLE people;

-- In a transaction block a backfill is part of the transaction.
CREATE TABLE late (login text);
INSERT INTO late VALUES ('ann');
BEGIN;
SELECT identity_resolve.add_source('late', '{"identifiers": {"login": "login"}}');
CALL identity_resolve.backfill('late');
TABLE people;
ROLLBACK;
TABLE people;
SELECT count(*) AS sources FROM identity_resolve.source;
