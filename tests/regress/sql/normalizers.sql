-- One value, one spelling: canonical() turns what people and systems write into the form under
-- which an identifier is known.
\set ECHO none
SET client_min_messages = warning;
CREATE EXTENSION identity_resolve;
INSERT INTO identity_resolve.identifier_type (name, role, normalizer) VALUES
    ('mailbox', 'contact', 'email_provider'), ('code', 'person', 'digits'),
    ('homepage', 'contact', 'url'), ('nickname', 'contact', 'lower');
\set ECHO all
SET search_path = identity_resolve;

-- email: white space, case, a mailto: and the spelling of international domains ---------------------

SELECT value, canonical('email', value) FROM (VALUES
    ('ann@example.com'), ('  Ann.Lee@Example.COM '), ('mailto:ann@example.com'), ('ann+shop@example.com'),
    ('ann@bücher.example'), ('ann@xn--bcher-kva.example'), ('JÖRG@example.com'), ('o''hara@example.co.uk')
) AS written (value);

-- Only to spell it: dots and what follows a + stay.
SELECT canonical('email', 'ann.lee@gmail.com') = canonical('email', 'annlee@gmail.com') AS same;

-- What cannot be an address is an error that says what is wrong with it.
SELECT canonical('email', 'ann.example.com');
SELECT canonical('email', 'ann@home@example.com');
SELECT canonical('email', '@example.com');
SELECT canonical('email', 'Ann Lee <ann@example.com>');
SELECT canonical('email', 'ann@example');
SELECT canonical('email', 'ann@-example-.com');

-- email_provider: as email, and by the rules of some large providers --------------------------------

SELECT value, canonical('mailbox', value) FROM (VALUES
    ('Ann.Lee+shop@gmail.com'), ('annlee@googlemail.com'), ('ann.lee+shop@outlook.com'), ('ann.lee+shop@example.com')
) AS written (value);

-- phone: E.164 ----------------------------------------------------------------------------------------

SELECT value, canonical('phone', value) FROM (VALUES
    ('+33 6 12 34 56 78'), ('+33 (0)6.12.34.56.78'), ('tel:+33-6-12-34-56-78'), ('+1 (415) 555-2671'),
    ('+39 06 698 12345'), ('＋３３６１２３４５６７８')
) AS written (value);

-- Without a country code a number needs the region in which it was dialled.
SELECT canonical('phone', '06 12 34 56 78');
UPDATE setting SET region = 'FR';
SELECT value, canonical('phone', value) FROM (VALUES
    ('06 12 34 56 78'), ('0033 6 12 34 56 78'), ('33612345678'), ('+32 2 555 12 17')
) AS written (value);

SELECT canonical('phone', '06 12 34 56');
SELECT canonical('phone', '1-800-FLOWERS');
SELECT canonical('phone', '+33 1 23 45 67 89 ext. 12');
SELECT canonical('phone', '+999 123 456 789');

-- openid: issuer|subject, to the letter -----------------------------------------------------------------

SELECT canonical('openid', ' https://id.example.com|A-7 ');
SELECT canonical('openid', 'https://id.example.com');

-- digits: codes whose blanks and dashes mean nothing ------------------------------------------------------

SELECT value, canonical('code', value) FROM (VALUES
    ('0042 1500-77'), ('(12) 34/56'), ('１２３－４５'), ('٠١٢٣')
) AS written (value);
SELECT canonical('code', '12a');

-- uuid: as PostgreSQL reads it ------------------------------------------------------------------------------

SELECT value, canonical('mobile_ad_id', value) FROM (VALUES
    ('A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'), ('{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}'),
    ('a0eebc999c0b4ef8bb6d6bb9bd380a11')
) AS written (value);
SELECT canonical('mobile_ad_id', 'a0eebc99');

-- url: web addresses ------------------------------------------------------------------------------------------

SELECT value, canonical('homepage', value) FROM (VALUES
    ('HTTPS://Example.COM/Ann?Q=1#top'), ('https://example.com'), ('https://example.com:443/a/../b'),
    ('https://bücher.example/é')
) AS written (value);
SELECT canonical('homepage', 'example.com/ann');
SELECT canonical('homepage', 'mailto:ann@example.com');
SELECT canonical('homepage', 'https://ann:secret@example.com/');

-- ip and mac: the networks that devices are seen in --------------------------------------------------------------

SELECT value, canonical('ip', value) FROM (VALUES
    ('192.0.2.1'), ('192.0.2.1/32'), ('::ffff:192.0.2.1'), ('2001:0DB8:0:0:0:0:0:1')
) AS written (value);
SELECT canonical('ip', '192.0.2.256');
SELECT canonical('ip', '192.0.2.0/24');
SELECT canonical('ip', 'fe80::1%eth0');

SELECT value, canonical('wifi', value) FROM (VALUES
    ('00-1A-2B-3C-4D-5E'), ('001a.2b3c.4d5e'), ('001A2B3C4D5E')
) AS written (value);
SELECT canonical('wifi', '00:1a:2b:3c:4d');

-- lower and exact -------------------------------------------------------------------------------------------------

SELECT canonical('nickname', ' Ann_LÉE ') AS lower, canonical('login', ' Ann_LÉE ') AS exact;

-- Of every kind -----------------------------------------------------------------------------------------------------

-- White space and invisible characters around a value are not part of it.
SELECT canonical('login', E'\t\u00a0ann\u200b\n');

-- Inside it, control characters are refused; so are nothing at all and more than 1024 bytes.
SELECT canonical('login', E'a\tb');
SELECT canonical('login', ' ');
SELECT length(canonical('login', repeat('x', 1024)));
SELECT canonical('login', repeat('x', 1025));

-- Null has no canonical form.
SELECT canonical('email', NULL) IS NULL AS unknown;

-- canonical() is IMMUTABLE: what is written can be indexed under the form it is looked up by.
CREATE TEMP TABLE customer (email text);
CREATE INDEX ON customer (canonical('email', email));
INSERT INTO customer VALUES (' Ann@Example.COM');
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT * FROM customer WHERE canonical('email', email) = 'ann@example.com';
SELECT * FROM customer WHERE canonical('email', email) = 'ann@example.com';
