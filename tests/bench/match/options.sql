-- What train() is told, by part and data. Without a row here that is nothing: zero configuration.
--
-- The part `speed` has the blocking rules, comparisons and levels of MODELS['persons'] in
-- splink_models.py, the part `postgres` those of MODELS['persons_levenshtein']: what is compared
-- there is the work, not the choice of it.

SET client_min_messages = warning;
DROP TABLE IF EXISTS option;
CREATE TABLE option (part text, data text, options jsonb NOT NULL, PRIMARY KEY (part, data));

INSERT INTO option VALUES
    ('sets', 'febrl4', '{"link_only": true}'),
    ('speed', 'persons', '{
        "fields": {
            "first_name": {"similarity": "jaro_winkler", "levels": [0.92, 0.85]},
            "last_name": {"similarity": "jaro_winkler", "levels": [0.92, 0.85]},
            "email": {"similarity": "jaro_winkler", "levels": [0.9]},
            "phone": {"similarity": "levenshtein", "levels": [0.9, 0.8]},
            "street": {"similarity": "jaro_winkler", "levels": [0.9]},
            "postal_code": {"similarity": "exact"},
            "city": {"similarity": "exact"},
            "national_id": {"similarity": "levenshtein", "levels": [0.88, 0.77]}
        }
    }'),
    ('postgres', 'persons', '{
        "fields": {
            "first_name": {"similarity": "levenshtein", "levels": [0.8, 0.6]},
            "last_name": {"similarity": "levenshtein", "levels": [0.8, 0.6]},
            "email": {"similarity": "levenshtein", "levels": [0.95, 0.85]},
            "phone": {"similarity": "levenshtein", "levels": [0.9, 0.8]},
            "street": {"similarity": "levenshtein", "levels": [0.85]},
            "postal_code": {"similarity": "exact"},
            "city": {"similarity": "exact"},
            "national_id": {"similarity": "levenshtein", "levels": [0.88, 0.77]}
        }
    }');

UPDATE option SET options = options || '{"blocking": [
    ["email"],
    ["phone"],
    ["national_id"],
    ["first_name", "last_name"],
    ["last_name", "postal_code"],
    ["first_name", "postal_code"],
    ["street", "postal_code"],
    ["birth_date"]
]}' WHERE part IN ('speed', 'postgres');
