//! The programs: each runs on a pool of the machine, and says how long its measured part took and what is ideal.

use std::sync::Arc;
use std::time::Duration;

use filch::{CountLatch, Pool};
use filch_lab_machine::{Instant, Time, micros, nanos, thread, work};

use crate::eager::{self, Eager};
use crate::ready::{self, forget, ready};

/// What the measured part of a program took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How long it took.
    pub time: Duration,
    /// The time that no schedule can go below on as many cores as there are workers.
    pub ideal: Duration,
    /// How many pieces of work it had.
    pub pieces: u64,
}

/// What a program can be told.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How many threads outside the pool submit jobs.
    pub producers: usize,
    /// How many jobs the queue holds.
    pub capacity: usize,
    /// How long a job takes.
    pub job: Time,
    /// How many jobs there are, or items of a loop.
    pub jobs: usize,
    /// How many items of a loop are done as one piece.
    pub grain: usize,
}

/// What the programs need of a scheduler.
pub trait Scheduler: Send + Sync + 'static {
    /// Jobs that are waited for together.
    type Scope;

    fn workers(&self) -> usize;

    /// Runs `f` on a worker, and waits for it.
    fn install<R: Send + 'static>(&self, f: impl FnOnce() -> R + Send + 'static) -> R;

    /// Runs both, the second perhaps on another worker. The caller is a worker.
    fn join<A, B>(a: impl FnOnce() -> A + Send + 'static, b: impl FnOnce() -> B + Send + 'static) -> (A, B)
    where
        A: Send + 'static,
        B: Send + 'static;

    /// Runs `f`, and waits for all that it has spawned.
    fn scope(&self, f: impl FnOnce(&Self::Scope) + Send + 'static);

    fn spawn(scope: &Self::Scope, f: impl FnOnce(&Self::Scope) + Send + 'static);

    /// Has a worker run `f`. The caller is a thread outside.
    fn execute(&self, f: impl FnOnce() + Send + 'static);
}

impl Scheduler for Pool {
    type Scope = filch::Scope<'static>;

    fn workers(&self) -> usize {
        Pool::workers(self)
    }

    fn install<R: Send + 'static>(&self, f: impl FnOnce() -> R + Send + 'static) -> R {
        Pool::install(self, ready(f))
    }

    fn join<A, B>(a: impl FnOnce() -> A + Send + 'static, b: impl FnOnce() -> B + Send + 'static) -> (A, B)
    where
        A: Send + 'static,
        B: Send + 'static,
    {
        filch::join(a, ready(b))
    }

    fn scope(&self, f: impl FnOnce(&Self::Scope) + Send + 'static) {
        Pool::scope(self, f);
    }

    fn spawn(scope: &Self::Scope, f: impl FnOnce(&Self::Scope) + Send + 'static) {
        let since = ready(|| ());
        scope.spawn(move |scope| {
            since();
            f(scope);
        });
    }

    fn execute(&self, f: impl FnOnce() + Send + 'static) {
        Pool::execute(self, ready(f)).map_err(|closed| closed.reason()).expect("the pool is open");
    }
}

impl Scheduler for Eager {
    type Scope = eager::Scope;

    fn workers(&self) -> usize {
        Eager::workers(self)
    }

    fn install<R: Send + 'static>(&self, f: impl FnOnce() -> R + Send + 'static) -> R {
        Eager::install(self, ready(f))
    }

    fn join<A, B>(a: impl FnOnce() -> A + Send + 'static, b: impl FnOnce() -> B + Send + 'static) -> (A, B)
    where
        A: Send + 'static,
        B: Send + 'static,
    {
        eager::join(a, ready(b))
    }

    fn scope(&self, f: impl FnOnce(&Self::Scope) + Send + 'static) {
        Eager::scope(self, f);
    }

    fn spawn(scope: &Self::Scope, f: impl FnOnce(&Self::Scope) + Send + 'static) {
        let since = ready(|| ());
        scope.spawn(move |scope| {
            since();
            f(scope);
        });
    }

    fn execute(&self, f: impl FnOnce() + Send + 'static) {
        Eager::execute(self, Box::new(ready(f)));
    }
}

/// Runs a program on a scheduler.
type Runs<S> = fn(&Arc<S>, Settings) -> Outcome;

/// A program by its name.
pub struct Program {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What it does, in a line.
    pub about: &'static str,
    /// Runs it on a pool of filch's.
    pub run: Runs<Pool>,
    /// Runs it on the peer, which has no queues.
    pub run_eager: Option<Runs<Eager>>,
}

macro_rules! program {
    ($name:literal, $about:literal, $run:ident) => {
        Program { name: $name, about: $about, run: $run::<Pool>, run_eager: Some($run::<Eager>) }
    };
}

/// All programs.
pub const ALL: &[Program] = &[
    program!("fib", "fib(22) by forks whose work is 1 ns", fib),
    program!("tree", "the sum of a tree of 2^16 nodes of 2 ns, a fork each", tree),
    program!("queens", "all placements of 8 queens, a fork for each free field", queens),
    program!("bounce", "200 producers, each spawns the next and 500 jobs of 1 µs", bounce),
    program!("frame", "after 1 ms of rest, 4 steps of 2 pieces of 20 µs a worker", frame),
    program!("loop", "a parallel loop: --jobs items of --job, pieces of --grain", parallel_loop),
    program!("spawn", "--jobs jobs of --job spawned in one scope", spawn),
    program!("execute", "--jobs jobs of --job from --producers threads outside", execute),
    Program { name: "queue", about: "the same through a queue of --capacity", run: queue, run_eager: None },
    program!("install", "200 round trips from outside, one after the other", install),
];

/// Measures `f`, whose work is `total`.
fn measured(pool: &impl Scheduler, total: Time, pieces: u64, f: impl FnOnce()) -> Outcome {
    forget();
    let begun = Instant::now();
    f();
    let time = begun.elapsed();
    let ideal = Duration::from_nanos(total / nanos(1) / pool.workers() as u64);
    Outcome { time, ideal, pieces }
}

fn fib<S: Scheduler>(pool: &Arc<S>, _: Settings) -> Outcome {
    fn forks<S: Scheduler>(n: u32) -> u64 {
        if n < 2 {
            return 0;
        }
        let (a, b) = S::join(move || forks::<S>(n - 1), move || forks::<S>(n - 2));
        work(nanos(1));
        a + b + 1
    }
    let pieces = 28_656;
    measured(&**pool, nanos(1) * pieces, pieces, || assert_eq!(pool.install(|| forks::<S>(22)), pieces))
}

fn tree<S: Scheduler>(pool: &Arc<S>, _: Settings) -> Outcome {
    fn sum<S: Scheduler>(depth: u32) -> u64 {
        work(nanos(2));
        if depth == 0 {
            return 1;
        }
        let (a, b) = S::join(move || sum::<S>(depth - 1), move || sum::<S>(depth - 1));
        a + b + 1
    }
    let nodes = (1 << 16) - 1;
    measured(&**pool, nanos(2) * nodes, nodes, || assert_eq!(pool.install(|| sum::<S>(15)), nodes))
}

fn queens<S: Scheduler>(pool: &Arc<S>, _: Settings) -> Outcome {
    const SIZE: u32 = 8;
    const FIELD: Time = nanos(3);
    /// Returns the placements and the fields that were tried.
    fn place<S: Scheduler>(columns: u32, left: u32, right: u32) -> (u64, u64) {
        let free = !(columns | left | right) & ((1 << SIZE) - 1);
        if columns.count_ones() == SIZE {
            return (1, 0);
        }
        each::<S>(columns, left, right, free)
    }
    fn each<S: Scheduler>(columns: u32, left: u32, right: u32, free: u32) -> (u64, u64) {
        if free == 0 {
            return (0, 0);
        }
        let field = free & free.wrapping_neg();
        let here = move || {
            work(FIELD);
            place::<S>(columns | field, (left | field) << 1, (right | field) >> 1)
        };
        let ((a, b), (c, d)) = S::join(here, move || each::<S>(columns, left, right, free ^ field));
        (a + c, b + d + 1)
    }
    let tried = 2_056;
    measured(&**pool, FIELD * tried, tried, || assert_eq!(pool.install(|| place::<S>(0, 0, 0)), (92, tried)))
}

fn bounce<S: Scheduler>(pool: &Arc<S>, _: Settings) -> Outcome {
    const PRODUCERS: usize = 200;
    const JOBS: usize = 500;
    fn produce<S: Scheduler>(scope: &S::Scope, left: usize) {
        if left == 0 {
            return;
        }
        S::spawn(scope, move |scope| produce::<S>(scope, left - 1));
        (0..JOBS).for_each(|_| S::spawn(scope, |_| work(micros(1))));
    }
    let total = PRODUCERS * JOBS;
    measured(&**pool, micros(1) * total as Time, total as u64, || {
        pool.scope(|scope| produce::<S>(scope, PRODUCERS))
    })
}

/// Does `items` items, which take `job` each, by halves down to `grain`.
fn halves<S: Scheduler>(items: usize, grain: usize, job: Time) {
    if items <= grain {
        work(job * items as Time);
        return;
    }
    S::join(move || halves::<S>(items / 2, grain, job), move || halves::<S>(items - items / 2, grain, job));
}

fn frame<S: Scheduler>(pool: &Arc<S>, _: Settings) -> Outcome {
    const STEPS: usize = 4;
    pool.install(|| ());
    thread::sleep(Duration::from_millis(1));
    let pieces = 2 * pool.workers();
    let total = STEPS * pieces;
    measured(&**pool, micros(20) * total as Time, total as u64, || {
        pool.install(move || (0..STEPS).for_each(|_| halves::<S>(pieces, 1, micros(20))));
    })
}

fn parallel_loop<S: Scheduler>(pool: &Arc<S>, settings: Settings) -> Outcome {
    let Settings { jobs, job, grain, .. } = settings;
    measured(&**pool, job * jobs as Time, jobs as u64, || {
        pool.install(move || halves::<S>(jobs, grain.max(1), job))
    })
}

fn spawn<S: Scheduler>(pool: &Arc<S>, settings: Settings) -> Outcome {
    let Settings { jobs, job, .. } = settings;
    measured(&**pool, job * jobs as Time, jobs as u64, || {
        pool.scope(move |scope| (0..jobs).for_each(|_| S::spawn(scope, move |_| work(job))));
    })
}

/// Starts as many producers as the settings say, each of which calls `submit` for its share of the jobs.
fn produce(settings: Settings, submit: impl Fn() + Send + Clone + 'static) {
    let Settings { producers, jobs, .. } = settings;
    let others: Vec<_> = (1..producers)
        .map(|number| {
            let submit = submit.clone();
            let run = move || (number..jobs).step_by(producers).for_each(|_| submit());
            let builder = thread::Builder::new().name(format!("producer-{number}"));
            builder.spawn(run).expect("threads cost nothing")
        })
        .collect();
    (0..jobs).step_by(producers).for_each(|_| submit());
    others.into_iter().for_each(|thread| thread.join().expect("it does not panic"));
}

fn execute<S: Scheduler>(pool: &Arc<S>, settings: Settings) -> Outcome {
    let Settings { jobs, job, .. } = settings;
    let latch = Arc::new(CountLatch::new(jobs));
    measured(&**pool, job * jobs as Time, jobs as u64, || {
        let (pool, latch_of_jobs) = (Arc::clone(pool), Arc::clone(&latch));
        produce(settings, move || {
            let latch = Arc::clone(&latch_of_jobs);
            let run = move || {
                work(job);
                latch.count_down();
            };
            pool.execute(run);
        });
        latch.wait();
    })
}

fn queue(pool: &Arc<Pool>, settings: Settings) -> Outcome {
    let Settings { jobs, job, capacity, .. } = settings;
    let handler = move |()| {
        ready::begin_oldest();
        work(job);
    };
    let queue = pool.queue().capacity(capacity).build(handler).expect("the capacity is allowed");
    measured(&**pool, job * jobs as Time, jobs as u64, || {
        let submitter = queue.clone();
        produce(settings, move || {
            ready::submit();
            submitter.submit(()).expect("the queue is open");
        });
        queue.wait();
    })
}

fn install<S: Scheduler>(pool: &Arc<S>, _: Settings) -> Outcome {
    const TRIPS: u64 = 200;
    measured(&**pool, 0, TRIPS, || (0..TRIPS).for_each(|_| pool.install(|| ())))
}
