//! Handles of a queue's jobs: when they end, where panics go, and what becomes of them when jobs are refused or the
//! queue ends.

mod common;

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;

use common::{Alive, Gate, LIMIT, Ledger, Token, block_on, collector, fail, number_of, until, within};
use filch::{Pool, SubmitError};

#[test]
fn ends_when_the_handler_has_returned() {
    within(LIMIT, || {
        for workers in [1, 3] {
            let pool = Pool::builder().workers(workers).build().unwrap();
            let ran = Ledger::new(1000);
            let marks = Arc::clone(&ran);
            let queue = pool.queue().capacity(4).build(move |job: usize| marks.mark(job)).unwrap();
            // Every third job has no handle.
            let handles: Vec<_> = (0..1000)
                .filter_map(|job| match job % 3 {
                    0 => queue.submit(job).map(|()| None).unwrap(),
                    _ => Some((job, queue.submit_with_handle(job).unwrap())),
                })
                .collect();
            for (job, handle) in handles {
                if job % 2 == 0 {
                    handle.join().unwrap()
                } else {
                    block_on(handle).unwrap()
                }
                assert_eq!(ran.marks(job), 1);
            }
            queue.wait();
            ran.assert_once();
            assert_eq!(pool.shutdown().unwrap().run, 1000);
        }
    });
}

#[test]
fn not_before() {
    within(LIMIT, || {
        let pool = Pool::builder().workers(1).build().unwrap();
        let (gate, (began, begun)) = (Gate::default(), channel());
        let held = gate.clone();
        let queue = pool
            .queue()
            .build(move |(): ()| {
                began.send(()).unwrap();
                held.wait();
            })
            .unwrap();
        let handle = queue.submit_with_handle(()).unwrap();
        begun.recv().unwrap();
        assert!(!handle.is_finished());
        gate.open();
        handle.join().unwrap();
        assert_eq!(queue.counts().done, 1);
    });
}

#[test]
fn a_panic_goes_to_the_handle_or_to_the_panic_handler() {
    within(LIMIT, || {
        let (handler, caught) = collector();
        let pool = Pool::builder().workers(1).panic_handler(handler).build().unwrap();
        let gate = Gate::default();
        let held = gate.clone();
        let queue = pool
            .queue()
            .build(move |job: usize| {
                held.wait();
                if job > 0 {
                    fail(job)
                }
            })
            .unwrap();
        let kept = queue.submit_with_handle(1).unwrap();
        drop(queue.submit_with_handle(2).unwrap());
        queue.submit(3).unwrap();
        let last = queue.submit_with_handle(0).unwrap();
        gate.open();
        assert_eq!(number_of(&*kept.join().unwrap_err().into_panic()), 1);
        last.join().unwrap();
        assert_eq!(caught(), [2, 3]);
        queue.wait();
        let counts = queue.counts();
        assert_eq!((counts.accepted, counts.done, counts.panicked), (4, 4, 3));
        assert_eq!(pool.shutdown().unwrap().panicked, 2);
    });
}

#[test]
fn a_refused_job_comes_back_and_has_none() {
    within(LIMIT, || {
        let alive = Alive::default();
        let pool = Pool::builder().workers(1).build().unwrap();
        let queue = pool.queue().build(|_: Token| {}).unwrap();
        queue.close();
        match queue.submit_with_handle(alive.token()) {
            Err(SubmitError::Closed(token)) => assert_eq!((drop(token), alive.count()), ((), 0)),
            other => panic!("{:?}", other.map(drop)),
        }
    });
}

#[test]
fn waits_for_room_and_ends_though_the_queue_is_closed_and_the_pool_shut_down() {
    within(LIMIT, || {
        let pool = Pool::builder().workers(2).build().unwrap();
        let gate = Gate::default();
        let (held, ran) = (gate.clone(), Ledger::new(20));
        let marks = Arc::clone(&ran);
        let handler = move |job: usize| {
            held.wait();
            marks.mark(job);
        };
        let queue = pool.queue().capacity(1).concurrency(1).build(handler).unwrap();
        let producer = {
            let queue = queue.clone();
            thread::spawn(move || (0..20).map(|job| queue.submit_with_handle(job).unwrap()).collect::<Vec<_>>())
        };
        until(|| queue.len() == 1);
        gate.open();
        let handles = producer.join().unwrap();
        queue.close();
        drop(queue);
        pool.shutdown().unwrap();
        assert!(handles.iter().all(filch::JoinHandle::is_finished));
        handles.into_iter().for_each(|handle| handle.join().unwrap());
        ran.assert_once();
    });
}

/// A job that goes to the overflow keeps its handle.
#[test]
fn of_jobs_in_a_circle() {
    within(LIMIT, || {
        let pool = Pool::builder().workers(1).build().unwrap();
        let own: Arc<std::sync::OnceLock<filch::Queue<usize>>> = Arc::default();
        let (weak, (tell, told)) = (Arc::downgrade(&own), channel());
        let queue = pool
            .queue()
            .capacity(1)
            .concurrency(1)
            .build(move |job: usize| {
                let own = weak.upgrade().unwrap();
                for job in 0..job {
                    tell.send(own.get().unwrap().submit_with_handle(job).unwrap()).unwrap();
                }
            })
            .unwrap();
        own.set(queue.clone()).unwrap();
        queue.submit_with_handle(5).unwrap().join().unwrap();
        queue.wait();
        assert_eq!(told.try_iter().map(|handle| handle.join().unwrap()).count(), 31);
    });
}
