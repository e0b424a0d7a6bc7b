//! The pool as a whole.

use super::staff::Data;
use crate::Pool;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

/// Proves: a job submitted while the pool shuts down either has run when the shutdown returns, or was handed
/// back and never runs. Also that a pool of one worker starts, drains, ends and is joined.
/// 3 threads, 2 preemptions.
pub(super) fn submit_vs_shutdown() {
    let pool = Arc::new(Pool::builder().workers(1).build().expect("a pool"));
    let runs = Arc::new(AtomicUsize::new(0));
    let submitter = {
        let (pool, runs) = (Arc::clone(&pool), Arc::clone(&runs));
        thread::spawn(move || {
            let job = move || {
                runs.fetch_add(1, Ordering::Relaxed);
            };
            pool.execute(job).is_ok()
        })
    };
    let report = pool.shutdown().expect("a shutdown from outside");
    let ran = runs.load(Ordering::Relaxed);
    assert_eq!(report.run, ran as u64);
    let accepted = submitter.join().unwrap();
    assert_eq!(ran, usize::from(accepted), "accepted: {accepted}");
    assert_eq!(runs.load(Ordering::Relaxed), ran, "a job ran after the shutdown");
}

/// Proves, through the public API on a pool of two workers: both sides of a `join` run, and its caller sees what
/// they wrote.
/// 3 threads, 1 preemption, from the call to its return.
pub(super) fn join() {
    let pool = Pool::builder().workers(2).build().expect("a pool");
    let cells = [Data::new(), Data::new()];
    loom::explore();
    pool.join(|| cells[0].write(), || cells[1].write());
    assert_eq!(cells.each_ref().map(Data::read), [1, 1]);
    loom::stop_exploring();
    pool.shutdown().expect("a shutdown from outside");
}

/// As [`join`], for a `scope` whose job spawns another.
/// 3 threads, 1 preemption, from the call to its return.
pub(super) fn scope() {
    let pool = Pool::builder().workers(2).build().expect("a pool");
    let cells = [Data::new(), Data::new()];
    let cells = &cells;
    loom::explore();
    pool.scope(|scope| {
        scope.spawn(move |scope| {
            scope.spawn(move |_| cells[1].write());
            cells[0].write();
        });
    });
    assert_eq!(cells.each_ref().map(Data::read), [1, 1]);
    loom::stop_exploring();
    pool.shutdown().expect("a shutdown from outside");
}
