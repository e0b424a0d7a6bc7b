//! The ring with flags.

use crate::jobs::ring::{BLOCKED, CLOSED, NEEDS_RUNNER, Refused, Ring};
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

fn cell(number: usize) -> UnsafeCell<usize> {
    let cell = UnsafeCell::new(0);
    cell.with_mut(|cell| {
        // SAFETY: no other thread has the cell until it is pushed.
        unsafe { *cell = number }
    });
    cell
}

fn read(cell: UnsafeCell<usize>) -> usize {
    cell.with(|cell| {
        // SAFETY: the pop handed the cell over to this thread; loom reports the read if the write is not ordered
        // before it.
        unsafe { *cell }
    })
}

/// Proves: two producers hand over what they wrote, and nothing is lost or doubled. The thread that sets
/// `NEEDS_RUNNER` sees each push that came before; each push that comes after sees the flag. After `CLOSED` nothing
/// goes in.
/// 3 threads, 3 preemptions; 5,719 executions. A slot each; [`wrap`] and
/// [`queue::backpressure`](super::queue::backpressure) reuse one.
pub(super) fn hand_over() {
    let ring = Arc::new(Ring::new(2, 0).expect("memory"));
    let producers: Vec<_> = (1..=2)
        .map(|number| {
            let ring = Arc::clone(&ring);
            thread::spawn(move || match ring.push_value(cell(number), CLOSED) {
                Ok(flags) => (number, flags & NEEDS_RUNNER != 0),
                Err((Refused::Full, _)) => panic!("two values filled more than two slots"),
                Err((Refused::Closed, _)) => (0, false),
            })
        })
        .collect();
    let mut popped = 0;
    let mut seen = 0;
    while ring.flag_tail(NEEDS_RUNNER) {
        let (cell, _) = ring.pop_value().expect("the ring said that it held something");
        popped += read(cell);
        seen += 1;
    }
    ring.flag_tail(CLOSED);
    let mut pushed = 0;
    let mut kicked = 0;
    for producer in producers {
        let (number, kick) = producer.join().unwrap();
        pushed += number;
        kicked += usize::from(kick);
    }
    let mut left = 0;
    while let Some((cell, _)) = ring.pop_value() {
        popped += read(cell);
        left += 1;
    }
    assert_eq!(popped, pushed);
    assert!(
        left <= kicked,
        "{left} values came after the flag, {kicked} producers saw it ({seen} came before)"
    );
}

/// Proves: values go through one slot in order. Each is read after it was written, and written after the one before
/// was read. A producer that sets `BLOCKED` on a full ring is seen by the pop that makes room.
/// 2 threads, exhaustive; 19,193 executions. The gate is there to have the first pop done before the second push
/// begins, see [`queue::idle`](super::queue::idle).
pub(super) fn wrap() {
    let shared = Arc::new((Ring::new(1, 0).expect("memory"), AtomicUsize::new(0)));
    let (ring, gate) = &*shared;
    let consumer = {
        let shared = Arc::clone(&shared);
        thread::spawn(move || {
            let (ring, gate) = &*shared;
            let mut flags = 0;
            for expected in 1..=2 {
                let (cell, seen) = loop {
                    match ring.pop_value() {
                        Some(popped) => break popped,
                        None => thread::yield_now(),
                    }
                };
                assert_eq!(read(cell), expected);
                flags |= seen;
                gate.fetch_add(1, Ordering::Relaxed);
            }
            flags
        })
    };
    let mut blocked = false;
    for number in 1..=2 {
        gate.fetch_add(1, Ordering::Relaxed);
        let mut value = cell(number);
        while let Err((_, back)) = ring.push_value(value, CLOSED) {
            value = back;
            if !blocked {
                // A later pop sees the flag for certain only if the ring is still full.
                blocked = ring.flag_blocked(CLOSED);
            }
            thread::yield_now();
        }
    }
    let flags = consumer.join().unwrap();
    assert!(!blocked || flags & BLOCKED != 0, "a producer that waits was not seen");
}

/// Proves: a thread that counts from outside never gets less than zero or more than there are slots. A head that
/// moved brings the tail before it, and a tail that moved brings the head that made room for it.
/// 2 threads, exhaustive; 1,479 executions. The one that looks must come last: loom remembers one access of each
/// atomic, so a push's own first load would hide an earlier one of another thread.
pub(super) fn len() {
    let ring = Arc::new(Ring::new(1, 0).expect("memory"));
    let other = {
        let ring = Arc::clone(&ring);
        // The subtraction in `len` is checked for overflow.
        thread::spawn(move || assert!(ring.len() <= 1, "model: more values than slots"))
    };
    for number in 1..=2 {
        assert!(ring.push_value(number, 0).is_ok() && ring.pop_value().is_some());
    }
    other.join().unwrap();
}
