-- People who sign in on three devices each. On a tenth of the devices nobody has for more than two
-- years; a third of them all has been seen since, without anybody signing in.

DROP EXTENSION IF EXISTS identity_resolve CASCADE;
CREATE EXTENSION identity_resolve;

DROP SCHEMA IF EXISTS device CASCADE;
CREATE SCHEMA device;
CREATE TABLE device.sign_in (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    customer_number text,
    cookie text NOT NULL,
    device_type text
);

CREATE FUNCTION device.total() RETURNS int IMMUTABLE RETURN :devices;
CREATE FUNCTION device.draw(n int, OUT customer_number text, OUT cookie text, OUT device_type text)
    LANGUAGE sql IMMUTABLE AS $$
    SELECT (1 + n % (device.total() / 3))::text, 'c' || n, (ARRAY['smartphone', 'desktop', 'tablet', NULL])[1 + n % 4]
$$;

SELECT setseed(0.5);
INSERT INTO device.sign_in (at, customer_number, cookie, device_type)
SELECT now() - random() * interval '300 days' - CASE WHEN hashint4(n) % 10 = 0 THEN interval '25 months' ELSE '0' END, d.*
FROM generate_series(1, :devices) AS n, generate_series(1, 3) AS visit, device.draw(n) AS d;
INSERT INTO device.sign_in (at, cookie, device_type)
SELECT now() - random() * interval '300 days', d.cookie, d.device_type
FROM generate_series(1, :devices, 3) AS n, device.draw(n) AS d;

SELECT FROM identity_resolve.add_source('device.sign_in', '{
    "identifiers": {"customer_number": "customer_number", "cookie": "cookie"},
    "seen_at": "at", "device_type": "device_type", "channel": {"value": "web"}
}');
CALL identity_resolve.backfill();
SELECT FROM identity_resolve.set_mode('device.sign_in', 'trigger');

-- Somebody signs in on any device, one after the other, until told to stop.
CREATE TABLE device.stopped ();
CREATE PROCEDURE device.write(setting text, round int) LANGUAGE plpgsql AS $$
DECLARE
    started timestamptz;
    took float8;
    slowest float8 := 0;
    inserted bigint := 0;
BEGIN
    WHILE NOT EXISTS (SELECT FROM device.stopped) LOOP
        started := clock_timestamp();
        INSERT INTO device.sign_in (at, customer_number, cookie, device_type)
        SELECT now(), d.* FROM device.draw(1 + floor(random() * device.total())::int) AS d;
        COMMIT;
        took := 1000 * extract(epoch FROM clock_timestamp() - started);
        slowest := greatest(slowest, took);
        inserted := inserted + 1;
    END LOOP;
    INSERT INTO public.live VALUES ('expiry', setting, round, 'slowest', slowest), ('expiry', setting, round, 'inserted', inserted);
END $$;

VACUUM (ANALYZE);
CHECKPOINT;
