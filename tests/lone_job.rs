//! No wakeup is lost: one job put into a pool whose workers all sleep runs, 10^5 times over and with nothing
//! submitted in between that could mend it; and where jobs wait for each other, each gets a worker.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use common::{LIMIT, until, within};
use filch::{CountLatch, Pool};

const LONG: Duration = Duration::from_secs(240);

/// How often workers went to sleep.
fn parked(pool: &Pool) -> u64 {
    pool.stats().workers.iter().map(|worker| worker.parked).sum()
}

/// Puts `rounds` lone jobs into a pool with `put`, each only when the worker that ran the one before has
/// gone to sleep again.
fn lone(workers: usize, rounds: usize, put: impl Fn(&Pool, &Arc<AtomicUsize>)) {
    let pool = Pool::builder().workers(workers).build().unwrap();
    let ran = Arc::new(AtomicUsize::new(0));
    until(|| parked(&pool) >= workers as u64);
    for round in 1..=rounds {
        let before = parked(&pool);
        put(&pool, &ran);
        until(|| ran.load(Ordering::Acquire) == round);
        until(|| parked(&pool) > before);
    }
    assert_eq!(pool.shutdown().unwrap().run, rounds as u64);
}

fn job(ran: &Arc<AtomicUsize>) -> impl FnOnce() + Send + 'static {
    let ran = Arc::clone(ran);
    move || {
        ran.fetch_add(1, Ordering::Release);
    }
}

#[test]
fn executed_100_000_times() {
    within(LONG, || lone(2, 100_000, |pool, ran| pool.execute(job(ran)).unwrap()));
}

#[test]
fn executed_with_1_worker() {
    within(LONG, || lone(1, 10_000, |pool, ran| pool.execute(job(ran)).unwrap()));
}

#[test]
fn executed_with_8_workers() {
    within(LONG, || lone(8, 10_000, |pool, ran| pool.execute(job(ran)).unwrap()));
}

#[test]
fn spawned_and_joined() {
    within(LONG, || lone(2, 10_000, |pool, ran| pool.spawn(job(ran)).join().unwrap()));
}

#[test]
fn installed() {
    within(LONG, || lone(2, 10_000, |pool, ran| pool.install(job(ran))));
}

#[test]
fn put_into_a_queue() {
    within(LONG, || {
        for concurrency in [1, 2] {
            let pool = Pool::builder().workers(2).build().unwrap();
            let ran = Arc::new(AtomicUsize::new(0));
            let queue = {
                let ran = Arc::clone(&ran);
                let handler = move |_: usize| {
                    ran.fetch_add(1, Ordering::Release);
                };
                pool.queue().capacity(1).concurrency(concurrency).build(handler).unwrap()
            };
            until(|| parked(&pool) >= 2);
            for round in 1..=10_000 {
                let before = parked(&pool);
                queue.submit(round).unwrap();
                queue.wait();
                assert_eq!(ran.load(Ordering::Acquire), round);
                until(|| parked(&pool) > before);
            }
        }
    });
}

/// The job's worker puts a second one into its deque and waits, without helping, until it ran.
#[test]
fn left_in_the_deque_of_a_blocked_worker() {
    within(LONG, || {
        let pool = Pool::builder().workers(2).build().unwrap();
        for _ in 0..10_000 {
            let met = Arc::new(Barrier::new(2));
            pool.install(|| {
                let there = Arc::clone(&met);
                filch::execute(move || {
                    there.wait();
                })
                .unwrap();
                met.wait();
            });
        }
        let stats = pool.stats();
        assert!(stats.workers.iter().map(|worker| worker.stolen).sum::<u64>() >= 10_000);
    });
}

/// A job for each worker, each of which ends only when all have begun.
#[test]
fn as_many_as_workers_that_wait_for_each_other() {
    const WORKERS: usize = 8;

    within(LONG, || {
        let pool = Pool::builder().workers(WORKERS).build().unwrap();
        for round in 0..1_000 {
            let met = Arc::new(Barrier::new(WORKERS));
            let done = Arc::new(CountLatch::new(WORKERS));
            let job = || {
                let (met, done) = (Arc::clone(&met), Arc::clone(&done));
                move || {
                    met.wait();
                    done.count_down();
                }
            };
            if round % 2 == 0 {
                (0..WORKERS).for_each(|_| pool.execute(job()).unwrap());
            } else {
                pool.install(|| (0..WORKERS).for_each(|_| filch::execute(job()).unwrap()));
            }
            done.wait();
        }
        assert_eq!(pool.shutdown().unwrap().panicked, 0);
    });
}

/// One of two workers is out of the way for good: the other runs all that comes.
#[test]
fn beside_a_blocked_worker() {
    within(LIMIT, || {
        const JOBS: usize = 100_000;
        let pool = Pool::builder().workers(2).build().unwrap();
        let gate = Arc::new(Barrier::new(2));
        let held = Arc::clone(&gate);
        pool.execute(move || {
            held.wait();
        })
        .unwrap();
        let ran = Arc::new(AtomicUsize::new(0));
        let done = Arc::new(CountLatch::new(JOBS));
        for _ in 0..JOBS {
            let (ran, done) = (Arc::clone(&ran), Arc::clone(&done));
            let job = move || {
                ran.fetch_add(1, Ordering::Relaxed);
                done.count_down();
            };
            pool.execute(job).unwrap();
        }
        done.wait();
        assert_eq!(ran.load(Ordering::Relaxed), JOBS);
        gate.wait();
        assert_eq!(pool.shutdown().unwrap().run, JOBS as u64 + 1);
    });
}
