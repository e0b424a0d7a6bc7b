//! Latches, signals and the counter latch: [`crate::waiting::latch`].

use super::{Ordering, Site};

sites! {
    /// The waiter looks whether the latch is set. Partner: `LATCH_SET`.
    LATCH_PROBE = Acquire;
    /// The waiter changes UNSET to ARMED. Relaxed: this publishes nothing. The setter needs only the value, and the
    /// two exchanges are ordered because they change the same word.
    LATCH_ARM = Relaxed;
    /// The waiter found the latch SET. Relaxed: the waiter probes again, and that probe acquires.
    LATCH_ARM_FAIL = Relaxed;
    /// The setter publishes the job's result. Partner: `LATCH_PROBE`. No Acquire: afterwards the setter touches only
    /// a copy that it made before.
    LATCH_SET = Release;

    /// The waiter looks whether a worker's latch is set. Partner: `TASK_SET`.
    TASK_PROBE = Acquire;
    /// The waiter is about to park. Relaxed, for the reasons of `LATCH_ARM`. A waiter that finds the latch set probes
    /// again.
    TASK_ARM = Relaxed;
    /// Which worker runs the job. Relaxed: a hint from whom to steal.
    TASK_THIEF = Relaxed;
    /// The setter publishes what the job wrote. Partner: `TASK_PROBE`.
    TASK_SET = Release;

    /// A waker fires the signal of a waiter that it took off a wait list. Partner: `SIGNAL_PROBE`.
    SIGNAL_FIRE = Release;
    /// The waiter looks whether its signal fired. Partner: `SIGNAL_FIRE`.
    SIGNAL_PROBE = Acquire;

    /// A first guess for an exchange that checks it. Relaxed.
    COUNT_HINT = Relaxed;
    /// The count goes up. Relaxed: the caller of `add` holds a count already, or nobody waits yet, as in
    /// `Arc::clone`. What was counted down before stays published past this change, because the change reads and
    /// writes the same word.
    COUNT_ADD = Relaxed;
    /// The count goes down. Release: what was counted is published, also past later calls of `count_down`, because
    /// they read and write the same word. Partners: `COUNT_PROBE`, `COUNT_REGISTER`, `COUNT_WAKE`.
    COUNT_DOWN = Release;
    /// A look at the count. A count of zero, or another round, means that everything counted down before is visible.
    /// Partner: `COUNT_DOWN`.
    COUNT_PROBE = Acquire;
    /// The caller that counted down to zero looks whose wait is over. Acquire: what all callers counted down comes
    /// in, and is passed on to the waiters that this caller wakes. Partner: `COUNT_DOWN`.
    COUNT_WAKE = Acquire;
    /// A waiter enters the list, and may find zero after all. Partner: `COUNT_DOWN`.
    COUNT_REGISTER = Acquire;
    /// The holder of the list's lock clears the bit `WAITERS`. Relaxed: that lock orders all who set or clear the
    /// bit.
    COUNT_RELEASE = Relaxed;
}
