//! Spares: the races of who calls one, of its thread, of who wakes it and of the end of the wait.

use loom::sync::Arc;
use loom::thread;

use super::staff::{self, Data};
use crate::CountLatch;
use crate::Pool;
use crate::jobs::job::Job;
use crate::scheduler::registry::{Registry, Shared};
use crate::scheduler::worker::with_current;
use crate::waiting::latch::Latch;

/// Ends the pool of a registry none of whose workers has a main loop, and looks whether everybody was counted once.
fn end(registry: &Shared) {
    registry.sleep.end();
    registry.spares.join(None).expect("no limit of time");
    let end = registry.sleep.snapshot();
    assert_eq!((end.searching(), end.asleep(), end.waiting(), end.entered()), (0, 0, 0, 0), "model: {end:?}");
}

/// Proves: a wait that ends at once, while the thread of its spare comes up, takes the spare back or relieves it, and
/// whoever counts as asleep or as searching is counted once.
/// 2 threads, 5 preemptions; 46,312 executions.
pub(super) fn relieved() {
    let [start] = staff::seats_beside::<1>(1);
    let registry = Arc::clone(&start.registry);
    staff::work(start, |_| {
        let standin = Registry::call_spare(&registry, 0, false).expect("a spare");
        registry.relieve(standin);
    });
    end(&registry);
}

/// What a worker waits for, and what is written before.
struct Awaited(Latch, Data);

// SAFETY: the latch is shared as in the runtime, where it is reached by its address; loom reports what is not ordered.
unsafe impl Sync for Awaited {}
// SAFETY: as above.
unsafe impl Send for Awaited {}

/// Proves: a job from outside that a worker waits for is run by its spare, whether it comes before the call, after it, or in
/// between, and whatever the spare's thread is at; and the wait sees what the job wrote.
/// 3 threads, 2 preemptions; 38,441 executions.
pub(super) fn runs() {
    let [start] = staff::seats_beside::<1>(1);
    let registry = Arc::clone(&start.registry);
    staff::work(start, |worker| {
        let shared = Arc::new(Awaited(Latch::new(worker.unparker()), Data::new()));
        let outside = {
            let (registry, shared) = (Arc::clone(&registry), Arc::clone(&shared));
            thread::spawn(move || {
                let entry = registry.enter().expect("an open pool");
                entry.inject(Job::new(move || {
                    shared.1.write();
                    // SAFETY: the `Arc` keeps the latch.
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

/// Proves: a spare that stood in for one worker stands in for another, sees for whom, and runs what that waits for; if it has
/// not come to rest yet, there is none. 2 threads, 3 preemptions; 29,667 executions, from the second call on.
pub(super) fn again() {
    let [start, other] = staff::seats_beside::<2>(1);
    let registry = Arc::clone(&start.registry);
    let standin = Registry::call_spare(&registry, 0, false).expect("a spare");
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
                // SAFETY: the `Arc` keeps the latch.
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

/// Proves: a pool that is shut down while a spare stands in for a worker ends when the wait is over, with all counts at zero
/// and the spare's thread joined. 3 threads, 2 preemptions; 6,942 executions, from the end of the wait to that of the shutdown.
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
