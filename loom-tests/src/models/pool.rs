//! The pool as a whole.

use std::sync::atomic::AtomicUsize as StdAtomicUsize;
use std::sync::{Arc as StdArc, OnceLock};

use super::staff::{self, Data};
use crate::jobs::job::Job;
use crate::scheduler::worker::with_current;
use crate::{BuildError, Pool, Queue};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

/// Proves: a job submitted while the pool shuts down either has run when the shutdown returns, or was handed back and
/// never runs. Also that a pool of one worker starts, drains, ends and is joined.
/// 3 threads, 2 preemptions; 1,639 executions.
pub(super) fn submit_vs_shutdown() {
    let pool = Arc::new(staff::pool(1));
    let runs = Arc::new(AtomicUsize::new(0));
    let submitter = staff::submitter(&pool, &runs);
    let report = pool.shutdown().expect("a shutdown from outside");
    let ran = runs.load(Ordering::Relaxed);
    assert_eq!(report.run, ran as u64);
    let accepted = submitter.join().unwrap();
    assert_eq!(ran, usize::from(accepted), "accepted: {accepted}");
    assert_eq!(runs.load(Ordering::Relaxed), ran, "a job ran after the shutdown");
}

/// Proves, through the public API on a pool of two workers: both sides of a `join` run, and the caller sees what they
/// wrote.
/// 3 threads, 2 preemptions; 38,219 executions, from the call to its return.
pub(super) fn join() {
    let pool = staff::pool(2);
    let cells = [Data::new(), Data::new()];
    loom::explore();
    pool.join(|| cells[0].write(), || cells[1].write());
    assert_eq!(cells.each_ref().map(Data::read), [1, 1]);
    loom::stop_exploring();
    pool.shutdown().expect("a shutdown from outside");
}

/// As [`join`], for a `scope` whose job spawns another.
/// 3 threads, 2 preemptions; 20,871 executions, from the call to its return.
pub(super) fn scope() {
    let pool = staff::pool(2);
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

/// Proves: each of two workers runs a broadcast once, whatever the worker does when the broadcast comes. The caller
/// sees what both wrote.
/// 3 threads, 2 preemptions; 28,670 executions, from the call to its return.
pub(super) fn broadcast() {
    let pool = staff::pool(2);
    let cells = [Data::new(), Data::new()];
    loom::explore();
    pool.broadcast(|index| cells[index].write());
    assert_eq!(cells.each_ref().map(Data::read), [1, 1]);
    loom::stop_exploring();
    pool.shutdown().expect("a shutdown from outside");
}

/// Proves: a thread that waits for a job is not deceived by a token that the end of an earlier wait may have left.
/// 2 threads, 2 preemptions; 3,808 executions, from the first call to the end of the second.
pub(super) fn stale_token() {
    let pool = staff::pool(1);
    let data = Data::new();
    loom::explore();
    pool.spawn(|| ()).join().expect("no panic");
    pool.install(|| data.write());
    assert_eq!(data.read(), 1);
    loom::stop_exploring();
    pool.shutdown().expect("a shutdown from outside");
}

/// Proves: a pool whose last handle may be dropped by one of its own jobs ends, and no thread waits for itself.
/// 2 threads, 2 preemptions; 654 executions.
pub(super) fn dropped_inside() {
    let pool = Arc::new(staff::pool(1));
    let own = Arc::clone(&pool);
    pool.execute(move || drop(own)).expect("an open pool");
    drop(pool);
}

/// Builds a queue whose handler holds a handle of the queue. Returns it with the number of handlers dropped so far.
pub(super) fn holds_itself(pool: &Pool) -> (Queue<usize>, StdArc<StdAtomicUsize>) {
    struct Dropped(StdArc<StdAtomicUsize>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let drops = StdArc::new(StdAtomicUsize::new(0));
    let own = StdArc::new(OnceLock::<Queue<usize>>::new());
    let (held, token) = (StdArc::clone(&own), Dropped(StdArc::clone(&drops)));
    let handler = move |_| {
        let _both = (&held, &token);
    };
    let queue = pool.queue().capacity(2).concurrency(1).build(handler).expect("a queue");
    (own.get_or_init(|| queue).clone(), drops)
}

/// Proves: of two workers that leave, the last one drops a handler that holds its own queue, before the shutdown
/// returns.
/// 3 threads, 2 preemptions; 1,150 executions, from the shutdown's call to its return.
pub(super) fn lets_go() {
    let pool = staff::pool(2);
    let (queue, drops) = holds_itself(&pool);
    queue.submit(1).expect("an open queue");
    queue.wait();
    loom::explore();
    pool.shutdown().expect("a shutdown from outside");
    assert_eq!(drops.load(Ordering::Relaxed), 1, "model: a handler was kept");
    loom::stop_exploring();
    assert!(queue.submit(1).is_err());
}

/// Proves: if the second of two threads cannot be started, the build reports it, and the first one ends.
/// 2 threads, 2 preemptions; 129 executions.
pub(super) fn start_fails() {
    let mut started = None;
    let built = Pool::builder().workers(2).build_with(|worker| {
        if worker.index() == 1 {
            return Err(std::io::Error::other("no thread"));
        }
        started = Some(thread::spawn(move || worker.run()));
        Ok(())
    });
    assert!(matches!(built, Err(BuildError::Spawn { worker: 1, .. })));
    started.expect("the first thread").join().unwrap();
}

/// Proves: a late token gets a worker up that takes the last job, while another worker is about to find the pool at
/// rest. That other worker does not end the pool: what the job submits runs, too.
/// 2 threads (the one that gets up, the one that decides), 3 preemptions; 1,811 executions, up to the decision. The
/// decider comes last, see [`ring::len`](super::ring::len).
pub(super) fn end_vs_get_up() {
    let [decider, other] = staff::starts();
    let registry = Arc::clone(&decider.registry);
    let runs = Arc::new(AtomicUsize::new(0));
    let count = || {
        let runs = Arc::clone(&runs);
        move || {
            runs.fetch_add(1, Ordering::Relaxed);
        }
    };
    let sleep = &registry.sleep;
    // One worker sleeps and the other searches, so that nobody is woken for the job.
    let _ = sleep.fall_asleep(1, false, false);
    assert!(sleep.start_search());
    let (job, more) = (count(), count());
    registry.enter().expect("an open pool").inject(Job::new(move || {
        job();
        with_current(|worker| worker.expect("a worker").push(Job::new(more)));
    }));
    registry.close();
    loom::explore();
    let decider = {
        let registry = Arc::clone(&registry);
        thread::spawn(move || {
            registry.end_if(registry.sleep.fall_asleep(0, true, false));
            loom::stop_exploring();
            let _ = registry.sleep.get_up(0, false);
            registry.sleep.end_search(|_| registry.has_work());
            staff::main_loop(decider);
        })
    };
    let _ = sleep.get_up(1, false);
    sleep.end_search(|_| false);
    staff::main_loop(other);
    decider.join().unwrap();
    assert_eq!(runs.load(Ordering::Relaxed), 2, "model: a pool ended before its jobs");
}
