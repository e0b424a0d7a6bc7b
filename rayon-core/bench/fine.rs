//! Work whose cost is that of the scheduler: tiny loops, small sums, forks and spawns of next to nothing.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use crate::{Kind, timed};

pub const KINDS: &[(&str, Kind)] = &[
    ("fine/join_fib25", join_fib),
    ("fine/tiny_loop_100", tiny_loop),
    ("fine/tiny_loop_100_outside", tiny_loop_outside),
    ("fine/nested_loops", nested_loops),
    ("fine/scope_spawn", scope_spawn),
    ("fine/spawn_outside", spawn_outside),
    ("fine/sum_1e3", || sum(1_000)),
    ("fine/sum_1e4", || sum(10_000)),
    ("sum_1e5", || sum(100_000)),
    ("sum_1e6", || sum(1_000_000)),
    ("sum_1e7", || sum(10_000_000)),
    ("sum_1e8", || sum(100_000_000)),
];

fn fib(n: u32) -> u32 {
    if n < 2 {
        return n;
    }
    let (a, b) = rayon::join(|| fib(n - 1), || fib(n - 2));
    a + b
}

fn join_fib() -> Box<dyn FnMut() -> std::time::Duration> {
    Box::new(|| timed(|| fib(black_box(25))))
}

fn mix(n: u64) -> u64 {
    (n ^ (n >> 7)).wrapping_mul(0x2545_F491_4F6C_DD1D)
}

fn add(n: u64) -> u64 {
    (0..black_box(n)).into_par_iter().map(mix).reduce(|| 0, u64::wrapping_add)
}

/// The loops run inside the pool, and many in a round: a look at the clock costs as much as one loop.
fn tiny_loop() -> Box<dyn FnMut() -> std::time::Duration> {
    Box::new(|| rayon::scope(|_| timed(|| (0..1_000).map(|_| add(100)).fold(0, u64::wrapping_add))))
}

fn tiny_loop_outside() -> Box<dyn FnMut() -> std::time::Duration> {
    Box::new(|| timed(|| (0..200).map(|_| add(100)).fold(0, u64::wrapping_add)))
}

fn nested_loops() -> Box<dyn FnMut() -> std::time::Duration> {
    Box::new(|| {
        timed(|| {
            let inner = |row: u64| (0..100u64).into_par_iter().map(|column| mix(row ^ column)).max();
            (0..black_box(100u64)).into_par_iter().map(inner).max()
        })
    })
}

fn scope_spawn() -> Box<dyn FnMut() -> std::time::Duration> {
    Box::new(|| {
        let total = AtomicU64::new(0);
        timed(|| {
            rayon::scope(|scope| {
                for n in 0..100_000 {
                    let total = &total;
                    scope.spawn(move |_| {
                        if mix(n) == 0 {
                            total.fetch_add(n, Ordering::Relaxed);
                        }
                    });
                }
            });
        })
    })
}

fn spawn_outside() -> Box<dyn FnMut() -> std::time::Duration> {
    static LEFT: AtomicU64 = AtomicU64::new(0);
    let caller = std::thread::current();
    let caller: &'static std::thread::Thread = Box::leak(Box::new(caller));
    Box::new(move || {
        LEFT.store(10_000, Ordering::Relaxed);
        timed(|| {
            for n in 0..10_000 {
                rayon::spawn(move || {
                    black_box(mix(n));
                    if LEFT.fetch_sub(1, Ordering::AcqRel) == 1 {
                        caller.unpark();
                    }
                });
            }
            while LEFT.load(Ordering::Acquire) > 0 {
                std::thread::park();
            }
        })
    })
}

fn sum(n: u64) -> Box<dyn FnMut() -> std::time::Duration> {
    // Small sums run inside the pool, and many in a round, as parts of a larger computation do.
    let times = (100_000 / n).max(1);
    Box::new(move || rayon::scope(|_| timed(|| (0..times).map(|_| add(n)).fold(0, u64::wrapping_add))))
}
