-- Pairs of identifiers against the truth: of the profiles, and of plain connected components over
-- the same links.

CREATE TEMP TABLE grouping AS
SELECT 'profiles' AS method, identifier, profile::text AS grp
FROM identity_resolve.identifier
WHERE profile IS NOT NULL
UNION ALL
SELECT 'plain components', i.identifier, c.component::text
FROM pgr_connectedComponents(
    'SELECT row_number() OVER () AS id, a AS source, b AS target, 1::float8 AS cost
     FROM identity_resolve.link') AS c
JOIN identity_resolve.identifier AS i ON i.id = c.node;

INSERT INTO accuracy
WITH part AS (
    SELECT g.method, g.grp, t.person, count(*) AS members
    FROM grouping AS g
    LEFT JOIN truth AS t USING (identifier)
    GROUP BY g.method, g.grp, t.person
), whole AS (
    SELECT method,
           sum(members) AS members,
           coalesce(sum(members) FILTER (WHERE person IS NOT NULL), 0) AS known,
           coalesce(sum(members * (members - 1) / 2) FILTER (WHERE person IS NOT NULL), 0) AS right_pairs
    FROM part
    GROUP BY method, grp
)
SELECT :rows, method, sum(members * (members - 1) / 2), sum(known * (known - 1) / 2), sum(right_pairs),
       (SELECT sum(n * (n - 1) / 2) FROM (SELECT count(*) AS n FROM truth GROUP BY person) AS p),
       max(members)
FROM whole
GROUP BY method;
