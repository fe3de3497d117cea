-- Who is who: the rule by small scenarios. Each is a transaction that is rolled back, so that each
-- begins with nobody known.
\set ECHO none
SET client_min_messages = warning;
CREATE EXTENSION identity_resolve;

-- So many sightings of identifiers together on one day.
CREATE PROCEDURE seen(day date, identifiers jsonb, times int DEFAULT 1, device_type text DEFAULT NULL)
LANGUAGE sql AS $$
    SELECT identity_resolve.identify(identifiers, day, device_type => device_type) FROM generate_series(1, times)
$$;

-- One row for each person, and for each identifier that is nobody's.
CREATE VIEW people AS
SELECT string_agg(identifier, '  ' ORDER BY identifier) AS identifiers, standing
FROM identity_resolve.profile_identifier
GROUP BY profile, CASE WHEN profile IS NULL THEN identifier END, standing
ORDER BY standing = 'member' DESC, 1;

-- Every link, in force or held.
CREATE VIEW link AS
SELECT a, b, sightings, coalesce(held_reason, 'in force') AS state
FROM identity_resolve.links ORDER BY a, b;
\pset tuples_only on
\pset format unaligned
\pset fieldsep ' | '
\set ECHO all

-- Chain -------------------------------------------------------------------------------------------

-- Each sighting shares one identifier with the next: they are one person's.
BEGIN;
CALL seen('2025-03-01', '{"customer_number": "1", "email": "ann@example.com"}');
CALL seen('2025-03-02', '{"email": "ann@example.com", "phone": "+33612345678"}');
CALL seen('2025-03-03', '{"phone": "+33612345678", "cookie": "c"}');
TABLE people;
ROLLBACK;

-- Fan-in ------------------------------------------------------------------------------------------

-- Three loyalty cards, one address. A person may have several cards.
BEGIN;
CALL seen('2025-03-01', '{"loyalty_card": "1", "email": "ann@example.com"}');
CALL seen('2025-03-02', '{"loyalty_card": "2", "email": "ann@example.com"}');
CALL seen('2025-03-03', '{"loyalty_card": "3", "email": "ann@example.com"}');
TABLE people;
ROLLBACK;

-- Diamond -----------------------------------------------------------------------------------------

-- Two ways lead from the customer to the cookie. The strongest identifier of a sighting claims the
-- others, whichever came first.
BEGIN;
CALL seen('2025-03-01', '{"cookie": "c", "email": "ann@example.com"}');
CALL seen('2025-03-02', '{"cookie": "c", "phone": "+33612345678"}');
CALL seen('2025-03-03', '{"phone": "+33612345678", "email": "ann@example.com", "customer_number": "1"}');
TABLE people;
TABLE link;
ROLLBACK;

-- Three-way bridge --------------------------------------------------------------------------------

-- Three people, as far as anybody knows, until one sighting holds something of each.
BEGIN;
CALL seen('2025-03-01', '{"customer_number": "1", "email": "ann@home.example"}');
CALL seen('2025-03-02', '{"loyalty_card": "2", "email": "ann@work.example"}');
CALL seen('2025-03-03', '{"account_number": "3", "phone": "+33612345678"}');
TABLE people;
CALL seen('2025-03-04', '{"email": ["ann@home.example", "ann@work.example"], "phone": "+33612345678"}');
TABLE people;
ROLLBACK;

-- Late data ---------------------------------------------------------------------------------------

-- A cookie is card 2's, and address b's: as far as it goes, one person's. Then the address turns out
-- to be card 1's. People are formed before devices are attached, whatever came first: the cookie may
-- not decide that two cards are one person's, and it stays with card 2, which used it more.
BEGIN;
CALL seen('2025-03-01', '{"loyalty_card": "2", "cookie": "c"}', times => 2);
CALL seen('2025-03-02', '{"email": "b@example.com", "cookie": "c"}');
TABLE people;
CALL seen('2025-03-03', '{"loyalty_card": "1", "email": "b@example.com"}');
TABLE people;
TABLE link;
ROLLBACK;

-- The daughter's tablet ---------------------------------------------------------------------------

-- The daughter signed in on it fifty times, her mother once. It is the daughter's, and the mother's
-- visit stays the mother's.
BEGIN;
CALL seen('2025-03-01', '{"login": "daughter", "cookie": "tablet"}', 50, 'tablet');
CALL seen('2025-03-02', '{"login": "mother", "cookie": "tablet"}', 1, 'tablet');
TABLE people;
TABLE link;
-- If the mother then uses it for months it becomes hers. What is long ago weighs little: after 270
-- days, or three half-lives, fifty sightings weigh as 50 / 8.
CALL seen('2025-11-26', '{"login": "mother", "cookie": "tablet"}', 9, 'tablet');
TABLE people;
CALL seen('2025-11-26', '{"login": "mother", "cookie": "tablet"}', 1, 'tablet');
TABLE people;
ROLLBACK;

-- The couple's phone ------------------------------------------------------------------------------

-- Both gave the number of the phone at home: it is neither's, and it does not make them one.
BEGIN;
CALL seen('2025-03-01', '{"customer_number": "1", "email": "adele@example.com", "phone": "+33199004567"}', times => 3);
CALL seen('2025-03-01', '{"customer_number": "2", "email": "bruno@example.com", "phone": "+33199004567"}', times => 3);
TABLE people;
TABLE link;
-- Owned is what a share of six in ten of the evidence, the owner_share, is one person's.
CALL seen('2025-03-01', '{"customer_number": "2", "phone": "+33199004567"}');
TABLE people;
CALL seen('2025-03-01', '{"customer_number": "2", "phone": "+33199004567"}');
TABLE people;
ROLLBACK;

-- Limit -------------------------------------------------------------------------------------------

-- A profile holds one customer number (max_per_profile). The address is the first customer's.
BEGIN;
CALL seen('2025-03-01', '{"customer_number": "1", "email": "ann@example.com"}', times => 3);
CALL seen('2025-03-02', '{"customer_number": "2", "email": "ann@example.com"}');
TABLE people;
TABLE link;
ROLLBACK;

-- An identifier whose claims are all held stands for itself: here two customers' numbers were typed
-- into one order.
BEGIN;
CALL seen('2025-03-01', '{"customer_number": ["1", "2"]}');
TABLE people;
TABLE link;
ROLLBACK;

-- Ambiguous ---------------------------------------------------------------------------------------

-- A phone (joins: complementary) carries a person from an address to a card; it does not decide that
-- two addresses are one person's.
BEGIN;
CALL seen('2025-03-01', '{"email": "ann@example.com", "phone": "+33612345678"}', times => 3);
CALL seen('2025-03-02', '{"loyalty_card": "1", "phone": "+33612345678"}');
CALL seen('2025-03-03', '{"email": "bob@example.com", "phone": "+33612345678"}');
TABLE people;
TABLE link;
ROLLBACK;

-- With joins: never a cookie says nothing about people: it is the one's who used it most, and leads
-- nowhere else.
BEGIN;
UPDATE identity_resolve.identifier_type SET joins = 'never' WHERE name = 'cookie';
CALL seen('2025-03-01', '{"email": "ann@example.com", "cookie": "c"}', times => 3);
CALL seen('2025-03-02', '{"loyalty_card": "1", "cookie": "c"}');
CALL seen('2025-03-03', '{"cookie": "c", "mobile_ad_id": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}');
TABLE people;
TABLE link;
ROLLBACK;

-- Too common --------------------------------------------------------------------------------------

-- With more distinct partners than its type's max_links an identifier is nobody's.
BEGIN;
UPDATE identity_resolve.identifier_type SET max_links = 3 WHERE name = 'email';
CALL seen('2025-03-01', '{"loyalty_card": "1", "email": "till@shop.example"}');
CALL seen('2025-03-01', '{"loyalty_card": "2", "email": "till@shop.example"}');
CALL seen('2025-03-01', '{"loyalty_card": "2", "email": "till@shop.example"}');
CALL seen('2025-03-01', '{"email": "till@shop.example", "cookie": "c"}');
TABLE people;
CALL seen('2025-03-01', '{"loyalty_card": "3", "email": "till@shop.example"}');
TABLE people;
TABLE link;
ROLLBACK;

-- Blocked -----------------------------------------------------------------------------------------

-- A blocked value leaves its sighting before anything is linked.
BEGIN;
CALL seen('2025-03-01', '{"customer_number": "1", "email": "no-reply@shop.example"}');
CALL seen('2025-03-01', '{"customer_number": "2", "email": "no-reply@shop.example", "cookie": "c"}');
TABLE people;
ROLLBACK;

-- One that is blocked later has its links held.
BEGIN;
CALL seen('2025-03-01', '{"loyalty_card": "1", "email": "info@shop.example"}');
CALL seen('2025-03-01', '{"loyalty_card": "2", "email": "info@shop.example"}');
TABLE people;
INSERT INTO identity_resolve.blocked_value (type, pattern) VALUES ('email', 'info@.*');
CALL identity_resolve.backfill();
TABLE people;
TABLE link;
-- And in force again when it is no longer blocked.
DELETE FROM identity_resolve.blocked_value WHERE pattern = 'info@.*';
CALL identity_resolve.backfill();
TABLE people;
ROLLBACK;

-- A public kiosk ----------------------------------------------------------------------------------

-- A device of a public device type is never anybody's, however often one person uses it.
BEGIN;
CALL seen('2025-03-01', '{"login": "ann", "cookie": "kiosk"}', 9, 'kiosk');
TABLE people;
TABLE link;
ROLLBACK;

-- A device is of the type that most of its sightings name; of several, the first by name.
BEGIN;
CALL seen('2025-03-01', '{"login": "ann", "cookie": "c"}', 1, 'kiosk');
TABLE people;
CALL seen('2025-03-01', '{"login": "ann", "cookie": "c"}', 1, 'tablet');
TABLE people;
CALL seen('2025-03-01', '{"login": "ann", "cookie": "c"}', 1, 'tablet');
TABLE people;
CALL seen('2025-03-01', '{"cookie": "c"}', 2, 'KIOSK ');
TABLE people;
-- A name that is not configured counts as itself.
CALL seen('2025-03-01', '{"cookie": "c"}', 4, 'Fridge');
TABLE people;
ROLLBACK;

-- A smartphone is personal: it joins any groups, and so makes two addresses one person's.
BEGIN;
CALL seen('2025-03-01', '{"email": "ann@home.example", "cookie": "c"}', 1, 'smartphone');
CALL seen('2025-03-02', '{"email": "ann@work.example", "cookie": "c"}', 1, 'smartphone');
TABLE people;
ROLLBACK;

-- Separated ---------------------------------------------------------------------------------------

-- Twins who share an address: an operator has said that they are two.
BEGIN;
CALL seen('2025-03-01', '{"loyalty_card": "1", "email": "twins@example.com"}', times => 2);
CALL seen('2025-03-02', '{"loyalty_card": "2", "email": "twins@example.com"}');
TABLE people;
INSERT INTO identity_resolve.separation (a, b, reason) VALUES ('loyalty_card:1', 'loyalty_card:2', 'twins');
CALL identity_resolve.backfill();
TABLE people;
TABLE link;
-- A separation that has ended separates no more.
UPDATE identity_resolve.separation SET until = '2025-06-01';
CALL identity_resolve.backfill();
TABLE people;
ROLLBACK;

-- Expired -----------------------------------------------------------------------------------------

-- A cookie leaves its profile thirteen months after it was last seen with a person or contact. That
-- somebody has looked at pages with it since says nothing: it may have been sold.
BEGIN;
CALL seen('2024-01-10', '{"login": "ann", "cookie": "old"}');
CALL seen('2025-06-01', '{"cookie": "old"}');
CALL seen('2024-06-01', '{"login": "ann", "cookie": "new"}');
CALL seen('2024-01-10', '{"cookie": "never signed in"}');
TABLE people;
UPDATE identity_resolve.setting SET expired_as_of = '2025-02-10 00:00+00';
CALL identity_resolve.backfill();
TABLE people;
-- A day later the thirteen months are over.
UPDATE identity_resolve.setting SET expired_as_of = '2025-02-11 00:00+00';
CALL identity_resolve.backfill();
TABLE people;
TABLE link;
-- It comes back with its person.
CALL seen('2025-06-02', '{"login": "ann", "cookie": "old"}');
TABLE people;
ROLLBACK;

-- A device type's time takes the place of the identifier type's: a tablet lives longer.
BEGIN;
CALL seen('2024-01-10', '{"login": "ann", "cookie": "tablet"}', 1, 'tablet');
UPDATE identity_resolve.setting SET expired_as_of = '2025-06-01 00:00+00';
CALL identity_resolve.backfill();
TABLE people;
ROLLBACK;

-- OpenID ------------------------------------------------------------------------------------------

-- A subject of a certified provider is a person's, another is a contact: it can be contested, and
-- so be shared.
BEGIN;
INSERT INTO identity_resolve.identity_provider (issuer, certified)
VALUES ('https://id.example.com', true), ('https://forum.example.com', false);
CALL seen('2025-03-01', '{"openid": "https://id.example.com|7", "customer_number": "1"}');
CALL seen('2025-03-01', '{"openid": "https://forum.example.com|7", "customer_number": "1"}');
CALL seen('2025-03-01', '{"openid": "https://elsewhere.example.com|7", "customer_number": "1"}');
SELECT identifier, role FROM identity_resolve.profile_identifier WHERE type = 'openid' ORDER BY identifier;
ROLLBACK;

-- Stable ids --------------------------------------------------------------------------------------

-- Of two profiles that merge, the older id survives; of one that splits, the larger part keeps it; a
-- part that regroups the members of a retired id gets that id back.
BEGIN;
CALL seen('2025-03-01', '{"loyalty_card": "1", "phone": "+33612345678"}');
CALL seen('2025-03-01', '{"loyalty_card": "2", "email": "bob@example.com", "login": "bob"}');
CREATE TEMP TABLE before AS SELECT identifier, profile FROM identity_resolve.profile_identifier;
-- Bridge,
CALL seen('2025-03-02', '{"loyalty_card": ["1", "2"]}');
SELECT identifier, p.profile = b.profile AS kept_id FROM identity_resolve.profile_identifier AS p
JOIN before AS b USING (identifier) ORDER BY 1;
SELECT count(DISTINCT identity_resolve.current_profile(profile)) FROM before;
-- and part them again.
INSERT INTO identity_resolve.separation (a, b) VALUES ('loyalty_card:1', 'loyalty_card:2');
CALL identity_resolve.backfill();
SELECT identifier, p.profile = b.profile AS kept_id FROM identity_resolve.profile_identifier AS p
JOIN before AS b USING (identifier) ORDER BY 1;
SELECT count(DISTINCT identity_resolve.current_profile(profile)) FROM before;
ROLLBACK;

-- A part that never was a profile of its own gets a new id.
BEGIN;
CALL seen('2025-03-01', '{"loyalty_card": ["1", "2"], "email": "ann@example.com", "login": "ann"}');
CREATE TEMP TABLE before AS SELECT identifier, profile FROM identity_resolve.profile_identifier;
INSERT INTO identity_resolve.separation (a, b) VALUES ('loyalty_card:1', 'loyalty_card:2');
CALL identity_resolve.backfill();
TABLE people;
SELECT identifier, p.profile = b.profile AS kept_id FROM identity_resolve.profile_identifier AS p
JOIN before AS b USING (identifier) ORDER BY 1;
ROLLBACK;

-- Of equal parts the one with the oldest identifier keeps the id.
BEGIN;
CALL seen('2025-03-03', '{"loyalty_card": ["1", "2"]}');
CALL seen('2025-03-02', '{"loyalty_card": "1", "login": "ann"}');
CALL seen('2025-03-01', '{"loyalty_card": "2", "phone": "+33612345678"}');
CREATE TEMP TABLE before AS SELECT identifier, profile FROM identity_resolve.profile_identifier;
INSERT INTO identity_resolve.separation (a, b) VALUES ('loyalty_card:1', 'loyalty_card:2');
CALL identity_resolve.backfill();
SELECT identifier, p.profile = b.profile AS kept_id FROM identity_resolve.profile_identifier AS p
JOIN before AS b USING (identifier) ORDER BY 1;
ROLLBACK;

-- A pair that was read under two priorities is two links until its sources are read again, and one
-- partner all the same.
BEGIN;
UPDATE identity_resolve.identifier_type SET max_links = 1 WHERE name = 'phone';
SELECT identity_resolve.identify('{"email": "twice@example.org", "phone": "+33612345601"}', '2025-03-01') IS NOT NULL AS somebody;
UPDATE identity_resolve.identifier_type SET priority = 1 WHERE name = 'phone';
SELECT identity_resolve.identify('{"email": "twice@example.org", "phone": "+33612345601"}', '2025-03-02') IS NOT NULL AS somebody;
SELECT standing FROM identity_resolve.profile_identifier WHERE identifier = 'phone:+33612345601';
ROLLBACK;
