-- Devices that are handed on, sold, shared and forgotten: whose they are at which date.
\set ECHO none
SET client_min_messages = warning;
CREATE EXTENSION identity_resolve;

-- So many sightings of identifiers together on one day.
CREATE PROCEDURE seen(day date, identifiers jsonb, times int DEFAULT 1, device_type text DEFAULT NULL)
LANGUAGE sql AS $$
    SELECT identity_resolve.identify(identifiers, day, device_type => device_type) FROM generate_series(1, times)
$$;

-- A sighting every so many days, from one day to another.
CREATE PROCEDURE seen_every(days int, first date, last date, identifiers jsonb, device_type text DEFAULT NULL)
LANGUAGE sql AS $$
    SELECT identity_resolve.identify(identifiers, day, device_type => device_type)
    FROM generate_series(first::timestamp, last::timestamp, days * interval '1 day') AS day
$$;

-- One row for each person, and for each identifier that is nobody's.
CREATE VIEW people AS
SELECT string_agg(identifier, '  ' ORDER BY identifier) ||
       CASE standing WHEN 'member' THEN '' ELSE ' (' || standing || ')' END AS people
FROM identity_resolve.profile_identifier WHERE type <> 'record'
GROUP BY profile, CASE WHEN profile IS NULL THEN identifier END, standing
ORDER BY 1;

CREATE VIEW link AS
SELECT a, b, sightings, last_seen, coalesce(held_reason, 'in force') AS state
FROM identity_resolve.links WHERE b NOT LIKE 'record:%' ORDER BY a, b;

-- Whose an identifier may be, by the name of who signs in.
CREATE FUNCTION candidates(identifier text) RETURNS TABLE (who text, share numeric, reason text) LANGUAGE sql AS $$
    SELECT (SELECT min(i.value) FROM identity_resolve.profile_identifier AS i WHERE i.profile = c.profile AND i.type = 'login'),
           round(c.share::numeric, 2), c.reason
    FROM identity_resolve.candidates(candidates.identifier) AS c ORDER BY 1
$$;

-- The same of a profile.
CREATE FUNCTION who(profile uuid) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce((SELECT min(i.value) FROM identity_resolve.profile_identifier AS i WHERE i.profile = who.profile AND i.type = 'login'), 'nobody')
$$;

-- Who is who, as one text.
CREATE FUNCTION outcome() RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(E'\n', (SELECT string_agg(p.people, E'\n' ORDER BY p.people) FROM people AS p),
                     (SELECT string_agg(l::text, E'\n' ORDER BY l::text) FROM link AS l))
$$;

-- What a backfill of nothing, which solves the whole graph anew, would change.
CREATE FUNCTION changed_by_backfill() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    live text[] := string_to_array(outcome(), E'\n');
BEGIN
    CALL identity_resolve.backfill();
    RETURN QUERY (SELECT 'live      ' || l FROM unnest(live) AS l EXCEPT SELECT 'live      ' || s FROM unnest(string_to_array(outcome(), E'\n')) AS s)
           UNION ALL (SELECT 'backfill  ' || s FROM unnest(string_to_array(outcome(), E'\n')) AS s EXCEPT SELECT 'backfill  ' || l FROM unnest(live) AS l);
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
SET search_path = public, identity_resolve;
\pset format unaligned
\pset fieldsep ' | '
\pset footer off
\set ECHO all

-- The tablet handed from daughter to mother -------------------------------------------------------------

BEGIN;
-- Lila signs in on her tablet every Monday from January to October 2022. Her mother Margaux did so once,
-- in June. Both have a phone of their own, until today.
CALL seen_every(7, '2022-01-03', '2022-10-03', '{"login": "lila", "cookie": "tablet"}', 'tablet');
CALL seen('2022-06-11', '{"login": "margaux", "cookie": "tablet"}', 1, 'tablet');
CALL seen_every(30, '2022-01-05', '2025-06-30', '{"login": "lila", "cookie": "lilas-phone"}', 'smartphone');
CALL seen_every(30, '2022-01-05', '2025-06-30', '{"login": "margaux", "cookie": "margaux-phone"}', 'smartphone');
TABLE people;
SELECT * FROM candidates('cookie:tablet');

-- A tablet lives 18 months after the last sign-in. That is long enough to be handed on: nothing expires.
SELECT * FROM expire('2023-01-01');

-- From 2 January 2023 on it is Margaux who signs in on Mondays. Until the 23rd most of the evidence is
-- still Lila's,
CALL seen_every(7, '2023-01-02', '2023-01-23', '{"login": "margaux", "cookie": "tablet"}', 'tablet');
SELECT * FROM candidates('cookie:tablet');
-- in February nobody has the owner's share of 0.6, and the tablet is nobody's,
CALL seen_every(7, '2023-01-30', '2023-02-27', '{"login": "margaux", "cookie": "tablet"}', 'tablet');
SELECT * FROM candidates('cookie:tablet');
TABLE people;
-- from March on it is hers. Nobody had to say so.
CALL seen_every(7, '2023-03-06', '2023-06-26', '{"login": "margaux", "cookie": "tablet"}', 'tablet');
SELECT * FROM candidates('cookie:tablet');
TABLE people;
SELECT a, b, held_reason, meaning FROM conflicts;

-- Then it lies in a drawer. On 26 December 2024 the 18 months since 26 June 2023 are not over,
SELECT * FROM expire('2024-12-26');
SELECT who(resolve('cookie:tablet'));
-- on the 27th they are. It was Margaux's, and is nobody's.
SELECT e.identifier, who(e.profile) AS left_by, e.last_seen FROM expire('2024-12-27') AS e;
TABLE people;
SELECT a, b, held_reason, meaning FROM conflicts ORDER BY a;
SELECT * FROM candidates('cookie:tablet');
-- Somebody looks at pages on it and does not sign in. That may be anybody.
CALL seen('2025-01-03', '{"cookie": "tablet"}', 5, 'tablet');
SELECT resolve('cookie:tablet') IS NULL AS nobodys;
-- Lila finds it and signs in: back it comes, with all that is known of it, to whom that speaks for now.
CALL seen('2025-01-04', '{"login": "lila", "cookie": "tablet"}', 1, 'tablet');
SELECT * FROM candidates('cookie:tablet');
TABLE people;
SELECT operation, who(profile), identifiers FROM history WHERE event = 'expire' ORDER BY change, identifiers;
SELECT * FROM changed_by_backfill();
ROLLBACK;

-- The phone sold, and its number given to a stranger ------------------------------------------------------

-- Théo uses an app on his phone every month of 2022, and is called on his number. He sells the phone
-- and gives up the number. In 2024 Karim has the phone, and happens to get the number.
CREATE PROCEDURE chapter(name text) LANGUAGE plpgsql AS $$
BEGIN
    CASE name
    WHEN 'theo' THEN
        CALL seen_every(30, '2022-01-15', '2022-12-15', '{"customer_number": "1", "login": "theo", "device": "phone"}', 'smartphone');
        CALL seen('2022-03-01', '{"customer_number": "1", "phone": "+33612345678"}', 3);
        CALL seen('2024-05-01', '{"login": "theo", "device": "new-phone"}', 1, 'smartphone');
    WHEN 'karim' THEN
        CALL seen_every(30, '2024-02-10', '2024-04-10', '{"customer_number": "2", "login": "karim", "device": "phone"}', 'smartphone');
        CALL seen('2024-02-20', '{"customer_number": "2", "phone": "+33612345678"}');
    WHEN 'sweep' THEN
        PERFORM expire('2024-01-01');
    END CASE;
END $$;

BEGIN;
-- Numbers of phones do not expire unless one says so.
CALL chapter('theo');
SELECT e.identifier, who(e.profile) AS left_by, e.last_seen FROM expire('2024-01-01') AS e ORDER BY e.identifier;
ROLLBACK;
UPDATE identifier_type SET expires_after = '12 months' WHERE name = 'phone';

BEGIN;
CALL chapter('theo');
TABLE people;
-- On 15 December 2023 his last sign-in of 11 December 2022 is more than 12 months ago; so are the calls.
SELECT e.identifier, who(e.profile) AS left_by, e.last_seen FROM expire('2023-12-15') AS e ORDER BY e.identifier;
TABLE people;
SELECT a, b, held_reason FROM conflicts ORDER BY b;
-- Karim signs in. Both are his.
CALL chapter('karim');
TABLE people;
TABLE link;
SELECT * FROM candidates('device:phone');
-- In the end it is too old for anybody.
SELECT e.identifier, who(e.profile) AS left_by, e.last_seen FROM expire('2025-04-12') AS e ORDER BY e.identifier;
TABLE people;
ROLLBACK;

-- Whoever came first, and whenever it was swept: the end is the same.
CREATE FUNCTION ending(VARIADIC chapters text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    name text;
    ending text;
BEGIN
    BEGIN
        FOREACH name IN ARRAY chapters LOOP
            CALL chapter(name);
        END LOOP;
        ending := outcome();
        RAISE triggered_action_exception;
    EXCEPTION WHEN triggered_action_exception THEN
        RETURN ending;
    END;
END $$;
SELECT ending('theo', 'sweep', 'karim');
SELECT ending('theo', 'karim', 'sweep') = ending('theo', 'sweep', 'karim') AS sweep_after,
       ending('karim', 'theo', 'sweep') = ending('theo', 'sweep', 'karim') AS karim_first,
       ending('karim', 'sweep', 'theo') = ending('theo', 'sweep', 'karim') AS sweep_between,
       ending('sweep', 'theo', 'karim') = ending('theo', 'sweep', 'karim') AS sweep_first,
       ending('sweep', 'karim', 'theo') = ending('theo', 'sweep', 'karim') AS theo_last,
       ending('sweep', 'theo', 'sweep', 'karim', 'sweep') = ending('theo', 'sweep', 'karim') AS sweep_often;
UPDATE identifier_type SET expires_after = NULL WHERE name = 'phone';

-- The desktop of a household --------------------------------------------------------------------------

BEGIN;
-- For ten weeks of 2022 the mother signs in three times a week, the father twice, the son once.
DO $$
BEGIN
    FOR i IN 1..3 LOOP CALL seen_every(7, '2022-01-02', '2022-03-06', '{"login": "mother", "cookie": "pc"}', 'desktop'); END LOOP;
    FOR i IN 1..2 LOOP CALL seen_every(7, '2022-01-02', '2022-03-06', '{"login": "father", "cookie": "pc"}', 'desktop'); END LOOP;
    CALL seen_every(7, '2022-01-02', '2022-03-06', '{"login": "son", "cookie": "pc"}', 'desktop');
END $$;
-- Nobody has six tenths of the evidence: it is everybody's, and so nobody's. It joins none of them.
SELECT * FROM candidates('cookie:pc');
TABLE people;
-- A desktop lives 24 months. What was nobody's before leaves nobody.
SELECT * FROM expire('2024-03-06');
SELECT e.identifier, e.profile, e.last_seen FROM expire('2024-03-07') AS e;
TABLE people;
SELECT b, a, held_reason FROM conflicts ORDER BY a;
-- The children have moved out, and the mother signs in again: by now it is hers.
CALL seen('2024-09-01', '{"login": "mother", "cookie": "pc"}', 1, 'desktop');
SELECT * FROM candidates('cookie:pc');
TABLE people;
SELECT * FROM changed_by_backfill();
ROLLBACK;

-- How long what lives ---------------------------------------------------------------------------------

BEGIN;
-- Ann was last seen on all of these on 15 January 2020. Since then she has signed in elsewhere.
CALL seen('2020-01-15', '{"login": "ann", "cookie": "smartphone"}', 1, 'smartphone');
CALL seen('2020-01-15', '{"login": "ann", "cookie": "tablet"}', 1, 'tablet');
CALL seen('2020-01-15', '{"login": "ann", "cookie": "desktop"}', 1, 'desktop');
CALL seen('2020-01-15', '{"login": "ann", "cookie": "tv"}', 1, 'TV');
CALL seen('2020-01-15', '{"login": "ann", "cookie": "kiosk"}', 1, 'kiosk');
CALL seen('2020-01-15', '{"login": "ann", "cookie": "fridge"}', 1, 'fridge');
CALL seen('2020-01-15', '{"login": "ann", "cookie": "plain"}');
CALL seen('2020-01-15', '{"login": "ann", "device": "plain"}');
CALL seen('2020-01-15', '{"login": "ann", "device": "tablet"}', 1, 'tablet');
CALL seen('2020-01-15', '{"login": "ann", "mobile_ad_id": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}');
CALL seen('2020-01-15', '{"login": "ann", "email": "ann@example.com", "phone": "+33612345678"}');
SELECT identifier, standing FROM profile_identifier ORDER BY identifier;

-- A smartphone, and a device or advertising id of no known device type: 12 months.
SELECT identifier, last_seen FROM expire('2021-01-15') ORDER BY identifier;
SELECT identifier, last_seen FROM expire('2021-01-16') ORDER BY identifier;
-- A cookie on what is no known device type: 13 months. A kiosk has no time of its own; it was nobody's
-- before, and is now for another reason.
SELECT identifier, last_seen FROM expire('2021-02-15') ORDER BY identifier;
SELECT identifier, last_seen FROM expire('2021-02-16') ORDER BY identifier;
-- A tablet: 18 months.
SELECT identifier, last_seen FROM expire('2021-07-15') ORDER BY identifier;
SELECT identifier, last_seen FROM expire('2021-07-16') ORDER BY identifier;
-- A desktop: 24 months.
SELECT identifier, last_seen FROM expire('2022-01-15') ORDER BY identifier;
SELECT identifier, last_seen FROM expire('2022-01-16') ORDER BY identifier;
-- A TV: 36 months.
SELECT identifier, last_seen FROM expire('2023-01-15') ORDER BY identifier;
SELECT identifier, last_seen FROM expire('2023-01-16') ORDER BY identifier;
-- People and contacts: never.
SELECT identifier, last_seen FROM expire('2025-12-31') ORDER BY identifier;
SELECT identifier, standing FROM profile_identifier ORDER BY identifier;
SELECT a, b, held_reason FROM conflicts ORDER BY b;
ROLLBACK;

-- A day begins in UTC.
BEGIN;
CALL seen('2020-01-15', '{"login": "ann", "cookie": "plain"}');
SELECT identifier FROM expire('2021-02-15 23:59:59+00');
SELECT identifier FROM expire('2021-02-16 05:00:00+06');
SELECT identifier FROM expire('2021-02-15 20:00:00-04');
ROLLBACK;

-- An anonymous device, on which nobody ever signed in, lives on by its last visit; one on which somebody
-- did, by the last sign-in.
BEGIN;
CALL seen('2020-01-15', '{"cookie": "visitor"}');
CALL seen('2021-01-15', '{"cookie": "visitor"}');
CALL seen('2020-01-15', '{"login": "ann", "cookie": "signed in"}');
CALL seen('2021-01-15', '{"cookie": "signed in"}');
SELECT e.identifier, who(e.profile) AS left_by, e.last_seen FROM expire('2021-03-01') AS e;
SELECT e.identifier, e.profile IS NOT NULL AS left_a_profile, e.last_seen FROM expire('2022-03-01') AS e;
TABLE people;
ROLLBACK;

-- Contacts, if one says so. A device type of one's own.
BEGIN;
UPDATE identifier_type SET expires_after = '3 years' WHERE name = 'email';
INSERT INTO device_type (name, sharing, expires_after) VALUES ('watch', 'personal', '1 month');
CALL seen('2020-01-15', '{"login": "ann", "email": "ann@example.com"}');
CALL seen('2020-01-15', '{"login": "ann", "cookie": "watch"}', 1, 'Watch');
CALL seen('2022-01-15', '{"email": "ann@example.com", "cookie": "pc"}', 1, 'desktop');
SELECT e.identifier, who(e.profile) AS left_by, e.last_seen FROM expire('2020-02-16') AS e;
SELECT e.identifier, who(e.profile) AS left_by, e.last_seen FROM expire('2023-01-16') AS e;
TABLE people;
-- With another setting, the same date says something else.
UPDATE identifier_type SET expires_after = '10 years' WHERE name = 'email';
UPDATE device_type SET expires_after = '10 years' WHERE name = 'watch';
CALL backfill();
TABLE people;
ROLLBACK;

-- What hung on it alone ---------------------------------------------------------------------------------

BEGIN;
-- The newsletter goes to an address that was only ever opened on Ann's tablet, where she also signs in.
-- The tablet holds the two together.
CALL seen('2022-01-15', '{"login": "ann", "phone": "+33612345678"}');
CALL seen('2022-01-15', '{"login": "ann", "cookie": "tablet"}', 2, 'tablet');
CALL seen('2022-01-20', '{"email": "pussycat@example.com", "cookie": "tablet"}', 1, 'tablet');
CALL seen('2022-01-20', '{"cookie": "tablet", "mobile_ad_id": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}', 1, 'tablet');
TABLE people;
SELECT resolve('login:ann') AS ann \gset
-- When it expires, the address splits off; and so does the advertising id, which is a tablet's too and
-- lives as long, but was never seen with anybody.
SELECT e.identifier, who(e.profile) AS left_by, e.last_seen FROM expire('2023-07-21') AS e ORDER BY e.identifier;
TABLE people;
SELECT resolve('login:ann') = :'ann' AS ann_is_ann, resolve('email:pussycat@example.com') AS pussycat \gset
SELECT :'ann_is_ann' AS ann_is_ann, current_profile(:'ann') = resolve('login:ann') AS her_id_leads_to_her;
-- The history says so.
SELECT operation, reason, who(profile), identifiers, actor = session_user AS by_us, at BETWEEN now() AND clock_timestamp() AS now FROM history WHERE event = 'expire' ORDER BY change, identifiers;
SELECT count(DISTINCT change) AS changes FROM history WHERE event = 'expire';

-- A new sign-in brings the tablet back, and with it the address. Her id stays.
CALL seen('2023-08-01', '{"login": "ann", "cookie": "tablet"}', 1, 'tablet');
TABLE people;
SELECT resolve('email:pussycat@example.com') = :'ann' AS same_id, current_profile(:'pussycat') = :'ann' AS the_other_leads_to_it;
-- Once more it expires: the address has the id again that it had on its own.
SELECT e.identifier, e.profile = :'ann' AS left_ann, e.last_seen FROM expire('2025-03-01') AS e ORDER BY e.identifier;
SELECT resolve('email:pussycat@example.com') = :'pussycat' AS same_id;
SELECT * FROM changed_by_backfill();
ROLLBACK;

-- expire() ------------------------------------------------------------------------------------------------

-- Nothing is known, nothing expires. The date is kept.
BEGIN;
SELECT * FROM expire('2024-01-01');
SELECT expired_as_of AT TIME ZONE 'UTC' AS expired_as_of FROM setting;
ROLLBACK;

BEGIN;
CALL seen('2022-01-15', '{"login": "ann", "cookie": "c1"}');
CALL seen('2023-01-15', '{"login": "ann", "cookie": "c2"}');
SELECT identifier FROM expire('2023-06-01');
-- Again: nothing is new, and nothing is said twice.
SELECT identifier FROM expire('2023-06-01');
SELECT count(*) AS told FROM history WHERE event = 'expire';
-- As of an earlier date: nothing comes back, and nothing is newly expired.
SELECT identifier FROM expire('2023-01-01');
SELECT expired_as_of AT TIME ZONE 'UTC' AS expired_as_of FROM setting;
TABLE people;
-- A later date: what is new.
SELECT identifier FROM expire('2024-06-01');
SELECT expired_as_of AT TIME ZONE 'UTC' AS expired_as_of FROM setting;
TABLE people;
-- Evidence that comes late, of a time before the last sweep, is as old as it is,
CALL seen('2022-02-01', '{"login": "bob", "cookie": "c3"}');
CALL seen('2022-02-01', '{"login": "bob", "cookie": "c2"}');
TABLE people;
-- and evidence that comes late may show that a device was in use all the time.
CALL seen('2023-09-01', '{"login": "ann", "cookie": "c1"}');
TABLE people;
SELECT * FROM changed_by_backfill();
-- A sweep as of a date that was a mistake.
UPDATE setting SET expired_as_of = '2023-06-01 00:00+00';
CALL backfill();
TABLE people;
ROLLBACK;

-- As of now, if no date is given.
BEGIN;
CALL seen('2022-01-15', '{"login": "ann", "cookie": "c1"}');
SELECT identifier FROM expire();
SELECT expired_as_of = now() AS now FROM setting;
ROLLBACK;

-- What cannot be a date.
SELECT attempt('SELECT expire(NULL)');
SELECT attempt($$SELECT expire('infinity')$$);
SELECT attempt($$SELECT expire('-infinity')$$);
SELECT attempt('CALL expire_in_batches(NULL)');
SELECT attempt($$CALL expire_in_batches('infinity')$$);
SELECT expired_as_of IS NULL AS never FROM setting;

-- Sources ---------------------------------------------------------------------------------------------------

-- Rows of a table with a key are taken back, and their age with them: without the younger row the
-- device is as old as the other one says.
BEGIN;
CREATE TABLE registration (id int PRIMARY KEY, login text, device text, at date);
SELECT add_source('registration', '{"key": "id", "identifiers": {"login": "login", "device": "device"}, "seen_at": "at"}', 'trigger');
INSERT INTO registration VALUES (1, 'ann', 'd1', '2022-01-15'), (2, 'ann', 'd1', '2024-01-15'), (3, 'bob', 'd2', '2022-01-15');
SELECT e.identifier, who(e.profile) AS left_by, e.last_seen FROM expire('2024-06-01') AS e;
TABLE people;
DELETE FROM registration WHERE id = 2;
TABLE people;
UPDATE registration SET at = '2024-05-01' WHERE id = 3;
TABLE people;
INSERT INTO registration VALUES (4, 'ann', 'd1', '2024-05-02');
TABLE people;
SELECT * FROM changed_by_backfill();
-- The same through the queue.
SELECT set_mode('registration', 'queue');
DELETE FROM registration WHERE id = 4;
SELECT identifier FROM expire('2025-06-01') ORDER BY identifier;
UPDATE registration SET at = '2025-05-01' WHERE id = 3;
CALL drain_queue();
TABLE people;
SELECT * FROM changed_by_backfill();
ROLLBACK;

-- expire_in_batches ---------------------------------------------------------------------------------------------

-- 2,500 devices expire, 1,500 do not. Every tenth holds an address that hangs on it alone; every third
-- belongs to one of two who share it.
CREATE TABLE log (at date, login text, email text, device text, kind text);
INSERT INTO log SELECT CASE WHEN i <= 2500 THEN '2022-01-15'::date ELSE '2024-01-15' END, 'user ' || i % 1300, NULL, 'd' || i, 'smartphone'
FROM generate_series(1, 4000) AS i;
INSERT INTO log SELECT CASE WHEN i <= 2500 THEN '2022-01-15'::date ELSE '2024-01-15' END, NULL, 'user' || i || '@example.com', 'd' || i, 'smartphone'
FROM generate_series(1, 4000, 10) AS i;
INSERT INTO log SELECT CASE WHEN i <= 2500 THEN '2022-01-15'::date ELSE '2024-01-15' END, 'other ' || i, NULL, 'd' || i, 'smartphone'
FROM generate_series(1, 4000, 3) AS i;
SELECT add_source('log', '{"identifiers": {"login": "login", "email": "email", "device": "device"}, "seen_at": "at", "device_type": "kind"}');
CALL backfill();
SELECT standing, count(*), count(DISTINCT profile) AS people FROM profile_identifier GROUP BY standing ORDER BY standing;
-- At once, and taken back;
BEGIN;
SELECT count(*), count(profile) AS left_somebody, count(DISTINCT identifier), min(last_seen), max(last_seen) FROM expire('2024-06-01');
SELECT standing, count(*), count(DISTINCT profile) AS people FROM profile_identifier GROUP BY standing ORDER BY standing;
SELECT md5(outcome()) AS at_once \gset
SELECT count(*) AS told, count(DISTINCT change) AS changes FROM history WHERE event = 'expire';
ROLLBACK;
-- in batches, as part of a transaction;
BEGIN;
CALL expire_in_batches('2024-06-01');
SELECT md5(outcome()) = :'at_once' AS the_same;
ROLLBACK;
SELECT expired_as_of FROM setting;
-- and in batches of which each is a transaction.
CALL expire_in_batches('2024-06-01');
SELECT md5(outcome()) = :'at_once' AS the_same;
SELECT count(*) AS told, count(DISTINCT identifiers) AS identifiers FROM history WHERE event = 'expire';
SELECT expired_as_of AT TIME ZONE 'UTC' AS expired_as_of FROM setting;
-- Again: nothing.
CALL expire_in_batches('2024-06-01');
CALL expire_in_batches('2024-01-01');
SELECT count(*) FROM expire('2024-06-01');
SELECT count(*) AS told FROM history WHERE event = 'expire';
SELECT * FROM changed_by_backfill();
