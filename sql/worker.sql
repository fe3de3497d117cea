-- The background worker: what it writes down, and how it is doing.

-- State of this server: a dump does not hold it.
CREATE TABLE identity_resolve.worker_run (
    id boolean PRIMARY KEY DEFAULT true CHECK (id),
    last_run timestamptz,
    drained bigint NOT NULL DEFAULT 0,
    errors bigint NOT NULL DEFAULT 0,
    last_error text,
    last_error_at timestamptz,
    failures int NOT NULL DEFAULT 0,
    retry_at timestamptz,
    last_expiry timestamptz,
    expiry_retry_at timestamptz
);
INSERT INTO identity_resolve.worker_run DEFAULT VALUES;
COMMENT ON TABLE identity_resolve.worker_run IS 'One row: what the background worker has done here; see the view worker_status';
COMMENT ON COLUMN identity_resolve.worker_run.id IS 'Keeps the table at one row';
COMMENT ON COLUMN identity_resolve.worker_run.last_run IS 'When the worker, or CALL drain_queue(), last did something; or to the minute, when the worker last found nothing to do';
COMMENT ON COLUMN identity_resolve.worker_run.drained IS 'Rows taken from the queue and dealt with since the extension was created';
COMMENT ON COLUMN identity_resolve.worker_run.errors IS 'Batches of the worker that failed';
COMMENT ON COLUMN identity_resolve.worker_run.last_error IS 'Message, detail and hint of the last failure';
COMMENT ON COLUMN identity_resolve.worker_run.last_error_at IS 'When that was';
COMMENT ON COLUMN identity_resolve.worker_run.failures IS 'How often in a row draining has failed';
COMMENT ON COLUMN identity_resolve.worker_run.retry_at IS 'When the worker will drain again after a failure; null: at once';
COMMENT ON COLUMN identity_resolve.worker_run.last_expiry IS 'When the worker last finished looking for identifiers that have expired';
COMMENT ON COLUMN identity_resolve.worker_run.expiry_retry_at IS 'When the worker will look for them again after a failure';

CREATE FUNCTION identity_resolve.is_listed() RETURNS boolean
    LANGUAGE c STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'is_listed_wrapper';
COMMENT ON FUNCTION identity_resolve.is_listed() IS
    'Whether identity_resolve.databases names this database';

CREATE FUNCTION identity_resolve.worker_process(OUT running boolean, OUT pid int, OUT doing text, OUT started_at timestamptz)
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT l.pid IS NOT NULL,
               w.pid,
               coalesce(nullif(w.query, ''), CASE WHEN l.pid IS NOT NULL THEN 'waiting' END),
               l.backend_start
        FROM (SELECT) AS one_row
        LEFT JOIN LATERAL (
            SELECT a.pid, a.backend_start FROM pg_stat_activity AS a
            WHERE a.backend_type = 'identity_resolve launcher' AND identity_resolve.is_listed()
            ORDER BY a.backend_start LIMIT 1
        ) AS l ON true
        LEFT JOIN LATERAL (
            SELECT a.pid, a.query FROM pg_stat_activity AS a
            WHERE a.backend_type = 'identity_resolve worker' AND a.datname = current_database()
            ORDER BY a.backend_start LIMIT 1
        ) AS w ON true
    $$;
COMMENT ON FUNCTION identity_resolve.worker_process() IS 'The background worker of this database, as it is now; see the view worker_status';

CREATE VIEW identity_resolve.worker_status AS
SELECT p.running,
       p.pid,
       p.doing,
       p.started_at,
       r.last_run,
       q.backlog,
       q.lag,
       coalesce(r.drained, 0) AS drained,
       d.dead_letters,
       coalesce(r.errors, 0) AS errors,
       r.last_error,
       r.last_error_at,
       r.last_expiry
FROM identity_resolve.worker_process() AS p
CROSS JOIN (
    SELECT coalesce(sum(q.rows), 0)::bigint AS backlog, clock_timestamp() - min(q.enqueued_at) AS lag
    FROM identity_resolve.queue AS q
) AS q
CROSS JOIN (SELECT count(*) AS dead_letters FROM identity_resolve.dead_letter) AS d
LEFT JOIN identity_resolve.worker_run AS r ON true;
COMMENT ON VIEW identity_resolve.worker_status IS 'One row: how the background worker of this database is doing';
COMMENT ON COLUMN identity_resolve.worker_status.running IS 'Whether the server looks after this database: its launcher runs, and identity_resolve.databases names the database';
COMMENT ON COLUMN identity_resolve.worker_status.pid IS 'The worker''s process; null while there is none, as is usual when there is nothing to do';
COMMENT ON COLUMN identity_resolve.worker_status.doing IS 'What it does now; waiting: nothing. Null if not running';
COMMENT ON COLUMN identity_resolve.worker_status.started_at IS 'Since when it is running: start of the launcher';
COMMENT ON COLUMN identity_resolve.worker_status.last_run IS 'When it, or CALL drain_queue(), last did something; or to the minute, when it last found nothing to do';
COMMENT ON COLUMN identity_resolve.worker_status.backlog IS 'Rows that wait in the queue';
COMMENT ON COLUMN identity_resolve.worker_status.lag IS 'How long the oldest of them has waited; null if there is none';
COMMENT ON COLUMN identity_resolve.worker_status.drained IS 'Rows taken from the queue and dealt with since the extension was created, also by CALL drain_queue()';
COMMENT ON COLUMN identity_resolve.worker_status.dead_letters IS 'Rows set aside because they failed; see the table dead_letter';
COMMENT ON COLUMN identity_resolve.worker_status.errors IS 'Batches of the worker that failed since the extension was created; they are tried again';
COMMENT ON COLUMN identity_resolve.worker_status.last_error IS 'Message, detail and hint of the last failure, even if all is well now';
COMMENT ON COLUMN identity_resolve.worker_status.last_error_at IS 'When that was';
COMMENT ON COLUMN identity_resolve.worker_status.last_expiry IS 'When it last finished looking for identifiers that have expired';
