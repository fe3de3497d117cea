-- One sweep, in one transaction.

SELECT clock_timestamp() AS started \gset
SELECT count(*) AS expired FROM identity_resolve.expire(now()) \gset
INSERT INTO live VALUES
    ('expiry', 'expire()', :round, 'seconds', extract(epoch FROM clock_timestamp() - :'started')),
    ('expiry', 'expire()', :round, 'expired', :expired);
