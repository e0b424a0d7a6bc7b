//! Runs one round on each contender's pool. The pool is made for that round: nothing else is awake, and the clock
//! runs inside.

// Each bench uses a part of these.
#![allow(dead_code)]

use std::num::NonZero;
use std::time::{Duration, Instant};

use filch_benches::{Round, settle, tally};

/// Stacks for recursions that are deep; what is not touched costs nothing.
pub const STACK: usize = 64 << 20;

/// A way to run two closures, so that a workload is written once. All of it is inlined.
pub trait Join {
    fn join<A, B, RA, RB>(a: A, b: B) -> (RA, RB)
    where
        A: FnOnce() -> RA + Send,
        B: FnOnce() -> RB + Send,
        RA: Send,
        RB: Send;
}

/// One after the other.
pub struct Serial;
pub struct Rayon;
pub struct Filch;

impl Join for Serial {
    #[inline(always)]
    fn join<A, B, RA, RB>(a: A, b: B) -> (RA, RB)
    where
        A: FnOnce() -> RA + Send,
        B: FnOnce() -> RB + Send,
        RA: Send,
        RB: Send,
    {
        (a(), b())
    }
}

impl Join for Rayon {
    #[inline(always)]
    fn join<A, B, RA, RB>(a: A, b: B) -> (RA, RB)
    where
        A: FnOnce() -> RA + Send,
        B: FnOnce() -> RB + Send,
        RA: Send,
        RB: Send,
    {
        rayon::join(a, b)
    }
}

impl Join for Filch {
    #[inline(always)]
    fn join<A, B, RA, RB>(a: A, b: B) -> (RA, RB)
    where
        A: FnOnce() -> RA + Send,
        B: FnOnce() -> RB + Send,
        RA: Send,
        RB: Send,
    {
        filch::join(a, b)
    }
}

/// Has `f` run on this thread, and checks that it entered `marks` tallies.
pub fn serial(marks: u64, f: impl FnOnce() -> Vec<Duration>) -> Round {
    tally::begin();
    settle();
    let times = f();
    Round { times, jobs: tally::shares(marks) }
}

/// Has `f` run beside a pool that is made for this round, and has ended when it is over.
fn beside<P>(marks: u64, make: impl FnOnce() -> P, f: impl FnOnce(&P) -> Vec<Duration>) -> Round {
    tally::begin();
    let pool = make();
    settle();
    let times = f(&pool);
    drop(pool);
    settle();
    Round { times, jobs: tally::shares(marks) }
}

/// Has `f` run beside a pool of filch's.
pub fn filch(workers: usize, marks: u64, f: impl FnOnce(&filch::Pool) -> Vec<Duration>) -> Round {
    let builder = filch::Pool::builder().workers(workers);
    // To compare: `FILCH_ASYMMETRIC_FENCES=0` does without the system's fence on all cores.
    let heavy = std::env::var("FILCH_ASYMMETRIC_FENCES").as_deref() != Ok("0");
    let builder = if heavy { builder } else { builder.asymmetric_fences(false) };
    beside(marks, || builder.build().expect("a pool"), f)
}

/// Has `f` run beside a pool of rayon's.
pub fn rayon(workers: usize, marks: u64, f: impl FnOnce(&rayon::ThreadPool) -> Vec<Duration>) -> Round {
    let builder = rayon::ThreadPoolBuilder::new().num_threads(workers).stack_size(STACK);
    beside(marks, || builder.build().expect("a pool"), f)
}

/// Has `f` run as one thread of a pool of chili's: there the thread that forks is one of the workers.
pub fn chili(workers: usize, marks: u64, f: impl FnOnce(&chili::ThreadPool) -> Vec<Duration>) -> Round {
    let config = chili::Config { thread_count: NonZero::new(workers), ..chili::Config::default() };
    beside(marks, || chili::ThreadPool::with_config(config), f)
}

/// How long `f` takes, which is to return `expected`.
#[inline]
pub fn clock<T: PartialEq + std::fmt::Debug>(expected: &T, f: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    let result = f();
    let time = start.elapsed();
    assert_eq!(&result, expected);
    time
}
