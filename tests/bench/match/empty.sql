-- The extension without any data, and a truth to be filled.

SET client_min_messages = warning;
DROP EXTENSION IF EXISTS identity_resolve CASCADE;
DROP SCHEMA IF EXISTS data, febrl CASCADE;
CREATE EXTENSION identity_resolve;
CREATE SCHEMA data;

-- Records of different sources, where only those are linked, have different numbers of one.
CREATE TABLE data.truth (record text PRIMARY KEY, person text NOT NULL, source int NOT NULL);
