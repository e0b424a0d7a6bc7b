//! The stand-in for crossbeam's deque and injector, which a checker cannot see into.

use super::{Ordering, Site};

sites! {
    // As crossbeam-deque 0.8 has them; the partners are the deque's own and those of `sleep`.

    /// The owner reads what only it writes. Relaxed.
    DEQUE_OWNER_BACK = Relaxed;
    /// Slots are claimed by the front's exchange. Relaxed: published by `DEQUE_PUSH_FENCE`.
    DEQUE_SLOT = Relaxed;
    /// The owner's look at the front before it pushes. Partner: `DEQUE_STEAL_CAS`.
    DEQUE_PUSH_FRONT = Acquire;
    /// Publishes the slot. Partner: `DEQUE_STEAL_BACK`.
    DEQUE_PUSH_FENCE = Release;
    DEQUE_PUSH_BACK = Relaxed;
    DEQUE_POP_FRONT = Relaxed;
    DEQUE_POP_BACK = Relaxed;
    /// Between "the back went down" and the look at the front. Partner: `DEQUE_STEAL_FENCE`.
    DEQUE_POP_FENCE = SeqCst;
    DEQUE_POP_CAS = SeqCst;
    DEQUE_STEAL_FRONT = Acquire;
    /// Between the looks at the front and at the back. Partner: `DEQUE_POP_FENCE`.
    DEQUE_STEAL_FENCE = SeqCst;
    DEQUE_STEAL_BACK = Acquire;
    DEQUE_STEAL_CAS = SeqCst;
    DEQUE_CAS_FAIL = Relaxed;
    INJECTOR_PUSH_TAIL = Acquire;
    INJECTOR_PUSH_CAS = SeqCst;
    INJECTOR_CAS_FAIL = Acquire;
    /// The slot is written. Partner: `INJECTOR_WRITTEN`.
    INJECTOR_PUBLISH = Release;
    INJECTOR_WRITTEN = Acquire;
    INJECTOR_STEAL_HEAD = Acquire;
    INJECTOR_STEAL_FENCE = SeqCst;
    INJECTOR_STEAL_TAIL = Relaxed;
    INJECTOR_STEAL_CAS = SeqCst;
    INJECTOR_LEN = SeqCst;
}
