-- Views: what analysts and DBAs read.

CREATE VIEW identity_resolve.profile_identifier AS
SELECT i.profile,
       i.identifier,
       v.type,
       v.value,
       CASE WHEN t.normalizer = 'openid' AND t.role = 'person' AND NOT EXISTS (
                SELECT FROM identity_resolve.identity_provider AS p
                WHERE p.certified AND p.issuer = split_part(v.value, '|', 1))
            THEN 'contact' ELSE t.role END AS role,
       i.standing::text AS standing,
       i.first_seen,
       i.last_seen
FROM identity_resolve.identifier AS i
CROSS JOIN LATERAL (
    SELECT split_part(i.identifier, ':', 1) AS type,
           substr(i.identifier, strpos(i.identifier, ':') + 1) AS value
) AS v
LEFT JOIN identity_resolve.identifier_type AS t ON t.name = v.type;
COMMENT ON VIEW identity_resolve.profile_identifier IS 'Every identifier, and the profile it belongs to';
COMMENT ON COLUMN identity_resolve.profile_identifier.profile IS 'The person; null where it belongs to nobody';
COMMENT ON COLUMN identity_resolve.profile_identifier.identifier IS 'type:value, canonical';
COMMENT ON COLUMN identity_resolve.profile_identifier.type IS 'Identifier type';
COMMENT ON COLUMN identity_resolve.profile_identifier.value IS 'Canonical value';
COMMENT ON COLUMN identity_resolve.profile_identifier.role IS 'person, contact, device or record';
COMMENT ON COLUMN identity_resolve.profile_identifier.standing IS 'member, shared, expired, too_common or blocked';
COMMENT ON COLUMN identity_resolve.profile_identifier.first_seen IS 'UTC day of its first sighting';
COMMENT ON COLUMN identity_resolve.profile_identifier.last_seen IS 'UTC day of its last sighting';

CREATE VIEW identity_resolve.profiles AS
SELECT i.profile,
       count(*)::int AS identifiers,
       -- The first 48 bits of a UUID of version 7 are milliseconds since 1970 (RFC 9562, 5.7).
       to_timestamp(('x' || left(translate(i.profile::text, '-', ''), 12))::bit(48)::bigint / 1000.0) AS created_at,
       min(i.first_seen) AS first_seen,
       max(i.last_seen) AS last_seen
FROM identity_resolve.identifier AS i
WHERE i.profile IS NOT NULL
GROUP BY i.profile;
COMMENT ON VIEW identity_resolve.profiles IS 'The people: one row for each profile';
COMMENT ON COLUMN identity_resolve.profiles.profile IS 'Its stable id';
COMMENT ON COLUMN identity_resolve.profiles.identifiers IS 'How many identifiers belong to it';
COMMENT ON COLUMN identity_resolve.profiles.created_at IS 'When its id was first given';
COMMENT ON COLUMN identity_resolve.profiles.first_seen IS 'UTC day of the first sighting of any of its identifiers';
COMMENT ON COLUMN identity_resolve.profiles.last_seen IS 'UTC day of the last sighting of any of its identifiers';

CREATE VIEW identity_resolve.links AS
SELECT a.identifier AS a,
       b.identifier AS b,
       CASE WHEN l.asserted THEN 'asserted' WHEN l.evidence <> '' THEN 'observed' ELSE 'matched' END AS kind,
       identity_resolve.evidence_weight(l.evidence, (now() AT TIME ZONE 'UTC')::date) AS weight,
       l.probability,
       identity_resolve.evidence_sightings(l.evidence) AS sightings,
       identity_resolve.evidence_first(l.evidence) AS first_seen,
       identity_resolve.evidence_last(l.evidence) AS last_seen,
       l.held_reason IS NULL AS in_force,
       l.held_reason::text AS held_reason
FROM identity_resolve.link AS l
JOIN identity_resolve.identifier AS a ON a.id = l.a
JOIN identity_resolve.identifier AS b ON b.id = l.b;
COMMENT ON VIEW identity_resolve.links IS 'Every link, in force or held';
COMMENT ON COLUMN identity_resolve.links.a IS 'The stronger identifier';
COMMENT ON COLUMN identity_resolve.links.b IS 'The weaker identifier';
COMMENT ON COLUMN identity_resolve.links.kind IS 'asserted, observed or matched';
COMMENT ON COLUMN identity_resolve.links.weight IS 'Of its sightings, relative to today: one today weighs 1, one a half-life ago 0.5';
COMMENT ON COLUMN identity_resolve.links.probability IS 'Where matching found one, 0 to 1';
COMMENT ON COLUMN identity_resolve.links.sightings IS 'How often the two were seen together';
COMMENT ON COLUMN identity_resolve.links.first_seen IS 'UTC day of the first sighting together';
COMMENT ON COLUMN identity_resolve.links.last_seen IS 'UTC day of the last sighting together';
COMMENT ON COLUMN identity_resolve.links.in_force IS 'Whether it holds its two ends in one profile';
COMMENT ON COLUMN identity_resolve.links.held_reason IS 'Why it is not in force';

CREATE VIEW identity_resolve.conflicts AS
SELECT a.identifier AS a,
       b.identifier AS b,
       l.held_reason::text AS held_reason,
       a.profile AS profile_a,
       b.profile AS profile_b,
       identity_resolve.evidence_weight(l.evidence, (now() AT TIME ZONE 'UTC')::date) AS weight,
       identity_resolve.evidence_sightings(l.evidence) AS sightings,
       identity_resolve.evidence_last(l.evidence) AS last_seen,
       identity_resolve.held_meaning(l.held_reason::text) AS meaning,
       identity_resolve.held_needed(l.held_reason::text, a.identifier, b.identifier, a.standing::text = l.held_reason::text) AS needed
FROM identity_resolve.link AS l
JOIN identity_resolve.identifier AS a ON a.id = l.a
JOIN identity_resolve.identifier AS b ON b.id = l.b
WHERE l.held_reason IS NOT NULL;
COMMENT ON VIEW identity_resolve.conflicts IS 'Held links and why they are held';
COMMENT ON COLUMN identity_resolve.conflicts.a IS 'The stronger identifier';
COMMENT ON COLUMN identity_resolve.conflicts.b IS 'The weaker identifier';
COMMENT ON COLUMN identity_resolve.conflicts.held_reason IS 'blocked, expired, too_common, shared, separated, limit or ambiguous';
COMMENT ON COLUMN identity_resolve.conflicts.profile_a IS 'Whose the stronger is';
COMMENT ON COLUMN identity_resolve.conflicts.profile_b IS 'Whose the weaker is';
COMMENT ON COLUMN identity_resolve.conflicts.weight IS 'Of its sightings, relative to today';
COMMENT ON COLUMN identity_resolve.conflicts.sightings IS 'How often the two were seen together';
COMMENT ON COLUMN identity_resolve.conflicts.last_seen IS 'UTC day of the last sighting together';
COMMENT ON COLUMN identity_resolve.conflicts.meaning IS 'The reason in words';
COMMENT ON COLUMN identity_resolve.conflicts.needed IS 'What would bring it into force';

CREATE VIEW identity_resolve.profile_channel AS
SELECT s.profile,
       s.channel,
       c.kind,
       min(s.day) AS first_seen,
       max(s.day) AS last_seen,
       array_agg(DISTINCT s.identifier ORDER BY s.identifier) AS identifiers,
       array_agg(DISTINCT s.identifier ORDER BY s.identifier)
           FILTER (WHERE split_part(s.identifier, ':', 1) = c.reaches) AS reach
FROM (
    SELECT i.profile, i.identifier, e.channel, e.day
    FROM identity_resolve.identifier AS i, identity_resolve.evidence(i.evidence) AS e
    WHERE e.channel IS NOT NULL
    UNION ALL
    -- A visit is always the stronger end's; the weaker end's only where the link is in force.
    SELECT i.profile, i.identifier, e.channel, e.day
    FROM identity_resolve.identifier AS i
    JOIN identity_resolve.link AS l ON l.a = i.id, identity_resolve.evidence(l.evidence) AS e
    WHERE e.channel IS NOT NULL
    UNION ALL
    SELECT i.profile, i.identifier, e.channel, e.day
    FROM identity_resolve.identifier AS i
    JOIN identity_resolve.link AS l ON l.b = i.id, identity_resolve.evidence(l.evidence) AS e
    WHERE e.channel IS NOT NULL AND l.held_reason IS NULL
) AS s
LEFT JOIN identity_resolve.channel AS c ON c.name = s.channel
WHERE s.profile IS NOT NULL
GROUP BY s.profile, s.channel, c.kind;
COMMENT ON VIEW identity_resolve.profile_channel IS 'Where each person has been seen';
COMMENT ON COLUMN identity_resolve.profile_channel.profile IS 'The person';
COMMENT ON COLUMN identity_resolve.profile_channel.channel IS 'The channel';
COMMENT ON COLUMN identity_resolve.profile_channel.kind IS 'online or offline; null for a channel that is not configured';
COMMENT ON COLUMN identity_resolve.profile_channel.first_seen IS 'UTC day of the first sighting there';
COMMENT ON COLUMN identity_resolve.profile_channel.last_seen IS 'UTC day of the last sighting there';
COMMENT ON COLUMN identity_resolve.profile_channel.identifiers IS 'The person''s identifiers that were seen there';
COMMENT ON COLUMN identity_resolve.profile_channel.reach IS 'Those of them through which the channel reaches the person; null if none';

CREATE VIEW identity_resolve.rejections AS
SELECT s.source, r.row_key, r.column_name, r.value, r.error, r.seen_at
FROM identity_resolve.rejection AS r
JOIN identity_resolve.source AS s ON s.id = r.source;
COMMENT ON VIEW identity_resolve.rejections IS 'Values that were left out: malformed or blocked; at most setting.rejections_kept for each source, all are counted in stats';
COMMENT ON COLUMN identity_resolve.rejections.source IS 'The source';
COMMENT ON COLUMN identity_resolve.rejections.row_key IS 'Key of the row, or its physical place (ctid) where the source has no key';
COMMENT ON COLUMN identity_resolve.rejections.column_name IS 'Column that held the value';
COMMENT ON COLUMN identity_resolve.rejections.value IS 'The value, cut to 200 characters';
COMMENT ON COLUMN identity_resolve.rejections.error IS 'What is wrong with it';
COMMENT ON COLUMN identity_resolve.rejections.seen_at IS 'When it was read';

CREATE VIEW identity_resolve.progress AS
SELECT r.pid,
       (ARRAY['backfill', 'drain_queue', 'expire', 'rebuild', 'preview', 'train', 'match', 'evaluate'])[r.work] AS operation,
       NULLIF(r.source, 0)::regclass AS source,
       (ARRAY['reading', 'loading', 'solving', 'writing', 'indexing', 'draining', 'expiring',
              'counting', 'sampling', 'learning', 'comparing', 'clustering'])[r.phase] AS phase,
       r.done,
       NULLIF(r.total, 0) AS total,
       -- When the index at hand was begun is not known.
       CASE WHEN r.phase <> 5 THEN
           r.done / NULLIF(extract(epoch FROM clock_timestamp() - r.phase_started_at), 0)::float8
       END AS rate,
       r.started_at,
       r.phase_started_at
FROM identity_resolve.running() AS r;
COMMENT ON VIEW identity_resolve.progress IS 'Long work under way in this database, as it is now';
COMMENT ON COLUMN identity_resolve.progress.pid IS 'Server process that does it';
COMMENT ON COLUMN identity_resolve.progress.operation IS 'What is being done; null while indexing, which a backfill, a rebuild or a match does';
COMMENT ON COLUMN identity_resolve.progress.source IS 'The source at hand; null while the work is on the whole graph';
COMMENT ON COLUMN identity_resolve.progress.phase IS 'reading rows, loading the stored graph, solving, writing what changed, indexing; draining the queue; expiring; counting and sampling candidate pairs, learning, comparing, clustering';
COMMENT ON COLUMN identity_resolve.progress.done IS 'Rows done in this phase; while matching rules, records, blocks or pairs';
COMMENT ON COLUMN identity_resolve.progress.total IS 'Rows to do in this phase: an estimate while reading; null where unknown';
COMMENT ON COLUMN identity_resolve.progress.rate IS 'Rows a second in this phase; null while indexing';
COMMENT ON COLUMN identity_resolve.progress.started_at IS 'When the work began';
COMMENT ON COLUMN identity_resolve.progress.phase_started_at IS 'When this phase began';

CREATE VIEW identity_resolve.separated_profiles AS
SELECT least(x.profile, y.profile) AS a, greatest(x.profile, y.profile) AS b
FROM identity_resolve.separation AS s
JOIN identity_resolve.identifier AS x ON x.identifier = s.a
JOIN identity_resolve.identifier AS y ON y.identifier = s.b
WHERE x.profile IS NOT NULL AND y.profile IS NOT NULL AND (s.until IS NULL OR s.until > now());
COMMENT ON VIEW identity_resolve.separated_profiles IS 'Pairs of profiles that a separation of two of their identifiers keeps apart';
COMMENT ON COLUMN identity_resolve.separated_profiles.a IS 'One profile, the lesser id';
COMMENT ON COLUMN identity_resolve.separated_profiles.b IS 'The other profile';

-- Whether a question is still one is told by what became of the two: it may be one again, after an undo().
CREATE VIEW identity_resolve.reviews AS
SELECT r.review, r.a, r.b, r.probability, r.reason,
       CASE
           WHEN r.state <> 'open' THEN r.state
           WHEN a.profile = b.profile THEN 'joined'
           WHEN EXISTS (
               SELECT FROM identity_resolve.separated_profiles AS s
               WHERE s.a = least(a.profile, b.profile) AND s.b = greatest(a.profile, b.profile)
           ) THEN 'separated'
           ELSE 'open'
       END AS state,
       r.created_at, r.decided_at, r.decided_by,
       a.profile AS profile_a, b.profile AS profile_b
FROM identity_resolve.review AS r
LEFT JOIN identity_resolve.identifier AS a ON a.identifier = r.a
LEFT JOIN identity_resolve.identifier AS b ON b.identifier = r.b;
COMMENT ON VIEW identity_resolve.reviews IS 'Pairs that somebody should look at, and what was decided: accept() and reject()';
COMMENT ON COLUMN identity_resolve.reviews.review IS 'Number of the review';
COMMENT ON COLUMN identity_resolve.reviews.a IS 'One identifier';
COMMENT ON COLUMN identity_resolve.reviews.b IS 'The other identifier';
COMMENT ON COLUMN identity_resolve.reviews.probability IS 'That the two are one person''s, 0 to 1';
COMMENT ON COLUMN identity_resolve.reviews.reason IS 'Why somebody should look at it';
COMMENT ON COLUMN identity_resolve.reviews.state IS 'open; accepted or rejected; joined or separated: not decided, but the two are in one profile already, or what operators say keeps their profiles apart';
COMMENT ON COLUMN identity_resolve.reviews.created_at IS 'Since when it is open';
COMMENT ON COLUMN identity_resolve.reviews.decided_at IS 'When it was decided';
COMMENT ON COLUMN identity_resolve.reviews.decided_by IS 'Who decided it';
COMMENT ON COLUMN identity_resolve.reviews.profile_a IS 'Whose the one is today';
COMMENT ON COLUMN identity_resolve.reviews.profile_b IS 'Whose the other is today';

CREATE VIEW identity_resolve.history AS
SELECT c.number AS change,
       c.at,
       c.actor,
       c.operation,
       concat_ws('; ', p.reason, c.reason) AS reason,
       p.event,
       p.old_profile AS profile,
       p.new_profile,
       p.identifiers,
       c.undoes,
       identity_resolve.undone_by(c.number) AS undone_by
FROM identity_resolve.change AS c
LEFT JOIN identity_resolve.profile_change AS p ON p.change = c.number;
COMMENT ON VIEW identity_resolve.history IS 'What was done, by whom and why, and what became of profiles';
COMMENT ON COLUMN identity_resolve.history.change IS 'Number of the operation';
COMMENT ON COLUMN identity_resolve.history.at IS 'When it was done';
COMMENT ON COLUMN identity_resolve.history.actor IS 'Who did it';
COMMENT ON COLUMN identity_resolve.history.operation IS 'What was done: see the table change';
COMMENT ON COLUMN identity_resolve.history.reason IS 'Why';
COMMENT ON COLUMN identity_resolve.history.event IS 'join, split, expire, leave or return, see profile_change; null: it changed no profile';
COMMENT ON COLUMN identity_resolve.history.profile IS 'The profile that identifiers left; null: they were in none';
COMMENT ON COLUMN identity_resolve.history.new_profile IS 'The profile that they went to; null: none';
COMMENT ON COLUMN identity_resolve.history.identifiers IS 'Who went';
COMMENT ON COLUMN identity_resolve.history.undoes IS 'The operation that it undid; null: none';
COMMENT ON COLUMN identity_resolve.history.undone_by IS 'The operation that undid it; null: none did';

CREATE FUNCTION identity_resolve.history(profile uuid) RETURNS SETOF identity_resolve.history
    LANGUAGE sql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp COST 1000 ROWS 20
    AS $$
        WITH RECURSIVE ids (id) AS (
            SELECT history.profile
            UNION
            SELECT p.old_profile FROM ids JOIN identity_resolve.profile_change AS p ON p.new_profile = ids.id
            WHERE p.event = 'join'
        ), row AS (
            SELECT p.* FROM ids JOIN identity_resolve.profile_change AS p ON p.old_profile = ids.id
            UNION SELECT p.* FROM ids JOIN identity_resolve.profile_change AS p ON p.new_profile = ids.id
        )
        SELECT c.number, c.at, c.actor, c.operation, concat_ws('; ', p.reason, c.reason), p.event,
               p.old_profile, p.new_profile, p.identifiers, c.undoes, identity_resolve.undone_by(c.number)
        FROM row AS p JOIN identity_resolve.change AS c ON c.number = p.change
        ORDER BY p.number
    $$;
COMMENT ON FUNCTION identity_resolve.history(uuid) IS
    'What became of a profile, and of those that have joined it, in order';

CREATE VIEW identity_resolve.stats AS
WITH i AS (
    SELECT count(*) AS identifiers,
           count(*) FILTER (WHERE standing = 'shared') AS shared,
           count(*) FILTER (WHERE standing = 'expired') AS expired,
           count(*) FILTER (WHERE standing = 'too_common') AS too_common,
           count(*) FILTER (WHERE standing = 'blocked') AS blocked
    FROM identity_resolve.identifier
), l AS (
    SELECT count(*) AS links, count(*) FILTER (WHERE held_reason IS NOT NULL) AS held
    FROM identity_resolve.link
), s AS (
    SELECT count(*) AS sources, sum(rows_read) AS rows_read,
           coalesce(sum(malformed), 0) + (SELECT coalesce(sum(o.malformed), 0) FROM identity_resolve.left_out AS o) AS malformed,
           coalesce(sum(blocked), 0) + (SELECT coalesce(sum(o.blocked), 0) FROM identity_resolve.left_out AS o) AS left_out
    FROM identity_resolve.source
), p AS (
    SELECT count(*) AS profiles, max(n) AS largest, count(*) FILTER (WHERE n > 100) AS over_100,
           percentile_disc(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY n) AS sizes
    FROM (
        SELECT count(*) AS n FROM identity_resolve.identifier WHERE profile IS NOT NULL GROUP BY profile) AS sizes
), d AS (
    SELECT count(*) AS sources, string_agg(due.name, ', ' ORDER BY due.name) AS names,
           (SELECT count(*) FROM identity_resolve.last_decision AS l
            WHERE l.configuration <> identity_resolve.deciding_configuration()) AS rebuild
    FROM identity_resolve.source AS due
    WHERE due.read_with <> identity_resolve.reading_configuration(due.mapping)
)
SELECT v.name, v.value::numeric AS value, v.meaning
FROM i, l, s, p, d, LATERAL (VALUES
    ('identifiers', i.identifiers, 'identifiers ever seen'),
    ('profiles', p.profiles, 'people'),
    ('largest_profile', coalesce(p.largest, 0), 'identifiers of the profile that has most'),
    ('profile_size_p50', coalesce(p.sizes[1], 0), 'half of the profiles have at most so many identifiers'),
    ('profile_size_p95', coalesce(p.sizes[2], 0), '95 % of the profiles have at most so many identifiers'),
    ('profile_size_p99', coalesce(p.sizes[3], 0), '99 % of the profiles have at most so many identifiers'),
    ('profiles_over_100', p.over_100, 'people with more than 100 identifiers'),
    ('links', l.links, 'pairs of identifiers with evidence'),
    ('links_in_force', l.links - l.held, 'links that hold their two ends in one profile'),
    ('links_held', l.held, 'links that are kept but not in force; see conflicts'),
    ('identifiers_shared', i.shared, 'contacts and devices of which nobody has the owner''s share'),
    ('identifiers_expired', i.expired, 'identifiers not seen for longer than their type allows'),
    ('identifiers_too_common', i.too_common, 'identifiers with more partners than their type''s max_links'),
    ('identifiers_blocked', i.blocked, 'stored identifiers that are on the block list'),
    ('sources', s.sources, 'attached tables'),
    ('sources_to_backfill', d.sources, 'sources that were read by another configuration than today''s: CALL backfill()' || coalesce(' for ' || d.names, '')),
    ('rebuild_due', d.rebuild, '1: the configuration has changed since it was last applied to all that is stored: CALL rebuild()'),
    ('rows_read', coalesce(s.rows_read, 0), 'rows that the last backfill of each source read'),
    ('values_malformed', coalesce(s.malformed, 0), 'malformed values that the last backfill of each source, and rows since, left out'),
    ('values_blocked', coalesce(s.left_out, 0), 'blocked values that the last backfill of each source, and rows since, left out')
) AS v (name, value, meaning);
COMMENT ON VIEW identity_resolve.stats IS 'The graph in numbers';
COMMENT ON COLUMN identity_resolve.stats.name IS 'What is counted';
COMMENT ON COLUMN identity_resolve.stats.value IS 'How many';
COMMENT ON COLUMN identity_resolve.stats.meaning IS 'What that means';
