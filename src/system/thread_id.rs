//! A number for each thread, also for one whose thread-locals are gone.
//!
//! std's `thread::current()` panics in a thread's late destructors, where a C or C++ host may still call.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

/// A thread of this process. No two threads have the same, not even one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ThreadNumber(u64);

// Without a destructor, so that it stays as long as the thread.
std::thread_local! {
    /// 0: none yet.
    static OWN: Cell<u64> = const { Cell::new(0) };
}

/// Returns a number that no thread has.
///
/// Relaxed: the counter orders nothing.
pub(crate) fn next() -> ThreadNumber {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    ThreadNumber(NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Makes `number` that of the calling thread, which has none.
pub(crate) fn set(number: ThreadNumber) {
    OWN.set(number.0);
}

/// Returns the number of the calling thread.
pub(crate) fn current() -> ThreadNumber {
    if OWN.get() == 0 {
        set(next());
    }
    ThreadNumber(OWN.get())
}
