//! A program that uses filch, written so that loom can check it: its own atomics and cells are loom's.

#![cfg(loom)]

use std::sync::Arc;

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicBool, Ordering};

/// A message from one job to another.
struct Letter {
    text: UnsafeCell<u32>,
    sent: AtomicBool,
}

// SAFETY: the text is written before `sent` is set, and read after.
unsafe impl Sync for Letter {}

impl Letter {
    fn write(&self, publish: Ordering) {
        self.text.with_mut(|text| {
            // SAFETY: nobody reads before it is sent.
            unsafe { *text = 7 }
        });
        self.sent.store(true, publish);
    }

    fn read(&self) -> Option<u32> {
        self.sent.load(Ordering::Acquire).then(|| {
            self.text.with(|text| {
                // SAFETY: it was sent.
                unsafe { *text }
            })
        })
    }
}

/// One job writes the letter, another reads it if it has come. Correct if `publish` is Release; if it is Relaxed
/// the two jobs race.
pub fn write_and_read(pool: &filch::Pool, publish: Ordering) -> Option<u32> {
    let letter = Letter { text: UnsafeCell::new(0), sent: AtomicBool::new(false) };
    pool.join(|| letter.write(publish), || letter.read()).1
}

/// Jobs of each kind, counted: `execute`, `spawn`, `scope`, a queue and a latch.
pub fn all_kinds(pool: &filch::Pool) -> usize {
    let latch = Arc::new(filch::CountLatch::new(1));
    let done = Arc::clone(&latch);
    pool.execute(move || done.count_down()).expect("an open pool");
    latch.wait();
    let spawned = pool.spawn(|| 1).join().expect("a result");
    let mut scoped = 0;
    pool.scope(|scope| scope.spawn(|_| scoped = 1));
    let queue = pool.queue().capacity(1).build(|_: u8| ()).expect("a queue");
    queue.submit(1).expect("an open queue");
    queue.wait();
    1 + spawned + scoped + 1
}
