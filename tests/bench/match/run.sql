-- Trains and matches. Prints the process id of the session first, for whoever watches its memory.

SELECT pg_backend_pid();

SELECT coalesce((SELECT options FROM option WHERE (part, data) = (:'part', :'data')), '{}') AS options \gset
CHECKPOINT;
SELECT clock_timestamp() AS started \gset
SELECT identity_resolve.train(options => :'options') AS report \gset
SELECT extract(epoch FROM clock_timestamp() - :'started') AS train_seconds, clock_timestamp() AS started \gset
CALL identity_resolve.match();
SELECT extract(epoch FROM clock_timestamp() - :'started') AS match_seconds \gset

UPDATE ours SET
    train_seconds = :train_seconds,
    match_seconds = :match_seconds,
    report = :'report'::jsonb || (SELECT match_report FROM identity_resolve.model)
WHERE (part, data, round) = (:'part', :'data', :round);
