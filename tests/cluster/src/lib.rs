//! Tests of identity_resolve that need a running cluster and several sessions.
