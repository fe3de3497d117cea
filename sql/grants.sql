-- Nothing is for PUBLIC; a DBA grants what each role needs. And what a dump must hold.

REVOKE ALL ON ALL TABLES IN SCHEMA identity_resolve FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA identity_resolve FROM PUBLIC;
REVOKE ALL ON ALL ROUTINES IN SCHEMA identity_resolve FROM PUBLIC;
REVOKE ALL ON SCHEMA identity_resolve FROM PUBLIC;
REVOKE ALL ON TYPE identity_resolve.standing, identity_resolve.held_reason FROM PUBLIC;

DO $$
DECLARE
    name text;
    filter text;
BEGIN
    FOR name, filter IN VALUES
        ('identity_resolve.removed_seed', ''),
        ('identity_resolve.identifier_type', 'WHERE NOT seeded'),
        ('identity_resolve.device_type', 'WHERE NOT seeded'),
        ('identity_resolve.channel', 'WHERE NOT seeded'),
        ('identity_resolve.blocked_value', 'WHERE NOT seeded'),
        ('identity_resolve.identity_provider', 'WHERE NOT seeded'),
        ('identity_resolve.nickname', 'WHERE NOT seeded'),
        ('identity_resolve.setting', 'WHERE NOT seeded'),
        ('identity_resolve.source', ''),
        ('identity_resolve.source_id_seq', ''),
        ('identity_resolve.separation', ''),
        ('identity_resolve.must_link', ''),
        ('identity_resolve.last_decision', ''),
        ('identity_resolve.identifier', ''),
        ('identity_resolve.identifier_id', ''),
        ('identity_resolve.link', ''),
        ('identity_resolve.former_member', ''),
        ('identity_resolve.trait', ''),
        ('identity_resolve.rejection', ''),
        ('identity_resolve.left_out', ''),
        ('identity_resolve.queue', ''),
        ('identity_resolve.queue_id', ''),
        ('identity_resolve.dead_letter', ''),
        ('identity_resolve.dead_letter_id_seq', ''),
        ('identity_resolve.change', ''),
        ('identity_resolve.change_number_seq', ''),
        ('identity_resolve.review', ''),
        ('identity_resolve.model', ''),
        ('identity_resolve.review_review_seq', ''),
        ('identity_resolve.profile_change', '')
    LOOP
        PERFORM pg_catalog.pg_extension_config_dump(name::regclass, filter);
    END LOOP;
END $$;
