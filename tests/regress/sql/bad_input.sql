-- What is wrong is said: an SQLSTATE, what was found, and what to type. Nothing here may crash,
-- hang, or change what is known.
\set ECHO none
SET client_min_messages = warning;
CREATE EXTENSION identity_resolve;
CREATE EXTENSION file_fdw;
DROP ROLE IF EXISTS bad_input_clerk;
CREATE ROLE bad_input_clerk;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;

\i tests/regress/attempt.sql

CREATE TABLE customer (id int PRIMARY KEY, email text, phone text, tags text[], document jsonb, photo bytea,
                       price money, updated_at timestamptz);
CREATE TABLE supplier (id int, email text);
CREATE VIEW customer_view AS TABLE customer;
CREATE INDEX customer_email ON customer (email);
CREATE SEQUENCE ticket;
CREATE TYPE pair AS (a int, b int);
CREATE TEMP TABLE basket (email text);
CREATE TABLE attached (id int, email text);
INSERT INTO attached VALUES (1, 'ann@example.com');
SELECT identity_resolve.add_source('attached', '{"key": "id", "identifiers": {"email": "email"}}') \g /dev/null
CALL identity_resolve.backfill();
SELECT identity_resolve.identify('{"customer_number": "1", "email": "ann@example.com", "phone": "+33612345678"}', '2025-03-01') \g /dev/null
CREATE TEMP TABLE before AS SELECT i.identifier, i.evidence FROM identity_resolve.identifier AS i;
\pset tuples_only on
\pset format unaligned
\set ECHO all

-- Attaching ---------------------------------------------------------------------------------------

-- 1. No table.
SELECT attempt($$SELECT identity_resolve.add_source(NULL, '{"key": "id"}')$$);
-- 2. No mapping.
SELECT attempt($$SELECT identity_resolve.add_source('customer', NULL)$$);
-- 3. No mode.
SELECT attempt($$SELECT identity_resolve.add_source('customer', '{"key": "id"}', NULL)$$);
-- 4. A mapping that is a list,
SELECT attempt($$SELECT identity_resolve.add_source('customer', '["id", "email"]')$$);
SELECT attempt($$SELECT identity_resolve.add_source('supplier', '["id", {"email": "email"}]')$$);
-- 5. or a text.
SELECT attempt($$SELECT identity_resolve.add_source('customer', '"email"')$$);
-- 6. An unknown part.
SELECT attempt($$SELECT identity_resolve.add_source('customer', '{"identifier": {"email": "email"}}')$$);
-- 7. An unknown part of a part.
SELECT attempt($$SELECT identity_resolve.add_source('customer', '{"key": "id", "purchase": {"price": "price"}}')$$);
-- 8. A part of the wrong kind.
SELECT attempt($$SELECT identity_resolve.add_source('customer', '{"identifiers": ["email", "phone"]}')$$);
SELECT attempt($$SELECT identity_resolve.add_source('customer', '{"key": ["id", "email"]}')$$);
SELECT attempt($$SELECT identity_resolve.add_source('customer', '{"identifiers": {"email": 3}}')$$);
-- 9. A list of no columns.
SELECT attempt($$SELECT identity_resolve.add_source('customer', '{"identifiers": {"email": []}}')$$);
-- 10. A constant that is misspelt, or no single value.
SELECT attempt($$SELECT identity_resolve.add_source('customer', '{"key": "id", "channel": {"valeu": "web"}}')$$);
SELECT attempt($$SELECT identity_resolve.add_source('customer', '{"key": "id", "channel": {"value": ["web"]}}')$$);
-- 11. A mapping that says nothing about anybody.
SELECT attempt($$SELECT identity_resolve.add_source('customer', '{}')$$);
SELECT attempt($$SELECT identity_resolve.add_source('customer', '{"traits": {"email": "email"}}')$$);
-- 12. A column that is not there, almost,
SELECT attempt($$SELECT identity_resolve.add_source('customer', '{"identifiers": {"email": "emial"}}')$$);
-- 13. or not at all.
SELECT attempt($$SELECT identity_resolve.add_source('customer', '{"key": "id", "traits": {"city": "town"}}')$$);
-- 14. One that is there for PostgreSQL only.
SELECT attempt($$SELECT identity_resolve.add_source('customer', '{"key": "ctid"}')$$);
-- 15. A column that is an attack.
SELECT attempt($$SELECT identity_resolve.add_source('customer', '{"key": "id\"; DROP TABLE customer; --"}')$$);
-- 16. An identifier type that is not there, almost,
SELECT attempt($$SELECT identity_resolve.add_source('customer', '{"identifiers": {"emial": "email"}}')$$);
-- 17. or not at all.
SELECT attempt($$SELECT identity_resolve.add_source('customer', '{"identifiers": {"dna": "email"}}')$$);
-- 18. A record, which only a key makes.
SELECT attempt($$SELECT identity_resolve.add_source('customer', '{"identifiers": {"record": "id"}}')$$);
-- 19. Columns that hold several values: an array, JSON, binary data.
SELECT attempt($$SELECT identity_resolve.add_source('customer', '{"identifiers": {"email": "tags"}}')$$);
SELECT attempt($$SELECT identity_resolve.add_source('customer', '{"identifiers": {"email": "document"}}')$$);
SELECT attempt($$SELECT identity_resolve.add_source('customer', '{"key": "photo"}')$$);
-- 20. A time that is none.
SELECT attempt($$SELECT identity_resolve.add_source('customer', '{"key": "id", "seen_at": "id"}')$$);
SELECT attempt($$SELECT identity_resolve.add_source('customer', '{"key": "id", "seen_at": {"value": "yesterday"}}')$$);
-- 21. A region that is none.
SELECT attempt($$SELECT identity_resolve.add_source('customer', '{"key": "id", "region": {"value": "Atlantis"}}')$$);
-- 22. A mode that does not exist,
SELECT attempt($$SELECT identity_resolve.add_source('customer', '{"key": "id"}', mode => 'always')$$);
-- 23. or not for a view: it has no triggers of its own.
SELECT attempt($$SELECT identity_resolve.add_source('customer_view', '{"key": "id"}', mode => 'trigger')$$);
-- 24. A table twice.
SELECT attempt($$SELECT identity_resolve.add_source('attached', '{"key": "id"}')$$);
-- 25. What has no rows.
SELECT attempt($$SELECT identity_resolve.add_source('customer_email', '{"key": "email"}')$$);
SELECT attempt($$SELECT identity_resolve.add_source('ticket', '{"key": "last_value"}')$$);
SELECT attempt($$SELECT identity_resolve.add_source('pair', '{"key": "a"}')$$);
-- 26. What is the system's, the extension's, or gone tomorrow.
SELECT attempt($$SELECT identity_resolve.add_source('pg_class', '{"key": "relname"}')$$);
SELECT attempt($$SELECT identity_resolve.add_source('information_schema.tables', '{"key": "table_name"}')$$);
SELECT attempt($$SELECT identity_resolve.add_source('identity_resolve.identifier', '{"key": "id"}')$$);
SELECT regexp_replace(attempt($$SELECT identity_resolve.add_source('basket', '{"identifiers": {"email": "email"}}')$$), 'pg_temp_[0-9]+', 'pg_temp');
-- 27. What is not there.
SELECT attempt($$SELECT identity_resolve.add_source('costumer', '{"key": "id"}')$$);
SELECT attempt($$SELECT identity_resolve.add_source(4294967295::oid::regclass, '{"key": "id"}')$$);

-- None of these is attached.
SELECT name FROM identity_resolve.source;

-- Reading -----------------------------------------------------------------------------------------

-- 28. A table that is not attached.
SELECT attempt($$CALL identity_resolve.backfill('customer')$$);
SELECT attempt($$SELECT identity_resolve.drop_source('customer')$$);
SELECT attempt($$SELECT identity_resolve.drop_source(NULL)$$);
-- 29. A column that was renamed since it was attached,
ALTER TABLE attached RENAME email TO email_address;
SELECT attempt($$CALL identity_resolve.backfill()$$);
-- 30. has got another type,
ALTER TABLE attached RENAME email_address TO email;
ALTER TABLE attached ALTER email TYPE jsonb USING to_jsonb(email);
SELECT attempt($$CALL identity_resolve.backfill('attached')$$);
-- 31. or was dropped.
ALTER TABLE attached DROP email;
SELECT attempt($$CALL identity_resolve.backfill('attached')$$);
-- 32. A table that was dropped, too.
SELECT 'attached'::regclass::oid AS number \gset
DROP TABLE attached;
SELECT regexp_replace(attempt($$CALL identity_resolve.backfill()$$), :'number', 'NUMBER', 'g');
SELECT attempt(format('SELECT identity_resolve.drop_source(%s::oid::regclass)', :'number'));
SELECT attempt($$CALL identity_resolve.backfill()$$);
-- 33. A view that fails.
CREATE VIEW ratio AS SELECT 1 / 0 AS id;
SELECT attempt($$SELECT identity_resolve.add_source('ratio', '{"key": "id"}')$$);
SELECT attempt($$CALL identity_resolve.backfill()$$);
SELECT attempt($$SELECT identity_resolve.drop_source('ratio')$$);
-- 34. A foreign table whose file is gone.
CREATE FOREIGN TABLE answer (email text) SERVER files OPTIONS (filename '/nowhere/answer.csv');
SELECT attempt($$SELECT identity_resolve.add_source('answer', '{"identifiers": {"email": "email"}}')$$);
SELECT attempt($$CALL identity_resolve.backfill('answer')$$);
SELECT attempt($$SELECT identity_resolve.drop_source('answer')$$);
-- 35. A mapping that was changed by hand.
SELECT attempt($$SELECT identity_resolve.add_source('customer', '{"key": "id", "identifiers": {"email": "email"}}')$$);
UPDATE identity_resolve.source SET mapping = '{"key": "id", "identifiers": {"mail": "email"}}';
SELECT attempt($$CALL identity_resolve.backfill('customer')$$);
SELECT attempt($$SELECT identity_resolve.drop_source('customer')$$);

-- Rows: a bad value is left out and shown, the rest of its row counts ---------------------------------

CREATE TABLE event (no int, login text, email text, phone text, cookie text, n float8, day date, at timestamptz, "when" text);
INSERT INTO event (no, login, email, phone, cookie, n, at) VALUES
    (36, NULL, NULL, NULL, NULL, NULL, NULL),                                    -- nothing at all
    (37, '', '  ', E'\t', U&'\200B', NULL, '2025-03-01'),                         -- nothing that shows
    (38, 'l38', 'ann.example.com', '12', 'c38', NULL, '2025-03-01'),              -- malformed
    (39, 'l39', 'null', 'n/a', 'undefined', NULL, '2025-03-01'),                  -- junk
    (40, 'l40', E'a\001b@example.com', E'+336\n12345678', 'c40', NULL, '2025-03-01'), -- control characters
    (41, 'l41', repeat('x', 10 * 1024 * 1024) || '@example.com', NULL, 'c41', NULL, '2025-03-01'), -- 10 MB
    (42, 'l42', NULL, NULL, 'c42', 'NaN', '2025-03-01'),                          -- not a number
    (43, 'l43', NULL, NULL, 'c43', 'Infinity', '2025-03-01'),
    (44, 'l44', NULL, NULL, 'c44', NULL, 'infinity'),                             -- no time one could live in
    (45, 'l45', NULL, NULL, 'c45', NULL, '-infinity'),
    (46, 'l46', NULL, NULL, 'c46', NULL, '4713-01-01 BC'),
    (47, 'l47', NULL, NULL, 'c47', NULL, '1899-12-31 23:59:59+00'),
    (48, 'l48', NULL, NULL, 'c48', NULL, '294276-12-31 23:59:59+00'),
    (49, 'l49', NULL, NULL, 'c49', NULL, now() + interval '3 days');
SELECT attempt($$SELECT identity_resolve.add_source('event', '{"key": "no", "identifiers": {"login": "login",
    "email": "email", "phone": "phone", "cookie": "cookie", "account_number": "n"}, "seen_at": "at"}')$$);
SELECT attempt($$CALL identity_resolve.backfill('event')$$);
SELECT row_key, column_name, left(regexp_replace(value, '(x{20})x+…', '\1…'), 40) AS value, error FROM identity_resolve.rejections
WHERE row_key < '49' ORDER BY row_key, column_name;
SELECT column_name, error FROM identity_resolve.rejections WHERE row_key = '49';
SELECT rows_read, malformed, blocked FROM identity_resolve.source WHERE name = 'public.event';
SELECT string_agg(b, ' ' ORDER BY b) FROM identity_resolve.links WHERE a LIKE 'login:%' GROUP BY a ORDER BY a;
SELECT attempt($$SELECT identity_resolve.drop_source('event')$$);

-- 50. Dates and texts are no better as times.
UPDATE event SET day = (ARRAY['infinity', '-infinity', '4713-01-01 BC', '5874897-12-31', '2025-03-01']::date[])[no - 37],
                 "when" = (ARRAY['infinity', 'tomorrow', '2025-02-30', '01/02/2003', '2025-03-01'])[no - 37];
SELECT attempt($$SELECT identity_resolve.add_source('event', '{"key": "no", "seen_at": "day"}')$$);
SELECT attempt($$CALL identity_resolve.backfill('event')$$);
SELECT row_key, column_name, value, error FROM identity_resolve.rejections ORDER BY row_key;
SELECT attempt($$SELECT identity_resolve.drop_source('event')$$);
SELECT attempt($$SELECT identity_resolve.add_source('event', '{"key": "no", "seen_at": "when"}')$$);
SELECT attempt($$CALL identity_resolve.backfill('event')$$);
SELECT row_key, column_name, value, error FROM identity_resolve.rejections ORDER BY row_key;
SELECT attempt($$SELECT identity_resolve.drop_source('event')$$);

-- Identifying -------------------------------------------------------------------------------------

-- 51. Nothing.
SELECT attempt($$SELECT identity_resolve.identify(NULL)$$);
SELECT attempt($$SELECT identity_resolve.identify('{}')$$);
SELECT attempt($$SELECT identity_resolve.identify('{"email": null, "phone": "", "cookie": [], "login": [null, " "]}')$$);
-- 52. No object.
SELECT attempt($$SELECT identity_resolve.identify('[{"email": "ann@example.com"}]')$$);
SELECT attempt($$SELECT identity_resolve.identify('"email:ann@example.com"')$$);
SELECT attempt($$SELECT identity_resolve.identify('null')$$);
-- 53. Values that are no texts.
SELECT attempt($$SELECT identity_resolve.identify('{"email": {"home": "ann@example.com"}}')$$);
SELECT attempt($$SELECT identity_resolve.identify('{"email": [["ann@example.com"]]}')$$);
SELECT attempt($$SELECT identity_resolve.identify('{"login": true}')$$);
-- 54. An unknown type.
SELECT attempt($$SELECT identity_resolve.identify('{"e-mail": "ann@example.com"}')$$);
SELECT attempt($$SELECT identity_resolve.identify('{"Email": "ann@example.com"}')$$);
SELECT attempt($$SELECT identity_resolve.identify('{"": "ann@example.com"}')$$);
-- 55. A record, which is made from a source's rows.
SELECT attempt($$SELECT identity_resolve.identify('{"record": "public.customer/1"}')$$);
-- 56. Only a network: that is evidence, and nobody's.
SELECT attempt($$SELECT identity_resolve.identify('{"ip": "192.0.2.1"}')$$);
-- 57. Only unusable values.
SELECT attempt($$SELECT identity_resolve.identify('{"email": "ann.example.com", "phone": "06 12", "login": "anonymous"}')$$);
-- 58. Characters that cannot be: NUL, a lone surrogate, bytes that are no UTF-8.
SELECT attempt($$SELECT identity_resolve.identify('{"login": "a\u0000b"}')$$);
SELECT attempt($$SELECT identity_resolve.identify('{"login": "a\ud800b"}')$$);
SELECT attempt($$SELECT identity_resolve.identify(jsonb_build_object('login', convert_from('\x61ff62', 'UTF8')))$$);
-- 59. Characters that should not be.
SELECT attempt($$SELECT identity_resolve.identify('{"login": "a\u0001b"}')$$);
SELECT attempt($$SELECT identity_resolve.identify('{"login": "\u200b\ufeff"}')$$);
-- 60. 10 MB.
SELECT regexp_replace(attempt($$SELECT identity_resolve.identify(jsonb_build_object('login', repeat('x', 10 * 1024 * 1024)))$$), 'x{50,}', 'xxx');
SELECT regexp_replace(attempt($$SELECT identity_resolve.identify(jsonb_build_object(repeat('x', 10 * 1024 * 1024), '1'))$$), 'x{50,}', 'xxx', 'g');
-- 61. A number beyond all numbers, and JSON beyond all depth.
SELECT attempt($$SELECT left(identity_resolve.identify('{"loyalty_card": 1e400}')::text, 0)$$);
SELECT attempt($$SELECT identity_resolve.identify((repeat('[', 500) || repeat(']', 500))::jsonb)$$);
SELECT attempt($$SELECT identity_resolve.identify(('{"email":' || repeat('[', 500) || repeat(']', 500) || '}')::jsonb)$$);
-- 62. A time that is none, or none of people alive.
SELECT attempt($$SELECT identity_resolve.identify('{"login": "ann"}', NULL)$$);
SELECT attempt($$SELECT identity_resolve.identify('{"login": "ann"}', 'infinity')$$);
SELECT attempt($$SELECT identity_resolve.identify('{"login": "ann"}', '-infinity')$$);
SELECT attempt($$SELECT identity_resolve.identify('{"login": "ann"}', '4713-01-01 BC')$$);
SELECT attempt($$SELECT identity_resolve.identify('{"login": "ann"}', '1899-12-31 23:59:59+00')$$);
SELECT attempt($$SELECT identity_resolve.identify('{"login": "ann"}', '9999-12-31 23:59:59+00')$$);
-- 63. A transaction that may not write, whatever there is to write.
BEGIN READ ONLY;
SELECT attempt($$SELECT identity_resolve.identify('{"login": "new"}', '2025-03-01')$$);
SELECT attempt($$SELECT identity_resolve.identify('{"customer_number": "1", "email": "ann@example.com"}', '2025-03-02')$$);
SELECT attempt($$SELECT identity_resolve.identify('{"email": "ann@example.com", "phone": "+33612345678"}', '2025-03-01')$$);
ROLLBACK;

-- Looking up --------------------------------------------------------------------------------------

-- 64. No type.
SELECT attempt($$SELECT identity_resolve.resolve('ann@example.com')$$);
SELECT attempt($$SELECT identity_resolve.resolve('')$$);
SELECT attempt($$SELECT identity_resolve.resolve(':ann@example.com')$$);
-- 65. No value.
SELECT attempt($$SELECT identity_resolve.resolve('email:')$$);
SELECT attempt($$SELECT identity_resolve.resolve('email', '')$$);
-- 66. An unknown type.
SELECT attempt($$SELECT identity_resolve.resolve('emial:ann@example.com')$$);
SELECT attempt($$SELECT identity_resolve.candidates('dna:ACGT')$$);
-- 67. A malformed value.
SELECT attempt($$SELECT identity_resolve.resolve('email:ann')$$);
SELECT attempt($$SELECT identity_resolve.resolve('phone', '0612345678')$$);
SELECT attempt($$SELECT identity_resolve.candidates('phone:+33 6 12')$$);
SELECT regexp_replace(attempt($$SELECT identity_resolve.canonical('email', repeat('x', 10 * 1024 * 1024))$$), 'x{50,}', 'xxx');
-- 68. An id that is none.
SELECT attempt($$SELECT identity_resolve.current_profile('ann')$$);

-- Rights ------------------------------------------------------------------------------------------

SET ROLE bad_input_clerk;
-- 69. Who has none can call nothing and see nothing.
SELECT attempt($$SELECT identity_resolve.resolve('email:ann@example.com')$$);
SELECT attempt($$SELECT count(*) FROM identity_resolve.profiles$$);
RESET ROLE;
GRANT USAGE ON SCHEMA identity_resolve TO bad_input_clerk;
SET ROLE bad_input_clerk;
SELECT attempt($$SELECT identity_resolve.resolve('email:ann@example.com')$$);
SELECT attempt($$SELECT identity_resolve.identify('{"login": "ann"}')$$);
SELECT attempt($$SELECT identity_resolve.add_source('customer', '{"key": "id"}')$$);
SELECT attempt($$CALL identity_resolve.backfill()$$);
SELECT attempt($$UPDATE identity_resolve.setting SET region = 'FR'$$);
RESET ROLE;
-- 70. Who may attach tables may attach those that he may read.
GRANT EXECUTE ON ALL ROUTINES IN SCHEMA identity_resolve TO bad_input_clerk;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA identity_resolve TO bad_input_clerk;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA identity_resolve TO bad_input_clerk;
SET ROLE bad_input_clerk;
SELECT attempt($$SELECT identity_resolve.add_source('public.customer', '{"key": "id"}')$$);
RESET ROLE;
-- 71. And read, at the time of reading.
GRANT SELECT ON customer TO bad_input_clerk;
SET ROLE bad_input_clerk;
SELECT attempt($$SELECT identity_resolve.add_source('public.customer', '{"key": "id"}')$$);
SELECT attempt($$CALL identity_resolve.backfill('public.customer')$$);
RESET ROLE;
REVOKE SELECT ON customer FROM bad_input_clerk;
SET ROLE bad_input_clerk;
SELECT attempt($$CALL identity_resolve.backfill('public.customer')$$);
RESET ROLE;
SELECT attempt($$SELECT identity_resolve.drop_source('customer')$$);

-- Tables of the extension changed by hand -----------------------------------------------------------

-- 72. Configuration that does not exist any more.
BEGIN;
ALTER TABLE identity_resolve.setting DISABLE TRIGGER ALL;
DELETE FROM identity_resolve.setting;
SELECT attempt($$SELECT identity_resolve.identify('{"login": "ann"}')$$);
ROLLBACK;
-- 73. Evidence that is none: whatever reads it says so, and no other is disturbed.
UPDATE identity_resolve.link SET evidence = '\xffffff' WHERE b = (SELECT id FROM identity_resolve.identifier WHERE identifier = 'email:ann@example.com');
SELECT attempt($$SELECT identity_resolve.identify('{"customer_number": "1", "email": "ann@example.com"}', '2025-03-01')$$);
SELECT attempt($$CALL identity_resolve.backfill()$$);
SELECT attempt($$SELECT sum(weight) FROM identity_resolve.links$$);
SELECT attempt($$SELECT left(identity_resolve.identify('{"login": "other"}', '2025-03-01')::text, 0)$$);
SELECT attempt($$SELECT left(identity_resolve.resolve('email:ann@example.com')::text, 0)$$);
SELECT attempt($$SELECT identity_resolve.evidence('\x00')$$);
SELECT attempt($$SELECT identity_resolve.evidence_weight('\x0000ffffffffffffffffff01', '2025-03-01')$$);
SELECT attempt($$SELECT identity_resolve.evidence_sightings('\x')$$);
DELETE FROM identity_resolve.link WHERE evidence = '\xffffff';

-- After all this, what was known is what is known, and the next sighting works.
SELECT count(*) FROM before LEFT JOIN identity_resolve.identifier AS i USING (identifier, evidence)
WHERE i.id IS NULL AND before.identifier NOT LIKE 'record:%';
SELECT attempt($$SELECT left(identity_resolve.identify('{"customer_number": "1", "email": "ann@example.com"}', '2025-03-01')::text, 0)$$);
CALL identity_resolve.backfill();
SELECT string_agg(identifier, ' ' ORDER BY identifier) FROM identity_resolve.profile_identifier GROUP BY profile ORDER BY 1;

\set ECHO none
DROP OWNED BY bad_input_clerk;
DROP ROLE bad_input_clerk;
