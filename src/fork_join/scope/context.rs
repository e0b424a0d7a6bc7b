//! What a turn of a broadcast is told.

use std::fmt;
use std::marker::PhantomData;

/// What a closure is told that a scope or a pool [has every worker run](crate::Scope::spawn_broadcast).
pub struct BroadcastContext<'a> {
    index: usize,
    workers: usize,
    /// Of the call and of its thread: neither kept, sent nor shared.
    _call: PhantomData<&'a mut dyn Fn()>,
}

impl BroadcastContext<'_> {
    pub(crate) fn new(index: usize, workers: usize) -> Self {
        BroadcastContext { index, workers, _call: PhantomData }
    }

    /// The number of the worker that runs this call.
    #[must_use]
    #[inline]
    pub fn index(&self) -> usize {
        self.index
    }

    /// How many workers the pool has, and calls there are; named as in rayon.
    #[must_use]
    #[inline]
    pub fn num_threads(&self) -> usize {
        self.workers
    }
}

impl fmt::Debug for BroadcastContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BroadcastContext")
            .field("index", &self.index)
            .field("num_threads", &self.workers)
            .finish_non_exhaustive()
    }
}
