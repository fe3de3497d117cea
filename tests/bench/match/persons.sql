-- Generated persons, from the file :csv, attached.

CREATE TABLE data.person (
    id bigint PRIMARY KEY,
    person text NOT NULL,
    first_name text,
    last_name text,
    gender text,
    birth_date date,
    email text,
    phone text,
    street text,
    postal_code text,
    city text,
    national_id text
);
\set copy '\\copy data.person FROM ''' :csv ''' (FORMAT csv, HEADER)'
:copy

SELECT FROM identity_resolve.add_source('data.person', '{
    "key": "id",
    "traits": {"first_name": "first_name", "last_name": "last_name", "gender": "gender",
               "birth_date": "birth_date", "email": "email", "phone": "phone", "street": "street",
               "postal_code": "postal_code", "city": "city", "national_id": "national_id"}
}');

INSERT INTO data.truth SELECT 'record:data.person/' || id, person, 0 FROM data.person;
