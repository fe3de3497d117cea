-- Loads the tables of the shop from the CSV files in the folder :data.

-- \copy takes no variables, but it may stand in one.
\set copy '\\copy shop.customer FROM ''' :data '/customer.csv'' CSV HEADER'
:copy
\set copy '\\copy shop.store_card FROM ''' :data '/store_card.csv'' CSV HEADER'
:copy
\set copy '\\copy shop.web_event FROM ''' :data '/web_event.csv'' CSV HEADER'
:copy
\set copy '\\copy shop.app_event FROM ''' :data '/app_event.csv'' CSV HEADER'
:copy
\set copy '\\copy shop.receipt FROM ''' :data '/receipt.csv'' CSV HEADER'
:copy
\set copy '\\copy shop.call FROM ''' :data '/call.csv'' CSV HEADER'
:copy
\set copy '\\copy shop.orders FROM ''' :data '/orders.csv'' CSV HEADER'
:copy
\set copy '\\copy shop.payment FROM ''' :data '/payment.csv'' CSV HEADER'
:copy
\set copy '\\copy shop.newsletter FROM ''' :data '/newsletter.csv'' CSV HEADER'
:copy
\set copy '\\copy shop.newsletter_open FROM ''' :data '/newsletter_open.csv'' CSV HEADER'
:copy
\set copy '\\copy shop.openid_login (login_id, at, issuer, subject, email, cookie, device_kind, ip) FROM ''' :data '/openid_login.csv'' CSV HEADER'
:copy

ANALYZE shop.customer, shop.store_card, shop.web_event, shop.app_event, shop.receipt, shop.call,
    shop.orders, shop.payment, shop.newsletter, shop.newsletter_open, shop.openid_login;
