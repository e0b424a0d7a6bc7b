//! Who sleeps and who is woken: [`crate::waiting::sleep`].

use super::{Ordering, Site};

sites! {
    /// A look at the word. Acquire: who reads that nobody is inside, or that the pool has ended, sees what those did
    /// who left or fell asleep before. Partners: `SLEEP_LEAVE`, `SLEEP_PREPARE`.
    SLEEP_LOAD = Acquire;
    /// A look by a publisher, whose fence orders it, or before an exchange. Relaxed.
    SLEEP_HINT = Relaxed;
    /// An outside thread comes in. Relaxed: that it came before the pool closed, or after, is in the one word, and it
    /// reads nothing on the strength of either.
    SLEEP_ENTER = Relaxed;
    /// It goes. Release: who reads "nobody entered" must see what it submitted, and what a lent thread ran. What it
    /// does if it is the last is to nudge, and to look for the end by `SLEEP_LOAD`. Partners: `SLEEP_LOAD`,
    /// `SLEEP_PREPARE`.
    SLEEP_LEAVE = Release;
    /// One more searches. Relaxed: a count; what it finds it finds by the queues' own orderings.
    SLEEP_SEARCH = Relaxed;
    /// One fewer. Relaxed: the fence behind it orders it against the look at the queues.
    SLEEP_END_SEARCH = Relaxed;
    /// A sleep is announced. Release: the bit goes out before the count. The last to fall asleep, which decides that
    /// the pool is at rest, must see what all others did: `SLEEP_RECHECK_FENCE`, which follows at once, acquires
    /// that. Partners: `SLEEP_RESERVE`, `SLEEP_LOAD`.
    SLEEP_PREPARE = Release;
    /// A waker reserves a sleeper. Acquire: its bit, set before the count went up, is seen. Partner: `SLEEP_PREPARE`.
    SLEEP_RESERVE = Acquire;
    /// A sleeper reserves itself. Relaxed: it knows its own bit.
    SLEEP_RESERVE_SELF = Relaxed;
    /// A sleep is withdrawn. Relaxed: counts that nothing else is read on the strength of.
    SLEEP_CANCEL = Relaxed;
    /// The watch begins. Acquire: the number that the last one left comes before the own one; the fence behind that store
    /// releases it. Partner: `SLEEP_UNWATCH`, with `SLEEP_WATCH_FENCE`.
    SLEEP_WATCH = Acquire;
    /// It ends. Relaxed: see there.
    SLEEP_UNWATCH = Relaxed;
    /// Who watches. Relaxed: `SLEEP_WATCH` orders one after the other; a stale number wakes a worker that then looks in vain.
    SLEEP_WATCHER = Relaxed;
    /// The pool is closed, or ended. Relaxed: what the closer submitted went out when it left, as with all others;
    /// who reads "closed" or "ended" needs what those did who left or fell asleep, and the word's other changes
    /// carry that past this one.
    SLEEP_CLOSE = Relaxed;
    /// The bit goes up. Relaxed: the announcement behind it releases it. Partner: `SLEEP_RESERVE`.
    ASLEEP_BIT = Relaxed;
    /// A sleeper looks whether its bit is cleared. Acquire: it then sees its waker's reservation, and may count as
    /// searching. Partner: `ASLEEP_CLAIM`.
    ASLEEP_LOOK = Acquire;
    /// A waker looks for a bit. Relaxed: the claim decides.
    ASLEEP_SCAN = Relaxed;
    /// The bit goes down, by one party: the reservation before it goes out (Release), or another's comes in
    /// (Acquire). Partners: `ASLEEP_LOOK`, itself.
    ASLEEP_CLAIM = AcqRel;
    /// Between a job's publication and the look at who sleeps. Partner: `SLEEP_RECHECK_FENCE`.
    SLEEP_PRODUCER_FENCE = SeqCst;
    /// The same, of a publisher that is about to wait.
    SLEEP_WAITER_FENCE = SeqCst;
    /// The same, of a publisher that leaves the job to a worker that watches.
    SLEEP_LAZY_FENCE = SeqCst;
    /// Between a worker's announcement and its look at the queues. Partners: the three above.
    SLEEP_RECHECK_FENCE = SeqCst;
    /// Between the end of a search, on which publishers relied, and a look at the queues. Partners: as above.
    SLEEP_SEARCH_FENCE = SeqCst;
    /// Between the beginning of a watch and the last look before a nap. Partners: as above.
    SLEEP_WATCH_FENCE = SeqCst;
    /// Threads that wait awake. Relaxed: an estimate, which nothing relies on.
    GUESTS = Relaxed;
    /// Where a worker was bound. Relaxed: as a counter.
    PLACED = Relaxed;
}
