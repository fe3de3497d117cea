-- Matching: how alike two texts are. Compare lower(unaccent(…)) of both if case and accents don't matter.

CREATE FUNCTION identity_resolve.jaro(a text, b text) RETURNS float8
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 5
    AS 'MODULE_PATHNAME', 'jaro_wrapper';
COMMENT ON FUNCTION identity_resolve.jaro(text, text) IS
    'Jaro''s similarity of two texts, 0 to 1: how many characters they have in common at about the same place, and in which order';

CREATE FUNCTION identity_resolve.jaro_winkler(a text, b text) RETURNS float8
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 5
    AS 'MODULE_PATHNAME', 'jaro_winkler_wrapper';
COMMENT ON FUNCTION identity_resolve.jaro_winkler(text, text) IS
    'Jaro''s similarity of two texts, 0 to 1, raised for a common beginning: for names';

CREATE FUNCTION identity_resolve.levenshtein_similarity(a text, b text) RETURNS float8
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 5
    AS 'MODULE_PATHNAME', 'levenshtein_similarity_wrapper';
COMMENT ON FUNCTION identity_resolve.levenshtein_similarity(text, text) IS
    '1 less the share of the longer text''s characters that must be inserted, deleted or replaced, 0 to 1';

CREATE FUNCTION identity_resolve.damerau_similarity(a text, b text) RETURNS float8
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 5
    AS 'MODULE_PATHNAME', 'damerau_similarity_wrapper';
COMMENT ON FUNCTION identity_resolve.damerau_similarity(text, text) IS
    'Like levenshtein_similarity(), where two neighbours that are swapped are one edit: for numbers and dates';

CREATE FUNCTION identity_resolve.token_similarity(a text, b text) RETURNS float8
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 5
    AS 'MODULE_PATHNAME', 'token_similarity_wrapper';
COMMENT ON FUNCTION identity_resolve.token_similarity(text, text) IS
    'Words that two texts have in common ÷ all their words, 0 to 1: for addresses';

-- Models ----------------------------------------------------------------------------------------

CREATE FUNCTION identity_resolve.check_model(parameters jsonb) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp COST 1000
    AS 'MODULE_PATHNAME', 'check_model_wrapper';
COMMENT ON FUNCTION identity_resolve.check_model(jsonb) IS
    'True for the parameters of a model; an error that says what is wrong with them';

CREATE TABLE identity_resolve.model (
    name text PRIMARY KEY CHECK (name ~ '\S' AND length(name) <= 200),
    version int NOT NULL DEFAULT 1,
    sources regclass[],
    specification jsonb NOT NULL DEFAULT '{}',
    parameters jsonb NOT NULL CHECK (identity_resolve.check_model(parameters)),
    report jsonb,
    trained_at timestamptz NOT NULL DEFAULT now(),
    matched_at timestamptz,
    match_report jsonb
);
COMMENT ON TABLE identity_resolve.model IS 'Models of matching, see train(); export one as JSON by selecting it, import one by inserting its parameters';
COMMENT ON COLUMN identity_resolve.model.name IS 'How train(), match() and the others call it';
COMMENT ON COLUMN identity_resolve.model.version IS 'How often it was trained';
COMMENT ON COLUMN identity_resolve.model.sources IS 'The sources whose records it is about; null: all that have a key';
COMMENT ON COLUMN identity_resolve.model.specification IS 'The options it was trained with';
COMMENT ON COLUMN identity_resolve.model.parameters IS 'What was learned: fields, levels and their probabilities, blocking rules, thresholds';
COMMENT ON COLUMN identity_resolve.model.report IS 'What training found, as train() returned it';
COMMENT ON COLUMN identity_resolve.model.trained_at IS 'When it was trained';
COMMENT ON COLUMN identity_resolve.model.matched_at IS 'When match() last applied it; null: not since it was trained';
COMMENT ON COLUMN identity_resolve.model.match_report IS 'What match() compared and found then';

CREATE TABLE identity_resolve.match_index (
    model text PRIMARY KEY REFERENCES identity_resolve.model ON UPDATE CASCADE ON DELETE CASCADE,
    id int GENERATED ALWAYS AS IDENTITY UNIQUE,
    state jsonb NOT NULL
);
COMMENT ON TABLE identity_resolve.match_index IS
    'What match() keeps from one run to the next, for search() and so that only what is new is compared; it is made anew where it is missing, as after a restore';
COMMENT ON COLUMN identity_resolve.match_index.model IS 'The model that was applied';
COMMENT ON COLUMN identity_resolve.match_index.id IS 'Its number in match_page';
COMMENT ON COLUMN identity_resolve.match_index.state IS 'What the pages are about: model, configuration, sources, and from where on rows may be new';

CREATE TABLE identity_resolve.match_page (
    index int NOT NULL REFERENCES identity_resolve.match_index (id) ON DELETE CASCADE,
    part int NOT NULL,
    first bigint NOT NULL,
    content bytea NOT NULL,
    PRIMARY KEY (index, part, first)
) WITH (toast_tuple_target = 8160);
-- Packed as it is; most pages stay in their rows.
ALTER TABLE identity_resolve.match_page ALTER content SET STORAGE EXTERNAL;
COMMENT ON TABLE identity_resolve.match_page IS 'Pieces of match_index: the records that were compared, with their values, in which blocks they are, and the pairs that were found';
COMMENT ON COLUMN identity_resolve.match_page.index IS 'Of which match_index';
COMMENT ON COLUMN identity_resolve.match_page.part IS '0 records, 1 pairs; then for each blocking rule, and last for the records'' names, two lists: of the last full run, and of what has come since';
COMMENT ON COLUMN identity_resolve.match_page.first IS 'The number of the first record or block, or of the page';
COMMENT ON COLUMN identity_resolve.match_page.content IS 'Packed';

CREATE FUNCTION identity_resolve.train(model text DEFAULT 'default', sources regclass[] DEFAULT NULL, options jsonb DEFAULT '{}') RETURNS jsonb
    LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO, YMD' SET timezone = 'UTC' SET intervalstyle = 'postgres' SET extra_float_digits = 1 SET row_security = off
    AS 'MODULE_PATHNAME', 'train_wrapper';
COMMENT ON FUNCTION identity_resolve.train(text, regclass[], jsonb) IS
    'Learns a model from the records of sources (null: all with a key), chooses comparisons, blocking rules and thresholds, and stores it; returns what it found';

CREATE PROCEDURE identity_resolve.match(model text DEFAULT 'default')
    LANGUAGE c
    AS 'MODULE_PATHNAME', 'match_records_wrapper';
COMMENT ON PROCEDURE identity_resolve.match(text) IS
    'Compares the records of a model''s sources, at first all and later what is new: links those that are probably one person''s, in place of all that was linked before, and puts doubtful pairs into reviews';

CREATE FUNCTION identity_resolve.score(a jsonb, b jsonb, model text DEFAULT 'default') RETURNS float8
    LANGUAGE c STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp COST 10000
    AS 'MODULE_PATHNAME', 'score_wrapper';
COMMENT ON FUNCTION identity_resolve.score(jsonb, jsonb, text) IS
    'The probability, 0 to 1, that two records, each an object of traits, are one person''s';

CREATE FUNCTION identity_resolve.explain(a jsonb, b jsonb, model text DEFAULT 'default') RETURNS jsonb
    LANGUAGE c STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp COST 10000
    AS 'MODULE_PATHNAME', 'explain_wrapper';
COMMENT ON FUNCTION identity_resolve.explain(jsonb, jsonb, text) IS
    'Why two records are one person''s or not: the prior, what each field adds to it, given those before it, in bits, and the sum';

CREATE FUNCTION identity_resolve.explain_svg(a jsonb, b jsonb, model text DEFAULT 'default') RETURNS text
    LANGUAGE c STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp COST 10000
    AS 'MODULE_PATHNAME', 'explain_svg_wrapper';
COMMENT ON FUNCTION identity_resolve.explain_svg(jsonb, jsonb, text) IS
    'What explain() says as a picture, an SVG for any browser: a waterfall from the prior to the sum';

CREATE FUNCTION identity_resolve.model_svg(model text DEFAULT 'default') RETURNS text
    LANGUAGE c STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp COST 10000
    AS 'MODULE_PATHNAME', 'model_svg_wrapper';
COMMENT ON FUNCTION identity_resolve.model_svg(text) IS
    'The match weights of a model as a picture, an SVG for any browser: for each level of each field how many bits it speaks for one person or against';

CREATE FUNCTION identity_resolve.search(traits jsonb, model text DEFAULT 'default', limit_to int DEFAULT 10,
        OUT profile uuid, OUT probability float8, OUT identifier text)
    RETURNS SETOF record
    LANGUAGE c STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO, YMD' SET timezone = 'UTC' SET intervalstyle = 'postgres' SET extra_float_digits = 1 COST 10000 ROWS 10
    AS 'MODULE_PATHNAME', 'search_wrapper';
COMMENT ON FUNCTION identity_resolve.search(jsonb, text, int) IS
    'Whose a record, an object of traits, probably is: today''s profiles with the records of the last match() of the model and those that have come since, the most probable first, each with the record that is most alike';

CREATE FUNCTION identity_resolve.evaluate(truth regclass, model text DEFAULT 'default', OUT level text, OUT threshold float8, OUT "precision" float8,
        OUT recall float8, OUT f1 float8, OUT found bigint, OUT correct bigint, OUT wanted bigint, OUT expected float8)
    RETURNS SETOF record
    LANGUAGE c STABLE SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO, YMD' SET timezone = 'UTC' SET intervalstyle = 'postgres' SET extra_float_digits = 1 SET row_security = off COST 1000000 ROWS 30
    AS 'MODULE_PATHNAME', 'evaluate_wrapper';
COMMENT ON FUNCTION identity_resolve.evaluate(regclass, text) IS
    'How right a model is, held against a table of records and persons, or of pairs a and b of one person: pairs and clusters at thresholds, and for each tenth of the probabilities the share that is right';
