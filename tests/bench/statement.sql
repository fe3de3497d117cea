-- Visits to insert from by ranges of n, and what somebody in a hurry would write instead: a trigger
-- that keeps the identifiers in one table, each with the time when it was last seen.

CREATE TABLE public.stage AS
SELECT row_number() OVER ()::int AS n, v.* FROM public.visit(:statements * 1000) AS v;
ALTER TABLE public.stage ADD PRIMARY KEY (n);

CREATE TABLE plpgsql.identifier (
    type text,
    value text,
    last_seen timestamptz NOT NULL,
    PRIMARY KEY (type, value)
);
INSERT INTO plpgsql.identifier
SELECT type, value, max(at)
FROM "trigger".web_visit, LATERAL (VALUES ('customer_number', customer_number), ('email', email),
                                          ('phone', phone), ('cookie', cookie)) AS i (type, value)
WHERE value IS NOT NULL
GROUP BY type, value;

CREATE FUNCTION plpgsql.keep_identifiers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.customer_number IS NOT NULL THEN
        INSERT INTO plpgsql.identifier AS i VALUES ('customer_number', NEW.customer_number, NEW.at)
        ON CONFLICT (type, value) DO UPDATE SET last_seen = greatest(i.last_seen, EXCLUDED.last_seen);
    END IF;
    IF NEW.email IS NOT NULL THEN
        INSERT INTO plpgsql.identifier AS i VALUES ('email', NEW.email, NEW.at)
        ON CONFLICT (type, value) DO UPDATE SET last_seen = greatest(i.last_seen, EXCLUDED.last_seen);
    END IF;
    IF NEW.phone IS NOT NULL THEN
        INSERT INTO plpgsql.identifier AS i VALUES ('phone', NEW.phone, NEW.at)
        ON CONFLICT (type, value) DO UPDATE SET last_seen = greatest(i.last_seen, EXCLUDED.last_seen);
    END IF;
    IF NEW.cookie IS NOT NULL THEN
        INSERT INTO plpgsql.identifier AS i VALUES ('cookie', NEW.cookie, NEW.at)
        ON CONFLICT (type, value) DO UPDATE SET last_seen = greatest(i.last_seen, EXCLUDED.last_seen);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER keep_identifiers AFTER INSERT ON plpgsql.web_visit
    FOR EACH ROW EXECUTE FUNCTION plpgsql.keep_identifiers();

VACUUM (ANALYZE);
CHECKPOINT;
