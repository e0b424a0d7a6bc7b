//! What loom means by "sequentially consistent".

use loom::sync::atomic::{AtomicUsize, Ordering, fence};
use loom::thread;
use std::sync::Arc as StdArc;
use std::sync::atomic::AtomicBool;

/// Proves: store buffering is impossible with SeqCst fences, and loom knows it. With SeqCst *accesses* alone loom
/// allows it (real machines do not), so loom can check a protocol only if the protocol uses fences. If loom ever
/// forbids it with accesses too, this model fails and the rule can go.
/// 2 threads, exhaustive; 450 executions.
pub(super) fn store_buffering() {
    assert!(!both_read_zero(true), "loom allows store buffering across SeqCst fences");
    if both_read_zero(false) {
        SEEN_WITH_ACCESSES.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

/// Checks the second half, which no single execution can tell.
pub(super) fn after() {
    let seen = SEEN_WITH_ACCESSES.load(std::sync::atomic::Ordering::Relaxed);
    assert!(seen, "loom now treats SeqCst accesses as sequentially consistent");
}

static SEEN_WITH_ACCESSES: AtomicBool = AtomicBool::new(false);

fn both_read_zero(fences: bool) -> bool {
    let cells = StdArc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
    let order = if fences { Ordering::Relaxed } else { Ordering::SeqCst };
    let side = move |mine: &AtomicUsize, theirs: &AtomicUsize| {
        mine.store(1, order);
        if fences {
            fence(Ordering::SeqCst);
        }
        theirs.load(order)
    };
    let other = {
        let cells = StdArc::clone(&cells);
        thread::spawn(move || side(&cells.0, &cells.1))
    };
    let here = side(&cells.1, &cells.0);
    other.join().unwrap() == 0 && here == 0
}
