//! Spares: the races between the call of a spare, the spare's thread, the thread that wakes it, and the end of the
//! wait.

use loom::sync::Arc;
use loom::thread;

use super::staff::{self, Data};
use crate::CountLatch;
use crate::Pool;
use crate::jobs::job::Job;
use crate::scheduler::registry::{Registry, Shared};
use crate::scheduler::worker::with_current;
use crate::waiting::latch::Latch;

/// Ends the pool of a registry whose workers have no main loop, and checks that each worker was counted once.
fn end(registry: &Shared) {
    registry.sleep.end();
    registry.spares.join(None).expect("no limit of time");
    let end = registry.sleep.snapshot();
    assert_eq!((end.searching(), end.asleep(), end.waiting(), end.entered()), (0, 0, 0, 0), "model: {end:?}");
}

/// Proves: a wait may end at once, while the thread of its spare comes up. The wait then takes the spare back or
/// relieves it, and each thread that counts as asleep or as searching is counted once.
/// 2 threads, 5 preemptions; 46,312 executions.
pub(super) fn relieved() {
    let [start] = staff::starts_beside::<1>(1);
    let registry = Arc::clone(&start.registry);
    staff::work(start, |_| {
        let standin =
            Registry::call_spare(&registry, 0, 0, false, false, None, false).standin().expect("a spare");
        registry.relieve(standin);
    });
    end(&registry);
}

/// Proves: a wait that begins while the spare of the wait before is on its way to rest takes that spare back, or calls
/// one that rests, or none. Each thread that counts as asleep or as searching is counted once, and the spare rests in
/// the end.
/// 2 threads, 4 preemptions; 122,993 executions.
pub(super) fn recalled() {
    let [start] = staff::starts_beside::<1>(1);
    let registry = Arc::clone(&start.registry);
    staff::work(start, |_| {
        let first =
            Registry::call_spare(&registry, 0, 0, false, false, None, false).standin().expect("a spare");
        let last = registry.relieve(first);
        if let Some(second) = Registry::call_spare(&registry, 0, 0, false, false, last, false).standin() {
            registry.relieve(second);
        }
    });
    end(&registry);
}

/// What a worker waits for, and what is written before.
struct Awaited(Latch, Data);

// SAFETY: the latch is shared as in the runtime, where threads reach it by its address. Loom reports accesses to the
// data that are not ordered.
unsafe impl Sync for Awaited {}
// SAFETY: the latch may be set from any thread; loom reports accesses to the data that are not ordered.
unsafe impl Send for Awaited {}

/// Proves: a spare runs a job from outside that a worker waits for, whether the job comes before the call of the
/// spare, after it, or during it, and whatever the spare's thread does. The wait sees what the job wrote.
/// 3 threads, 2 preemptions; 38,441 executions.
pub(super) fn runs() {
    let [start] = staff::starts_beside::<1>(1);
    let registry = Arc::clone(&start.registry);
    staff::work(start, |worker| {
        let shared = Arc::new(Awaited(Latch::new(worker.unparker()), Data::new()));
        let outside = {
            let (registry, shared) = (Arc::clone(&registry), Arc::clone(&shared));
            thread::spawn(move || {
                let entry = registry.enter().expect("an open pool");
                entry.inject(Job::new(move || {
                    shared.1.write();
                    // SAFETY: the job's `Arc` keeps the latch alive during the call.
                    unsafe { Latch::set(&raw const shared.0) };
                }));
            })
        };
        assert!(worker.lend_place(&shared.0, || None), "model: there is a spare");
        assert_eq!(shared.1.read(), 1);
        outside.join().unwrap();
    });
    end(&registry);
}

/// Proves: a spare that stood in for one worker stands in for another. It sees for which worker, and runs the job
/// that this worker waits for. If the spare is not back at rest yet, the call finds none.
/// 2 threads, 3 preemptions; 29,667 executions, from the second call on.
pub(super) fn again() {
    let [start, other] = staff::starts_beside::<2>(1);
    let registry = Arc::clone(&start.registry);
    let standin = Registry::call_spare(&registry, 0, 0, false, false, None, false).standin().expect("a spare");
    registry.relieve(standin);
    loom::explore();
    staff::work(other, |worker| {
        let shared = Arc::new(Awaited(Latch::new(worker.unparker()), Data::new()));
        let job = {
            let shared = Arc::clone(&shared);
            Job::new(move || {
                let number = with_current(|worker| worker.expect("a worker").number.get());
                assert_eq!(number, 1, "model: it stands in for another");
                shared.1.write();
                // SAFETY: the job's `Arc` keeps the latch alive during the call.
                unsafe { Latch::set(&raw const shared.0) };
            })
        };
        registry.enter().expect("an open pool").inject(job);
        if !worker.lend_place(&shared.0, || None) {
            while worker.run_one() {}
        }
        assert_eq!(shared.1.read(), 1);
    });
    loom::stop_exploring();
    drop(start);
    end(&registry);
}

/// Proves: a pool that is shut down while a spare stands in for a worker ends when the wait is over, with all counts
/// at zero and the spare's thread joined.
/// 3 threads, 2 preemptions; 6,942 executions, from the end of the wait to that of the shutdown.
pub(super) fn shutdown() {
    let pool = Pool::builder().workers(1).spares(1).build().expect("a pool");
    let gate = Arc::new(CountLatch::new(1));
    let waits = {
        let gate = Arc::clone(&gate);
        move || gate.wait()
    };
    pool.execute(waits).expect("an open pool");
    loom::explore();
    gate.count_down();
    let report = pool.shutdown().expect("a shutdown from outside");
    loom::stop_exploring();
    assert_eq!(report.run, 1);
}
