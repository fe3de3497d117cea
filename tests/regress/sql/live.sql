-- Mode trigger: what is written to a source is resolved in the writer's own transaction.
\set ECHO none
SET client_min_messages = warning;
CREATE EXTENSION identity_resolve;
CREATE EXTENSION file_fdw;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
DROP ROLE IF EXISTS live_shop, live_clerk;
CREATE ROLE live_shop;
CREATE ROLE live_clerk;

-- One row for each person, and for each identifier that is nobody's. Rows' own identifiers are left
-- out.
CREATE VIEW people AS
SELECT string_agg(identifier, '  ' ORDER BY identifier) ||
       CASE standing WHEN 'member' THEN '' ELSE ' (' || standing || ')' END AS people
FROM identity_resolve.profile_identifier WHERE type <> 'record'
GROUP BY profile, CASE WHEN profile IS NULL THEN identifier END, standing
ORDER BY 1;

CREATE VIEW link AS
SELECT a, b, sightings, first_seen, last_seen, coalesce(held_reason, 'in force') AS state
FROM identity_resolve.links WHERE b NOT LIKE 'record:%' ORDER BY a, b;

CREATE VIEW triggers AS
SELECT tgrelid::regclass AS "table", tgname AS trigger, tgenabled AS enabled FROM pg_trigger
WHERE tgfoid = 'identity_resolve.observe'::regproc ORDER BY tgrelid::regclass::text, tgname;

-- Everything that is stored, profile ids included.
CREATE VIEW stored AS
SELECT concat_ws(' ', i.identifier, i.profile, i.standing, i.first_seen, i.last_seen, i.evidence) AS row
FROM identity_resolve.identifier AS i
UNION ALL
SELECT concat_ws(' ', a.identifier, b.identifier, l.asserted, l.probability, l.held_reason, l.evidence)
FROM identity_resolve.link AS l
JOIN identity_resolve.identifier AS a ON a.id = l.a
JOIN identity_resolve.identifier AS b ON b.id = l.b;

-- What a backfill changes: nothing, if what was resolved live is right.
CREATE FUNCTION changed_by_backfill() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    live text[] := ARRAY(SELECT s.row FROM stored AS s);
BEGIN
    CALL identity_resolve.backfill();
    RETURN QUERY (SELECT 'live      ' || l FROM unnest(live) AS l EXCEPT SELECT 'live      ' || s.row FROM stored AS s)
           UNION ALL (SELECT 'backfill  ' || s.row FROM stored AS s EXCEPT SELECT 'backfill  ' || l FROM unnest(live) AS l);
END $$;

-- What a statement fails with.
CREATE FUNCTION attempt(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    state text;
    message text;
    detail text;
    hint text;
BEGIN
    EXECUTE statement;
    RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
        detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(E'\n', state || ' ' || message, '  DETAIL ' || nullif(detail, ''), '  HINT   ' || nullif(hint, ''));
END $$;
\pset format unaligned
\pset fieldsep ' | '
\pset footer off
\set ECHO all

-- Attaching ---------------------------------------------------------------------------------------

-- A table of customers, whose rows change, and a log of visits, which only grows.
CREATE TABLE customer (id int PRIMARY KEY, email text, mobile text, login text, changed date, note text);
CREATE TABLE visit (at date, cookie text, login text, device text);
SELECT identity_resolve.add_source('customer', '{
    "key": "id",
    "identifiers": {"customer_number": "id", "login": "login", "email": "email", "phone": "mobile"},
    "seen_at": "changed", "region": {"value": "FR"}
}', mode => 'trigger');
SELECT identity_resolve.add_source('visit', '{
    "identifiers": {"login": "login", "cookie": "cookie"},
    "seen_at": "at", "channel": {"value": "web"}, "device_type": "device"
}', mode => 'trigger');
SELECT name, mode FROM identity_resolve.source ORDER BY name;
TABLE triggers;

-- INSERT ------------------------------------------------------------------------------------------

INSERT INTO customer VALUES (1, 'Ann@Example.com', '06 12 34 56 78', 'ann', '2025-03-01');
TABLE people;
SELECT identifier, role, standing, first_seen, last_seen FROM identity_resolve.profile_identifier ORDER BY identifier;

-- Several rows, the same twice: that is two sightings.
INSERT INTO visit VALUES ('2025-03-02', 'c1', 'ann', 'desktop'), ('2025-03-02', 'c1', 'ann', 'desktop'),
                         ('2025-03-03', 'c1', NULL, 'desktop'), ('2025-03-04', 'c2', NULL, 'smartphone');
TABLE people;
TABLE link;

-- No rows.
INSERT INTO visit SELECT * FROM visit WHERE false;

-- Rows that say nothing.
INSERT INTO visit VALUES (NULL, NULL, NULL, NULL), ('2025-03-05', '', ' ', ''), ('2025-03-05', E'\t', NULL, NULL);
INSERT INTO visit DEFAULT VALUES;
TABLE people;

-- COPY.
COPY visit FROM stdin (FORMAT csv);
2025-03-06,c1,ann,desktop
2025-03-06,c3,bob,tablet
\.
COPY visit (cookie, login, at) FROM stdin WHERE login = 'bob';
c3	bob	2025-03-07
c4	zoe	2025-03-07
\.
TABLE people;

-- Through a view, a function, a CTE.
CREATE VIEW visit_today AS SELECT cookie, login, at FROM visit;
INSERT INTO visit_today VALUES ('c5', 'bob', '2025-03-08');
CREATE FUNCTION sign_in(cookie text, login text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO visit VALUES ('2025-03-08', cookie, login);
    RETURN identity_resolve.resolve('cookie', cookie) = identity_resolve.resolve('login', login);
END $$;
SELECT sign_in('c6', 'bob') AS known_in_the_function;
WITH new AS (INSERT INTO customer VALUES (2, 'bob@example.com', NULL, 'bob', '2025-03-08') RETURNING login)
INSERT INTO visit SELECT '2025-03-08', 'c7', login FROM new;
TABLE people;
SELECT changed_by_backfill();

-- Read your own writes, and take them back ----------------------------------------------------------

BEGIN;
INSERT INTO visit VALUES ('2025-03-09', 'c8', 'ann');
SELECT identity_resolve.resolve('cookie:c8') = identity_resolve.resolve('customer_number:1') AS hers_at_once;
ROLLBACK;
SELECT identity_resolve.resolve('cookie:c8') IS NULL AS nobodys;

BEGIN;
INSERT INTO visit VALUES ('2025-03-09', 'c8', 'ann');
SAVEPOINT second_thoughts;
INSERT INTO visit VALUES ('2025-03-09', 'c8', 'bob'), ('2025-03-09', 'c8', 'bob'), ('2025-03-09', 'c9', 'bob');
SELECT b, a, state FROM link WHERE b IN ('cookie:c8', 'cookie:c9');
ROLLBACK TO second_thoughts;
SELECT b, a, state FROM link WHERE b IN ('cookie:c8', 'cookie:c9');
INSERT INTO visit VALUES ('2025-03-09', 'c9', 'ann');
COMMIT;
SELECT b, a, state FROM link WHERE b IN ('cookie:c8', 'cookie:c9');

-- A statement that fails leaves nothing; its transaction may go on.
DO $$
BEGIN
    INSERT INTO visit VALUES ('2025-03-10', 'c10', 'ann');
    BEGIN
        INSERT INTO customer VALUES (3, 'eve@example.com', NULL, 'eve', '2025-03-10');
        INSERT INTO customer VALUES (1, 'mallory@example.com', NULL, 'mallory', '2025-03-10');
    EXCEPTION WHEN unique_violation THEN
        NULL;
    END;
    INSERT INTO visit VALUES ('2025-03-10', 'c11', 'ann');
END $$;
TABLE people;

-- The same under every isolation level.
BEGIN ISOLATION LEVEL REPEATABLE READ;
INSERT INTO visit VALUES ('2025-03-10', 'c12', 'ann');
SELECT identity_resolve.resolve('cookie:c12') = identity_resolve.resolve('login:ann') AS hers;
ROLLBACK;
BEGIN ISOLATION LEVEL SERIALIZABLE;
INSERT INTO visit VALUES ('2025-03-10', 'c12', 'ann');
SELECT identity_resolve.resolve('cookie:c12') = identity_resolve.resolve('login:ann') AS hers;
ROLLBACK;
SELECT changed_by_backfill();

-- UPDATE ------------------------------------------------------------------------------------------

-- What a row said is taken back. Of the old address nothing is left: it disappears.
UPDATE customer SET email = 'ann@work.example', changed = '2025-04-01' WHERE id = 1;
SELECT identity_resolve.resolve('email:ann@example.com') IS NULL AS gone,
       identity_resolve.resolve('email:ann@work.example') = identity_resolve.resolve('login:ann') AS hers;
SELECT * FROM link WHERE a = 'customer_number:1';

-- A column that nobody reads: not even a row of ours is written.
CREATE VIEW version AS
SELECT 'identifier' AS relation, ctid AS place, xmin AS written_by FROM identity_resolve.identifier
UNION ALL SELECT 'link', ctid, xmin FROM identity_resolve.link;
CREATE TEMP TABLE before AS TABLE version;
UPDATE customer SET note = 'calls often';
SELECT count(*) AS rewritten FROM (TABLE before EXCEPT TABLE version) AS gone;

-- Rows that swap what they say. The key is not in play, nor the statement's order.
UPDATE customer SET login = CASE login WHEN 'ann' THEN 'bob' ELSE 'ann' END, changed = '2025-04-02';
TABLE people;
UPDATE customer SET login = CASE login WHEN 'ann' THEN 'bob' ELSE 'ann' END;

-- A row under another key is another record.
UPDATE customer SET id = 20 WHERE id = 2;
SELECT identifier FROM identity_resolve.profile_identifier WHERE type IN ('record', 'customer_number') ORDER BY 1;

-- An event, too, is what its row says now.
UPDATE visit SET login = 'ann' WHERE cookie = 'c7';
SELECT a, b, sightings, state FROM link WHERE b = 'cookie:c7';
SELECT changed_by_backfill();

-- INSERT … ON CONFLICT and MERGE ----------------------------------------------------------------------

-- One row is new, one changes, one stays.
INSERT INTO customer VALUES (1, 'ann@home.example', NULL, 'ann', '2025-05-01'), (3, 'eve@example.com', NULL, 'eve', '2025-05-01')
ON CONFLICT (id) DO UPDATE SET email = excluded.email, mobile = excluded.mobile, changed = excluded.changed;
INSERT INTO customer VALUES (3, 'mallory@example.com', NULL, 'mallory', '2025-05-02') ON CONFLICT DO NOTHING;
TABLE people;

-- All that a statement can do, at once.
MERGE INTO customer AS c
USING (VALUES (1, 'ann@work.example'), (3, NULL), (4, 'dan@example.com')) AS news (id, email) ON c.id = news.id
WHEN MATCHED AND news.email IS NULL THEN DELETE
WHEN MATCHED THEN UPDATE SET email = news.email, changed = '2025-05-03'
WHEN NOT MATCHED THEN INSERT (id, email, login, changed) VALUES (news.id, news.email, 'dan', '2025-05-03');
TABLE people;
SELECT changed_by_backfill();

-- DELETE ------------------------------------------------------------------------------------------

-- Without her row in the CRM, what is left of Ann is what she did on the web. She keeps her id, as
-- most of her does.
SELECT identity_resolve.resolve('login:ann') AS ann \gset
DELETE FROM customer WHERE id = 1;
TABLE people;
SELECT identity_resolve.resolve('login:ann') = :'ann' AS same_id;

-- A row may be what holds others together: without it they part.
INSERT INTO customer VALUES (5, 'pat@example.com', NULL, 'pat', '2025-05-10');
INSERT INTO visit VALUES ('2025-05-10', 'p1', 'pat'), ('2025-05-10', 'p2', 'pat');
BEGIN;
INSERT INTO customer VALUES (6, 'pat@example.com', NULL, 'patricia', '2025-05-11');
SELECT a, b, state FROM link WHERE b = 'email:pat@example.com';
DELETE FROM customer WHERE id = 5;
SELECT a, b, state FROM link WHERE b = 'email:pat@example.com';
TABLE people;
ROLLBACK;
DELETE FROM customer WHERE id = 5;

-- What happened has happened: an event whose row is deleted, to save space, stays evidence.
DELETE FROM visit WHERE cookie IN ('c1', 'p1');
SELECT b, sightings FROM link WHERE b IN ('cookie:c1', 'cookie:p1');

-- Only a backfill takes it back, and only from the day of the oldest row on that is left.
DELETE FROM visit WHERE at IS NULL;
SELECT min(at) FROM visit;
SELECT count(*) > 0 AS something_changes FROM changed_by_backfill();
SELECT b, sightings FROM link WHERE b IN ('cookie:c1', 'cookie:p1');

-- What a row takes along: foreign keys.
CREATE TABLE card (number text PRIMARY KEY, customer int REFERENCES customer ON DELETE CASCADE ON UPDATE CASCADE, issued date);
SELECT identity_resolve.add_source('card', '{"key": "number", "identifiers": {"customer_number": "customer", "loyalty_card": "number"},
    "seen_at": "issued"}', 'trigger');
INSERT INTO card VALUES ('A1', 4, '2025-05-12'), ('A2', 20, '2025-05-12');
UPDATE customer SET id = 40 WHERE id = 4;
DELETE FROM customer WHERE id = 20;
TABLE people;
SELECT changed_by_backfill();
SELECT identity_resolve.drop_source('card');
DROP TABLE card;

-- TRUNCATE ----------------------------------------------------------------------------------------

-- Of a table with a key it takes all back; of a log nothing.
BEGIN;
TRUNCATE customer;
TABLE people;
ROLLBACK;
CREATE TEMP TABLE before_truncate AS TABLE people;
TRUNCATE visit;
SELECT count(*) AS lost FROM (TABLE before_truncate EXCEPT TABLE people) AS lost;
-- Then events go on.
INSERT INTO visit VALUES ('2025-06-01', 'c20', 'dan');
SELECT identity_resolve.resolve('cookie:c20') = identity_resolve.resolve('email:dan@example.com') AS dans;

-- Both at once, and rows that come right after.
BEGIN;
TRUNCATE customer, visit;
INSERT INTO customer VALUES (7, 'gus@example.com', NULL, 'gus', '2025-06-02');
SELECT identifier FROM identity_resolve.profile_identifier WHERE type IN ('customer_number', 'record', 'email') ORDER BY 1;
ROLLBACK;
SELECT identity_resolve.resolve('email:dan@example.com') IS NOT NULL AS still_there;

-- The rule, live ------------------------------------------------------------------------------------

-- Beware of joining as they come: loyalty card 2 and address b met on a cookie, then the address turns
-- out to be card 1's. The cookie must not decide that two cards are one person's.
SELECT identity_resolve.drop_source('visit');
SELECT identity_resolve.drop_source('customer');
SELECT count(*) AS known FROM identity_resolve.profile_identifier;
CREATE TABLE seen (card text, email text, cookie text, at date);
SELECT identity_resolve.add_source('seen', '{"identifiers": {"loyalty_card": "card", "email": "email", "cookie": "cookie"}, "seen_at": "at"}', 'trigger');
INSERT INTO seen VALUES ('2', NULL, 'c', '2025-03-01'), ('2', NULL, 'c', '2025-03-01'), (NULL, 'b@example.com', 'c', '2025-03-02');
TABLE people;
INSERT INTO seen VALUES ('1', 'b@example.com', NULL, '2025-03-03');
TABLE people;
TABLE link;
SELECT changed_by_backfill();

-- An address that turns out to be a till's: the fifty-first partner is one too many.
INSERT INTO seen SELECT 'card ' || i, 'till@example.com', NULL, '2025-03-01' FROM generate_series(1, 50) AS i;
SELECT standing, (SELECT count(DISTINCT profile) FROM identity_resolve.profile_identifier WHERE value LIKE 'card %') AS people
FROM identity_resolve.profile_identifier WHERE value = 'till@example.com';
INSERT INTO seen VALUES ('card 51', 'till@example.com', NULL, '2025-03-01');
SELECT standing, (SELECT count(DISTINCT profile) FROM identity_resolve.profile_identifier WHERE value LIKE 'card %') AS people
FROM identity_resolve.profile_identifier WHERE value = 'till@example.com';
SELECT changed_by_backfill();

-- identify() and triggers speak of one graph.
BEGIN;
SELECT identity_resolve.identify('{"loyalty_card": "1", "cookie": "c9"}', '2025-03-04') = identity_resolve.resolve('email:b@example.com') AS same;
INSERT INTO seen VALUES (NULL, 'b@example.com', 'c9', '2025-03-04'), (NULL, NULL, 'c9', '2025-03-04');
SELECT a, b, sightings, state FROM link WHERE b = 'cookie:c9';
SELECT changed_by_backfill();
ROLLBACK;
SELECT identity_resolve.drop_source('seen');
TABLE people;

-- Many rows in one statement --------------------------------------------------------------------------

-- However many people a transaction touches, it holds no more locks than the server has room for.
CREATE TABLE log (login text, cookie text, at date);
SELECT identity_resolve.add_source('log', '{"identifiers": {"login": "login", "cookie": "cookie"}, "seen_at": "at"}', 'trigger');
BEGIN;
INSERT INTO log SELECT 'user ' || i % 10000, 'cookie ' || i, '2025-03-01' FROM generate_series(1, 20000) AS i;
SELECT count(*) <= current_setting('max_locks_per_transaction')::int + 50 AS few FROM pg_locks WHERE pid = pg_backend_pid();
COMMIT;
SELECT count(DISTINCT profile) AS people, count(*) AS identifiers FROM identity_resolve.profile_identifier WHERE type <> 'record';
-- One after the other in one transaction, too.
DO $$
BEGIN
    FOR i IN 1..300 LOOP
        INSERT INTO log VALUES ('late user ' || i, 'late cookie ' || i, '2025-03-02');
    END LOOP;
    ASSERT (SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid()) <= current_setting('max_locks_per_transaction')::int + 50;
END $$;
UPDATE log SET login = 'one user' WHERE login LIKE 'user 1%';
SELECT count(DISTINCT profile) AS people, count(*) AS identifiers FROM identity_resolve.profile_identifier WHERE type <> 'record';
SELECT changed_by_backfill();
SELECT identity_resolve.drop_source('log');
SELECT identity_resolve.add_source('log', '{"key": "cookie", "identifiers": {"login": "login", "cookie": "cookie"}, "seen_at": "at"}', 'trigger');
CALL identity_resolve.backfill();
DELETE FROM log WHERE login <> 'user 7';
SELECT count(DISTINCT profile) AS people, count(*) AS identifiers FROM identity_resolve.profile_identifier WHERE type <> 'record';
DROP TABLE log;
SELECT identity_resolve.drop_source(source) FROM identity_resolve.source WHERE name = 'public.log';
TABLE people;

-- Partitions and children -----------------------------------------------------------------------------

-- A row may come through the table or into a partition of any level, whose columns may stand in
-- another order.
CREATE TABLE event (at date, cookie text, login text) PARTITION BY RANGE (at);
CREATE TABLE event_2024 PARTITION OF event FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE event_2025 PARTITION OF event FOR VALUES FROM ('2025-01-01') TO ('2026-01-01') PARTITION BY LIST (cookie);
CREATE TABLE event_2025_c1 (login text, extra int, cookie text, at date);
ALTER TABLE event_2025_c1 DROP COLUMN extra;
ALTER TABLE event_2025 ATTACH PARTITION event_2025_c1 FOR VALUES IN ('c1');
CREATE TABLE event_2025_rest PARTITION OF event_2025 DEFAULT;
SELECT identity_resolve.add_source('event', '{"key": "cookie", "identifiers": {"login": "login", "cookie": "cookie"}, "seen_at": "at"}', 'trigger');
SELECT "table", count(*) AS triggers FROM triggers GROUP BY "table" ORDER BY "table"::text;
INSERT INTO event VALUES ('2024-06-01', 'c1', 'ann'), ('2025-06-01', 'c1', 'ann'), ('2025-06-02', 'c2', 'bob');
INSERT INTO event_2024 VALUES ('2024-06-02', 'c3', 'ann');
INSERT INTO event_2025 VALUES ('2025-06-03', 'c4', 'ann');
INSERT INTO event_2025_c1 (at, cookie, login) VALUES ('2025-06-04', 'c1', 'ann');
COPY event_2025_rest FROM stdin (FORMAT csv);
2025-06-05,c5,bob
\.
TABLE people;
SELECT a, b, sightings, first_seen, last_seen FROM link;

-- A row that moves to another partition.
UPDATE event SET at = '2025-06-02' WHERE cookie = 'c3';
UPDATE event_2025 SET cookie = 'c1', login = 'bob' WHERE cookie = 'c4';
DELETE FROM event_2025_rest WHERE cookie = 'c5';
SELECT a, b, sightings, first_seen, last_seen FROM link;
SELECT changed_by_backfill();

-- A partition is emptied: what its rows told is taken back, and no more.
BEGIN;
TRUNCATE event_2024;
SELECT a, b, sightings, first_seen, last_seen FROM link;
TRUNCATE event_2025;
SELECT a, b, sightings, first_seen, last_seen FROM link;
ROLLBACK;

-- A partition that comes later is heard through the table at once, by itself from the next backfill or
-- set_mode on.
CREATE TABLE event_2026 PARTITION OF event FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
INSERT INTO event VALUES ('2026-01-01', 'c6', 'ann');
INSERT INTO event_2026 VALUES ('2026-01-02', 'c7', 'ann');
SELECT b, sightings FROM link WHERE last_seen >= '2026-01-01';
CALL identity_resolve.backfill('event');
INSERT INTO event_2026 VALUES ('2026-01-03', 'c8', 'ann');
SELECT b, sightings FROM link WHERE last_seen >= '2026-01-01';
SELECT count(*) AS triggers FROM triggers WHERE "table"::text = 'event_2026';
SELECT changed_by_backfill();

-- No trigger tells that a partition has left; the next backfill sees it. From then on it is a table as
-- any other, to which anybody may write.
ALTER TABLE event DETACH PARTITION event_2026;
SELECT b, sightings FROM link WHERE last_seen >= '2026-01-01';
CALL identity_resolve.backfill('event');
SELECT b, sightings FROM link WHERE last_seen >= '2026-01-01';
INSERT INTO event_2026 VALUES ('2026-01-04', 'c9', 'ann');
SELECT changed_by_backfill();
DROP TABLE event_2026;

SELECT identity_resolve.drop_source('event');
SELECT count(*) AS triggers FROM triggers;

-- Children that inherit. A row belongs to one table and counts once.
CREATE TABLE parent (login text, cookie text, at date);
CREATE TABLE child (extra text) INHERITS (parent);
SELECT identity_resolve.add_source('parent', '{"key": "cookie", "identifiers": {"login": "login", "cookie": "cookie"}, "seen_at": "at"}', 'trigger');
INSERT INTO parent VALUES ('ann', 'c1', '2025-03-01');
INSERT INTO child VALUES ('ann', 'c2', '2025-03-01', 'x');
SELECT a, b, sightings FROM link;
UPDATE parent SET login = 'bob';
SELECT a, b, sightings FROM link;
UPDATE ONLY parent SET login = 'ann';
UPDATE child SET extra = 'y';
SELECT a, b, sightings FROM link;
DELETE FROM parent WHERE cookie = 'c2';
SELECT a, b, sightings FROM link;
INSERT INTO child VALUES ('ann', 'c2', '2025-03-01', 'x');
TRUNCATE ONLY parent;
SELECT a, b, sightings FROM link;
SELECT changed_by_backfill();
TRUNCATE parent;
SELECT a, b, sightings FROM link;
SELECT identity_resolve.drop_source('parent');
SELECT count(*) AS triggers FROM triggers;

-- Hand-made triggers ----------------------------------------------------------------------------------

-- On a source of mode manual they work as mode trigger does. Their transition tables may have any name,
-- even one of PostgreSQL's or of ours.
CREATE TABLE call (id int, at date, phone text, email text, answered boolean);
SELECT identity_resolve.add_source('call', '{"key": "id", "identifiers": {"email": "email", "phone": "phone"},
    "seen_at": "at", "region": {"value": "FR"}}');
CREATE TRIGGER heard AFTER INSERT ON call REFERENCING NEW TABLE AS pg_class
    FOR EACH STATEMENT EXECUTE FUNCTION identity_resolve.observe();
CREATE TRIGGER corrected AFTER UPDATE ON call REFERENCING NEW TABLE AS "what's ""new""" OLD TABLE AS source
    FOR EACH STATEMENT EXECUTE FUNCTION identity_resolve.observe();
CREATE TRIGGER erased AFTER DELETE ON call REFERENCING OLD TABLE AS pg_attribute
    FOR EACH STATEMENT EXECUTE FUNCTION identity_resolve.observe();
CREATE TRIGGER emptied AFTER TRUNCATE ON call EXECUTE FUNCTION identity_resolve.observe();
INSERT INTO call VALUES (1, '2025-03-01', '06 12 34 56 78', 'ann@example.com', true), (2, '2025-03-01', '06 12 34 56 79', 'bob@example.com', true);
TABLE people;
UPDATE call SET phone = '06 12 34 56 70' WHERE id = 1;
DELETE FROM call WHERE id = 2;
TABLE people;
TRUNCATE call;
TABLE people;
DROP TRIGGER heard ON call;
DROP TRIGGER corrected ON call;
DROP TRIGGER erased ON call;
DROP TRIGGER emptied ON call;

-- For each row, on a condition, or at the end of the transaction.
CREATE TRIGGER heard AFTER INSERT ON call FOR EACH ROW WHEN (NEW.answered) EXECUTE FUNCTION identity_resolve.observe();
CREATE CONSTRAINT TRIGGER corrected AFTER UPDATE OR DELETE ON call DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION identity_resolve.observe();
INSERT INTO call VALUES (1, '2025-03-01', '06 12 34 56 78', 'ann@example.com', true), (2, '2025-03-01', '06 12 34 56 79', 'bob@example.com', false);
TABLE people;
BEGIN;
UPDATE call SET phone = '06 12 34 56 70' WHERE id = 1;
TABLE people;
COMMIT;
TABLE people;
DELETE FROM call WHERE id = 1;
TABLE people;
DROP TRIGGER heard ON call;
DROP TRIGGER corrected ON call;

-- With an argument they have a mode of their own.
CREATE TRIGGER heard AFTER INSERT ON call REFERENCING NEW TABLE AS new
    FOR EACH STATEMENT EXECUTE FUNCTION identity_resolve.observe('queue');
INSERT INTO call VALUES (3, '2025-03-01', '06 12 34 56 71', 'eve@example.com', true);
TABLE people;
CALL identity_resolve.drain_queue();
TABLE people;
DROP TRIGGER heard ON call;
CREATE TRIGGER heard AFTER INSERT ON call FOR EACH ROW EXECUTE FUNCTION identity_resolve.observe('trigger');
INSERT INTO call VALUES (4, '2025-03-02', '06 12 34 56 71', 'eve@example.com', true);
SELECT a, b, sightings FROM link;
DROP TRIGGER heard ON call;

-- One that cannot work says why.
CREATE TRIGGER heard AFTER INSERT ON call FOR EACH ROW EXECUTE FUNCTION identity_resolve.observe('later');
SELECT attempt($$INSERT INTO call VALUES (5)$$);
DROP TRIGGER heard ON call;
CREATE TRIGGER heard AFTER INSERT ON call FOR EACH STATEMENT EXECUTE FUNCTION identity_resolve.observe();
SELECT attempt($$INSERT INTO call VALUES (5)$$);
DROP TRIGGER heard ON call;
CREATE TRIGGER heard AFTER UPDATE ON call REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION identity_resolve.observe();
SELECT attempt($$UPDATE call SET at = '2025-03-02'$$);
DROP TRIGGER heard ON call;
CREATE TRIGGER heard BEFORE INSERT ON call FOR EACH ROW EXECUTE FUNCTION identity_resolve.observe();
SELECT attempt($$INSERT INTO call VALUES (5)$$);
DROP TRIGGER heard ON call;
CREATE TABLE stranger (email text);
CREATE TRIGGER heard AFTER INSERT ON stranger FOR EACH ROW EXECUTE FUNCTION identity_resolve.observe();
SELECT attempt($$INSERT INTO stranger VALUES ('ann@example.com')$$);
SELECT attempt($$SELECT identity_resolve.observe()$$);
DROP TABLE stranger;
SELECT identity_resolve.drop_source('call');

-- Replication and restores -------------------------------------------------------------------------------

-- A session that applies what was written elsewhere fires no ordinary trigger: what it writes was, or
-- will be, seen where it comes from. Logical replication applies row by row, so it takes a row-level
-- trigger that is enabled for replicas.
CREATE TABLE copied (id int, email text, login text, at date);
SELECT identity_resolve.add_source('copied', '{"key": "id", "identifiers": {"email": "email", "login": "login"}, "seen_at": "at"}', 'trigger');
SET session_replication_role = replica;
INSERT INTO copied VALUES (1, 'ann@example.com', 'ann', '2025-03-01');
TABLE people;
CREATE TRIGGER applied AFTER INSERT OR UPDATE OR DELETE ON copied FOR EACH ROW EXECUTE FUNCTION identity_resolve.observe();
ALTER TABLE copied ENABLE REPLICA TRIGGER applied;
INSERT INTO copied VALUES (2, 'bob@example.com', 'bob', '2025-03-01');
UPDATE copied SET email = 'bob@work.example' WHERE id = 2;
TABLE people;
RESET session_replication_role;
-- In an ordinary session the other ones do the work, once.
INSERT INTO copied VALUES (3, 'eve@example.com', 'eve', '2025-03-01');
SELECT a, b, sightings FROM link;
DROP TRIGGER applied ON copied;

-- Or let the source's own triggers fire in either case.
ALTER TABLE copied ENABLE ALWAYS TRIGGER identity_resolve_insert;
SET session_replication_role = replica;
INSERT INTO copied VALUES (4, 'dan@example.com', 'dan', '2025-03-01');
DELETE FROM copied WHERE id = 2;
RESET session_replication_role;
TABLE people;
-- What was missed, the next backfill reads.
CALL identity_resolve.backfill();
TABLE people;
SELECT * FROM triggers WHERE enabled <> 'O';
SELECT identity_resolve.drop_source('copied');

-- Modes ------------------------------------------------------------------------------------------------

TRUNCATE visit;
SELECT identity_resolve.add_source('visit', '{"identifiers": {"login": "login", "cookie": "cookie"}, "seen_at": "at"}');
SELECT count(*) AS triggers FROM triggers;
INSERT INTO visit VALUES ('2025-03-01', 'c1', 'ann');
TABLE people;
-- From manual to trigger: what is written from now on. What was written before, the next backfill reads.
SELECT identity_resolve.set_mode('visit', 'trigger');
INSERT INTO visit VALUES ('2025-03-02', 'c1', 'ann');
SELECT a, b, sightings FROM link;
CALL identity_resolve.backfill();
SELECT a, b, sightings FROM link;
-- To queue: what is written waits, until it is drained, or the source goes back to another mode.
SELECT identity_resolve.set_mode('visit', 'queue');
SELECT * FROM triggers;
INSERT INTO visit VALUES ('2025-03-03', 'c1', 'ann');
SELECT a, b, sightings FROM link;
SELECT identity_resolve.set_mode('visit', 'trigger');
SELECT a, b, sightings FROM link;
INSERT INTO visit VALUES ('2025-03-04', 'c1', 'ann');
SELECT a, b, sightings FROM link;
SELECT identity_resolve.set_mode('visit', 'queue');
INSERT INTO visit VALUES ('2025-03-05', 'c1', 'ann');
SELECT identity_resolve.set_mode('visit', 'manual');
SELECT a, b, sightings FROM link;
SELECT mode, (SELECT count(*) FROM triggers) AS triggers, (SELECT count(*) FROM identity_resolve.queue) AS queued FROM identity_resolve.source;
-- The mode it has already.
SELECT identity_resolve.set_mode('visit', 'manual');
SELECT identity_resolve.set_mode('visit', 'trigger');
SELECT identity_resolve.set_mode('visit', 'trigger');
SELECT count(*) AS triggers FROM triggers;
-- And back with the transaction.
BEGIN;
SELECT identity_resolve.set_mode('visit', 'manual');
ROLLBACK;
SELECT mode, (SELECT count(*) FROM triggers) AS triggers FROM identity_resolve.source;
SELECT changed_by_backfill();

-- Not like this.
SELECT attempt($$UPDATE identity_resolve.source SET mode = 'queue'$$);
SELECT attempt($$SELECT identity_resolve.set_mode('visit', 'sometimes')$$);
SELECT attempt($$SELECT identity_resolve.set_mode('visit', NULL)$$);
SELECT attempt($$SELECT identity_resolve.set_mode(NULL, 'queue')$$);
SELECT attempt($$SELECT identity_resolve.set_mode('customer', 'queue')$$);
CREATE MATERIALIZED VIEW visit_copy AS TABLE visit;
CREATE FOREIGN TABLE visit_file (email text) SERVER files OPTIONS (program 'true', format 'csv');
SELECT attempt($$SELECT identity_resolve.add_source('visit_today', '{"identifiers": {"login": "login"}}', 'trigger')$$);
SELECT attempt($$SELECT identity_resolve.add_source('visit_today', '{"identifiers": {"login": "login"}}', 'queue')$$);
SELECT attempt($$SELECT identity_resolve.add_source('visit_copy', '{"identifiers": {"login": "login"}}', 'trigger')$$);
SELECT attempt($$SELECT identity_resolve.add_source('visit_file', '{"identifiers": {"email": "email"}}', 'queue')$$);
SELECT attempt($$SELECT identity_resolve.add_source('customer', '{"identifiers": {"email": "email"}}', 'live')$$);
SELECT identity_resolve.add_source('visit_today', '{"identifiers": {"login": "login"}}');
SELECT attempt($$SELECT identity_resolve.set_mode('visit_today', 'trigger')$$);
SELECT identity_resolve.drop_source('visit_today');

-- Detached, a table has nothing left of us.
SELECT identity_resolve.drop_source('visit');
SELECT count(*) AS triggers FROM pg_trigger WHERE tgrelid = 'visit'::regclass;
SELECT count(*) AS functions FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND probin LIKE '%identity_resolve%';
INSERT INTO visit VALUES ('2025-03-06', 'c1', 'ann');
TABLE people;
-- Attaching is part of the transaction, too.
BEGIN;
SELECT identity_resolve.add_source('visit', '{"identifiers": {"login": "login", "cookie": "cookie"}, "seen_at": "at"}', 'trigger');
INSERT INTO visit VALUES ('2025-03-07', 'c1', 'ann');
TABLE people;
ROLLBACK;
SELECT count(*) AS triggers FROM pg_trigger WHERE tgrelid = 'visit'::regclass;
INSERT INTO visit VALUES ('2025-03-08', 'c1', 'ann');
TABLE people;

-- Rights -----------------------------------------------------------------------------------------------

-- An application needs no right on anything of ours. It may call things by whatever name it likes.
TRUNCATE customer;
SELECT identity_resolve.add_source('customer', '{"key": "id", "identifiers": {"customer_number": "id", "login": "login", "email": "email"}, "seen_at": "changed"}', 'trigger');
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON customer TO live_shop;
CREATE SCHEMA trap AUTHORIZATION live_shop;
SET ROLE live_shop;
INSERT INTO customer VALUES (1, 'ann@example.com', NULL, 'ann', '2025-03-01');
UPDATE customer SET email = 'ann@work.example';
CREATE TABLE trap.log (who text);
CREATE FUNCTION trap.equal(text, text) RETURNS boolean LANGUAGE plpgsql AS
    $$BEGIN INSERT INTO trap.log VALUES (current_user); RETURN false; END$$;
CREATE FUNCTION trap.equal(oid, oid) RETURNS boolean LANGUAGE plpgsql AS
    $$BEGIN INSERT INTO trap.log VALUES (current_user); RETURN false; END$$;
CREATE FUNCTION trap.equal(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS
    $$BEGIN INSERT INTO trap.log VALUES (current_user); RETURN false; END$$;
CREATE OPERATOR trap.= (LEFTARG = text, RIGHTARG = text, FUNCTION = trap.equal);
CREATE OPERATOR trap.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = trap.equal);
CREATE OPERATOR trap.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = trap.equal);
CREATE FUNCTION trap.now() RETURNS timestamptz LANGUAGE plpgsql AS
    $$BEGIN INSERT INTO trap.log VALUES (current_user); RETURN '1999-01-01'; END$$;
CREATE FUNCTION trap.unnest(anyarray) RETURNS SETOF anyelement LANGUAGE plpgsql AS
    $$BEGIN INSERT INTO trap.log VALUES (current_user); END$$;
CREATE TABLE trap.identifier (id bigint, identifier text, profile uuid);
CREATE TABLE trap.source (id int, source regclass, name text, mapping jsonb);
CREATE TABLE trap.customer (id int, email text);
SET search_path = trap, pg_catalog, public;
CREATE TEMP TABLE source (id int, source regclass, name text, mapping jsonb, mode text);
CREATE TEMP TABLE setting (half_life interval, region text);
CREATE TEMP TABLE pg_class (oid oid, relname text);
INSERT INTO public.customer VALUES (2, 'bob@example.com', NULL, 'bob', '2025-03-01');
DELETE FROM public.customer WHERE id OPERATOR(pg_catalog.=) 1;
SELECT count(*) FROM trap.log;
DROP TABLE pg_temp.pg_class;
RESET search_path;
RESET ROLE;
TABLE people;
SELECT changed_by_backfill();

-- It cannot do by hand what the trigger does for it, nor hear other tables' rows.
SET ROLE live_shop;
SELECT attempt($$SELECT identity_resolve.resolve('email:bob@example.com')$$);
SELECT attempt($$CALL identity_resolve.drain_queue()$$);
CREATE TABLE trap.mine (id int, email text);
SELECT attempt($$CREATE TRIGGER mine AFTER INSERT ON trap.mine FOR EACH ROW EXECUTE FUNCTION identity_resolve.observe()$$);
RESET ROLE;

-- Whoever owns a table, but nothing of ours, cannot have code of his run with our rights: here, a cast.
SET ROLE live_shop;
CREATE TABLE trap.form (id int, kind text, at date);
RESET ROLE;
SELECT identity_resolve.add_source('trap.form', '{"key": "id", "identifiers": {"device": "kind"}, "seen_at": "at"}', 'trigger');
SET ROLE live_shop;
CREATE TYPE trap.kind AS ENUM ('phone');
CREATE FUNCTION trap.kind_text(trap.kind) RETURNS text LANGUAGE plpgsql AS $$BEGIN RETURN 'as ' || current_user; END$$;
CREATE CAST (trap.kind AS text) WITH FUNCTION trap.kind_text(trap.kind);
ALTER TABLE trap.form ALTER COLUMN kind TYPE trap.kind USING 'phone';
INSERT INTO trap.form VALUES (1, 'phone', '2025-03-01');
RESET ROLE;
SELECT count(*) AS ran_as_us FROM identity_resolve.profile_identifier WHERE value = 'as ' || current_user;
SELECT identity_resolve.drop_source('trap.form');

-- Whoever attaches a table in another mode than manual puts triggers on it, and so must own it.
GRANT USAGE ON SCHEMA identity_resolve TO live_clerk;
GRANT EXECUTE ON ALL ROUTINES IN SCHEMA identity_resolve TO live_clerk;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA identity_resolve TO live_clerk;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA identity_resolve TO live_clerk;
GRANT SELECT ON visit TO live_clerk;
SET ROLE live_clerk;
SELECT attempt($$SELECT identity_resolve.add_source('visit', '{"identifiers": {"login": "login"}}', 'trigger')$$);
RESET ROLE;
SELECT identity_resolve.drop_source('customer');

-- Values ------------------------------------------------------------------------------------------------

-- A column's text is the same whatever a session likes to see: written under one setting, taken back
-- under another.
CREATE TABLE kinds (id int, born date, at timestamptz, score float8, ratio numeric, place inet);
SELECT identity_resolve.add_source('kinds', '{"key": "id", "identifiers": {"device": ["born", "at", "score"],
    "account_number": "ratio", "cookie": "place"}, "seen_at": {"value": "2025-03-01"}}', 'trigger');
SET datestyle = 'german';
SET timezone = 'America/New_York';
SET extra_float_digits = -15;
INSERT INTO kinds VALUES (1, '1990-12-31', '2025-03-01 12:00:00+00', 0.1 + 0.2::float8, 12.50, '192.0.2.1/24');
SELECT identifier FROM identity_resolve.profile_identifier WHERE type <> 'record' ORDER BY identifier;
RESET datestyle;
RESET timezone;
RESET extra_float_digits;
SELECT changed_by_backfill();
SET datestyle = 'SQL, DMY';
SET timezone = 'Asia/Tokyo';
DELETE FROM kinds;
RESET datestyle;
RESET timezone;
TABLE people;
SELECT identity_resolve.drop_source('kinds');

-- Generated columns, domains, enums.
CREATE DOMAIN mail AS text CHECK (VALUE LIKE '%@%');
CREATE TYPE colour AS ENUM ('red', 'blue');
CREATE TABLE made (raw text, cookie text GENERATED ALWAYS AS (lower(raw)) STORED, email mail, device colour, at date);
SELECT identity_resolve.add_source('made', '{"identifiers": {"cookie": "cookie", "email": "email", "device": "device"}, "seen_at": "at"}', 'trigger');
INSERT INTO made (raw, email, device, at) VALUES ('ABC', 'ann@example.com', 'red', '2025-03-01');
TABLE people;
SELECT identity_resolve.drop_source('made');

-- A malformed or blocked value, a bad time or 10 MB never fail the row. They are left out and shown.
CREATE TABLE form (id int, email text, phone text, login text, cookie text, at text);
SELECT identity_resolve.add_source('form', '{"key": "id", "identifiers": {"email": "email", "phone": "phone", "login": "login", "cookie": "cookie"},
    "seen_at": "at"}', 'trigger');
INSERT INTO form VALUES (1, 'ann.example.com', '06 12', 'anonymous', 'c1', '2025-03-01'),
                        (2, E'a\tb@example.com', NULL, 'bob', 'c2', 'tomorrow'),
                        (3, repeat('x', 10 * 1024 * 1024) || '@example.com', NULL, 'eve', 'c3', 'infinity'),
                        (4, U&'\+01F600@example.com', E'\u200B', E'l\u0001', repeat('y', 1025), '2025-03-01'),
                        (NULL, 'dan@example.com', NULL, 'dan', 'c5', '2025-03-01');
TABLE people;
SELECT row_key, column_name, left(regexp_replace(value, '(x{10}|y{10})[xy]+…', '\1…'), 40) AS value, error
FROM identity_resolve.rejections ORDER BY row_key, column_name;
SELECT changed_by_backfill();
-- A value is mended; its row is read again.
UPDATE form SET email = 'ann@example.com', phone = NULL, login = NULL WHERE id = 1;
SELECT a, b FROM link WHERE a = 'email:ann@example.com';
CALL identity_resolve.backfill();
SELECT row_key, column_name FROM identity_resolve.rejections WHERE row_key = '1';
DELETE FROM form;
TABLE people;
SELECT identity_resolve.drop_source('form');

-- Of an event the row has no name.
CREATE TABLE hit (email text, at date);
SELECT identity_resolve.add_source('hit', '{"identifiers": {"email": "email"}, "seen_at": "at"}', 'trigger');
INSERT INTO hit VALUES ('ann.example.com', '2025-03-01');
SELECT row_key, column_name, value, error FROM identity_resolve.rejections;
SELECT identity_resolve.drop_source('hit');

-- The table changes --------------------------------------------------------------------------------------

CREATE TABLE old_name (id int, email text, login text, at date);
SELECT identity_resolve.add_source('old_name', '{"key": "id", "identifiers": {"email": "email", "login": "login"}, "seen_at": "at"}', 'trigger');
INSERT INTO old_name VALUES (1, 'ann@example.com', 'ann', '2025-03-01');
-- Renamed or moved it stays attached, and its records keep their names.
ALTER TABLE old_name RENAME TO new_name;
INSERT INTO new_name VALUES (2, 'bob@example.com', 'bob', '2025-03-01');
ALTER TABLE new_name SET SCHEMA trap;
INSERT INTO trap.new_name VALUES (3, 'eve@example.com', 'eve', '2025-03-01');
UPDATE trap.new_name SET login = 'annie' WHERE id = 1;
SELECT identifier FROM identity_resolve.profile_identifier ORDER BY identifier;
-- A new column, or a column of another type that can be read: nothing happens.
ALTER TABLE trap.new_name ADD COLUMN note text DEFAULT 'none';
ALTER TABLE trap.new_name ALTER COLUMN login TYPE varchar(30);
INSERT INTO trap.new_name VALUES (4, 'dan@example.com', 'dan', '2025-03-01', 'x');
SELECT identity_resolve.resolve('login:dan') IS NOT NULL AS known;
SELECT changed_by_backfill();
-- A column that is no longer there, under another name, or cannot be read: an error says so, until the
-- source is detached or in mode manual.
ALTER TABLE trap.new_name RENAME COLUMN login TO sign_in;
SELECT attempt($$INSERT INTO trap.new_name VALUES (5, 'gus@example.com', 'gus', '2025-03-01')$$);
ALTER TABLE trap.new_name RENAME COLUMN sign_in TO login;
ALTER TABLE trap.new_name ALTER COLUMN login TYPE jsonb USING to_jsonb(login);
SELECT attempt($$INSERT INTO trap.new_name VALUES (5, 'gus@example.com', '"gus"', '2025-03-01')$$);
ALTER TABLE trap.new_name DROP COLUMN login;
SELECT attempt($$INSERT INTO trap.new_name VALUES (5, 'gus@example.com', '2025-03-01')$$);
SELECT attempt($$DELETE FROM trap.new_name WHERE id = 4$$);
SELECT attempt($$TRUNCATE trap.new_name$$);
SELECT identity_resolve.set_mode('trap.new_name', 'manual');
INSERT INTO trap.new_name VALUES (5, 'gus@example.com', '2025-03-01');
SELECT identity_resolve.drop_source('trap.new_name');
TABLE people;
-- A table that was dropped, with its triggers.
SELECT identity_resolve.add_source('trap.new_name', '{"key": "id", "identifiers": {"email": "email"}, "seen_at": "at"}', 'trigger');
INSERT INTO trap.new_name VALUES (6, 'zoe@example.com', '2025-03-01');
TABLE people;
DROP TABLE trap.new_name;
SELECT identity_resolve.drop_source(source) FROM identity_resolve.source;
TABLE people;

-- The extension goes, and its triggers with it; the table stays and can be written to.
SELECT identity_resolve.add_source('visit', '{"identifiers": {"login": "login", "cookie": "cookie"}, "seen_at": "at"}', 'trigger');
DROP VIEW people, link, triggers, stored, version;
SELECT attempt($$DROP EXTENSION identity_resolve$$);
DROP EXTENSION identity_resolve CASCADE;
SELECT count(*) AS triggers FROM pg_trigger WHERE tgrelid = 'visit'::regclass;
INSERT INTO visit VALUES ('2025-03-09', 'c1', 'ann');

\set ECHO none
DROP OWNED BY live_shop, live_clerk CASCADE;
DROP ROLE live_shop, live_clerk;
