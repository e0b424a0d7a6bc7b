//! A process that has one core, alone and beside a thread that never waits. A thread that offers its core must not
//! lose a slice of the system's scheduler each time.

#![cfg(target_os = "linux")]

mod common;

use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use common::{CHILD_LIMIT, cores, passes_in_child, within};
use filch::Pool;

/// Runs `body` on the only core. If there is a `neighbour`, a thread that never waits keeps this core busy.
fn on_one_core(neighbour: bool, body: impl FnOnce() + Send + 'static) {
    cores::bind_process(&cores::cores()[..1]);
    within(CHILD_LIMIT, move || {
        let over = Arc::new(AtomicBool::new(false));
        let busy = Arc::clone(&over);
        let work = move || {
            while neighbour && !busy.load(Ordering::Relaxed) {
                spin_loop();
            }
        };
        let neighbour = thread::spawn(work);
        body();
        over.store(true, Ordering::Relaxed);
        neighbour.join().unwrap();
    });
}

/// Sends jobs through queues of all sizes, from outside and from a job.
fn queues(jobs: usize) {
    for workers in [1, 2, 4] {
        let pool = Pool::builder().workers(workers).build().unwrap();
        for capacity in [1, 10, 1024] {
            let ran = Arc::new(AtomicUsize::new(0));
            let count = Arc::clone(&ran);
            let queue = pool
                .queue()
                .capacity(capacity)
                .build(move |n: usize| {
                    count.fetch_add(n, Ordering::Relaxed);
                })
                .unwrap();
            queue.submit_all((0..jobs).map(|_| 1)).unwrap();
            let inside = queue.clone();
            pool.install(move || inside.submit_all((0..jobs).map(|_| 1)).unwrap());
            queue.wait();
            assert_eq!(ran.load(Ordering::Relaxed), 2 * jobs);
        }
    }
}

fn answers(trips: usize) {
    for workers in [1, 2] {
        let pool = Pool::builder().workers(workers).build().unwrap();
        for n in 0..trips {
            assert_eq!(pool.install(|| n), n);
            assert_eq!(pool.install(|| filch::join(|| n, || n + 1)), (n, n + 1));
        }
    }
}

#[test]
fn queues_alone() {
    passes_in_child("queues_alone", "", || on_one_core(false, || queues(5_000)));
}

#[test]
fn queues_beside_a_thread_that_never_waits() {
    passes_in_child("queues_beside_a_thread_that_never_waits", "", || on_one_core(true, || queues(2_000)));
}

#[test]
fn answers_alone() {
    passes_in_child("answers_alone", "", || on_one_core(false, || answers(2_000)));
}

#[test]
fn answers_beside_a_thread_that_never_waits() {
    passes_in_child("answers_beside_a_thread_that_never_waits", "", || on_one_core(true, || answers(300)));
}
