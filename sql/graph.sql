-- What is known: identifiers, links, and the ids that profiles had. Only the extension writes here.

CREATE TABLE identity_resolve.identifier (
    id bigint PRIMARY KEY,
    identifier text NOT NULL UNIQUE,
    profile uuid,
    standing identity_resolve.standing NOT NULL,
    first_seen date,
    last_seen date,
    evidence bytea NOT NULL
);
CREATE INDEX identifier_profile ON identity_resolve.identifier (profile) WHERE profile IS NOT NULL;
COMMENT ON TABLE identity_resolve.identifier IS 'Every identifier ever seen, and the profile it belongs to; see the view profile_identifier';
COMMENT ON COLUMN identity_resolve.identifier.id IS 'Its number in this database';
COMMENT ON COLUMN identity_resolve.identifier.identifier IS 'type:value, canonical; the first colon separates';
COMMENT ON COLUMN identity_resolve.identifier.profile IS 'The person it belongs to; null where it belongs to nobody';
COMMENT ON COLUMN identity_resolve.identifier.standing IS 'member of the profile, or why it belongs to nobody';
COMMENT ON COLUMN identity_resolve.identifier.first_seen IS 'UTC day of its first sighting; null without any';
COMMENT ON COLUMN identity_resolve.identifier.last_seen IS 'UTC day of its last sighting; null without any';
COMMENT ON COLUMN identity_resolve.identifier.evidence IS 'Sightings alone and as which device type, packed; read it with evidence()';

CREATE FUNCTION identity_resolve.keep_used_type() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- keep_seeds() and remove_seed() only put a row in a row's place.
    IF pg_trigger_depth() = 1 AND EXISTS (
        SELECT FROM identity_resolve.identifier AS i
        WHERE starts_with(i.identifier, OLD.name || ':')
    ) THEN
        RAISE EXCEPTION 'identifier type "%" is in use', OLD.name
            USING ERRCODE = 'dependent_objects_still_exist',
                  DETAIL = 'There are identifiers of this type.',
                  HINT = 'Drop or change the sources that map it, and backfill, first.';
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
COMMENT ON FUNCTION identity_resolve.keep_used_type() IS
    'Trigger: refuses to delete or rename an identifier type of which there are identifiers';
CREATE TRIGGER keep_used_type BEFORE UPDATE OF name OR DELETE ON identity_resolve.identifier_type
    FOR EACH ROW EXECUTE FUNCTION identity_resolve.keep_used_type();

CREATE SEQUENCE identity_resolve.identifier_id OWNED BY identity_resolve.identifier.id;
COMMENT ON SEQUENCE identity_resolve.identifier_id IS 'Numbers of identifiers';

CREATE TABLE identity_resolve.link (
    a bigint NOT NULL,
    b bigint NOT NULL,
    asserted boolean NOT NULL,
    probability float8,
    held_reason identity_resolve.held_reason,
    evidence bytea NOT NULL,
    PRIMARY KEY (a, b)
);
CREATE INDEX link_b ON identity_resolve.link (b);
COMMENT ON TABLE identity_resolve.link IS 'Pairs of identifiers with their evidence; see the view links';
COMMENT ON COLUMN identity_resolve.link.a IS 'The stronger identifier';
COMMENT ON COLUMN identity_resolve.link.b IS 'The weaker identifier';
COMMENT ON COLUMN identity_resolve.link.asserted IS 'Whether an operator said so';
COMMENT ON COLUMN identity_resolve.link.probability IS 'That the two are one person''s, 0 to 1, where matching found so';
COMMENT ON COLUMN identity_resolve.link.held_reason IS 'Why it is not in force; null: it is';
COMMENT ON COLUMN identity_resolve.link.evidence IS 'Sightings together, packed; read it with evidence()';

CREATE TABLE identity_resolve.former_member (
    profile uuid NOT NULL,
    identifier bigint NOT NULL,
    PRIMARY KEY (profile, identifier)
);
CREATE INDEX former_member_identifier ON identity_resolve.former_member (identifier);
COMMENT ON TABLE identity_resolve.former_member IS 'Profile ids that are no longer in use, and the identifiers they had; see current_profile()';
COMMENT ON COLUMN identity_resolve.former_member.profile IS 'The retired id';
COMMENT ON COLUMN identity_resolve.former_member.identifier IS 'An identifier that had it';

-- Every change of the graph takes its turn here. Under REPEATABLE READ and SERIALIZABLE, one that
-- could not see another's result fails with a serialization error instead of building on old data.
CREATE TABLE identity_resolve.revision (
    one_row boolean PRIMARY KEY DEFAULT true CHECK (one_row),
    number bigint NOT NULL DEFAULT 0
);
INSERT INTO identity_resolve.revision DEFAULT VALUES;
COMMENT ON TABLE identity_resolve.revision IS 'One row: locked while the graph is changed';
COMMENT ON COLUMN identity_resolve.revision.one_row IS 'Keeps the table at one row';
COMMENT ON COLUMN identity_resolve.revision.number IS 'How many transactions have changed the graph';

CREATE TABLE identity_resolve.trait (
    identifier bigint NOT NULL,
    name text NOT NULL,
    value jsonb NOT NULL,
    seen_on date NOT NULL,
    PRIMARY KEY (identifier, name)
);
COMMENT ON TABLE identity_resolve.trait IS 'Traits that identify() was told; those of sources are read there';
COMMENT ON COLUMN identity_resolve.trait.identifier IS 'The strongest identifier of the sighting';
COMMENT ON COLUMN identity_resolve.trait.name IS 'The trait, such as first_name';
COMMENT ON COLUMN identity_resolve.trait.value IS 'Its latest value';
COMMENT ON COLUMN identity_resolve.trait.seen_on IS 'UTC day of the sighting';

CREATE TABLE identity_resolve.rejection (
    source int NOT NULL,
    row_key text,
    column_name text,
    value text,
    error text NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX rejection_source ON identity_resolve.rejection (source);
COMMENT ON TABLE identity_resolve.rejection IS 'Values that the last backfill of each source left out; see the view rejections';
COMMENT ON COLUMN identity_resolve.rejection.source IS 'Number of the source';
COMMENT ON COLUMN identity_resolve.rejection.row_key IS 'Key of the row, or its physical place (ctid) where the source has no key';
COMMENT ON COLUMN identity_resolve.rejection.column_name IS 'Column that held the value';
COMMENT ON COLUMN identity_resolve.rejection.value IS 'The value, cut to 200 characters';
COMMENT ON COLUMN identity_resolve.rejection.error IS 'What is wrong with it';
COMMENT ON COLUMN identity_resolve.rejection.seen_at IS 'When it was read';

-- A long backfill keeps here what it has read so far, so that a cancel or a crash costs a minute
-- and not an hour.
CREATE TABLE identity_resolve.checkpoint (
    number bigserial PRIMARY KEY,
    source int NOT NULL,
    stretches jsonb NOT NULL,
    configuration bigint NOT NULL,
    fingerprint bigint NOT NULL,
    rows_read bigint NOT NULL,
    tally jsonb NOT NULL,
    content bytea NOT NULL
);
-- Packed already; compressing it again would take longer than writing it.
ALTER TABLE identity_resolve.checkpoint ALTER COLUMN content SET STORAGE EXTERNAL;
CREATE INDEX checkpoint_source ON identity_resolve.checkpoint (source);
COMMENT ON TABLE identity_resolve.checkpoint IS 'What an unfinished backfill has read; emptied when it finishes';
COMMENT ON COLUMN identity_resolve.checkpoint.number IS 'In the order of saving';
COMMENT ON COLUMN identity_resolve.checkpoint.source IS 'Number of the source';
COMMENT ON COLUMN identity_resolve.checkpoint.stretches IS 'The blocks that were read';
COMMENT ON COLUMN identity_resolve.checkpoint.configuration IS 'Digest of the mapping and configuration they were read with';
COMMENT ON COLUMN identity_resolve.checkpoint.fingerprint IS 'Digest of the row versions that were read: it is used only while these are still the ones to read';
COMMENT ON COLUMN identity_resolve.checkpoint.rows_read IS 'Rows that were read';
COMMENT ON COLUMN identity_resolve.checkpoint.tally IS 'What was counted beside sightings, and rejections';
COMMENT ON COLUMN identity_resolve.checkpoint.content IS 'Sightings, packed';
COMMENT ON SEQUENCE identity_resolve.checkpoint_number_seq IS 'Numbers of checkpoints';
