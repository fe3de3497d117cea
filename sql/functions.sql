-- Functions and procedures. What only reads is STABLE and works on a standby. Look-ups and
-- identify() run with the rights of the extension's owner: EXECUTE is all a caller needs.

-- Values ----------------------------------------------------------------------------------------

CREATE FUNCTION identity_resolve.canonical(type text, value text) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp COST 10
    AS 'MODULE_PATHNAME', 'canonical_wrapper';
COMMENT ON FUNCTION identity_resolve.canonical(text, text) IS
    'The canonical form of a value of an identifier type; an error if it is malformed. Reindex what is built on it after changing the type''s normalizer';

CREATE FUNCTION identity_resolve.canonical_identifier(identifier text) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp COST 10
    AS 'MODULE_PATHNAME', 'canonical_identifier_wrapper';
COMMENT ON FUNCTION identity_resolve.canonical_identifier(text) IS
    'The canonical form of type:value';

-- Look-up ---------------------------------------------------------------------------------------

CREATE FUNCTION identity_resolve.resolve(identifier text) RETURNS uuid
    LANGUAGE c STABLE STRICT PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp COST 20
    AS 'MODULE_PATHNAME', 'resolve_identifier_wrapper';
COMMENT ON FUNCTION identity_resolve.resolve(text) IS
    'The profile that type:value belongs to; null where it is unknown or nobody''s';

CREATE FUNCTION identity_resolve.resolve(type text, value text) RETURNS uuid
    LANGUAGE c STABLE STRICT PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp COST 20
    AS 'MODULE_PATHNAME', 'resolve_value_wrapper';
COMMENT ON FUNCTION identity_resolve.resolve(text, text) IS
    'The profile that a value of an identifier type belongs to; null where it is unknown or nobody''s';

CREATE FUNCTION identity_resolve.resolve(type text, value text, at timestamptz) RETURNS uuid
    LANGUAGE c STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp COST 5000
    AS 'MODULE_PATHNAME', 'resolve_value_at_wrapper';
COMMENT ON FUNCTION identity_resolve.resolve(text, text, timestamptz) IS
    'Whose a value of an identifier type was: the rule applied to the evidence up to that UTC day, with expiry as of then and what operators say today; the person''s present id';

CREATE FUNCTION identity_resolve.current_profile(profile uuid) RETURNS uuid
    LANGUAGE sql STABLE STRICT PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp COST 50
    AS $$
        SELECT coalesce(
            (SELECT i.profile FROM identity_resolve.identifier AS i
             WHERE i.profile = current_profile.profile LIMIT 1),
            (SELECT i.profile FROM identity_resolve.former_member AS f
             JOIN identity_resolve.identifier AS i ON i.id = f.identifier
             WHERE f.profile = current_profile.profile AND i.profile IS NOT NULL
             GROUP BY i.profile ORDER BY count(*) DESC, i.profile LIMIT 1))
    $$;
COMMENT ON FUNCTION identity_resolve.current_profile(uuid) IS
    'The id that a profile id ever handed out goes by today: of a retired one, the profile of most identifiers that had it; null once none is left';

CREATE FUNCTION identity_resolve.candidates(identifier text, OUT profile uuid, OUT share float8, OUT reason text)
    RETURNS SETOF record
    LANGUAGE sql STABLE STRICT PARALLEL SAFE ROWS 5 SECURITY DEFINER SET search_path = pg_catalog, pg_temp COST 100
    AS $$
        WITH it AS MATERIALIZED (
            SELECT i.* FROM identity_resolve.identifier AS i
            WHERE i.identifier = identity_resolve.canonical_identifier(candidates.identifier)
        ), claim AS (
            -- Relative to the strongest claim: only shares matter.
            SELECT a.profile, l.held_reason,
                   identity_resolve.evidence_weight(l.evidence, max(identity_resolve.evidence_last(l.evidence)) OVER ()) AS weight
            FROM it
            JOIN identity_resolve.link AS l ON l.b = it.id
            JOIN identity_resolve.identifier AS a ON a.id = l.a
            WHERE a.profile IS NOT NULL
            UNION ALL
            -- Its own profile is a candidate without any claim.
            SELECT it.profile, NULL, 0 FROM it WHERE it.profile IS NOT NULL
        )
        SELECT c.profile,
               coalesce(sum(c.weight) / nullif(sum(sum(c.weight)) OVER (), 0), 1),
               CASE WHEN c.profile = it.profile THEN 'member' ELSE min(c.held_reason)::text END
        FROM claim AS c CROSS JOIN it
        GROUP BY c.profile, it.profile
        ORDER BY 2 DESC, 1
    $$;
COMMENT ON FUNCTION identity_resolve.candidates(text) IS
    'Whose an identifier may be: each profile that claims it, with its share of the evidence (0 to 1), and member or why its claim is held';

-- Evidence --------------------------------------------------------------------------------------

CREATE FUNCTION identity_resolve.evidence(packed bytea, OUT source int, OUT channel text, OUT device_type text, OUT day date, OUT sightings bigint)
    RETURNS SETOF record
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 5 COST 10
    AS 'MODULE_PATHNAME', 'evidence_wrapper';
COMMENT ON FUNCTION identity_resolve.evidence(bytea) IS
    'Packed evidence as rows: sightings for each source, channel (or device type) and UTC day';

CREATE FUNCTION identity_resolve.evidence_sightings(packed bytea) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 5
    AS 'MODULE_PATHNAME', 'evidence_sightings_wrapper';
COMMENT ON FUNCTION identity_resolve.evidence_sightings(bytea) IS 'How many sightings packed evidence holds';

CREATE FUNCTION identity_resolve.evidence_first(packed bytea) RETURNS date
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 5
    AS 'MODULE_PATHNAME', 'evidence_first_wrapper';
COMMENT ON FUNCTION identity_resolve.evidence_first(bytea) IS 'The first UTC day in packed evidence; null if it is empty';

CREATE FUNCTION identity_resolve.evidence_last(packed bytea) RETURNS date
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 5
    AS 'MODULE_PATHNAME', 'evidence_last_wrapper';
COMMENT ON FUNCTION identity_resolve.evidence_last(bytea) IS 'The last UTC day in packed evidence; null if it is empty';

CREATE FUNCTION identity_resolve.evidence_device_type(packed bytea) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 5
    AS 'MODULE_PATHNAME', 'evidence_device_type_wrapper';
COMMENT ON FUNCTION identity_resolve.evidence_device_type(bytea) IS
    'The device type that most sightings in packed evidence name; null if none does';

CREATE FUNCTION identity_resolve.evidence_weight(packed bytea, today date) RETURNS float8
    LANGUAGE c STABLE STRICT PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp COST 10
    AS 'MODULE_PATHNAME', 'evidence_weight_wrapper';
COMMENT ON FUNCTION identity_resolve.evidence_weight(bytea, date) IS
    'The decayed weight of packed evidence: a sighting of the given day weighs 1, one a half-life older 0.5';

-- Sources ---------------------------------------------------------------------------------------

CREATE FUNCTION identity_resolve.add_source(source regclass, mapping jsonb, mode text DEFAULT 'manual') RETURNS void
    LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'add_source_wrapper';
COMMENT ON FUNCTION identity_resolve.add_source(regclass, jsonb, text) IS
    'Attaches a table, view or foreign table: its mapping says which columns hold which identifiers';

CREATE FUNCTION identity_resolve.drop_source(source regclass) RETURNS void
    LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'drop_source_wrapper';
COMMENT ON FUNCTION identity_resolve.drop_source(regclass) IS
    'Detaches a table and takes back all that it told';

CREATE FUNCTION identity_resolve.set_mode(source regclass, mode text) RETURNS void
    LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'set_mode_wrapper';
COMMENT ON FUNCTION identity_resolve.set_mode(regclass, text) IS
    'Switches a source to mode manual, trigger or queue; what it has queued counts first';

CREATE FUNCTION identity_resolve.observe() RETURNS trigger
    LANGUAGE c VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'observe_wrapper';
COMMENT ON FUNCTION identity_resolve.observe() IS
    'Trigger: takes in what a statement (with transition tables) or a row''s change says, as the source''s mapping has it';

CREATE PROCEDURE identity_resolve.drain_queue()
    LANGUAGE c
    AS 'MODULE_PATHNAME', 'drain_queue_wrapper';
COMMENT ON PROCEDURE identity_resolve.drain_queue() IS
    'Brings what writers have queued so far into the graph, as the background worker does';

CREATE FUNCTION identity_resolve.retry_dead_letters(source regclass DEFAULT NULL) RETURNS bigint
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
    AS $$
        WITH again AS (
            DELETE FROM identity_resolve.dead_letter AS d
            WHERE d.content IS NOT NULL
              AND (retry_dead_letters.source IS NULL OR d.source =
                   (SELECT s.id FROM identity_resolve.source AS s WHERE s.source = retry_dead_letters.source))
            RETURNING d.id, d.source, d.content
        ), queued AS (
            INSERT INTO identity_resolve.queue
            SELECT nextval('identity_resolve.queue_id'), a.source, now(), 1, a.content
            FROM (SELECT * FROM again ORDER BY id) AS a
            RETURNING id
        )
        SELECT count(*) FROM queued
    $$;
COMMENT ON FUNCTION identity_resolve.retry_dead_letters(regclass) IS
    'Puts rows that were set aside (null: of all sources) back into the queue; returns how many';

CREATE PROCEDURE identity_resolve.backfill(source regclass DEFAULT NULL)
    LANGUAGE c
    AS 'MODULE_PATHNAME', 'backfill_wrapper';
COMMENT ON PROCEDURE identity_resolve.backfill(regclass) IS
    'Reads a source (null: all) and brings the whole graph up to date; running it again changes nothing';

-- Applications ----------------------------------------------------------------------------------

CREATE FUNCTION identity_resolve.identify(identifiers jsonb, seen_at timestamptz DEFAULT now(),
        channel text DEFAULT NULL, device_type text DEFAULT NULL, traits jsonb DEFAULT NULL) RETURNS uuid
    LANGUAGE c VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'identify_wrapper';
COMMENT ON FUNCTION identity_resolve.identify(jsonb, timestamptz, text, text, jsonb) IS
    'One sighting: these identifiers together, as {"email": "ann@example.com", "cookie": ["c1", "c2"]}; returns whose it is';

-- Devices ---------------------------------------------------------------------------------------

CREATE FUNCTION identity_resolve.expire(as_of timestamptz DEFAULT now(),
        OUT identifier text, OUT profile uuid, OUT last_seen timestamptz)
    RETURNS SETOF record
    LANGUAGE c VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'expire_wrapper';
COMMENT ON FUNCTION identity_resolve.expire(timestamptz) IS
    'Lets devices and contacts leave their profiles that nobody has been seen with for longer than expires_after; returns each, the profile it left, and when it was last in use';

CREATE PROCEDURE identity_resolve.expire_in_batches(as_of timestamptz DEFAULT now())
    LANGUAGE c
    AS 'MODULE_PATHNAME', 'expire_in_batches_wrapper';
COMMENT ON PROCEDURE identity_resolve.expire_in_batches(timestamptz) IS
    'Like expire(), and commits after each 200 identifiers that it looks at, so that writers never wait for long';

-- Operators -------------------------------------------------------------------------------------

CREATE FUNCTION identity_resolve.link(a text, b text, reason text DEFAULT NULL, until timestamptz DEFAULT NULL) RETURNS uuid
    LANGUAGE c VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'link_wrapper';
COMMENT ON FUNCTION identity_resolve.link(text, text, text, timestamptz) IS
    'Says that two identifiers are one person''s, for good or until a time; returns whose both now are, null if something keeps them apart (see why)';

CREATE FUNCTION identity_resolve.unlink(a text, b text, reason text DEFAULT NULL, until timestamptz DEFAULT NULL,
        OUT profile uuid, OUT identifiers text[])
    RETURNS SETOF record
    LANGUAGE c VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'unlink_wrapper';
COMMENT ON FUNCTION identity_resolve.unlink(text, text, text, timestamptz) IS
    'Says that two identifiers never are one person''s, for good or until a time; returns the parts that their profiles have come apart into, that of the first one first';

CREATE FUNCTION identity_resolve.undo(change bigint) RETURNS bigint
    LANGUAGE c VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'undo_wrapper';
COMMENT ON FUNCTION identity_resolve.undo(bigint) IS
    'Takes back what an operation did (link, unlink, accept, reject, a sweep of expire, or the joining of two profiles by evidence); returns the number of the change that does';

CREATE FUNCTION identity_resolve.accept(review bigint) RETURNS uuid
    LANGUAGE c VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'accept_wrapper';
COMMENT ON FUNCTION identity_resolve.accept(bigint) IS
    'Decides a review: the two are one person, with all that either has, though that may be more than a limit allows; returns whose both now are, null if something keeps them apart';

CREATE FUNCTION identity_resolve.reject(review bigint) RETURNS void
    LANGUAGE c VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'reject_wrapper';
COMMENT ON FUNCTION identity_resolve.reject(bigint) IS 'Decides a review: the two never are one person';

-- Whole graph -----------------------------------------------------------------------------------

CREATE PROCEDURE identity_resolve.rebuild()
    LANGUAGE c
    AS 'MODULE_PATHNAME', 'rebuild_wrapper';
COMMENT ON PROCEDURE identity_resolve.rebuild() IS
    'Applies today''s configuration to the stored evidence; readers see the old state until it commits';

CREATE FUNCTION identity_resolve.preview(OUT change text, OUT profile uuid, OUT new_profile uuid, OUT identifiers text[], OUT reason text)
    RETURNS SETOF record
    LANGUAGE c STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp COST 1000000
    AS 'MODULE_PATHNAME', 'preview_wrapper';
COMMENT ON FUNCTION identity_resolve.preview() IS
    'What rebuild() would write to profile_change, without doing it; new_profile is null where a new id would be given';

-- Progress --------------------------------------------------------------------------------------

CREATE FUNCTION identity_resolve.running(OUT pid int, OUT source oid, OUT work int, OUT phase int, OUT done bigint, OUT total bigint,
        OUT started_at timestamptz, OUT phase_started_at timestamptz)
    RETURNS SETOF record
    LANGUAGE sql VOLATILE ROWS 3 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        -- The slot that COPY reports in, marked by a number of our own; while indexes are built
        -- PostgreSQL reports in that slot itself.
        SELECT s.pid, s.param17::oid, s.param18::int, s.param12::int, s.param13, s.param14,
               'epoch'::timestamptz + s.param15 * interval '1 microsecond',
               'epoch'::timestamptz + s.param16 * interval '1 microsecond'
        FROM pg_stat_get_progress_info('COPY') AS s
        JOIN pg_database AS d ON d.oid = s.datid AND d.datname = current_database()
        WHERE s.param11 = 7306934700485277554
        UNION ALL
        SELECT s.pid, 0::oid, NULL::int, 5, s.param13, s.param12, a.query_start, a.query_start
        FROM pg_stat_get_progress_info('CREATE INDEX') AS s
        JOIN pg_stat_activity AS a ON a.pid = s.pid
        JOIN pg_database AS d ON d.oid = s.datid AND d.datname = current_database()
        WHERE s.relid IN ('identity_resolve.identifier'::regclass, 'identity_resolve.link'::regclass)
    $$;
COMMENT ON FUNCTION identity_resolve.running() IS 'Long work under way in this database; see the view progress';
