-- Prints the process id of the session, for whoever watches its memory.

SELECT pg_backend_pid();

CHECKPOINT;
SELECT clock_timestamp() AS started \gset
CALL identity_resolve.backfill('events');
INSERT INTO measurement
VALUES (:rows, :trial, 'backfill', NULL, extract(epoch FROM clock_timestamp() - :'started'));

INSERT INTO memory
SELECT :rows, substring(pg_read_file('/proc/self/status') FROM 'VmHWM:\s*(\d+)')::bigint;
