//! A bounded queue: it holds no more than its capacity, and runs no more jobs at once than its concurrency; a serial
//! one runs them in order. Each worker has its state. Accepted jobs run, refused jobs are handed back.

mod common;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use common::{Alive, Gate, LIMIT, Ledger, collector, fail, until, within};
use filch::{CountLatch, Pool, Queue, SubmitError};

fn pool(workers: usize) -> Pool {
    Pool::builder().workers(workers).build().unwrap()
}

/// A serial queue of `capacity` whose worker is held up by a first job, `usize::MAX`. `handled` lists the jobs that
/// ran.
struct Held {
    queue: Queue<usize>,
    gate: Gate,
    handled: Arc<Mutex<Vec<usize>>>,
}

fn held(pool: &Pool, capacity: usize) -> Held {
    let (gate, handled) = (Gate::default(), Arc::new(Mutex::new(Vec::new())));
    let (told, tells) = mpsc::channel();
    let handler = {
        let (gate, handled) = (gate.clone(), Arc::clone(&handled));
        move |job| {
            if job == usize::MAX {
                told.send(()).unwrap();
                gate.wait();
            } else {
                handled.lock().unwrap().push(job);
            }
        }
    };
    let queue = pool.queue().capacity(capacity).concurrency(1).build(handler).unwrap();
    queue.submit(usize::MAX).unwrap();
    tells.recv().unwrap();
    Held { queue, gate, handled }
}

impl Held {
    fn handled(&self) -> Vec<usize> {
        self.handled.lock().unwrap().clone()
    }
}

#[test]
fn holds_as_many_as_its_capacity() {
    within(LIMIT, || {
        let pool = pool(2);
        for capacity in [1, 2, 3, 4, 7, 8, 100] {
            let held = held(&pool, capacity);
            assert_eq!((held.queue.capacity(), held.queue.len()), (capacity, 0));
            assert!(held.queue.is_empty());
            for job in 0..capacity {
                held.queue.try_submit(job).unwrap();
                assert_eq!(held.queue.len(), job + 1);
            }
            assert!(!held.queue.is_empty());
            let full = held.queue.try_submit(capacity).unwrap_err();
            assert!(full.is_full());
            let SubmitError::Full(full) = full else { panic!("{full:?}") };
            assert_eq!((full.job, full.capacity), (capacity, capacity));
            held.gate.open();
            held.queue.wait();
            assert_eq!(held.handled(), (0..capacity).collect::<Vec<_>>());
            assert!(held.queue.is_empty());
        }
        assert_eq!(pool.queue().build(|(): ()| {}).unwrap().capacity(), 1_024, "if not given");
    });
}

/// A producer that waits for room goes on when there is room, and only then.
#[test]
fn submit_waits_while_it_is_full() {
    const JOBS: usize = 500;

    within(LIMIT, || {
        for capacity in [1, 2, 16] {
            let pool = pool(2);
            let accepted = Arc::new(AtomicUsize::new(0));
            let (allow, allowed) = mpsc::channel::<()>();
            let (allowed, begun) = (Mutex::new(allowed), Arc::new(AtomicUsize::new(0)));
            let handler = {
                let begun = Arc::clone(&begun);
                move |job| {
                    assert_eq!(begun.fetch_add(1, Ordering::SeqCst), job, "in order");
                    allowed.lock().unwrap().recv().unwrap();
                }
            };
            let queue = pool.queue().capacity(capacity).concurrency(1).build(handler).unwrap();
            let producer = {
                let (queue, accepted) = (queue.clone(), Arc::clone(&accepted));
                thread::spawn(move || {
                    for job in 0..JOBS {
                        queue.submit(job).unwrap();
                        accepted.fetch_add(1, Ordering::SeqCst);
                    }
                })
            };
            for round in 0..JOBS {
                // One job is being handled and the queue is full again. No further job was accepted.
                let most = (round + 1 + capacity).min(JOBS);
                until(|| begun.load(Ordering::SeqCst) == round + 1 && accepted.load(Ordering::SeqCst) == most);
                assert_eq!(queue.len(), most - (round + 1));
                allow.send(()).unwrap();
            }
            producer.join().unwrap();
            queue.wait();
            assert_eq!(pool.shutdown().unwrap().panicked, 0);
        }
    });
}

#[test]
fn many_producers_wait_for_one_slot() {
    const PRODUCERS: usize = 16;
    const EACH: usize = 500;

    within(LIMIT, || {
        for concurrency in [1, 2] {
            let pool = pool(2);
            let ledger = Ledger::new(PRODUCERS * EACH);
            let handled = Arc::clone(&ledger);
            let queue = pool.queue().capacity(1).concurrency(concurrency);
            let queue = queue.build(move |job| handled.mark(job)).unwrap();
            thread::scope(|scope| {
                for producer in 0..PRODUCERS {
                    let queue = queue.clone();
                    scope.spawn(move || {
                        for job in producer * EACH..(producer + 1) * EACH {
                            match job % 3 {
                                0 => queue.submit(job).unwrap(),
                                1 => queue.submit_timeout(job, Duration::MAX).unwrap(),
                                _ => drop(queue.submit_all([job]).unwrap()),
                            }
                        }
                    });
                }
            });
            queue.wait();
            ledger.assert_once();
        }
    });
}

#[test]
fn submit_timeout_gives_up() {
    within(LIMIT, || {
        let pool = pool(1);
        let held = held(&pool, 1);
        held.queue.submit_timeout(0, Duration::ZERO).unwrap();
        let once = held.queue.submit_timeout(1, Duration::ZERO).unwrap_err();
        assert!(once.is_timeout() && once.into_inner() == 1);
        let (begin, patience) = (Instant::now(), Duration::from_millis(20));
        let late = held.queue.submit_timeout(2, patience).unwrap_err();
        assert!(begin.elapsed() >= patience, "it gave up early");
        assert!(late.is_timeout() && !late.is_full() && !late.is_closed());
        assert_eq!(late.into_inner(), 2);
        // A producer that gave up does not keep other producers from being woken.
        let (queue, gate) = (held.queue.clone(), held.gate.clone());
        let (told, tells) = mpsc::channel();
        let patient = thread::spawn(move || {
            told.send(()).unwrap();
            queue.submit_timeout(3, Duration::MAX)
        });
        tells.recv().unwrap();
        gate.open();
        patient.join().unwrap().unwrap();
        held.queue.wait();
        assert_eq!(held.handled(), [0, 3]);
    });
}

#[test]
fn submit_all_takes_a_job_when_the_one_before_is_in() {
    within(LIMIT, || {
        let pool = pool(1);
        let held = held(&pool, 4);
        let taken = Arc::new(AtomicUsize::new(0));
        let (queue, takes) = (held.queue.clone(), Arc::clone(&taken));
        let producer = thread::spawn(move || {
            let mut jobs = (0..100).inspect(|_| {
                takes.fetch_add(1, Ordering::SeqCst);
            });
            let refused = queue.submit_all(&mut jobs).unwrap_err();
            assert!(refused.is_closed());
            (refused.into_inner(), jobs.next())
        });
        // Four jobs are in the queue. The producer holds the fifth and waits.
        until(|| taken.load(Ordering::SeqCst) == 5);
        assert_eq!(held.queue.len(), 4);
        held.queue.close();
        assert_eq!(producer.join().unwrap(), (4, Some(5)), "the first refused, and the rest is left");
        held.gate.open();
        held.queue.wait();
        assert_eq!(held.handled(), [0, 1, 2, 3]);
        assert_eq!(held.queue.submit_all([]).unwrap(), 0, "there was nothing to refuse");
    });
}

#[test]
fn with_a_concurrency_of_1_it_runs_strictly_in_order() {
    const JOBS: usize = 50_000;

    within(LIMIT, || {
        for capacity in [1, 10, 1_024] {
            let pool = pool(4);
            let (next, alone) = (Arc::new(AtomicUsize::new(0)), Mutex::new(()));
            let seen = Arc::clone(&next);
            let handler = move |job| {
                let _alone = alone.try_lock().expect("two at once");
                assert_eq!(seen.load(Ordering::Relaxed), job, "out of order");
                seen.store(job + 1, Ordering::Relaxed);
            };
            let queue = pool.queue().capacity(capacity).concurrency(1).build(handler).unwrap();
            queue.submit_all(0..JOBS).unwrap();
            queue.wait();
            assert_eq!(next.load(Ordering::Relaxed), JOBS);
            assert_eq!(pool.shutdown().unwrap().panicked, 0);
        }
    });
}

#[test]
fn with_a_concurrency_of_1_each_producers_jobs_are_in_order() {
    const EACH: usize = 10_000;

    within(LIMIT, || {
        let pool = pool(3);
        let handler = {
            let next = Mutex::new([0; 3]);
            move |(producer, job): (usize, usize)| {
                let mut next = next.try_lock().expect("two at once");
                assert_eq!(next[producer], job, "out of order");
                next[producer] += 1;
            }
        };
        let queue = pool.queue().capacity(7).concurrency(1).build(handler).unwrap();
        thread::scope(|scope| {
            for producer in 0..3 {
                let queue = queue.clone();
                scope.spawn(move || (0..EACH).for_each(|job| queue.submit((producer, job)).unwrap()));
            }
        });
        let report = pool.shutdown().unwrap();
        assert_eq!((report.run, report.panicked), (3 * EACH as u64, 0));
    });
}

#[test]
fn runs_as_many_at_once_as_its_concurrency_and_no_more() {
    const WORKERS: usize = 4;
    const JOBS: usize = 10_000;

    within(LIMIT, || {
        for asked in [1, 2, 3, 4, 5, usize::MAX] {
            let concurrency = asked.min(WORKERS);
            let pool = pool(WORKERS);
            let (now, most) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
            let peak = Arc::clone(&most);
            let handler = move |_: usize| {
                let running = now.fetch_add(1, Ordering::SeqCst) + 1;
                peak.fetch_max(running, Ordering::SeqCst);
                thread::yield_now();
                now.fetch_sub(1, Ordering::SeqCst);
            };
            let queue = pool.queue().capacity(100).concurrency(asked).build(handler).unwrap();
            thread::scope(|scope| {
                // Producers outside and inside. The producer inside also runs jobs of the queue to make room.
                scope.spawn(|| queue.submit_all(0..JOBS / 2).unwrap());
                scope.spawn(|| pool.install(|| queue.submit_all(JOBS / 2..JOBS).unwrap()));
            });
            queue.wait();
            assert!(most.load(Ordering::SeqCst) <= concurrency, "{most:?} of {concurrency}");

            // The queue must also reach this concurrency: each job waits for the others.
            let met = Arc::new(Barrier::new(concurrency));
            let handler = move |_: usize| {
                met.wait();
            };
            let queue = pool.queue().capacity(100).concurrency(asked).build(handler).unwrap();
            for _ in 0..200 {
                queue.submit_all(0..concurrency).unwrap();
                queue.wait();
            }
        }
    });
}

/// The handler waits for what the producer does after its submission. A producer that waits for more room than its
/// one job needs, because earlier jobs took long, never does it.
#[test]
fn a_handler_may_wait_for_what_its_producer_does_next() {
    within(LIMIT, || {
        for workers in [1, 2] {
            let pool = pool(workers);
            let (told, tell) = mpsc::channel();
            let tell = Mutex::new(tell);
            let handler = move |waits: bool| {
                if waits {
                    tell.lock().unwrap().recv().unwrap();
                } else {
                    let begun = Instant::now();
                    while begun.elapsed() < Duration::from_micros(50) {}
                }
            };
            let queue = pool.queue().capacity(8).concurrency(1).build(handler).unwrap();
            for _ in 0..20 {
                for job in 0..40 {
                    queue.submit(job % 20 == 19).unwrap();
                    if job % 20 == 19 {
                        // The queue holds that job and has room for seven more. The eighth submission waits until
                        // that job has begun.
                        (0..8).for_each(|_| queue.submit(false).unwrap());
                        told.send(()).unwrap();
                    }
                }
            }
            queue.wait();
            assert_eq!(queue.counts().done, 20 * (40 + 16));
        }
    });
}

#[test]
fn each_worker_has_its_state() {
    const WORKERS: usize = 3;
    const JOBS: usize = 9_000;

    struct State {
        worker: usize,
        jobs: usize,
        total: Arc<AtomicUsize>,
    }

    impl Drop for State {
        fn drop(&mut self) {
            self.total.fetch_add(self.jobs, Ordering::SeqCst);
        }
    }

    within(LIMIT, || {
        let pool = pool(WORKERS);
        let (made, total) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let make = {
            let (made, total) = (Arc::clone(&made), Arc::clone(&total));
            move |worker| {
                assert_eq!(filch::current_worker(), Some(worker), "made on the worker");
                made.lock().unwrap().push(worker);
                State { worker, jobs: 0, total: Arc::clone(&total) }
            }
        };
        let handler = |state: &mut State, job: usize| {
            assert_eq!(filch::current_worker(), Some(state.worker));
            state.jobs += 1;
            if job.is_multiple_of(100) {
                // The panic leaves the state as it is here, and the worker keeps the state.
                fail(job);
            }
        };
        let builder = pool.queue().worker_state(make).capacity(8).concurrency(WORKERS);
        let queue = builder.build(handler).unwrap();
        assert_eq!(queue.capacity(), 8);
        queue.submit_all(0..JOBS).unwrap();
        queue.wait();
        let made = made.lock().unwrap().clone();
        assert_eq!(made.iter().collect::<BTreeSet<_>>().len(), made.len(), "one for each: {made:?}");
        assert!((1..=WORKERS).contains(&made.len()));
        assert_eq!(total.load(Ordering::SeqCst), 0, "the states stay with the workers");
        drop(queue);
        assert_eq!(pool.shutdown().unwrap().panicked, JOBS as u64 / 100);
        assert_eq!(
            total.load(Ordering::SeqCst),
            JOBS,
            "all jobs came upon a state, dropped once with the queue"
        );
    });
}

#[test]
fn a_state_that_cannot_be_made_costs_the_job_that_needed_it() {
    within(LIMIT, || {
        let (handler, seen) = collector();
        let pool = Pool::builder().workers(2).panic_handler(handler).build().unwrap();
        let (attempts, ran) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
        let make = move |_| match attempts.fetch_add(1, Ordering::SeqCst) {
            attempt if attempt < 5 => fail(attempt),
            _ => (),
        };
        let counted = Arc::clone(&ran);
        let handler = move |(): &mut (), _: usize| {
            counted.fetch_add(1, Ordering::SeqCst);
        };
        let queue = pool.queue().capacity(4).worker_state(make).build(handler).unwrap();
        queue.submit_all(0..1_000).unwrap();
        queue.wait();
        assert_eq!(ran.load(Ordering::SeqCst), 995);
        assert_eq!(seen(), [0, 1, 2, 3, 4]);
        let report = pool.shutdown().unwrap();
        assert_eq!((report.run, report.panicked), (1_000, 5));
    });
}

#[test]
fn closing_lets_finish_what_was_accepted() {
    within(LIMIT, || {
        let pool = pool(2);
        let held = held(&pool, 8);
        let clone = held.queue.clone();
        (0..5).for_each(|job| held.queue.submit(job).unwrap());
        assert!(!clone.is_closed());
        held.queue.close();
        clone.close();
        assert!(held.queue.is_closed() && clone.is_closed());
        assert!(clone.submit(5) == Err(SubmitError::Closed(5)));
        assert!(clone.try_submit(6) == Err(SubmitError::Closed(6)));
        assert!(clone.submit_timeout(7, Duration::ZERO) == Err(SubmitError::Closed(7)));
        assert!(clone.submit_timeout(8, Duration::MAX) == Err(SubmitError::Closed(8)));
        assert!(clone.submit_all(9..20) == Err(SubmitError::Closed(9)));
        assert!(pool.install(|| clone.submit(20)) == Err(SubmitError::Closed(20)), "not even from a job");
        assert_eq!(held.queue.len(), 5);
        held.gate.open();
        held.queue.wait();
        assert_eq!(held.handled(), [0, 1, 2, 3, 4]);
        assert_eq!(pool.install(|| 1), 1, "the pool is open");
    });
}

/// Closing sends away producers that wait, in whatever way they wait.
#[test]
fn closing_sends_away_those_who_wait() {
    within(LIMIT, || {
        for by_shutdown in [false, true] {
            let pool = Arc::new(pool(1));
            let held = held(&pool, 1);
            held.queue.submit(0).unwrap();
            let begun = Arc::new(Barrier::new(4));
            let producers: Vec<_> = (1..4)
                .map(|job| {
                    let (queue, begun) = (held.queue.clone(), Arc::clone(&begun));
                    thread::spawn(move || {
                        begun.wait();
                        match job {
                            1 => queue.submit(job),
                            2 => queue.submit_timeout(job, Duration::MAX),
                            _ => queue.submit_all([job]).map(drop),
                        }
                    })
                })
                .collect();
            begun.wait();
            if by_shutdown {
                assert!(pool.shutdown_timeout(Duration::from_millis(1)).is_err());
            } else {
                held.queue.close();
            }
            for (job, producer) in (1..4).zip(producers) {
                assert!(producer.join().unwrap() == Err(SubmitError::Closed(job)));
            }
            held.gate.open();
            held.queue.wait();
            assert_eq!(held.handled(), [0]);
        }
    });
}

#[test]
fn dropping_the_last_handle_closes_it() {
    within(LIMIT, || {
        let pool = pool(2);
        let alive = Alive::default();
        let held = held(&pool, 8);
        let (queue, ran) = {
            let ran = Arc::new(AtomicUsize::new(0));
            let (counted, gate, state) = (Arc::clone(&ran), held.gate.clone(), alive.clone());
            let handler = move |_: &mut common::Token, _: usize| {
                gate.wait();
                counted.fetch_add(1, Ordering::SeqCst);
            };
            (pool.queue().worker_state(move |_| state.token()).build(handler).unwrap(), ran)
        };
        let clone = queue.clone();
        queue.submit_all(0..100).unwrap();
        drop(queue);
        clone.submit(100).unwrap();
        drop(clone);
        held.gate.open();
        until(|| ran.load(Ordering::SeqCst) == 101);
        until(|| alive.count() == 0);
        assert_eq!(pool.install(|| 1), 1, "the pool is open");
    });
}

#[test]
fn wait_is_for_all_that_was_accepted() {
    within(LIMIT, || {
        let pool = pool(2);
        let queue_of = |latch: Arc<CountLatch>| {
            let handler = move |yields: usize| {
                (0..yields).for_each(|_| thread::yield_now());
                latch.count_down();
            };
            pool.queue().capacity(16).build(handler).unwrap()
        };
        queue_of(Arc::default()).wait();
        for round in 0..2_000 {
            let jobs = 1 + round % 5;
            let latch = Arc::new(CountLatch::new(jobs));
            let queue = queue_of(Arc::clone(&latch));
            (0..jobs).for_each(|job| queue.submit(job * (round % 7)).unwrap());
            if round % 2 == 0 {
                queue.close();
            }
            thread::scope(|scope| {
                let waits: Vec<_> = (0..round % 3).map(|_| scope.spawn(|| queue.wait())).collect();
                queue.wait();
                assert_eq!(latch.count(), 0, "a job had not ended");
                waits.into_iter().for_each(|wait| wait.join().unwrap());
            });
            queue.wait();
        }
    });
}

/// Each wait ends although other threads go on submitting.
#[test]
fn wait_beside_a_busy_producer() {
    within(LIMIT, || {
        let pool = pool(2);
        let handled = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&handled);
        let queue = pool.queue().capacity(4).build(move |_: usize| {
            counted.fetch_add(1, Ordering::SeqCst);
        });
        let queue = queue.unwrap();
        let stop = Gate::default();
        let accepted = Arc::new(AtomicUsize::new(0));
        thread::scope(|scope| {
            let (producer, stopped) = (queue.clone(), AtomicUsize::new(0));
            let stopped = Arc::new(stopped);
            let (count, stopping) = (Arc::clone(&accepted), Arc::clone(&stopped));
            scope.spawn(move || {
                while stopping.load(Ordering::SeqCst) == 0 {
                    producer.submit(0).unwrap();
                    count.fetch_add(1, Ordering::SeqCst);
                    // The pause is long enough for the queue to be idle now and then.
                    (0..20).for_each(|_| thread::yield_now());
                }
            });
            for _ in 0..200 {
                let before = accepted.load(Ordering::SeqCst);
                queue.wait();
                assert!(handled.load(Ordering::SeqCst) >= before);
            }
            stopped.store(1, Ordering::SeqCst);
            stop.open();
        });
    });
}

#[test]
fn many_on_one_pool() {
    const QUEUES: usize = 60;
    const EACH: usize = 1_000;

    within(LIMIT, || {
        let pool = pool(3);
        let ledger = Ledger::new(QUEUES * EACH);
        let queues: Vec<_> = (0..QUEUES)
            .map(|number| {
                let ledger = Arc::clone(&ledger);
                let builder = pool.queue().capacity(1 + number % 20).concurrency(1 + number % 4);
                builder.build(move |job| ledger.mark(job)).unwrap()
            })
            .collect();
        thread::scope(|scope| {
            for producer in 0..3 {
                let queues = &queues;
                scope.spawn(move || {
                    for job in 0..EACH {
                        for (number, queue) in queues.iter().enumerate().skip(producer).step_by(3) {
                            queue.submit(number * EACH + job).unwrap();
                        }
                    }
                });
            }
        });
        queues.iter().for_each(Queue::wait);
        ledger.assert_once();
        // A queue that is busy for good does not hold up the others.
        let held = held(&pool, 1);
        for queue in &queues {
            ledger.clear();
            queue.submit(0).unwrap();
            queue.wait();
            assert_eq!(ledger.marks(0), 1);
        }
        held.gate.open();
    });
}

/// A handler sees what happened before its job was put in. A thread that waited for the queue sees what the handler
/// did.
#[test]
fn passes_on_what_is_not_atomic() {
    within(LIMIT, || {
        let pool = pool(2);
        let queue = pool.queue().capacity(2).build(|cell: Arc<Mutex<Vec<u8>>>| {
            // The lock is never contended: the producer let go of it before, and looks only afterwards.
            cell.try_lock().unwrap().push(2);
        });
        let queue = queue.unwrap();
        for _ in 0..5_000 {
            let cell = Arc::new(Mutex::new(Vec::new()));
            cell.try_lock().unwrap().push(1);
            queue.submit(Arc::clone(&cell)).unwrap();
            queue.wait();
            assert_eq!(*cell.try_lock().unwrap(), [1, 2]);
        }
    });
}
