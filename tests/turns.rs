//! Fairness on a worker that never runs out of jobs: a queue, the worker's own jobs, and the jobs that only it may
//! run each get their turn, after at most one long job of each of the others.

mod common;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use common::{Gate, LIMIT, until, within};
use filch::{CountLatch, Pool, Queue};

/// Longer than a time slice.
const LONG: Duration = Duration::from_millis(2);

#[test]
fn a_queue_waits_for_one_long_job_of_another() {
    within(LIMIT, || {
        let pool = Pool::builder().workers(1).build().unwrap();
        let ended = Arc::new(AtomicUsize::new(0));
        let (gate, (began, begun)) = (Gate::default(), channel());
        let slow = {
            let (ended, gate) = (Arc::clone(&ended), gate.clone());
            let handler = move |job: usize| {
                if job == 0 {
                    began.send(()).unwrap();
                    gate.wait();
                }
                thread::sleep(LONG);
                ended.fetch_add(1, Ordering::Relaxed);
            };
            pool.queue().build(handler).unwrap()
        };
        let (saw, seen) = channel();
        let quick = {
            let ended = Arc::clone(&ended);
            let handler = move |(): ()| saw.send(ended.load(Ordering::Relaxed)).unwrap();
            pool.queue().build(handler).unwrap()
        };
        slow.submit_all(0..40).unwrap();
        begun.recv().unwrap();
        quick.submit_all((0..4).map(|_| ())).unwrap();
        gate.open();
        slow.wait();
        assert_eq!(seen.recv().unwrap(), 1, "long jobs before the first quick one");
        pool.shutdown().unwrap();
    });
}

#[test]
fn a_broadcast_beside_a_queue_that_feeds_itself() {
    within(LIMIT, || {
        let pool = Pool::builder().workers(1).build().unwrap();
        let slot: Arc<OnceLock<Queue<()>>> = Arc::default();
        let (stop, turns) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let queue = {
            let (own, stop, turns) = (Arc::downgrade(&slot), Arc::clone(&stop), Arc::clone(&turns));
            let handler = move |(): ()| {
                turns.fetch_add(1, Ordering::Relaxed);
                if !stop.load(Ordering::Relaxed) {
                    own.upgrade().unwrap().get().unwrap().submit(()).unwrap();
                }
            };
            pool.queue().build(handler).unwrap()
        };
        slot.set(queue.clone()).unwrap();
        queue.submit(()).unwrap();
        until(|| turns.load(Ordering::Relaxed) > 0);
        assert_eq!(pool.broadcast(|index| index), [0]);
        stop.store(true, Ordering::Relaxed);
        queue.wait();
    });
}

/// A job that submits itself again until `stop` is set.
fn again(stop: &Arc<AtomicBool>) {
    if !stop.load(Ordering::Relaxed) {
        let stop = Arc::clone(stop);
        filch::execute(move || again(&stop)).unwrap();
    }
}

#[test]
fn an_older_job_beside_one_that_submits_itself_again() {
    within(LIMIT, || {
        let pool = Pool::builder().workers(1).build().unwrap();
        let (stop, ran) = (Arc::new(AtomicBool::new(false)), Arc::new(CountLatch::new(3)));
        let (end, count) = (Arc::clone(&stop), Arc::clone(&ran));
        pool.execute(move || {
            for _ in 0..3 {
                let count = Arc::clone(&count);
                filch::execute(move || count.count_down()).unwrap();
            }
            again(&end);
        })
        .unwrap();
        until(|| ran.count() == 0);
        stop.store(true, Ordering::Relaxed);
        pool.shutdown().unwrap();
    });
}

#[test]
fn a_broadcast_beside_a_job_that_submits_itself_again() {
    within(LIMIT, || {
        let pool = Pool::builder().workers(1).build().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&stop);
        let (began, begun) = channel();
        pool.execute(move || {
            again(&end);
            began.send(()).unwrap();
        })
        .unwrap();
        begun.recv().unwrap();
        assert_eq!(pool.broadcast(|index| index), [0]);
        stop.store(true, Ordering::Relaxed);
        pool.shutdown().unwrap();
    });
}
