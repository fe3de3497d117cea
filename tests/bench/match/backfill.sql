-- The records as profiles of their own, before anything is matched.

ANALYZE;
SELECT clock_timestamp() AS started \gset
CALL identity_resolve.backfill();
INSERT INTO ours (part, data, round, backfill_seconds)
VALUES (:'part', :'data', :round, extract(epoch FROM clock_timestamp() - :'started'));
