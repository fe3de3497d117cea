-- Attaches the tables of the shop: which column says what. CALL identity_resolve.backfill() then
-- reads them.

-- This provider checks identity papers; what others say stays a contact.
INSERT INTO identity_resolve.identity_provider (issuer, assurance, certified)
VALUES ('https://id.example.org', 'eIDAS substantial', true);

SELECT identity_resolve.add_source('shop.customer', '{
    "key": "customer_id",
    "identifiers": {"customer_number": "customer_id", "login": "login", "email": "email",
                    "phone": ["mobile", "home_phone"]},
    "traits": {"first_name": "first_name", "last_name": "last_name", "gender": "gender",
               "birth_date": "birth_date", "street": "street", "postal_code": "postal_code",
               "city": "city", "marital_status": "marital_status", "profession": "profession"},
    "seen_at": "updated_at",
    "region": "country"
}', mode => 'manual');

SELECT identity_resolve.add_source('shop.store_card', '{
    "key": "card_number",
    "identifiers": {"customer_number": "customer_id", "loyalty_card": "card_number"},
    "seen_at": "issued_on",
    "channel": {"value": "store"}
}', mode => 'manual');

SELECT identity_resolve.add_source('shop.web_event', '{
    "identifiers": {"login": "login", "cookie": "cookie"},
    "signals": {"ip": "ip", "interest": "category"},
    "seen_at": "at",
    "channel": {"value": "web"},
    "device_type": "device_kind"
}', mode => 'manual');

SELECT identity_resolve.add_source('shop.app_event', '{
    "identifiers": {"login": "login", "device": "installation_id", "mobile_ad_id": "mobile_ad_id"},
    "signals": {"ip": "ip", "interest": "category"},
    "seen_at": "at",
    "channel": {"value": "app"},
    "device_type": "device_kind"
}', mode => 'manual');

SELECT identity_resolve.add_source('shop.receipt', '{
    "identifiers": {"loyalty_card": "loyalty_card", "email": "email", "phone": "phone"},
    "seen_at": "at",
    "channel": {"value": "store"},
    "region": {"value": "FR"},
    "purchase": {"product": "product", "category": "category", "at": "at"}
}', mode => 'manual');

SELECT identity_resolve.add_source('shop.call', '{
    "identifiers": {"customer_number": "customer_number", "email": "email",
                    "phone": "caller_phone"},
    "seen_at": "at",
    "channel": {"value": "call_center"},
    "region": {"value": "FR"}
}', mode => 'manual');

SELECT identity_resolve.add_source('shop.orders', '{
    "key": "order_id",
    "identifiers": {"customer_number": "customer_id", "email": "email", "phone": "phone"},
    "traits": {"first_name": "first_name", "last_name": "last_name", "street": "street",
               "postal_code": "postal_code", "city": "city"},
    "seen_at": "ordered_at",
    "channel": {"value": "web"},
    "region": "country",
    "purchase": {"product": "product", "category": "category", "at": "ordered_at"}
}', mode => 'manual');

SELECT identity_resolve.add_source('shop.payment', '{
    "key": "payment_id",
    "identifiers": {"account_number": "account_number", "email": "payer_email"},
    "traits": {"payment_preference": "method"},
    "seen_at": "paid_at"
}', mode => 'manual');

SELECT identity_resolve.add_source('shop.newsletter', '{
    "key": "subscription_id",
    "identifiers": {"email": "email", "cookie": "cookie"},
    "traits": {"first_name": "first_name"},
    "seen_at": "subscribed_at",
    "channel": {"value": "email"},
    "device_type": "device_kind"
}', mode => 'manual');

SELECT identity_resolve.add_source('shop.newsletter_open', '{
    "identifiers": {"email": "email", "cookie": "cookie"},
    "seen_at": "at",
    "channel": {"value": "email"},
    "device_type": "device_kind"
}', mode => 'manual');

SELECT identity_resolve.add_source('shop.openid_login', '{
    "identifiers": {"openid": "openid", "email": "email", "cookie": "cookie"},
    "signals": {"ip": "ip"},
    "seen_at": "at",
    "channel": {"value": "web"},
    "device_type": "device_kind"
}', mode => 'manual');
