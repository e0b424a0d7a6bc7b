//! The parker's token.

use crate::system::parker::Parker;
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

/// Proves: a park ends if an unpark was called before or during it, whatever the interleaving (else the execution
/// deadlocks). What was written before the unpark is visible after the park (else the cell's accesses race). A second
/// token makes the next park return, too.
/// 2 threads, exhaustive; 30 executions.
pub(super) fn token() {
    let parker = Parker::new();
    let unparker = parker.unparker();
    let data = Arc::new(UnsafeCell::new(0));
    let waker = {
        let data = Arc::clone(&data);
        thread::spawn(move || {
            data.with_mut(|data| {
                // SAFETY: the parked side reads only after it got the token; loom reports the read if it does not.
                unsafe { *data = 1 }
            });
            unparker.unpark();
        })
    };
    parker.adopt();
    parker.park(None);
    let seen = data.with(|data| {
        // SAFETY: the token came, so the only write has happened; loom reports the read if not.
        unsafe { *data }
    });
    assert_eq!(seen, 1);
    waker.join().unwrap();
    parker.unparker().unpark();
    parker.unparker().unpark();
    parker.park(None);
}
