-- What worker_status says, four times a second, until the queue is empty and the flood over.

SELECT count(*) AS past FROM queue.web_visit \gset
CREATE TABLE queue.flood_over ();

CREATE PROCEDURE queue.watch() LANGUAGE plpgsql AS $$
DECLARE
    started timestamptz := clock_timestamp();
    over boolean;
    status record;
BEGIN
    LOOP
        over := EXISTS (SELECT FROM queue.flood_over);
        SELECT * INTO status FROM identity_resolve.worker_status;
        INSERT INTO flood VALUES (
            extract(epoch FROM clock_timestamp() - started), over, status.backlog, extract(epoch FROM status.lag),
            status.drained, status.errors, status.doing, (SELECT count(*) FROM identity_resolve.progress));
        EXIT WHEN over AND status.backlog = 0;
        COMMIT;
        PERFORM pg_sleep(0.25);
    END LOOP;
END $$;
CALL queue.watch();

INSERT INTO live
SELECT 'flood', '', 1, 'inserted', count(*) - :past FROM queue.web_visit;
