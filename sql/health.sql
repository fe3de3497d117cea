-- Who shares identifiers, and which profiles and identifiers look wrong.

-- Households ------------------------------------------------------------------------------------

CREATE FUNCTION identity_resolve.household_claims(identifiers bigint[], profiles uuid[], OUT household uuid, OUT profile uuid, OUT identifier bigint)
    RETURNS SETOF record
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10000 ROWS 10000
    AS 'MODULE_PATHNAME', 'household_claims_wrapper';
COMMENT ON FUNCTION identity_resolve.household_claims(bigint[], uuid[]) IS
    'Claims of profiles on identifiers (each at one place of the two arrays), with the household that the profile is in: the oldest of those that share identifiers, directly or through others';

CREATE VIEW identity_resolve.households AS
WITH claim AS (
    SELECT x.id AS identifier, unnest(array_agg(DISTINCT p.profile)) AS profile
    FROM identity_resolve.link AS l
    JOIN identity_resolve.identifier AS a ON a.id = l.a
    JOIN identity_resolve.identifier AS x ON x.id = l.b
    JOIN identity_resolve.identifier_type AS t ON t.name = split_part(x.identifier, ':', 1)
    LEFT JOIN identity_resolve.device_type AS d
        ON x.standing = 'shared' AND d.name = identity_resolve.evidence_device_type(x.evidence)
    CROSS JOIN LATERAL (VALUES (a.profile), (x.profile)) AS p (profile)
    -- Links on what is blocked, expired or too common are held for that.
    WHERE l.held_reason IN ('shared', 'limit', 'ambiguous')
      -- The role in profile_identifier, which would be looked up by text for millions.
      AND (t.role IN ('contact', 'device') OR t.role = 'person' AND t.normalizer = 'openid' AND NOT EXISTS (
              SELECT FROM identity_resolve.identity_provider AS o
              WHERE o.certified AND starts_with(x.identifier, t.name || ':' || o.issuer || '|')))
      AND d.sharing IS DISTINCT FROM 'public'
      AND p.profile IS NOT NULL
    GROUP BY x.id
    HAVING count(DISTINCT p.profile) > 1
)
SELECT h.household,
       h.profile,
       array_agg(i.identifier ORDER BY i.identifier COLLATE "C") AS identifiers,
       count(*) OVER (PARTITION BY h.household)::int AS members
FROM (SELECT array_agg(c.identifier) AS identifiers, array_agg(c.profile) AS profiles FROM claim AS c) AS c
CROSS JOIN LATERAL identity_resolve.household_claims(c.identifiers, c.profiles) AS h
JOIN identity_resolve.identifier AS i ON i.id = h.identifier
GROUP BY h.household, h.profile;
COMMENT ON VIEW identity_resolve.households IS 'Profiles that share contacts or devices, directly or through others: related, and never merged for it';
COMMENT ON COLUMN identity_resolve.households.household IS 'The household: the oldest profile in it';
COMMENT ON COLUMN identity_resolve.households.profile IS 'A person of the household';
COMMENT ON COLUMN identity_resolve.households.identifiers IS 'What this person shares with others, canonical';
COMMENT ON COLUMN identity_resolve.households.members IS 'How many profiles the household has';

-- Profiles --------------------------------------------------------------------------------------

CREATE FUNCTION identity_resolve.widest_bridges(stronger bigint[], weaker bigint[], OUT a bigint, OUT b bigint, OUT smaller_half int)
    RETURNS SETOF record
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 ROWS 1
    AS 'MODULE_PATHNAME', 'widest_bridges_wrapper';
COMMENT ON FUNCTION identity_resolve.widest_bridges(bigint[], bigint[]) IS
    'Of the links in force of one profile (the ends of each at one place of the two arrays), those without which two parts of at least two identifiers each would remain; only those whose smaller part is the largest, with its size';

CREATE VIEW identity_resolve.profile_health AS
SELECT p.profile,
       p.identifiers,
       l.links,
       l.links / (p.identifiers * (p.identifiers - 1.0::float8) / 2) AS density,
       bridge.a AS bridge_a,
       bridge.b AS bridge_b,
       bridge.weight AS bridge_weight,
       bridge.smaller_half,
       n.near_limit
FROM (
    SELECT i.profile, count(*)::int AS identifiers
    FROM identity_resolve.identifier AS i
    WHERE i.profile IS NOT NULL
    GROUP BY i.profile
    HAVING count(*) >= 3
) AS p
JOIN (
    SELECT a.profile, count(*)::int AS links, array_agg(l.a) AS a, array_agg(l.b) AS b
    FROM identity_resolve.link AS l
    JOIN identity_resolve.identifier AS a ON a.id = l.a
    WHERE l.held_reason IS NULL
    GROUP BY a.profile
) AS l ON l.profile = p.profile
LEFT JOIN LATERAL (
    SELECT a.identifier AS a, b.identifier AS b, w.smaller_half,
           identity_resolve.evidence_weight(k.evidence, (now() AT TIME ZONE 'UTC')::date) AS weight
    FROM identity_resolve.widest_bridges(l.a, l.b) AS w
    JOIN identity_resolve.link AS k ON k.a = w.a AND k.b = w.b
    JOIN identity_resolve.identifier AS a ON a.id = w.a
    JOIN identity_resolve.identifier AS b ON b.id = w.b
    ORDER BY k.asserted, weight, a.identifier COLLATE "C", b.identifier COLLATE "C"
    LIMIT 1
) AS bridge ON true
LEFT JOIN (
    SELECT s.profile, array_agg(s.text ORDER BY s.text COLLATE "C") AS near_limit
    FROM (
        SELECT i.profile, format('%s (%s of %s partners)', i.identifier, i.partners, t.max_links) AS text
        FROM identity_resolve.identifier AS i
        JOIN identity_resolve.identifier_type AS t ON t.name = split_part(i.identifier, ':', 1)
        WHERE i.partners >= 0.9 * t.max_links
        UNION ALL
        SELECT i.profile, format('%s (%s of %s per profile)', t.name, count(*), t.max_per_profile)
        FROM identity_resolve.identifier AS i
        JOIN identity_resolve.identifier_type AS t ON t.name = split_part(i.identifier, ':', 1)
        WHERE t.max_per_profile > 1
        GROUP BY i.profile, t.name
        HAVING count(*) >= t.max_per_profile
    ) AS s
    WHERE s.profile IS NOT NULL
    GROUP BY s.profile
) AS n ON n.profile = p.profile;
COMMENT ON VIEW identity_resolve.profile_health IS 'Profiles of three identifiers or more, with what may be wrong with them';
COMMENT ON COLUMN identity_resolve.profile_health.profile IS 'The person';
COMMENT ON COLUMN identity_resolve.profile_health.identifiers IS 'How many identifiers belong to it';
COMMENT ON COLUMN identity_resolve.profile_health.links IS 'How many links in force it has';
COMMENT ON COLUMN identity_resolve.profile_health.density IS 'These, of all pairs of its identifiers: 0 to 1';
COMMENT ON COLUMN identity_resolve.profile_health.bridge_a IS 'The stronger end of the link in force that alone holds two parts of at least two identifiers each together; of several the one that splits most evenly, then the weakest; null: there is none';
COMMENT ON COLUMN identity_resolve.profile_health.bridge_b IS 'The weaker end of that link';
COMMENT ON COLUMN identity_resolve.profile_health.bridge_weight IS 'Of its sightings, relative to today; 0 where it rests on none';
COMMENT ON COLUMN identity_resolve.profile_health.smaller_half IS 'How many identifiers the smaller of the two parts has';
COMMENT ON COLUMN identity_resolve.profile_health.near_limit IS 'Types of which it holds all that max_per_profile (above 1) allows, and identifiers with at least 90 % of the partners that max_links allows; null: none';

-- Identifiers -----------------------------------------------------------------------------------

CREATE VIEW identity_resolve.hubs AS
SELECT i.identifier,
       split_part(i.identifier, ':', 1) AS type,
       i.standing::text AS standing,
       h.partners,
       (SELECT count(DISTINCT o.profile)::int
        FROM (SELECT h.id
              UNION ALL SELECT l.b FROM identity_resolve.link AS l WHERE l.a = h.id
              UNION ALL SELECT l.a FROM identity_resolve.link AS l WHERE l.b = h.id) AS e (id)
        JOIN identity_resolve.identifier AS o ON o.id = e.id) AS profiles
FROM (
    SELECT e.id, count(DISTINCT e.partner)::int AS partners
    FROM (SELECT l.a AS id, l.b AS partner FROM identity_resolve.link AS l
          UNION ALL SELECT l.b, l.a FROM identity_resolve.link AS l) AS e
    JOIN identity_resolve.identifier AS p ON p.id = e.partner
    JOIN identity_resolve.identifier_type AS t ON t.name = split_part(p.identifier, ':', 1)
    WHERE t.role <> 'record'
    GROUP BY e.id
    ORDER BY partners DESC, e.id
    LIMIT 100
) AS h
JOIN identity_resolve.identifier AS i ON i.id = h.id;
COMMENT ON VIEW identity_resolve.hubs IS 'The 100 identifiers that were seen with most others';
COMMENT ON COLUMN identity_resolve.hubs.identifier IS 'type:value, canonical';
COMMENT ON COLUMN identity_resolve.hubs.type IS 'Identifier type';
COMMENT ON COLUMN identity_resolve.hubs.standing IS 'member, shared, expired, too_common or blocked';
COMMENT ON COLUMN identity_resolve.hubs.partners IS 'How many others it has a link with, in force or held; records not counted';
COMMENT ON COLUMN identity_resolve.hubs.profiles IS 'How many profiles these, its records and itself belong to';
