//! Gives each thread a number, also a thread whose thread-locals are gone.
//!
//! std's `thread::current()` panics in a thread's late destructors, where a C or C++ host may still call.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::sync::unseen_local;

/// The number of a thread of this process. No two threads have the same number, not even one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ThreadNumber(u64);

// The cell has no destructor, so it stays as long as the thread.
unseen_local! {
    /// The number, or 0 if the thread has none yet.
    static OWN: Cell<u64> = const { Cell::new(0) };
}

/// Returns a new number, which no thread has.
///
/// Relaxed: the counter orders nothing.
pub(crate) fn next() -> ThreadNumber {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    ThreadNumber(NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Gives `number` to the calling thread, which must not have a number.
pub(crate) fn set(number: ThreadNumber) {
    OWN.set(number.0);
}

/// Returns the number of the calling thread. The first call takes a new number.
pub(crate) fn current() -> ThreadNumber {
    if OWN.get() == 0 {
        set(next());
    }
    ThreadNumber(OWN.get())
}
