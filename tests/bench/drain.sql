-- A backlog, queued by statements of `size` rows each, and its drain.

CREATE OR REPLACE PROCEDURE public.enqueue(visits bigint, size int) LANGUAGE plpgsql AS $$
DECLARE
    v record;
BEGIN
    IF size > 1 THEN
        FOR i IN 1 .. visits / size LOOP
            INSERT INTO queue.web_visit (at, customer_number, email, phone, cookie, device_type, channel)
            SELECT * FROM public.visit(size);
        END LOOP;
        RETURN;
    END IF;
    FOR v IN SELECT * FROM public.visit(visits) LOOP
        INSERT INTO queue.web_visit (at, customer_number, email, phone, cookie, device_type, channel)
        VALUES (v.at, v.customer_number, v.email, v.phone, v.cookie, v.device_type, v.channel);
    END LOOP;
END $$;

CALL public.enqueue(:visits, :size);
SELECT backlog FROM identity_resolve.worker_status \gset
CHECKPOINT;

-- Of /proc/PID/stat, after the name of the program, the 12th and 13th field: hundredths of a second
-- of a processor, all threads.
CREATE OR REPLACE FUNCTION public.cpu_seconds() RETURNS float8 LANGUAGE sql AS $$
    SELECT (f[12]::float8 + f[13]::float8) / 100
    FROM regexp_split_to_array(substring(pg_read_file('/proc/self/stat') FROM '\) (.*)'), ' ') AS f
$$;

SELECT clock_timestamp() AS started, public.cpu_seconds() AS used \gset
CALL identity_resolve.drain_queue();
INSERT INTO live VALUES
    ('drain', 'queued by statements of ' || :'size', :round, 'queue', :backlog / extract(epoch FROM clock_timestamp() - :'started')),
    ('drain', 'queued by statements of ' || :'size', :round, 'cpu', :backlog / (public.cpu_seconds() - :used));
