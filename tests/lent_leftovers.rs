//! What a lent thread has begun, or keeps for itself from a job that is over, holds up the end of its pool.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use common::{Gate, LIMIT, within};
use filch::{Pool, ShutdownError};

/// Long enough that a shutdown which does not wait is seen to return; it decides nothing else.
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
        // Nobody is idle, so the job stays private.
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
