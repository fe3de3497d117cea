-- What operators and analysts wait for, in the graph of the log: a rebuild; unlink() in profiles of about
-- ten identifiers, its undo, resolve() at a time in profiles of about fifty; and why() in a profile of a
-- thousand identifiers and five thousand links.

SET search_path = public, identity_resolve;
CALL identity_resolve.rebuild();
CHECKPOINT;
SELECT clock_timestamp() AS started \gset
CALL identity_resolve.rebuild();
INSERT INTO measurement VALUES (:rows, :trial, 'rebuild', NULL, extract(epoch FROM clock_timestamp() - :'started'));
VACUUM (ANALYZE) identity_resolve.identifier, identity_resolve.link;

CREATE TEMP TABLE small AS
SELECT a.identifier AS a, b.identifier AS b
FROM (SELECT profile FROM identity_resolve.identifier WHERE profile IS NOT NULL
      GROUP BY profile HAVING count(*) BETWEEN 9 AND 12 LIMIT 100) AS p
CROSS JOIN LATERAL (
    SELECT l.a, l.b FROM identity_resolve.identifier AS i JOIN identity_resolve.link AS l ON l.a = i.id
    WHERE i.profile = p.profile AND l.held_reason IS NULL LIMIT 1) AS l
JOIN identity_resolve.identifier AS a ON a.id = l.a
JOIN identity_resolve.identifier AS b ON b.id = l.b;

CREATE TEMP TABLE fifty AS
SELECT DISTINCT ON (i.profile) split_part(i.identifier, ':', 1) AS type, substr(i.identifier, strpos(i.identifier, ':') + 1) AS value
FROM (SELECT profile FROM identity_resolve.identifier WHERE profile IS NOT NULL
      GROUP BY profile HAVING count(*) BETWEEN 40 AND 60 LIMIT 100) AS p
JOIN identity_resolve.identifier AS i ON i.profile = p.profile;

-- A thousand identifiers, each of five hundred cards seen with ten addresses.
DROP TABLE IF EXISTS web;
CREATE TABLE web (at timestamptz, card text, login text);
INSERT INTO web
SELECT timestamptz '2025-01-01' + random() * interval '300 days', 'card' || i % 500,
       'https://id.example|' || (i * 7 + i / 500) % 500
FROM generate_series(1, 5000) AS i;
SELECT FROM identity_resolve.add_source('web',
    '{"identifiers": {"loyalty_card": "card", "openid": "login"}, "seen_at": "at"}');
CALL identity_resolve.backfill('web');

DO $$
DECLARE
    it record;
    started timestamptz;
BEGIN
    FOR it IN TABLE small LOOP
        started := clock_timestamp();
        PERFORM FROM identity_resolve.unlink(it.a, it.b);
        INSERT INTO live VALUES ('steward', 'unlink()', 1, 'ours', 1000 * extract(epoch FROM clock_timestamp() - started));
        started := clock_timestamp();
        PERFORM identity_resolve.undo((SELECT max(number) FROM identity_resolve.change));
        INSERT INTO live VALUES ('steward', 'undo()', 1, 'ours', 1000 * extract(epoch FROM clock_timestamp() - started));
    END LOOP;
    FOR it IN TABLE fifty LOOP
        started := clock_timestamp();
        PERFORM identity_resolve.resolve(it.type, it.value, now() - random() * interval '1 year');
        INSERT INTO live VALUES ('steward', 'resolve() at a time', 1, 'ours', 1000 * extract(epoch FROM clock_timestamp() - started));
    END LOOP;
    FOR i IN 1..100 LOOP
        started := clock_timestamp();
        PERFORM identity_resolve.why('loyalty_card:card' || i, 'loyalty_card:card' || i + 250);
        INSERT INTO live VALUES ('steward', 'why()', 1, 'ours', 1000 * extract(epoch FROM clock_timestamp() - started));
    END LOOP;
END $$;
SELECT FROM identity_resolve.drop_source('web');
