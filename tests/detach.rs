//! A pool that is let go of: nothing waits, and yet all accepted jobs run and all workers leave. Also workers that
//! borrow, that are put aside, or whose host panics while it starts them.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use common::{LIMIT, within};
use filch::{CountLatch, Pool, WorkerThread};

#[test]
fn detach_does_not_wait_and_loses_nothing() {
    within(LIMIT, || {
        let pool = Pool::builder().workers(2).build().unwrap();
        let (release, blocked) = mpsc::channel::<()>();
        let (ran, jobs) = mpsc::channel();
        for job in 0..10 {
            let ran = ran.clone();
            pool.execute(move || {
                // A job may still submit after the pool has been let go of.
                filch::execute(move || ran.send(job).unwrap()).unwrap();
            })
            .unwrap();
        }
        pool.execute(move || _ = blocked.recv()).unwrap();
        pool.detach();
        drop((release, ran));
        let mut ran: Vec<u32> = jobs.iter().collect();
        ran.sort_unstable();
        assert_eq!(ran, (0..10).collect::<Vec<_>>());
    });
}

#[test]
fn a_job_may_let_its_own_pool_go() {
    within(LIMIT, || {
        let pool = Pool::builder().workers(1).build().unwrap();
        let (hand, handed) = mpsc::channel::<Pool>();
        let (done, end) = mpsc::channel();
        pool.execute(move || {
            handed.recv().unwrap().detach();
            filch::execute(move || done.send(filch::current_worker()).unwrap()).unwrap();
        })
        .unwrap();
        hand.send(pool).unwrap();
        assert_eq!(end.recv(), Ok(Some(0)));
    });
}

#[test]
fn a_lent_thread_is_returned_and_the_only_worker_runs_what_is_left() {
    within(LIMIT, || {
        for workers in 1..3 {
            let pool = Pool::builder().workers(workers).use_current_thread().build().unwrap();
            assert_eq!((filch::current_worker(), pool.current_worker()), (Some(0), Some(0)));
            let (ran, jobs) = mpsc::channel();
            pool.execute(move || ran.send(7).unwrap()).unwrap();
            pool.detach();
            assert_eq!(jobs.recv(), Ok(7));
            assert_eq!(filch::current_worker(), None);
        }
    });
}

#[test]
fn a_lent_thread_runs_its_newest_job_first() {
    within(LIMIT, || {
        let pool = Pool::builder().workers(1).use_current_thread().build().unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        let left = Arc::new(CountLatch::new(3));
        for job in 0..3 {
            let (order, left) = (Arc::clone(&order), Arc::clone(&left));
            pool.execute(move || {
                order.lock().unwrap().push(job);
                left.count_down();
            })
            .unwrap();
        }
        left.wait();
        assert_eq!(*order.lock().unwrap(), [2, 1, 0]);
    });
}

#[test]
fn workers_may_be_put_aside_and_run_later() {
    within(LIMIT, || {
        let mut aside: Vec<WorkerThread> = Vec::new();
        let pool = Pool::builder()
            .workers(2)
            .build_with(|worker| {
                aside.push(worker);
                Ok(())
            })
            .unwrap();
        let early = pool.spawn(|| 1);
        assert!(!early.is_finished(), "no worker runs yet");
        let threads: Vec<_> = aside.into_iter().map(|worker| thread::spawn(|| worker.run())).collect();
        assert_eq!(early.join().unwrap(), 1);
        pool.detach();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn a_panic_while_threads_are_started_ends_those_that_were() {
    within(LIMIT, || {
        let mut threads = Vec::new();
        let result = catch_unwind(AssertUnwindSafe(|| {
            Pool::builder().workers(5).build_with(|worker| {
                assert!(worker.index() < 3, "the fourth");
                threads.push(thread::spawn(|| worker.run()));
                Ok(())
            })
        }));
        let payload = result.expect_err("the panic goes on");
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"the fourth"));
        assert_eq!(threads.len(), 3);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn a_worker_is_known_to_its_own_pool_only() {
    within(LIMIT, || {
        let (one, other) = (Pool::new().unwrap(), Pool::new().unwrap());
        one.install(|| {
            assert!(one.current_worker().is_some());
            assert_eq!(other.current_worker(), None);
        });
        assert_eq!(one.current_worker(), None);
    });
}
