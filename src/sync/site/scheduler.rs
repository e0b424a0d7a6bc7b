//! Inboxes, spares and what a pool counts: [`crate::scheduler`].

use super::{Ordering, Site};

sites! {
    /// Whether an inbox holds jobs. Relaxed: the lock orders the jobs. Against a sleep, the fences of `sleep` order
    /// it.
    INBOX_LEN = Relaxed;

    /// How many spares were made. Relaxed: a reader looks the spares up in cells that are set once. These cells order
    /// what was written before.
    SPARES_MADE = Relaxed;
    /// The worker that a spare stands in for. Relaxed: written before `SLEEP_RECHECK_FENCE`.
    SPARE_SLOT = Relaxed;
    /// A spare is called. Relaxed: its sleep was announced before, and the fence of that announcement releases the
    /// worker's number. Partner: `SPARE_TAKE`.
    SPARE_CALL = Relaxed;
    /// The caller of a spare looks whether somebody claimed the spare's sleep before the call. Release: a waker that
    /// claims the sleep afterwards wakes a thread that sees the call. Partner: `ASLEEP_CLAIM`.
    SPARE_CLAIMED = Release;
    /// The spare's thread takes the call. Partners: `SLEEP_RECHECK_FENCE`, `SPARE_CALL`.
    SPARE_TAKE = Acquire;
    /// A look at the role that decides nothing, or a look of a thread at its role. Relaxed: what the spare does next
    /// needs nothing from the thread that relieved it.
    SPARE_LOOK = Relaxed;
    /// The wait is over, and the spare is relieved. Relaxed: counts and lists have orderings for their own changes.
    SPARE_RELIEVE = Relaxed;
    /// A spare that was relieved is taken back. Relaxed: neither side needs anything from the other, and the lock of the
    /// spare's waits orders the worker's number.
    SPARE_RECALL = Relaxed;
    /// The spare rests. Relaxed: the spare next takes the lock of the list, which orders this store before the next
    /// call.
    SPARE_REST = Relaxed;

    /// A counter with one writer. Relaxed: a reading promises no more than "about now".
    COUNTER = Relaxed;
    /// The number of workers with a main loop. Relaxed: it changes only when a worker is lost. After that all workers
    /// look again.
    THREADS = Relaxed;
    /// The number of threads that have not come to their end. Relaxed: it only tells which thread is the last. What
    /// that thread drops lies behind locks.
    STAYING = Relaxed;
    /// How many threads wait apart without a spare. Relaxed: a hint, which is looked at again and again.
    STUCK = Relaxed;
    /// Whether a worker is in an isolated call. Relaxed: a thief that has a job of the call has synchronised with the
    /// push, which comes after the call's beginning; the call's end comes after the job's.
    ISOLATED = Relaxed;
    /// Whether the last owner of a pool has let go of the pool. Relaxed: it only permits a lent thread to forget that
    /// it is a worker. To forget that touches nothing of another thread.
    ABANDONED = Relaxed;
}
