-- From rows to a mapping with its indexes by a recursive query: all that each node reaches.

CHECKPOINT;
SELECT clock_timestamp() AS started \gset
\ir stars.sql

CREATE TABLE mapping AS
WITH RECURSIVE neighbour (a, b) AS (
    SELECT source, target FROM edge
    UNION ALL SELECT target, source FROM edge
), reached (origin, id) AS (
    SELECT id, id FROM node
    UNION SELECT r.origin, n.b FROM reached AS r JOIN neighbour AS n ON n.a = r.id
)
SELECT node.identifier COLLATE "C" AS identifier, min(r.id) AS component
FROM reached AS r
JOIN node ON node.id = r.origin
GROUP BY node.identifier;
CREATE UNIQUE INDEX ON mapping (identifier);
CREATE INDEX ON mapping (component);

INSERT INTO measurement
VALUES (:rows, :trial, 'recursive', NULL, extract(epoch FROM clock_timestamp() - :'started'));
DROP TABLE mapping;
