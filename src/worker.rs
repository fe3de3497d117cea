//! Entry points of the background processes.

use crate::pg::{launcher, worker};
use pgrx::prelude::*;

/// The launcher, one for the server.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn identity_resolve_launcher(_argument: pg_sys::Datum) {
    launcher::run();
}

/// A worker in the database whose oid is the argument.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn identity_resolve_worker(database: pg_sys::Datum) {
    worker::run(pg_sys::Oid::from(database.value() as u32));
}

#[pg_extern(sql = "")]
fn is_listed() -> bool {
    worker::is_listed()
}
