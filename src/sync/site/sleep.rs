//! Who sleeps and who is woken: [`crate::waiting::sleep`].

use super::{Ordering, Site};

sites! {
    /// A look at the word. Acquire: a reader that finds nobody entered, or the pool ended, sees what the threads did
    /// that left or fell asleep before. Partners: `SLEEP_LEAVE`, `SLEEP_PREPARE`.
    SLEEP_LOAD = Acquire;
    /// A publisher's look at the word, which its fence orders; or a look before an exchange. Relaxed.
    SLEEP_HINT = Relaxed;
    /// An outside thread enters. Relaxed: the word alone tells whether it entered before or after the pool closed. It
    /// reads no data because of either answer.
    SLEEP_ENTER = Relaxed;
    /// An outside thread leaves. Release: a reader that finds nobody entered must see what the thread submitted, and
    /// what a lent thread ran. No Acquire: the last thread to leave only nudges workers, and looks for the pool's end
    /// by `SLEEP_LOAD`. Partners: `SLEEP_LOAD`, `SLEEP_PREPARE`.
    SLEEP_LEAVE = Release;
    /// One more worker searches. Relaxed: a count. The orderings of the queues bring what the worker finds.
    SLEEP_SEARCH = Relaxed;
    /// One worker fewer searches. Relaxed: the fence behind this change orders it before the look at the queues.
    SLEEP_END_SEARCH = Relaxed;
    /// A worker announces its sleep. Release: its bit goes out before the count. The last worker to fall asleep
    /// decides that the pool is at rest, and must see what all others did: `SLEEP_RECHECK_FENCE`, which follows at
    /// once, acquires that. Partners: `SLEEP_RESERVE`, `SLEEP_LOAD`.
    SLEEP_PREPARE = Release;
    /// A waker reserves a sleeper. Acquire: it sees the sleeper's bit, which was set before the count went up.
    /// Partner: `SLEEP_PREPARE`.
    SLEEP_RESERVE = Acquire;
    /// A sleeper reserves itself. Relaxed: it knows that its bit is set.
    SLEEP_RESERVE_SELF = Relaxed;
    /// A sleeper gives its reservation back, or a wait inside a job ends. Relaxed: nobody reads other data because of
    /// these counts.
    SLEEP_CANCEL = Relaxed;
    /// A searcher starts to nap. Acquire: the store of the previous napper's number comes before the store of this
    /// napper's number. The fence behind the previous napper's store releases it. Partner: `SLEEP_UNWATCH`, with
    /// `SLEEP_WATCH_FENCE`.
    SLEEP_WATCH = Acquire;
    /// The napping searcher stops to nap. Relaxed: see `SLEEP_WATCH`.
    SLEEP_UNWATCH = Relaxed;
    /// The number of the napping searcher. Relaxed: `SLEEP_WATCH` orders the stores of successive nappers. A stale
    /// number wakes a worker that then looks in vain.
    SLEEP_WATCHER = Relaxed;
    /// The pool is closed, or ended. Relaxed: what the closing thread submitted went out when that thread left, as
    /// with every thread. A reader of "closed" or "ended" needs what the threads did that left or fell asleep. The
    /// other changes of the word carry that past this one.
    SLEEP_CLOSE = Relaxed;
    /// A worker sets its bit. Relaxed: the announcement that follows releases it. Partner: `SLEEP_RESERVE`.
    ASLEEP_BIT = Relaxed;
    /// A sleeper looks whether its bit is cleared. Acquire: if so, it sees its waker's reservation, and may count as
    /// searching. Partner: `ASLEEP_CLAIM`.
    ASLEEP_LOOK = Acquire;
    /// A waker looks for a set bit. Relaxed: the claim decides.
    ASLEEP_SCAN = Relaxed;
    /// One thread clears the bit. Release: the reservation that this thread made before goes out. Acquire: if another
    /// thread was faster, its reservation comes in. Partners: `ASLEEP_LOOK`, `ASLEEP_CLAIM` itself.
    ASLEEP_CLAIM = AcqRel;
    /// Between a job's publication and the publisher's look at the word. Partner: `SLEEP_RECHECK_FENCE`.
    SLEEP_PRODUCER_FENCE = SeqCst;
    /// As `SLEEP_PRODUCER_FENCE`, for a publisher that is about to wait.
    SLEEP_WAITER_FENCE = SeqCst;
    /// As `SLEEP_PRODUCER_FENCE`, for a publisher that leaves the job to a napping searcher.
    SLEEP_LAZY_FENCE = SeqCst;
    /// Between a worker's announcement of its sleep and its look at the queues. Partners: `SLEEP_PRODUCER_FENCE`,
    /// `SLEEP_WAITER_FENCE`, `SLEEP_LAZY_FENCE`.
    SLEEP_RECHECK_FENCE = SeqCst;
    /// Between the end of a search, on which publishers relied, and the look at the queues. Partners: those of
    /// `SLEEP_RECHECK_FENCE`.
    SLEEP_SEARCH_FENCE = SeqCst;
    /// Between the start of napping and the last look before the first nap. Partners: those of `SLEEP_RECHECK_FENCE`.
    SLEEP_WATCH_FENCE = SeqCst;
    /// The number of outside threads that wait awake. Relaxed: an estimate, on which nothing relies.
    GUESTS = Relaxed;
    /// The number of relieved spares that still run a job. Relaxed: an estimate, on which nothing relies.
    LEAVING = Relaxed;
    /// Whether only one thread of the process can run at once. Relaxed: it decides nothing but whether a thread spins.
    SINGLE_CORE = Relaxed;
    /// The core that a worker is bound to. Relaxed: a hint.
    PLACED = Relaxed;
}
