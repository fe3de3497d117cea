-- fake_1000, from the file :csv, attached.

CREATE TABLE data.fake_1000 (
    unique_id int PRIMARY KEY,
    first_name text,
    surname text,
    dob text,
    city text,
    email text,
    cluster text NOT NULL
);
\set copy '\\copy data.fake_1000 FROM ''' :csv ''' (FORMAT csv, HEADER)'
:copy

SELECT FROM identity_resolve.add_source('data.fake_1000', '{
    "key": "unique_id",
    "traits": {"first_name": "first_name", "last_name": "surname", "birth_date": "dob",
               "city": "city", "email": "email"}
}');

INSERT INTO data.truth SELECT 'record:data.fake_1000/' || unique_id, cluster, 0 FROM data.fake_1000;
