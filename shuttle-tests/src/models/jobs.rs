//! Jobs, forks and scopes.

use std::panic::{AssertUnwindSafe, catch_unwind};

use filch::{CountLatch, Pool};
use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::sync::{Arc, Barrier};
use shuttle::thread;

use super::{below, idle, pool};

/// A pool that is at rest, or about to be, gets one job and nothing after it: some worker runs it.
pub(super) fn lone_job() {
    let pool = pool();
    for round in 0..3 {
        idle();
        assert_eq!(pool.spawn(move || round).join().expect("a result"), round);
    }
    assert_eq!(pool.shutdown().expect("a shutdown from outside").run, 3);
}

/// Two threads submit as many jobs as there are workers, and short jobs among them. Each of the long jobs ends only
/// when all of them run. No job waits behind one that blocks while a worker sleeps.
pub(super) fn barrier() {
    let pool = Arc::new(pool());
    let workers = pool.workers();
    let meet = Arc::new(Barrier::new(workers + 1));
    idle();
    let submit = |jobs: usize| {
        let (pool, meet) = (Arc::clone(&pool), Arc::clone(&meet));
        thread::spawn(move || {
            for _ in 0..jobs {
                pool.execute(|| ()).expect("an open pool");
                let meet = Arc::clone(&meet);
                let job = move || {
                    meet.wait();
                };
                pool.execute(job).expect("an open pool");
            }
        })
    };
    let threads = [submit(workers / 2), submit(workers - workers / 2)];
    meet.wait();
    threads.into_iter().for_each(|thread| thread.join().expect("a submitter"));
    assert_eq!(pool.shutdown().expect("a shutdown from outside").run, 2 * workers as u64);
}

/// The leaves of a tree of joins. Each must run once.
struct Leaves(Vec<AtomicUsize>);

impl Leaves {
    fn new(count: usize) -> Leaves {
        Leaves((0..count).map(|_| AtomicUsize::new(0)).collect())
    }

    fn run(&self, leaf: usize) {
        assert_eq!(self.0[leaf].fetch_add(1, Ordering::Relaxed), 0, "leaf {leaf} ran twice");
    }

    fn runs(&self) -> usize {
        self.0.iter().map(|leaf| leaf.load(Ordering::Relaxed)).sum()
    }
}

fn tree(leaves: &Leaves, from: usize, count: usize) -> usize {
    if count == 1 {
        leaves.run(from);
        return from;
    }
    let half = count / 2;
    let (left, right) = filch::join(|| tree(leaves, from, half), || tree(leaves, from + half, count - half));
    left + right
}

/// Two threads run a tree of forks each, at the same time. Each leaf runs once, and each caller gets the sum.
pub(super) fn stealing() {
    const LEAVES: usize = 16;
    let pool = Arc::new(pool());
    let grow = |pool: &Pool| {
        let leaves = Leaves::new(LEAVES);
        assert_eq!(pool.install(|| tree(&leaves, 0, LEAVES)), LEAVES * (LEAVES - 1) / 2);
        assert_eq!(leaves.runs(), LEAVES);
    };
    let other = {
        let pool = Arc::clone(&pool);
        thread::spawn(move || grow(&pool))
    };
    grow(&pool);
    other.join().expect("the other tree");
    pool.shutdown().expect("a shutdown from outside");
}

/// Jobs wait for the handles of jobs that they spawned, and for a latch that other jobs count down.
pub(super) fn handles() {
    let pool = Arc::new(pool());
    let latch = Arc::new(CountLatch::new(4));
    let parents: Vec<_> = (0..4)
        .map(|parent| {
            let (inner, latch) = (Arc::clone(&pool), Arc::clone(&latch));
            pool.spawn(move || {
                let children = [0, 1].map(|child| inner.spawn(move || parent * 2 + child));
                let counted = Arc::clone(&latch);
                inner.execute(move || counted.count_down()).expect("a job's own pool takes it");
                latch.wait();
                children.map(|child| child.join().expect("a result")).iter().sum::<usize>()
            })
        })
        .collect();
    let sum: usize = parents.into_iter().map(|parent| parent.join().expect("a result")).sum();
    assert_eq!(sum, (0..8).sum());
    // The jobs' own references to the pool may outlive their results.
    pool.shutdown().expect("a shutdown from outside");
}

/// Scopes in scopes: all jobs write where their caller reads, and in some executions one job panics. The panic comes
/// out of the outer scope when all other jobs have ended, and the pool goes on.
pub(super) fn scope() {
    const OUTER: usize = 4;
    const INNER: usize = 3;
    let pool = pool();
    let bad = below(2 * OUTER * INNER);
    let leaves = Leaves::new(OUTER * INNER);
    let (leaves_ref, pool_ref) = (&leaves, &pool);
    let result = catch_unwind(AssertUnwindSafe(|| {
        pool.scope(|scope| {
            for outer in 0..OUTER {
                scope.spawn(move |scope| {
                    pool_ref.scope(|inner| {
                        inner.spawn(move |_| leaves_ref.run(outer * INNER));
                        inner.spawn(move |_| leaves_ref.run(outer * INNER + 1));
                    });
                    assert!(
                        leaves_ref.0[outer * INNER].load(Ordering::Relaxed) == 1,
                        "an inner scope ended early"
                    );
                    scope.spawn(move |_| {
                        leaves_ref.run(outer * INNER + 2);
                        if bad == outer {
                            std::panic::panic_any("on purpose");
                        }
                    });
                });
            }
        });
    }));
    assert_eq!(leaves.runs(), OUTER * INNER);
    match result {
        Ok(()) => assert!(bad >= OUTER, "a panic was lost"),
        Err(payload) => assert_eq!(payload.downcast_ref(), Some(&"on purpose")),
    }
    assert_eq!(pool.spawn(|| 1).join().expect("the pool goes on"), 1);
    pool.shutdown().expect("a shutdown from outside");
}

/// Rows of jobs of two scopes, one in the other, on the same workers, and a job of none between them. The workers keep
/// the ends of a row's jobs back. Each scope ends, and only after its jobs.
pub(super) fn row() {
    const JOBS: usize = 6;
    let pool = pool();
    let (outer, inner) = (Leaves::new(JOBS), Leaves::new(JOBS));
    let (outer_ref, inner_ref, pool_ref) = (&outer, &inner, &pool);
    pool.in_place_scope(|scope| {
        scope.spawn(move |scope| {
            for leaf in 0..JOBS - 1 {
                scope.spawn(move |_| outer_ref.run(leaf));
            }
            pool_ref.execute(|| ()).expect("an open pool");
            pool_ref.scope(|scope| {
                scope.spawn(move |scope| {
                    (1..JOBS).for_each(|leaf| scope.spawn(move |_| inner_ref.run(leaf)));
                    inner_ref.run(0);
                });
            });
            assert_eq!(inner_ref.runs(), JOBS);
            outer_ref.run(JOBS - 1);
        });
    });
    assert_eq!(outer.runs(), JOBS);
    pool.shutdown().expect("a shutdown from outside");
}

fn count(counter: &AtomicUsize) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Jobs are submitted while the pool shuts down. Each has run when the shutdown returns, or is handed back and never
/// runs. The same holds for the jobs that these jobs submit. The report counts all that ran.
pub(super) fn shutdown() {
    const THREADS: usize = 3;
    const JOBS: usize = 3;
    let pool = Arc::new(pool());
    let ran = Arc::new(AtomicUsize::new(0));
    let submitters: Vec<_> = (0..THREADS)
        .map(|_| {
            let (pool, ran) = (Arc::clone(&pool), Arc::clone(&ran));
            thread::spawn(move || {
                let job = || {
                    let (inner, ran) = (Arc::clone(&pool), Arc::clone(&ran));
                    move || {
                        let again = Arc::clone(&ran);
                        let job = move || count(&again);
                        inner.execute(job).expect("a worker's jobs are taken until the end");
                        count(&ran);
                    }
                };
                let execute = |_: &usize| {
                    // Without this, everything is submitted before the workers notice the end.
                    idle();
                    pool.execute(job()).is_ok()
                };
                let executed = (0..JOBS).filter(execute).count();
                // The handle of a job reports the same.
                let last = Arc::clone(&ran);
                let spawned = match pool.spawn(move || count(&last)).join() {
                    Ok(()) => 1,
                    Err(error) => {
                        assert!(error.is_closed(), "{error}");
                        0
                    }
                };
                2 * executed + spawned
            })
        })
        .collect();
    idle();
    let report = pool.shutdown().expect("a shutdown from outside");
    let at_the_end = ran.load(Ordering::Relaxed);
    let accepted: usize = submitters.into_iter().map(|thread| thread.join().expect("a submitter")).sum();
    assert_eq!(at_the_end, accepted, "accepted and not run, or run and not accepted");
    assert_eq!(ran.load(Ordering::Relaxed), at_the_end, "a job ran after the shutdown");
    assert_eq!(report.run, at_the_end as u64);
    assert_eq!(report, pool.shutdown().expect("a second shutdown"));
}
