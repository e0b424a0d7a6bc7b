//! The bounded ring: [`crate::jobs::ring`].

use super::{Ordering, Site};

sites! {
    /// A look at a position that may be out of date. Relaxed: the slot's stamp decides, then the exchange. Before a
    /// thread sleeps or leaves because a ring is full or empty, it looks once more.
    RING_TAIL_HINT = Relaxed;
    RING_HEAD_HINT = Relaxed;
    /// A look at a slot that the caller does not try to claim. Relaxed.
    RING_STAMP_HINT = Relaxed;
    /// A push looks whether the slot is free. Acquire: the old value was read before the push overwrites it. Partner:
    /// `RING_FREE_STORE`.
    RING_FREE_LOAD = Acquire;
    /// The producer hands on the slot with the value that it wrote. Partner: `RING_VALUE_LOAD`.
    RING_VALUE_STORE = Release;
    /// A pop looks whether the slot is written. Partner: `RING_VALUE_STORE`.
    RING_VALUE_LOAD = Acquire;
    /// The consumer has read the slot and frees it. Partner: `RING_FREE_LOAD`.
    RING_FREE_STORE = Release;
    /// A push claims a position of the tail. Release: a thread that sees the position sees the head that made room
    /// for it, so that no thread counts more values than there are slots. No Acquire: a push that reads
    /// `NEEDS_RUNNER` may see the runners' word as it was before the runner left. It then clears the flag, which
    /// acquires, and looks at the word once more. Partner: `RING_TAIL_LOAD`.
    RING_PUSH = Release;
    /// A pop claims a position of the head. Release: a thread that sees the position sees that its consumer is
    /// active, and the tail that the head follows. No Acquire: a pop that reads `BLOCKED` takes the lock of the
    /// waiters' list, under which the flag was set. Partners: `RING_HEAD_LOAD`, `RING_BLOCK`.
    RING_POP = Release;
    /// A flag of the tail is set: `NEEDS_RUNNER` by a runner that leaves. Release: it publishes that the runner has
    /// left. Partner: `RING_UNFLAG`.
    RING_FLAG = Release;
    /// `NEEDS_RUNNER` is cleared. Acquire: the thread that clears it sees that the runner that set it has left.
    /// Partner: `RING_FLAG`.
    RING_UNFLAG = Acquire;
    /// A thread that waits for room sets `BLOCKED`. Acquire: with the head comes the tail that it follows, so that
    /// the number of values is never counted below zero. Partner: `RING_POP`.
    RING_BLOCK = Acquire;
    /// `BLOCKED` is cleared, or the hint `READY` or `PATIENT` is set or cleared. Relaxed: `BLOCKED` is set and cleared
    /// under the lock of the waiters' list, and a hint needs no order.
    RING_UNBLOCK = Relaxed;
    /// A look at the tail, before a look at the head, which is then no older than the tail. Partner: `RING_PUSH`.
    RING_TAIL_LOAD = Acquire;
    /// A look at the head, before a look at the tail, which is then no older than the head; or before a look at the
    /// runners' word, which then shows that the consumer that moved the head is active or has been. Partner:
    /// `RING_POP`.
    RING_HEAD_LOAD = Acquire;
}
