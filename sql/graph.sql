-- What is known: identifiers, links, and the ids that profiles had. Only the extension writes here.

CREATE TABLE identity_resolve.identifier (
    id bigint PRIMARY KEY,
    identifier text NOT NULL UNIQUE,
    profile uuid,
    standing identity_resolve.standing NOT NULL,
    first_seen date,
    last_seen date,
    last_with_person date,
    partners int NOT NULL,
    undisputed boolean NOT NULL,
    evidence bytea NOT NULL
) WITH (fillfactor = 90);
CREATE INDEX identifier_profile ON identity_resolve.identifier (profile);
COMMENT ON TABLE identity_resolve.identifier IS 'Every identifier ever seen, and the profile it belongs to; see the view profile_identifier';
COMMENT ON COLUMN identity_resolve.identifier.id IS 'Its number in this database';
COMMENT ON COLUMN identity_resolve.identifier.identifier IS 'type:value, canonical; the first colon separates';
COMMENT ON COLUMN identity_resolve.identifier.profile IS 'The person it belongs to; null where it belongs to nobody';
COMMENT ON COLUMN identity_resolve.identifier.standing IS 'member of the profile, or why it belongs to nobody';
COMMENT ON COLUMN identity_resolve.identifier.first_seen IS 'UTC day of its first sighting; null without any';
COMMENT ON COLUMN identity_resolve.identifier.last_seen IS 'UTC day of its last sighting; null without any';
COMMENT ON COLUMN identity_resolve.identifier.last_with_person IS 'UTC day of its last sighting together with a person or contact identifier; null without any';
COMMENT ON COLUMN identity_resolve.identifier.partners IS 'With how many others (records not counted) it was seen, where its type has a max_links; not kept up while it is too common';
COMMENT ON COLUMN identity_resolve.identifier.undisputed IS 'Whether its profile would be the same in any order of its links: then most sightings inside it need no new decision';
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
COMMENT ON SEQUENCE identity_resolve.identifier_id IS 'Numbers of identifiers, and of rows of profile_change: the greater came later';

CREATE TABLE identity_resolve.link (
    a bigint NOT NULL,
    b bigint NOT NULL,
    asserted boolean NOT NULL,
    probability float8,
    held_reason identity_resolve.held_reason,
    evidence bytea NOT NULL,
    PRIMARY KEY (a, b)
) WITH (fillfactor = 90);
CREATE INDEX link_b ON identity_resolve.link (b);
-- What match() puts before somebody as possible duplicate accounts.
CREATE INDEX link_held_match ON identity_resolve.link (a) WHERE probability IS NOT NULL AND held_reason = 'limit';
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

-- Appended to by whoever leaves something out, summed up by the view stats: nobody waits for anybody.
CREATE TABLE identity_resolve.left_out (
    source int NOT NULL,
    malformed bigint NOT NULL,
    blocked bigint NOT NULL
);
CREATE INDEX left_out_source ON identity_resolve.left_out (source);
-- They have no key; a publication of all tables must not fail their deletes.
ALTER TABLE identity_resolve.left_out REPLICA IDENTITY FULL;
ALTER TABLE identity_resolve.rejection REPLICA IDENTITY FULL;
COMMENT ON TABLE identity_resolve.left_out IS 'How many values live sightings left out since the last backfill of each source';
COMMENT ON COLUMN identity_resolve.left_out.source IS 'Number of the source';
COMMENT ON COLUMN identity_resolve.left_out.malformed IS 'Malformed values of one batch of rows';
COMMENT ON COLUMN identity_resolve.left_out.blocked IS 'Blocked values of one batch of rows';

CREATE TABLE identity_resolve.queue (
    id bigint PRIMARY KEY,
    source int NOT NULL,
    enqueued_at timestamptz NOT NULL,
    rows int NOT NULL,
    content bytea NOT NULL
) WITH (toast_tuple_target = 8160, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);
-- Packed already.
ALTER TABLE identity_resolve.queue ALTER COLUMN content SET STORAGE EXTERNAL;
CREATE SEQUENCE identity_resolve.queue_id OWNED BY identity_resolve.queue.id;
COMMENT ON TABLE identity_resolve.queue IS 'What writers of sources in mode queue have changed, until the worker or drain_queue() brings it into the graph';
COMMENT ON COLUMN identity_resolve.queue.id IS 'In the order in which what depends on each other was written';
COMMENT ON COLUMN identity_resolve.queue.source IS 'Number of the source';
COMMENT ON COLUMN identity_resolve.queue.enqueued_at IS 'When the writer''s transaction began';
COMMENT ON COLUMN identity_resolve.queue.rows IS 'How many rows it holds; an updated row is two';
COMMENT ON COLUMN identity_resolve.queue.content IS 'The rows, packed; empty: the source was emptied';
COMMENT ON SEQUENCE identity_resolve.queue_id IS 'Numbers of the queue';

CREATE TABLE identity_resolve.dead_letter (
    id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    source int NOT NULL,
    error text NOT NULL,
    sqlstate text NOT NULL,
    attempts int NOT NULL,
    failed_at timestamptz NOT NULL DEFAULT now(),
    row jsonb,
    content bytea
);
CREATE INDEX dead_letter_source ON identity_resolve.dead_letter (source);
COMMENT ON TABLE identity_resolve.dead_letter IS 'Queued rows that could not be brought into the graph; see retry_dead_letters()';
COMMENT ON COLUMN identity_resolve.dead_letter.id IS 'In the order of failing';
COMMENT ON COLUMN identity_resolve.dead_letter.source IS 'Number of the source';
COMMENT ON COLUMN identity_resolve.dead_letter.error IS 'What went wrong at last';
COMMENT ON COLUMN identity_resolve.dead_letter.sqlstate IS 'Its SQLSTATE';
COMMENT ON COLUMN identity_resolve.dead_letter.attempts IS 'How often it was tried';
COMMENT ON COLUMN identity_resolve.dead_letter.failed_at IS 'When it was set aside';
COMMENT ON COLUMN identity_resolve.dead_letter.row IS 'The values of the columns that the mapping names; null if it cannot be read';
COMMENT ON COLUMN identity_resolve.dead_letter.content IS 'The row, packed; null if it could not even be queued: then only a backfill brings it';

CREATE TABLE identity_resolve.review (
    review bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    a text NOT NULL,
    b text NOT NULL,
    probability float8,
    reason text,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'accepted', 'rejected')),
    created_at timestamptz NOT NULL DEFAULT now(),
    decided_at timestamptz,
    decided_by text,
    CHECK (a COLLATE "C" < b COLLATE "C")
);
CREATE UNIQUE INDEX review_pair ON identity_resolve.review (a, b);
CREATE TRIGGER canonical BEFORE INSERT OR UPDATE ON identity_resolve.review
    FOR EACH ROW WHEN (pg_catalog.current_setting('search_path') <> '')
    EXECUTE FUNCTION identity_resolve.canonical_pair();
CREATE TRIGGER canonical_in_restore BEFORE INSERT OR UPDATE ON identity_resolve.review
    FOR EACH ROW WHEN (pg_catalog.current_setting('search_path') = '')
    EXECUTE FUNCTION identity_resolve.canonical_pair('restore');
COMMENT ON TABLE identity_resolve.review IS 'Pairs that somebody should look at; see the view reviews';
COMMENT ON COLUMN identity_resolve.review.review IS 'Number of the review, for accept() and reject()';
COMMENT ON COLUMN identity_resolve.review.a IS 'One identifier, canonical: the bytewise lesser';
COMMENT ON COLUMN identity_resolve.review.b IS 'The other identifier, canonical';
COMMENT ON COLUMN identity_resolve.review.probability IS 'That the two are one person''s, 0 to 1';
COMMENT ON COLUMN identity_resolve.review.reason IS 'Why somebody should look at it';
COMMENT ON COLUMN identity_resolve.review.state IS 'open, accepted or rejected; the view tells which open ones are still a question';
COMMENT ON COLUMN identity_resolve.review.created_at IS 'Since when it is open';
COMMENT ON COLUMN identity_resolve.review.decided_at IS 'When it was decided';
COMMENT ON COLUMN identity_resolve.review.decided_by IS 'Who decided it';

-- What the system did, and why. Only appended to.
CREATE TABLE identity_resolve.change (
    number bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor text NOT NULL DEFAULT session_user,
    operation text NOT NULL,
    reason text,
    undoes bigint,
    effects jsonb
);
CREATE INDEX change_effects ON identity_resolve.change (number) WHERE effects IS NOT NULL;
CREATE INDEX change_undoes ON identity_resolve.change (undoes) WHERE undoes IS NOT NULL;
COMMENT ON TABLE identity_resolve.change IS 'Operations that changed who is who; see the view history';
COMMENT ON COLUMN identity_resolve.change.number IS 'Number of the operation';
COMMENT ON COLUMN identity_resolve.change.at IS 'When it was done';
COMMENT ON COLUMN identity_resolve.change.actor IS 'Who did it';
COMMENT ON COLUMN identity_resolve.change.operation IS 'What was done: observe (a sighting), backfill, rebuild, match, expire, link, unlink, accept, reject, undo, or end (of what an operator had said until then)';
COMMENT ON COLUMN identity_resolve.change.reason IS 'Why';
COMMENT ON COLUMN identity_resolve.change.undoes IS 'The operation that it undid; null: none';
COMMENT ON COLUMN identity_resolve.change.effects IS 'What it wrote beside evidence, so that it can be undone; null: nothing';

CREATE FUNCTION identity_resolve.undone_by(number bigint) RETURNS bigint
    LANGUAGE plpgsql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    latest bigint := undone_by.number;
    first bigint;
    is_undone boolean := false;
BEGIN
    -- An undo may have been undone itself.
    LOOP
        latest := (SELECT max(c.number) FROM identity_resolve.change AS c WHERE c.undoes = latest);
        EXIT WHEN latest IS NULL;
        first := coalesce(first, latest);
        is_undone := NOT is_undone;
    END LOOP;
    RETURN CASE WHEN is_undone THEN first END;
END $$;
COMMENT ON FUNCTION identity_resolve.undone_by(bigint) IS 'The operation by which an operation (their numbers) is undone; null: it is in force';

CREATE TABLE identity_resolve.profile_change (
    number bigint PRIMARY KEY,
    change bigint NOT NULL,
    event text NOT NULL CHECK (event IN ('join', 'split', 'expire', 'leave', 'return')),
    old_profile uuid,
    new_profile uuid,
    identifiers text[] NOT NULL,
    reason text
);
CREATE INDEX profile_change_change ON identity_resolve.profile_change (change);
CREATE INDEX profile_change_old ON identity_resolve.profile_change (old_profile);
CREATE INDEX profile_change_new ON identity_resolve.profile_change (new_profile);
COMMENT ON TABLE identity_resolve.profile_change IS 'What became of profiles, in order: what downstream systems follow';
COMMENT ON COLUMN identity_resolve.profile_change.number IS 'Ascends; of one profile in the order in which it happened. From the sequence of identifiers: those with a greater number came later';
COMMENT ON COLUMN identity_resolve.profile_change.change IS 'Number of the operation, see change';
COMMENT ON COLUMN identity_resolve.profile_change.event IS 'join: all of a profile went to another; split: a part of it did; expire: an identifier left, not seen for too long; leave: some left for another reason; return: some who belonged to nobody came to a profile';
COMMENT ON COLUMN identity_resolve.profile_change.old_profile IS 'The profile that they left; null: they were in none';
COMMENT ON COLUMN identity_resolve.profile_change.new_profile IS 'The profile that they went to; null: none';
COMMENT ON COLUMN identity_resolve.profile_change.identifiers IS 'Who went, canonical';
COMMENT ON COLUMN identity_resolve.profile_change.reason IS 'Why they left, if they went to no other';

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
