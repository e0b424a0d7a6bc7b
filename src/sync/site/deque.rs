//! The stand-in for crossbeam's deque and injector, which a checker cannot see into.

use super::{Ordering, Site};

sites! {
    // The orderings of crossbeam-deque 0.8. The partners are other accesses of the deque, and sites of `sleep`.

    /// The owner reads a word that only the owner writes. Relaxed.
    DEQUE_OWNER_BACK = Relaxed;
    /// A slot. The exchange of the front claims it. Relaxed: `DEQUE_PUSH_FENCE` publishes it.
    DEQUE_SLOT = Relaxed;
    /// The owner looks at the front before it pushes. Partner: `DEQUE_STEAL_CAS`.
    DEQUE_PUSH_FRONT = Acquire;
    /// The owner publishes the slot. Partner: `DEQUE_STEAL_BACK`.
    DEQUE_PUSH_FENCE = Release;
    DEQUE_PUSH_BACK = Relaxed;
    DEQUE_POP_FRONT = Relaxed;
    DEQUE_POP_BACK = Relaxed;
    /// Between the owner's store that lowers the back and its look at the front. Partner: `DEQUE_STEAL_FENCE`.
    DEQUE_POP_FENCE = SeqCst;
    DEQUE_POP_CAS = SeqCst;
    DEQUE_STEAL_FRONT = Acquire;
    /// Between a thief's look at the front and its look at the back. Partner: `DEQUE_POP_FENCE`.
    DEQUE_STEAL_FENCE = SeqCst;
    DEQUE_STEAL_BACK = Acquire;
    DEQUE_STEAL_CAS = SeqCst;
    DEQUE_CAS_FAIL = Relaxed;
    INJECTOR_PUSH_TAIL = Acquire;
    INJECTOR_PUSH_CAS = SeqCst;
    INJECTOR_CAS_FAIL = Acquire;
    /// The producer says that the slot is written. Partner: `INJECTOR_WRITTEN`.
    INJECTOR_PUBLISH = Release;
    INJECTOR_WRITTEN = Acquire;
    INJECTOR_STEAL_HEAD = Acquire;
    INJECTOR_STEAL_FENCE = SeqCst;
    INJECTOR_STEAL_TAIL = Relaxed;
    INJECTOR_STEAL_CAS = SeqCst;
    INJECTOR_LEN = SeqCst;
}
