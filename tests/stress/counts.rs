//! Each job runs once, and each count is exact: deques that grow under thieves, many threads, trees of random shape.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use filch::{CountLatch, Pool, Queue};

use crate::Order;
use crate::common::{Ledger, Random};

/// Returns a job that marks its number.
fn mark(ledger: &Arc<Ledger>, job: usize) -> impl FnOnce() + Send + 'static {
    let ledger = Arc::clone(ledger);
    move || ledger.mark(job)
}

/// Each job runs once, on 1, 2, 4 and 32 workers. Half of the jobs come from jobs, a quarter from outside, a quarter
/// through a queue.
pub fn exactly_once(order: &Order) -> String {
    let mut random = Random::new(order.seed);
    let jobs = order.size / 4 * 4;
    let ledger = Ledger::new(jobs);
    for workers in [1, 2, 4, 32] {
        ledger.clear();
        let pool = Pool::builder().workers(workers).build().unwrap();
        let marks = Arc::clone(&ledger);
        let capacity = 1 + random.below(1_000);
        let queue: Queue<usize> = pool.queue().capacity(capacity).build(move |job| marks.mark(job)).unwrap();
        let fans = AtomicUsize::new(0);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut first = 0;
                while first < jobs / 2 {
                    // At times this is more than a deque holds without growing.
                    let last = (first + 1 + random.below(1_000)).min(jobs / 2);
                    let ledger = Arc::clone(&ledger);
                    let fan = move || (first..last).for_each(|job| filch::execute(mark(&ledger, job)).unwrap());
                    pool.execute(fan).unwrap();
                    fans.fetch_add(1, Ordering::Relaxed);
                    first = last;
                }
            });
            scope.spawn(|| (jobs / 2..jobs / 4 * 3).for_each(|job| pool.execute(mark(&ledger, job)).unwrap()));
            assert_eq!(queue.submit_all(jobs / 4 * 3..jobs).unwrap(), jobs / 4);
        });
        let report = pool.shutdown().unwrap();
        ledger.assert_once();
        assert_eq!((report.run as usize, report.panicked), (jobs + fans.into_inner(), 0));
        assert_eq!(report.workers.iter().map(|worker| worker.run).sum::<u64>(), report.run);
        drop(queue);
        assert_eq!(Arc::strong_count(&ledger), 1, "each job dropped what it captured");
    }
    String::new()
}

/// A worker fills its deque to a random height each time, while up to seven others empty it. The deque grows and
/// shrinks under the thieves, and its old buffers are freed while a thief may be reading them. Pools come and go, and
/// with them the threads that the collector of old buffers has to know.
pub fn growth(order: &Order) -> String {
    let mut random = Random::new(order.seed);
    let ledger = Ledger::new(order.size.min(200_000));
    let (mut left, mut waves, mut stolen) = (order.size, 0, 0);
    while left > 0 {
        let pool = Pool::builder().workers(2 + random.below(7)).build().unwrap();
        for _ in 0..20 {
            let highest = 200_000 >> random.below(10);
            let jobs = random.below(highest).min(left);
            left -= jobs;
            waves += 1;
            ledger.clear();
            let done = Arc::new(CountLatch::new(jobs));
            pool.install(|| {
                for job in 0..jobs {
                    let (ledger, done) = (Arc::clone(&ledger), Arc::clone(&done));
                    let run = move || {
                        ledger.mark(job);
                        done.count_down();
                    };
                    filch::execute(run).unwrap();
                }
            });
            done.wait();
            assert!((0..jobs).all(|job| ledger.marks(job) == 1), "{} of {jobs} ran", ledger.ran());
        }
        stolen += pool.stats().workers.iter().map(|worker| worker.stolen).sum::<u64>();
    }
    format!("{waves} waves, {stolen} stolen")
}

/// Does a tree of `nodes` nodes by forks, scopes, yields and waits. The random numbers decide its shape. Returns the
/// number of nodes that were done.
fn tree(nodes: usize, random: u64, deep: usize) -> usize {
    let mut dice = Random::new(random);
    let mut seed = || dice.below(usize::MAX) as u64;
    let (kind, first, second, third) = (seed() % 16, seed(), seed(), seed());
    if nodes <= 1 || deep > 400 {
        return nodes;
    }
    let rest = nodes - 1;
    let left = first as usize % (rest + 1);
    let right = rest - left;
    match kind {
        0..10 => {
            let (a, b) = filch::join(|| tree(left, second, deep + 1), || tree(right, third, deep + 1));
            1 + a + b
        }
        10 | 11 => {
            let sum = AtomicUsize::new(1);
            filch::scope(|scope| {
                let parts = 1 + third as usize % 5;
                for part in 0..parts {
                    let nodes = right / parts + usize::from(part < right % parts);
                    let sum = &sum;
                    scope.spawn(move |_| {
                        _ = sum.fetch_add(tree(nodes, third + part as u64, deep + 1), Ordering::Relaxed)
                    });
                }
                sum.fetch_add(tree(left, second, deep + 1), Ordering::Relaxed);
            });
            sum.into_inner()
        }
        12 => {
            filch::yield_now();
            1 + tree(left, second, deep + 1) + tree(right, third, deep + 1)
        }
        13 => {
            let handle = filch::spawn(move || tree(left, second, deep + 1));
            1 + tree(right, third, deep + 1) + handle.join().unwrap()
        }
        14 => {
            let done = Arc::new(CountLatch::new(1));
            let sum = Arc::new(AtomicUsize::new(0));
            let (counts, adds) = (Arc::clone(&done), Arc::clone(&sum));
            let half = move || {
                adds.fetch_add(tree(left, second, deep + 1), Ordering::Relaxed);
                counts.count_down();
            };
            filch::execute(half).unwrap();
            let other = tree(right, third, deep + 1);
            done.wait();
            1 + other + sum.load(Ordering::Relaxed)
        }
        _ => {
            let (a, b) = filch::join_context(
                |_| tree(left, second, deep + 1),
                |context| {
                    if context.migrated() {
                        filch::yield_local();
                    }
                    tree(right, third, deep + 1)
                },
            );
            1 + a + b
        }
    }
}

pub fn trees(order: &Order) -> String {
    let mut random = Random::new(order.seed);
    let (mut left, mut trees) = (order.size, 0);
    while left > 0 {
        let workers = 1 + random.below(8);
        let pool = Pool::builder().workers(workers).stack_size(64 << 20).build().unwrap();
        for _ in 0..10 {
            let nodes = (1 + random.below(100_000)).min(left);
            left -= nodes;
            trees += 1;
            let seed = random.below(usize::MAX) as u64;
            let (others, others_seed) = (nodes / 2, seed + 1);
            let counted = thread::scope(|scope| {
                // Another thread brings another root at the same time.
                let other = scope.spawn(|| pool.install(|| tree(others, others_seed, 0)));
                (pool.install(|| tree(nodes, seed, 0)), other.join().unwrap())
            });
            assert_eq!(counted, (nodes, others), "tree {seed} on {workers} workers");
        }
        assert_eq!(pool.shutdown().unwrap().panicked, 0);
    }
    format!("{trees} trees")
}

/// A counter latch starts three steps below its largest count. Four threads raise and lower it: the latch refuses
/// what would exceed the largest count, and the count comes out exact. (The other packed words have no public way to
/// start near their limits.)
pub fn near_the_limit(order: &Order) -> String {
    const BELOW: usize = 3;

    let latch = CountLatch::new(CountLatch::MAX - BELOW);
    let refused = AtomicUsize::new(0);
    std::panic::set_hook(Box::new(|_| ()));
    thread::scope(|scope| {
        for thread in 0..4 {
            let (latch, refused) = (&latch, &refused);
            let mut random = Random::new(order.seed + thread);
            scope.spawn(move || {
                for _ in 0..order.size / 4 {
                    let n = 1 + random.below(BELOW);
                    if catch_unwind(AssertUnwindSafe(|| latch.add(n))).is_ok() {
                        assert!(latch.count() > CountLatch::MAX - BELOW);
                        (0..n).for_each(|_| latch.count_down());
                    } else {
                        refused.fetch_add(1, Ordering::Relaxed);
                    }
                }
                // Each thread asks once for more than there is room for.
                assert!(catch_unwind(AssertUnwindSafe(|| latch.add(BELOW + 1))).is_err());
            });
        }
    });
    let _ = std::panic::take_hook();
    assert_eq!(latch.count(), CountLatch::MAX - BELOW);
    format!("{} refused", refused.into_inner())
}
