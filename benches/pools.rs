//! Runs one round on each contender's pool. The pool is made for that round: nothing else is awake, and the clock
//! runs inside.

// Each bench uses only some of these items.
#![allow(dead_code)]

use std::num::NonZero;
use std::time::{Duration, Instant};

use filch_benches::{Round, settle, tally};

/// The stack size for deep recursions, in bytes. The part of a stack that is not touched costs nothing.
pub const STACK: usize = 64 << 20;

/// A way to run two closures. A workload is written once over this trait, and every call is inlined.
pub trait Join {
    fn join<A, B, RA, RB>(a: A, b: B) -> (RA, RB)
    where
        A: FnOnce() -> RA + Send,
        B: FnOnce() -> RB + Send,
        RA: Send,
        RB: Send;
}

/// Runs one closure after the other.
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

/// Runs `f` on this thread, and checks that the round entered `marks` marks in the tallies.
pub fn serial(marks: u64, f: impl FnOnce() -> Vec<Duration>) -> Round {
    tally::begin();
    settle();
    let times = f();
    Round { times, jobs: tally::shares(marks) }
}

/// Makes a pool for this round, runs `f` with it, and drops it. Checks that the round entered `marks` marks in the
/// tallies.
fn beside<P>(marks: u64, make: impl FnOnce() -> P, f: impl FnOnce(&P) -> Vec<Duration>) -> Round {
    tally::begin();
    let pool = make();
    settle();
    let times = f(&pool);
    drop(pool);
    settle();
    Round { times, jobs: tally::shares(marks) }
}

/// Runs `f` with a filch pool.
pub fn filch(workers: usize, marks: u64, f: impl FnOnce(&filch::Pool) -> Vec<Duration>) -> Round {
    let builder = filch::Pool::builder().workers(workers);
    // `FILCH_ASYMMETRIC_FENCES=0` builds the pool without the system's fence on all cores, to compare.
    let heavy = std::env::var("FILCH_ASYMMETRIC_FENCES").as_deref() != Ok("0");
    let builder = if heavy { builder } else { builder.asymmetric_fences(false) };
    beside(marks, || builder.build().expect("a pool"), f)
}

/// Runs `f` with a rayon pool.
pub fn rayon(workers: usize, marks: u64, f: impl FnOnce(&rayon::ThreadPool) -> Vec<Duration>) -> Round {
    let builder = rayon::ThreadPoolBuilder::new().num_threads(workers).stack_size(STACK);
    beside(marks, || builder.build().expect("a pool"), f)
}

/// Runs `f` with a chili pool. There the thread that forks is one of the workers.
pub fn chili(workers: usize, marks: u64, f: impl FnOnce(&chili::ThreadPool) -> Vec<Duration>) -> Round {
    let config = chili::Config { thread_count: NonZero::new(workers), ..chili::Config::default() };
    beside(marks, || chili::ThreadPool::with_config(config), f)
}

/// Returns how long `f` takes, and checks that `f` returns `expected`.
#[inline]
pub fn clock<T: PartialEq + std::fmt::Debug>(expected: &T, f: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    let result = f();
    let time = start.elapsed();
    assert_eq!(&result, expected);
    time
}
