-- Who shares identifiers, and which profiles and identifiers look wrong.
\set ECHO none
SET client_min_messages = warning;
CREATE EXTENSION identity_resolve;

CREATE TABLE customer (id int PRIMARY KEY, login text);
CREATE TABLE sighting (scene text, identifiers jsonb, times int, at date DEFAULT '2025-03-01', device_type text);
CREATE FUNCTION play(scene text) RETURNS bigint LANGUAGE sql AS $$
    SELECT count(identity_resolve.identify(s.identifiers, s.at, 'web', s.device_type))
    FROM sighting AS s, generate_series(1, s.times) WHERE s.scene = play.scene
$$;
-- A profile by its logins and loyalty cards.
CREATE FUNCTION who(profile uuid) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT string_agg(i.value, ' ' ORDER BY i.value COLLATE "C") FROM identity_resolve.profile_identifier AS i
    WHERE i.profile = who.profile AND i.type IN ('login', 'loyalty_card')
$$;

INSERT INTO sighting VALUES
    ('couple', '{"login": "adele", "phone": "+33199004567"}', 5),
    ('couple', '{"login": "bruno", "phone": "+33199004567"}', 4),
    ('couple', '{"login": "adele", "cookie": "adele"}', 1),
    ('couple', '{"login": "bruno", "cookie": "bruno"}', 1);
INSERT INTO sighting VALUES
    ('family', '{"login": "lila", "cookie": "tablet"}', 50, DEFAULT, 'tablet'),
    ('family', '{"login": "margaux", "cookie": "tablet"}', 1, DEFAULT, 'tablet'),
    ('family', '{"email": "odette@example.com", "cookie": "newsletter"}', 22, DEFAULT, 'tablet'),
    ('family', '{"email": "marcel@example.com", "cookie": "newsletter"}', 2, DEFAULT, 'tablet');
INSERT INTO sighting VALUES
    ('kiosk', '{"login": "ground_floor", "cookie": "kiosk"}', 2, DEFAULT, 'kiosk'),
    ('kiosk', '{"login": "first_floor", "cookie": "kiosk"}', 2, DEFAULT, 'kiosk'),
    -- Of no type that is known, and shared: two who use it live together.
    ('kiosk', '{"login": "ground_floor", "cookie": "desk"}', 2, DEFAULT, 'standing desk'),
    ('kiosk', '{"login": "second_floor", "cookie": "desk"}', 2, DEFAULT, 'standing desk');
INSERT INTO sighting VALUES
    ('chain', '{"login": "one", "phone": "+33199007777"}', 1, DEFAULT, DEFAULT),
    ('chain', '{"login": "two", "phone": "+33199007777"}', 1, DEFAULT, DEFAULT),
    ('chain', '{"login": "two", "cookie": "living_room"}', 1, DEFAULT, 'tablet'),
    ('chain', '{"login": "three", "cookie": "living_room"}', 9, DEFAULT, 'tablet');
INSERT INTO sighting VALUES
    ('aside', '{"login": "north", "cookie": "old"}', 1, '2022-01-01'),
    ('aside', '{"login": "south", "cookie": "old"}', 1, '2022-01-01');
INSERT INTO sighting VALUES
    ('aside', '{"login": "north", "device": "till"}', 1),
    ('aside', '{"login": "south", "device": "till"}', 1),
    ('aside', '{"login": "east", "device": "till"}', 1),
    ('aside', '{"login": "west", "device": "till"}', 1),
    ('aside', '{"login": "east", "email": "shop@example.com"}', 1),
    ('aside', '{"login": "west", "email": "shop@example.com"}', 1),
    -- Their own identifiers are no contacts, even if others claim them.
    ('aside', '{"customer_number": "1", "login": "west"}', 2),
    ('aside', '{"customer_number": "2", "login": "west"}', 1);
INSERT INTO sighting VALUES
    ('social', '{"customer_number": "3", "openid": "https://social.example|s"}', 2),
    ('social', '{"customer_number": "4", "openid": "https://social.example|s"}', 1);

-- Two triangles on one link.
INSERT INTO sighting VALUES
    ('triangles', '{"loyalty_card": "t1", "email": "t1@example.com"}', 1),
    ('triangles', '{"loyalty_card": "t1", "cookie": "t1"}', 1),
    ('triangles', '{"email": "t1@example.com", "cookie": "t1"}', 1),
    ('triangles', '{"login": "t2", "email": "t2@example.com"}', 1),
    ('triangles', '{"login": "t2", "cookie": "t2"}', 1),
    ('triangles', '{"email": "t2@example.com", "cookie": "t2"}', 1),
    ('triangles', '{"loyalty_card": "t1", "login": "t2"}', 1);
-- A chain of five, which two links split in two and three.
INSERT INTO sighting VALUES
    ('split', '{"loyalty_card": "s1", "email": "s1@example.com"}', 9),
    ('split', '{"loyalty_card": "s2", "email": "s1@example.com"}', 3),
    ('split', '{"loyalty_card": "s2", "email": "s2@example.com"}', 2),
    ('split', '{"loyalty_card": "s3", "email": "s2@example.com"}', 9);
-- A star.
INSERT INTO sighting
SELECT 'star', jsonb_build_object('login', 'star', 'mobile_ad_id', 'a0000000-0000-4000-8000-00000000000' || n), 1
FROM generate_series(1, 9) AS n;
INSERT INTO sighting
SELECT 'near', jsonb_build_object('login', 'near', 'cookie', 'near ' || n), 1 FROM generate_series(1, 2) AS n;
INSERT INTO sighting
SELECT 'near', jsonb_build_object('email', 'near@example.com', 'cookie', 'near ' || n), 1 FROM generate_series(1, 9) AS n;
INSERT INTO sighting VALUES ('near', '{"login": "pair", "cookie": "pair"}', 1);
\set ECHO all
SET search_path = identity_resolve, public;

-- Before anything is seen ---------------------------------------------------------------------------

SELECT (SELECT count(*) FROM households) AS households, (SELECT count(*) FROM profile_health) AS profile_health,
       (SELECT count(*) FROM hubs) AS hubs;
SELECT name, value FROM stats WHERE name LIKE 'profile%';

-- households: profiles that share identifiers ---------------------------------------------------------

-- A couple with one phone, which is nobody's; what is one's own is not listed.
SELECT play('couple');
SELECT who(profile), household = least(resolve('login:adele'), resolve('login:bruno')) AS the_oldest, identifiers, members
FROM households ORDER BY 1;

-- A tablet is the daughter's; her mother has used it once.
SELECT play('family');
SELECT who(profile), identifiers, members FROM households WHERE 'cookie:tablet' = ANY (identifiers) ORDER BY 1;

-- So with two who have told nothing but e-mail addresses: the link is held as ambiguous.
SELECT l.held_reason, h.profile = resolve('email:marcel@example.com') AS marcels, h.identifiers, h.members
FROM households AS h LEFT JOIN links AS l ON resolve(l.a) = h.profile AND l.b = h.identifiers[1] AND NOT l.in_force
WHERE 'cookie:newsletter' = ANY (h.identifiers) ORDER BY 2;

-- Who meets at a kiosk does not live together. Who shares a desk does, as far as anybody can tell.
SELECT play('kiosk');
SELECT identifier, standing FROM profile_identifier WHERE value IN ('kiosk', 'desk') ORDER BY identifier;
SELECT who(profile), identifiers, members FROM households WHERE who(profile) LIKE '%_floor' ORDER BY 1;

-- One and two have a phone, two and three a tablet: one household.
SELECT play('chain');
SELECT who(h.profile), h.household = (SELECT o.profile FROM households AS o
           WHERE o.household = h.household ORDER BY o.profile LIMIT 1) AS the_oldest,
       h.identifiers, h.members
FROM households AS h WHERE h.household = (SELECT household FROM households WHERE profile = resolve('login:two')) ORDER BY 1;
SELECT count(DISTINCT household) AS households, count(*) AS members FROM households;

-- What is expired, too common or blocked says nothing.
UPDATE identifier_type SET max_links = 3 WHERE name = 'device';
SELECT play('aside');
SELECT who(profile), identifiers, members FROM households WHERE who(profile) ~ 'north|south|east|west' ORDER BY 1;
INSERT INTO blocked_value (type, pattern) VALUES ('email', 'shop@.*');
CALL rebuild();
SELECT identifier FROM expire('2023-06-01');
SELECT identifier, standing FROM profile_identifier WHERE value IN ('old', 'till', 'shop@example.com') ORDER BY identifier;
SELECT b, a, held_reason FROM conflicts WHERE b IN ('cookie:old', 'device:till', 'email:shop@example.com', 'login:west') ORDER BY b, a;
SELECT who(profile), identifiers, members FROM households WHERE who(profile) ~ 'north|south|east|west' ORDER BY 1;

-- What an identity provider says is somebody's own once the provider is certified.
SELECT play('social');
SELECT identifiers, count(*) FROM households WHERE identifiers::text LIKE '%openid%' GROUP BY identifiers;
INSERT INTO identity_provider (issuer, certified) VALUES ('https://social.example', true);
SELECT identifiers, count(*) FROM households WHERE identifiers::text LIKE '%openid%' GROUP BY identifiers;

-- An operator says that the tablet is never two's: then two does not share it.
SELECT count(*) FROM unlink('login:two', 'cookie:living_room');
SELECT who(profile), identifiers, members FROM households
WHERE who(profile) IN ('one', 'two', 'three') ORDER BY 1;

-- profile_health: what may be wrong with a profile -----------------------------------------------------

DELETE FROM blocked_value WHERE pattern = 'shop@.*';
SELECT play('triangles'), play('split'), play('star');
UPDATE identifier_type SET max_per_profile = 3 WHERE name = 'loyalty_card';
UPDATE identifier_type SET max_links = 10 WHERE name = 'email';
SELECT play('near');
CREATE TEMP VIEW health AS
SELECT who(h.profile), h.identifiers, h.links, round(h.density::numeric, 3) AS density, h.bridge_a, h.bridge_b,
       -- Of sightings of one day: how many.
       round((h.bridge_weight / w.of_one)::numeric) AS bridge_weight, h.smaller_half, h.near_limit
FROM profile_health AS h,
     (SELECT weight AS of_one FROM links WHERE a = 'login:margaux' AND b = 'cookie:tablet') AS w;
SELECT * FROM health ORDER BY 1;

-- What an operator said is the last to be doubted.
SELECT count(link('loyalty_card:s2', 'email:s2@example.com'));
SELECT * FROM health WHERE who = 's1 s2 s3';
SELECT count(link('loyalty_card:s2', 'email:s1@example.com'));
SELECT * FROM health WHERE who = 's1 s2 s3';

-- One beside the weak link, and it is a bridge no more.
SELECT identify('{"email": "t1@example.com", "cookie": "t2"}', '2025-03-01') IS NOT NULL AS seen;
SELECT * FROM health WHERE who = 't1 t2';

-- An operator may bring more together than max_per_profile.
SELECT count(link('loyalty_card:s1', 'email:s1@example.com')), count(link('loyalty_card:s3', 'email:s2@example.com')),
       count(link('loyalty_card:s2', 'loyalty_card:s4'));
SELECT who, near_limit FROM health WHERE who = 's1 s2 s3 s4';

-- Of one profile.
SELECT identifiers, smaller_half FROM profile_health WHERE profile = resolve('loyalty_card:s1');

-- Links in any order and direction; a null is no end.
SELECT * FROM widest_bridges(ARRAY[1, 2, 1, 4, 5, 6, 6], ARRAY[2, 3, 3, 5, 6, 4, 3]);
SELECT * FROM widest_bridges(ARRAY[1, 2, 3, NULL], ARRAY[2, 3, 4]);
SELECT * FROM widest_bridges(ARRAY[1, 2], ARRAY[2, 3]);
SELECT * FROM widest_bridges('{}', '{}');
SELECT * FROM widest_bridges(NULL, '{1}');

-- hubs: identifiers that join most ----------------------------------------------------------------------

SELECT identifier, type, standing, partners, profiles FROM hubs WHERE partners > 3 ORDER BY partners DESC, identifier;

-- Records are no partners.
INSERT INTO customer SELECT n, 'star' FROM generate_series(1, 20) AS n;
SELECT add_source('customer', '{"key": "id", "identifiers": {"login": "login"}}');
CALL backfill('customer');
SELECT identifier, partners, profiles FROM hubs WHERE identifier = 'login:star';

-- stats: how large profiles are -----------------------------------------------------------------------------

SELECT name, value FROM stats WHERE name LIKE 'profile%';
SELECT count(*) FROM (SELECT identify(jsonb_build_object('login', 'crowd', 'cookie', 'crowd ' || n), '2025-03-01')
                      FROM generate_series(1, 40) AS n) AS seen;
UPDATE identifier_type SET max_links = 1000 WHERE name = 'cookie';
INSERT INTO customer SELECT n, 'crowd' FROM generate_series(101, 159) AS n;
CALL backfill('customer');
SELECT name, value FROM stats WHERE name LIKE 'profile%' OR name = 'largest_profile';
INSERT INTO customer VALUES (160, 'crowd');
CALL backfill('customer');
SELECT name, value FROM stats WHERE name IN ('profiles_over_100', 'largest_profile');
