-- The FEBRL data sets of the folder :folder; those in the list :tables are attached, with the columns that
-- the peer's model has.

DROP SCHEMA IF EXISTS febrl CASCADE;
\set data :folder
\ir ../../data/febrl/schema.sql
\ir ../../data/febrl/load.sql

SELECT format($$
    SELECT FROM identity_resolve.add_source('febrl.%1$s', '{
        "key": "rec_id",
        "traits": {"first_name": "given_name", "last_name": "surname", "birth_date": "date_of_birth",
                   "house_number": "street_number", "street": "address_1", "city": "suburb", "postal_code": "postcode",
                   "national_id": "soc_sec_id"}
    }');
    INSERT INTO data.truth SELECT 'record:febrl.%1$s/' || rec_id, split_part(rec_id, '-', 2), %2$s FROM febrl.%1$s
$$, name, number)
FROM unnest(string_to_array(:'tables', ' ')) WITH ORDINALITY AS listed(name, number) \gexec
