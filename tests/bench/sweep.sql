-- One sweep, in batches.

SELECT clock_timestamp() AS started \gset
CALL identity_resolve.expire_in_batches(now());
INSERT INTO live VALUES
    ('expiry', 'expire_in_batches()', :round, 'seconds', extract(epoch FROM clock_timestamp() - :'started')),
    ('expiry', 'expire_in_batches()', :round, 'expired', (SELECT count(*) FROM identity_resolve.history WHERE operation = 'expire'));
