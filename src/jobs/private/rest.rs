//! Whether the owner is at rest: outside any job, with nothing private.
//!
//! A worker that goes to sleep must know that each peer's next push sees its demand. A fence of the system's on every
//! core makes sure of that for all peers, but it interrupts those that work. It is not needed for a peer at rest,
//! which pays for a fence of its own before it works again.
//!
//! # The race for the demand
//!
//! The owner clears the flag, fences, and later pushes and reads `limit`. The worker that falls asleep writes 0 into
//! `limit`, fences, and reads the flag. The fences are totally ordered. If the owner's comes first, the other worker
//! finds the flag cleared, and does not rely on it. If the owner's comes second, the owner reads the 0, or its own
//! answer to it.
//!
//! Setting the flag needs no order: the owner has nothing private then, and all that it pushed before was run,
//! exposed or taken.

use crate::sync::site::{REST_BEGIN, REST_END, REST_END_FENCE, REST_LOOK};
use crate::sync::{AtomicBool, fence};

/// Whether the owner is at rest. Only the owner changes it.
pub(super) struct Rest(AtomicBool);

impl Rest {
    /// The owner is at work.
    pub(super) fn new() -> Rest {
        Rest(AtomicBool::new(false))
    }

    pub(super) fn begin(&self) {
        self.0.store(true, REST_BEGIN.get());
    }

    pub(super) fn end(&self) {
        self.0.store(false, REST_END.get());
        fence(REST_END_FENCE);
    }

    pub(super) fn is_on(&self) -> bool {
        self.0.load(REST_LOOK.get())
    }
}
