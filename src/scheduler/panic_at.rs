//! Where a job was that panicked.

/// Where a panic comes from that nobody else hears of: what [`PoolBuilder::on_panic`](crate::PoolBuilder::on_panic) is told.
#[derive(Clone, Debug)]
pub struct PanicAt<'p> {
    queue: Option<&'p str>,
    worker: Option<usize>,
}

impl<'p> PanicAt<'p> {
    pub(crate) fn new(queue: Option<&'p str>, worker: Option<usize>) -> Self {
        PanicAt { queue, worker }
    }

    /// The [name](crate::QueueBuilder::name) of the queue whose handler, state's maker or state's end it was; `None` if it
    /// was not a queue's, or that has no name.
    #[must_use]
    pub fn queue(&self) -> Option<&str> {
        self.queue
    }

    /// The name of the task; `None`, for tasks have no names yet.
    #[must_use]
    pub fn task(&self) -> Option<&str> {
        None
    }

    /// The number of the worker that ran it; `None` if that was a thread outside the pool, which dropped what the pool had left
    /// at its end.
    #[must_use]
    pub fn worker(&self) -> Option<usize> {
        self.worker
    }
}
