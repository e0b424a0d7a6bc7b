//! The deque (the stand-in, with crossbeam's orderings).

use crate::deque::{Deque, Steal};
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

/// Proves: of owner and thief, exactly one gets each item, the last included, and none is lost.
/// 2 threads, exhaustive.
pub(super) fn last_item() {
    let deque = Deque::new_lifo();
    let stealer = deque.stealer();
    deque.push(1);
    deque.push(2);
    let thief = thread::spawn(move || {
        let steal = || match stealer.steal() {
            Steal::Success(item) => item,
            Steal::Empty | Steal::Retry => 0,
        };
        steal() + steal()
    });
    let mut popped = 0;
    while let Some(item) = deque.pop() {
        popped += item;
    }
    let stolen = thief.join().unwrap();
    assert_eq!(popped + stolen, 3, "popped {popped}, stolen {stolen}");
}

/// Proves: a thief sees what the owner wrote before it pushed.
/// 2 threads, exhaustive.
pub(super) fn publish() {
    let deque = Deque::new_lifo();
    let stealer = deque.stealer();
    let data = Arc::new(UnsafeCell::new(0));
    let thief = thread::spawn(move || {
        if let Steal::Success(data) = stealer.steal() {
            let data: Arc<UnsafeCell<i32>> = data;
            let seen = data.with(|data| {
                // SAFETY: whoever pushed it wrote before; loom reports it if that is not ordered.
                unsafe { *data }
            });
            assert_eq!(seen, 1);
        }
    });
    data.with_mut(|data| {
        // SAFETY: nobody else has it yet.
        unsafe { *data = 1 }
    });
    deque.push(data);
    thief.join().unwrap();
}
