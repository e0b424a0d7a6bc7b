//! Inboxes, spares and what a pool counts: [`crate::scheduler`].

use super::{Ordering, Site};

sites! {
    /// Whether something came in. Relaxed: the lock orders the jobs; against sleep, the fences of `sleep` do.
    INBOX_LEN = Relaxed;

    /// How many spares were made. Relaxed: what is behind the number is looked up in cells that are set once, and by
    /// themselves order what was written before.
    SPARES_MADE = Relaxed;
    /// The worker that a spare stands in for. Relaxed: written before `SLEEP_RECHECK_FENCE`.
    SPARE_SLOT = Relaxed;
    /// A spare is called. Relaxed: the fence of the sleep that was announced before releases for whom. Partner: `SPARE_TAKE`.
    SPARE_CALL = Relaxed;
    /// The look whether somebody claimed the sleep of a spare before it was called. Release: whoever claims it afterwards
    /// wakes a thread that sees the call. Partner: `ASLEEP_CLAIM`.
    SPARE_CLAIMED = Release;
    /// Its thread takes the call. Partners: `SLEEP_RECHECK_FENCE`, `SPARE_CALL`.
    SPARE_TAKE = Acquire;
    /// A look at the role that decides nothing, or that a thread takes at its own role: what the spare does next needs
    /// nothing of the one that relieved it. Relaxed.
    SPARE_LOOK = Relaxed;
    /// The wait is over. Relaxed: counts and lists are changed by their own orderings.
    SPARE_RELIEVE = Relaxed;
    /// The spare rests. Relaxed: the lock of the list, which it enters next, orders it before the next call.
    SPARE_REST = Relaxed;

    /// A counter with one writer. Relaxed: a reading promises no more than "about now".
    COUNTER = Relaxed;
    /// Workers with a main loop. Relaxed: it changes only when one is lost, after which all look again.
    THREADS = Relaxed;
    /// Threads that have not come to their end. Relaxed: it only says who is the last; what that one drops lies behind
    /// locks.
    STAYING = Relaxed;
    /// Whether the last owner of a pool has let go of it. Relaxed: it only permits a lent thread to forget that it
    /// is a worker, which touches nothing of any other thread.
    ABANDONED = Relaxed;
}
