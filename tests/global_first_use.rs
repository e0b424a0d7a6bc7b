//! The global pool at its first use: by jobs that run on top of one another, by the closure that starts its threads,
//! and after a build that failed. Each test runs in a process of its own.

mod common;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;

use common::{CHILD_LIMIT, fail, passes_in_child, text_of, within};
use filch::{BuildError, Pool, WorkerThread};

/// A job builds the global pool and waits for its threads. Meanwhile the worker runs another job, which uses the
/// global pool. The threads do not start before this second job has the pool.
#[test]
fn by_two_jobs_of_one_worker() {
    passes_in_child("by_two_jobs_of_one_worker", "", || {
        within(CHILD_LIMIT, || {
            let outer = Arc::new(Pool::builder().workers(1).build().unwrap());
            let (hand, handed) = mpsc::channel::<WorkerThread>();
            let (go, goes) = mpsc::channel();
            let starter = thread::spawn(move || {
                goes.recv().unwrap();
                Vec::from_iter((0..2).map(|_| {
                    let worker = handed.recv().unwrap();
                    thread::spawn(|| worker.run())
                }))
            });
            let builds = Arc::clone(&outer);
            let built = outer.spawn(move || {
                let user = builds.spawn(move || {
                    let pool = Pool::global();
                    go.send(()).unwrap();
                    pool.workers()
                });
                let keep = move |worker| hand.send(worker).map_err(|_| io::Error::other("nobody takes it"));
                let pool = Pool::builder().workers(2).spawn_with(keep).build_global().unwrap();
                (pool.install(|| 6 * 7), user.join().unwrap())
            });
            assert_eq!(built.join().unwrap(), (42, 2));
            Pool::global().shutdown().unwrap();
            starter.join().unwrap().into_iter().for_each(|thread| thread.join().unwrap());
        });
    });
}

/// The plain case: jobs on all workers of another pool use the global pool at once.
#[test]
fn by_many_jobs_at_once() {
    passes_in_child("by_many_jobs_at_once", "", || {
        within(CHILD_LIMIT, || {
            let outer = Pool::builder().workers(3).build().unwrap();
            let met = Arc::new(Barrier::new(3));
            let handles = Vec::from_iter((0..30).map(|number| {
                let met = Arc::clone(&met);
                outer.spawn(move || {
                    if number < 3 {
                        met.wait();
                    }
                    Pool::global().install(move || number)
                })
            }));
            let sum: usize = handles.into_iter().map(|handle| handle.join().unwrap()).sum();
            assert_eq!(sum, 29 * 30 / 2);
        });
    });
}

/// The closure that starts the global pool's threads cannot use the global pool, and gets an error or a panic that
/// says so.
#[test]
fn by_the_closure_that_starts_its_threads() {
    passes_in_child("by_the_closure_that_starts_its_threads", "", || {
        within(CHILD_LIMIT, || {
            let start = |worker: WorkerThread| {
                let again = Pool::builder().workers(1).build_global();
                assert!(matches!(again.map(drop), Err(BuildError::GlobalAlreadyBuilt)));
                let payload = catch_unwind(|| Pool::global().workers()).expect_err("there is none yet");
                assert!(text_of(&*payload).contains("closure that starts its threads"));
                thread::Builder::new().spawn(|| worker.run()).map(drop)
            };
            let pool = Pool::builder().workers(2).spawn_with(start).build_global().unwrap();
            assert_eq!((pool.install(|| 1), pool.workers()), (1, 2));
        });
    });
}

/// A build that fails leaves the way free for the next build.
#[test]
fn after_a_build_that_failed() {
    passes_in_child("after_a_build_that_failed", "", || {
        within(CHILD_LIMIT, || {
            let refuse = |_| Err(io::Error::other("no"));
            let error = Pool::builder().spawn_with(refuse).build_global().map(drop).unwrap_err();
            assert!(matches!(error, BuildError::Spawn { worker: 0, .. }), "{error:?}");
            let panics = |_: WorkerThread| -> io::Result<()> { fail(3) };
            let build = || Pool::builder().spawn_with(panics).build_global().map(drop);
            let payload = catch_unwind(AssertUnwindSafe(build)).expect_err("the panic was swallowed");
            assert_eq!(common::number_of(&*payload), 3);
            assert!(Pool::builder().workers(0).build_global().is_err());
            assert_eq!(Pool::builder().workers(3).build_global().unwrap().workers(), 3);
            assert_eq!(filch::current_workers(), 3);
        });
    });
}
