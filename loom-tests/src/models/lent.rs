//! The end of a pool whose only worker is a lent thread: no main loop notices the end.

use std::sync::Arc as StdArc;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use super::pool::holds_itself;
use super::staff::{self, Data};
use crate::{Pool, Yield, yield_now};

fn lent() -> Arc<Pool> {
    Arc::new(Pool::builder().workers(1).use_current_thread().build().expect("a pool"))
}

/// Proves: a job submitted while the lent thread shuts its pool down either ran on that thread or was handed back.
/// 2 threads, 3 preemptions; 6,707 executions.
pub(super) fn vs_shutdown() {
    let pool = lent();
    let runs = Arc::new(AtomicUsize::new(0));
    let submitter = staff::submitter(&pool, &runs);
    pool.shutdown().expect("a shutdown from outside");
    let ran = runs.load(Ordering::Relaxed);
    let accepted = submitter.join().unwrap();
    assert_eq!(ran, usize::from(accepted), "accepted: {accepted}");
}

/// Proves: a shutdown by another thread lasts until the lent thread has run the job that only this thread can run,
/// and then sees what the job wrote.
/// 2 threads, 3 preemptions; 689 executions.
pub(super) fn shut_down_by_another() {
    let pool = lent();
    let data = StdArc::new(Data::new());
    let job = {
        let data = StdArc::clone(&data);
        move || data.write()
    };
    pool.install(|| pool.execute(job)).expect("an open pool");
    let other = {
        let pool = Arc::clone(&pool);
        thread::spawn(move || {
            pool.shutdown().expect("a shutdown from outside");
            assert_eq!(data.read(), 1, "model: a pool ended before its job");
        })
    };
    while yield_now() == Some(Yield::Executed) {}
    other.join().unwrap();
}

/// Proves: a lent thread that closes its pool and is returned drops a handler that holds its own queue, although
/// another thread submits to that queue and may be the one that sees the pool's end.
/// 2 threads, 3 preemptions; 1,544 executions.
pub(super) fn lets_go() {
    let pool = Pool::builder().workers(1).use_current_thread().build().expect("a pool");
    let (queue, drops) = holds_itself(&pool);
    let submitter = thread::spawn(move || drop(queue.try_submit(1)));
    pool.detach();
    assert_eq!(drops.load(Ordering::Relaxed), 1, "model: a handler was kept");
    submitter.join().unwrap();
}
