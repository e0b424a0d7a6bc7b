//! The runners of a queue: [`crate::queue`].

use super::{Ordering, Site};

sites! {
    /// A look at the crew that may be out of date. Relaxed: an exchange or a lock follows, or the caller has changed the
    /// word itself or cleared `KICK` before (`RING_UNFLAG`); and whoever makes a runner lacking decides by the value of
    /// its own exchange.
    RUNNERS_HINT = Relaxed;
    /// Whether nobody is active. Acquire: all that they did is seen. Partner: `RUNNERS_GO`.
    RUNNERS_LOAD = Acquire;
    /// An activation is called. Relaxed: a count.
    RUNNERS_CALL = Relaxed;
    /// A runner takes a place. Acquire: what the last one that had it did is seen, so that a serial queue's jobs see each
    /// other's effects. That it is active goes out with its pops. Partner: `RUNNERS_GO`.
    RUNNERS_COME = Acquire;
    /// A runner is active no more. Release: what its jobs did goes out. Acquire: if it is the last, it sees what the others
    /// took out of the ring, and tells those who wait for the queue to be idle. Partners: itself, `RUNNERS_LOAD`,
    /// `RUNNERS_COME`, `RUNNERS_AWAIT`.
    RUNNERS_GO = AcqRel;
    /// Somebody waits for the queue to be idle. Acquire: it sees what those took out of the ring who went before; who goes
    /// later sees the flag. Partner: `RUNNERS_GO`.
    RUNNERS_AWAIT = Acquire;
    /// A runner that polled goes on, or something is noted. Relaxed: by who is counted already and goes by `RUNNERS_GO`,
    /// or under the lock of what is noted.
    RUNNERS_NOTE = Relaxed;
    /// How long a queue's jobs take. Relaxed: an estimate, which nothing relies on.
    QUEUE_PACE = Relaxed;
}
