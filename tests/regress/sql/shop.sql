-- Who is who in the shop. Its tables are in tests/data/shop, its people in
-- tests/generate/src/shop/named; every case below is one of them.
\set ECHO none
\o /dev/null
SET client_min_messages = warning;
CREATE EXTENSION identity_resolve;
\set data :data '/shop'
\set file :data '/schema.sql'
\i :file
\set file :data '/load.sql'
\i :file
\set file :data '/attach.sql'
\i :file
CALL identity_resolve.backfill();
RESET client_min_messages;
\o
\set ECHO all
SET search_path = identity_resolve;

-- The daughter's tablet -------------------------------------------------------------------------

-- Lila signs in on her tablet every ten days. On 14 June 2026 her mother Margaux does so, once.
SELECT a, sightings, in_force, held_reason FROM links
WHERE b = 'cookie:ck-lila-tablet' ORDER BY a;

-- The tablet stays the daughter's, with all that was ever looked at on it,
SELECT identifier FROM profile_identifier
WHERE profile = resolve('login:lila.delorme') AND role <> 'record' ORDER BY identifier;

-- and the mother, who has a phone and a store card of her own, does not get it.
SELECT identifier FROM profile_identifier
WHERE profile = resolve('login:margaux.delorme') AND role <> 'record' ORDER BY identifier;

-- Still, both have claimed it. The daughter's share is by far the greater.
SELECT profile = resolve('login:lila.delorme') AS lila, share > 0.9 AS nearly_all, reason
FROM candidates('cookie:ck-lila-tablet') ORDER BY share DESC;

-- The couple's phone ----------------------------------------------------------------------------

-- Adèle and Bruno Fontaine both gave 01 99 00 45 67, and both call from it about as often.
SELECT a, sightings, in_force, held_reason FROM links
WHERE b = 'phone:+33199004567' ORDER BY a;

-- It does not merge them, and it is nobody's: a caller who says no more could be either.
SELECT resolve('customer_number:1003') <> resolve('customer_number:1004') AS two_people,
       resolve('phone', '+33199004567') IS NULL AS nobodys_phone;

SELECT standing, profile IS NULL AS nobodys FROM profile_identifier
WHERE identifier = 'phone:+33199004567';

SELECT profile = resolve('login:adele.fontaine') AS adele,
       profile = resolve('login:bruno.fontaine') AS bruno,
       share BETWEEN 0.4 AND 0.6 AS about_half
FROM candidates('phone:+33199004567') ORDER BY adele DESC;

-- Each keeps a mobile, an address and a browser.
SELECT identifier FROM profile_identifier
WHERE profile = resolve('login:adele.fontaine') AND role <> 'record' ORDER BY identifier;
SELECT identifier FROM profile_identifier
WHERE profile = resolve('login:bruno.fontaine') AND role <> 'record' ORDER BY identifier;

-- The phone that was sold and used ---------------------------------------------------------------

-- Théo signed in on it until June 2025; Karim, who bought it, has since November.
SELECT a, sightings, first_seen, last_seen, in_force, held_reason FROM links
WHERE b = 'device:inst-theo-phone' ORDER BY first_seen;

-- More sightings are Théo's, but they are old: it is Karim's phone now.
SELECT resolve('device:inst-theo-phone') = resolve('login:karim.belkacem') AS karims,
       resolve('login:theo.lagarde') <> resolve('login:karim.belkacem') AS two_people;

-- Two tablets, one household ---------------------------------------------------------------------

-- Clémence and Augustin each have one and now and then take the other's.
SELECT a, b, sightings, in_force, held_reason FROM links
WHERE b IN ('cookie:ck-clemence-tablet', 'cookie:ck-augustin-tablet') ORDER BY b, a;

-- Each tablet stays with the one who uses it most.
SELECT resolve('cookie:ck-clemence-tablet') = resolve('login:clemence.rousselet') AS hers,
       resolve('cookie:ck-augustin-tablet') = resolve('login:augustin.rousselet') AS his,
       resolve('login:clemence.rousselet') <> resolve('login:augustin.rousselet') AS two_people;

-- The kiosk --------------------------------------------------------------------------------------

-- Dozens of customers sign in at the kiosk in Lyon. It says that it is one: nothing of it counts.
-- The tablet in a corner of the store in Lille does not say what it is. The crowd on it does.
SELECT b, held_reason, count(*) AS customers FROM links
WHERE b IN ('cookie:ck-kiosk-lyon', 'cookie:ck-corner-lille') GROUP BY b, held_reason ORDER BY b;

SELECT identifier, standing, profile IS NULL AS nobodys FROM profile_identifier
WHERE identifier IN ('cookie:ck-kiosk-lyon', 'cookie:ck-corner-lille') ORDER BY identifier;

-- Nobody was merged with anybody because they queued at the same screen.
SELECT count(DISTINCT a) AS logins, count(DISTINCT resolve(a)) AS people FROM links
WHERE b IN ('cookie:ck-kiosk-lyon', 'cookie:ck-corner-lille');

-- Junk -------------------------------------------------------------------------------------------

-- Honoré and Iris share test@test.com, the number 0000000000 and the customer number 'unknown'.
-- They are two people all the same, for these values identify nobody: no link was ever made.
SELECT resolve('customer_number:1014') <> resolve('customer_number:1015') AS two_people;

SELECT count(*) AS junk FROM profile_identifier
WHERE value IN ('test@test.com', 'null', 'unknown', 'anonymous') OR value ~ '^\+?0+$';

-- Malformed values are left out of their rows and shown; the rows still count.
SELECT column_name, value FROM rejections
WHERE source = 'shop.customer'::regclass AND row_key = '1014' AND column_name = 'email';
SELECT column_name, value FROM rejections
WHERE source = 'shop.call'::regclass AND value = 'abc';

SELECT identifier FROM profile_identifier
WHERE profile = resolve('customer_number:1014') AND role <> 'record' ORDER BY identifier;

-- No list has the address that staff type for customers who give none. It has too many partners.
SELECT standing, profile IS NULL AS nobodys FROM profile_identifier
WHERE identifier = 'email:caisse@maison-claire.example';

SELECT held_reason, count(*) AS cards, count(DISTINCT resolve(a)) AS people FROM links
WHERE b = 'email:caisse@maison-claire.example' GROUP BY held_reason;

-- The visitor who becomes known ------------------------------------------------------------------

-- Noé looked around from January 2026 and opened an account on 5 April.
SELECT first_seen AS signed_in_since, in_force FROM links
WHERE a = 'login:noe.garrigue' AND b = 'cookie:ck-noe-laptop';

-- His earlier visits are his too.
SELECT first_seen AS seen_since, profile = resolve('customer_number:1008') AS noes
FROM profile_identifier WHERE identifier = 'cookie:ck-noe-laptop';

-- The recycled number ----------------------------------------------------------------------------

-- Solange gave up 06 00 00 17 77 in February 2025. Driss has had it since January 2026.
SELECT a, sightings, first_seen, last_seen, in_force, held_reason FROM links
WHERE b = 'phone:+33600001777' ORDER BY first_seen;

-- It is his, however it is written, and hers no longer.
SELECT resolve('phone', '+33 6 00 00 17 77') = resolve('customer_number:1010') AS his,
       resolve('customer_number:1009') <> resolve('customer_number:1010') AS two_people;

-- Two cards, one customer ------------------------------------------------------------------------

-- Victoire found her old store card again and uses both.
SELECT value AS card FROM profile_identifier
WHERE profile = resolve('customer_number:1013') AND type = 'loyalty_card' ORDER BY value;

-- What a device may decide, and what not ---------------------------------------------------------

-- Odette and Marcel read the newsletter on one tablet. Neither has a customer number, so no limit
-- keeps them apart; but a tablet must not decide that two addresses are one person's.
SELECT a, sightings, in_force, held_reason FROM links
WHERE b = 'cookie:ck-pasquier-tablet' ORDER BY a;

SELECT resolve('cookie:ck-pasquier-tablet') = resolve('email:odette.pasquier@poste.example') AS hers,
       resolve('email:odette.pasquier@poste.example')
           <> resolve('email:marcel.pasquier@poste.example') AS two_people;

-- Basile gave no address at the till. His desktop, where he signs in and reads the newsletter,
-- carries him from the one to the other: nothing speaks against it.
SELECT identifier FROM profile_identifier
WHERE profile = resolve('customer_number:1016') AND role <> 'record' ORDER BY identifier;

-- Providers, instalments, guests, countries ------------------------------------------------------

-- Jasmine signs in through a provider that checks papers. 02 555 12 17 is a Belgian number
-- because her address is.
SELECT identifier, role FROM profile_identifier
WHERE profile = resolve('openid', 'https://id.example.org|okafor-51c7') AND role <> 'record'
ORDER BY identifier;

-- Finance knows Hugo by an account number and his washing machine by four payments.
SELECT resolve('account_number:880001018') = resolve('customer_number:1018') AS hugos,
       (SELECT count(*) FROM shop.payment p JOIN shop.orders o USING (order_id)
        WHERE product = 'washing machine 8 kg'
          AND resolve('account_number', account_number) = resolve('customer_number:1018')) AS payments;

-- Lucie never opened an account. Two orders and their payments make one person of her.
SELECT identifier FROM profile_identifier
WHERE profile = resolve('email', ' LUCIE.Tanguy@courriel.example') AND role <> 'record'
ORDER BY identifier;

-- Greta's two numbers are two, as Germans write them and as they are dialled from France.
SELECT identifier FROM profile_identifier
WHERE profile = resolve('customer_number:1019') AND type = 'phone' ORDER BY identifier;

-- Everybody --------------------------------------------------------------------------------------

-- No person has two customer numbers or two names to sign in with.
SELECT count(*) AS over_the_limit FROM (
    SELECT FROM profile_identifier
    WHERE type IN ('customer_number', 'login') GROUP BY profile, type HAVING count(*) > 1) AS profile;

SELECT standing, count(*) FROM profile_identifier GROUP BY standing ORDER BY standing;
SELECT held_reason, count(*) FROM conflicts GROUP BY held_reason ORDER BY held_reason;

-- The discarded phone ----------------------------------------------------------------------------

-- Gaspard sold his old phone without removing the app. Somebody opens it now and then and never
-- signs in. Nothing but time tells that it is no longer his.
SELECT l.last_seen AS last_signed_in, d.last_seen, d.profile = resolve('login:gaspard.tissot') AS his
FROM profile_identifier d JOIN links l ON l.b = d.identifier
WHERE d.identifier = 'device:inst-gaspard-old';

-- A phone that nobody has signed in on for twelve months has been sold or binned.
UPDATE setting SET expired_as_of = '2026-10-31 00:00+00';
CALL backfill();
SELECT identifier, standing, profile = resolve('login:gaspard.tissot') AS his FROM profile_identifier
WHERE identifier LIKE 'device:inst-gaspard-%' ORDER BY identifier;
SELECT a, held_reason FROM conflicts WHERE b = 'device:inst-gaspard-old';

-- And the tablet, later --------------------------------------------------------------------------

-- Had Margaux signed in on the tablet every day of the last three months, it would be hers, and
-- nobody would have had to say so.
BEGIN;
SELECT count(identify('{"login": "margaux.delorme", "cookie": "ck-lila-tablet"}',
                      seen_at => day, channel => 'web', device_type => 'tablet')) AS visits
FROM generate_series('2026-08-01 18:00+00'::timestamptz, '2026-10-31 18:00+00', '1 day') AS day;
SELECT resolve('cookie:ck-lila-tablet') = resolve('login:margaux.delorme') AS hers_now,
       resolve('login:margaux.delorme') <> resolve('login:lila.delorme') AS two_people;
ROLLBACK;
SELECT resolve('cookie:ck-lila-tablet') = resolve('login:lila.delorme') AS still_lilas;
