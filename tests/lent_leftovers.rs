//! A job that a lent thread has begun, or keeps for itself from an earlier job, holds up the end of its pool.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use common::{Gate, LIMIT, within};
use filch::{BroadcastContext, Pool, ShutdownError};

/// Long enough to notice a shutdown that returns without waiting. Nothing else depends on it.
const MOMENT: Duration = Duration::from_millis(20);

fn lent() -> Pool {
    Pool::builder().workers(1).use_current_thread().build().unwrap()
}

fn stuck() -> ShutdownError {
    ShutdownError::Timeout { stuck: vec!["filch-0".into()] }
}

#[test]
fn a_job_that_another_left_behind() {
    within(LIMIT, || {
        let pool = lent();
        let ran = Arc::new(AtomicUsize::new(0));
        let counts = {
            let ran = Arc::clone(&ran);
            move || {
                ran.fetch_add(1, Ordering::SeqCst);
            }
        };
        // No worker is idle, so the job stays private.
        pool.install(|| pool.execute(counts)).unwrap();
        thread::scope(|scope| {
            let ended = scope.spawn(|| pool.shutdown_timeout(MOMENT)).join().unwrap();
            assert_eq!((ended, ran.load(Ordering::SeqCst)), (Err(stuck()), 0));
            assert_eq!(filch::yield_now(), Some(filch::Yield::Executed));
            assert_eq!(scope.spawn(|| pool.shutdown()).join().unwrap().unwrap().run, 1);
        });
        assert_eq!(ran.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_job_that_is_run_to_give_way() {
    within(LIMIT, || {
        let pool = lent();
        let (begun, ended) = (Gate::default(), Gate::default());
        let ran = Arc::new(AtomicUsize::new(0));
        let job = {
            let (begun, ended, ran) = (begun.clone(), ended.clone(), Arc::clone(&ran));
            move || {
                begun.open();
                ended.wait();
                let again = Arc::clone(&ran);
                let more = move || {
                    again.fetch_add(1, Ordering::SeqCst);
                };
                filch::execute(more).unwrap();
                ran.fetch_add(1, Ordering::SeqCst);
            }
        };
        pool.execute(job).unwrap();
        thread::scope(|scope| {
            let other = scope.spawn(|| {
                begun.wait();
                assert_eq!(pool.shutdown_timeout(MOMENT), Err(stuck()));
                ended.open();
                pool.shutdown().unwrap().run
            });
            assert_eq!(filch::yield_now(), Some(filch::Yield::Executed));
            assert_eq!(filch::yield_now(), Some(filch::Yield::Executed));
            assert_eq!((other.join().unwrap(), ran.load(Ordering::SeqCst)), (2, 2));
        });
    });
}

/// The lent thread has ended. Another worker takes its turn in a broadcast.
#[test]
fn a_broadcast_after_it_has_gone() {
    within(LIMIT, || {
        let build = || Pool::builder().workers(3).use_current_thread().build().unwrap();
        let pool = thread::spawn(build).join().unwrap();
        assert_eq!(pool.broadcast(|index| index), [0, 1, 2]);
        let (tell, told) = channel();
        pool.spawn_broadcast(move |context| tell.send(context.index()).unwrap()).map_err(|_| ()).unwrap();
        let mut indices: Vec<usize> = told.iter().collect();
        indices.sort_unstable();
        assert_eq!(indices, [0, 1, 2]);
        pool.shutdown().unwrap();
    });
}

#[test]
fn a_broadcast_while_it_goes() {
    within(LIMIT, || {
        for _ in 0..50 {
            let pool = Pool::builder().workers(2).use_current_thread().build().unwrap();
            let (begun, ended) = (Gate::default(), Gate::default());
            let (tell, told) = channel();
            let job = {
                let (begun, ended) = (begun.clone(), ended.clone());
                move || {
                    begun.open();
                    ended.wait();
                    let turn = move |context: BroadcastContext<'_>| tell.send(context.index()).unwrap();
                    filch::spawn_broadcast(turn).map_err(|_| ()).unwrap();
                }
            };
            thread::scope(|scope| {
                scope.spawn(|| pool.execute(job).unwrap()).join().unwrap();
                begun.wait();
                scope.spawn(|| {
                    // The pool is open until the shutdown has begun. After that, the lent thread has no other job to
                    // stay for.
                    while pool.execute(|| ()).is_ok() {
                        thread::yield_now();
                    }
                    ended.open();
                });
                pool.shutdown().unwrap();
            });
            let mut indices: Vec<usize> = told.iter().collect();
            indices.sort_unstable();
            assert_eq!(indices, [0, 1]);
        }
    });
}
