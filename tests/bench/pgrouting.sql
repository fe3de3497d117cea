-- From rows to a mapping with its indexes by pgRouting's pgr_connectedComponents.

CHECKPOINT;
SELECT clock_timestamp() AS started \gset
\ir stars.sql

CREATE TABLE mapping AS
SELECT node.identifier COLLATE "C" AS identifier, coalesce(found.component, node.id) AS component
FROM node
LEFT JOIN pgr_connectedComponents('SELECT id, source, target, cost FROM edge') AS found
    ON found.node = node.id;
CREATE UNIQUE INDEX ON mapping (identifier);
CREATE INDEX ON mapping (component);

INSERT INTO measurement
VALUES (:rows, :trial, 'pgrouting', NULL, extract(epoch FROM clock_timestamp() - :'started'));
DROP TABLE mapping;
