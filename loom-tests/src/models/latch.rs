//! The latches: woken once, never touched after they were set.

use crate::latch::{CountLatch, Latch};
use crate::parker::Parker;
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

/// Proves: the waiter of a latch on its own stack wakes, sees what the setter wrote, and may free the latch at
/// once: the setter does not touch it afterwards.
/// 2 threads, exhaustive.
pub(super) fn set_and_free() {
    let parker = Parker::new();
    parker.adopt();
    let data = Arc::new(UnsafeCell::new(0));
    let latch = Box::new(Latch::new(parker.unparker()));
    let address = (&raw const *latch).expose_provenance();
    let setter = {
        let data = Arc::clone(&data);
        thread::spawn(move || {
            data.with_mut(|data| {
                // SAFETY: the waiter looks only after the latch is set.
                unsafe { *data = 1 }
            });
            // SAFETY: the waiter frees the latch only after it was set.
            unsafe { Latch::set(std::ptr::with_exposed_provenance(address)) };
        })
    };
    while !latch.probe() {
        if latch.arm() {
            parker.park(None);
        }
    }
    let seen = data.with(|data| {
        // SAFETY: the latch is set.
        unsafe { *data }
    });
    assert_eq!(seen, 1);
    drop(latch);
    setter.join().unwrap();
}

/// Proves: of two that count down, the last one releases the waiter, which then sees what both wrote.
/// 3 threads, exhaustive.
pub(super) fn last_decrement() {
    let latch = Arc::new(CountLatch::new(2));
    let data = Arc::new([UnsafeCell::new(0), UnsafeCell::new(0)]);
    let workers: Vec<_> = (0..2)
        .map(|index| {
            let (latch, data) = (Arc::clone(&latch), Arc::clone(&data));
            thread::spawn(move || {
                data[index].with_mut(|data| {
                    // SAFETY: one writer each; the waiter looks only when the count is zero.
                    unsafe { *data = 1 }
                });
                latch.count_down();
            })
        })
        .collect();
    latch.wait();
    for cell in &*data {
        let seen = cell.with(|data| {
            // SAFETY: the count is zero.
            unsafe { *data }
        });
        assert_eq!(seen, 1);
    }
    for worker in workers {
        worker.join().unwrap();
    }
}

/// Proves: a wait that finds the count at zero, at once or later, sees what was done before the last count-down.
/// 2 threads, exhaustive.
pub(super) fn probe() {
    let latch = Arc::new(CountLatch::new(1));
    let data = Arc::new(UnsafeCell::new(0));
    let worker = {
        let (latch, data) = (Arc::clone(&latch), Arc::clone(&data));
        thread::spawn(move || {
            data.with_mut(|data| {
                // SAFETY: the waiter looks only when the count is zero.
                unsafe { *data = 1 }
            });
            latch.count_down();
        })
    };
    latch.wait();
    let seen = data.with(|data| {
        // SAFETY: the count is zero.
        unsafe { *data }
    });
    assert_eq!(seen, 1);
    worker.join().unwrap();
}
