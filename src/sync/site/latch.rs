//! Latches, signals and the counter latch: [`crate::waiting::latch`].

use super::{Ordering, Site};

sites! {
    /// The waiter looks. Partner: `LATCH_SET`.
    LATCH_PROBE = Acquire;
    /// UNSET to ARMED. Relaxed: it publishes nothing; the setter only needs the value, and the one word
    /// orders the two exchanges.
    LATCH_ARM = Relaxed;
    /// It was SET: the caller probes again, which acquires. Relaxed.
    LATCH_ARM_FAIL = Relaxed;
    /// The result of the job goes out. Partner: `LATCH_PROBE`. The Acquire half is not needed: what is
    /// touched afterwards is a copy made before.
    LATCH_SET = Release;

    /// The waiter of a worker's latch looks. Partner: `TASK_SET`.
    TASK_PROBE = Acquire;
    /// The waiter is about to park. Relaxed: as `LATCH_ARM`; if it finds the latch set it probes again.
    TASK_ARM = Relaxed;
    /// Who runs it. Relaxed: a hint whom to steal from.
    TASK_THIEF = Relaxed;
    /// What the job wrote goes out. Partner: `TASK_PROBE`.
    TASK_SET = Release;

    /// A wait list's waiter is told. Partner: `SIGNAL_PROBE`.
    SIGNAL_FIRE = Release;
    /// It looks. Partner: `SIGNAL_FIRE`.
    SIGNAL_PROBE = Acquire;

    /// A first guess for an exchange that checks it. Relaxed.
    COUNT_HINT = Relaxed;
    /// The count goes up. Relaxed: who adds already holds a count, or nobody waits yet; as in `Arc::clone`. What was
    /// counted down before goes out past it, because it reads and writes the one word.
    COUNT_ADD = Relaxed;
    /// The count goes down. Release: what was counted goes out, past those that count down later as well, because they
    /// read and write the one word. Partners: `COUNT_PROBE`, `COUNT_REGISTER`, `COUNT_WAKE`.
    COUNT_DOWN = Release;
    /// A look at the count: zero, or another round, means that all counted down before is visible. Partner: `COUNT_DOWN`.
    COUNT_PROBE = Acquire;
    /// Who counted down to zero looks whose wait is over. Acquire: what all counted down comes in, to be passed on to those
    /// that it wakes. Partner: `COUNT_DOWN`.
    COUNT_WAKE = Acquire;
    /// A waiter enters, and may find zero after all. Partner: `COUNT_DOWN`.
    COUNT_REGISTER = Acquire;
    /// The waiters' bit is cleared, by who holds the list's lock. Relaxed: the lock orders those who set and
    /// clear it.
    COUNT_RELEASE = Relaxed;
}
