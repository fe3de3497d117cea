-- Searching for somebody among the records that were matched, and matching what has come since.

CREATE EXTENSION identity_resolve;
SET search_path = identity_resolve, public;
SET extra_float_digits = 0;

-- FEBRL 3: 5,000 records of 2,000 persons, with typing errors. Every tenth comes later.
\set ECHO none
\o /dev/null
SET client_min_messages = warning;
\set folder :data '/febrl'
\set data :folder
\set file :folder '/schema.sql'
\i :file
\set file :folder '/load.sql'
\i :file
RESET client_min_messages;
\o
\set ECHO all
CREATE TABLE later AS SELECT * FROM febrl.dataset3 WHERE hashtext(rec_id) % 10 = 0;
DELETE FROM febrl.dataset3 WHERE rec_id IN (SELECT rec_id FROM later);
SELECT add_source('febrl.dataset3', '{
    "key": "rec_id",
    "traits": {"first_name": "given_name", "last_name": "surname", "birth_date": "date_of_birth",
               "street": "address_1", "city": "suburb", "postal_code": "postcode", "national_id": "soc_sec_id"}
}');
SELECT (train() ->> 'records')::int AS records;

-- Nobody is found before the model has been applied.
SELECT * FROM search('{"last_name": "clarke"}');
\echo :LAST_ERROR_SQLSTATE
CALL match();
SELECT (match_report ->> 'records')::int AS records, (match_report ->> 'records_compared')::int AS compared
FROM model;

-- Searching ---------------------------------------------------------------------------------------

-- Somebody of whom there are several records is found once, with the one that is most alike: here
-- by a name that is misspelt and a birth date.
SELECT given_name, surname, date_of_birth FROM febrl.dataset3 WHERE rec_id = 'rec-1022-org';
SELECT round(probability::numeric, 2) AS probability, identifier, profile = resolve(identifier) AS is_theirs
FROM search('{"first_name": "jakson", "last_name": "eglington", "birth_date": "1983-08-07"}');

-- The number is that of score().
WITH asked AS (SELECT '{"first_name": "jakson", "last_name": "eglington", "birth_date": "1983-08-07"}'::jsonb AS record)
SELECT abs(found.probability - score(asked.record, jsonb_build_object('first_name', d.given_name, 'last_name', d.surname,
           'birth_date', d.date_of_birth, 'street', d.address_1, 'city', d.suburb, 'postal_code', d.postcode,
           'national_id', d.soc_sec_id))) < 1e-9 AS same
FROM asked, search(asked.record) AS found
JOIN febrl.dataset3 AS d ON found.identifier = 'record:febrl.dataset3/' || d.rec_id;

-- Of the records that come later, those whose person is there are found, and nobody for the others.
CREATE TABLE sought AS
SELECT split_part(l.rec_id, '-', 2) AS person,
       EXISTS (SELECT FROM febrl.dataset3 AS d WHERE split_part(d.rec_id, '-', 2) = split_part(l.rec_id, '-', 2)) AS is_there,
       found.*
FROM later AS l
LEFT JOIN LATERAL search(jsonb_build_object('first_name', l.given_name, 'last_name', l.surname, 'birth_date', l.date_of_birth,
    'street', l.address_1, 'city', l.suburb, 'postal_code', l.postcode, 'national_id', l.soc_sec_id), limit_to => 1) AS found ON true;
SELECT is_there, count(*) > 50 AS are_many,
       round(avg((coalesce(probability, 0) >= 0.5 AND split_part(identifier, '-', 2) = person)::int), 2) AS found,
       round(avg((coalesce(probability, 0) >= 0.5 AND split_part(identifier, '-', 2) <> person)::int), 2) AS wrong
FROM sought GROUP BY is_there ORDER BY is_there DESC;

-- Nothing known of a record is like nobody's; and what cannot be asked.
SELECT count(*) FROM search('{}');
SELECT count(*) FROM search('{"last_name": null, "first_name": ""}');
SELECT count(*) FROM search('{"last_name": "eglinton"}', limit_to => 0);
SELECT * FROM search('{"last_name": "eglinton"}', limit_to => -1);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM search('{"surname": "eglinton"}');
SELECT * FROM search('["eglinton"]');
SELECT * FROM search('{"last_name": "eglinton"}', 'nobody');
SELECT * FROM search(NULL);
SELECT count(*) FROM search(jsonb_build_object('last_name', repeat('x', 1000000)));
SELECT count(*) FROM search(jsonb_build_object('last_name', (SELECT jsonb_agg(n) FROM generate_series(1, 100000) AS n)));

-- What has come since -----------------------------------------------------------------------------

-- A second run compares nothing.
CALL match();
SELECT match_report -> 'records_compared' AS compared, match_report -> 'pairs_compared' AS pairs FROM model;

-- Who has come since is found as soon as the graph knows him, and who goes is found no more.
INSERT INTO febrl.dataset3 (rec_id, given_name, surname, date_of_birth, suburb)
VALUES ('rec-9999-org', 'zacharias', 'quentington', '19770707', 'wagga wagga');
CALL backfill();
SELECT round(probability::numeric, 2) AS probability, identifier, profile = resolve(identifier) AS is_theirs
FROM search('{"first_name": "zacharias", "last_name": "quentingtom", "birth_date": "1977-07-07", "city": "wagga wagga"}', limit_to => 1);
DELETE FROM febrl.dataset3 WHERE rec_id = 'rec-9999-org';
CALL backfill();
SELECT count(*) FROM search('{"first_name": "zacharias", "last_name": "quentingtom", "birth_date": "1977-07-07", "city": "wagga wagga"}', limit_to => 1);

-- Records come, go and change.
INSERT INTO febrl.dataset3 SELECT * FROM later;
DELETE FROM febrl.dataset3 WHERE hashtext(rec_id) % 50 = 1;
UPDATE febrl.dataset3 SET surname = 'smith' WHERE hashtext(rec_id) % 50 = 2;
UPDATE febrl.dataset3 SET rec_id = rec_id || '-new' WHERE hashtext(rec_id) % 100 = 3;
CALL backfill();
CALL match();
SELECT (match_report ->> 'records_compared')::int < 700 AS only_what_is_new,
       (match_report ->> 'links')::int > 6000 AS many_links
FROM model;
CREATE VIEW found AS
SELECT a.identifier AS a, b.identifier AS b, l.probability, l.held_reason::text
FROM link AS l JOIN identifier AS a ON a.id = l.a JOIN identifier AS b ON b.id = l.b WHERE l.probability IS NOT NULL
UNION ALL
SELECT a, b, probability, reason FROM review;
CREATE TABLE by_and_by AS SELECT * FROM found;

-- All compared anew comes to the same.
DELETE FROM match_index;
CALL match();
SELECT match_report ->> 'records_compared' AS compared FROM model;
SELECT (SELECT count(*) FROM (TABLE by_and_by EXCEPT TABLE found) AS d) AS no_more,
       (SELECT count(*) FROM (TABLE found EXCEPT TABLE by_and_by) AS d) AS new;

-- A record that goes has no links, and has them again when it comes back.
CREATE TABLE away AS SELECT * FROM febrl.dataset3 WHERE rec_id = 'rec-1022-org';
SELECT count(*) AS before FROM found WHERE 'record:febrl.dataset3/rec-1022-org' IN (a, b);
DELETE FROM febrl.dataset3 WHERE rec_id = 'rec-1022-org';
CALL backfill();
CALL match();
SELECT count(*) AS away FROM found WHERE 'record:febrl.dataset3/rec-1022-org' IN (a, b);
INSERT INTO febrl.dataset3 TABLE away;
CALL backfill();
CALL match();
SELECT count(*) AS back FROM found WHERE 'record:febrl.dataset3/rec-1022-org' IN (a, b);

-- Other words for names, another mapping or another model: all is compared.
INSERT INTO nickname (name, nickname) VALUES ('courtney', 'court');
CALL match();
SELECT match_report ->> 'records_compared' = match_report ->> 'records' AS all_compared FROM model;
UPDATE model SET parameters = jsonb_set(parameters, '{match_threshold}', '0.9');
SELECT * FROM search('{"last_name": "eglinton"}');
CALL match();
SELECT match_report ->> 'records_compared' = match_report ->> 'records' AS all_compared FROM model;

-- Two rows of one key are one record; all is compared then, too.
ALTER TABLE febrl.dataset3 DROP CONSTRAINT dataset3_pkey;
INSERT INTO febrl.dataset3 SELECT * FROM febrl.dataset3 WHERE rec_id = 'rec-1022-org';
CALL match();
SELECT match_report ->> 'records_compared' = match_report ->> 'records' AS all_compared FROM model;

-- Of a view nobody knows what is new.
CREATE VIEW febrl.seen AS SELECT * FROM febrl.dataset3;
SELECT add_source('febrl.seen', '{"key": "rec_id", "traits": {"last_name": "surname", "first_name": "given_name", "birth_date": "date_of_birth"}}');
SELECT (train('view', '{febrl.seen}') ->> 'records')::int > 4000 AS trained;
CALL match('view');
CALL match('view');
SELECT match_report ->> 'records_compared' = match_report ->> 'records' AS all_compared FROM model WHERE name = 'view';

-- Two sources, of which one loses a row: only what is new is compared. It comes to the same as
-- comparing everything.
CREATE FUNCTION same_as_anew(model text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    CREATE TEMP TABLE before ON COMMIT DROP AS TABLE found;
    DELETE FROM match_index AS i WHERE i.model = $1;
    CALL match($1);
    RETURN NOT EXISTS (TABLE before EXCEPT TABLE found) AND NOT EXISTS (TABLE found EXCEPT TABLE before);
END $$;
SELECT drop_source('febrl.seen');
SELECT drop_source('febrl.dataset3');
SELECT count(*) AS kept_of_dropped FROM match_index WHERE model = 'default';
\set mapping '{"key": "rec_id", "traits": {"first_name": "given_name", "last_name": "surname", "birth_date": "date_of_birth", "street": "address_1", "postal_code": "postcode", "national_id": "soc_sec_id"}}'
SELECT add_source(dataset, :'mapping') FROM unnest('{febrl.dataset4a, febrl.dataset4b}'::regclass[]) AS dataset;
SELECT (train('two', '{febrl.dataset4a, febrl.dataset4b}', '{"link_only": true}') ->> 'records')::int AS records;
CALL match('two');
DELETE FROM febrl.dataset4b WHERE hashtext(rec_id) % 100 = 5;
UPDATE febrl.dataset4a SET given_name = surname, surname = given_name WHERE hashtext(rec_id) % 100 = 6;
CALL backfill();
CALL match('two');
SELECT (match_report ->> 'records_compared')::int BETWEEN 1 AND 200 AS only_what_is_new FROM model WHERE name = 'two';
SELECT same_as_anew('two');

-- Whom the graph does not know yet cannot be linked; once it does, the next run links them.
CREATE TABLE fresh AS SELECT * FROM febrl.dataset4b WHERE hashtext(rec_id) % 100 = 7;
DELETE FROM febrl.dataset4b WHERE rec_id IN (SELECT rec_id FROM fresh);
CALL backfill();
CALL match('two');
SELECT count(*) AS before FROM found \gset
INSERT INTO febrl.dataset4b TABLE fresh;
CALL match('two');
SELECT count(*) - :before AS unknown FROM found;
CALL backfill();
CALL match('two');
SELECT (count(*) - :before > 10) AS known FROM found;
SELECT same_as_anew('two');

-- A source that is attached again has lost its links, and gets them again.
SELECT drop_source('febrl.dataset4b');
SELECT count(*) AS dropped FROM found;
SELECT add_source('febrl.dataset4b', :'mapping');
CALL match('two');
SELECT count(*) > 4000 AS again FROM found;

-- Links are those of the model that was matched last.
SELECT (train('other', '{febrl.dataset4a, febrl.dataset4b}', '{"link_only": true, "match_threshold": 0.999, "review_threshold": 0.998}') ->> 'records')::int AS records;
CALL match('other');
CALL match('two');
SELECT same_as_anew('two');

-- What is kept goes with the model.
DELETE FROM model;
SELECT count(*) AS indexes, (SELECT count(*) FROM match_page) AS pages FROM match_index;

-- Somebody who has just come is found whatever type the key is of.
CREATE TABLE public.numbered (id bigint PRIMARY KEY, name varchar(20), first_name text, last_name text);
INSERT INTO numbered SELECT n, 'k' || n, substr(md5(n::text), 1, 6), substr(md5('l' || n), 1, 8) FROM generate_series(1, 300) AS n;
CREATE TABLE public.named AS SELECT name AS id, first_name, last_name FROM numbered;
SELECT count(add_source(relation, '{"key": "id", "traits": {"first_name": "first_name", "last_name": "last_name"}}'))
FROM unnest('{numbered, named}'::regclass[]) AS relation;
SELECT (train('keys', '{numbered, named}', '{"link_only": true}') ->> 'records')::int AS records;
CALL match('keys');
INSERT INTO numbered VALUES (1000, 'k1000', 'zacharias', 'quentington');
INSERT INTO named VALUES ('k1000', 'zacharias', 'quentington');
CALL backfill();
SELECT identifier FROM search('{"first_name": "zacharias", "last_name": "quentington"}', 'keys') ORDER BY identifier;
