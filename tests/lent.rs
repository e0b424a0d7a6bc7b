//! A calling thread that is lent to a pool as worker 0: when it runs jobs, what becomes of the jobs that it leaves,
//! and how it is returned, whichever thread ends the pool, and where.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::thread::{self, ThreadId};
use std::time::Duration;

use common::{Gate, LIMIT, fail, until, within};
use filch::{BuildError, CountLatch, Pool, ShutdownError};

/// Returns a job that adds 1 to `ran`.
fn counts(ran: &Arc<AtomicUsize>) -> impl FnOnce() + Send + 'static {
    let ran = Arc::clone(ran);
    move || {
        ran.fetch_add(1, Ordering::SeqCst);
    }
}

fn lent(workers: usize) -> Pool {
    Pool::builder().workers(workers).use_current_thread().build().unwrap()
}

#[test]
fn a_lent_thread_runs_jobs_when_it_waits_and_only_then() {
    within(LIMIT, || {
        let here = thread::current().id();
        let pool = lent(1);
        assert_eq!((filch::current_worker(), filch::current_workers(), pool.workers()), (Some(0), 1, 1));
        let ran = Arc::new(AtomicUsize::new(0));
        pool.execute(counts(&ran)).unwrap();
        filch::execute(counts(&ran)).unwrap();
        let handle = pool.spawn(|| thread::current().id());
        assert_eq!((ran.load(Ordering::SeqCst), handle.is_finished()), (0, false));
        assert_eq!(handle.join().unwrap(), here);
        // The other ways to wait.
        let latch = Arc::new(CountLatch::new(1));
        let opens = Arc::clone(&latch);
        pool.execute(move || opens.count_down()).unwrap();
        latch.wait();
        let latch = Arc::new(CountLatch::new(1));
        let opens = Arc::clone(&latch);
        pool.execute(move || opens.count_down()).unwrap();
        assert!(latch.wait_timeout(Duration::MAX));
        let queue = {
            let ran = Arc::clone(&ran);
            let handler = move |thread| {
                assert_eq!(thread::current().id(), thread);
                ran.fetch_add(1, Ordering::SeqCst);
            };
            pool.queue().capacity(1).build(handler).unwrap()
        };
        (0..10).for_each(|_| queue.submit(here).unwrap());
        assert_eq!(queue.submit_all([here; 10]).unwrap(), 10);
        queue.wait();
        assert_eq!(pool.install(|| thread::current().id()), here);
        let other = Pool::builder().workers(1).build().unwrap();
        let (told, tells) = mpsc::channel();
        pool.execute(move || told.send(()).unwrap()).unwrap();
        // A job of the other pool waits for a job of this pool, and so for this thread.
        other.install(move || tells.recv().unwrap());
        let report = pool.shutdown().unwrap();
        assert_eq!((ran.load(Ordering::SeqCst), report.panicked), (22, 0));
        assert_eq!((report.workers[0].asked, report.workers[0].pinned_to), (None, None));
    });
}

#[test]
fn a_lent_thread_beside_others() {
    within(LIMIT, || {
        let here = thread::current().id();
        let pool = lent(3);
        // While this thread does not wait for the pool, the other workers run the jobs.
        let (told, tells) = mpsc::channel();
        for _ in 0..100 {
            let told = told.clone();
            pool.execute(move || told.send(thread::current().id()).unwrap()).unwrap();
        }
        assert!((0..100).all(|_| tells.recv().unwrap() != here));
        // While the other workers are blocked, this thread runs jobs as it waits.
        let gate = Gate::default();
        let blocked = Arc::new(CountLatch::new(2));
        for _ in 0..2 {
            let (gate, blocked) = (gate.clone(), Arc::clone(&blocked));
            let job = move || {
                blocked.count_down();
                gate.wait();
            };
            pool.execute(job).unwrap();
        }
        until(|| blocked.count() == 0);
        let handle = pool.spawn(|| (thread::current().id(), filch::current_worker()));
        assert_eq!(handle.join().unwrap(), (here, Some(0)));
        gate.open();
        assert_eq!(pool.shutdown().unwrap().run, 103);
    });
}

#[test]
fn a_lent_thread_cannot_be_lent_twice() {
    fn refused() {
        let error = Pool::builder().workers(2).use_current_thread().build().map(drop).unwrap_err();
        assert!(matches!(error, BuildError::AlreadyWorker), "{error:?}");
        assert!(error.to_string().contains("use_current_thread"), "{error}");
    }

    within(LIMIT, || {
        let pool = lent(2);
        refused();
        assert_eq!(filch::current_workers(), 2, "it is still lent");
        pool.install(refused);
        drop(pool);
        Pool::builder().workers(1).build().unwrap().install(refused);
    });
}

#[test]
fn a_lent_thread_is_returned() {
    within(LIMIT, || {
        for workers in [1, 2, 4] {
            for round in 0..100 {
                let pool = lent(workers);
                assert_eq!(filch::current_worker(), Some(0));
                let ran = Arc::new(AtomicUsize::new(0));
                (0..10).for_each(|_| pool.execute(counts(&ran)).unwrap());
                if round % 2 == 0 {
                    assert_eq!(pool.shutdown().unwrap().run, 10);
                } else {
                    drop(pool);
                }
                assert_eq!(ran.load(Ordering::SeqCst), 10, "it helps to drain");
                assert_eq!(filch::current_worker(), None);
            }
        }
    });
}

#[test]
fn a_lent_thread_stays_a_worker_if_another_shuts_down() {
    within(LIMIT, || {
        let pool = lent(2);
        let ran = Arc::new(AtomicUsize::new(0));
        (0..100).for_each(|_| pool.execute(counts(&ran)).unwrap());
        let report = thread::scope(|scope| scope.spawn(|| pool.shutdown().unwrap()).join().unwrap());
        assert_eq!((ran.load(Ordering::SeqCst), report.run), (100, 100));
        assert_eq!(filch::current_worker(), Some(0));
        assert!(pool.execute(|| ()).is_err() && pool.try_install(|| ()).is_err());
        assert_eq!(pool.shutdown().unwrap(), report);
        assert_eq!(filch::current_worker(), None);
    });
}

/// A lent thread ends and leaves jobs in its deque. The other worker must find them.
#[test]
fn a_lent_thread_that_ends() {
    within(LIMIT, || {
        const JOBS: usize = 100;
        let gate = Gate::default();
        let ran = Arc::new(AtomicUsize::new(0));
        let (held, count) = (gate.clone(), Arc::clone(&ran));
        let ends = thread::spawn(move || {
            let pool = lent(2);
            let (told, tells) = mpsc::channel();
            pool.execute(move || {
                told.send(()).unwrap();
                held.wait();
            })
            .unwrap();
            tells.recv().unwrap();
            let fan = move || {
                (0..JOBS).for_each(|_| filch::execute(counts(&count)).unwrap());
                filch::current_worker()
            };
            assert_eq!(pool.spawn(fan).join().unwrap(), Some(0));
            pool
        });
        let pool = ends.join().unwrap();
        assert_eq!(pool.stats().workers[0].deque_depth, JOBS);
        gate.open();
        until(|| ran.load(Ordering::SeqCst) == JOBS);
        assert_eq!(pool.install(filch::current_worker), Some(1));
        assert_eq!(pool.shutdown().unwrap().run, JOBS as u64 + 3);
    });
}

#[test]
fn hooks_are_not_called_for_a_lent_thread() {
    within(LIMIT, || {
        let calls: Arc<Mutex<Vec<(usize, ThreadId)>>> = Arc::default();
        let note = |calls: &Arc<Mutex<Vec<_>>>| {
            let calls = Arc::clone(calls);
            move |index| calls.lock().unwrap().push((index, thread::current().id()))
        };
        let (start, exit) = (note(&calls), note(&calls));
        let pool =
            Pool::builder().workers(3).use_current_thread().on_start(start).on_exit(exit).build().unwrap();
        drop(pool);
        let mut calls = calls.lock().unwrap().clone();
        assert!(calls.iter().all(|&(_, thread)| thread != thread::current().id()));
        calls.sort_unstable_by_key(|call| call.0);
        assert_eq!(calls.iter().map(|call| call.0).collect::<Vec<_>>(), [1, 1, 2, 2]);
    });
}

/// A job's panic does not unwind into the lent thread's own code, which waits for another job.
#[test]
fn panics_on_a_lent_thread() {
    within(LIMIT, || {
        let (handler, seen) = common::collector();
        let pool = Pool::builder().workers(1).use_current_thread().panic_handler(handler).build().unwrap();
        pool.execute(|| fail(1)).unwrap();
        assert_eq!(pool.spawn(|| 2).join().unwrap(), 2);
        drop(pool.spawn(|| fail(3)));
        let report = pool.shutdown().unwrap();
        assert_eq!((report.run, report.panicked, seen()), (3, 2, vec![1, 3]));
    });
}

// --- ended by others, or in a job ---

/// Makes a pool that has only this thread, with 10 jobs in it: 5 of them in a queue. The counter says how many have
/// run.
fn loaded() -> (Arc<Pool>, Arc<AtomicUsize>) {
    let pool = Arc::new(lent(1));
    let ran = Arc::new(AtomicUsize::new(0));
    (0..5).for_each(|_| pool.execute(counts(&ran)).unwrap());
    let runs = Arc::clone(&ran);
    let queue = pool.queue().capacity(5).build(move |()| counts(&runs)()).unwrap();
    assert_eq!(queue.submit_all([(); 5]).unwrap(), 5);
    (pool, ran)
}

/// Whether the pool is closed. It tries to build a queue, because a job that came before the close would run.
fn closed(pool: &Pool) -> bool {
    pool.queue().build(|()| ()).is_err()
}

/// The pool has no other worker, so this thread must run the jobs. The other thread's shutdown waits for it.
#[test]
fn a_shutdown_by_another_waits_for_the_only_worker() {
    within(LIMIT, || {
        for workers in [1, 0] {
            let (pool, ran) = loaded();
            let (told, tells) = mpsc::channel();
            let ends = Arc::clone(&pool);
            let other = thread::spawn(move || {
                let stuck = ends.shutdown_timeout(Duration::from_millis(5));
                told.send(stuck).unwrap();
                ends.shutdown().unwrap().run
            });
            assert_eq!(tells.recv().unwrap(), Err(ShutdownError::Timeout { stuck: vec!["filch-0".into()] }));
            assert_eq!((closed(&pool), ran.load(Ordering::SeqCst)), (true, 0));
            if workers == 0 {
                // This thread gets to the pool's end by a wait, here for something else altogether.
                let latch = CountLatch::new(1);
                assert!(!latch.wait_timeout(Duration::from_millis(20)));
            } else {
                // This thread gets to the pool's end by its own shutdown.
                assert_eq!(pool.shutdown().unwrap().run, 10);
            }
            assert_eq!((other.join().unwrap(), ran.load(Ordering::SeqCst)), (10, 10));
            drop(pool);
            assert_eq!(filch::current_worker(), None);
        }
    });
}

#[test]
fn the_only_worker_ends() {
    within(LIMIT, || {
        for early in [false, true] {
            let gate = Gate::default();
            let (hand, handed) = mpsc::channel();
            let held = gate.clone();
            let lends = thread::spawn(move || {
                hand.send(loaded()).unwrap();
                held.wait();
            });
            let (pool, ran) = handed.recv().unwrap();
            let ends = Arc::clone(&pool);
            let shutdown = move || ends.shutdown().unwrap().run;
            let other = early.then(|| thread::spawn(shutdown.clone()));
            if early {
                until(|| closed(&pool));
            }
            gate.open();
            lends.join().unwrap();
            // The jobs run when the thread ends, and not only at the shutdown, which may come much later.
            assert_eq!((ran.load(Ordering::SeqCst), closed(&pool)), (10, true));
            let run = other.map_or_else(shutdown, |other| other.join().unwrap());
            assert_eq!(run, 10);
        }
    });
}

/// Outside threads submit while another thread shuts the pool down, and the only worker waits, ends, or shuts the
/// pool down as well. Each accepted job runs, and nobody hangs.
#[test]
fn the_only_worker_against_submitters_and_a_shutdown() {
    within(LIMIT, || {
        for round in 0..400 {
            let ran = Arc::new(AtomicUsize::new(0));
            let accepted = Arc::new(AtomicUsize::new(0));
            let (count, took) = (Arc::clone(&ran), Arc::clone(&accepted));
            let lends = thread::spawn(move || {
                let pool = Arc::new(lent(1));
                let others = Vec::from_iter((0..3).map(|number| {
                    let (pool, ran, accepted) = (Arc::clone(&pool), Arc::clone(&count), Arc::clone(&took));
                    thread::spawn(move || {
                        if number == 0 {
                            return drop(pool.shutdown().unwrap());
                        }
                        for _ in 0..20 {
                            let taken = pool.execute(counts(&ran)).is_ok();
                            accepted.fetch_add(usize::from(taken), Ordering::SeqCst);
                        }
                    })
                }));
                match round % 3 {
                    0 => drop(pool.shutdown()),
                    1 => until(|| pool.spawn(|| ()).join().is_err()),
                    _ => {}
                }
                others
            });
            let others = lends.join().unwrap();
            others.into_iter().for_each(|other| other.join().unwrap());
            let (ran, accepted) = (ran.load(Ordering::SeqCst), accepted.load(Ordering::SeqCst));
            assert_eq!(ran, accepted, "in round {round}");
        }
    });
}

/// A job on the lent thread drops the pool. Each accepted job runs, and then the thread is no longer lent.
#[test]
fn it_drops_the_pool_in_a_job() {
    within(LIMIT, || {
        for workers in [1, 3] {
            let pool = Arc::new(lent(workers));
            let (gate, blocked) = (Gate::default(), Arc::new(CountLatch::new(workers - 1)));
            for _ in 1..workers {
                let (held, counts) = (gate.clone(), Arc::clone(&blocked));
                let block = move || {
                    counts.count_down();
                    held.wait();
                };
                pool.execute(block).unwrap();
            }
            until(|| blocked.count() == 0);
            let ran = Arc::new(AtomicUsize::new(0));
            let (last, count) = (Arc::clone(&pool), Arc::clone(&ran));
            let handle = pool.spawn(move || {
                (0..10).for_each(|_| filch::execute(counts(&count)).unwrap());
                drop(Arc::into_inner(last).expect("the last one"));
                filch::execute(counts(&count)).unwrap();
                filch::current_worker()
            });
            drop(pool);
            assert_eq!(handle.join().unwrap(), Some(0), "it was in a job of the pool");
            assert_eq!(filch::current_worker(), None);
            gate.open();
            until(|| ran.load(Ordering::SeqCst) == 11);
            // The thread can be lent again.
            assert_eq!(lent(2).spawn(|| 5).join().unwrap(), 5);
        }
    });
}

#[test]
fn another_thread_drops_the_pool() {
    within(LIMIT, || {
        for workers in [1, 2] {
            let pool = lent(workers);
            assert_eq!(pool.spawn(|| 1).join().unwrap(), 1);
            thread::spawn(move || drop(pool)).join().unwrap();
            assert_eq!(filch::current_worker(), None);
            drop(lent(workers));
        }
    });
}

/// A panic handler runs inside the job that panicked. On a lent thread, too, the handler cannot end the pool.
#[test]
fn its_panic_handler_shuts_down() {
    within(LIMIT, || {
        let shared: Arc<OnceLock<Pool>> = Arc::default();
        let (handled, seen) = mpsc::channel();
        let used = Arc::clone(&shared);
        let handler = move |_| handled.send(used.get().map(Pool::shutdown)).unwrap();
        let pool = Pool::builder().workers(1).use_current_thread().panic_handler(handler).build().unwrap();
        assert!(shared.set(pool).is_ok());
        let pool = shared.get().unwrap();
        pool.execute(|| fail(1)).unwrap();
        assert_eq!(pool.spawn(|| 2).join().unwrap(), 2);
        // The older job runs here if the wait above did not need it.
        while filch::yield_now() == Some(filch::Yield::Executed) {}
        assert_eq!(seen.recv().unwrap(), Some(Err(ShutdownError::WouldDeadlock)));
        assert_eq!(pool.shutdown().unwrap().run, 2);
    });
}

/// A timed shutdown by the lent thread begins no job after its time is up. The thread stays lent, and a later
/// shutdown runs the rest.
#[test]
fn it_shuts_down_in_time() {
    within(LIMIT, || {
        let (pool, ran) = loaded();
        let stuck = pool.shutdown_timeout(Duration::ZERO);
        assert_eq!(stuck, Err(ShutdownError::Timeout { stuck: vec!["filch-0".into()] }));
        assert_eq!((ran.load(Ordering::SeqCst), filch::current_worker()), (0, Some(0)));
        assert_eq!(pool.shutdown_timeout(Duration::MAX).unwrap().run, 10);
        assert_eq!(filch::current_worker(), None);
    });
}

/// A resting spare leaves when the pool has ended. The shutdown does not wait for the end of the spare's rest, which
/// takes 10 s.
#[test]
fn the_spares_of_a_lent_thread_go_with_the_pool() {
    within(Duration::from_secs(9), || {
        let pool = Pool::builder().workers(1).use_current_thread().build().unwrap();
        let (tell, told) = mpsc::channel();
        pool.install(move || {
            filch::execute(move || tell.send(7).unwrap()).map_err(|closed| closed.reason()).unwrap();
            // The job runs on a spare.
            assert_eq!(filch::blocking(|| told.recv()), Ok(7));
        });
        assert_eq!(pool.shutdown().unwrap().run_by_spares, 1);
    });
}
