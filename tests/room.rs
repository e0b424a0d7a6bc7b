//! A producer that waits for room is not woken for each place that becomes free. The tests count the switches of its
//! thread, which only Linux tells.

#![cfg(target_os = "linux")]

mod common;

use std::hint::spin_loop;
use std::thread;
use std::time::{Duration, Instant};

use common::within;
use filch::Pool;

const JOBS: usize = 3000;

/// The number of times that the calling thread has given up its core to wait.
fn waits() -> i64 {
    // SAFETY: all fields are numbers, for which zero is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the place is valid for a write.
    assert_eq!(unsafe { libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage) }, 0);
    usage.ru_nvcsw
}

/// Some tens of microseconds.
fn work() {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_micros(20) {
        spin_loop();
    }
}

/// Puts jobs into a queue of ten, and returns how often the producers waited meanwhile. The calling thread is one of
/// them.
fn produce(pool: &Pool, producers: usize) -> i64 {
    let queue = pool.queue().capacity(10).build(|_: usize| work()).unwrap();
    let share = || {
        let before = waits();
        (0..JOBS / producers).for_each(|job| queue.submit(job).unwrap());
        waits() - before
    };
    let waited = thread::scope(|s| {
        let others: Vec<_> = (1..producers).map(|_| s.spawn(share)).collect();
        share() + others.into_iter().map(|other| other.join().unwrap()).sum::<i64>()
    });
    queue.close();
    waited
}

fn check(waited: i64, workers: usize) {
    assert!(waited < JOBS as i64 / 2, "{workers} workers: {waited} waits for {JOBS} jobs");
}

#[test]
fn outside_producers_wait_for_much_room() {
    for workers in [1, 2, 3] {
        let waited = within(Duration::from_secs(60), move || {
            let pool = Pool::builder().workers(workers).build().unwrap();
            produce(&pool, 4)
        });
        check(waited, workers);
    }
}

#[test]
fn a_job_that_produces_waits_for_much_room() {
    for workers in [1, 2, 3] {
        let waited = within(Duration::from_secs(60), move || {
            let pool = Pool::builder().workers(workers).build().unwrap();
            pool.install(|| produce(&pool, 1))
        });
        check(waited, workers);
    }
}
