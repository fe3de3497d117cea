-- The FEBRL data sets: generated persons with errors, as ordinary tables.

CREATE SCHEMA febrl;
COMMENT ON SCHEMA febrl IS 'Example: the FEBRL data sets, persons with typing errors';

CREATE TABLE febrl.dataset1 (
    rec_id text PRIMARY KEY,
    given_name text,
    surname text,
    street_number text,
    address_1 text,
    address_2 text,
    suburb text,
    postcode text,
    state text,
    date_of_birth text,
    soc_sec_id text
);
CREATE TABLE febrl.dataset2 (LIKE febrl.dataset1 INCLUDING ALL);
CREATE TABLE febrl.dataset3 (LIKE febrl.dataset1 INCLUDING ALL);
CREATE TABLE febrl.dataset4a (LIKE febrl.dataset1 INCLUDING ALL);
CREATE TABLE febrl.dataset4b (LIKE febrl.dataset1 INCLUDING ALL);

COMMENT ON TABLE febrl.dataset1 IS '1000 records: 500 persons, each with one duplicate';
COMMENT ON TABLE febrl.dataset2 IS '5000 records: 4000 persons, up to five duplicates of one';
COMMENT ON TABLE febrl.dataset3 IS '5000 records: 2000 persons, up to five duplicates of one';
COMMENT ON TABLE febrl.dataset4a IS '5000 persons, to be linked with dataset4b';
COMMENT ON TABLE febrl.dataset4b IS '5000 persons, to be linked with dataset4a';
COMMENT ON COLUMN febrl.dataset1.rec_id IS 'rec-N-org or rec-N-dup-K: the same N is the same person';
COMMENT ON COLUMN febrl.dataset1.date_of_birth IS 'YYYYMMDD; some are impossible on purpose';
COMMENT ON COLUMN febrl.dataset1.soc_sec_id IS 'Social security number, with errors like everything else';
