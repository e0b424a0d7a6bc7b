//! Queues used by workers. A worker that would have to wait for room runs jobs instead. Where only jobs of its own
//! queue could go on, it sets one aside. So neither a job nor a handler that submits to a full queue comes to a
//! standstill, whether the queue is its own or feeds back to it.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use common::{Gate, LIMIT, Ledger, text_of, until, within};
use filch::{CountLatch, Pool, Queue};

/// Where a handler finds a queue that is built after the handler, or the handler's own queue. The test empties it at
/// the end, because the queue would hold itself otherwise.
struct Later<J>(Arc<Mutex<Option<Queue<J>>>>);

impl<J> Later<J> {
    fn new() -> Later<J> {
        Later(Arc::default())
    }

    fn set(&self, queue: &Queue<J>) {
        *self.0.lock().unwrap() = Some(queue.clone());
    }

    fn get(&self) -> Queue<J> {
        self.0.lock().unwrap().clone().expect("a queue that is built")
    }

    fn clear(&self) {
        let queue = self.0.lock().unwrap().take();
        drop(queue);
    }
}

impl<J> Clone for Later<J> {
    fn clone(&self) -> Self {
        Later(Arc::clone(&self.0))
    }
}

fn pool(workers: usize) -> Pool {
    Pool::builder().workers(workers).build().unwrap()
}

#[test]
fn a_job_that_submits_to_a_full_queue_runs_the_queues_jobs() {
    const JOBS: usize = 1_000;

    within(LIMIT, || {
        for concurrency in [1, 2] {
            // Without a spare, which would take the worker's place meanwhile.
            let pool = Pool::builder().workers(1).spares(0).build().unwrap();
            let ledger = Ledger::new(2 * JOBS);
            let marks = Arc::clone(&ledger);
            let handler = move |job| marks.mark(job);
            let queue = pool.queue().capacity(1).concurrency(concurrency).build(handler).unwrap();
            let (inside, seen) = (queue.clone(), Arc::clone(&ledger));
            let ran = pool.install(move || {
                for job in 0..JOBS {
                    inside.submit(job).unwrap();
                }
                seen.ran()
            });
            assert_eq!(ran, JOBS - 1, "each but the last made room for another");
            let inside = queue.clone();
            let all = pool.spawn(move || inside.submit_all(JOBS..2 * JOBS).unwrap());
            assert_eq!(all.join().unwrap(), JOBS);
            queue.wait();
            ledger.assert_once();
        }
    });
}

/// The obstacle need not be a job of the queue. Here the queue's only runner waits for a job of the pool that no
/// other worker can run.
#[test]
fn a_job_that_submits_to_a_full_queue_runs_the_pools_jobs() {
    within(LIMIT, || {
        let pool = pool(2);
        let free = Arc::new(CountLatch::new(1));
        let (began, begun) = channel();
        let held = Arc::clone(&free);
        let handler = move |job: usize| {
            began.send(job).unwrap();
            // The job helps nobody: its worker is out of the way.
            while held.count() > 0 {
                std::thread::yield_now();
            }
        };
        let queue = pool.queue().capacity(1).concurrency(1).build(handler).unwrap();
        queue.submit(0).unwrap();
        assert_eq!(begun.recv().unwrap(), 0);
        let inside = queue.clone();
        pool.install(move || {
            inside.submit(1).unwrap();
            assert!(inside.try_submit(2).unwrap_err().is_full());
            filch::execute(move || free.count_down()).unwrap();
            inside.submit(2).unwrap();
        });
        queue.wait();
        assert_eq!(begun.try_iter().collect::<Vec<_>>(), [1, 2]);
    });
}

/// Builds serial queues of capacity 1 in a ring. A job of one queue submits two jobs of the next lower height to the
/// next queue.
fn ring(queues: usize, workers: usize, height: u32) {
    let pool = pool(workers);
    let jobs = queues << (height + 1);
    let done = Arc::new(CountLatch::new(jobs - queues));
    let ring: Vec<Later<u32>> = (0..queues).map(|_| Later::new()).collect();
    for (number, place) in ring.iter().enumerate() {
        let (next, done) = (ring[(number + 1) % queues].clone(), Arc::clone(&done));
        let handler = move |height: u32| {
            for _ in 0..2 {
                if height > 0 {
                    next.get().submit(height - 1).unwrap();
                }
            }
            done.count_down();
        };
        place.set(&pool.queue().capacity(1).concurrency(1).build(handler).unwrap());
    }
    for place in &ring {
        place.get().submit(height).unwrap();
    }
    done.wait();
    for place in &ring {
        place.get().wait();
        place.clear();
    }
    let report = pool.shutdown().unwrap();
    assert_eq!((report.run as usize, report.panicked), (jobs - queues, 0));
}

#[test]
fn a_serial_queue_whose_handler_submits_to_itself() {
    within(LIMIT, || {
        for workers in [1, 2] {
            (0..50).for_each(|_| ring(1, workers, 7));
        }
    });
}

#[test]
fn two_serial_queues_whose_handlers_submit_to_each_other_on_1_worker() {
    within(LIMIT, || (0..50).for_each(|_| ring(2, 1, 7)));
}

#[test]
fn two_serial_queues_whose_handlers_submit_to_each_other_on_2_workers() {
    within(LIMIT, || (0..50).for_each(|_| ring(2, 2, 7)));
}

#[test]
fn three_serial_queues_in_a_ring_on_3_workers() {
    within(LIMIT, || (0..50).for_each(|_| ring(3, 3, 7)));
}

#[test]
fn three_serial_queues_in_a_ring_on_1_and_2_workers() {
    within(LIMIT, || {
        for workers in [1, 2] {
            (0..20).for_each(|_| ring(3, workers, 7));
        }
    });
}

/// One handler fills its own queue a thousand times over. None of the new jobs runs inside it, and all run in the
/// order in which they were put in.
#[test]
fn a_handler_that_fills_its_own_queue() {
    const JOBS: usize = 1_000;

    within(LIMIT, || {
        for workers in [1, 2] {
            let pool = pool(workers);
            let (own, last) = (Later::new(), Arc::new(AtomicUsize::new(0)));
            let handler = {
                let (own, last) = (own.clone(), Arc::clone(&last));
                move |job: usize| {
                    if job == 0 {
                        let own: Queue<usize> = own.get();
                        (1..=JOBS).for_each(|job| own.submit(job).unwrap());
                        assert_eq!(last.load(Ordering::Relaxed), 0, "a job ran inside another");
                        assert_eq!((own.len(), own.capacity()), (JOBS, 1));
                        assert!(own.try_submit(JOBS + 1).unwrap_err().is_full());
                    } else {
                        assert_eq!(last.swap(job, Ordering::Relaxed), job - 1);
                    }
                }
            };
            let queue = pool.queue().capacity(1).concurrency(1).build(handler).unwrap();
            own.set(&queue);
            queue.submit(0).unwrap();
            queue.wait();
            own.clear();
            assert!(queue.is_empty());
            let report = pool.shutdown().unwrap();
            assert_eq!((report.run as usize, report.panicked), (JOBS + 1, 0));
        }
    });
}

/// Other producers keep the queue full, and each of their jobs submits one more. All jobs run, and never more at once
/// than allowed: so none runs inside another in a serial queue.
#[test]
fn a_handler_that_submits_to_its_own_queue_which_others_fill() {
    const JOBS: usize = 20_000;

    within(LIMIT, || {
        for (workers, concurrency) in [(1, 1), (2, 1), (2, 2), (4, 2)] {
            let pool = Pool::builder().workers(workers).build().unwrap();
            let (own, ledger) = (Later::new(), Ledger::new(2 * JOBS));
            let inside = Arc::new(AtomicUsize::new(0));
            let handler = {
                let (own, marks, inside) = (own.clone(), Arc::clone(&ledger), Arc::clone(&inside));
                move |job: usize| {
                    let before = inside.fetch_add(1, Ordering::SeqCst);
                    assert!(before < concurrency, "{before} besides this one");
                    if job < JOBS {
                        let own: Queue<usize> = own.get();
                        own.submit(JOBS + job).unwrap();
                    }
                    inside.fetch_sub(1, Ordering::SeqCst);
                    marks.mark(job);
                }
            };
            let queue = pool.queue().capacity(1).concurrency(concurrency).build(handler).unwrap();
            own.set(&queue);
            assert_eq!(queue.submit_all(0..JOBS).unwrap(), JOBS);
            queue.wait();
            own.clear();
            ledger.assert_once();
            assert_eq!(pool.shutdown().unwrap().panicked, 0);
        }
    });
}

/// More jobs wait for room than fit on the stacks, which have 2 MiB each, the system's default for a thread.
#[test]
fn many_jobs_that_each_submit_to_one_full_queue() {
    const JOBS: usize = 10_000;

    within(LIMIT, || {
        for (workers, queues) in [(1, 1), (2, 1), (2, 2), (4, 1)] {
            let pool = Pool::builder().workers(workers).stack_size(2 << 20).build().unwrap();
            let ledger = Ledger::new(JOBS);
            let queues: Vec<_> = (0..queues)
                .map(|_| {
                    let marks = Arc::clone(&ledger);
                    pool.queue().capacity(1).concurrency(1).build(move |job| marks.mark(job)).unwrap()
                })
                .collect();
            // All jobs are there before the first one begins.
            let gates: Vec<_> = (0..workers).map(|_| Gate::default()).collect();
            for gate in &gates {
                let gate = gate.clone();
                pool.execute(move || gate.wait()).unwrap();
            }
            for job in 0..JOBS {
                let queue = queues[job % queues.len()].clone();
                pool.execute(move || queue.submit(job).unwrap()).unwrap();
            }
            gates.iter().for_each(Gate::open);
            drop(queues);
            let report = pool.shutdown().unwrap();
            assert_eq!(report.panicked, 0);
            ledger.assert_once();
        }
    });
}

/// The wait panics in the handler itself, in a closure that it installs, and in a job that it spawns and joins.
#[test]
fn wait_in_a_job_of_the_same_queue_panics() {
    within(LIMIT, || {
        let (caught, payloads) = channel();
        let pool = Pool::builder()
            .workers(1)
            .panic_handler(move |payload| caught.send(text_of(&*payload).to_owned()).unwrap())
            .build()
            .unwrap();
        let pool = Arc::new(pool);
        let own = Later::new();
        let (reached, beyond) = channel();
        let handler = {
            let (own, pool) = (own.clone(), Arc::downgrade(&pool));
            move |job: usize| {
                let own: Queue<usize> = own.get();
                match job {
                    0 => own.wait(),
                    1 => pool.upgrade().unwrap().install(|| own.wait()),
                    2 => {
                        let inner = filch::spawn(move || own.wait()).join().unwrap_err();
                        std::panic::resume_unwind(inner.into_panic());
                    }
                    _ => {}
                }
                reached.send(job).unwrap();
            }
        };
        let queue = pool.queue().build(handler).unwrap();
        own.set(&queue);
        assert_eq!(queue.submit_all(0..4).unwrap(), 4);
        queue.wait();
        own.clear();
        assert_eq!(beyond.try_iter().collect::<Vec<_>>(), [3]);
        let texts: Vec<String> = payloads.try_iter().collect();
        assert_eq!(texts.len(), 3);
        for text in texts {
            assert!(text.contains("wait was called by a job of the same queue"), "{text:?}");
        }
    });
}

#[test]
fn wait_in_another_job_runs_the_queue() {
    within(LIMIT, || {
        for (workers, concurrency) in [(1, 1), (1, 2), (2, 1), (2, 2)] {
            let pool = pool(workers);
            let ran = Arc::new(AtomicUsize::new(0));
            let count = Arc::clone(&ran);
            let handler = move |_: usize| {
                count.fetch_add(1, Ordering::Relaxed);
            };
            let queue = pool.queue().capacity(4).concurrency(concurrency).build(handler).unwrap();
            for round in 1..=500 {
                let queue = queue.clone();
                let waited = pool.spawn(move || {
                    queue.submit_all(0..10).unwrap();
                    queue.wait();
                });
                waited.join().unwrap();
                assert_eq!(ran.load(Ordering::Relaxed), 10 * round);
            }
        }
    });
}

/// A job of a serial queue puts jobs into another queue, which has the `capacity` given, and waits for them. Returns
/// how many jobs had run when each wait was over, for 5 jobs with 3, 0, 7, 1 and 100 jobs to submit.
fn wait_for_another_queue(workers: usize, capacity: usize) -> Vec<usize> {
    let pool = pool(workers);
    let ran = Arc::new(AtomicUsize::new(0));
    let (count, seen) = (Arc::clone(&ran), Arc::clone(&ran));
    let handler = move |_: usize| {
        count.fetch_add(1, Ordering::Relaxed);
    };
    let inner = pool.queue().capacity(capacity).concurrency(1).build(handler).unwrap();
    let (report, reports) = channel();
    let handler = move |jobs: usize| {
        assert_eq!(inner.submit_all(0..jobs).unwrap(), jobs);
        inner.wait();
        report.send(seen.load(Ordering::Relaxed)).unwrap();
    };
    let outer = pool.queue().concurrency(1).build(handler).unwrap();
    assert_eq!(outer.submit_all([3, 0, 7, 1, 100]).unwrap(), 5);
    outer.wait();
    assert_eq!(ran.load(Ordering::Relaxed), 111);
    reports.try_iter().collect()
}

/// The queue has room for all jobs, so the worker waits in `wait` only. It runs nothing inside the serial handler
/// that has to run after this handler.
#[test]
fn wait_in_a_job_of_another_queue() {
    within(LIMIT, || {
        for workers in [1, 2] {
            for _ in 0..200 {
                assert_eq!(wait_for_another_queue(workers, 100), [3, 3, 10, 11, 111]);
            }
        }
    });
}

/// The counts are right without room, too: the worker makes room itself, or the worker that makes room wakes it.
#[test]
fn wait_in_a_job_of_another_queue_that_is_full() {
    within(LIMIT, || {
        for workers in [1, 2] {
            for _ in 0..200 {
                assert_eq!(wait_for_another_queue(workers, 1), [3, 3, 10, 11, 111]);
            }
        }
    });
}

/// Jobs of a serial queue run inside its own handler only if nothing else can go on. Here something can: the queue
/// that the handler submits to has a worker that makes room all the time.
#[test]
fn a_serial_queue_stays_serial_while_another_worker_makes_room() {
    within(LIMIT, || {
        let pool = pool(2);
        let (began, begun) = channel();
        let handler = move |first: bool| {
            if first {
                began.send(()).unwrap();
            }
        };
        let inner = pool.queue().capacity(1).concurrency(1).build(handler).unwrap();
        let (inside, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let deepest = Arc::clone(&most);
        let begun = Mutex::new(begun);
        let handler = move |jobs: usize| {
            deepest.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            // This worker does nothing until the other worker serves the inner queue.
            inner.submit(true).unwrap();
            begun.lock().unwrap().recv().unwrap();
            (0..jobs).for_each(|_| inner.submit(false).unwrap());
            inside.fetch_sub(1, Ordering::SeqCst);
        };
        let outer = pool.queue().concurrency(1).build(handler).unwrap();
        assert_eq!(outer.submit_all([100; 200]).unwrap(), 200);
        outer.wait();
        assert_eq!(most.load(Ordering::SeqCst), 1, "jobs of a serial queue nested in each other");
    });
}

#[test]
fn a_worker_of_another_pool_submits_and_waits() {
    const JOBS: usize = 1_000;

    within(LIMIT, || {
        let (here, there) = (pool(1), pool(1));
        let ledger = Ledger::new(JOBS);
        let marks = Arc::clone(&ledger);
        let handler = move |job| {
            assert_eq!(std::thread::current().name(), Some("filch-0"));
            marks.mark(job);
        };
        let queue = there.queue().capacity(1).build(handler).unwrap();
        let seen = Arc::clone(&ledger);
        here.install(move || {
            (0..JOBS).for_each(|job| queue.submit(job).unwrap());
            queue.wait();
            assert_eq!(seen.ran(), JOBS);
        });
        ledger.assert_once();
        assert_eq!((here.shutdown().unwrap().run, there.shutdown().unwrap().run), (1, JOBS as u64));
    });
}

/// The queue's handler submits back to the pool whose only worker waits for room in the queue, and then for the
/// queue's end. That worker runs jobs of its own pool meanwhile.
#[test]
fn two_pools_that_feed_each_other() {
    const JOBS: usize = 1_000;

    within(LIMIT, || {
        let (here, there) = (pool(1), pool(1));
        let ledger = Ledger::new(JOBS);
        let marks = Arc::clone(&ledger);
        let back = here.queue().capacity(1).build(move |job| marks.mark(job)).unwrap();
        let forth = {
            let back = back.clone();
            there.queue().capacity(1).build(move |job: usize| back.submit(job).unwrap()).unwrap()
        };
        here.install(move || {
            (0..JOBS).for_each(|job| forth.submit(job).unwrap());
            forth.wait();
        });
        back.wait();
        ledger.assert_once();
        assert_eq!(here.shutdown().unwrap().panicked + there.shutdown().unwrap().panicked, 0);
    });
}

/// The queue's own handler drops the last handle.
#[test]
fn the_last_handle_is_dropped_by_a_job_of_the_queue() {
    within(LIMIT, || {
        for workers in [1, 2] {
            let pool = pool(workers);
            for _ in 0..200 {
                let ledger = Ledger::new(10);
                let (own, marks) = (Later::new(), Arc::clone(&ledger));
                let handler = {
                    let own = own.clone();
                    move |job: usize| {
                        if job == 0 {
                            own.clear();
                        }
                        marks.mark(job);
                    }
                };
                let queue = pool.queue().capacity(10).build(handler).unwrap();
                let (stay, leave) = channel::<()>();
                pool.execute(move || {
                    let _ = leave.recv();
                })
                .unwrap();
                own.set(&queue);
                assert_eq!(queue.submit_all((0..10).rev()).unwrap(), 10);
                drop(queue);
                drop(stay);
                until(|| Arc::strong_count(&ledger) == 1);
                ledger.assert_once();
            }
        }
    });
}

/// Queues that are never empty share one or two workers with each other and with the pool's own jobs. Each job puts
/// itself in again until the test is over.
#[test]
fn a_queue_that_never_ends_lets_others_run() {
    within(LIMIT, || {
        for (workers, queues) in [(1, 1), (1, 3), (2, 3)] {
            let pool = pool(workers);
            // Three jobs of the pool, and a hundred jobs of each queue.
            let done = Arc::new(CountLatch::new(3 + 100 * queues));
            let ring: Vec<Later<usize>> = (0..queues).map(|_| Later::new()).collect();
            for place in &ring {
                let (own, done) = (place.clone(), Arc::clone(&done));
                let handler = move |run: usize| {
                    if run < 100 {
                        done.count_down();
                    }
                    if done.count() > 0 {
                        own.get().submit(run + 1).unwrap();
                    }
                };
                place.set(&pool.queue().capacity(4).concurrency(1).build(handler).unwrap());
                place.get().submit(0).unwrap();
            }
            for _ in 0..3 {
                let done = Arc::clone(&done);
                pool.execute(move || done.count_down()).unwrap();
            }
            done.wait();
            for place in &ring {
                place.get().wait();
                place.clear();
            }
            assert_eq!(pool.shutdown().unwrap().panicked, 0);
        }
    });
}
