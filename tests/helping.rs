//! A worker that waits keeps its pool going: it runs jobs that it waits for, or a spare takes its place. It waits for
//! a job's end, for a latch, for room in a queue of its own pool, for another pool. So nothing here deadlocks, with
//! however few workers, and jobs do not nest without bound.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use common::{Gate, LIMIT, Ledger, within};
use filch::{CountLatch, Pool, Queue};

/// Holds a queue to which a handler submits: the queue's own handler, or another queue's handler.
type Slot<J> = Arc<OnceLock<Queue<J>>>;

/// Room for some hundred nested jobs in a debug build, in bytes.
const STACK: usize = 64 << 20;

fn pool(workers: usize) -> Pool {
    Pool::builder().workers(workers).stack_size(STACK).build().unwrap()
}

#[test]
fn for_the_end_of_jobs() {
    fn fib(n: u64) -> u64 {
        if n < 2 {
            return n;
        }
        let right = filch::spawn(move || fib(n - 2));
        let left = fib(n - 1);
        left + right.join().unwrap()
    }

    within(LIMIT, || {
        for workers in [1, 2, 4] {
            assert_eq!(pool(workers).install(|| fib(16)), 987);
        }
    });
}

#[test]
fn for_a_latch() {
    within(LIMIT, || {
        for workers in [1, 2, 4] {
            let pool = pool(workers);
            let sum = pool.install(|| {
                let (latch, sum) = (Arc::new(CountLatch::new(100)), Arc::new(AtomicUsize::new(0)));
                for number in 0..100 {
                    let (latch, sum) = (Arc::clone(&latch), Arc::clone(&sum));
                    let job = move || {
                        sum.fetch_add(number, Ordering::Relaxed);
                        latch.count_down();
                    };
                    filch::execute(job).unwrap();
                }
                latch.wait();
                sum.load(Ordering::Relaxed)
            });
            assert_eq!(sum, 4_950);
            // Waits with no limit, and with a long limit.
            for patience in [Duration::MAX, Duration::from_secs(3_600)] {
                let done = pool.install(move || {
                    let latch = Arc::new(CountLatch::new(1));
                    let opened = Arc::clone(&latch);
                    filch::execute(move || opened.count_down()).unwrap();
                    latch.wait_timeout(patience)
                });
                assert!(done);
            }
            assert!(!pool.install(|| CountLatch::new(1).wait_timeout(Duration::from_millis(1))));
            assert!(!pool.install(|| CountLatch::new(1).wait_timeout(Duration::ZERO)));
        }
    });
}

#[test]
fn for_a_latch_that_an_outside_thread_opens() {
    within(LIMIT, || {
        let pool = pool(1);
        let latch = Arc::new(CountLatch::new(1));
        let waits = Arc::clone(&latch);
        let handle = pool.spawn(move || waits.wait());
        // The only worker goes on with other jobs while one job waits.
        for number in 0..1_000 {
            assert_eq!(pool.install(move || number), number);
        }
        assert!(!handle.is_finished());
        latch.count_down();
        handle.join().unwrap();
    });
}

#[test]
fn for_another_pool_and_back() {
    fn bounce(here: &Pool, there: &Pool, times: usize) -> usize {
        match times {
            0 => 0,
            _ => there.install(|| bounce(there, here, times - 1)) + 1,
        }
    }

    within(LIMIT, || {
        let (left, right) = (pool(1), pool(1));
        assert_eq!(left.install(|| bounce(&left, &right, 50)), 50);
        // Both directions at the same time.
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| assert_eq!(left.install(|| bounce(&left, &right, 20)), 20));
                scope.spawn(|| assert_eq!(right.install(|| bounce(&right, &left, 20)), 20));
            }
        });
    });
}

#[test]
fn for_room_in_a_queue() {
    within(LIMIT, || {
        for workers in [1, 2, 4] {
            for concurrency in [1, workers] {
                let pool = pool(workers);
                let ledger = Ledger::new(3_000);
                let handled = Arc::clone(&ledger);
                let handler = move |job| handled.mark(job);
                let queue = pool.queue().capacity(1).concurrency(concurrency).build(handler).unwrap();
                pool.install(|| (0..1_000).for_each(|job| queue.submit(job).unwrap()));
                pool.install(|| assert_eq!(queue.submit_all(1_000..2_000).unwrap(), 1_000));
                pool.install(|| {
                    for job in 2_000..3_000 {
                        queue.submit_timeout(job, Duration::MAX).unwrap();
                    }
                });
                queue.wait();
                ledger.assert_once();
            }
        }
    });
}

#[test]
fn for_a_queue_to_be_idle() {
    within(LIMIT, || {
        for workers in [1, 2] {
            let pool = pool(workers);
            let ledger = Ledger::new(1_000);
            let handled = Arc::clone(&ledger);
            let queue = pool.queue().capacity(10).build(move |job| handled.mark(job)).unwrap();
            pool.install(|| {
                queue.submit_all(0..1_000).unwrap();
                queue.wait();
                ledger.assert_once();
            });
        }
    });
}

/// The worker finds no job to run, and nobody makes room. The submission gives up when its timeout has passed.
#[test]
fn for_room_no_longer_than_it_may() {
    within(LIMIT, || {
        let pool = pool(2);
        let gate = Gate::default();
        let (told, tells) = mpsc::channel();
        let held = gate.clone();
        let handler = move |_: usize| {
            told.send(()).unwrap();
            held.wait();
        };
        let queue = pool.queue().capacity(1).concurrency(1).build(handler).unwrap();
        queue.submit(0).unwrap();
        tells.recv().unwrap();
        queue.submit(1).unwrap();
        let late = pool.install(|| {
            [Duration::ZERO, Duration::from_millis(2)].map(|timeout| queue.submit_timeout(2, timeout))
        });
        let late = late.map(|late| late.map_err(|error| (error.is_timeout(), error.into_inner())));
        assert_eq!(late, [Err((true, 2)); 2]);
        let full = pool.install(|| queue.try_submit(3)).unwrap_err();
        assert!(full.is_full() && full.into_inner() == 3);
        gate.open();
    });
}

/// Each job of a queue submits two more jobs to the same queue, which has room for one.
#[test]
fn for_room_in_the_queue_whose_handler_it_is_in() {
    const DEPTH: u32 = 9;

    within(LIMIT, || {
        for workers in [1, 2, 4] {
            for concurrency in [1, workers] {
                let pool = pool(workers);
                let ran = Arc::new(AtomicUsize::new(0));
                let own: Slot<u32> = Slot::default();
                let queue = {
                    let (ran, own) = (Arc::clone(&ran), Arc::downgrade(&own));
                    let handler = move |depth| {
                        ran.fetch_add(1, Ordering::SeqCst);
                        if depth > 0 {
                            let own = own.upgrade().unwrap();
                            own.get().unwrap().submit(depth - 1).unwrap();
                            own.get().unwrap().submit_timeout(depth - 1, Duration::MAX).unwrap();
                        }
                    };
                    pool.queue().capacity(1).concurrency(concurrency).build(handler).unwrap()
                };
                own.set(queue.clone()).unwrap();
                queue.submit(DEPTH).unwrap();
                queue.wait();
                assert_eq!(ran.load(Ordering::SeqCst), (2 << DEPTH) - 1);
                drop(own);
                assert_eq!(pool.shutdown().unwrap().panicked, 0);
            }
        }
    });
}

/// Runs a ring of serial queues with room for one job each. Each handler submits to the next queue.
fn queues_that_feed_each_other(workers: usize, queues: usize) {
    const ROUNDS: usize = 60;
    const SEEDS: usize = 8;

    let pool = pool(workers);
    let ran = Arc::new(AtomicUsize::new(0));
    let slots: Vec<Slot<usize>> = (0..queues).map(|_| Slot::default()).collect();
    for (index, slot) in slots.iter().enumerate() {
        let (ran, next) = (Arc::clone(&ran), Arc::downgrade(&slots[(index + 1) % queues]));
        let handler = move |left: usize| {
            ran.fetch_add(1, Ordering::SeqCst);
            let next = next.upgrade().unwrap();
            if left > 0 {
                next.get().unwrap().submit(left - 1).unwrap();
            }
            if left % 20 == 5 {
                // One more job, which submits nothing further.
                next.get().unwrap().submit(0).unwrap();
            }
        };
        slot.set(pool.queue().capacity(1).concurrency(1).build(handler).unwrap()).unwrap();
    }
    let all: Vec<Queue<usize>> = slots.iter().map(|slot| slot.get().unwrap().clone()).collect();
    for seed in 0..SEEDS {
        all[seed % queues].submit(ROUNDS).unwrap();
    }
    let expected = SEEDS * (ROUNDS + 1 + ROUNDS / 20);
    common::until(|| ran.load(Ordering::SeqCst) == expected);
    drop(slots);
    drop(all);
    assert_eq!(pool.shutdown().unwrap().run as usize, expected);
}

#[test]
fn for_room_in_two_queues_that_feed_each_other_on_1_worker() {
    within(LIMIT, || (0..20).for_each(|_| queues_that_feed_each_other(1, 2)));
}

#[test]
fn for_room_in_two_queues_that_feed_each_other_on_2_workers() {
    within(LIMIT, || (0..20).for_each(|_| queues_that_feed_each_other(2, 2)));
}

#[test]
fn for_room_in_three_queues_that_feed_each_other() {
    within(LIMIT, || (1..4).for_each(|workers| (0..10).for_each(|_| queues_that_feed_each_other(workers, 3))));
}

/// A job fills its own serial queue while it uses the queue's only state. None of the submitted jobs may run before
/// this job has ended, and the queue makes no second state.
#[test]
fn without_a_job_of_a_serial_queue_inside_another() {
    within(LIMIT, || {
        let pool = pool(1);
        let own: Slot<usize> = Slot::default();
        let (nested, made) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let queue = {
            let (own, nested, made) = (Arc::downgrade(&own), Arc::clone(&nested), Arc::clone(&made));
            let make = move |_| {
                made.fetch_add(1, Ordering::SeqCst);
                Mutex::new(0_usize)
            };
            let handler = move |state: &mut Mutex<usize>, depth: usize| {
                *state.get_mut().unwrap() += 1;
                let before = *state.get_mut().unwrap();
                if depth > 0 {
                    nested.fetch_max(depth, Ordering::SeqCst);
                    let own = own.upgrade().unwrap();
                    (0..3).for_each(|_| own.get().unwrap().submit(depth - 1).unwrap());
                }
                assert_eq!(*state.get_mut().unwrap(), before, "a job inside this one got its state");
            };
            pool.queue().capacity(1).concurrency(1).worker_state(make).build(handler).unwrap()
        };
        own.set(queue.clone()).unwrap();
        queue.submit(3).unwrap();
        queue.wait();
        drop(own);
        let report = pool.shutdown().unwrap();
        assert_eq!((report.run, report.panicked), (1 + 3 + 9 + 27, 0));
        assert_eq!(made.load(Ordering::SeqCst), 1, "a second state was made");
    });
}

#[test]
fn but_not_for_the_end_of_its_own_queue() {
    within(LIMIT, || {
        let (told, tells) = mpsc::channel();
        let handler = move |payload: Box<dyn std::any::Any + Send>| {
            told.send(common::text_of(&*payload).to_owned()).unwrap();
        };
        let pool = Pool::builder().workers(2).panic_handler(handler).build().unwrap();
        let own: Slot<()> = Slot::default();
        let weak = Arc::downgrade(&own);
        let queue = pool.queue().build(move |()| weak.upgrade().unwrap().get().unwrap().wait()).unwrap();
        own.set(queue.clone()).unwrap();
        queue.submit(()).unwrap();
        let text = tells.recv().unwrap();
        assert!(text.contains("would wait for its own end"), "{text}");
        queue.wait();
    });
}
