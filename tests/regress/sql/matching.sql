-- How alike two texts are: 1 is equal, 0 has nothing in common.

CREATE EXTENSION identity_resolve;
SET search_path = identity_resolve, public;
SET extra_float_digits = 0;

-- Jaro and Winkler's own examples.
SELECT a, b, round(jaro(a, b)::numeric, 4) AS jaro, round(jaro_winkler(a, b)::numeric, 4) AS jaro_winkler,
       round(levenshtein_similarity(a, b)::numeric, 4) AS levenshtein, round(damerau_similarity(a, b)::numeric, 4) AS damerau,
       round(token_similarity(a, b)::numeric, 4) AS tokens
FROM (VALUES
    ('martha', 'marhta'),
    ('dwayne', 'duane'),
    ('dixon', 'dicksonx'),
    ('jellyfish', 'smellyfish'),
    ('1985-03-12', '1985-30-12'),
    ('12 rue Haute', 'rue Haute 12'),
    ('Straße', 'Strasse'),
    ('山田太郎', '山田次郎'),
    ('a', 'b'),
    ('', 'a'),
    ('', ''),
    ('same', 'same')
) AS v (a, b);

-- Nothing is like nothing known.
SELECT jaro_winkler(NULL, 'a') AS null_a, token_similarity('a', NULL) AS null_b;

-- Beyond 64 characters, and beyond ASCII, it is the same measure.
SELECT levenshtein_similarity(repeat('ab', 40), repeat('ab', 39) || 'ba') = 1 - 2 / 80.0::float8 AS long,
       damerau_similarity(repeat('ab', 40), repeat('ab', 39) || 'ba') = 1 - 1 / 80.0::float8 AS swapped,
       jaro_winkler(repeat('é', 70), repeat('é', 70)) = 1 AS equal;

-- Of texts that are too long the time would grow beyond what can be cancelled.
SELECT levenshtein_similarity(repeat('a', 4000), repeat('b', 4000)) AS longest;
SELECT levenshtein_similarity(repeat('a', 4001), 'b');
\echo :LAST_ERROR_SQLSTATE
SELECT jaro('b', repeat('é', 10 * 1024 * 1024));

-- They may stand in indexes and run in parallel.
SELECT proname, provolatile, proparallel, proisstrict
FROM pg_proc WHERE pronamespace = 'identity_resolve'::regnamespace AND proname ~ '^jaro|similarity$' ORDER BY 1;
