-- A shop that sells household goods in stores, on the web, in an app and by phone: its tables as
-- such a company has them, before anything knows who is who.

CREATE SCHEMA shop;
COMMENT ON SCHEMA shop IS 'Example: the tables of a shop';

CREATE TABLE shop.customer (
    customer_id bigint PRIMARY KEY,
    first_name text NOT NULL,
    last_name text NOT NULL,
    gender text,
    birth_date date,
    email text,
    mobile text,
    home_phone text,
    login text,
    street text,
    postal_code text,
    city text,
    country text,
    marital_status text,
    profession text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
COMMENT ON TABLE shop.customer IS 'CRM: the customers, as they or staff filled in the form';
COMMENT ON COLUMN shop.customer.home_phone IS 'Often the same for a couple';
COMMENT ON COLUMN shop.customer.login IS 'Name under which the customer signs in on the web and in the app';
COMMENT ON COLUMN shop.customer.country IS 'ISO 3166: also says how the phone numbers are to be read';

CREATE TABLE shop.store_card (
    card_number text PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES shop.customer,
    issued_on date NOT NULL
);
COMMENT ON TABLE shop.store_card IS 'CRM: loyalty cards; a customer may have several';

CREATE TABLE shop.web_event (
    event_id bigint PRIMARY KEY,
    at timestamptz NOT NULL,
    cookie text NOT NULL,
    device_kind text,
    login text,
    ip inet,
    page text,
    category text
);
COMMENT ON TABLE shop.web_event IS 'Web site: page views, most of them anonymous';
COMMENT ON COLUMN shop.web_event.device_kind IS 'From the user agent: smartphone, tablet, desktop, TV or kiosk; null where it told nothing';
COMMENT ON COLUMN shop.web_event.login IS 'Who was signed in';

CREATE TABLE shop.app_event (
    event_id bigint PRIMARY KEY,
    at timestamptz NOT NULL,
    installation_id text NOT NULL,
    mobile_ad_id uuid,
    device_kind text,
    login text,
    ip inet,
    category text
);
COMMENT ON TABLE shop.app_event IS 'App: screens opened; the installation lives as long as the phone';

CREATE TABLE shop.receipt (
    receipt_id bigint PRIMARY KEY,
    at timestamptz NOT NULL,
    store text NOT NULL,
    loyalty_card text,
    email text,
    phone text,
    product text NOT NULL,
    category text NOT NULL,
    amount numeric(10, 2) NOT NULL
);
COMMENT ON TABLE shop.receipt IS 'Tills: receipts';
COMMENT ON COLUMN shop.receipt.email IS 'For the digital receipt, typed by staff';

CREATE TABLE shop.call (
    call_id bigint PRIMARY KEY,
    at timestamptz NOT NULL,
    caller_phone text,
    email text,
    customer_number text,
    topic text
);
COMMENT ON TABLE shop.call IS 'Call centre: calls';
COMMENT ON COLUMN shop.call.caller_phone IS 'As the telephone system reports it, or typed by the agent';
COMMENT ON COLUMN shop.call.email IS 'What the caller answered when asked';
COMMENT ON COLUMN shop.call.customer_number IS 'What the caller answered when asked; agents also type ''unknown''';

CREATE TABLE shop.orders (
    order_id bigint PRIMARY KEY,
    ordered_at timestamptz NOT NULL,
    customer_id bigint REFERENCES shop.customer,
    email text,
    phone text,
    first_name text,
    last_name text,
    street text,
    postal_code text,
    city text,
    country text,
    product text NOT NULL,
    category text NOT NULL,
    amount numeric(10, 2) NOT NULL,
    instalments int NOT NULL
);
COMMENT ON TABLE shop.orders IS 'Web shop: orders';
COMMENT ON COLUMN shop.orders.customer_id IS 'Null for a guest';

CREATE TABLE shop.payment (
    payment_id bigint PRIMARY KEY,
    paid_at timestamptz NOT NULL,
    order_id bigint NOT NULL REFERENCES shop.orders,
    account_number text NOT NULL,
    payer_email text,
    instalment int NOT NULL,
    amount numeric(10, 2) NOT NULL,
    method text NOT NULL
);
COMMENT ON TABLE shop.payment IS 'Finance: payments; an order paid in instalments has several';
COMMENT ON COLUMN shop.payment.account_number IS 'The payer''s account in the shop''s books; finance knows no customer numbers';

CREATE TABLE shop.newsletter (
    subscription_id bigint PRIMARY KEY,
    subscribed_at timestamptz NOT NULL,
    email text NOT NULL,
    first_name text,
    cookie text,
    device_kind text
);
COMMENT ON TABLE shop.newsletter IS 'Marketing: subscriptions to the newsletter';
COMMENT ON COLUMN shop.newsletter.cookie IS 'Browser in which the form was filled in; null for forms on paper';

CREATE TABLE shop.newsletter_open (
    open_id bigint PRIMARY KEY,
    at timestamptz NOT NULL,
    email text NOT NULL,
    cookie text,
    device_kind text,
    campaign text
);
COMMENT ON TABLE shop.newsletter_open IS 'Marketing: newsletters opened';

CREATE TABLE shop.openid_login (
    login_id bigint PRIMARY KEY,
    at timestamptz NOT NULL,
    issuer text NOT NULL,
    subject text NOT NULL,
    openid text GENERATED ALWAYS AS (issuer || '|' || subject) STORED,
    email text,
    cookie text,
    device_kind text,
    ip inet
);
COMMENT ON TABLE shop.openid_login IS 'Web site: sign-ins through an OpenID provider';
COMMENT ON COLUMN shop.openid_login.email IS 'The claim of that name';
