-- Configuration: plain tables. A change takes effect for what is read from then on; what is
-- already there follows with the next backfill.

-- Validation and seeds --------------------------------------------------------------------------

-- Reads the whole configuration as the engine will read it, so that what cannot work is refused
-- where it is written, and tells other sessions to read it again.
CREATE FUNCTION identity_resolve.configuration_changed() RETURNS trigger
    LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'configuration_changed_wrapper';
COMMENT ON FUNCTION identity_resolve.configuration_changed() IS
    'Trigger: refuses a configuration that cannot work, and makes every session read the new one';

-- CREATE EXTENSION lays the seeds again before a dump is restored: a row that replaces a seed takes
-- its place, and a seed that was removed stays removed.
CREATE TABLE identity_resolve.removed_seed (
    relation text NOT NULL,
    key jsonb NOT NULL,
    PRIMARY KEY (relation, key)
);
COMMENT ON TABLE identity_resolve.removed_seed IS
    'Shipped configuration rows that were deleted here, so that a restored dump deletes them again';
COMMENT ON COLUMN identity_resolve.removed_seed.relation IS 'Name of the configuration table';
COMMENT ON COLUMN identity_resolve.removed_seed.key IS 'Key of the deleted row';

CREATE FUNCTION identity_resolve.keep_seeds() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- The arguments are the columns of the table's key.
DECLARE
    full_row jsonb := to_jsonb(CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END);
    row_key jsonb := (SELECT jsonb_object_agg(name, full_row -> name) FROM unnest(TG_ARGV) AS name);
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        EXECUTE format('INSERT INTO identity_resolve.removed_seed
                        SELECT $1, (SELECT jsonb_object_agg(name, to_jsonb(t) -> name) FROM unnest($2) AS name)
                        FROM identity_resolve.%I AS t ON CONFLICT DO NOTHING', TG_TABLE_NAME)
            USING TG_TABLE_NAME, TG_ARGV;
        RETURN NULL;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO identity_resolve.removed_seed VALUES (TG_TABLE_NAME, row_key) ON CONFLICT DO NOTHING;
        RETURN NULL;
    ELSIF TG_OP = 'UPDATE' THEN
        NEW.seeded := false;
        IF NOT to_jsonb(OLD) @> row_key THEN
            INSERT INTO identity_resolve.removed_seed
            SELECT TG_TABLE_NAME, jsonb_object_agg(name, to_jsonb(OLD) -> name) FROM unnest(TG_ARGV) AS name
            ON CONFLICT DO NOTHING;
        END IF;
    ELSE
        DELETE FROM identity_resolve.removed_seed AS r WHERE r.relation = TG_TABLE_NAME AND r.key = row_key;
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION identity_resolve.keep_seeds() IS
    'Trigger: tells shipped configuration rows from changed ones, so that dump and restore keep the changes';

CREATE FUNCTION identity_resolve.replace_seed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- The arguments are the columns of the table's key.
DECLARE
    full_row jsonb := to_jsonb(NEW);
    -- Column by column, so that the index of the key finds it: there may be thousands of seeds.
    is_seed text := (SELECT 't.seeded AND ' || string_agg(format(
                                CASE WHEN full_row ->> name IS NULL THEN 't.%I IS NULL' ELSE 't.%I = %L' END,
                                name, full_row ->> name), ' AND ')
                     FROM unnest(TG_ARGV) AS name);
    columns text := (SELECT string_agg(quote_ident(a.attname), ', ') FROM pg_attribute AS a
                     WHERE a.attrelid = TG_RELID AND a.attnum > 0 AND NOT a.attisdropped);
    replaces boolean;
BEGIN
    EXECUTE format('SELECT EXISTS (SELECT FROM identity_resolve.%I AS t WHERE %s)', TG_TABLE_NAME, is_seed) INTO replaces;
    -- An UPDATE of no row would still fire the triggers of its statement, once for each row of the dump.
    IF NOT replaces THEN
        RETURN NEW;
    END IF;
    -- Updated, not deleted and inserted: other rows may refer to it.
    EXECUTE format('UPDATE identity_resolve.%1$I AS t
                    SET (%2$s) = (SELECT %2$s FROM jsonb_populate_record(NULL::identity_resolve.%1$I, $1))
                    WHERE %3$s', TG_TABLE_NAME, columns, is_seed)
        USING full_row;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION identity_resolve.replace_seed() IS
    'Trigger: puts a restored configuration row in the place of the shipped one';

CREATE FUNCTION identity_resolve.remove_seed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- One DELETE for each table, as there may be thousands of seeds.
DECLARE
    relation text;
    row_key text;
BEGIN
    FOR relation, row_key IN
        SELECT r.relation, string_agg(DISTINCT format('%1$L, t.%1$I', k.name), ', ')
        FROM removed AS r, jsonb_object_keys(r.key) AS k (name)
        GROUP BY r.relation
        -- Tables that others refer to come last.
        ORDER BY (SELECT count(*) FROM pg_constraint AS c
                  WHERE c.contype = 'f' AND c.confrelid = format('identity_resolve.%I', r.relation)::regclass)
    LOOP
        EXECUTE format('DELETE FROM identity_resolve.%I AS t USING removed AS r
                        WHERE t.seeded AND r.relation = $1 AND r.key = jsonb_build_object(%s)', relation, row_key)
            USING relation;
    END LOOP;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION identity_resolve.remove_seed() IS
    'Trigger: deletes again, in a restore, the shipped configuration rows that were deleted before the dump';

-- pg_dump restores with an empty search_path.
CREATE TRIGGER remove_seed AFTER INSERT ON identity_resolve.removed_seed REFERENCING NEW TABLE AS removed
    FOR EACH STATEMENT WHEN (pg_catalog.current_setting('search_path') = '') EXECUTE FUNCTION identity_resolve.remove_seed();

-- Identifier types ------------------------------------------------------------------------------

CREATE TABLE identity_resolve.identifier_type (
    name text PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9_]{0,62}$'),
    role text NOT NULL CHECK (role IN ('person', 'contact', 'device', 'network', 'record')),
    normalizer text NOT NULL DEFAULT 'exact',
    joins text NOT NULL DEFAULT 'any' CHECK (joins IN ('any', 'complementary', 'never')),
    max_per_profile int CHECK (max_per_profile > 0),
    max_links int CHECK (max_links > 0),
    owner_share float8 CHECK (owner_share BETWEEN 0 AND 1),
    priority int NOT NULL DEFAULT 100 CHECK (priority > 0),
    expires_after interval CHECK (expires_after > '0'),
    seeded boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE identity_resolve.identifier_type IS 'The namespaces of identifiers, and how each joins, ages and is shared';
COMMENT ON COLUMN identity_resolve.identifier_type.name IS 'The type, as in email:ann@example.com: lower-case letters, digits and _';
COMMENT ON COLUMN identity_resolve.identifier_type.role IS 'person: certified, one person''s; contact: usually one person''s; device; network: evidence only, never linked; record: a row of a source';
COMMENT ON COLUMN identity_resolve.identifier_type.normalizer IS 'How a value becomes canonical: email, email_provider, phone, openid, digits, uuid, url, ip, mac, lower or exact';
COMMENT ON COLUMN identity_resolve.identifier_type.joins IS 'What it may join when a stronger identifier claims it: any groups; complementary: groups without a person or contact identifier of one same type; never: groups of which at most one holds such an identifier';
COMMENT ON COLUMN identity_resolve.identifier_type.max_per_profile IS 'A profile never holds more of these; null: no limit';
COMMENT ON COLUMN identity_resolve.identifier_type.max_links IS 'With more distinct partners an identifier is too common and links nothing; null: no limit';
COMMENT ON COLUMN identity_resolve.identifier_type.owner_share IS 'A contested contact or device belongs to nobody when its owner''s share of the evidence (0 to 1) is below this; null: it always belongs to its owner';
COMMENT ON COLUMN identity_resolve.identifier_type.priority IS 'Strength among identifiers of one role; 1 is strongest. The strongest identifier of a sighting claims the others';
COMMENT ON COLUMN identity_resolve.identifier_type.expires_after IS 'It leaves its profile when a sweep finds it unseen for so long; null: never';
COMMENT ON COLUMN identity_resolve.identifier_type.seeded IS 'Whether the row is as shipped';

INSERT INTO identity_resolve.identifier_type
    (name, role, normalizer, joins, max_per_profile, max_links, owner_share, priority, expires_after, seeded)
VALUES
    ('customer_number', 'person',  'exact',  'any',           1,    NULL, NULL, 1,  NULL,        true),
    ('account_number',  'person',  'exact',  'any',           NULL, NULL, NULL, 2,  NULL,        true),
    ('loyalty_card',    'person',  'exact',  'any',           NULL, NULL, NULL, 3,  NULL,        true),
    ('openid',          'person',  'openid', 'any',           NULL, NULL, NULL, 4,  NULL,        true),
    ('login',           'person',  'exact',  'any',           1,    NULL, NULL, 5,  NULL,        true),
    ('email',           'contact', 'email',  'any',           NULL, 50,   0.6,  6,  NULL,        true),
    ('phone',           'contact', 'phone',  'complementary', NULL, 50,   0.6,  7,  NULL,        true),
    ('cookie',          'device',  'exact',  'complementary', NULL, 50,   0.6,  8,  '13 months', true),
    ('device',          'device',  'exact',  'complementary', NULL, 50,   0.6,  9,  '12 months', true),
    ('mobile_ad_id',    'device',  'uuid',   'complementary', NULL, 50,   0.6,  10, '12 months', true),
    ('ip',              'network', 'ip',     'never',         NULL, NULL, NULL, 11, NULL,        true),
    ('wifi',            'network', 'mac',    'never',         NULL, NULL, NULL, 12, NULL,        true),
    ('record',          'record',  'exact',  'any',           NULL, NULL, NULL, 13, NULL,        true);

-- Device types ----------------------------------------------------------------------------------

CREATE TABLE identity_resolve.device_type (
    name text PRIMARY KEY CHECK (name = lower(btrim(name)) AND name <> ''),
    sharing text NOT NULL CHECK (sharing IN ('personal', 'household', 'public')),
    owner_share float8 CHECK (owner_share BETWEEN 0 AND 1),
    expires_after interval CHECK (expires_after > '0'),
    seeded boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE identity_resolve.device_type IS 'Kinds of device and who usually uses one; a device is of the type that most of its sightings name';
COMMENT ON COLUMN identity_resolve.device_type.name IS 'As it stands in the sources, in lower case; names that are not listed count as unknown';
COMMENT ON COLUMN identity_resolve.device_type.sharing IS 'personal: joins any groups; household: complementary groups only; public: never anybody''s';
COMMENT ON COLUMN identity_resolve.device_type.owner_share IS 'Takes the place of the identifier type''s owner_share; null: that one holds';
COMMENT ON COLUMN identity_resolve.device_type.expires_after IS 'Takes the place of the identifier type''s expires_after; null: that one holds';
COMMENT ON COLUMN identity_resolve.device_type.seeded IS 'Whether the row is as shipped';

INSERT INTO identity_resolve.device_type (name, sharing, expires_after, seeded) VALUES
    ('smartphone', 'personal',  '12 months', true),
    ('tablet',     'household', '18 months', true),
    ('desktop',    'household', '24 months', true),
    ('tv',         'household', '36 months', true),
    ('kiosk',      'public',    NULL,        true);

-- Channels --------------------------------------------------------------------------------------

CREATE TABLE identity_resolve.channel (
    name text PRIMARY KEY CHECK (name = lower(btrim(name)) AND name <> ''),
    kind text NOT NULL CHECK (kind IN ('online', 'offline')),
    cost numeric NOT NULL DEFAULT 0 CHECK (cost >= 0 AND cost < 'Infinity'),
    reaches text REFERENCES identity_resolve.identifier_type ON UPDATE CASCADE,
    seeded boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE identity_resolve.channel IS 'Where a company meets people, and how it reaches them there';
COMMENT ON COLUMN identity_resolve.channel.name IS 'As it stands in the sources, in lower case; names that are not listed are kept and count as unknown';
COMMENT ON COLUMN identity_resolve.channel.kind IS 'online or offline';
COMMENT ON COLUMN identity_resolve.channel.cost IS 'What one contact costs, in a unit of your choice';
COMMENT ON COLUMN identity_resolve.channel.reaches IS 'Identifier type needed to reach a person there; null: nobody can be reached there';
COMMENT ON COLUMN identity_resolve.channel.seeded IS 'Whether the row is as shipped';

INSERT INTO identity_resolve.channel (name, kind, cost, reaches, seeded) VALUES
    ('web',         'online',  0.001, 'cookie',       true),
    ('app',         'online',  0.001, 'device',       true),
    ('email',       'online',  0.002, 'email',        true),
    ('sms',         'online',  0.05,  'phone',        true),
    ('store',       'offline', 0,     NULL,           true),
    ('call_center', 'offline', 5,     'phone',        true);

-- Blocked values --------------------------------------------------------------------------------

CREATE TABLE identity_resolve.blocked_value (
    type text REFERENCES identity_resolve.identifier_type ON UPDATE CASCADE ON DELETE CASCADE,
    pattern text NOT NULL CHECK (pattern <> ''),
    seeded boolean NOT NULL DEFAULT false
);
CREATE UNIQUE INDEX blocked_value_key ON identity_resolve.blocked_value (coalesce(type, ''), pattern);
ALTER TABLE identity_resolve.blocked_value REPLICA IDENTITY FULL;
COMMENT ON TABLE identity_resolve.blocked_value IS 'Values that identify nobody: junk, defaults, tests';
COMMENT ON COLUMN identity_resolve.blocked_value.type IS 'Identifier type whose values are meant; null: every type';
COMMENT ON COLUMN identity_resolve.blocked_value.pattern IS 'Regular expression that matches the whole canonical value, in any case';
COMMENT ON COLUMN identity_resolve.blocked_value.seeded IS 'Whether the row is as shipped';

-- What the lists of Adobe Identity Service, Segment Unify, Tealium and RudderStack have in common,
-- and no more: a value that might be somebody's is better blocked by hand.
INSERT INTO identity_resolve.blocked_value (type, pattern, seeded) VALUES
    (NULL, 'null|nil|none|nan|n/a|undefined|undef|unset|empty|blank|missing', true),
    (NULL, 'unknown|anonymous|anon|guest|invalid|not[ _-]?provided|not[ _-]?available|no[ _-]?value', true),
    (NULL, '[0\-._ ]+|-1', true),
    (NULL, '[?*#]+', true),
    (NULL, '\[object object\]|%s|\{\{.*\}\}|\$\{.*\}', true),
    ('email', '(test|null|none|noemail|nomail|unknown|anonymous|no-?reply|donotreply)@(test|example|null|none|noemail|nomail|unknown|anonymous|invalid)\.[a-z]+', true),
    ('email', '(null|none|undefined|unknown|anonymous|anonymized|noemail|no-?reply|donotreply)@.*', true),
    ('cookie', 'optout|opt-out|opted-out|deleted|disabled', true),
    ('device', '0{8}-?0{4}-?0{4}-?0{4}-?0{12}', true),
    ('mobile_ad_id', '0{8}-0{4}-0{4}-0{4}-0{12}', true);

-- Identity providers ----------------------------------------------------------------------------

CREATE TABLE identity_resolve.identity_provider (
    issuer text PRIMARY KEY CHECK (issuer <> '' AND issuer NOT LIKE '%|%'),
    assurance text,
    certified boolean NOT NULL DEFAULT false,
    seeded boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE identity_resolve.identity_provider IS 'OpenID providers; only the subjects of certified ones are certain identifiers of a person';
COMMENT ON COLUMN identity_resolve.identity_provider.issuer IS 'The issuer (claim iss) exactly as in openid:issuer|subject';
COMMENT ON COLUMN identity_resolve.identity_provider.assurance IS 'How the provider proves who somebody is, in its own words, such as eIDAS substantial';
COMMENT ON COLUMN identity_resolve.identity_provider.certified IS 'Whether a subject belongs to exactly one person; otherwise it has the role contact';
COMMENT ON COLUMN identity_resolve.identity_provider.seeded IS 'Whether the row is as shipped';

INSERT INTO identity_resolve.identity_provider (issuer, assurance, certified, seeded) VALUES
    ('https://accounts.google.com', 'self-asserted account with verified e-mail', true, true),
    ('https://appleid.apple.com',   'account with two factors',                  true, true);

-- Settings --------------------------------------------------------------------------------------

CREATE TABLE identity_resolve.setting (
    one_row boolean PRIMARY KEY DEFAULT true CHECK (one_row),
    half_life interval NOT NULL DEFAULT '90 days' CHECK (half_life >= '1 hour'),
    region text DEFAULT NULL,
    rejections_kept int NOT NULL DEFAULT 10000 CHECK (rejections_kept >= 0),
    expired_as_of timestamptz CHECK (isfinite(expired_as_of)),
    seeded boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE identity_resolve.setting IS 'One row: what holds for the whole graph and is dumped with it';
COMMENT ON COLUMN identity_resolve.setting.one_row IS 'Keeps the table at one row';
COMMENT ON COLUMN identity_resolve.setting.half_life IS 'A sighting this old weighs half of one of today';
COMMENT ON COLUMN identity_resolve.setting.region IS 'ISO 3166 region, such as FR, of phone numbers written without one; null: those are malformed';
COMMENT ON COLUMN identity_resolve.setting.rejections_kept IS 'Rejected values shown in the view rejections for each source; all are counted';
COMMENT ON COLUMN identity_resolve.setting.expired_as_of IS 'The latest date as of which devices and contacts were expired; null: none ever were';
COMMENT ON COLUMN identity_resolve.setting.seeded IS 'Whether the row is as shipped';

INSERT INTO identity_resolve.setting (one_row, seeded) VALUES (true, true);

-- Sources ---------------------------------------------------------------------------------------

CREATE TABLE identity_resolve.source (
    id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    source regclass NOT NULL UNIQUE,
    name text NOT NULL UNIQUE,
    mapping jsonb NOT NULL,
    mode text NOT NULL DEFAULT 'manual' CHECK (mode IN ('manual', 'trigger', 'queue')),
    attached_on date NOT NULL DEFAULT (now() AT TIME ZONE 'UTC')::date,
    backfilled_at timestamptz,
    rows_read bigint,
    malformed bigint,
    blocked bigint,
    read_with text
);
COMMENT ON TABLE identity_resolve.source IS 'The attached tables; add_source() and drop_source() write it';
COMMENT ON COLUMN identity_resolve.source.id IS 'Number under which evidence names its source';
COMMENT ON COLUMN identity_resolve.source.source IS 'The table, partitioned table, view or foreign table';
COMMENT ON COLUMN identity_resolve.source.name IS 'schema.table as it was when attached; keyed rows are the identifiers record:name/key';
COMMENT ON COLUMN identity_resolve.source.mapping IS 'Which columns say what; see the guide for DBAs';
COMMENT ON COLUMN identity_resolve.source.mode IS 'manual: read by backfill only; trigger: rows count in their writer''s transaction; queue: soon after. set_mode() changes it';
COMMENT ON COLUMN identity_resolve.source.attached_on IS 'UTC day on which rows without a usable time count as seen';
COMMENT ON COLUMN identity_resolve.source.backfilled_at IS 'When the last backfill finished';
COMMENT ON COLUMN identity_resolve.source.rows_read IS 'Rows that the last backfill read';
COMMENT ON COLUMN identity_resolve.source.malformed IS 'Malformed values that the last backfill left out';
COMMENT ON COLUMN identity_resolve.source.blocked IS 'Blocked values that the last backfill left out';
COMMENT ON COLUMN identity_resolve.source.read_with IS 'reading_configuration() of the last backfill; of attaching, before one';

CREATE FUNCTION identity_resolve.keep_mode() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.mode <> OLD.mode AND current_setting('identity_resolve.sets_mode', true) IS DISTINCT FROM 'on' THEN
        RAISE EXCEPTION 'the mode of a source cannot be updated'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = 'The triggers of its table and its queue must follow.',
                  HINT = format('SELECT identity_resolve.set_mode(%L, %L);', OLD.source, NEW.mode);
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION identity_resolve.keep_mode() IS
    'Trigger: leaves changes of a source''s mode to set_mode(), which makes its triggers';
CREATE TRIGGER keep_mode BEFORE UPDATE OF mode ON identity_resolve.source
    FOR EACH ROW EXECUTE FUNCTION identity_resolve.keep_mode();

-- Separations -----------------------------------------------------------------------------------

-- What operators say. The last word on a pair wins: link() ends its separation, unlink() its must-link.

CREATE TABLE identity_resolve.separation (
    a text NOT NULL,
    b text NOT NULL,
    reason text,
    actor text NOT NULL DEFAULT session_user,
    created_at timestamptz NOT NULL DEFAULT now(),
    until timestamptz,
    PRIMARY KEY (a, b),
    CHECK (a COLLATE "C" < b COLLATE "C")
);
CREATE INDEX separation_b ON identity_resolve.separation (b);
COMMENT ON TABLE identity_resolve.separation IS 'Pairs of identifiers that may never share a profile, see unlink(); a row written by hand takes effect with the next rebuild()';
COMMENT ON COLUMN identity_resolve.separation.a IS 'One identifier, canonical: the bytewise lesser';
COMMENT ON COLUMN identity_resolve.separation.b IS 'The other identifier, canonical';
COMMENT ON COLUMN identity_resolve.separation.reason IS 'Why';
COMMENT ON COLUMN identity_resolve.separation.actor IS 'Who said so';
COMMENT ON COLUMN identity_resolve.separation.created_at IS 'Since when';
COMMENT ON COLUMN identity_resolve.separation.until IS 'It ends here; null: never';

CREATE TABLE identity_resolve.must_link (
    a text NOT NULL,
    b text NOT NULL,
    reason text,
    actor text NOT NULL DEFAULT session_user,
    created_at timestamptz NOT NULL DEFAULT now(),
    until timestamptz,
    PRIMARY KEY (a, b),
    CHECK (a COLLATE "C" < b COLLATE "C")
);
CREATE INDEX must_link_b ON identity_resolve.must_link (b);
COMMENT ON TABLE identity_resolve.must_link IS 'Pairs of identifiers that an operator says are one person''s, see link(); a row written by hand takes effect with the next rebuild()';
COMMENT ON COLUMN identity_resolve.must_link.a IS 'One identifier, canonical: the bytewise lesser';
COMMENT ON COLUMN identity_resolve.must_link.b IS 'The other identifier, canonical';
COMMENT ON COLUMN identity_resolve.must_link.reason IS 'Why';
COMMENT ON COLUMN identity_resolve.must_link.actor IS 'Who said so';
COMMENT ON COLUMN identity_resolve.must_link.created_at IS 'Since when';
COMMENT ON COLUMN identity_resolve.must_link.until IS 'It ends here; null: never';

CREATE FUNCTION identity_resolve.canonical_pair() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- With the argument 'restore' an identifier whose type is not known (yet) is left as it is.
DECLARE
    a text;
    b text;
BEGIN
    BEGIN
        a := identity_resolve.canonical_identifier(NEW.a);
        b := identity_resolve.canonical_identifier(NEW.b);
    EXCEPTION WHEN undefined_object THEN
        IF TG_NARGS = 0 THEN
            RAISE;
        END IF;
        RETURN NEW;
    END;
    IF a = b THEN
        RAISE EXCEPTION 'an identifier cannot be % itself',
                CASE TG_TABLE_NAME WHEN 'separation' THEN 'separated from' ELSE 'linked to' END
            USING ERRCODE = 'invalid_parameter_value', DETAIL = format('Both are %s.', a),
                  HINT = 'Name two different identifiers.';
    END IF;
    IF TG_TABLE_NAME <> 'separation' AND EXISTS (
        SELECT FROM identity_resolve.identifier_type AS t
        WHERE t.role = 'network' AND t.name IN (split_part(a, ':', 1), split_part(b, ':', 1))
    ) THEN
        RAISE EXCEPTION 'network identifiers are evidence only, and nobody''s'
            USING ERRCODE = 'invalid_parameter_value', DETAIL = format('The two are %s and %s.', a, b),
                  HINT = 'Name identifiers of people, contacts or devices, or records.';
    END IF;
    NEW.a := least(a COLLATE "C", b COLLATE "C");
    NEW.b := greatest(a COLLATE "C", b COLLATE "C");
    RETURN NEW;
END $$;
COMMENT ON FUNCTION identity_resolve.canonical_pair() IS
    'Trigger: makes a pair''s identifiers canonical and puts the lesser first';

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['separation', 'must_link'] LOOP
        EXECUTE format('CREATE TRIGGER canonical BEFORE INSERT OR UPDATE ON identity_resolve.%I
            FOR EACH ROW WHEN (pg_catalog.current_setting(''search_path'') <> '''')
            EXECUTE FUNCTION identity_resolve.canonical_pair()', name);
        -- A dump is restored with an empty search_path, and its tables in any order.
        EXECUTE format('CREATE TRIGGER canonical_in_restore BEFORE INSERT OR UPDATE ON identity_resolve.%I
            FOR EACH ROW WHEN (pg_catalog.current_setting(''search_path'') = '''')
            EXECUTE FUNCTION identity_resolve.canonical_pair(''restore'')', name);
    END LOOP;
END $$;

-- What is due after a change of the configuration --------------------------------------------

CREATE FUNCTION identity_resolve.reading_configuration(mapping jsonb) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT md5(jsonb_build_array(
            mapping,
            (SELECT jsonb_agg(jsonb_build_array(t.name, t.role, t.normalizer, t.priority) ORDER BY t.name)
             FROM identity_resolve.identifier_type AS t),
            (SELECT jsonb_agg(jsonb_build_array(v.type, v.pattern) ORDER BY v.type, v.pattern)
             FROM identity_resolve.blocked_value AS v),
            (SELECT jsonb_agg(p.issuer ORDER BY p.issuer) FROM identity_resolve.identity_provider AS p WHERE p.certified),
            (SELECT s.region FROM identity_resolve.setting AS s))::text)
    $$;
COMMENT ON FUNCTION identity_resolve.reading_configuration(jsonb) IS
    'Digest of what acts when rows of a mapping are read: normalizers, roles, priorities, blocked values, certified providers, region';

CREATE FUNCTION identity_resolve.deciding_configuration() RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT md5(jsonb_build_array(
            (SELECT jsonb_agg(to_jsonb(t) - 'seeded' ORDER BY t.name) FROM identity_resolve.identifier_type AS t),
            (SELECT jsonb_agg(to_jsonb(d) - 'seeded' ORDER BY d.name) FROM identity_resolve.device_type AS d),
            (SELECT jsonb_agg(jsonb_build_array(v.type, v.pattern) ORDER BY v.type, v.pattern)
             FROM identity_resolve.blocked_value AS v),
            (SELECT jsonb_agg(p.issuer ORDER BY p.issuer) FROM identity_resolve.identity_provider AS p WHERE p.certified),
            (SELECT s.half_life FROM identity_resolve.setting AS s))::text)
    $$;
COMMENT ON FUNCTION identity_resolve.deciding_configuration() IS
    'Digest of what acts when it is decided who is who: types, device types, blocked values, certified providers, half-life';

CREATE TABLE identity_resolve.last_decision (
    one_row boolean PRIMARY KEY DEFAULT true CHECK (one_row),
    configuration text NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE identity_resolve.last_decision IS 'When the configuration was last applied to all that is stored, by rebuild() or backfill(); at first, when the first source was attached';
COMMENT ON COLUMN identity_resolve.last_decision.one_row IS 'There is one';
COMMENT ON COLUMN identity_resolve.last_decision.configuration IS 'deciding_configuration() of then';
COMMENT ON COLUMN identity_resolve.last_decision.at IS 'When';

-- Triggers come after the seeds ------------------------------------------------------------------

DO $$
DECLARE
    name text;
    key text;
BEGIN
    FOR name, key IN VALUES ('identifier_type', 'name'), ('device_type', 'name'), ('channel', 'name'),
        ('blocked_value', 'type, pattern'), ('identity_provider', 'issuer'), ('nickname', 'name, nickname'),
        ('setting', 'one_row')
    LOOP
        EXECUTE format('CREATE TRIGGER keep_seeds BEFORE INSERT OR UPDATE ON identity_resolve.%I
            FOR EACH ROW EXECUTE FUNCTION identity_resolve.keep_seeds(%s)', name, key);
        EXECUTE format('CREATE TRIGGER replace_seed BEFORE INSERT ON identity_resolve.%I
            FOR EACH ROW WHEN (NOT NEW.seeded AND pg_catalog.current_setting(''search_path'') = '''')
            EXECUTE FUNCTION identity_resolve.replace_seed(%s)', name, key);
        EXECUTE format('CREATE TRIGGER keep_removed_seeds AFTER DELETE ON identity_resolve.%I
            FOR EACH ROW EXECUTE FUNCTION identity_resolve.keep_seeds(%s)', name, key);
        EXECUTE format('CREATE TRIGGER keep_truncated_seeds BEFORE TRUNCATE ON identity_resolve.%I
            FOR EACH STATEMENT EXECUTE FUNCTION identity_resolve.keep_seeds(%s)', name, key);
        EXECUTE format('CREATE TRIGGER configuration_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON identity_resolve.%I
            FOR EACH STATEMENT EXECUTE FUNCTION identity_resolve.configuration_changed()', name);
    END LOOP;
END $$;
CREATE TRIGGER configuration_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON identity_resolve.source
    FOR EACH STATEMENT EXECUTE FUNCTION identity_resolve.configuration_changed();
