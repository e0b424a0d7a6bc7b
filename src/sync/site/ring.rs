//! The bounded ring: [`crate::jobs::ring`].

use super::{Ordering, Site};

sites! {
    /// A look at a position that may be out of date. Relaxed: the slot's stamp decides, then the exchange; that a ring
    /// is full, or empty, is looked at once more before anybody sleeps or leaves on the strength of it.
    RING_TAIL_HINT = Relaxed;
    RING_HEAD_HINT = Relaxed;
    /// A look at a slot without going for it. Relaxed.
    RING_STAMP_HINT = Relaxed;
    /// A push looks whether the slot is free. Acquire: it was read before it is written over. Partner: `RING_FREE_STORE`.
    RING_FREE_LOAD = Acquire;
    /// The slot is handed on with what was written to it. Partner: `RING_VALUE_LOAD`.
    RING_VALUE_STORE = Release;
    /// A pop looks whether the slot is written. Partner: `RING_VALUE_STORE`.
    RING_VALUE_LOAD = Acquire;
    /// The slot is free again, and was read. Partner: `RING_FREE_LOAD`.
    RING_FREE_STORE = Release;
    /// A position of the tail is claimed. Release: who sees it sees the head that made room for it, so that no more
    /// values are counted than there are slots. No Acquire: a push that reads `KICK` may take the crew for what it was
    /// before the runner left; it then clears the flag, which acquires, and looks at the crew once more. Partner:
    /// `RING_TAIL_LOAD`.
    RING_PUSH = Release;
    /// A position of the head is claimed. Release: who sees it sees that its consumer is active, and the tail that it
    /// follows. No Acquire: a pop that reads `BLOCKED` comes for the list's lock, under which that was set. Partners:
    /// `RING_HEAD_LOAD`, `RING_BLOCK`.
    RING_POP = Release;
    /// A runner that leaves sets `KICK`. Release: that it has left goes out. Partner: `RING_UNFLAG`.
    RING_FLAG = Release;
    /// `KICK` is cleared. Acquire: who set it is seen to have left. Partner: `RING_FLAG`.
    RING_UNFLAG = Acquire;
    /// Who waits for room sets `BLOCKED`. Acquire: the tail that the head follows comes with it, so that no fewer values
    /// are counted than none. Partner: `RING_POP`.
    RING_BLOCK = Acquire;
    /// It is cleared, by who has the list's lock, as has who sets it; or `READY`, a hint, is set or cleared. Relaxed.
    RING_UNBLOCK = Relaxed;
    /// The tail, to be followed by a look at the head, which is then no older. Partner: `RING_PUSH`.
    RING_TAIL_LOAD = Acquire;
    /// The head, to be followed by a look at the tail, which is then no older, or at the crew, in which then whoever moved
    /// the head is active or has been. Partner: `RING_POP`.
    RING_HEAD_LOAD = Acquire;
}
