-- Operators: they say who is one person and who never is, take back what was done, ask why, preview
-- what a new configuration would do, and ask whose something was at a time.
\set ECHO none
SET client_min_messages = warning;
CREATE EXTENSION identity_resolve;
CREATE EXTENSION dblink;
DROP ROLE IF EXISTS stewardship_clerk;
CREATE ROLE stewardship_clerk;

-- So many sightings of identifiers together on one day.
CREATE PROCEDURE seen(day date, identifiers jsonb, times int DEFAULT 1, device_type text DEFAULT NULL, channel text DEFAULT NULL)
LANGUAGE sql AS $$
    SELECT identity_resolve.identify(identifiers, day, channel, device_type) FROM generate_series(1, times)
$$;

-- A sighting every so many days, from one day to another.
CREATE PROCEDURE seen_every(days int, first date, last date, identifiers jsonb, device_type text DEFAULT NULL)
LANGUAGE sql AS $$
    SELECT identity_resolve.identify(identifiers, day, device_type => device_type)
    FROM generate_series(first::timestamp, last::timestamp, days * interval '1 day') AS day
$$;

-- One row for each person, and for each identifier that is nobody's.
CREATE VIEW people AS
SELECT string_agg(identifier, '  ' ORDER BY identifier COLLATE "C") ||
       CASE standing WHEN 'member' THEN '' ELSE ' (' || standing || ')' END AS people
FROM identity_resolve.profile_identifier
GROUP BY profile, CASE WHEN profile IS NULL THEN identifier END, standing
ORDER BY 1;

CREATE VIEW link AS
SELECT a, b, kind, sightings, coalesce(held_reason, 'in force') AS state
FROM identity_resolve.links ORDER BY a COLLATE "C", b COLLATE "C";

-- What operators have said, and what they have not taken back.
CREATE VIEW said AS
SELECT 'together' AS word, a, b, actor = session_user AS by_me, regexp_replace(reason, '\d+$', 'N') AS reason, until FROM identity_resolve.must_link
UNION ALL
SELECT 'apart', a, b, actor = session_user, regexp_replace(reason, '\d+$', 'N'), until FROM identity_resolve.separation
ORDER BY 1 DESC, 2, 3;

-- Operations and what they did to people, in their order.
CREATE VIEW log AS
SELECT operation, reason, event, identifiers,
       CASE WHEN undoes IS NOT NULL THEN 'undoes ' || (SELECT c.operation FROM identity_resolve.change AS c WHERE c.number = h.undoes)
            WHEN undone_by IS NOT NULL THEN 'undone' END AS undo
FROM identity_resolve.history AS h ORDER BY change, identifiers;

-- The number of the last operation of a kind.
CREATE FUNCTION last(kind text) RETURNS bigint LANGUAGE sql AS $$
    SELECT max(number) FROM identity_resolve.change WHERE operation = kind
$$;

-- Keeps in mind whose everything is, by id; and shows what has changed since.
CREATE TEMP TABLE memory (identifier text, profile uuid, standing text);
CREATE PROCEDURE remember() LANGUAGE sql AS $$
    DELETE FROM memory;
    INSERT INTO memory SELECT identifier, profile, standing FROM identity_resolve.profile_identifier;
$$;
CREATE VIEW changed AS
SELECT identifier, CASE WHEN now.identifier IS NULL THEN 'gone' WHEN memory.identifier IS NULL THEN 'new'
                        WHEN now.standing <> memory.standing THEN memory.standing || ' -> ' || now.standing
                        ELSE 'has another id' END AS change
FROM memory FULL JOIN identity_resolve.profile_identifier AS now USING (identifier)
WHERE (memory.profile, memory.standing) IS DISTINCT FROM (now.profile, now.standing)
ORDER BY identifier COLLATE "C";

-- Every id that was ever handed out, with those who had it; and those of them that do not lead to
-- anybody who had it.
CREATE TEMP TABLE handed_out (profile uuid, identifier text);
CREATE PROCEDURE collect() LANGUAGE sql AS $$
    INSERT INTO handed_out SELECT profile, identifier FROM identity_resolve.profile_identifier WHERE profile IS NOT NULL
    EXCEPT TABLE handed_out
$$;
CREATE VIEW nowhere AS
SELECT string_agg(h.identifier, '  ' ORDER BY h.identifier COLLATE "C") AS lost
FROM handed_out AS h GROUP BY h.profile
HAVING NOT EXISTS (
    SELECT FROM identity_resolve.profile_identifier AS i JOIN handed_out AS o USING (identifier)
    WHERE o.profile = h.profile AND i.profile = identity_resolve.current_profile(h.profile));

-- Who is who, as one text, without ids.
CREATE FUNCTION outcome() RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(E'\n', (SELECT string_agg(p.people, E'\n' ORDER BY p.people) FROM people AS p),
                     (SELECT string_agg(l::text, E'\n' ORDER BY l::text) FROM link AS l))
$$;

-- Everything that is stored, ids included.
CREATE VIEW stored AS
SELECT concat_ws(' ', i.identifier, i.profile, i.standing, i.first_seen, i.last_seen, i.evidence) AS row
FROM identity_resolve.identifier AS i
UNION ALL
SELECT concat_ws(' ', a.identifier, b.identifier, l.asserted, l.probability, l.held_reason, l.evidence)
FROM identity_resolve.link AS l
JOIN identity_resolve.identifier AS a ON a.id = l.a
JOIN identity_resolve.identifier AS b ON b.id = l.b
UNION ALL
SELECT concat_ws(' ', f.profile, i.identifier)
FROM identity_resolve.former_member AS f JOIN identity_resolve.identifier AS i ON i.id = f.identifier;

-- What a rebuild of the whole graph changes, and what it writes down: nothing, if what was decided
-- live is right and nobody has changed the configuration.
CREATE FUNCTION changed_by_rebuild() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    live text[] := ARRAY(SELECT s.row FROM stored AS s);
    number bigint := (SELECT count(*) FROM identity_resolve.change);
    events bigint := (SELECT count(*) FROM identity_resolve.profile_change);
BEGIN
    CALL identity_resolve.rebuild();
    RETURN QUERY (SELECT 'live     ' || l FROM unnest(live) AS l EXCEPT SELECT 'live     ' || s.row FROM stored AS s)
           UNION ALL (SELECT 'rebuild  ' || s.row FROM stored AS s EXCEPT SELECT 'rebuild  ' || l FROM unnest(live) AS l)
           UNION ALL SELECT 'new changes' WHERE number <> (SELECT count(*) FROM identity_resolve.change)
                                             OR events <> (SELECT count(*) FROM identity_resolve.profile_change);
END $$;

-- What a preview says and the rebuild does not do, or the other way round. Ids that the rebuild
-- gave for the first time are not known to the preview.
CREATE FUNCTION rebuild_as_previewed() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    previewed text[] := ARRAY(SELECT p::text FROM identity_resolve.preview() AS p);
    written bigint := (SELECT coalesce(max(number), 0) FROM identity_resolve.profile_change);
    ids uuid[] := ARRAY(SELECT profile FROM identity_resolve.identifier UNION SELECT profile FROM identity_resolve.former_member);
    rebuilt text[];
BEGIN
    CALL identity_resolve.rebuild();
    rebuilt := ARRAY(SELECT (p.event, p.old_profile, CASE WHEN p.new_profile = ANY (ids) THEN p.new_profile END,
                             p.identifiers, p.reason)::text
                     FROM identity_resolve.profile_change AS p WHERE p.number > written);
    RETURN QUERY (SELECT 'preview  ' || p FROM unnest(previewed) AS p EXCEPT ALL SELECT 'preview  ' || r FROM unnest(rebuilt) AS r)
           UNION ALL (SELECT 'rebuild  ' || r FROM unnest(rebuilt) AS r EXCEPT ALL SELECT 'rebuild  ' || p FROM unnest(previewed) AS p)
           UNION ALL SELECT 'as previewed: ' || cardinality(previewed);
END $$;

-- The present owner of a profile id, by the least of its identifiers.
CREATE FUNCTION who(profile uuid) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce((SELECT min(i.value COLLATE "C") FROM identity_resolve.profile_identifier AS i
                     WHERE i.profile = who.profile AND i.role = 'person'), 'nobody')
$$;

-- Why, without today's date and without ids and weights, which are other ones in each run.
CREATE FUNCTION why_in_words(a text, b text) RETURNS text LANGUAGE sql AS $$
    SELECT replace(replace(identity_resolve.why_text(a, b), current_date::text, 'TODAY'), session_user, 'OPERATOR')
$$;
CREATE FUNCTION without(document jsonb, names text[]) RETURNS jsonb LANGUAGE sql AS $$
    SELECT CASE jsonb_typeof(document)
        WHEN 'object' THEN (SELECT jsonb_object_agg(key, without(value, names)) FROM jsonb_each(document) WHERE key <> ALL (names))
        WHEN 'array' THEN (SELECT jsonb_agg(without(value, names) ORDER BY n) FROM jsonb_array_elements(document) WITH ORDINALITY AS e (value, n))
        ELSE document END
$$;
CREATE FUNCTION why_in_short(a text, b text) RETURNS jsonb LANGUAGE sql AS $$
    SELECT without(identity_resolve.why(a, b), '{weight,at,actor,profile,profile_a,profile_b,meaning,needed}')
$$;

\i tests/regress/attempt.sql
SET search_path = public, identity_resolve;
SET timezone = 'UTC';
\pset format unaligned
\pset fieldsep ' | '
\pset footer off
\set ECHO all

-- How people come together ------------------------------------------------------------------------

-- Chain: each link of it was seen at another place. From end to end it is one person.
BEGIN;
CALL seen('2024-03-01', '{"customer_number": "1", "email": "ann@example.com"}');
CALL seen('2024-03-02', '{"email": "ann@example.com", "phone": "+33612345678"}');
CALL seen('2024-03-03', '{"phone": "+33612345678", "cookie": "c1"}');
CALL seen('2024-03-04', '{"cookie": "c1", "device": "d1"}');
TABLE people;
-- Cut in the middle, it is two: the larger part keeps the id; between equals, the part with the oldest.
CALL remember();
SELECT identifiers FROM unlink('phone:+33612345678', 'email:ann@example.com', 'wrong number');
TABLE changed;
-- And whole again.
SELECT undo(last('unlink')) > 0 AS undone;
TABLE changed;
SELECT * FROM changed_by_rebuild();
ROLLBACK;

-- Fan-in: three person identifiers claim one address. They are one person's.
BEGIN;
CALL seen('2024-03-01', '{"loyalty_card": "7", "email": "bob@example.com"}');
CALL seen('2024-03-01', '{"account_number": "A7", "email": "bob@example.com"}');
CALL seen('2024-03-01', '{"login": "bob", "email": "bob@example.com"}', 2);
TABLE people;
-- A fourth comes, a login, of which a person has only one. It has less evidence than Bob's own, and stays
-- outside.
CALL seen('2024-03-02', '{"login": "robert", "email": "bob@example.com"}');
TABLE people;
TABLE link;
SELECT * FROM changed_by_rebuild();
ROLLBACK;

-- Diamond: customer, e-mail and phone, and a cookie that both lead to.
BEGIN;
CALL seen('2024-03-01', '{"customer_number": "1", "email": "ann@example.com"}');
CALL seen('2024-03-01', '{"customer_number": "1", "phone": "+33612345678"}', 2);
CALL seen('2024-03-01', '{"email": "ann@example.com", "cookie": "c1"}');
CALL seen('2024-03-01', '{"phone": "+33612345678", "cookie": "c1"}');
TABLE people;
-- One side of it is cut: then the other side does not hold either, for it would bring the cookie
-- together with the e-mail again.
SELECT identifiers FROM unlink('email:ann@example.com', 'cookie:c1');
TABLE link;
-- Cut at the top instead: by the cookie the phone would come to Ann again. It stands alone.
SELECT undo(last('unlink')) > 0 AS undone;
SELECT identifiers FROM unlink('customer_number:1', 'phone:+33612345678');
TABLE link;
SELECT * FROM changed_by_rebuild();
ROLLBACK;

-- Three-way bridge: three people, until one form names an address of each.
BEGIN;
CALL seen('2024-03-01', '{"loyalty_card": "1", "email": "a@example.com"}');
CALL seen('2024-03-02', '{"loyalty_card": "2", "email": "b@example.com"}');
CALL seen('2024-03-03', '{"loyalty_card": "3", "email": "c@example.com"}');
CALL remember();
CALL collect();
CALL seen('2024-04-01', '{"email": ["a@example.com", "b@example.com", "c@example.com"]}');
TABLE people;
-- The oldest id survives. Two people have joined the first one: one change, by one form.
TABLE changed;
TABLE log;
TABLE nowhere;
-- It is taken back, and each is for himself again.
SELECT undo(last('observe')) > 0 AS undone;
TABLE changed;
TABLE people;
TABLE link;
TABLE said;
-- The same form comes in again, once more with a name that nobody has had: they stay three.
CALL seen('2024-05-01', '{"email": ["a@example.com", "b@example.com", "c@example.com"], "cookie": "c1"}');
TABLE people;
TABLE nowhere;
SELECT * FROM changed_by_rebuild();
ROLLBACK;

-- Late data: the tablet was Lila's in 2022 and is Margaux's since 2023. What was seen in 2022 arrives
-- after all the rest, or before it: that is all the same.
CREATE PROCEDURE chapter(name text) LANGUAGE plpgsql AS $$
BEGIN
    CASE name
    WHEN '2022' THEN
        CALL seen_every(14, '2022-01-03', '2022-12-05', '{"login": "lila", "cookie": "tablet"}', 'tablet');
        CALL seen('2022-02-01', '{"login": "lila", "email": "lila@example.com"}');
    WHEN '2023' THEN
        CALL seen_every(14, '2023-01-02', '2023-12-04', '{"login": "margaux", "cookie": "tablet"}', 'tablet');
        CALL seen('2023-02-01', '{"email": ["lila@example.com", "lila@school.example"]}');
    WHEN 'apart' THEN
        PERFORM unlink('login:margaux', 'email:lila@school.example', 'her daughter''s');
    WHEN 'bridge' THEN
        CALL seen('2023-05-01', '{"email": ["lila@school.example", "margaux@example.com"]}');
        CALL seen('2023-05-01', '{"login": "margaux", "email": "margaux@example.com"}', 3);
    WHEN 'together' THEN
        PERFORM link('loyalty_card:99', 'login:margaux', 'at the till');
    WHEN 'sweep' THEN
        PERFORM expire('2025-01-01');
    END CASE;
END $$;
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
SELECT ending('2022', '2023', 'apart', 'bridge', 'together');
-- So is what operators say before, between and after.
SELECT ending('2023', '2022', 'apart', 'bridge', 'together') = ending('2022', '2023', 'apart', 'bridge', 'together') AS late,
       ending('apart', '2022', '2023', 'bridge', 'together') = ending('2022', '2023', 'apart', 'bridge', 'together') AS apart_first,
       ending('together', 'bridge', '2023', '2022', 'apart') = ending('2022', '2023', 'apart', 'bridge', 'together') AS apart_last,
       ending('bridge', 'apart', 'together', '2023', '2022') = ending('2022', '2023', 'apart', 'bridge', 'together') AS bridge_first,
       ending('sweep', '2022', 'apart', '2023', 'together', 'bridge') = ending('2022', '2023', 'apart', 'bridge', 'together', 'sweep') AS swept;

-- Cascade of merges: four people become two, then one, then part of an older one.
BEGIN;
CALL seen('2024-03-01', '{"loyalty_card": "10", "email": "zero@example.com"}');
CALL seen('2024-03-01', '{"loyalty_card": "1"}');
CALL seen('2024-03-01', '{"loyalty_card": "2"}');
CALL seen('2024-03-01', '{"loyalty_card": "3"}');
CALL seen('2024-03-01', '{"loyalty_card": "4"}');
SELECT profile AS oldest FROM profile_identifier WHERE identifier = 'loyalty_card:10' \gset
CALL remember();
CALL collect();
CALL seen('2024-04-01', '{"loyalty_card": ["1", "2"]}');
CALL collect();
CALL seen('2024-04-02', '{"loyalty_card": ["3", "4"]}');
CALL collect();
CALL seen('2024-04-03', '{"loyalty_card": ["2", "3"]}');
CALL collect();
CALL seen('2024-04-04', '{"loyalty_card": "4", "email": "zero@example.com"}');
CALL collect();
TABLE people;
-- Every id leads to the one that is left, the oldest.
SELECT count(DISTINCT profile) AS ids, count(DISTINCT current_profile(profile)) AS people,
       bool_and(current_profile(profile) = :'oldest') AS all_to_the_oldest FROM handed_out;
TABLE nowhere;
-- Backwards, step by step: each gets its id back.
SELECT undo(number) > 0 AS undone FROM (SELECT number FROM change WHERE operation = 'observe' ORDER BY number DESC LIMIT 1) AS c;
TABLE people;
SELECT attempt(format('SELECT undo(%s)', min(number))) LIKE '55000 change % cannot be undone before change %' AS wrong_order
FROM change WHERE operation = 'observe';
SELECT undo(number) > 0 AS undone FROM (SELECT number FROM change WHERE operation = 'observe' ORDER BY number DESC OFFSET 1 LIMIT 1) AS c;
TABLE people;
SELECT undo(number) > 0 AS undone FROM (SELECT number FROM change WHERE operation = 'observe' ORDER BY number DESC OFFSET 2 LIMIT 1) AS c;
SELECT undo(number) > 0 AS undone FROM (SELECT number FROM change WHERE operation = 'observe' ORDER BY number DESC OFFSET 3 LIMIT 1) AS c;
TABLE people;
TABLE changed;
TABLE nowhere;
SELECT * FROM changed_by_rebuild();
ROLLBACK;

-- What operators say --------------------------------------------------------------------------------

-- Merge, unlink, and a replay of the very same sightings: father and son stay apart.
BEGIN;
CREATE PROCEDURE replay() LANGUAGE plpgsql AS $$
BEGIN
    CALL seen('2024-03-01', '{"loyalty_card": "1", "email": "father@example.com"}');
    CALL seen('2024-03-02', '{"loyalty_card": "2", "email": "son@example.com"}');
    CALL seen('2024-03-03', '{"email": ["father@example.com", "son@example.com"]}');
END $$;
CALL replay();
TABLE people;
SELECT who(profile), identifiers FROM unlink('email:son@example.com', 'email:father@example.com', 'father and son');
CALL replay();
CALL replay();
TABLE people;
TABLE link;
TABLE said;
TABLE log;
-- Nothing is lost: whoever changes his mind has it all back.
SELECT who(link('email:father@example.com', 'email:son@example.com', 'it was only him'));
TABLE people;
TABLE link;
TABLE said;
ROLLBACK;

-- A separation, and bridges that are built later: they are held as separated, not dropped.
BEGIN;
CALL seen('2024-03-01', '{"loyalty_card": "1", "email": "ann@example.com"}', 9);
CALL seen('2024-03-01', '{"loyalty_card": "2", "email": "eve@example.com"}', 9);
SELECT who(profile), identifiers FROM unlink('loyalty_card:1', 'loyalty_card:2', 'sisters');
-- One from address to address, and one over an account that both use.
CALL seen('2024-04-01', '{"email": ["ann@example.com", "eve@example.com"]}', 3);
CALL seen('2024-04-01', '{"account_number": "A", "email": "ann@example.com"}');
CALL seen('2024-04-01', '{"account_number": "A", "loyalty_card": "2"}');
TABLE people;
TABLE link;
SELECT a, b, held_reason, sightings, meaning FROM conflicts ORDER BY a;
-- What was said is said of the two cards. When the two addresses are seen together more often than each
-- with its card, they are one person's; the cards still are not.
CALL seen('2024-04-01', '{"email": ["ann@example.com", "eve@example.com"]}', 20);
TABLE people;
SELECT a, b, held_reason, sightings FROM conflicts ORDER BY a;
-- All come into force when their reason goes.
SELECT undo(last('unlink')) > 0 AS undone;
TABLE people;
SELECT count(*) AS conflicts FROM conflicts;
SELECT * FROM changed_by_rebuild();
ROLLBACK;

-- A must-link over a limit: nobody has two customer numbers, unless an operator says so.
BEGIN;
CALL seen('2024-03-01', '{"customer_number": "1", "email": "ann@example.com"}', 3);
CALL seen('2024-03-01', '{"customer_number": "2", "email": "ann@example.com"}');
TABLE people;
SELECT a, b, held_reason, meaning FROM conflicts;
SELECT who(link('customer_number:1', 'customer_number:2', 'registered twice'));
TABLE people;
TABLE link;
-- A third one is still one too many.
CALL seen('2024-03-01', '{"customer_number": "3", "email": "ann@example.com"}');
TABLE people;
SELECT a, b, held_reason FROM conflicts;
SELECT * FROM changed_by_rebuild();
SELECT undo(last('link')) > 0 AS undone;
TABLE people;
SELECT a, b, held_reason FROM conflicts ORDER BY a;
ROLLBACK;

-- The couple's phone: Adele and Bruno both call from it, each as often. It is nobody's.
BEGIN;
CALL seen('2024-03-01', '{"customer_number": "1", "phone": "+33199004567"}', 5);
CALL seen('2024-03-01', '{"customer_number": "2", "phone": "+33199004567"}', 5);
TABLE people;
CALL remember();
-- He has moved out, says an operator: it is Adele's.
SELECT who(link('phone:+33 1 99 00 45 67', 'customer_number:1', 'he has moved out'));
TABLE people;
TABLE link;
-- No: it was she. While both are said, the two are one person; the last word ends that.
SELECT who(link('phone:+33199004567', 'customer_number:2', 'it was she'));
TABLE people;
SELECT who(profile), identifiers FROM unlink('phone:+33199004567', 'customer_number:1', 'it was she');
TABLE people;
TABLE link;
-- All that is taken back, the last first.
SELECT undo(last('unlink')) > 0 AS undone;
SELECT undo(last('link')) > 0 AS undone;
SELECT undo(min(number)) > 0 AS undone FROM change WHERE operation = 'link';
TABLE changed;
TABLE said;
SELECT * FROM changed_by_rebuild();
ROLLBACK;

-- The recycled phone: it was Theo's until 2021, and is Karim's since 2024. Nobody has to say so.
BEGIN;
CALL seen('2021-03-01', '{"customer_number": "theo", "phone": "+33612345678"}', 9);
CALL seen('2024-02-20', '{"customer_number": "karim", "phone": "+33612345678"}', 2);
TABLE people;
TABLE link;
SELECT who(resolve('phone', '+33612345678', '2021-02-28')) AS before,
       who(resolve('phone', '+33612345678', '2021-03-01')) AS then,
       who(resolve('phone', '+33612345678', '2024-02-19')) AS later,
       who(resolve('phone', '+33612345678', '2024-02-20')) AS now;
-- If it is given back to Theo by an operator, it is his in spite of the evidence, then and now.
SELECT who(link('phone:+33612345678', 'customer_number:theo', 'he has it back'));
TABLE people;
SELECT a, b, held_reason FROM conflicts;
SELECT who(resolve('phone', '+33612345678', '2024-02-20'));
ROLLBACK;

-- Configuration changed after the fact ---------------------------------------------------------------

-- A junk value: the till writes one and the same address for whoever has none.
BEGIN;
CALL seen('2024-03-01', '{"loyalty_card": "1", "email": "till@shop.example"}');
CALL seen('2024-03-02', '{"loyalty_card": "2", "email": "till@shop.example"}');
CALL seen('2024-03-03', '{"loyalty_card": "3", "email": "till@shop.example"}');
CALL seen('2024-03-03', '{"loyalty_card": "3", "cookie": "c3"}');
CALL collect();
TABLE people;
INSERT INTO blocked_value (type, pattern) VALUES ('email', 'till@shop\.example');
-- Nothing has changed yet; a preview says what would. The larger part keeps the id.
SELECT change, identifiers, profile IS NULL AS from_nobody, new_profile IS NULL AS new_or_none, reason
FROM preview() ORDER BY identifiers;
TABLE people;
SELECT * FROM rebuild_as_previewed();
TABLE people;
TABLE link;
TABLE log;
CALL collect();
-- Twice changes nothing.
SELECT * FROM preview();
SELECT * FROM changed_by_rebuild();
-- It cannot be linked, and a sighting of it says nothing.
SELECT attempt($$SELECT link('loyalty_card:1', 'email:till@shop.example')$$);
CALL seen('2024-03-04', '{"loyalty_card": "4", "email": "till@shop.example"}');
TABLE people;
-- It turns out that there is a real person behind it: removed again, all is as it was.
DELETE FROM blocked_value WHERE pattern = 'till@shop\.example';
SELECT change, identifiers, profile IS NULL AS from_nobody, new_profile IS NULL AS new_or_none, reason
FROM preview() ORDER BY identifiers;
SELECT * FROM rebuild_as_previewed();
TABLE people;
CALL collect();
TABLE nowhere;
SELECT * FROM changed_by_rebuild();
ROLLBACK;

-- A preview of much at once: a limit, a type that joins nobody, an owner's share, a blocked value, and
-- words that were written by hand.
BEGIN;
DO $$
BEGIN
    FOR i IN 1..12 LOOP
        CALL seen('2024-03-01', jsonb_build_object('loyalty_card', i, 'email', format('p%s@example.com', i)));
        CALL seen('2024-03-02', jsonb_build_object('email', format('p%s@example.com', i), 'phone', format('+336123456%s', 10 + i % 4)));
        CALL seen('2024-03-03', jsonb_build_object('loyalty_card', i, 'account_number', 'a' || i % 6));
        CALL seen('2024-03-04', jsonb_build_object('loyalty_card', i, 'cookie', 'c' || i % 5), i % 3 + 1);
        CALL collect();
    END LOOP;
END $$;
TABLE people;
UPDATE identifier_type SET max_per_profile = 1 WHERE name = 'loyalty_card';
SELECT * FROM rebuild_as_previewed();
TABLE people;
CALL collect();
UPDATE identifier_type SET owner_share = 0.9 WHERE name IN ('cookie', 'phone');
UPDATE identifier_type SET max_per_profile = NULL WHERE name = 'loyalty_card';
INSERT INTO blocked_value (pattern) VALUES ('a[12]');
SELECT * FROM rebuild_as_previewed();
CALL collect();
INSERT INTO separation (a, b, reason) VALUES ('loyalty_card:3', 'account_number:a3', 'by hand');
INSERT INTO must_link (a, b, reason) VALUES ('loyalty_card:4', 'loyalty_card:5', 'by hand'), ('email:new@example.com', 'login:new', 'never seen');
UPDATE identifier_type SET joins = 'never' WHERE name = 'cookie';
SELECT * FROM rebuild_as_previewed();
TABLE people;
CALL collect();
TRUNCATE separation, must_link;
DELETE FROM blocked_value WHERE pattern = 'a[12]';
UPDATE identifier_type SET joins = 'complementary' WHERE name = 'cookie';
UPDATE identifier_type SET owner_share = 0.6 WHERE name IN ('cookie', 'phone');
SELECT * FROM rebuild_as_previewed();
SELECT * FROM changed_by_rebuild();
-- All of it is what it was, and every id that was handed out meanwhile leads on. The two who were only
-- in a must-link are gone.
TABLE people;
TABLE nowhere;
ROLLBACK;

-- What ends by itself ---------------------------------------------------------------------------------

-- Ann uses Bob's account while she is abroad: until then, and no longer.
BEGIN;
CALL seen('2024-03-01', '{"loyalty_card": "ann", "email": "ann@example.com"}');
CALL seen('2024-03-01', '{"loyalty_card": "bob", "email": "bob@example.com"}');
CALL remember();
SELECT who(link('loyalty_card:ann', 'loyalty_card:bob', 'while she is abroad', now() + interval '1 month'));
TABLE people;
SELECT word, a, b, reason, until > now() AS ends FROM said;
-- A sweep before that ends nothing.
SELECT * FROM expire('2024-04-01');
TABLE people;
-- The time comes.
UPDATE must_link SET until = '2024-05-01';
SELECT * FROM expire('2024-05-02');
TABLE changed;
TABLE said;
TABLE log;
ROLLBACK;

-- The same of a separation. What ends is not lost either: the evidence has its way again.
BEGIN;
CALL seen('2024-03-01', '{"loyalty_card": "ann", "email": "ann@example.com"}');
CALL seen('2024-03-01', '{"loyalty_card": "bob", "email": "ann@example.com"}');
CALL remember();
SELECT who(profile), identifiers FROM unlink('loyalty_card:bob', 'loyalty_card:ann', 'to be looked into', now() + interval '1 month');
TABLE people;
UPDATE separation SET until = '2024-05-01';
SELECT * FROM expire('2024-05-02');
TABLE changed;
TABLE people;
TABLE said;
SELECT operation, event, identifiers FROM log;
SELECT * FROM changed_by_rebuild();
ROLLBACK;

-- A rebuild ends it as well, and a change by hand is what the undo of the link stumbles over.
BEGIN;
CALL seen('2024-03-01', '{"loyalty_card": "ann"}');
CALL seen('2024-03-01', '{"loyalty_card": "bob"}');
SELECT who(link('loyalty_card:ann', 'loyalty_card:bob'));
UPDATE must_link SET until = '2024-05-01';
SELECT attempt(format('SELECT undo(%s)', last('link'))) AS by_hand \gset
SELECT regexp_replace(:'by_hand', 'change \d+', 'change N', 'g');
CALL rebuild();
TABLE people;
TABLE said;
SELECT operation, event, identifiers, undo FROM log;
ROLLBACK;

-- Undo ------------------------------------------------------------------------------------------------

-- Of a join by evidence: both ids are back, and all that each had, though the one that joined was the
-- larger.
BEGIN;
CALL seen('2024-03-01', '{"loyalty_card": "1", "email": "ann@example.com"}');
CALL seen('2024-03-01', '{"loyalty_card": "2", "email": "eve@example.com", "cookie": ["e1", "e2", "e3"]}');
CALL remember();
CALL seen('2024-04-01', '{"email": ["ann@example.com", "eve@example.com"]}', 3);
TABLE people;
SELECT undo(last('observe')) > 0 AS undone;
TABLE changed;
TABLE people;
TABLE link;
-- It says which separations that took.
TABLE said;
TABLE log;
SELECT * FROM changed_by_rebuild();
ROLLBACK;

-- The same where the bridge is a cookie that neither had before: it stays with whom it was seen more.
BEGIN;
CALL seen('2024-03-01', '{"loyalty_card": "1", "cookie": "pc"}', 9);
CALL seen('2024-03-01', '{"account_number": "2", "email": "eve@example.com"}');
CALL remember();
CALL seen('2024-04-01', '{"account_number": "2", "cookie": "pc"}');
TABLE people;
SELECT undo(last('observe')) > 0 AS undone;
TABLE changed;
TABLE people;
TABLE link;
ROLLBACK;

-- Of link().
BEGIN;
CALL seen('2024-03-01', '{"loyalty_card": "1", "email": "ann@example.com"}');
CALL seen('2024-03-01', '{"loyalty_card": "2", "email": "eve@example.com", "cookie": ["e1", "e2", "e3"]}');
CALL remember();
SELECT who(link('email:ann@example.com', 'cookie:e2', 'a guess'));
TABLE people;
SELECT undo(last('link')) > 0 AS undone;
TABLE changed;
TABLE said;
SELECT operation, reason, event, identifiers, undo FROM log;
SELECT * FROM changed_by_rebuild();
-- Of a link that ended a separation: that is back, with who said it and why.
SELECT identifiers FROM unlink('email:ann@example.com', 'cookie:e2', 'asked her');
CREATE TEMP TABLE words AS TABLE separation;
SELECT who(link('email:ann@example.com', 'cookie:e2', 'she lied'));
TABLE said;
SELECT undo(last('link')) > 0 AS undone;
TABLE changed;
TABLE said;
SELECT count(*) AS the_same FROM words JOIN separation USING (a, b, reason, actor, created_at);
ROLLBACK;

-- Of unlink().
BEGIN;
CALL seen('2024-03-01', '{"loyalty_card": "1", "email": "ann@example.com", "cookie": ["a1", "a2"]}');
CALL seen('2024-03-01', '{"email": "ann@example.com", "phone": "+33612345678"}');
CALL remember();
SELECT identifiers FROM unlink('loyalty_card:1', 'email:ann@example.com');
TABLE people;
SELECT undo(last('unlink')) > 0 AS undone;
TABLE changed;
TABLE said;
SELECT * FROM changed_by_rebuild();
-- Of one that ended a must-link.
SELECT who(link('login:ann', 'phone:+33612345678', 'she called'));
CALL remember();
SELECT identifiers FROM unlink('login:ann', 'phone:+33612345678', 'she did not');
TABLE changed;
SELECT undo(last('unlink')) > 0 AS undone;
TABLE said;
TABLE changed;
ROLLBACK;

-- Of a sweep.
BEGIN;
CALL seen('2024-03-01', '{"login": "ann", "cookie": "phone"}', 1, 'smartphone');
CALL seen('2024-03-01', '{"login": "ann", "cookie": "pc"}', 1, 'desktop');
CALL seen('2024-03-01', '{"email": "news@example.com", "cookie": "phone"}');
CALL remember();
-- Whoever undoes it may write dates in another way.
SELECT FROM expire('2020-12-31');
SET LOCAL datestyle = 'SQL, DMY';
SELECT identifier FROM expire('2025-03-02 00:00+00');
RESET datestyle;
TABLE people;
SELECT undo(last('expire')) > 0 AS undone;
TABLE changed;
SELECT expired_as_of AT TIME ZONE 'UTC' AS expired_as_of FROM setting;
TABLE log;
SELECT * FROM changed_by_rebuild();
-- Two sweeps: the later one first.
SELECT identifier FROM expire('2025-03-02');
SELECT identifier FROM expire('2026-03-02');
SELECT regexp_replace(attempt(format('SELECT undo(%s)', max(number))), '\d+', 'N', 'g')
FROM change WHERE operation = 'expire' AND reason = 'as of 2025-03-02';
SELECT undo(last('expire')) > 0 AS undone;
SELECT expired_as_of FROM setting;
TABLE changed;
SELECT undo(max(number)) > 0 AS undone FROM change WHERE operation = 'expire' AND reason = 'as of 2025-03-02';
SELECT expired_as_of FROM setting;
TABLE changed;
ROLLBACK;

-- Of accept() and reject(): the review is open again, or joined if the two were one person before.
BEGIN;
CALL seen('2024-03-01', '{"loyalty_card": "1", "email": "ann@example.com"}');
CALL seen('2024-03-01', '{"loyalty_card": "2", "email": "anne@example.com"}');
CALL seen('2024-03-01', '{"loyalty_card": "3", "email": "anne@example.com"}');
CALL remember();
INSERT INTO review (review, a, b, probability, reason) VALUES
    (1, 'loyalty_card:1', 'loyalty_card:2', 0.8, 'same name'), (2, 'loyalty_card:2', 'loyalty_card:3', 0.6, 'same name');
SELECT who(accept(1));
SELECT reject(2);
TABLE people;
TABLE link;
TABLE said;
SELECT review, a, b, probability, state, decided_at IS NOT NULL AS decided, decided_by = session_user AS by_me,
       profile_a = profile_b AS one_person FROM reviews ORDER BY review;
-- A review is decided once.
SELECT attempt('SELECT accept(2)');
SELECT undo(last('reject')) > 0 AS undone;
TABLE people;
SELECT undo(last('accept')) > 0 AS undone;
TABLE changed;
TABLE said;
SELECT review, state, decided_at, decided_by FROM reviews ORDER BY review;
TABLE log;
-- And then the other way round.
SELECT reject(1);
SELECT who(accept(2));
SELECT review, state FROM reviews ORDER BY review;
TABLE people;
ROLLBACK;

-- What has been seen meanwhile stays: the one who had joined has got a new phone since, the other one a
-- new address. Each keeps what is his.
BEGIN;
CALL seen('2024-03-01', '{"loyalty_card": "1", "email": "ann@example.com"}');
CALL seen('2024-03-01', '{"loyalty_card": "2", "email": "eve@example.com"}');
CALL remember();
CALL seen('2024-04-01', '{"email": ["ann@example.com", "eve@example.com"]}');
CALL seen('2024-05-01', '{"loyalty_card": "2", "phone": "+33612345678"}');
CALL seen('2024-05-01', '{"loyalty_card": "1", "email": "ann@work.example"}');
CALL seen('2024-05-01', '{"phone": "+33612345678", "cookie": "c1"}');
SELECT undo(last('observe')) > 0 AS undone;
TABLE people;
TABLE changed;
TABLE said;
ROLLBACK;

-- The couple's tablet was nobody's before the two were joined by mistake. That is taken back by what is
-- said about the couple; about the tablet nothing is said, and so it goes to whose the evidence says. (A
-- claim that is held as separated does not contest it.)
BEGIN;
CALL seen('2024-03-01', '{"loyalty_card": "1", "email": "ann@example.com"}');
CALL seen('2024-03-01', '{"loyalty_card": "2", "email": "bob@example.com"}');
CALL seen('2024-03-01', '{"loyalty_card": "1", "cookie": "tablet"}', 5, 'tablet');
CALL seen('2024-03-01', '{"loyalty_card": "2", "cookie": "tablet"}', 5, 'tablet');
CALL remember();
CALL seen('2024-04-01', '{"email": ["ann@example.com", "bob@example.com"]}');
TABLE people;
SELECT undo(last('observe')) > 0 AS undone;
TABLE changed;
TABLE said;
CALL seen('2024-05-01', '{"loyalty_card": "2", "cookie": "tablet"}', 30, 'tablet');
TABLE people;
ROLLBACK;

-- Two links, undone in the order in which they were made: each has the id that it had, and nobody has
-- another one's.
BEGIN;
CALL seen('2024-03-01', '{"loyalty_card": "4"}');
CALL seen('2024-03-01', '{"loyalty_card": "5"}');
CALL seen('2024-03-01', '{"loyalty_card": "6"}');
CALL remember();
CALL collect();
SELECT who(link('loyalty_card:5', 'loyalty_card:6'));
SELECT who(link('loyalty_card:4', 'loyalty_card:6'));
-- The second link took along what the first had joined: the first is undone after it.
SELECT regexp_replace(attempt(format('SELECT undo(%s)', min(number))), '\d+', 'N', 'g') FROM change WHERE operation = 'link';
SELECT undo(max(number)) > 0 AS undone FROM change WHERE operation = 'link';
TABLE people;
SELECT undo(min(number)) > 0 AS undone FROM change WHERE operation = 'link';
TABLE people;
TABLE changed;
SELECT m.identifier, who(current_profile(m.profile)) AS leads_to FROM memory AS m ORDER BY m.identifier;
ROLLBACK;

-- An id that others have by now is not given to two: what was split off comes back, as far as it hangs
-- together, to the part that has it, or gets another one.
BEGIN;
CREATE TABLE account (id int PRIMARY KEY, a text, b text, at timestamptz DEFAULT '2024-03-01');
SELECT FROM add_source('account', '{"key": "id", "identifiers": {"account_number": ["a", "b"]}, "seen_at": "at"}', mode => 'trigger');
INSERT INTO account VALUES (1, 'c', 'd'), (2, 'a', 'c'), (3, 'a', 'b'), (4, 'b', 'b2');
SELECT count(*) AS parts FROM unlink('account_number:a', 'account_number:b');
DELETE FROM account WHERE id = 2;
SELECT undo(last('unlink')) > 0 AS undone;
TABLE people;
SELECT * FROM preview();
ROLLBACK;

-- What an operator has said since about the same two is not taken back by undoing what evidence did.
BEGIN;
CALL seen('2024-03-01', '{"loyalty_card": "1"}');
CALL seen('2024-03-01', '{"loyalty_card": "2"}');
CALL seen('2024-04-01', '{"loyalty_card": ["1", "2"]}');
SELECT who(link('loyalty_card:1', 'loyalty_card:2', 'I know them'));
SELECT regexp_replace(attempt(format('SELECT undo(%s)', last('observe'))), '\d+', 'N', 'g');
SELECT undo(last('link')) > 0 AS undone;
SELECT undo(last('observe')) > 0 AS undone;
TABLE people;
ROLLBACK;

-- What cannot be undone says why, and what to undo first.
BEGIN;
CALL seen('2024-03-01', '{"loyalty_card": "1", "email": "ann@example.com"}');
CALL seen('2024-03-01', '{"loyalty_card": "2", "email": "eve@example.com"}');
ALTER SEQUENCE change_number_seq RESTART 1001;
SELECT who(link('loyalty_card:1', 'loyalty_card:2', 'first word'));
SELECT identifiers FROM unlink('loyalty_card:1', 'loyalty_card:2', 'second word');
-- Later words build on it.
SELECT attempt('SELECT undo(1001)');
SELECT undo(1002);
-- What is undone is undone; and an undo can be undone as well: then the word holds again.
SELECT attempt('SELECT undo(1002)');
SELECT undo(1003);
SELECT a, b, reason FROM separation;
SELECT attempt('SELECT undo(1003)');
SELECT undo(1002);
SELECT change, operation, undoes, undone_by FROM history ORDER BY change;
SELECT undo(1001);
SELECT attempt('SELECT undo(1001)');
-- An unknown change.
SELECT attempt('SELECT undo(42)');
SELECT attempt('SELECT undo(0)');
SELECT attempt('SELECT undo(-9223372036854775808)');
-- A later join builds on a join.
CALL seen('2024-04-01', '{"email": ["ann@example.com", "eve@example.com"]}');
CALL seen('2024-04-01', '{"loyalty_card": "3"}');
CALL seen('2024-04-02', '{"loyalty_card": "3", "email": "eve@example.com"}');
SELECT attempt('SELECT undo(1007)');
-- By configuration, much is decided at once: that is taken back where it was set.
UPDATE identifier_type SET max_per_profile = 1 WHERE name = 'loyalty_card';
CALL rebuild();
SELECT attempt('SELECT undo(1009)');
ROLLBACK;

-- Ids ------------------------------------------------------------------------------------------------

-- Every id that was ever handed out leads on, whatever becomes of who had it.
BEGIN;
CALL seen('2024-03-01', '{"loyalty_card": "1", "email": "ann@example.com", "cookie": ["a1", "a2"]}');
CALL seen('2024-03-01', '{"loyalty_card": "2", "email": "eve@example.com"}');
CALL seen('2024-03-01', '{"cookie": "visitor"}');
CALL collect();
SELECT who(link('email:ann@example.com', 'email:eve@example.com'));
CALL collect();
SELECT identifiers FROM unlink('loyalty_card:1', 'email:ann@example.com');
CALL collect();
SELECT identifiers FROM unlink('cookie:a1', 'cookie:a2');
CALL collect();
CALL seen('2024-04-01', '{"loyalty_card": "2", "cookie": "visitor"}');
CALL collect();
SELECT who(link('loyalty_card:1', 'cookie:a2'));
CALL collect();
SELECT undo(last('link')) > 0 AS undone;
SELECT undo(last('unlink')) > 0 AS undone;
CALL collect();
UPDATE identifier_type SET max_per_profile = 1 WHERE name IN ('cookie', 'email');
CALL rebuild();
CALL collect();
UPDATE identifier_type SET max_per_profile = NULL WHERE name IN ('cookie', 'email');
CALL rebuild();
CALL collect();
TABLE people;
TABLE nowhere;
SELECT count(DISTINCT profile) AS ids FROM handed_out;
-- An id that nobody ever had leads nowhere.
SELECT current_profile('00000000-0000-0000-0000-000000000000');
ROLLBACK;

-- Why -------------------------------------------------------------------------------------------------

BEGIN;
CALL seen('2024-03-01', '{"customer_number": "1", "email": "ann@example.com"}', 1, channel => 'store');
CALL seen('2024-03-02', '{"email": "ann@example.com", "cookie": "c1"}', 3, channel => 'web');
CALL seen('2024-03-05', '{"email": "ann@example.com", "cookie": "c1"}', 1, channel => 'email');
CALL seen('2024-03-06', '{"cookie": "c1", "device": "d1"}', 2);
-- One person, over three hops.
SELECT why_in_words('customer_number:1', 'device:d1');
SELECT jsonb_pretty(why_in_short('customer_number:1', 'device:d1'));
-- From the other end, and however it is written.
SELECT why_in_words('device:d1', 'email: Ann@Example.com ');
SELECT why_in_words('email:ann@example.com', 'email:ANN@example.com');

-- Because an operator said so.
CALL seen('2024-03-01', '{"loyalty_card": "7"}');
SELECT who(link('loyalty_card:7', 'email:ann@example.com', 'she showed it'));
SELECT why_in_words('loyalty_card:7', 'customer_number:1');
SELECT jsonb_pretty(why_in_short('loyalty_card:7', 'customer_number:1'));

-- What nobody has seen.
SELECT why_in_words('customer_number:1', 'email:who@example.com');
SELECT why_in_short('customer_number:1', 'email:who@example.com');
SELECT why_in_words('login:nobody', 'email:who@example.com');

-- Never one person, said somebody.
CALL seen('2024-03-01', '{"loyalty_card": "8", "email": "eve@example.com"}');
SELECT identifiers FROM unlink('email:eve@example.com', 'loyalty_card:7', 'her sister');
SELECT why_in_words('loyalty_card:8', 'device:d1');
CALL seen('2024-03-07', '{"email": ["ann@example.com", "eve@example.com"]}');
SELECT why_in_words('loyalty_card:8', 'device:d1');
SELECT jsonb_pretty(why_in_short('loyalty_card:8', 'device:d1'));

-- Held by a limit.
CALL seen('2024-03-08', '{"customer_number": "2", "email": "ann@example.com"}');
SELECT why_in_words('customer_number:2', 'customer_number:1');
SELECT jsonb_pretty(why_in_short('customer_number:2', 'customer_number:1'));

-- Both were seen with the same kiosk, which is everybody's.
CALL seen('2024-03-09', '{"login": "fay", "cookie": "kiosk"}', 1, 'kiosk');
CALL seen('2024-03-09', '{"login": "gus", "cookie": "kiosk"}', 1, 'kiosk');
SELECT why_in_words('login:fay', 'login:gus');
SELECT jsonb_pretty(why_in_short('login:fay', 'login:gus'));
SELECT why_in_words('login:fay', 'cookie:kiosk');

-- Nothing in common.
SELECT why_in_words('login:fay', 'customer_number:1');
SELECT why_in_short('login:fay', 'customer_number:1') - 'a' - 'b';
SELECT why(NULL, 'login:fay') IS NULL AS nothing_asked;
ROLLBACK;

-- Whose it was --------------------------------------------------------------------------------------

-- Lila signs in on her tablet every Monday of 2024. From January 2025 on it is her mother Margaux who
-- does. Of the evidence, Lila has the owner's share until 3 March 2025 (the 9th Monday), and Margaux
-- from 28 April (the 17th) on; between, nobody has.
BEGIN;
CALL seen_every(7, '2024-01-01', '2024-12-30', '{"login": "lila", "cookie": "tablet"}', 'tablet');
CALL seen_every(7, '2025-01-06', '2025-06-30', '{"login": "margaux", "cookie": "tablet"}', 'tablet');
CALL seen('2024-01-01', '{"login": "lila", "email": "lila@example.com"}');
CALL seen('2023-01-01', '{"login": "margaux", "email": "margaux@example.com"}');
SELECT to_char(at, 'YYYY-MM-DD') AS at, who(resolve('cookie', 'tablet', at)) AS whose
FROM generate_series('2023-12-01'::timestamptz, '2025-07-01', interval '1 month') AS at;
SELECT day, who(resolve('cookie', 'tablet', day::timestamptz)) AS whose
FROM unnest(ARRAY['2023-12-31', '2024-01-01', '2025-03-09', '2025-03-10', '2025-04-27', '2025-04-28']) AS day;
SELECT who(resolve('cookie:tablet')) AS today;
-- The day is UTC.
SELECT who(resolve('cookie', 'tablet', '2024-01-01 01:00:00+02')) AS before, who(resolve('cookie', 'tablet', '2023-12-31 23:00:00-02')) AS then;
-- What nobody has seen yet, and what nobody ever saw.
SELECT resolve('email', 'lila@example.com', '2023-12-31') IS NULL AS not_yet, resolve('email', 'who@example.com', '2024-06-01') IS NULL AS never;
-- The answer is the person's present id.
SELECT resolve('cookie', 'tablet', '2024-06-01') = resolve('login:lila') AS lilas, resolve('login', 'lila', '2024-06-01') = resolve('login:lila') AS lila;
-- An operator's word of today counts for all times; and one that is withdrawn for none.
SELECT who(link('cookie:tablet', 'login:lila', 'a present'));
SELECT who(resolve('cookie', 'tablet', '2025-07-01')) AS linked;
SELECT undo(last('link')) > 0 AS undone;
SELECT who(resolve('cookie', 'tablet', '2025-07-01')) AS withdrawn;
ROLLBACK;

-- A smartphone lives 12 months, then too, whether somebody swept or not. Later it was in use again.
BEGIN;
CALL seen('2020-01-15', '{"login": "ann", "cookie": "phone"}', 1, 'smartphone');
CALL seen('2020-01-15', '{"login": "ann", "email": "ann@example.com"}');
CALL seen('2022-01-15', '{"login": "bob", "cookie": "phone"}', 1, 'smartphone');
SELECT day, who(resolve('cookie', 'phone', day::timestamptz)) AS whose
FROM unnest(ARRAY['2020-01-14', '2020-01-15', '2021-01-15', '2021-01-16', '2022-01-14', '2022-01-15', '2023-01-15', '2023-01-16']) AS day;
SELECT identifier FROM expire('2023-06-01');
SELECT day, who(resolve('cookie', 'phone', day::timestamptz)) AS whose
FROM unnest(ARRAY['2021-01-15', '2021-01-16', '2022-01-15']) AS day;
SELECT who(resolve('cookie:phone')) AS today;
ROLLBACK;

-- Two people who were joined in April, and are separated today: never were they one, in February, May
-- or now. Two who were linked today always were.
BEGIN;
CALL seen('2024-02-01', '{"loyalty_card": "1", "email": "ann@example.com"}', 5);
CALL seen('2024-02-01', '{"loyalty_card": "2", "email": "eve@example.com"}', 5);
CALL seen('2024-04-01', '{"email": ["ann@example.com", "eve@example.com"]}');
-- The answer is a present id: of what became one person later, the same for both.
SELECT day, resolve('email', 'eve@example.com', day::timestamptz) = resolve('email', 'ann@example.com', day::timestamptz) AS one_person
FROM unnest(ARRAY['2024-03-31', '2024-04-01']) AS day;
SELECT identifiers FROM unlink('loyalty_card:1', 'loyalty_card:2');
SELECT day, who(resolve('email', 'eve@example.com', day::timestamptz)), who(resolve('email', 'ann@example.com', day::timestamptz))
FROM unnest(ARRAY['2024-01-31', '2024-02-01', '2024-05-01', '2026-01-01']) AS day;
SELECT who(link('loyalty_card:1', 'loyalty_card:2')) AS linked;
SELECT day, resolve('email', 'eve@example.com', day::timestamptz) = resolve('email', 'ann@example.com', day::timestamptz) AS one_person
FROM unnest(ARRAY['2024-03-31', '2024-04-01']) AS day;
ROLLBACK;

-- Bad input -------------------------------------------------------------------------------------------

BEGIN;
\pset tuples_only on
CALL seen('2024-03-01', '{"login": "ann", "email": "ann@example.com"}');
INSERT INTO blocked_value (type, pattern) VALUES ('email', 'till@shop\.example');
INSERT INTO review (review, a, b) VALUES (7, 'email:ann@example.com', 'login:bob');
-- Nothing.
SELECT attempt($$SELECT link(NULL, 'login:ann')$$);
SELECT attempt($$SELECT link('login:ann', NULL)$$);
SELECT attempt($$SELECT unlink(NULL, NULL)$$);
SELECT attempt($$SELECT undo(NULL)$$);
SELECT attempt($$SELECT accept(NULL)$$);
SELECT attempt($$SELECT reject(NULL)$$);
SELECT attempt($$SELECT resolve('login', 'ann', NULL)$$);
-- No type.
SELECT attempt($$SELECT link('ann@example.com', 'login:ann')$$);
SELECT attempt($$SELECT unlink('login:ann', '')$$);
SELECT attempt($$SELECT why('ann', 'login:ann')$$);
-- An unknown type, almost known or not at all.
SELECT attempt($$SELECT link('emial:ann@example.com', 'login:ann')$$);
SELECT attempt($$SELECT unlink('dna:ACGT', 'login:ann')$$);
SELECT attempt($$SELECT resolve('dna', 'ACGT', '2024-03-01')$$);
SELECT attempt($$SELECT why_text('login:ann', 'dna:ACGT')$$);
-- No value, or a malformed one.
SELECT attempt($$SELECT link('email:', 'login:ann')$$);
SELECT attempt($$SELECT unlink('email:ann', 'login:ann')$$);
SELECT attempt($$SELECT why('login:ann', 'phone:06 12')$$);
SELECT attempt($$SELECT link('login:a' || chr(1) || 'b', 'login:ann')$$);
SELECT regexp_replace(attempt($$SELECT link('login:' || repeat('x', 10 * 1024 * 1024), 'login:ann')$$), 'x{50,}', 'xxx', 'g');
SELECT regexp_replace(attempt($$SELECT unlink('login:ann', repeat('x', 10 * 1024 * 1024))$$), 'x{50,}', 'xxx', 'g');
SELECT regexp_replace(attempt($$SELECT why('login:ann', repeat('x', 10 * 1024 * 1024) || ':1')$$), 'x{50,}', 'xxx', 'g');
-- The same identifier twice, however it is written.
SELECT attempt($$SELECT link('login:ann', 'login:ann')$$);
SELECT attempt($$SELECT unlink('email:ann@example.com', 'email: ANN@Example.com ')$$);
SELECT attempt($$SELECT link('phone:+33612345678', 'phone:+33 (0)6 12 34 56 78')$$);
-- What never joins anybody.
SELECT attempt($$SELECT link('login:ann', 'ip:192.0.2.1')$$);
SELECT attempt($$SELECT link('wifi:00:11:22:33:44:55', 'login:ann')$$);
-- What is blocked, by the seeds or by the shop.
SELECT attempt($$SELECT link('login:ann', 'login:anonymous')$$);
SELECT attempt($$SELECT link('login:ann', 'email:till@shop.example')$$);
-- What would be over before it began.
SELECT attempt($$SELECT link('login:ann', 'login:bob', 'late', now() - interval '1 second')$$);
SELECT attempt($$SELECT link('login:ann', 'login:bob', 'now', now())$$);
SELECT attempt($$SELECT unlink('login:ann', 'login:bob', 'late', '2020-01-01')$$);
SELECT attempt($$SELECT unlink('login:ann', 'login:bob', 'never', '-infinity')$$);
-- What is not there to be decided, or is decided.
SELECT attempt($$SELECT accept(42)$$);
SELECT attempt($$SELECT reject(-1)$$);
SELECT attempt($$SELECT reject(7)$$);
SELECT attempt($$SELECT reject(7)$$);
SELECT attempt($$SELECT accept(7)$$);
-- What is not there to be undone.
SELECT attempt($$SELECT undo(4242424242)$$);
-- A time that is none.
SELECT attempt($$SELECT resolve('login', 'ann', 'infinity')$$);
SELECT attempt($$SELECT resolve('login', 'ann', '1899-12-31 23:59:59+00')$$);
SELECT attempt($$SELECT resolve('login', 'ann', '9999-01-01')$$);
-- A pair by hand.
SELECT attempt($$INSERT INTO separation (a, b) VALUES ('login:ann', 'login:ann')$$);
SELECT attempt($$INSERT INTO must_link (a, b) VALUES ('ann', 'login:ann')$$);
-- A review of what never joins anybody, or is blocked: it can be rejected, and not accepted. One that is
-- written by hand is what it means in its canonical form.
SELECT attempt($$INSERT INTO review (review, a, b) VALUES (8, 'ip:192.0.2.1', 'login:ann')$$);
INSERT INTO review (review, a, b) VALUES (9, 'login:ann', 'login:anonymous');
SELECT attempt($$SELECT accept(9)$$);
SAVEPOINT reviews;
INSERT INTO review (review, a, b) VALUES (10, 'email:Ann@Example.com', 'login:anna');
SELECT accept(10) = resolve('email:ann@example.com') AS accepted;
ROLLBACK TO reviews;
-- A must-link with a network cannot be written by hand either.
SELECT attempt($$INSERT INTO must_link (a, b) VALUES ('ip:198.51.100.7', 'login:ann'), ('ip:198.51.100.7', 'login:bea')$$);
CALL seen('2024-03-01', '{"login": "bea", "ip": "198.51.100.7"}');
CALL rebuild();
SELECT resolve('login:ann') = resolve('login:bea') AS one_person;
ROLLBACK TO reviews;
-- After all that, nobody is anybody else: only the review that was rejected is written down.
\pset tuples_only off
TABLE people;
TABLE said;
SELECT operation, reason, event FROM log;
ROLLBACK;

-- A transaction that may not write.
BEGIN READ ONLY;
\pset tuples_only on
SELECT attempt($$SELECT link('login:ann', 'login:bob')$$);
SELECT attempt($$SELECT unlink('login:ann', 'login:bob')$$);
SELECT attempt($$SELECT undo(1)$$);
SELECT attempt($$SELECT accept(1)$$);
SELECT attempt($$CALL rebuild()$$);
SELECT attempt($$SELECT count(*) FROM preview()$$);
SELECT attempt($$SELECT why_text('login:ann', 'login:bob')$$);
SELECT attempt($$SELECT resolve('login', 'ann', '2024-01-01')$$);
\pset tuples_only off
ROLLBACK;

-- A transaction that goes back to a savepoint: what was said after it was never said.
BEGIN;
CALL seen('2024-03-01', '{"loyalty_card": "1", "email": "ann@example.com"}');
CALL seen('2024-03-01', '{"loyalty_card": "2", "email": "eve@example.com"}');
CALL remember();
SAVEPOINT before;
SELECT who(link('loyalty_card:1', 'loyalty_card:2'));
ROLLBACK TO before;
TABLE changed;
TABLE said;
TABLE log;
SELECT who(link('email:ann@example.com', 'email:eve@example.com'));
SAVEPOINT linked;
SELECT identifiers FROM unlink('loyalty_card:1', 'loyalty_card:2');
ROLLBACK TO linked;
TABLE people;
SELECT undo(last('link')) > 0 AS undone;
TABLE changed;
SELECT * FROM changed_by_rebuild();
ROLLBACK;

-- Rights ------------------------------------------------------------------------------------------------

BEGIN;
CALL seen('2024-03-01', '{"login": "ann", "email": "ann@example.com"}');
-- Nothing is for everybody.
SELECT p.oid::regprocedure FROM pg_proc AS p
WHERE p.pronamespace = 'identity_resolve'::regnamespace AND has_function_privilege('public', p.oid, 'EXECUTE');
GRANT USAGE ON SCHEMA identity_resolve TO stewardship_clerk;
SET LOCAL ROLE stewardship_clerk;
\pset tuples_only on
SELECT attempt($$SELECT link('login:ann', 'login:bob')$$);
SELECT attempt($$SELECT unlink('login:ann', 'email:ann@example.com')$$);
SELECT attempt($$SELECT undo(1)$$);
SELECT attempt($$SELECT accept(1)$$);
SELECT attempt($$SELECT reject(1)$$);
SELECT attempt($$CALL rebuild()$$);
SELECT attempt($$SELECT * FROM preview()$$);
SELECT attempt($$SELECT why('login:ann', 'email:ann@example.com')$$);
SELECT attempt($$SELECT why_text('login:ann', 'email:ann@example.com')$$);
SELECT attempt($$SELECT resolve('login', 'ann', '2024-03-01')$$);
SELECT attempt($$SELECT current_profile('00000000-0000-0000-0000-000000000000')$$);
SELECT attempt($$SELECT count(*) FROM history$$);
SELECT attempt($$SELECT count(*) FROM reviews$$);
SELECT attempt($$SELECT count(*) FROM profile_change$$);
SELECT attempt($$DELETE FROM separation$$);
RESET ROLE;
-- Who may ask why needs no other right; so does who may link.
GRANT EXECUTE ON FUNCTION why_text(text, text), link(text, text, text, timestamptz) TO stewardship_clerk;
SET LOCAL ROLE stewardship_clerk;
SELECT attempt($$SELECT why_text('login:ann', 'email:ann@example.com')$$);
SELECT attempt($$SELECT link('login:ann', 'cookie:c1') IS NULL$$);
SELECT attempt($$SELECT undo(1)$$);
\pset tuples_only off
RESET ROLE;
TABLE people;
ROLLBACK;

-- Following what happens ------------------------------------------------------------------------------

-- A listener learns that people have joined or split, once for each transaction, when it commits.
SELECT dblink_connect('listener', format('host=%s port=%s user=%s dbname=%s', split_part(current_setting('unix_socket_directories'), ',', 1),
                                         current_setting('port'), session_user, current_database()));
SELECT dblink_exec('listener', 'LISTEN people');
CREATE FUNCTION heard() RETURNS TABLE (channel text, payload text) LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1..50 LOOP
        RETURN QUERY SELECT n.notify_name, n.extra FROM dblink_get_notify('listener') AS n;
        EXIT WHEN FOUND;
        PERFORM pg_sleep(0.1);
    END LOOP;
END $$;
SET identity_resolve.notify_channel = 'people';
BEGIN;
CALL seen('2024-03-01', '{"loyalty_card": "1"}');
CALL seen('2024-03-01', '{"loyalty_card": "2"}');
CALL seen('2024-03-01', '{"loyalty_card": ["1", "2"]}');
SELECT who(profile), identifiers FROM unlink('loyalty_card:1', 'loyalty_card:2');
SELECT who(link('loyalty_card:1', 'loyalty_card:2'));
COMMIT;
SELECT * FROM heard();
-- What is rolled back, and what changes no profile, is not heard of.
BEGIN;
SELECT who(profile), identifiers FROM unlink('loyalty_card:1', 'loyalty_card:2');
ROLLBACK;
CALL seen('2024-03-02', '{"loyalty_card": ["1", "2"]}');
CALL rebuild();
RESET identity_resolve.notify_channel;
NOTIFY people, 'and no more';
SELECT * FROM heard();
-- Whoever follows reads on where he left off.
SELECT event, identifiers, old_profile IS NULL AS from_nobody, new_profile IS NULL AS to_nobody, reason FROM profile_change ORDER BY number;
SELECT dblink_disconnect('listener');

\set ECHO none
DROP OWNED BY stewardship_clerk;
DROP ROLE stewardship_clerk;
