//! A token on which one thread sleeps.
//!
//! | state | meaning | set by |
//! |---|---|---|
//! | `EMPTY` | no token; the owner is awake | owner |
//! | `PARKED` | no token; the owner sleeps or is about to | owner |
//! | `NOTIFIED` | one token waits | anyone |
//!
//! `unpark` leaves at most one token; `park` takes the token or waits for it. `park` may also return because of an
//! old token. So each caller of `park` checks its condition again: the token says "look", never "it is done".
//!
//! Why not `std::thread::park`: its token belongs to the thread, and a job may consume or send it; and std has no handle
//! of a thread whose thread-locals are gone, where a C or C++ host may still call. On Linux the word is a futex, so that a
//! wake costs one system call on either side; elsewhere a mutex and a condition block the thread.

use std::cell::Cell;

use crate::sync::site::{PARK_ARM, PARK_TAKE, PARK_TAKE_FAIL, UNPARK};
use crate::sync::{Arc, AtomicU32, Blocker, MODEL, unseen_local};
use crate::system::clock::Instant;

// `std`'s macro and not that of `crate::sync`: under a checker no thread uses this variable.
unseen_local! {
    /// Whether this thread has woken another thread since the last call of [`has_woken`].
    static HAS_WOKEN: Cell<bool> = const { Cell::new(false) };
}

/// Returns whether the calling thread has woken another thread since the last call. The woken thread may wait for the
/// caller's core.
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

/// The sleeping side. Only its owner may call [`park`](Parker::park): the thread that called
/// [`adopt`](Parker::adopt).
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
    /// Creates a parker without a token and without an owner.
    pub(crate) fn new() -> Parker {
        Parker { inner: Arc::new(Inner { state: AtomicU32::new(EMPTY), blocker: Blocker::default() }) }
    }

    /// Makes the calling thread the owner. Call it before the first `park`.
    pub(crate) fn adopt(&self) {
        self.inner.blocker.adopt();
    }

    /// Returns a handle that wakes the owner.
    pub(crate) fn unparker(&self) -> Unparker {
        Unparker { inner: Arc::clone(&self.inner) }
    }

    /// Takes the token, or blocks until there is one or `deadline` has passed. What a thread wrote before the
    /// `unpark` that left the token is visible afterwards. Returns whether there was a token.
    pub(crate) fn park(&self, deadline: Option<Instant>) -> bool {
        let inner = &*self.inner;
        if self.take() {
            return true;
        }
        // EMPTY -> PARKED fails only if a token arrived since: other threads change the state only to NOTIFIED.
        if inner.state.compare_exchange(EMPTY, PARKED, PARK_ARM.get(), PARK_TAKE_FAIL.get()).is_err() {
            return self.take();
        }
        loop {
            let left = match deadline {
                None => None,
                Some(_) if MODEL => None,
                Some(deadline) => Some(deadline.saturating_duration_since(Instant::now())),
            };
            if left.is_some_and(|left| left.is_zero()) {
                // Also takes a token that came together with the timeout: its sender does not need it any more.
                return inner.state.swap(EMPTY, PARK_TAKE.get()) == NOTIFIED;
            }
            inner.blocker.block(&inner.state, PARKED, left);
            if self.take() {
                return true;
            }
        }
    }

    /// NOTIFIED -> EMPTY. Returns whether there was a token.
    fn take(&self) -> bool {
        self.inner.state.compare_exchange(NOTIFIED, EMPTY, PARK_TAKE.get(), PARK_TAKE_FAIL.get()).is_ok()
    }
}

impl Unparker {
    /// Leaves a token and wakes the owner if it sleeps.
    pub(crate) fn unpark(&self) {
        // Only the change from PARKED costs a system call, and only one caller makes that change.
        if self.inner.state.swap(NOTIFIED, UNPARK.get()) == PARKED {
            self.inner.blocker.wake(&self.inner.state);
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
