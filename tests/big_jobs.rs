//! Jobs that are large values go through a queue on a stack of 8 MiB: few copies of a job lie on a stack at once.

mod common;

use std::thread;
use std::time::Duration;

use common::passes_in_child;
use filch::{Pool, Queue, SubmitError};

const STACK: usize = 8 << 20;
const SIZE: usize = if cfg!(debug_assertions) { 384 << 10 } else { 2560 << 10 };

struct Big<const N: usize = SIZE>([u8; N]);

#[inline(never)]
fn big<const N: usize>() -> Big<N> {
    Big([1; N])
}

/// Calls `submit` on a thread with a stack of `STACK` bytes. This happens in a child process, because a stack
/// overflow ends the process.
fn check<const N: usize>(test: &str, submit: fn(&Queue<Big<N>>)) {
    passes_in_child(test, "", || {
        let body = move || {
            let pool = Pool::builder().workers(1).stack_size(STACK).build().unwrap();
            let handler = |big: Big<N>| assert_eq!(std::hint::black_box(&big).0[N - 1], 1);
            let queue = pool.queue().capacity(2).build(handler).unwrap();
            submit(&queue);
            queue.wait();
            assert!(queue.counts().done >= 2);
        };
        thread::Builder::new().stack_size(STACK).spawn(body).unwrap().join().unwrap();
    });
}

#[test]
fn submit() {
    check::<SIZE>("submit", |queue| {
        for _ in 0..5 {
            assert!(queue.submit(big()).is_ok());
        }
    });
}

#[test]
fn submit_timeout() {
    check::<SIZE>("submit_timeout", |queue| {
        for _ in 0..5 {
            assert!(queue.submit_timeout(big(), Duration::MAX).is_ok());
        }
    });
}

#[test]
fn submit_all() {
    check::<SIZE>("submit_all", |queue| assert!(queue.submit_all((0..5).map(|_| big())).is_ok()));
}

#[test]
fn try_submit() {
    check::<SIZE>("try_submit", |queue| {
        for _ in 0..2 {
            queue.wait();
            assert!(queue.try_submit(big()).is_ok());
        }
    });
}

#[test]
fn submit_with_handle() {
    check::<SIZE>("submit_with_handle", |queue| {
        for _ in 0..2 {
            match queue.submit_with_handle(big()) {
                Ok(handle) => handle.join().unwrap(),
                Err(_) => panic!("an open queue"),
            }
        }
    });
}

/// A refused job comes back to the caller, so the caller's stack holds one more copy. The job is therefore half as
/// large.
#[test]
fn refused() {
    check::<{ SIZE / 2 }>("refused", |queue| {
        submit_two(queue);
        queue.close();
        assert!(matches!(queue.submit(big()), Err(SubmitError::Closed(_))));
    });
}

#[inline(never)]
fn submit_two<const N: usize>(queue: &Queue<Big<N>>) {
    queue.submit_all((0..2).map(|_| big())).unwrap_or_else(|_| panic!("an open queue"));
}
