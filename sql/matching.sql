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
