//! A queue that closes when it has nothing left to do. Until then its own handlers may submit more jobs, and nobody
//! else may.

mod common;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use common::{Gate, LIMIT, until, within};
use filch::{Pool, Queue, SubmitError};

/// Makes a queue of `pool` whose job `n` submits the jobs 0 to `n - 1` to the same queue.
fn tree(pool: &Pool, capacity: usize, concurrency: usize) -> (Queue<usize>, Arc<OnceLock<Queue<usize>>>) {
    let own: Arc<OnceLock<Queue<usize>>> = Arc::default();
    let weak = Arc::downgrade(&own);
    let handler = move |job: usize| {
        let own = weak.upgrade().unwrap();
        for below in 0..job {
            own.get().unwrap().submit(below).expect("a handler's own job before the close");
        }
    };
    let queue = pool.queue().capacity(capacity).concurrency(concurrency).build(handler).unwrap();
    own.set(queue.clone()).unwrap();
    (queue, own)
}

#[test]
fn a_crawl_runs_to_its_end() {
    within(LIMIT, || {
        for workers in [1, 3] {
            let (handler, panics) = channel();
            let handler = std::sync::Mutex::new(handler);
            let pool = Pool::builder()
                .workers(workers)
                .panic_handler(move |_| handler.lock().unwrap().send(()).unwrap())
                .build()
                .unwrap();
            // Capacities with room for all jobs and for one job only: a small queue must put jobs into its overflow.
            for (capacity, concurrency) in [(1, 1), (1, 2), (2, 3), (1024, 1), (1024, 3)] {
                for _ in 0..30 {
                    let (queue, own) = tree(&pool, capacity, concurrency);
                    queue.submit_all([5, 3]).unwrap();
                    queue.close_when_idle();
                    assert!(queue.is_closed());
                    assert!(matches!(queue.try_submit(1), Err(SubmitError::Closed(1))));
                    queue.wait();
                    let counts = queue.counts();
                    assert_eq!((counts.accepted, counts.done), (32 + 8, 32 + 8));
                    drop(own);
                }
            }
            drop(pool);
            assert_eq!(panics.try_iter().count(), 0, "jobs of handlers that were refused");
        }
    });
}

#[test]
fn at_once_if_it_is_idle_and_more_than_once() {
    within(LIMIT, || {
        let pool = Pool::builder().workers(1).build().unwrap();
        let (queue, _own) = tree(&pool, 4, 1);
        queue.close_when_idle();
        queue.close_when_idle();
        assert!(queue.is_closed());
        assert!(matches!(queue.submit(1), Err(SubmitError::Closed(1))));
        assert!(matches!(queue.submit_timeout(1, Duration::MAX), Err(SubmitError::Closed(1))));
        queue.wait();
        queue.close();
        queue.wait();
        assert_eq!(queue.counts().accepted, 0);
    });
}

/// Other jobs of the pool, and threads that wait for room, do not belong to the queue. Their jobs are refused.
#[test]
fn nobody_else_is_let_in() {
    within(LIMIT, || {
        let pool = Pool::builder().workers(2).build().unwrap();
        let (gate, (began, begun)) = (Gate::default(), channel());
        let held = gate.clone();
        let queue = pool
            .queue()
            .capacity(1)
            .concurrency(1)
            .build(move |_: usize| {
                began.send(()).unwrap();
                held.wait();
            })
            .unwrap();
        queue.submit(1).unwrap();
        begun.recv().unwrap();
        queue.submit(2).unwrap();
        // The queue is full: one submitter waits for room outside the pool, another one inside.
        let waiting = Arc::new(AtomicUsize::new(0));
        let submit = |job: usize| {
            let (queue, waiting) = (queue.clone(), Arc::clone(&waiting));
            move || {
                waiting.fetch_add(1, Ordering::SeqCst);
                queue.submit(job)
            }
        };
        let outside = thread::spawn(submit(3));
        let inside = pool.spawn(submit(4));
        until(|| waiting.load(Ordering::SeqCst) == 2);
        queue.close_when_idle();
        assert!(matches!(outside.join().unwrap(), Err(SubmitError::Closed(3))));
        assert!(matches!(inside.join().unwrap(), Err(SubmitError::Closed(4))));
        let other = queue.clone();
        assert!(matches!(pool.install(move || other.submit(5)), Err(SubmitError::Closed(5))));
        gate.open();
        queue.wait();
        assert_eq!(queue.counts().done, 2);
    });
}

#[test]
fn a_close_wins() {
    within(LIMIT, || {
        let pool = Pool::builder().workers(1).build().unwrap();
        let own: Arc<OnceLock<Queue<bool>>> = Arc::default();
        let weak = Arc::downgrade(&own);
        let (tell, told) = channel();
        let handler = move |first: bool| {
            if first {
                let own = weak.upgrade().unwrap();
                let queue = own.get().unwrap();
                queue.close_when_idle();
                queue.submit(false).unwrap();
                queue.close();
                tell.send(queue.submit(false).is_err()).unwrap();
            }
        };
        let queue = pool.queue().build(handler).unwrap();
        own.set(queue.clone()).unwrap();
        queue.submit(true).unwrap();
        assert!(told.recv().unwrap());
        queue.wait();
        assert_eq!(queue.counts().done, 2);
    });
}

#[test]
fn the_pools_shutdown_runs_it_to_its_end() {
    within(LIMIT, || {
        for _ in 0..50 {
            let pool = Pool::builder().workers(2).build().unwrap();
            let (queue, _own) = tree(&pool, 2, 2);
            queue.submit(6).unwrap();
            queue.close_when_idle();
            assert_eq!(pool.shutdown().unwrap().run, 64);
            assert_eq!(queue.counts().done, 64);
        }
    });
}

/// Producers submit while the queue closes. Each accepted job runs, and so does each job that it submits.
#[test]
fn against_producers() {
    within(LIMIT, || {
        let pool = Pool::builder().workers(2).build().unwrap();
        for round in 0..300 {
            let (queue, _own) = tree(&pool, 1 + round % 4, 1 + round % 2);
            let go = Arc::new(AtomicBool::new(false));
            let producers: Vec<_> = (0..2)
                .map(|_| {
                    let (queue, go) = (queue.clone(), Arc::clone(&go));
                    thread::spawn(move || {
                        until(|| go.load(Ordering::Relaxed));
                        (0..50).filter(|_| queue.submit(2).is_ok()).count()
                    })
                })
                .collect();
            go.store(true, Ordering::Relaxed);
            until(|| queue.counts().accepted >= (round % 60) as u64);
            queue.close_when_idle();
            let accepted: usize = producers.into_iter().map(|producer| producer.join().unwrap()).sum();
            queue.wait();
            assert_eq!(queue.counts().done, 4 * accepted as u64);
        }
    });
}
