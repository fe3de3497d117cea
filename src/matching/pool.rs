//! Work that is divided among threads where there are any.

use rayon::prelude::*;

/// Whether this is a thread of a pool, which divides work. That of a session makes no others: rayon would
/// make as many as there are cores, and let them take PostgreSQL's signals.
pub fn is_in_pool() -> bool {
    rayon::current_thread_index().is_some()
}

/// What `each` makes of all items, in their order.
pub fn map<T, R, I>(items: I, each: impl Fn(T) -> R + Sync + Send) -> Vec<R>
where
    T: Send,
    R: Send,
    I: IntoIterator<Item = T> + IntoParallelIterator<Item = T>,
    <I as IntoParallelIterator>::Iter: IndexedParallelIterator,
{
    match is_in_pool() {
        true => items.into_par_iter().map(each).collect(),
        false => items.into_iter().map(each).collect(),
    }
}
