//! identity_resolve: turns the identifiers scattered over a company's own tables into people,
//! inside PostgreSQL.
//!
//! Data flows one way: row → sighting → links → solver → changes → tables. `identifier`, `graph`,
//! `matching`, `packed` and `source` are pure and know nothing of PostgreSQL; `pg` alone speaks to it; `api` holds the
//! functions that SQL calls; the SQL objects themselves stand in `sql/`.

mod api;
mod error;
mod graph;
mod identifier;
mod json;
mod matching;
mod packed;
mod pg;
mod source;

use pgrx::prelude::*;

::pgrx::pg_module_magic!(name, version);

extension_sql_file!("../sql/schema.sql", name = "schema", bootstrap);
extension_sql_file!("../sql/nickname.sql", name = "nickname", requires = ["schema"]);
extension_sql_file!("../sql/configuration.sql", name = "configuration", requires = ["nickname"]);
extension_sql_file!("../sql/graph.sql", name = "graph", requires = ["configuration"]);
extension_sql_file!("../sql/functions.sql", name = "functions", requires = ["graph"]);
extension_sql_file!("../sql/why.sql", name = "why", requires = ["functions"]);
extension_sql_file!("../sql/views.sql", name = "views", requires = ["why"]);
extension_sql_file!("../sql/health.sql", name = "health", requires = ["views"]);
extension_sql_file!("../sql/matching.sql", name = "matching", requires = ["health"]);
extension_sql_file!("../sql/worker.sql", name = "worker", requires = ["matching"]);
extension_sql_file!("../sql/grants.sql", name = "grants", requires = ["worker"], finalize);

/// Called by PostgreSQL when the library is loaded.
#[pg_guard]
pub extern "C-unwind" fn _PG_init() {
    pg::settings::define();
    pg::statement::define();
    pg::launcher::define();
    pg::worker::define();
    pg::launcher::register();
}
