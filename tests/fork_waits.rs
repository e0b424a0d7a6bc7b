//! A wait or a yield inside the first side of a join may run the second side. The second side still runs only once,
//! and the worker does not take what is pushed later for it.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{Gate, LIMIT, within};
use filch::{CountLatch, Pool};

fn pool(workers: usize) -> Pool {
    Pool::builder().workers(workers).build().unwrap()
}

/// Joins with `first` on two levels. Checks that each second side runs once, and also the job that is spawned after
/// `first`.
fn once(pool: &Pool, first: impl Fn() + Sync) {
    let seconds = AtomicUsize::new(0);
    let spawned = Arc::new(AtomicUsize::new(0));
    let rounds = 200;
    for _ in 0..rounds {
        pool.install(|| {
            let first = || {
                first();
                let spawned = Arc::clone(&spawned);
                filch::execute(move || _ = spawned.fetch_add(1, Ordering::Relaxed)).unwrap();
            };
            let second = || _ = seconds.fetch_add(1, Ordering::Relaxed);
            filch::join(|| filch::join(first, second), second);
        });
    }
    assert_eq!(seconds.into_inner(), 2 * rounds);
    pool.shutdown().unwrap();
    assert_eq!(spawned.load(Ordering::Relaxed), rounds);
}

#[test]
fn yields() {
    within(LIMIT, || {
        for workers in 1..4 {
            once(&pool(workers), || _ = filch::yield_now());
            once(&pool(workers), || _ = filch::yield_local());
            once(&pool(workers), || while filch::yield_now() == Some(filch::Yield::Executed) {});
        }
    });
}

#[test]
fn an_install_on_another_pool() {
    within(LIMIT, || {
        for workers in 1..4 {
            let other = pool(1);
            once(&pool(workers), || other.install(|| ()));
        }
    });
}

#[test]
fn a_latch_and_a_handle() {
    within(LIMIT, || {
        for workers in 1..4 {
            let latch = || {
                let latch = Arc::new(CountLatch::new(1));
                let opener = Arc::clone(&latch);
                filch::execute(move || opener.count_down()).unwrap();
                latch.wait();
            };
            once(&pool(workers), latch);
            once(&pool(workers), || filch::spawn(|| ()).join().unwrap());
        }
    });
}

#[test]
fn a_scope_that_waits_for_jobs_of_others() {
    within(LIMIT, || {
        for workers in 1..4 {
            once(&pool(workers), || {
                filch::scope(|s| s.spawn_broadcast(|_, _| ()));
                filch::broadcast(|_| ());
            });
        }
    });
}

#[test]
fn a_queue_that_is_full() {
    within(LIMIT, || {
        let pool = pool(2);
        let jobs = pool.queue().capacity(1).build(|_: u32| ()).unwrap();
        once(&pool, || (0..4).for_each(|n| jobs.submit(n).unwrap()));
    });
}

/// A worker that waits for room in a queue runs a job. This job may be the second side, which in turn makes the room.
#[test]
fn a_queue_that_only_the_second_side_frees() {
    within(LIMIT, || {
        for _ in 0..50 {
            let pool = pool(2);
            let gate = Gate::default();
            let held = gate.clone();
            let jobs = pool.queue().capacity(1).concurrency(1).build(move |_: u32| held.wait()).unwrap();
            // One job blocks a worker, and the other one fills the queue.
            (0..2).for_each(|n| jobs.submit(n).unwrap());
            let spawned = Arc::new(AtomicUsize::new(0));
            let count = Arc::clone(&spawned);
            let seconds = AtomicUsize::new(0);
            pool.install(|| {
                let first = || {
                    jobs.submit(2).unwrap();
                    filch::execute(move || _ = count.fetch_add(1, Ordering::Relaxed)).unwrap();
                };
                let second = || {
                    gate.open();
                    seconds.fetch_add(1, Ordering::Relaxed);
                };
                filch::join(first, second);
            });
            pool.shutdown().unwrap();
            assert_eq!((seconds.into_inner(), spawned.load(Ordering::Relaxed)), (1, 1));
        }
    });
}
