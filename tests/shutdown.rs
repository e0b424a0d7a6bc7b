//! Shutdown refuses what comes from outside, runs all accepted jobs and the jobs that these submit, joins the threads
//! and says what was done. A timed shutdown names the workers that are stuck. Dropping the pool drains and joins as
//! well.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::Duration;

use common::{Alive, Gate, LIMIT, Ledger, until, within};
use filch::{BuildError, ClosedReason, CountLatch, JoinError, Placement, Pool, ShutdownError, SubmitError};

fn pool(workers: usize) -> Pool {
    Pool::builder().workers(workers).build().unwrap()
}

#[test]
fn reports_what_each_worker_did() {
    within(LIMIT, || {
        let pool = Pool::builder().workers(3).name("reporter").placement(Placement::Cores).build().unwrap();
        // Each worker runs one job, as the jobs wait for each other.
        let met = Arc::new(Barrier::new(3));
        for _ in 0..3 {
            let met = Arc::clone(&met);
            let job = move || {
                met.wait();
            };
            pool.execute(job).unwrap();
        }
        let stats = pool.stats();
        let report = pool.shutdown().unwrap();
        assert_eq!((report.run, report.panicked, report.workers.len()), (3, 0, 3));
        for (index, (worker, before)) in report.workers.iter().zip(&stats.workers).enumerate() {
            assert_eq!(worker.name, format!("reporter-{index}"));
            assert_eq!((worker.run, worker.panicked), (1, 0));
            assert_eq!(worker.asked, before.asked);
            // Unless somebody else keeps its core.
            assert!(worker.pinned_to.is_none() || worker.pinned_to == worker.asked, "{worker:?}");
        }
    });
}

#[test]
fn is_idempotent_and_many_may_call_it() {
    within(LIMIT, || {
        let pool = pool(2);
        let gate = Gate::default();
        let held = gate.clone();
        pool.execute(move || held.wait()).unwrap();
        let (begun, begins) = mpsc::channel();
        thread::scope(|scope| {
            let calls: Vec<_> = (0..4)
                .map(|_| {
                    let begun = begun.clone();
                    let pool = &pool;
                    scope.spawn(move || {
                        begun.send(()).unwrap();
                        pool.shutdown().unwrap()
                    })
                })
                .collect();
            (0..4).for_each(|_| begins.recv().unwrap());
            gate.open();
            let reports: Vec<_> = calls.into_iter().map(|call| call.join().unwrap()).collect();
            assert!(reports.iter().all(|report| *report == reports[0] && report.run == 1), "{reports:?}");
            assert_eq!(pool.shutdown().unwrap(), reports[0]);
            assert_eq!(pool.shutdown_timeout(Duration::ZERO).unwrap(), reports[0]);
        });
    });
}

/// A tree of jobs: the running jobs submit all but the root while the pool drains.
#[test]
fn runs_what_running_jobs_submit() {
    fn branch(pool: &Arc<Pool>, queue: &filch::Queue<usize>, ledger: &Arc<Ledger>, node: usize) {
        ledger.mark(node);
        for child in [2 * node + 1, 2 * node + 2] {
            if child >= NODES {
                queue.submit(NODES + 2 * (node - NODES / 2) + child % 2).unwrap();
                continue;
            }
            let (pool_of_child, queue, ledger) = (Arc::clone(pool), queue.clone(), Arc::clone(ledger));
            let job = move || branch(&pool_of_child, &queue, &ledger, child);
            match child % 3 {
                0 => pool.execute(job).unwrap(),
                1 => filch::execute(job).unwrap(),
                _ => drop(pool.spawn(job)),
            }
        }
    }

    /// A full binary tree; its leaves submit two jobs each to the queue.
    const NODES: usize = 2_047;
    const LEAVES: usize = NODES / 2 + 1;

    within(LIMIT, || {
        for workers in [1, 2, 4] {
            let pool = Arc::new(pool(workers));
            let ledger = Ledger::new(NODES + 2 * LEAVES);
            let queue = {
                let ledger = Arc::clone(&ledger);
                pool.queue().capacity(3).build(move |node| ledger.mark(node)).unwrap()
            };
            let gate = Gate::default();
            let (begun, begins) = mpsc::channel();
            let root = {
                let (pool, ledger, held) = (Arc::clone(&pool), Arc::clone(&ledger), gate.clone());
                move || {
                    begun.send(()).unwrap();
                    held.wait();
                    branch(&pool, &queue, &ledger, 0);
                }
            };
            pool.execute(root).unwrap();
            begins.recv().unwrap();
            assert!(matches!(pool.shutdown_timeout(Duration::ZERO), Err(ShutdownError::Timeout { .. })));
            gate.open();
            let report = pool.shutdown().unwrap();
            ledger.assert_once();
            assert_eq!(report.run as usize, NODES + 2 * LEAVES);
        }
    });
}

#[test]
fn hands_back_what_comes_later() {
    within(LIMIT, || {
        let pool = pool(2);
        let queue = pool.queue().capacity(2).build(|_: String| {}).unwrap();
        pool.shutdown().unwrap();

        let alive = Alive::default();
        let token = alive.token();
        let refused = pool.execute(move || drop(token)).unwrap_err();
        assert_eq!(refused.reason(), ClosedReason::Shutdown);
        assert!(refused.to_string().contains("shut down"), "{refused}");
        assert_eq!(alive.count(), 1);
        (refused.into_inner())();
        assert_eq!(alive.count(), 0, "what came back is what was given");

        let handle = pool.spawn(|| 1);
        assert!(handle.is_finished());
        let error = handle.join().unwrap_err();
        assert!(matches!(error, JoinError::Closed) && error.is_closed() && !error.is_panic());
        let refused = pool.try_install(|| 2).unwrap_err();
        assert_eq!((refused.reason(), (refused.into_inner())()), (ClosedReason::Shutdown, 2));
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| pool.install(|| 3)));
        assert!(common::text_of(&*caught.unwrap_err()).contains("shut down"));

        assert!(queue.is_closed());
        let job = || String::from("job");
        assert!(queue.submit(job()) == Err(SubmitError::Closed(job())));
        assert!(queue.try_submit(job()) == Err(SubmitError::Closed(job())));
        assert!(queue.submit_timeout(job(), Duration::ZERO) == Err(SubmitError::Closed(job())));
        assert!(queue.submit_timeout(job(), Duration::MAX) == Err(SubmitError::Closed(job())));
        assert!(queue.submit_all([job()]) == Err(SubmitError::Closed(job())));
        queue.wait();
        queue.close();
        assert!(matches!(pool.queue().build(|(): ()| {}), Err(BuildError::Closed)));
    });
}

#[test]
fn by_a_job_of_the_pool_would_deadlock_and_changes_nothing() {
    within(LIMIT, || {
        let pool = Arc::new(pool(1));
        let own = Arc::clone(&pool);
        let answers = pool.install(move || [own.shutdown(), own.shutdown_timeout(Duration::ZERO)]);
        assert_eq!(answers, [const { Err(ShutdownError::WouldDeadlock) }; 2]);
        // In a job that another job waits for.
        let own = Arc::clone(&pool);
        let nested = pool.spawn(move || {
            let inner = Arc::clone(&own);
            own.spawn(move || inner.shutdown()).join().unwrap()
        });
        assert_eq!(nested.join().unwrap(), Err(ShutdownError::WouldDeadlock));
        assert_eq!(pool.install(|| 1), 1, "the pool is open");
        // In a queue's handler.
        let (told, tells) = mpsc::channel();
        let own = Arc::downgrade(&pool);
        let handler = move |(): ()| told.send(own.upgrade().unwrap().shutdown()).unwrap();
        let queue = pool.queue().build(handler).unwrap();
        queue.submit(()).unwrap();
        assert_eq!(tells.recv().unwrap(), Err(ShutdownError::WouldDeadlock));
        queue.wait();
        assert_eq!(pool.shutdown().unwrap().panicked, 0);
    });
}

#[test]
fn by_a_job_of_another_pool() {
    within(LIMIT, || {
        let outer = pool(1);
        let report = outer.install(|| {
            let inner = pool(2);
            for _ in 0..100 {
                inner.execute(|| ()).unwrap();
            }
            // While its worker waits for the inner pool, the outer one goes on.
            let (told, tells) = mpsc::channel();
            filch::execute(move || told.send(()).unwrap()).unwrap();
            inner.execute(move || tells.recv().unwrap()).unwrap();
            inner.shutdown().unwrap()
        });
        assert_eq!(report.run, 101);
    });
}

#[test]
fn in_time_names_the_stuck_workers() {
    within(LIMIT, || {
        let pool = Pool::builder().workers(4).name("stuck").build().unwrap();
        let (told, tells) = mpsc::channel();
        let gates = [Gate::default(), Gate::default()];
        let handles = gates.clone().map(|gate| {
            let told = told.clone();
            pool.spawn(move || {
                told.send(filch::current_worker().unwrap()).unwrap();
                gate.wait();
            })
        });
        let blocked = [tells.recv().unwrap(), tells.recv().unwrap()];
        let stuck_in = |timeout| match pool.shutdown_timeout(timeout) {
            Err(ShutdownError::Timeout { stuck }) => stuck,
            other => panic!("{other:?}"),
        };
        // Workers that are not blocked leave only when the drain has ended, which the blocked ones hold up.
        for timeout in [Duration::ZERO, Duration::from_millis(5)] {
            let stuck = stuck_in(timeout);
            assert!(blocked.iter().all(|worker| stuck.contains(&format!("stuck-{worker}"))), "{stuck:?}");
            let error = ShutdownError::Timeout { stuck: stuck.clone() }.to_string();
            assert!(stuck.iter().all(|name| error.contains(name)), "{error}");
        }
        assert_eq!(pool.execute(|| ()).unwrap_err().reason(), ClosedReason::Shutdown, "it is closed by now");
        gates.iter().for_each(Gate::open);
        assert_eq!(pool.shutdown_timeout(Duration::MAX).unwrap().run, 2);
        assert!(handles.into_iter().all(|handle| handle.join().is_ok()));
    });
}

/// One worker is stuck at the very end, in its exit hook, while all the others have left. The error names only this
/// worker.
#[test]
fn in_time_names_only_the_stuck_worker() {
    within(LIMIT, || {
        let gate = Gate::default();
        let left = Arc::new(AtomicUsize::new(0));
        let (held, leaves) = (gate.clone(), Arc::clone(&left));
        let on_exit = move |worker| {
            if worker == 2 {
                held.wait();
            }
            leaves.fetch_add(1, Ordering::Release);
        };
        let pool = Pool::builder().workers(4).name("late").on_exit(on_exit).build().unwrap();
        assert!(pool.shutdown_timeout(Duration::ZERO).is_err());
        until(|| left.load(Ordering::Acquire) == 3);
        let only = ShutdownError::Timeout { stuck: vec![String::from("late-2")] };
        // The other three may be past their hook, but not gone yet.
        until(|| pool.shutdown_timeout(Duration::from_millis(1)) == Err(only.clone()));
        gate.open();
        pool.shutdown().unwrap();
        assert_eq!(left.load(Ordering::Acquire), 4);
    });
}

/// A job waits, in the pool's own way, while the pool shuts down, and then submits another job. The shutdown runs
/// both.
#[test]
fn waits_for_jobs_that_wait() {
    within(LIMIT, || {
        for workers in [1, 2, 4] {
            let pool = pool(workers);
            let latch = Arc::new(CountLatch::new(1));
            let (waits, opens) = (Arc::clone(&latch), Arc::clone(&latch));
            let (begun, begins) = mpsc::channel();
            pool.execute(move || {
                begun.send(()).unwrap();
                waits.wait();
                filch::execute(|| ()).unwrap();
            })
            .unwrap();
            begins.recv().unwrap();
            assert!(pool.shutdown_timeout(Duration::ZERO).is_err());
            // An outside thread opens the latch after the pool was closed.
            let opener = thread::spawn(move || opens.count_down());
            assert_eq!(pool.shutdown().unwrap().run, 2);
            opener.join().unwrap();
        }
    });
}

/// Counts its thread when the thread ends.
struct AtEnd(Arc<AtomicUsize>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        // What a thread does at its end may take a while.
        thread::sleep(Duration::from_millis(20));
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

thread_local! {
    static AT_END: std::cell::RefCell<Option<AtEnd>> = const { std::cell::RefCell::new(None) };
}

/// Builds a pool of 3 workers. Each thread counts itself when it has ended altogether.
fn counting() -> (Pool, Arc<AtomicUsize>) {
    let ended = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&ended);
    let on_start = move |_| AT_END.set(Some(AtEnd(Arc::clone(&counter))));
    let pool = Pool::builder().workers(3).on_start(on_start).build().unwrap();
    // `build` does not wait for the start hooks. But a job runs after its worker's hook, so the workers meet in jobs.
    let met = Arc::new(Barrier::new(4));
    for _ in 0..3 {
        let met = Arc::clone(&met);
        let job = move || {
            met.wait();
        };
        pool.execute(job).unwrap();
    }
    met.wait();
    (pool, ended)
}

#[test]
fn joins_the_threads() {
    within(LIMIT, || {
        let (pool, ended) = counting();
        pool.shutdown().unwrap();
        assert_eq!(ended.load(Ordering::SeqCst), 3, "the threads were still there");
    });
}

#[test]
fn dropping_the_pool_drains_and_joins() {
    within(LIMIT, || {
        let (pool, ended) = counting();
        let ledger = Ledger::new(10_000);
        for job in 0..10_000 {
            let ledger = Arc::clone(&ledger);
            pool.execute(move || ledger.mark(job)).unwrap();
        }
        drop(pool);
        assert_eq!(ended.load(Ordering::SeqCst), 3, "the threads were still there");
        ledger.assert_once();
        assert_eq!(Arc::strong_count(&ledger), 1);
    });
}

#[test]
fn dropping_after_a_timeout_waits_for_the_rest() {
    within(LIMIT, || {
        let (pool, ended) = counting();
        let gate = Gate::default();
        let held = gate.clone();
        pool.execute(move || held.wait()).unwrap();
        assert!(pool.shutdown_timeout(Duration::from_millis(1)).is_err());
        let opener = thread::spawn(move || gate.open());
        drop(pool);
        assert_eq!(ended.load(Ordering::SeqCst), 3);
        opener.join().unwrap();
    });
}

/// A value in a thread-local that waits in its destructor.
struct Held(Gate);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.wait();
    }
}

thread_local! {
    static HELD: std::cell::RefCell<Option<Held>> = const { std::cell::RefCell::new(None) };
}

/// The worker has left, but its thread has not ended. A timed shutdown names the thread, also while another thread
/// waits already.
#[test]
fn in_time_names_a_thread_that_does_not_end() {
    within(LIMIT, || {
        let gate = Gate::default();
        let pool = Pool::builder().workers(1).name("late").build().unwrap();
        let held = gate.clone();
        pool.install(move || HELD.set(Some(Held(held))));
        let stuck = Err(ShutdownError::Timeout { stuck: vec!["late-0".into()] });
        assert_eq!(pool.shutdown_timeout(Duration::from_millis(5)), stuck);
        thread::scope(|scope| {
            let other = scope.spawn(|| pool.shutdown().unwrap());
            for _ in 0..20 {
                assert_eq!(pool.shutdown_timeout(Duration::from_millis(1)), stuck);
            }
            gate.open();
            assert_eq!(other.join().unwrap().run, 1);
        });
    });
}
