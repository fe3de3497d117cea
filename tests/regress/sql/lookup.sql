-- Looking people up: identify(), resolve(), candidates() and current_profile().
\set ECHO none
SET client_min_messages = warning;
CREATE EXTENSION identity_resolve;
-- Profile ids are random: a test knows them by the names it gives them.
CREATE TEMP TABLE known (name text PRIMARY KEY, profile uuid);
CREATE FUNCTION who(profile uuid) RETURNS text LANGUAGE sql AS
    'SELECT CASE WHEN profile IS NULL THEN ''nobody'' ELSE coalesce((SELECT k.name FROM known AS k WHERE k.profile = who.profile), ''somebody'') END';
\set ECHO all
SET search_path = identity_resolve, public;

-- identify: one sighting in, its profile out ---------------------------------------------------------

-- A visitor is somebody at once, and the same at the next visit.
INSERT INTO known VALUES ('visitor', identify('{"cookie": "c-1"}', '2025-03-01', channel => 'web', device_type => 'smartphone'));
SELECT who(identify('{"cookie": "c-1"}', '2025-03-02', 'web', 'smartphone'));

-- The visitor signs in: the profile, and its id, stay.
SELECT who(identify('{"cookie": "c-1", "login": "ann", "email": " Ann@Example.COM"}', '2025-03-03', 'web', 'smartphone'));
SELECT identifier, role, first_seen, last_seen FROM profile_identifier ORDER BY identifier;

-- A value may be an array, or a number. Nulls and blanks say nothing.
SELECT who(identify('{"login": "ann", "phone": ["+33 6 12 34 56 78", "+33 1 99 00 45 67"], "customer_number": 1017,
                      "email": null, "loyalty_card": "", "account_number": []}', '2025-03-04'));
SELECT identifier FROM profile_identifier WHERE profile = resolve('login:ann') ORDER BY identifier;

-- However long the number is: it is taken to the digit.
SELECT who(identify('{"login": "ann", "loyalty_card": 29900000010010000017}', '2025-03-04'));
SELECT who(resolve('loyalty_card:29900000010010000017')) AS hers, who(resolve('loyalty_card:29900000010010000018')) AS another;

-- What is malformed or blocked is left out of the sighting; the rest counts.
SELECT who(identify('{"login": "ann", "email": "ann.example.com", "phone": "unknown"}', '2025-03-05'));
SELECT who(identify('{"email": "ann.example.com", "phone": "unknown"}', '2025-03-05'));

-- Networks are evidence, not identifiers.
SELECT who(identify('{"login": "ann", "ip": "192.0.2.1"}', '2025-03-05'));
SELECT count(*) FROM profile_identifier WHERE type = 'ip';

-- Traits stay with the sighting's strongest identifier, the latest of each.
SELECT who(identify('{"login": "ann", "cookie": "c-1"}', '2025-03-05', traits => '{"first_name": "Anne", "hobby": "chess", "city": null}'));
SELECT who(identify('{"login": "ann"}', '2025-03-06', traits => '{"first_name": "Ann"}'));
SELECT who(identify('{"login": "ann"}', '2025-03-01', traits => '{"first_name": "A.", "hobby": "go"}'));
SELECT i.identifier, t.name, t.value, t.seen_on FROM trait AS t JOIN identifier AS i ON i.id = t.identifier ORDER BY t.name;

-- It is one transaction with whatever else the application does.
BEGIN;
SELECT who(identify('{"login": "ann", "cookie": "c-2"}', '2025-03-06'));
ROLLBACK;
SELECT who(resolve('cookie:c-2'));

-- Without a time it is now.
SELECT identify('{"cookie": "c-now"}') IS NOT NULL AS somebody;
SELECT first_seen BETWEEN (now() AT TIME ZONE 'UTC')::date - 1 AND (now() AT TIME ZONE 'UTC')::date AS today
FROM profile_identifier WHERE identifier = 'cookie:c-now';

-- resolve: whose is it? ------------------------------------------------------------------------------

-- type:value or type and value, in any spelling.
SELECT who(resolve('email:ann@example.com')) AS one, who(resolve('email', 'ANN@example.com ')) AS two,
       who(resolve('phone: +33 (0)6 12 34 56 78')) AS three;

-- The first colon separates.
SELECT who(identify('{"login": "ann", "cookie": "urn:c:1"}', '2025-03-05')), who(resolve('cookie:urn:c:1'));

-- Unknown and null are nobody's. That is no error; what cannot be an identifier is.
SELECT who(resolve('email:nobody@example.com')), who(resolve(NULL)), who(resolve('email', NULL));
SELECT resolve('email:ann');
SELECT resolve('emial:ann@example.com');

-- Sighting and profile ---------------------------------------------------------------------------------

-- A sighting is its strongest identifier's that has a profile: Ann's mother signs in on Ann's tablet,
-- once.
INSERT INTO known VALUES ('mother', identify('{"login": "mother"}', '2025-03-01'));
SELECT DISTINCT who(identify('{"login": "ann", "cookie": "tablet"}', '2025-03-06', 'web', 'tablet'))
FROM generate_series(1, 20);
SELECT who(identify('{"login": "mother", "cookie": "tablet"}', '2025-03-07', 'web', 'tablet'));

-- Who then only looks at pages on it is taken for Ann.
SELECT who(identify('{"cookie": "tablet"}', '2025-03-07', 'web', 'tablet'));

-- Two who use a desktop alike: it is nobody's, and so is an anonymous visit on it. A visit with
-- something else that is somebody's is that one's.
SELECT DISTINCT who(identify('{"login": "ann", "cookie": "desktop"}', '2025-03-07', 'web', 'desktop')) FROM generate_series(1, 5);
SELECT DISTINCT who(identify('{"login": "mother", "cookie": "desktop"}', '2025-03-07', 'web', 'desktop')) FROM generate_series(1, 5);
SELECT who(identify('{"cookie": "desktop"}', '2025-03-08', 'web', 'desktop'));
SELECT who(resolve('cookie:desktop')), standing FROM profile_identifier WHERE identifier = 'cookie:desktop';
SELECT who(identify('{"cookie": ["desktop", "tablet"]}', '2025-03-08'));

-- candidates: whose may it be? -------------------------------------------------------------------------

-- Each who claims it, with the share of the evidence.
SELECT who(profile), round(share::numeric, 2) AS share, reason FROM candidates('cookie:tablet');
SELECT who(profile), round(share::numeric, 2) AS share, reason FROM candidates('cookie:desktop') ORDER BY 1;

-- Of what nobody contests there is one.
SELECT who(profile), share, reason FROM candidates('email: Ann@Example.com');
SELECT who(profile), share, reason FROM candidates('email:nobody@example.com');

-- One whose claims are all held stands for itself: it is its own profile's, too.
INSERT INTO known VALUES ('other customer', identify('{"customer_number": "2000"}', '2025-03-01'));
SELECT who(identify('{"customer_number": ["1017", "2000"]}', '2025-03-08'));
SELECT who(profile), reason FROM candidates('customer_number:2000') ORDER BY 1;

-- current_profile: every id ever handed out ------------------------------------------------------------

INSERT INTO known VALUES ('bob', identify('{"loyalty_card": "7", "email": "bob@example.com"}', '2025-03-01')),
                         ('bob at work', identify('{"login": "bob", "email": "bob@work.example"}', '2025-03-01'));
SELECT who(current_profile(profile)) FROM known WHERE name LIKE 'bob%' ORDER BY name;

-- Merge: the older id survives, the other leads to it.
SELECT who(identify('{"email": ["bob@example.com", "bob@work.example"]}', '2025-03-02'));
SELECT name, who(current_profile(profile)) FROM known WHERE name LIKE 'bob%' ORDER BY name;

-- Split: the part that regroups the members of a retired id gets it back.
INSERT INTO separation (a, b) VALUES ('email:bob@example.com', 'email:bob@work.example');
CALL backfill();
SELECT name, who(current_profile(profile)) FROM known WHERE name LIKE 'bob%' ORDER BY name;
SELECT who(resolve('email:bob@example.com')), who(resolve('email:bob@work.example'));

-- A chain of merges: every id of it leads to the one that survived.
DELETE FROM separation;
CALL backfill();
INSERT INTO known VALUES ('bob''s phone', identify('{"device": "d-7"}', '2025-03-03', 'app', 'smartphone'));
SELECT who(identify('{"device": "d-7", "login": "bob"}', '2025-03-04', 'app', 'smartphone'));
SELECT name, who(current_profile(profile)) FROM known WHERE name LIKE 'bob%' ORDER BY name;

-- An id that never was one, and null.
SELECT current_profile('00000000-0000-0000-0000-000000000000') IS NULL AS never_was, current_profile(NULL) IS NULL AS null;

-- What has expired does not depend on where the caller lives.
BEGIN;
UPDATE identity_resolve.setting SET expired_as_of = '2025-03-01 00:00+00';
UPDATE identity_resolve.identifier_type SET expires_after = '12 months' WHERE name = 'cookie';
SET LOCAL timezone = 'America/New_York';
SELECT identity_resolve.identify('{"login": "zoned", "cookie": "zoned"}', '2024-02-29 12:00+00') IS NOT NULL AS somebody;
SELECT standing FROM identity_resolve.profile_identifier WHERE identifier = 'cookie:zoned';
ROLLBACK;
