//! No wakeup is lost. One job, put into a pool whose workers all sleep, runs, 10^4 times over; nothing is submitted
//! in between that could mend a loss. Where jobs wait for each other, each gets a worker (`stress` runs this at
//! length).

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use common::{until, within};
use filch::Pool;

const LONG: Duration = Duration::from_secs(240);

/// Returns how often workers went to sleep.
fn parked(pool: &Pool) -> u64 {
    pool.stats().workers.iter().map(|worker| worker.parked).sum()
}

/// Puts `rounds` lone jobs into a pool with `put`. Each comes only when the worker that ran the job before has gone
/// to sleep again.
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
fn executed_with_2_workers() {
    within(LONG, || lone(2, 10_000, |pool, ran| pool.execute(job(ran)).unwrap()));
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

/// The job's worker puts a second job into its deque and waits, without helping, until that job ran. The sleeping
/// worker must wake and steal it.
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
