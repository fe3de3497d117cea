-- Mode queue: a writer only appends; what it wrote is resolved later, by the worker or, as here, by
-- drain_queue().
\set ECHO none
SET client_min_messages = warning;
CREATE EXTENSION identity_resolve;
DROP ROLE IF EXISTS queue_shop;
CREATE ROLE queue_shop;

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

-- What waits, and what was set aside.
CREATE VIEW waiting AS
SELECT s.name, sum(q.rows) AS rows FROM identity_resolve.queue AS q JOIN identity_resolve.source AS s ON s.id = q.source
GROUP BY s.name ORDER BY s.name;
CREATE VIEW set_aside AS
SELECT s.name, d.sqlstate, d.error, d.attempts, d.row IS NOT NULL AS row_shown, d.content
FROM identity_resolve.dead_letter AS d LEFT JOIN identity_resolve.source AS s ON s.id = d.source
ORDER BY s.name, d.id;

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
CREATE TABLE customer (id int PRIMARY KEY, email text, login text, changed date);
CREATE TABLE visit (at date, cookie text, login text);
\pset format unaligned
\pset fieldsep ' | '
\pset footer off
\set ECHO all

-- What a writer writes waits ------------------------------------------------------------------------

SELECT identity_resolve.add_source('customer', '{"key": "id", "identifiers": {"customer_number": "id", "login": "login", "email": "email"},
    "seen_at": "changed"}', mode => 'queue');
SELECT identity_resolve.add_source('visit', '{"identifiers": {"login": "login", "cookie": "cookie"}, "seen_at": "at",
    "channel": {"value": "web"}}', mode => 'queue');
SELECT running, pid, backlog, lag, drained, dead_letters, errors, last_error FROM identity_resolve.worker_status;

INSERT INTO customer VALUES (1, 'ann@example.com', 'ann', '2025-03-01'), (2, 'bob@example.com', 'bob', '2025-03-01');
INSERT INTO visit VALUES ('2025-03-02', 'c1', 'ann'), ('2025-03-02', 'c1', 'ann'), ('2025-03-03', 'c2', NULL);
INSERT INTO visit SELECT * FROM visit WHERE false;
COPY visit FROM stdin (FORMAT csv);
2025-03-04,c3,bob
\.
TABLE people;
TABLE waiting;
SELECT running, backlog, lag BETWEEN '0' AND '1 minute' AS lag, dead_letters FROM identity_resolve.worker_status;

CALL identity_resolve.drain_queue();
TABLE people;
TABLE link;
TABLE waiting;
SELECT running, backlog, lag, drained, dead_letters, errors FROM identity_resolve.worker_status;
-- Nothing is left to do.
CALL identity_resolve.drain_queue();
SELECT backlog, drained FROM identity_resolve.worker_status;
SELECT changed_by_backfill();

-- UPDATE, DELETE, TRUNCATE ----------------------------------------------------------------------------

UPDATE customer SET email = 'ann@work.example' WHERE id = 1;
DELETE FROM customer WHERE id = 2;
UPDATE visit SET login = 'ann' WHERE cookie = 'c3';
SELECT * FROM link WHERE a LIKE 'customer%' OR b = 'cookie:c3';
CALL identity_resolve.drain_queue();
TABLE people;
TABLE link;

-- In the order in which it happened: the queue ends where the table does.
INSERT INTO customer VALUES (3, 'eve@example.com', 'eve', '2025-03-05');
UPDATE customer SET email = 'eve@work.example' WHERE id = 3;
UPDATE customer SET email = 'eve@home.example' WHERE id = 3;
INSERT INTO customer VALUES (4, 'dan@example.com', 'dan', '2025-03-05');
DELETE FROM customer WHERE id = 4;
INSERT INTO customer VALUES (1, 'x@example.com', 'x', '2025-03-05') ON CONFLICT (id) DO UPDATE SET changed = excluded.changed;
MERGE INTO customer AS c USING (VALUES (5, 'gus')) AS n (id, login) ON c.id = n.id
WHEN NOT MATCHED THEN INSERT VALUES (n.id, NULL, n.login, '2025-03-05');
CALL identity_resolve.drain_queue();
SELECT * FROM link WHERE a LIKE 'customer%';
SELECT changed_by_backfill();

INSERT INTO customer VALUES (6, 'ida@example.com', 'ida', '2025-03-06');
TRUNCATE customer;
INSERT INTO customer VALUES (7, 'kim@example.com', 'kim', '2025-03-06');
TABLE waiting;
CALL identity_resolve.drain_queue();
SELECT * FROM link WHERE a LIKE 'customer%';
-- Of a log, DELETE and TRUNCATE take nothing back.
DELETE FROM visit WHERE cookie = 'c3';
TRUNCATE visit;
TABLE waiting;
CALL identity_resolve.drain_queue();
SELECT * FROM link WHERE a LIKE 'login%';

-- Transactions -------------------------------------------------------------------------------------------

-- What is rolled back was never queued.
BEGIN;
INSERT INTO visit VALUES ('2025-04-01', 'c4', 'kim');
TABLE waiting;
SAVEPOINT second_thoughts;
INSERT INTO visit VALUES ('2025-04-01', 'c5', 'kim');
ROLLBACK TO second_thoughts;
TABLE waiting;
ROLLBACK;
TABLE waiting;
SELECT count(*) AS queued FROM identity_resolve.queue;

-- drain_queue() may be part of a transaction. It sees what that has written, and goes back with it.
BEGIN;
INSERT INTO visit VALUES ('2025-04-01', 'c4', 'kim');
CALL identity_resolve.drain_queue();
SELECT identity_resolve.resolve('cookie:c4') = identity_resolve.resolve('login:kim') AS hers;
ROLLBACK;
SELECT identity_resolve.resolve('cookie:c4') IS NULL AS unknown;
SELECT count(*) AS queued FROM identity_resolve.queue;

-- Drained once is drained for good.
INSERT INTO visit VALUES ('2025-04-02', 'c6', 'kim');
CALL identity_resolve.drain_queue();
CALL identity_resolve.drain_queue();
SELECT sightings FROM link WHERE b = 'cookie:c6';

-- A backfill and the queue ---------------------------------------------------------------------------------

-- A row that waits is in the table, too: a backfill reads it there, and it counts once.
INSERT INTO visit VALUES ('2025-04-03', 'c7', 'kim');
INSERT INTO customer VALUES (8, 'lou@example.com', 'lou', '2025-04-03');
UPDATE customer SET email = 'lou@work.example' WHERE id = 8;
CALL identity_resolve.backfill();
SELECT * FROM link WHERE b IN ('cookie:c7', 'login:lou') OR b LIKE 'email:lou%';
CALL identity_resolve.drain_queue();
SELECT * FROM link WHERE b IN ('cookie:c7', 'login:lou') OR b LIKE 'email:lou%';
TABLE waiting;
-- Of one source: the other one's rows go on waiting.
INSERT INTO visit VALUES ('2025-04-04', 'c8', 'kim');
INSERT INTO customer VALUES (9, 'max@example.com', 'max', '2025-04-04');
CALL identity_resolve.backfill('visit');
CALL identity_resolve.drain_queue();
SELECT b, sightings FROM link WHERE last_seen = '2025-04-04';
SELECT changed_by_backfill();

-- Other modes and the queue ---------------------------------------------------------------------------------

-- What waits is applied before the mode changes.
INSERT INTO visit VALUES ('2025-05-01', 'c9', 'kim');
INSERT INTO customer VALUES (10, 'zoe@example.com', 'zoe', '2025-05-01');
SELECT identity_resolve.set_mode('visit', 'trigger');
TABLE waiting;
INSERT INTO visit VALUES ('2025-05-01', 'c9', 'kim');
SELECT a, b, sightings FROM link WHERE last_seen = '2025-05-01';
SELECT identity_resolve.set_mode('visit', 'queue');
INSERT INTO visit VALUES ('2025-05-02', 'c10', 'kim');
SELECT identity_resolve.set_mode('visit', 'manual');
SELECT identity_resolve.resolve('cookie:c10') = identity_resolve.resolve('login:kim') AS hers;
SELECT identity_resolve.set_mode('visit', 'queue');
-- A source that is detached takes along what waits for it.
BEGIN;
INSERT INTO visit VALUES ('2025-05-03', 'c11', 'kim');
SELECT identity_resolve.drop_source('visit');
TABLE waiting;
CALL identity_resolve.drain_queue();
TABLE people;
ROLLBACK;
CALL identity_resolve.drain_queue();
SELECT changed_by_backfill();

-- The writer ----------------------------------------------------------------------------------------------

-- needs no right on anything of ours, and cannot look at what waits.
GRANT INSERT, UPDATE, DELETE ON visit TO queue_shop;
SET ROLE queue_shop;
INSERT INTO visit VALUES ('2025-06-01', 'c12', 'lou');
TABLE identity_resolve.queue;
CALL identity_resolve.drain_queue();
RESET ROLE;
CALL identity_resolve.drain_queue();
SELECT b, sightings FROM link WHERE last_seen = '2025-06-01';

-- cannot fail because of a value: that is left out and shown,
INSERT INTO customer VALUES (11, 'tom.example.com', 'tom', '2025-06-01'), (12, repeat('x', 10 * 1024 * 1024), 'tim', '2025-06-01');
CALL identity_resolve.drain_queue();
SELECT row_key, column_name, left(value, 20) AS value, error FROM identity_resolve.rejections ORDER BY row_key;
SELECT identity_resolve.resolve('login:tom') IS NOT NULL AS tom, identity_resolve.resolve('login:tim') IS NOT NULL AS tim;

-- nor because the table has lost a column. That is noted in dead_letter, and no other source has to wait
-- until somebody has seen to it.
CREATE TABLE form (id int, email text, login text, at date);
SELECT identity_resolve.add_source('form', '{"key": "id", "identifiers": {"email": "email", "login": "login"}, "seen_at": "at"}', 'queue');
INSERT INTO form VALUES (1, 'amy@example.com', 'amy', '2025-06-02');
ALTER TABLE form RENAME COLUMN login TO sign_in;
INSERT INTO form VALUES (2, 'ben@example.com', 'ben', '2025-06-02');
INSERT INTO visit VALUES ('2025-06-02', 'c13', 'lou');
CALL identity_resolve.drain_queue();
SELECT DISTINCT name, sqlstate, error FROM set_aside;
SELECT * FROM link WHERE a = 'login:lou' AND last_seen = '2025-06-02';
-- With the column back, and what can be retried retried, a backfill finds the rest in the table.
ALTER TABLE form RENAME COLUMN sign_in TO login;
SELECT identity_resolve.retry_dead_letters('form') \g /dev/null
CALL identity_resolve.drain_queue();
CALL identity_resolve.backfill('form');
SELECT * FROM link WHERE last_seen = '2025-06-02';
SELECT identity_resolve.drop_source('form');
TABLE set_aside;

-- Poison ----------------------------------------------------------------------------------------------------

-- A row that cannot be applied, whatever the reason, is tried three times and set aside. All the rest
-- is applied, even what came in the same statement.
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.identifier LIKE '%poison%' THEN
        RAISE EXCEPTION 'no %', NEW.identifier USING ERRCODE = 'triggered_action_exception';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE INSERT ON identity_resolve.identifier FOR EACH ROW EXECUTE FUNCTION refuse();
INSERT INTO visit VALUES ('2025-07-01', 'c20', 'kim');
INSERT INTO visit VALUES ('2025-07-01', 'c21', 'kim'), ('2025-07-01', 'poison', 'kim'), ('2025-07-01', 'c22', 'kim');
INSERT INTO visit VALUES ('2025-07-01', 'c23', 'kim');
INSERT INTO customer VALUES (20, 'poison@example.com', 'pia', '2025-07-01'), (21, 'ron@example.com', 'ron', '2025-07-01');
-- Bytes that are no rows at all, in the middle of the queue, and of a source that is not there.
INSERT INTO identity_resolve.queue
SELECT nextval('identity_resolve.queue_id'), id, now(), 1, content
FROM identity_resolve.source, (VALUES ('\xdeadbeef'::bytea), ('\x00')) AS v (content) WHERE name = 'public.visit';
INSERT INTO identity_resolve.queue VALUES (nextval('identity_resolve.queue_id'), -7, now(), 1, '\x01');
INSERT INTO visit VALUES ('2025-07-01', 'c24', 'kim');
CALL identity_resolve.drain_queue();
SELECT a, b, sightings FROM link WHERE last_seen = '2025-07-01';
SELECT name, sqlstate, error, attempts, row_shown FROM set_aside;
SELECT d.row FROM identity_resolve.dead_letter AS d WHERE d.sqlstate = '09000' ORDER BY d.id;
SELECT failed_at BETWEEN now() - interval '1 minute' AND clock_timestamp() AS just_now, count(*) FROM identity_resolve.dead_letter GROUP BY 1;
SELECT count(*) AS queued FROM identity_resolve.queue;
SELECT backlog, lag, dead_letters FROM identity_resolve.worker_status;

-- Tried again while nothing was mended it is set aside again.
SELECT identity_resolve.retry_dead_letters('customer');
SELECT dead_letters, backlog FROM identity_resolve.worker_status;
CALL identity_resolve.drain_queue();
SELECT name, sqlstate, error, attempts FROM set_aside WHERE name = 'public.customer';

-- Mended, it goes through. What is no row is thrown away by hand.
DROP TRIGGER refuse ON identity_resolve.identifier;
DELETE FROM identity_resolve.dead_letter WHERE sqlstate <> '09000';
SELECT identity_resolve.retry_dead_letters();
TABLE set_aside;
CALL identity_resolve.drain_queue();
SELECT a, b, sightings FROM link WHERE last_seen = '2025-07-01';
SELECT identity_resolve.retry_dead_letters();
SELECT backlog, dead_letters FROM identity_resolve.worker_status;
SELECT changed_by_backfill();

-- A keyed row that was set aside and has changed since: nothing is counted twice, and none of what it
-- said once stays.
CREATE TRIGGER refuse BEFORE INSERT ON identity_resolve.identifier FOR EACH ROW EXECUTE FUNCTION refuse();
INSERT INTO customer VALUES (22, 'poison2@example.com', 'uma', '2025-07-02');
CALL identity_resolve.drain_queue();
UPDATE customer SET email = 'uma@example.com' WHERE id = 22;
CALL identity_resolve.drain_queue();
DROP TRIGGER refuse ON identity_resolve.identifier;
SELECT identity_resolve.retry_dead_letters() \g /dev/null
CALL identity_resolve.drain_queue();
SELECT a, b, sightings FROM link WHERE last_seen = '2025-07-02';
SELECT changed_by_backfill();

-- A backfill reads what was set aside from the table: retried afterwards it does not count twice.
CREATE TRIGGER refuse BEFORE INSERT ON identity_resolve.identifier FOR EACH ROW EXECUTE FUNCTION refuse();
INSERT INTO visit VALUES ('2025-07-03', 'poison3', 'uma');
CALL identity_resolve.drain_queue();
DROP TRIGGER refuse ON identity_resolve.identifier;
CALL identity_resolve.backfill();
SELECT identity_resolve.retry_dead_letters() \g /dev/null
CALL identity_resolve.drain_queue();
SELECT a, b, sightings FROM link WHERE last_seen = '2025-07-03';
SELECT changed_by_backfill();

-- Detached, a source leaves no letters behind.
INSERT INTO identity_resolve.queue
SELECT nextval('identity_resolve.queue_id'), id, now(), 1, '\xff' FROM identity_resolve.source WHERE name = 'public.visit';
CALL identity_resolve.drain_queue();
SELECT count(*) AS letters FROM identity_resolve.dead_letter;
SELECT identity_resolve.drop_source('visit');
SELECT identity_resolve.drop_source('customer');
SELECT (SELECT count(*) FROM identity_resolve.queue) AS queued, (SELECT count(*) FROM identity_resolve.dead_letter) AS letters,
       (SELECT count(*) FROM identity_resolve.rejection) AS rejections, (SELECT count(*) FROM identity_resolve.identifier) AS identifiers;

-- What can be asked and set -----------------------------------------------------------------------------------

SELECT count(*) AS rows FROM identity_resolve.worker_status;
SELECT identity_resolve.retry_dead_letters('customer');
SELECT name, setting, unit, context FROM pg_settings WHERE name LIKE 'identity\_resolve.%' ORDER BY name;
SET identity_resolve.queue_batch = 1;

\set ECHO none
DROP OWNED BY queue_shop;
DROP ROLE queue_shop;
