//! A token on which one thread sleeps.
//!
//! | state | meaning | set by |
//! |---|---|---|
//! | `EMPTY` | no token; the owner is awake | owner |
//! | `PARKED` | no token; the owner sleeps or is about to | owner |
//! | `NOTIFIED` | one token waits | anyone |
//!
//! `unpark` leaves at most one token; `park` takes it or waits for it. A parker may also return
//! without reason to callers that raced with an old token, so each caller checks its own condition
//! again: the token says "look", never "it is done".
//!
//! Why not `std::thread::park` alone: its token belongs to the thread, and a job may consume or send
//! it. Why not a mutex and a condition: `std`'s park is one futex word, and one system call on either
//! side is what a wake costs.

use std::cell::Cell;
use std::time::Instant;

use crate::sync::site::{PARK_ARM, PARK_TAKE, PARK_TAKE_FAIL, UNPARK};
use crate::sync::{Arc, AtomicU32, Blocker, MODEL};

// Not the facade's: under a checker nobody comes here.
std::thread_local! {
    /// Whether the calling thread has woken another one.
    static HAS_WOKEN: Cell<bool> = const { Cell::new(false) };
}

/// Whether the calling thread has woken another one since the last call, which may wait for its core.
pub(crate) fn has_woken() -> bool {
    HAS_WOKEN.replace(false)
}

const EMPTY: u32 = 0;
const PARKED: u32 = 1;
const NOTIFIED: u32 = 2;

#[derive(Debug)]
struct Inner {
    state: AtomicU32,
    blocker: Blocker,
}

/// The sleeping side. Only one thread may call [`park`](Parker::park): the one that
/// called [`adopt`](Parker::adopt).
#[derive(Debug)]
pub(crate) struct Parker {
    inner: Arc<Inner>,
}

/// The waking side.
#[derive(Clone, Debug)]
pub(crate) struct Unparker {
    inner: Arc<Inner>,
}

impl Parker {
    /// A parker without a token and without an owner.
    pub(crate) fn new() -> Parker {
        Parker { inner: Arc::new(Inner { state: AtomicU32::new(EMPTY), blocker: Blocker::default() }) }
    }

    /// Makes the calling thread the owner. To be called before the first `park`.
    pub(crate) fn adopt(&self) {
        self.inner.blocker.adopt();
    }

    /// The handle that wakes the owner.
    pub(crate) fn unparker(&self) -> Unparker {
        Unparker { inner: Arc::clone(&self.inner) }
    }

    /// Takes the token, or blocks until there is one or `deadline` has passed.
    /// What was written before the `unpark` whose token is taken is visible afterwards.
    pub(crate) fn park(&self, deadline: Option<Instant>) {
        let inner = &*self.inner;
        if self.take() {
            return;
        }
        // EMPTY -> PARKED fails only if a token arrived since: nobody else touches EMPTY.
        if inner.state.compare_exchange(EMPTY, PARKED, PARK_ARM.get(), PARK_TAKE_FAIL.get()).is_err() {
            self.take();
            return;
        }
        loop {
            let left = match deadline {
                None => None,
                Some(_) if MODEL => None,
                Some(deadline) => Some(deadline.saturating_duration_since(Instant::now())),
            };
            if left.is_some_and(|left| left.is_zero()) {
                // A token that came together with the timeout is taken: its sender is done with it.
                inner.state.swap(EMPTY, PARK_TAKE.get());
                return;
            }
            inner.blocker.block(left);
            if self.take() {
                return;
            }
        }
    }

    /// NOTIFIED -> EMPTY.
    fn take(&self) -> bool {
        self.inner.state.compare_exchange(NOTIFIED, EMPTY, PARK_TAKE.get(), PARK_TAKE_FAIL.get()).is_ok()
    }
}

impl Unparker {
    /// Leaves a token and wakes the owner if it sleeps.
    pub(crate) fn unpark(&self) {
        // Only the transition from PARKED pays for a system call, and only one caller makes it.
        if self.inner.state.swap(NOTIFIED, UNPARK.get()) == PARKED {
            self.inner.blocker.wake();
            if !MODEL {
                HAS_WOKEN.set(true);
            }
        }
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::Parker;
    use std::time::{Duration, Instant};

    #[test]
    fn a_token_left_before_parking_is_taken_once() {
        let parker = Parker::new();
        parker.adopt();
        parker.unparker().unpark();
        parker.unparker().unpark();
        parker.park(None);
        let deadline = Instant::now() + Duration::from_millis(20);
        parker.park(Some(deadline));
        assert!(Instant::now() >= deadline, "the second park found a second token");
    }

    #[test]
    fn a_token_of_the_thread_is_not_ours() {
        let parker = Parker::new();
        parker.adopt();
        std::thread::current().unpark();
        let deadline = Instant::now() + Duration::from_millis(20);
        parker.park(Some(deadline));
        assert!(Instant::now() >= deadline, "std's token ended our park");
    }
}
