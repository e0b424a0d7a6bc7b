//! The runners of a queue: [`crate::queue`].

use super::{Ordering, Site};

sites! {
    /// A look at the runners' word that may be out of date. Relaxed: an exchange or a lock follows, or the caller has
    /// changed the word itself, or has cleared `NEEDS_RUNNER` before (`RING_UNFLAG`). A thread whose change of the
    /// word makes a runner lacking decides by the value of its own exchange.
    RUNNERS_HINT = Relaxed;
    /// Whether no runner is active. Acquire: everything that the runners did is seen. Partner: `RUNNERS_GO`.
    RUNNERS_LOAD = Acquire;
    /// An activation is called. Relaxed: a count.
    RUNNERS_CALL = Relaxed;
    /// A runner takes a place. Acquire: it sees what the last runner in this place did, so that the jobs of a serial
    /// queue see each other's effects. The runner's pops publish that it is active. Partner: `RUNNERS_GO`.
    RUNNERS_COME = Acquire;
    /// A runner is no longer active. Release: what its jobs did goes out. Acquire: the last runner sees what the
    /// others took out of the ring, and tells the threads that wait for the queue to be idle. Partners: `RUNNERS_GO`
    /// itself, `RUNNERS_LOAD`, `RUNNERS_COME`, `RUNNERS_AWAIT`.
    RUNNERS_GO = AcqRel;
    /// A thread starts to wait for the queue to be idle. Acquire: it sees what runners that have gone took out of the
    /// ring; a runner that goes later sees the flag. Partner: `RUNNERS_GO`.
    RUNNERS_AWAIT = Acquire;
    /// A runner that polled goes on, or a flag of the word changes. Relaxed: the caller is counted already and goes
    /// by `RUNNERS_GO`, or went by it when it stepped back to standby, or holds the lock that guards what the flag
    /// stands for.
    RUNNERS_NOTE = Relaxed;
    /// How long a queue's jobs take. Relaxed: an estimate, on which nothing relies.
    QUEUE_PACE = Relaxed;
}
