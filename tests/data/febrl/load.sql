-- Loads the FEBRL data sets from the CSV files in the folder :data. Their values carry a blank after
-- each comma, which goes; what is then empty is null.

CREATE TEMPORARY TABLE raw (LIKE febrl.dataset1);
CREATE PROCEDURE pg_temp.trim_into(dataset regclass) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('INSERT INTO %s SELECT %s FROM raw', dataset, (
        SELECT string_agg(format('nullif(btrim(%I), '''')', attname), ', ' ORDER BY attnum)
        FROM pg_attribute WHERE attrelid = 'raw'::regclass AND attnum > 0));
    TRUNCATE raw;
END $$;

-- \copy takes no variables, but it may stand in one.
\set copy '\\copy raw FROM ''' :data '/dataset1.csv'' CSV HEADER'
:copy
CALL pg_temp.trim_into('febrl.dataset1');
\set copy '\\copy raw FROM ''' :data '/dataset2.csv'' CSV HEADER'
:copy
CALL pg_temp.trim_into('febrl.dataset2');
\set copy '\\copy raw FROM ''' :data '/dataset3.csv'' CSV HEADER'
:copy
CALL pg_temp.trim_into('febrl.dataset3');
\set copy '\\copy raw FROM ''' :data '/dataset4a.csv'' CSV HEADER'
:copy
CALL pg_temp.trim_into('febrl.dataset4a');
\set copy '\\copy raw FROM ''' :data '/dataset4b.csv'' CSV HEADER'
:copy
CALL pg_temp.trim_into('febrl.dataset4b');

DROP PROCEDURE pg_temp.trim_into;
DROP TABLE raw;
ANALYZE febrl.dataset1, febrl.dataset2, febrl.dataset3, febrl.dataset4a, febrl.dataset4b;
