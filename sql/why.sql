-- Why: what holds two identifiers together, or keeps them apart.

CREATE FUNCTION identity_resolve.strongest_path(profile uuid, from_id bigint, to_id bigint, OUT a bigint, OUT b bigint)
    RETURNS SETOF record
    LANGUAGE c STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp COST 10000 ROWS 5
    AS 'MODULE_PATHNAME', 'strongest_path_wrapper';
COMMENT ON FUNCTION identity_resolve.strongest_path(uuid, bigint, bigint) IS
    'Of all paths of links in force between two members of a profile the one that is most likely right as a whole; its links in their order, as numbers of identifiers';

CREATE FUNCTION identity_resolve.held_meaning(reason text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    RETURN CASE reason
        WHEN 'blocked' THEN 'one of the two is on the block list'
        WHEN 'expired' THEN 'one of the two has not been seen for longer than its type allows'
        WHEN 'too_common' THEN 'one of the two has more partners than its type''s max_links'
        WHEN 'shared' THEN 'one of the two is shared: nobody has the owner''s share of it, or it is a public device'
        WHEN 'separated' THEN 'it would bring a separated pair together'
        WHEN 'limit' THEN 'it would bring more identifiers of a type together than max_per_profile'
        WHEN 'ambiguous' THEN 'the weaker one must not decide that two identifiers of one type are one person''s'
    END;
COMMENT ON FUNCTION identity_resolve.held_meaning(text) IS 'A held reason in words';

CREATE FUNCTION identity_resolve.held_needed(reason text, a text, b text, is_a boolean) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    RETURN CASE reason
        WHEN 'blocked' THEN 'take ' || CASE WHEN is_a THEN a ELSE b END || ' off blocked_value, and CALL rebuild()'
        WHEN 'expired' THEN 'a new sighting of ' || CASE WHEN is_a THEN a ELSE b END || ' with a person or contact'
        WHEN 'too_common' THEN 'a higher max_links of the type of ' || CASE WHEN is_a THEN a ELSE b END || ', and CALL rebuild()'
        WHEN 'shared' THEN format('more evidence for one owner, or link(%L, %L); a public device needs another device type', a, b)
        WHEN 'separated' THEN 'an end of the separation: link() or undo(), see why()'
        WHEN 'limit' THEN format('unlink() what is wrong in either profile, link(%L, %L), or a higher max_per_profile', a, b)
        WHEN 'ambiguous' THEN format('evidence between the two people themselves, or link(%L, %L)', a, b)
    END;
COMMENT ON FUNCTION identity_resolve.held_needed(text, text, text, boolean) IS
    'What would bring a held link of these two ends into force; whether the reason is about the first';

CREATE FUNCTION identity_resolve.link_facts(a bigint, b bigint) RETURNS jsonb
    LANGUAGE sql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp COST 500
    AS $$
        SELECT jsonb_strip_nulls(jsonb_build_object(
            'a', x.identifier,
            'b', y.identifier,
            'kind', CASE WHEN l.asserted THEN 'asserted' WHEN l.evidence <> '' THEN 'observed' ELSE 'matched' END,
            'weight', CASE WHEN l.evidence <> '' THEN
                identity_resolve.evidence_weight(l.evidence, (now() AT TIME ZONE 'UTC')::date) END,
            'probability', l.probability,
            'sightings', nullif(identity_resolve.evidence_sightings(l.evidence), 0),
            'first_seen', identity_resolve.evidence_first(l.evidence),
            'last_seen', identity_resolve.evidence_last(l.evidence),
            'channels', (SELECT jsonb_agg(DISTINCT e.channel) FILTER (WHERE e.channel IS NOT NULL)
                         FROM identity_resolve.evidence(l.evidence) AS e),
            'sources', (SELECT jsonb_agg(DISTINCT coalesce(s.name, 'identify()'))
                        FROM identity_resolve.evidence(l.evidence) AS e
                        LEFT JOIN identity_resolve.source AS s ON s.id = e.source),
            'said', (SELECT jsonb_strip_nulls(jsonb_build_object(
                         'actor', m.actor, 'at', m.created_at, 'reason', m.reason, 'until', m.until))
                     FROM identity_resolve.must_link AS m
                     WHERE l.asserted AND m.a IN (x.identifier, y.identifier) AND m.b IN (x.identifier, y.identifier)),
            'held_reason', l.held_reason,
            'meaning', identity_resolve.held_meaning(l.held_reason::text),
            'needed', identity_resolve.held_needed(l.held_reason::text, x.identifier, y.identifier, x.standing::text = l.held_reason::text)))
        FROM identity_resolve.link AS l
        JOIN identity_resolve.identifier AS x ON x.id = l.a
        JOIN identity_resolve.identifier AS y ON y.id = l.b
        WHERE l.a = link_facts.a AND l.b = link_facts.b
    $$;
COMMENT ON FUNCTION identity_resolve.link_facts(bigint, bigint) IS
    'What is known of a link (numbers of its stronger and its weaker identifier): kind, weight, sightings, dates, channels, sources, who asserted it, why it is held';

CREATE FUNCTION identity_resolve.why(a text, b text) RETURNS jsonb
    LANGUAGE plpgsql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp COST 20000 AS $$
DECLARE
    x identity_resolve.identifier;
    y identity_resolve.identifier;
    texts text[] := ARRAY[identity_resolve.canonical_identifier(a), identity_resolve.canonical_identifier(b)];
    answer jsonb := jsonb_build_object('a', texts[1], 'b', texts[2]);
    -- What belongs with each of the two: its profile's members, or itself where it is nobody's.
    of_x bigint[];
    of_y bigint[];
    found jsonb;
    kept_apart text[] := '{}';
BEGIN
    SELECT * INTO x FROM identity_resolve.identifier AS i WHERE i.identifier = texts[1];
    SELECT * INTO y FROM identity_resolve.identifier AS i WHERE i.identifier = texts[2];
    IF x.id IS NULL OR y.id IS NULL THEN
        RETURN answer || jsonb_build_object('together', false, 'because', ARRAY['unknown'],
            'unknown', to_jsonb(ARRAY(SELECT t FROM unnest(texts) AS t
                WHERE NOT EXISTS (SELECT FROM identity_resolve.identifier AS i WHERE i.identifier = t))));
    END IF;
    IF x.id = y.id OR x.profile = y.profile THEN
        RETURN answer || jsonb_build_object('together', true, 'profile', x.profile, 'path',
            (SELECT coalesce(jsonb_agg(identity_resolve.link_facts(p.a, p.b) ORDER BY p.step), '[]')
             FROM identity_resolve.strongest_path(x.profile, x.id, y.id) WITH ORDINALITY AS p (a, b, step)));
    END IF;

    answer := answer || jsonb_strip_nulls(jsonb_build_object(
        'together', false, 'profile_a', x.profile, 'profile_b', y.profile));
    SELECT jsonb_agg(jsonb_build_object('identifier', i.identifier, 'standing', i.standing,
               'meaning', CASE i.standing
                   WHEN 'shared' THEN 'nobody has the owner''s share of it, or it is a public device'
                   ELSE replace(identity_resolve.held_meaning(i.standing::text), 'one of the two', 'it') END))
    INTO found
    FROM (VALUES (x.identifier, x.standing), (y.identifier, y.standing)) AS i (identifier, standing)
    WHERE i.standing <> 'member';
    IF found IS NOT NULL THEN
        answer := answer || jsonb_build_object('aside', found);
        kept_apart := kept_apart || 'standing'::text;
    END IF;

    of_x := CASE WHEN x.profile IS NULL THEN ARRAY[x.id]
        ELSE ARRAY(SELECT i.id FROM identity_resolve.identifier AS i WHERE i.profile = x.profile) END;
    of_y := CASE WHEN y.profile IS NULL THEN ARRAY[y.id]
        ELSE ARRAY(SELECT i.id FROM identity_resolve.identifier AS i WHERE i.profile = y.profile) END;
    SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object('a', s.a, 'b', s.b, 'actor', s.actor,
               'at', s.created_at, 'reason', s.reason, 'until', s.until)) ORDER BY s.created_at, s.a, s.b)
    INTO found
    FROM identity_resolve.separation AS s
    JOIN identity_resolve.identifier AS i ON i.identifier = s.a
    JOIN identity_resolve.identifier AS j ON j.identifier = s.b
    WHERE (s.until IS NULL OR s.until > now())
      AND (i.id = ANY (of_x) AND j.id = ANY (of_y) OR i.id = ANY (of_y) AND j.id = ANY (of_x));
    IF found IS NOT NULL THEN
        answer := answer || jsonb_build_object('separations', found);
        kept_apart := kept_apart || 'separated'::text;
    END IF;

    -- What links the two sides directly, and is held; at most 20, the strongest first.
    SELECT jsonb_agg(facts ORDER BY (facts ->> 'weight')::float8 DESC NULLS LAST, facts ->> 'a', facts ->> 'b')
    INTO found
    FROM (
        SELECT identity_resolve.link_facts(l.a, l.b) AS facts
        FROM identity_resolve.link AS l
        WHERE l.a = ANY (of_x) AND l.b = ANY (of_y) OR l.a = ANY (of_y) AND l.b = ANY (of_x)
        ORDER BY identity_resolve.evidence_sightings(l.evidence) DESC, l.a, l.b
        LIMIT 20
    ) AS held;
    IF found IS NOT NULL THEN
        answer := answer || jsonb_build_object('held', found);
        kept_apart := kept_apart || 'held'::text;
    END IF;

    -- Of which types the two profiles together hold more than one profile may.
    SELECT jsonb_agg(jsonb_build_object('type', t.name, 'max_per_profile', t.max_per_profile,
               'together', n.identifiers) ORDER BY t.name)
    INTO found
    FROM (
        SELECT split_part(i.identifier, ':', 1) AS type, array_agg(i.identifier ORDER BY i.identifier COLLATE "C") AS identifiers,
               count(*) AS n
        FROM identity_resolve.identifier AS i WHERE i.id = ANY (of_x || of_y) GROUP BY 1
    ) AS n JOIN identity_resolve.identifier_type AS t ON t.name = n.type
    WHERE n.n > t.max_per_profile;
    IF found IS NOT NULL THEN
        answer := answer || jsonb_build_object('limits', found);
    END IF;

    -- What both sides were seen with and is neither's, or the other's by a held link.
    SELECT jsonb_agg(jsonb_build_object('identifier', i.identifier, 'standing', i.standing, 'links',
               (SELECT jsonb_agg(identity_resolve.link_facts(l.a, l.b) ORDER BY l.a, l.b)
                FROM identity_resolve.link AS l
                WHERE (l.a = i.id AND l.b = ANY (of_x || of_y)) OR (l.b = i.id AND l.a = ANY (of_x || of_y))))
           ORDER BY i.identifier COLLATE "C")
    INTO found
    FROM (
        SELECT i.* FROM identity_resolve.identifier AS i
        WHERE i.id IN (SELECT l.b FROM identity_resolve.link AS l WHERE l.a = ANY (of_x)
                       UNION SELECT l.a FROM identity_resolve.link AS l WHERE l.b = ANY (of_x))
          AND i.id IN (SELECT l.b FROM identity_resolve.link AS l WHERE l.a = ANY (of_y)
                       UNION SELECT l.a FROM identity_resolve.link AS l WHERE l.b = ANY (of_y))
          AND i.id <> ALL (of_x || of_y)
        ORDER BY i.identifier COLLATE "C" LIMIT 20
    ) AS i;
    IF found IS NOT NULL THEN
        answer := answer || jsonb_build_object('in_common', found);
        kept_apart := kept_apart || 'in_common'::text;
    END IF;
    IF kept_apart = '{}' THEN
        kept_apart := ARRAY['no_link'];
    END IF;
    RETURN answer || jsonb_build_object('because', kept_apart);
END $$;
COMMENT ON FUNCTION identity_resolve.why(text, text) IS
    'Why two identifiers are one person''s: the strongest path of links between them; or why they are not: their standing, separations, held links, what both were seen with, or no link at all';

CREATE FUNCTION identity_resolve.link_text(facts jsonb) RETURNS text
    LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    RETURN (facts ->> 'a') || ' and ' || (facts ->> 'b') || CASE facts ->> 'kind'
        WHEN 'asserted' THEN ': ' || coalesce(facts #>> '{said,actor}', 'somebody') || ' said so'
            || coalesce(' on ' || to_char((facts #>> '{said,at}')::timestamptz, 'YYYY-MM-DD'), '')
            || coalesce(' (' || (facts #>> '{said,reason}') || ')', '')
        WHEN 'matched' THEN ': one person''s with a probability of ' || round((facts ->> 'probability')::numeric, 3)
        ELSE '' END
        || CASE WHEN facts ? 'sightings' THEN
            ': seen together ' || CASE facts ->> 'sightings' WHEN '1' THEN 'once' ELSE (facts ->> 'sightings') || ' times' END
            || CASE WHEN facts ->> 'first_seen' = facts ->> 'last_seen' THEN ' on ' || (facts ->> 'first_seen')
                    ELSE ' from ' || (facts ->> 'first_seen') || ' to ' || (facts ->> 'last_seen') END
            || coalesce(' in ' || (SELECT string_agg(v, ', ' ORDER BY v) FROM jsonb_array_elements_text(facts -> 'sources') AS v), '')
            || coalesce(' (' || (SELECT string_agg(v, ', ' ORDER BY v) FROM jsonb_array_elements_text(facts -> 'channels') AS v) || ')', '')
            ELSE '' END
        || coalesce('; held as ' || (facts ->> 'held_reason') || ': ' || (facts ->> 'meaning'), '');
COMMENT ON FUNCTION identity_resolve.link_text(jsonb) IS 'What link_facts() says, in words';

CREATE FUNCTION identity_resolve.why_text(a text, b text) RETURNS text
    LANGUAGE sql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp COST 20000
    AS $$
        WITH it AS MATERIALIZED (SELECT identity_resolve.why(why_text.a, why_text.b) AS w), line AS (
            SELECT 1 AS part, 0 AS n, (w ->> 'a') || ' and ' || (w ->> 'b') || CASE
                WHEN (w ->> 'together')::boolean THEN ' are one person''s.'
                WHEN w ? 'unknown' THEN ' are not known to be one person''s: '
                    || (SELECT string_agg(v, ' and ') || CASE count(*) WHEN 1 THEN ' is' ELSE ' are' END
                        FROM jsonb_array_elements_text(w -> 'unknown') AS v) || ' not known.'
                ELSE ' are not one person''s.' END AS text
            FROM it
            UNION ALL
            SELECT 2, p.n, p.n || '. ' || identity_resolve.link_text(p.facts) || '.'
            FROM it, jsonb_array_elements(w -> 'path') WITH ORDINALITY AS p (facts, n)
            UNION ALL
            SELECT 3, s.n, (s.v ->> 'identifier') || ' is ' || replace(s.v ->> 'standing', '_', ' ') || ': ' || (s.v ->> 'meaning') || '.'
            FROM it, jsonb_array_elements(w -> 'aside') WITH ORDINALITY AS s (v, n)
            UNION ALL
            SELECT 4, s.n, (s.v ->> 'actor') || ' said on ' || to_char((s.v ->> 'at')::timestamptz, 'YYYY-MM-DD') || ' that '
                || (s.v ->> 'a') || ' and ' || (s.v ->> 'b') || ' never are one person''s'
                || coalesce(' (' || (s.v ->> 'reason') || ')', '') || coalesce(', until ' || (s.v ->> 'until'), '') || '.'
            FROM it, jsonb_array_elements(w -> 'separations') WITH ORDINALITY AS s (v, n)
            UNION ALL
            SELECT 5, h.n, identity_resolve.link_text(h.facts) || '.'
            FROM it, jsonb_array_elements(w -> 'held') WITH ORDINALITY AS h (facts, n)
            UNION ALL
            SELECT 6, m.n, 'Together they would have ' || (SELECT string_agg(v, ', ' ORDER BY o) FROM
                       jsonb_array_elements_text(m.v -> 'together') WITH ORDINALITY AS t (v, o))
                || '; a profile may have ' || (m.v ->> 'max_per_profile') || ' of type ' || (m.v ->> 'type') || '.'
            FROM it, jsonb_array_elements(w -> 'limits') WITH ORDINALITY AS m (v, n)
            UNION ALL
            SELECT 7, c.n, 'Both were seen with ' || (c.v ->> 'identifier') || ', which is ' || CASE c.v ->> 'standing'
                WHEN 'member' THEN 'another person''s' ELSE replace(c.v ->> 'standing', '_', ' ') END || '.'
            FROM it, jsonb_array_elements(w -> 'in_common') WITH ORDINALITY AS c (v, n)
            UNION ALL
            SELECT 8, 0, 'Nothing links the two, directly or through an identifier that both were seen with.'
            FROM it WHERE w -> 'because' ? 'no_link'
        )
        SELECT string_agg(text, E'\n' ORDER BY part, n) FROM line
    $$;
COMMENT ON FUNCTION identity_resolve.why_text(text, text) IS 'What why() says, to be read aloud';
