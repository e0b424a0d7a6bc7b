//! Races of submitting with closing, with shutdown and with other producers. Each job is either accepted and runs
//! once, before a thread that waits for the end may go on, or it comes back to its producer. Each job is dropped
//! once.

mod common;

use std::hint::spin_loop;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use common::{Alive, LIMIT, Ledger, Random, Token, fail, within};
use filch::{Pool, Queue, SubmitError};

const PRODUCERS: usize = 4;
/// The jobs that each producer tries to get in, in each round.
const TRIES: usize = 4;
const JOBS: usize = PRODUCERS * TRIES;

/// What the producers and the closing thread share.
struct Race {
    /// The queue of the round.
    queue: Mutex<Option<Queue<usize>>>,
    start: Barrier,
    finish: Barrier,
    /// Which jobs were accepted.
    accepted: Arc<Ledger>,
    refused: AtomicUsize,
    full: AtomicUsize,
}

impl Race {
    fn new() -> Race {
        Race {
            queue: Mutex::default(),
            start: Barrier::new(PRODUCERS + 1),
            finish: Barrier::new(PRODUCERS + 1),
            accepted: Ledger::new(JOBS),
            refused: AtomicUsize::new(0),
            full: AtomicUsize::new(0),
        }
    }

    /// Does one producer's part of one round. Each producer has its own way to submit.
    fn produce(&self, producer: usize, random: &mut Random) {
        let queue = self.queue.lock().unwrap().clone().unwrap();
        self.start.wait();
        (0..random.below(200)).for_each(|_| spin_loop());
        for job in producer * TRIES..(producer + 1) * TRIES {
            let result = match producer {
                0 | 1 => queue.submit(job),
                2 => queue.try_submit(job),
                _ => queue.submit_timeout(job, Duration::from_micros(200)),
            };
            let Err(error) = result else {
                self.accepted.mark(job);
                continue;
            };
            match error {
                SubmitError::Closed(back) => {
                    assert_eq!(back, job);
                    self.refused.fetch_add(1, Ordering::Relaxed);
                }
                SubmitError::Full(back) | SubmitError::Timeout(back) => {
                    assert_eq!(back.job, job);
                    assert!(producer >= 2, "submit waits");
                    self.full.fetch_add(1, Ordering::Relaxed);
                }
                other => panic!("{other:?}"),
            }
        }
        drop(queue);
        self.finish.wait();
    }

    /// Races `rounds` times. `open` makes a queue that marks the ledger given, and what the queue needs. `close`
    /// closes the queue and returns when all accepted jobs must have run, with their number if it knows.
    fn run<T>(
        self,
        rounds: usize,
        open: impl Fn(usize, Arc<Ledger>) -> (T, Queue<usize>),
        close: impl Fn(&T, &Queue<usize>) -> Option<usize>,
    ) {
        let ran = Ledger::new(JOBS);
        let mut accepted_in_all = 0;
        thread::scope(|scope| {
            for producer in 0..PRODUCERS {
                let race = &self;
                scope.spawn(move || {
                    let mut random = Random::new(producer as u64);
                    for _ in 0..rounds {
                        // Waits for the queue of the round.
                        race.finish.wait();
                        race.produce(producer, &mut random);
                    }
                });
            }
            let mut random = Random::new(99);
            for round in 0..rounds {
                let (kept, queue) = open(round, Arc::clone(&ran));
                *self.queue.lock().unwrap() = Some(queue.clone());
                self.finish.wait();
                self.start.wait();
                (0..random.below(2_000)).for_each(|_| spin_loop());
                let reported = close(&kept, &queue);
                // What ran by now, before the producers report.
                let marks: Vec<u8> = (0..JOBS).map(|job| ran.marks(job)).collect();
                self.finish.wait();
                for (job, &marks) in marks.iter().enumerate() {
                    let accepted = self.accepted.marks(job);
                    assert_eq!(
                        marks, accepted,
                        "job {job} in round {round}: runs, and whether it was accepted"
                    );
                    assert_eq!(ran.marks(job), marks, "job {job} in round {round} ran after the end");
                }
                let accepted = self.accepted.ran();
                assert_eq!(reported.unwrap_or(accepted), accepted);
                accepted_in_all += accepted;
                self.queue.lock().unwrap().take();
                drop((kept, queue));
                ran.clear();
                self.accepted.clear();
            }
        });
        // No side may win the race each time.
        let refused = self.refused.into_inner();
        assert!(accepted_in_all > rounds / 10, "{accepted_in_all} accepted in {rounds} rounds");
        assert!(refused > rounds / 10, "{refused} refused in {rounds} rounds");
        assert_eq!(accepted_in_all + refused + self.full.into_inner(), rounds * JOBS);
    }
}

#[test]
fn close_against_submit() {
    within(LIMIT * 2, || {
        let pool = Pool::builder().workers(2).build().unwrap();
        let open = |round: usize, ran: Arc<Ledger>| {
            let capacity = [1, 2, 3, 64][round % 4];
            let builder = pool.queue().capacity(capacity).concurrency(1 + round / 4 % 2);
            ((), builder.build(move |job| ran.mark(job)).unwrap())
        };
        Race::new().run(20_000, open, |(), queue| {
            queue.close();
            queue.wait();
            None
        });
        assert_eq!(pool.shutdown().unwrap().panicked, 0);
    });
}

#[test]
fn shutdown_against_submit() {
    within(LIMIT * 2, || {
        let open = |round: usize, ran: Arc<Ledger>| {
            let pool = Pool::builder().workers(1 + round % 2).build().unwrap();
            let queue = pool.queue().capacity([1, 2, 3, 64][round / 2 % 4]).build(move |job| ran.mark(job));
            (pool, queue.unwrap())
        };
        Race::new().run(1_000, open, |pool, _| {
            let report = pool.shutdown().unwrap();
            assert_eq!(report.panicked, 0);
            Some(report.run as usize)
        });
    });
}

/// The pool shuts down, but the test waits for the accepted jobs through the queue.
#[test]
fn wait_against_shutdown() {
    within(LIMIT * 2, || {
        let open = |round: usize, ran: Arc<Ledger>| {
            let pool = Pool::builder().workers(2).build().unwrap();
            let queue = pool.queue().capacity([1, 64][round % 2]).build(move |job| ran.mark(job));
            (pool, queue.unwrap())
        };
        Race::new().run(500, open, |pool, queue| {
            thread::scope(|scope| {
                let shutdown = scope.spawn(|| pool.shutdown().unwrap().run as usize);
                queue.wait();
                Some(shutdown.join().unwrap())
            })
        });
    });
}

/// Eight producers block; half of them are jobs of the pool.
fn many_producers(workers: usize, capacity: usize, each: usize) {
    const OUTSIDE: usize = 4;
    const INSIDE: usize = 4;

    let pool = Pool::builder().workers(workers).build().unwrap();
    let ledger = Ledger::new((OUTSIDE + INSIDE) * each);
    let marks = Arc::clone(&ledger);
    let queue = pool.queue().capacity(capacity).build(move |job| marks.mark(job)).unwrap();
    let produce = |producer: usize| {
        let queue = queue.clone();
        move || {
            for job in producer * each..(producer + 1) * each {
                queue.submit(job).unwrap();
            }
        }
    };
    thread::scope(|scope| {
        for producer in 0..OUTSIDE {
            scope.spawn(produce(producer));
        }
        let inside: Vec<_> =
            (OUTSIDE..OUTSIDE + INSIDE).map(|producer| pool.spawn(produce(producer))).collect();
        inside.into_iter().for_each(|handle| handle.join().unwrap());
    });
    queue.close();
    queue.wait();
    ledger.assert_once();
    let report = pool.shutdown().unwrap();
    assert_eq!(report.run as usize, (OUTSIDE + INSIDE) * each + INSIDE);
}

#[test]
fn many_producers_through_1_slot() {
    within(LIMIT * 2, || (1..5).for_each(|workers| many_producers(workers, 1, 2_000)));
}

#[test]
fn many_producers_through_2_slots() {
    within(LIMIT * 2, || (1..5).for_each(|workers| many_producers(workers, 2, 2_000)));
}

#[test]
fn many_producers_through_10_slots() {
    within(LIMIT * 2, || (1..5).for_each(|workers| many_producers(workers, 10, 5_000)));
}

#[test]
fn many_producers_through_1024_slots() {
    within(LIMIT * 2, || (1..5).for_each(|workers| many_producers(workers, 1_024, 20_000)));
}

/// Several threads close the same queue and wait for its end.
#[test]
fn several_close_and_wait() {
    within(LIMIT, || {
        let pool = Pool::builder().workers(2).build().unwrap();
        for round in 0..1_000 {
            let ledger = Ledger::new(10);
            let marks = Arc::clone(&ledger);
            let queue = pool.queue().capacity(1 + round % 10).build(move |job| marks.mark(job)).unwrap();
            assert_eq!(queue.submit_all(0..10).unwrap(), 10);
            thread::scope(|scope| {
                for _ in 0..3 {
                    scope.spawn(|| {
                        queue.close();
                        queue.wait();
                        ledger.assert_once();
                    });
                }
            });
        }
    });
}

/// Returns whether the thread of that name sleeps.
#[cfg(target_os = "linux")]
fn asleep(name: &str) -> bool {
    let sleeps = |task: std::fs::DirEntry| {
        let comm = std::fs::read_to_string(task.path().join("comm")).ok()?;
        let stat = std::fs::read_to_string(task.path().join("stat")).ok()?;
        (comm.trim_end() == name).then(|| stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('S')))
    };
    std::fs::read_dir("/proc/self/task").unwrap().any(|task| sleeps(task.unwrap()) == Some(true))
}

/// Room for one job goes to the first producer that still waits, and not to a producer whose time was up, on a worker
/// or outside. Nothing else would wake the waiting producer, as the job that made the room does not end. The test has to
/// know that a producer sleeps, and only Linux tells.
#[cfg(target_os = "linux")]
#[test]
fn one_that_gave_up_takes_nobodys_turn() {
    within(LIMIT, || {
        let pool = Pool::builder().workers(2).build().unwrap();
        let ((began, begun), (permit, permits)) = (mpsc::channel(), mpsc::channel::<()>());
        let permits = Mutex::new(permits);
        let handler = move |job: usize| {
            began.send(job).unwrap();
            let _ = permits.lock().unwrap().recv();
        };
        let queue = pool.queue().capacity(1).concurrency(1).build(handler).unwrap();
        queue.submit(0).unwrap();
        assert_eq!(begun.recv().unwrap(), 0);
        queue.submit(1).unwrap();
        for round in 0..20 {
            let late = queue.submit_timeout(99, Duration::from_millis(2));
            assert!(late.is_err_and(|late| late.is_timeout() && late.into_inner() == 99));
            let inside = queue.clone();
            let late = pool.install(move || inside.submit_timeout(98, Duration::from_millis(2)));
            assert!(late.is_err_and(|late| late.is_timeout() && late.into_inner() == 98));
            thread::scope(|scope| {
                let mut accepted = Vec::new();
                for job in [2 * round + 2, 2 * round + 3] {
                    let (report, result) = mpsc::channel();
                    let (queue, name) = (&queue, format!("turn-{job}"));
                    let submit = move || report.send(queue.submit(job)).unwrap();
                    thread::Builder::new().name(name.clone()).spawn_scoped(scope, submit).unwrap();
                    common::until(|| asleep(&name));
                    accepted.push((job, result));
                }
                for (job, result) in accepted {
                    permit.send(()).unwrap();
                    assert_eq!(begun.recv().unwrap(), job - 1);
                    result.recv().unwrap().unwrap();
                }
            });
        }
        drop(permit);
        queue.wait();
        assert_eq!(begun.try_iter().collect::<Vec<_>>(), [41]);
    });
}

/// A job that marks its number when it is dropped.
struct Dropped {
    number: usize,
    drops: Arc<Ledger>,
    _token: Token,
}

impl Drop for Dropped {
    fn drop(&mut self) {
        self.drops.mark(self.number);
    }
}

/// An accepted job is dropped when it has run, also if it panicked or was left for a shutdown to run. A refused job
/// comes back whole.
#[test]
fn each_job_is_dropped_once() {
    const JOBS: usize = 2_000;
    const REFUSED: usize = 10;

    within(LIMIT, || {
        for workers in [1, 2] {
            let pool = Pool::builder().workers(workers).panic_handler(drop).build().unwrap();
            let (alive, drops, runs) = (Alive::default(), Ledger::new(JOBS), Ledger::new(JOBS));
            let marks = Arc::clone(&runs);
            let handler = move |job: Dropped| {
                marks.mark(job.number);
                if job.number.is_multiple_of(7) {
                    fail(job.number);
                }
            };
            let queue = pool.queue().capacity(JOBS / 2).build(handler).unwrap();
            let job = |number| Dropped { number, drops: Arc::clone(&drops), _token: alive.token() };
            assert_eq!(queue.submit_all((0..JOBS / 2).map(job)).unwrap(), JOBS / 2);
            queue.wait();
            assert_eq!((alive.count(), drops.ran()), (0, JOBS / 2));
            // All following jobs wait in the ring, as no worker comes to them before the shutdown.
            let gate = Arc::new(Barrier::new(workers + 1));
            let (busy, begun) = mpsc::channel();
            for _ in 0..workers {
                let (gate, busy) = (Arc::clone(&gate), busy.clone());
                let job = move || {
                    busy.send(()).unwrap();
                    gate.wait();
                };
                pool.execute(job).unwrap();
            }
            begun.iter().take(workers).for_each(drop);
            let left = JOBS / 2 - REFUSED;
            assert_eq!(queue.submit_all((JOBS / 2..JOBS - REFUSED).map(job)).unwrap(), left);
            assert_eq!((queue.len(), alive.count()), (left, left));
            gate.wait();
            pool.shutdown().unwrap();
            assert_eq!((alive.count(), drops.ran(), runs.ran()), (0, JOBS - REFUSED, JOBS - REFUSED));
            for number in JOBS - REFUSED..JOBS {
                let back = queue.submit(job(number)).unwrap_err().into_inner();
                assert_eq!((back.number, drops.marks(number)), (number, 0));
            }
            drop((queue, pool));
            assert_eq!((alive.count(), runs.ran()), (0, JOBS - REFUSED));
            drops.assert_once();
        }
    });
}
