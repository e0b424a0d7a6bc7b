//! The state that each worker keeps for a queue: made once, where it is used; kept between jobs; dropped with the
//! queue; doubled only for jobs inside jobs. A panic of its maker or of a job costs one job.

mod common;

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use common::{Alive, Gate, LIMIT, Ledger, Token, collector, fail, until, within};
use filch::{Pool, Queue};

/// The worker that made the state, and how many jobs it served. It sends both at its end. `Send`, but not `Sync`.
struct State {
    worker: usize,
    jobs: Cell<usize>,
    ended: std::sync::mpsc::Sender<(usize, usize)>,
}

impl Drop for State {
    fn drop(&mut self) {
        let _ = self.ended.send((self.worker, self.jobs.get()));
    }
}

#[test]
fn made_at_most_once_a_worker_and_there_and_kept() {
    const WORKERS: usize = 4;
    const JOBS: usize = 20_000;

    within(LIMIT, || {
        let pool = Pool::builder().workers(WORKERS).name("state").build().unwrap();
        let made = Ledger::new(WORKERS);
        let (ended, ends) = channel();
        let marks = Arc::clone(&made);
        let ended = Mutex::new(ended);
        let make = move |worker: usize| {
            assert_eq!(filch::current_worker(), Some(worker));
            assert_eq!(thread::current().name(), Some(&*format!("state-{worker}")));
            marks.mark(worker);
            State { worker, jobs: Cell::new(0), ended: ended.lock().unwrap().clone() }
        };
        let handler = |state: &mut State, met: Option<Arc<Barrier>>| {
            assert_eq!(filch::current_worker(), Some(state.worker), "the state of another worker");
            state.jobs.set(state.jobs.get() + 1);
            if let Some(met) = met {
                met.wait();
            }
        };
        let queue = pool.queue().worker_state(make).build(handler).unwrap();
        assert_eq!(made.ran(), 0, "states are made when they are needed");
        // All workers meet, so that each has a state.
        let met = Arc::new(Barrier::new(WORKERS));
        queue.submit_all((0..WORKERS).map(|_| Some(Arc::clone(&met)))).unwrap();
        queue.wait();
        made.assert_once();
        for _ in 0..100 {
            queue.submit_all((0..JOBS / 100).map(|_| None)).unwrap();
            queue.wait();
        }
        made.assert_once();
        assert_eq!(pool.shutdown().unwrap().panicked, 0);
        drop(queue);
        drop(pool);
        let mut ends: Vec<_> = ends.try_iter().collect();
        ends.sort_unstable();
        assert!(ends.iter().map(|&(worker, _)| worker).eq(0..WORKERS), "each state was dropped once");
        assert_eq!(ends.iter().map(|&(_, jobs)| jobs).sum::<usize>(), JOBS + WORKERS);
    });
}

#[test]
fn each_job_finds_what_the_one_before_left() {
    within(LIMIT, || {
        let pool = Pool::builder().workers(1).build().unwrap();
        let handler = |jobs: &mut usize, job: usize| {
            assert_eq!(*jobs, job);
            *jobs += 1;
        };
        let queue = pool.queue().capacity(7).worker_state(|_| 0).build(handler).unwrap();
        let mut jobs = 0..10_000;
        for burst in (0..).take_while(|&burst| burst < 10_000) {
            if queue.submit_all(jobs.by_ref().take(burst % 13)).unwrap() < burst % 13 {
                break;
            }
            queue.wait();
        }
        queue.wait();
        let report = pool.shutdown().unwrap();
        assert_eq!((report.run, report.panicked), (10_000, 0));
    });
}

/// Builds a queue on `pool` whose state is a token, and uses the token.
fn with_token(pool: &Pool, alive: &Alive) -> Queue<usize> {
    let tokens = alive.clone();
    let handler = |_: &mut Token, _: usize| {};
    let queue = pool.queue().worker_state(move |_| tokens.token()).build(handler).unwrap();
    queue.submit_all(0..100).unwrap();
    queue.wait();
    assert!(alive.count() >= 1);
    queue
}

#[test]
fn dropped_when_the_pool_has_ended() {
    within(LIMIT, || {
        let alive = Alive::default();
        let pool = Pool::builder().workers(2).build().unwrap();
        let queue = with_token(&pool, &alive);
        drop(pool);
        assert_eq!(alive.count(), 0, "although the queue is still there");
        drop(queue);

        let pool = Pool::builder().workers(2).build().unwrap();
        drop(with_token(&pool, &alive));
        drop(pool);
        assert_eq!(alive.count(), 0);
    });
}

#[test]
fn dropped_with_the_queue_while_the_pool_goes_on() {
    within(LIMIT, || {
        let alive = Alive::default();
        let pool = Pool::builder().workers(2).build().unwrap();
        for _ in 0..200 {
            drop(with_token(&pool, &alive));
            // The last runner may be on its way out.
            until(|| alive.count() == 0);
        }
    });
}

/// A job of the test below.
#[derive(PartialEq)]
enum Depth {
    Outer,
    Inner,
}

/// A handler fills its own queue while the other worker is busy. If two jobs may run at once, a job runs inside the
/// handler: it gets a second state, and no third is made for all that follows. In a serial queue the job runs
/// afterwards and gets the same state.
#[test]
fn a_nested_job_gets_a_second_state() {
    struct Exclusive {
        number: usize,
        in_use: bool,
    }

    within(LIMIT, || {
        for concurrency in [1, 2] {
            // Without a spare, which would run the inner job on a stack of its own.
            let pool = Pool::builder().workers(2).spares(0).build().unwrap();
            let made = Arc::new(AtomicUsize::new(0));
            let own: Arc<Mutex<Option<Queue<Depth>>>> = Arc::default();
            let (report, reports) = channel();
            let queue = {
                let (made, own) = (Arc::clone(&made), Arc::clone(&own));
                let make = move |_| Exclusive { number: made.fetch_add(1, Ordering::Relaxed), in_use: false };
                let handler = move |state: &mut Exclusive, job: Depth| {
                    assert!(!state.in_use, "a state that another job uses");
                    state.in_use = true;
                    if job == Depth::Outer {
                        let queue = own.lock().unwrap().clone().unwrap();
                        queue.submit(Depth::Inner).unwrap();
                        // The queue is full now.
                        queue.submit(Depth::Inner).unwrap();
                    }
                    report.send((job == Depth::Outer, state.number)).unwrap();
                    state.in_use = false;
                };
                pool.queue().capacity(1).concurrency(concurrency).worker_state(make).build(handler).unwrap()
            };
            *own.lock().unwrap() = Some(queue.clone());
            let busy = Gate::default();
            let (began, begun) = channel();
            let gate = busy.clone();
            pool.execute(move || {
                began.send(()).unwrap();
                gate.wait();
            })
            .unwrap();
            begun.recv().unwrap();
            for round in 0..100 {
                queue.submit(Depth::Outer).unwrap();
                queue.wait();
                let numbers: Vec<_> = reports.try_iter().collect();
                match (concurrency, &numbers[..]) {
                    (1, &[(true, 0), (false, 0), (false, 0)]) => {}
                    (2, &[(false, nested), (true, outer), (false, _)]) => assert_ne!(nested, outer),
                    _ => panic!("in round {round}, in this order: {numbers:?}"),
                }
            }
            assert_eq!(made.load(Ordering::Relaxed), concurrency);
            own.lock().unwrap().take();
            busy.open();
            assert_eq!(pool.shutdown().unwrap().panicked, 0);
        }
    });
}

#[test]
fn a_panic_of_the_maker_costs_one_job() {
    within(LIMIT, || {
        let (handler, caught) = collector();
        let pool = Pool::builder().workers(1).panic_handler(handler).build().unwrap();
        let made = Arc::new(AtomicUsize::new(0));
        let (alive, ran) = (Alive::default(), Ledger::new(5));
        let queue = {
            let (made, ran) = (Arc::clone(&made), Arc::clone(&ran));
            // The first two calls fail.
            let make = move |_| match made.fetch_add(1, Ordering::Relaxed) {
                call @ 0..2 => fail(70 + call),
                _ => 0,
            };
            let handler = move |jobs: &mut usize, (job, _token): (usize, Token)| {
                *jobs += 1;
                assert_eq!(*jobs, job - 1, "the state is kept");
                ran.mark(job);
            };
            pool.queue().worker_state(make).build(handler).unwrap()
        };
        queue.submit_all((0..3).map(|job| (job, alive.token()))).unwrap();
        queue.wait();
        queue.submit_all((3..5).map(|job| (job, alive.token()))).unwrap();
        queue.wait();
        assert_eq!(caught(), [70, 71]);
        assert_eq!((0..5).map(|job| ran.marks(job)).collect::<Vec<_>>(), [0, 0, 1, 1, 1]);
        assert_eq!(alive.count(), 0, "the jobs lost were dropped");
        assert_eq!(made.load(Ordering::Relaxed), 3);
        let report = pool.shutdown().unwrap();
        assert_eq!((report.run, report.panicked), (5, 2));
    });
}

#[test]
fn a_job_that_panics_costs_no_other() {
    const JOBS: usize = 1_000;

    within(LIMIT, || {
        for (workers, concurrency, capacity) in [(1, 1, 1_024), (4, 1, 16), (4, 4, 1), (4, 4, 1_024)] {
            let (handler, caught) = collector();
            let pool = Pool::builder().workers(workers).panic_handler(handler).build().unwrap();
            let (alive, began, ended) = (Alive::default(), Ledger::new(JOBS), Ledger::new(JOBS));
            let queue = {
                let (began, ended) = (Arc::clone(&began), Arc::clone(&ended));
                let handler = move |(job, _token): (usize, Token)| {
                    began.mark(job);
                    if job.is_multiple_of(3) {
                        fail(job);
                    }
                    ended.mark(job);
                };
                pool.queue().capacity(capacity).concurrency(concurrency).build(handler).unwrap()
            };
            queue.submit_all((0..JOBS).map(|job| (job, alive.token()))).unwrap();
            queue.wait();
            began.assert_once();
            assert!((0..JOBS).all(|job| usize::from(ended.marks(job)) == usize::from(job % 3 != 0)));
            assert_eq!(alive.count(), 0);
            assert!(caught().into_iter().eq((0..JOBS).step_by(3)), "each payload came once");
            let report = pool.shutdown().unwrap();
            assert_eq!((report.run as usize, report.panicked as usize), (JOBS, JOBS.div_ceil(3)));
        }
    });
}

/// A handler fills its own queue, and some of these jobs panic. The handler goes on as if nothing had happened.
#[test]
fn a_nested_job_that_panics_leaves_the_outer_one_alone() {
    const JOBS: usize = 300;

    within(LIMIT, || {
        let (handler, caught) = collector();
        let pool = Pool::builder().workers(1).panic_handler(handler).build().unwrap();
        let own: Arc<Mutex<Option<Queue<usize>>>> = Arc::default();
        let ended = Ledger::new(JOBS + 1);
        let queue = {
            let (own, ended) = (Arc::clone(&own), Arc::clone(&ended));
            let handler = move |job: usize| {
                if job == 0 {
                    let queue = own.lock().unwrap().clone().unwrap();
                    assert_eq!(queue.submit_all(1..=JOBS).unwrap(), JOBS);
                } else if job.is_multiple_of(3) {
                    fail(job);
                }
                ended.mark(job);
            };
            pool.queue().capacity(1).concurrency(1).build(handler).unwrap()
        };
        *own.lock().unwrap() = Some(queue.clone());
        queue.submit(0).unwrap();
        queue.wait();
        own.lock().unwrap().take();
        assert!(caught().into_iter().eq((3..=JOBS).step_by(3)));
        assert_eq!(ended.marks(0), 1, "the outer job came to its end");
        assert_eq!(ended.ran(), JOBS + 1 - JOBS / 3);
    });
}

/// A job that panics leaves the state as it is at that moment.
#[test]
fn a_job_that_panics_keeps_the_state() {
    within(LIMIT, || {
        let (handler, caught) = collector();
        let pool = Pool::builder().workers(1).panic_handler(handler).build().unwrap();
        let made = Ledger::new(1);
        let seen = Arc::new(AtomicUsize::new(0));
        let queue = {
            let (made, seen) = (Arc::clone(&made), Arc::clone(&seen));
            let make = move |worker| {
                made.mark(worker);
                0
            };
            let handler = move |jobs: &mut usize, job: usize| {
                *jobs += 1;
                seen.store(*jobs, Ordering::Relaxed);
                fail(job);
            };
            pool.queue().worker_state(make).build(handler).unwrap()
        };
        for job in 0..100 {
            queue.submit(job).unwrap();
            queue.wait();
            assert_eq!(seen.load(Ordering::Relaxed), job + 1);
        }
        made.assert_once();
        assert_eq!(caught().len(), 100);
    });
}
