//! How many jobs of a queue run at once: never more than allowed, and as many as allowed if that many are there. A
//! serial queue runs them one after the other. No job stays hidden behind a job that waits for it.

mod common;

use std::hint::spin_loop;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use common::{LIMIT, within};
use filch::Pool;

/// How many jobs are inside, and the most that ever were.
#[derive(Default)]
struct Gauge {
    inside: AtomicUsize,
    most: AtomicUsize,
}

impl Gauge {
    fn during(&self, f: impl FnOnce()) {
        let inside = self.inside.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(inside, Ordering::SeqCst);
        f();
        self.inside.fetch_sub(1, Ordering::SeqCst);
    }

    fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

/// The jobs yield inside, so that the system changes threads in the middle of a job.
#[test]
fn never_more_than_allowed() {
    within(LIMIT, || {
        for (workers, concurrency, capacity) in [(4, 1, 64), (4, 2, 64), (4, 3, 2), (3, 2, 1), (2, 9, 64)] {
            let pool = Pool::builder().workers(workers).build().unwrap();
            let (gauge, ran) = (Arc::new(Gauge::default()), Arc::new(AtomicUsize::new(0)));
            let queue = {
                let (gauge, ran) = (Arc::clone(&gauge), Arc::clone(&ran));
                let handler = move |yields: usize| {
                    gauge.during(|| (0..yields).for_each(|_| thread::yield_now()));
                    ran.fetch_add(1, Ordering::Relaxed);
                };
                pool.queue().capacity(capacity).concurrency(concurrency).build(handler).unwrap()
            };
            // Producers outside, and on workers, which help where the queue is full.
            let inside = queue.clone();
            let helper = pool.spawn(move || inside.submit_all((0..2_000).map(|job| job % 4)));
            assert_eq!(queue.submit_all((0..2_000).map(|job| job % 4)).unwrap(), 2_000);
            assert_eq!(helper.join().unwrap().unwrap(), 2_000);
            queue.wait();
            assert_eq!(ran.load(Ordering::Relaxed), 4_000);
            let most = gauge.most();
            assert!((1..=concurrency.min(workers)).contains(&most), "{most} of {concurrency} at once");
        }
    });
}

/// Long jobs and short ones. Workers submit most of them, find no room and run a job themselves: these runs count,
/// too.
#[test]
fn never_more_than_allowed_with_workers_that_help() {
    within(LIMIT, || {
        for concurrency in [1, 2, 3] {
            let pool = Pool::builder().workers(4).build().unwrap();
            let gauge = Arc::new(Gauge::default());
            let queue = {
                let gauge = Arc::clone(&gauge);
                let handler = move |job: usize| {
                    gauge.during(|| {
                        let (begin, long) = (Instant::now(), Duration::from_micros(300));
                        while job.is_multiple_of(5) && begin.elapsed() < long {
                            thread::yield_now();
                        }
                    });
                };
                pool.queue().capacity(1).concurrency(concurrency).build(handler).unwrap()
            };
            for _ in 0..100 {
                let helpers: Vec<_> = (0..3)
                    .map(|_| {
                        let queue = queue.clone();
                        pool.spawn(move || queue.submit_all(0..7))
                    })
                    .collect();
                assert_eq!(queue.submit_all(0..7).unwrap(), 7);
                for helper in helpers {
                    assert_eq!(helper.join().unwrap().unwrap(), 7);
                }
            }
            queue.wait();
            let most = gauge.most();
            assert!((1..=concurrency).contains(&most), "{most} of {concurrency} at once");
        }
    });
}

/// As many jobs as allowed meet each other, though they are submitted one by one and some workers are not needed. One
/// more job is submitted with them and must wait.
#[test]
fn as_many_as_allowed() {
    within(LIMIT, || {
        for (workers, concurrency) in [(1, 1), (2, 2), (4, 2), (4, 3), (4, 4), (3, 9), (8, 8)] {
            let pool = Pool::builder().workers(workers).build().unwrap();
            let gauge = Arc::new(Gauge::default());
            let allowed = concurrency.min(workers);
            let queue = {
                let gauge = Arc::clone(&gauge);
                let handler = move |met: Option<Arc<Barrier>>| {
                    gauge.during(|| {
                        if let Some(met) = met {
                            met.wait();
                        }
                    });
                };
                pool.queue().concurrency(concurrency).build(handler).unwrap()
            };
            for _ in 0..300 {
                let met = Arc::new(Barrier::new(allowed));
                for _ in 0..allowed {
                    queue.submit(Some(Arc::clone(&met))).unwrap();
                }
                queue.submit(None).unwrap();
                queue.wait();
            }
            assert_eq!(gauge.most(), allowed);
        }
    });
}

/// By default a queue runs one job for each worker.
#[test]
fn as_many_as_workers_if_not_told() {
    const WORKERS: usize = 4;

    within(LIMIT, || {
        let pool = Pool::builder().workers(WORKERS).build().unwrap();
        let gauge = Arc::new(Gauge::default());
        let inside = Arc::clone(&gauge);
        let handler = move |met: Arc<Barrier>| {
            inside.during(|| {
                met.wait();
            });
        };
        let queue = pool.queue().build(handler).unwrap();
        for _ in 0..300 {
            let met = Arc::new(Barrier::new(WORKERS));
            assert_eq!(queue.submit_all((0..WORKERS).map(|_| Arc::clone(&met))).unwrap(), WORKERS);
            queue.wait();
        }
        assert_eq!(gauge.most(), WORKERS);
    });
}

/// Each handler reads at its begin what the handler before wrote at its end. Nothing else orders the two, so that
/// overlapping jobs, or jobs in the wrong order, show.
#[test]
fn a_serial_queue_keeps_the_order() {
    const JOBS: usize = 100_000;

    within(LIMIT, || {
        for capacity in [1, 7, 1_024] {
            let pool = Pool::builder().workers(4).build().unwrap();
            let (ended, wrong) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            let queue = {
                let (ended, wrong) = (Arc::clone(&ended), Arc::clone(&wrong));
                let handler = move |job: usize| {
                    let before = ended.load(Ordering::Relaxed);
                    (0..job % 16).for_each(|_| spin_loop());
                    if job.is_multiple_of(1_000) {
                        thread::yield_now();
                    }
                    if before != job || ended.load(Ordering::Relaxed) != job {
                        wrong.fetch_add(1, Ordering::Relaxed);
                    }
                    ended.store(before + 1, Ordering::Relaxed);
                };
                pool.queue().capacity(capacity).concurrency(1).build(handler).unwrap()
            };
            let jobs = if capacity == 1 { JOBS / 4 } else { JOBS };
            for job in 0..jobs {
                queue.submit(job).unwrap();
            }
            queue.wait();
            assert_eq!(wrong.load(Ordering::Relaxed), 0, "jobs overlapped or overtook each other");
            assert_eq!(ended.load(Ordering::Relaxed), jobs);
        }
    });
}

/// A job of a queue of coarse jobs.
enum Coarse {
    /// Has nothing to do: it only gets a worker to serve the queue.
    Tiny,
    /// Reports that it began, and ends only when the other job has begun.
    Meet(std::sync::mpsc::Sender<()>, Arc<Barrier>),
}

/// Two workers run two jobs, each of which waits for the other. The second job comes while the first one runs: at
/// once or later, after none or some tiny jobs, into a queue that was idle or busy.
#[test]
fn a_job_is_not_hidden_behind_one_that_waits_for_it() {
    within(LIMIT, || {
        let pool = Pool::builder().workers(2).build().unwrap();
        let handler = |job| match job {
            Coarse::Tiny => {}
            Coarse::Meet(began, met) => {
                began.send(()).unwrap();
                met.wait();
            }
        };
        let queue = pool.queue().build(handler).unwrap();
        let (began, begun) = channel();
        for round in 0..1_000_u32 {
            let met = Arc::new(Barrier::new(2));
            let meet = || Coarse::Meet(began.clone(), Arc::clone(&met));
            for _ in 0..round % 4 * 20 {
                queue.submit(Coarse::Tiny).unwrap();
            }
            if round % 3 == 0 {
                queue.wait();
            }
            queue.submit(meet()).unwrap();
            begun.recv().unwrap();
            // The delay waits for nothing. It only varies what the other worker does when the second job comes.
            let submitted = Instant::now();
            while submitted.elapsed() < Duration::from_micros(100) * (round % 16) {
                thread::yield_now();
            }
            queue.submit(meet()).unwrap();
            begun.recv().unwrap();
            if round % 2 == 0 {
                queue.wait();
            }
        }
        queue.wait();
        assert_eq!(pool.shutdown().unwrap().panicked, 0);
    });
}

/// A worker submits the jobs and then blocks until they have met: it cannot serve them itself.
#[test]
fn jobs_from_a_worker_that_blocks_are_not_hidden() {
    within(LIMIT, || {
        let pool = Pool::builder().workers(3).build().unwrap();
        let handler = |met: Arc<Barrier>| {
            met.wait();
        };
        let queue = pool.queue().build(handler).unwrap();
        for _ in 0..1_000 {
            let met = Arc::new(Barrier::new(3));
            let queue = queue.clone();
            pool.install(move || {
                queue.submit(Arc::clone(&met)).unwrap();
                queue.submit(Arc::clone(&met)).unwrap();
                met.wait();
            });
        }
        queue.wait();
        assert_eq!(pool.shutdown().unwrap().panicked, 0);
    });
}
