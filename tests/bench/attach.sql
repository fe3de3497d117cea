-- The extension as new, the log attached.

DROP EXTENSION IF EXISTS identity_resolve CASCADE;
CREATE EXTENSION identity_resolve;

SELECT FROM identity_resolve.add_source('events', '{
    "identifiers": {"customer_number": "customer_number", "email": "email", "phone": "phone",
                    "cookie": "cookie"},
    "signals": {"ip": "ip"},
    "seen_at": "at",
    "channel": "channel",
    "device_type": "device_type",
    "region": {"value": "FR"}
}');
