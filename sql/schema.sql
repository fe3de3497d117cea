-- The schema and the types that everything else uses.

-- The script must mean the same whatever the caller's search_path is. CREATE EXTENSION restores it.
SET LOCAL search_path = pg_catalog, pg_temp;

DO $$
BEGIN
    IF pg_catalog.current_setting('server_encoding') OPERATOR(pg_catalog.<>) 'UTF8' THEN
        RAISE EXCEPTION 'identity_resolve needs a database in the encoding UTF8'
            USING ERRCODE = 'feature_not_supported',
                  DETAIL = pg_catalog.format('This database is in %s.', pg_catalog.current_setting('server_encoding')),
                  HINT = 'CREATE DATABASE … ENCODING ''UTF8'' TEMPLATE template0;';
    END IF;
END $$;

CREATE SCHEMA identity_resolve;
COMMENT ON SCHEMA identity_resolve IS
    'identity_resolve: who is who among the identifiers of this database''s own tables';

CREATE TYPE identity_resolve.standing AS ENUM ('member', 'shared', 'expired', 'too_common', 'blocked');
COMMENT ON TYPE identity_resolve.standing IS
    'How an identifier stands: member of a profile, or why it belongs to nobody';

CREATE TYPE identity_resolve.held_reason AS ENUM
    ('blocked', 'expired', 'too_common', 'shared', 'separated', 'limit', 'ambiguous');
COMMENT ON TYPE identity_resolve.held_reason IS
    'Why a link is held, in the order in which reasons are shown; it comes into force when its reason goes';
