//! Bounded queues.

use filch::{CountLatch, Queue};
use shuttle::sync::Arc;
use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::thread;
use std::sync::OnceLock;

use super::{below, idle, pool};

/// Notes the jobs that were handled, and fails if one is handled twice.
#[derive(Clone)]
struct Tally(Arc<Vec<AtomicUsize>>);

impl Tally {
    fn new(count: usize) -> Tally {
        Tally(Arc::new((0..count).map(|_| AtomicUsize::new(0)).collect()))
    }

    fn note(&self, job: usize) {
        assert_eq!(self.0[job].fetch_add(1, Ordering::Relaxed), 0, "job {job} ran twice");
    }

    fn noted(&self) -> usize {
        self.0.iter().map(|job| job.load(Ordering::Relaxed)).sum()
    }
}

const PRODUCERS: usize = 4;
const JOBS: usize = 3;

/// Four threads and two jobs of the pool submit to a queue of capacity 1 or 2, whose handler submits to another
/// queue. Every job is handled once by each, and nobody waits for ever for room or for the end.
pub(super) fn backpressure() {
    let pool = pool();
    let total = (PRODUCERS + 2) * JOBS;
    let tallies = [Tally::new(total), Tally::new(total)];
    let second = {
        let tally = tallies[1].clone();
        pool.queue().capacity(1).build(move |job| tally.note(job)).expect("a queue")
    };
    let first = {
        let (tally, second) = (tallies[0].clone(), second.clone());
        let queue = pool.queue().capacity(1 + below(2)).concurrency(1 + below(3));
        let handler = move |job: usize| {
            tally.note(job);
            second.submit(job).expect("an open queue");
        };
        queue.build(handler).expect("a queue")
    };
    let produce = |producer: usize| {
        let queue = first.clone();
        move || {
            for job in 0..JOBS {
                queue.submit(producer * JOBS + job).expect("an open queue");
            }
        }
    };
    let inside = [0, 1].map(|producer| pool.spawn(produce(PRODUCERS + producer)));
    let outside: Vec<_> = (0..PRODUCERS).map(|producer| thread::spawn(produce(producer))).collect();
    outside.into_iter().for_each(|thread| thread.join().expect("a producer"));
    inside.into_iter().for_each(|handle| handle.join().expect("a producer"));
    first.wait();
    assert_eq!(tallies[0].noted(), total, "the wait for the first queue ended early");
    second.wait();
    assert_eq!(tallies[1].noted(), total, "the wait for the second queue ended early");
    pool.shutdown().expect("a shutdown from outside");
}

/// The handlers of two queues of capacity 1 submit to each other. Workers that wait for each other's room make room.
pub(super) fn circle() {
    const HOPS: usize = 2;
    let pool = pool();
    let tally = Tally::new(PRODUCERS * (HOPS + 1));
    let done = Arc::new(CountLatch::new(PRODUCERS));
    let ends: Arc<[OnceLock<Queue<usize>>; 2]> = Arc::default();
    let queues = [0, 1].map(|end| {
        let (tally, ends, done) = (tally.clone(), Arc::downgrade(&ends), Arc::clone(&done));
        let handler = move |job: usize| {
            tally.note(job);
            if job % (HOPS + 1) < HOPS {
                let ends = ends.upgrade().expect("the queues are in use");
                ends[1 - end].get().expect("both queues").submit(job + 1).expect("an open queue");
            } else {
                done.count_down();
            }
        };
        pool.queue().capacity(1).concurrency(1 + below(2)).build(handler).expect("a queue")
    });
    for (end, queue) in ends.iter().zip(&queues) {
        assert!(end.set(queue.clone()).is_ok());
    }
    let producers: Vec<_> = (0..PRODUCERS)
        .map(|producer| {
            let queue = queues[producer % 2].clone();
            thread::spawn(move || queue.submit(producer * (HOPS + 1)).expect("an open queue"))
        })
        .collect();
    producers.into_iter().for_each(|thread| thread.join().expect("a producer"));
    done.wait();
    queues.iter().for_each(Queue::wait);
    assert_eq!(tally.noted(), PRODUCERS * (HOPS + 1));
    pool.shutdown().expect("a shutdown from outside");
}

/// Producers submit while the pool shuts down. What was accepted is handled once when the shutdown returns, what was
/// refused is never handled, and the report counts the handled jobs.
pub(super) fn shutdown() {
    let pool = pool();
    let tally = Tally::new(PRODUCERS * JOBS);
    let queue = {
        let tally = tally.clone();
        let queue = pool.queue().capacity(1 + below(2)).concurrency(1 + below(3));
        queue.build(move |job| tally.note(job)).expect("a queue")
    };
    let producers: Vec<_> = (0..PRODUCERS)
        .map(|producer| {
            let queue = queue.clone();
            let submit = move |job: &usize| {
                idle();
                queue.submit(producer * JOBS + job).is_ok()
            };
            thread::spawn(move || (0..JOBS).filter(submit).count())
        })
        .collect();
    idle();
    let report = pool.shutdown().expect("a shutdown from outside");
    let handled = tally.noted();
    let accepted: usize = producers.into_iter().map(|thread| thread.join().expect("a producer")).sum();
    assert_eq!(handled, accepted, "accepted and not handled, or handled and not accepted");
    assert_eq!(tally.noted(), handled, "a job was handled after the shutdown");
    assert_eq!(report.run, handled as u64);
}

/// Producers submit against `close_when_idle`, on a queue whose handler makes more jobs and uses the overflow where
/// there is no room. Each accepted job is handled, with all that it makes, before the wait ends. By then each
/// worker's state was handed over, once.
pub(super) fn drain() {
    let pool = pool();
    let (handled, made, ended) = <(Arc<AtomicUsize>, Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
    let own: Arc<OnceLock<Queue<usize>>> = Arc::default();
    let queue = {
        let (handled, made, ended) = (Arc::clone(&handled), Arc::clone(&made), Arc::clone(&ended));
        let own = Arc::downgrade(&own);
        let queue = pool.queue().capacity(1 + below(3)).concurrency(1 + below(3));
        let make = move |worker| {
            made.fetch_add(1, Ordering::Relaxed);
            worker
        };
        let end = move |worker, state| {
            assert_eq!((worker, filch::current_worker()), (state, Some(state)), "the state of another worker");
            ended.fetch_add(1, Ordering::Relaxed);
        };
        let handler = move |_: &mut usize, job: usize| {
            handled.fetch_add(1, Ordering::Relaxed);
            let own = own.upgrade().expect("the queue is in use");
            for job in 0..job {
                own.get().expect("the queue").submit(job).expect("a handler's own job");
            }
        };
        queue.worker_state(make).state_end(end).build(handler).expect("a queue")
    };
    assert!(own.set(queue.clone()).is_ok());
    let producers: Vec<_> = (0..2)
        .map(|_| {
            let queue = queue.clone();
            let submit = move |_: &usize| {
                idle();
                queue.submit(2).is_ok()
            };
            thread::spawn(move || (0..2).filter(submit).count())
        })
        .collect();
    idle();
    queue.close_when_idle();
    let shut = (below(2) == 0).then(|| pool.shutdown().expect("a shutdown from outside"));
    queue.wait();
    let (jobs, ends) = (handled.load(Ordering::Relaxed), ended.load(Ordering::Relaxed));
    let accepted: usize = producers.into_iter().map(|thread| thread.join().expect("a producer")).sum();
    assert_eq!(jobs, 4 * accepted, "accepted and not handled when the wait ended");
    assert_eq!(ends, made.load(Ordering::Relaxed), "states that were not ended when the wait did");
    assert_eq!(handled.load(Ordering::Relaxed), jobs, "a job was handled after the close");
    drop(shut);
    pool.shutdown().expect("a shutdown from outside");
}
