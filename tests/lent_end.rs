//! A job that a lent thread runs at its end, while the thread's locals are being destroyed, may use everything that
//! any job may.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use common::{LIMIT, block_on, collector, fail, until, within};
use filch::{BroadcastContext, BuildError, CountLatch, Pool, Queue, ShutdownError};

/// The pools and the queue that the jobs share.
struct Shared {
    pool: Pool,
    queue: Queue<usize>,
    other: Pool,
    ran: AtomicUsize,
}

type Handle = Arc<OnceLock<Shared>>;
type Use = fn(&Handle);

fn mark(shared: &Handle) -> impl FnOnce() + Send + use<> {
    let shared = Arc::clone(shared);
    move || {
        shared.get().unwrap().ran.fetch_add(1, Ordering::SeqCst);
    }
}

/// Each use with its name and the number of marks that it leaves.
const USES: &[(&str, usize, Use)] = &[
    ("execute", 1, |s| assert!(filch::execute(mark(s)).is_ok())),
    ("execute_fifo", 3, |s| (0..3).for_each(|_| assert!(filch::execute_fifo(mark(s)).is_ok()))),
    ("spawn and join", 1, |s| filch::spawn(mark(s)).join().unwrap()),
    ("spawn and detach", 1, |s| drop(filch::spawn(mark(s)))),
    ("spawn and await", 1, |s| {
        let handle = filch::spawn(mark(s));
        assert_eq!(filch::yield_now(), Some(filch::Yield::Executed));
        block_on(handle).unwrap();
    }),
    ("install", 1, |s| s.get().unwrap().pool.install(mark(s))),
    ("join", 2, |s| _ = filch::join(mark(s), mark(s))),
    ("scope", 2, |s| filch::scope(|scope| (0..2).for_each(|_| scope.spawn(|_| mark(s)())))),
    ("scope_fifo", 2, |s| filch::scope_fifo(|scope| (0..2).for_each(|_| scope.spawn_fifo(|_| mark(s)())))),
    ("in_place_scope", 1, |s| filch::in_place_scope(|scope| scope.spawn(|_| mark(s)()))),
    ("broadcast", 1, |s| drop(filch::broadcast(|_| mark(s)()))),
    ("spawn_broadcast", 1, |s| {
        let shared = Arc::clone(s);
        assert!(filch::spawn_broadcast(move |_: BroadcastContext<'_>| mark(&shared)()).is_ok());
    }),
    ("yield_now", 1, |s| {
        assert!(filch::execute(mark(s)).is_ok());
        assert_eq!(filch::yield_now(), Some(filch::Yield::Executed));
    }),
    ("a latch", 1, |s| {
        let latch = Arc::new(CountLatch::new(1));
        assert!(!latch.wait_timeout(Duration::from_micros(1)));
        let (mark, counts) = (mark(s), Arc::clone(&latch));
        let job = move || {
            mark();
            counts.count_down();
        };
        assert!(filch::execute(job).is_ok());
        latch.wait();
    }),
    ("a queue, more than it holds", 5, |s| s.get().unwrap().queue.submit_all(0..5).map(drop).unwrap()),
    ("another pool", 2, |s| {
        let other = &s.get().unwrap().other;
        other.install(mark(s));
        other.spawn(mark(s)).join().unwrap();
    }),
    ("a new pool", 1, |s| {
        let pool = Pool::builder().workers(1).build().unwrap();
        pool.execute(mark(s)).unwrap();
        match pool.shutdown() {
            Ok(report) => assert_eq!(report.run, 1),
            // Windows destroys a thread's locals under the loader's lock.
            Err(error) => assert!(cfg!(windows) && error == ShutdownError::WouldDeadlock),
        }
    }),
    ("the thread is lent already", 0, |_| {
        let again = Pool::builder().workers(1).use_current_thread().build();
        assert!(matches!(again, Err(BuildError::AlreadyWorker)));
        assert_eq!((filch::current_worker(), filch::current_workers()), (Some(0), 1));
    }),
    ("its mask", 0, |_| drop(filch::unpin_current_thread())),
    ("statistics", 0, |s| drop(s.get().unwrap().pool.stats())),
    ("a panic", 0, |s| {
        let shared = Arc::clone(s);
        let job = move || {
            let _shared = shared;
            fail(7)
        };
        assert!(filch::execute(job).is_ok());
    }),
];

#[test]
fn a_left_job_may_use_everything() {
    within(LIMIT, || {
        for &(name, marks, used) in USES {
            let shared = Handle::default();
            let (handler, panics) = collector();
            let failures = Arc::new(Mutex::new(Vec::new()));
            let (given, seen) = (Arc::clone(&shared), Arc::clone(&failures));
            let lent = thread::spawn(move || {
                let builder = Pool::builder().workers(1).use_current_thread().panic_handler(handler);
                let pool = builder.build().unwrap();
                let handled = Arc::clone(&given);
                let queue = pool.queue().capacity(2).build(move |_: usize| mark(&handled)()).unwrap();
                let other = Pool::builder().workers(1).build().unwrap();
                let ran = AtomicUsize::new(0);
                let held = given.get_or_init(|| Shared { pool, queue, other, ran });
                // All thread-locals of this use are made after the loan, so they are destroyed before the loan ends.
                held.pool.install(|| used(&given));
                // A spare that stood in for this thread may still run a job, and may leave other jobs when it goes to
                // rest.
                until(|| {
                    filch::yield_now() == Some(filch::Yield::Idle) && held.ran.load(Ordering::SeqCst) >= marks
                });
                assert_eq!(held.ran.swap(0, Ordering::SeqCst), marks, "{name} while the thread runs");
                let again = Arc::clone(&given);
                let left = move || {
                    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| used(&again))) {
                        seen.lock().unwrap().push(payload);
                    }
                };
                held.pool.execute(left).unwrap();
            });
            lent.join().unwrap();
            if cfg!(windows) {
                // A new pool's job runs when its thread can start.
                until(|| shared.get().unwrap().ran.load(Ordering::SeqCst) >= marks);
            }
            let ran = shared.get().unwrap().ran.load(Ordering::SeqCst);
            let panicked = if name == "a panic" { vec![7, 7] } else { vec![] };
            assert!(failures.lock().unwrap().is_empty(), "{name} panicked");
            assert_eq!((ran, panics()), (marks, panicked), "{name}");
            shared.get().unwrap().pool.shutdown().unwrap();
        }
    });
}
