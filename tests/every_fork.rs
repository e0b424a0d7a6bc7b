//! A worker that has nothing to do can take any fork: at any depth, after any history, whatever the fork's owner
//! does. In each test the two sides of some fork talk to each other, so a fork that nobody can take hangs.

mod common;

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use common::{LIMIT, until, within};
use filch::{Pool, PoolBuilder};

/// Runs `body` twice: with builders of pools that use the system's fence where there is one, and with builders of
/// pools that do not use it.
fn both_ways(body: impl Fn(fn() -> PoolBuilder) + Send + 'static) {
    within(LIMIT, move || {
        body(Pool::builder);
        body(|| Pool::builder().asymmetric_fences(false));
    });
}

fn fib(n: u32) -> u32 {
    if n < 2 {
        return n;
    }
    let (a, b) = filch::join(|| fib(n - 1), || fib(n - 2));
    a + b
}

/// Forks two sides that need each other, so another worker must take the second side.
fn talk() {
    let (send, receive) = sync_channel(0);
    filch::join(move || assert_eq!(receive.recv(), Ok(5)), move || send.send(5).unwrap());
}

/// Runs `innermost` in the first sides of `depth` nested forks.
fn nested(depth: usize, innermost: &(dyn Fn() + Sync)) {
    if depth == 0 {
        return innermost();
    }
    filch::join(|| nested(depth - 1, innermost), || ());
}

/// Runs `innermost` in the second sides of `depth` nested forks.
fn nested_right(depth: usize, innermost: &(dyn Fn() + Sync)) {
    if depth == 0 {
        return innermost();
    }
    filch::join(|| (), || nested_right(depth - 1, innermost));
}

/// Runs `fib(history)`, which makes many small forks, on a pool of two, and then a fork whose sides need each other,
/// below `depth` other forks. The other worker is busy until this innermost fork has been made.
fn while_the_other_is_busy(pool: &Pool, history: u32, depth: usize, right: bool) {
    let (busy, free) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|threads| {
        threads.spawn(|| {
            pool.install(|| {
                busy.store(true, Ordering::Release);
                until(|| free.load(Ordering::Acquire));
            });
        });
        until(|| busy.load(Ordering::Acquire));
        let innermost = || {
            let (send, receive) = sync_channel(0);
            let free = &free;
            let first = move || {
                free.store(true, Ordering::Release);
                assert_eq!(receive.recv(), Ok(5));
            };
            filch::join(first, move || send.send(5).unwrap());
        };
        pool.install(|| {
            fib(history);
            if right { nested_right(depth, &innermost) } else { nested(depth, &innermost) }
        });
    });
}

#[test]
fn after_fine_forks_at_any_depth() {
    both_ways(|builder| {
        let pool = builder().workers(2).build().unwrap();
        for depth in (0..12).chain([40, 400]) {
            for right in [false, true] {
                while_the_other_is_busy(&pool, 15, depth, right);
            }
        }
    });
}

#[test]
fn after_any_history() {
    both_ways(|builder| {
        let pool = builder().workers(2).build().unwrap();
        for history in 0..20 {
            while_the_other_is_busy(&pool, history, 5, false);
        }
    });
}

/// A parallel loop as rayon's iterators make it: it halves the range down to single items.
fn each(items: Range<usize>, f: &(dyn Fn(usize) + Sync)) {
    if items.len() <= 1 {
        return items.for_each(f);
    }
    let middle = items.start.midpoint(items.end);
    filch::join(|| each(items.start..middle, f), || each(middle..items.end, f));
}

/// One item of a loop is a small pipeline, and a worker must come for its second side.
#[test]
fn a_pipeline_in_a_loop() {
    both_ways(|builder| {
        for workers in [2, 4] {
            let pool = builder().workers(workers).build().unwrap();
            for round in 0..100 {
                let special = (round * 37 + 11) % 1024;
                pool.install(|| {
                    each(0..1024, &|item| {
                        if item == special {
                            let (send, lines) = sync_channel(4);
                            filch::join(
                                move || (0..100).for_each(|line| send.send(line).unwrap()),
                                move || assert_eq!(lines.into_iter().sum::<i32>(), 4950),
                            );
                        } else {
                            let begun = Instant::now();
                            while begun.elapsed() < Duration::from_micros(5) {}
                        }
                    });
                });
            }
        }
    });
}

/// The leaves of a tree of forks wait for each other. There are as many leaves as workers, so each worker must take
/// one.
#[test]
fn all_sides_meet() {
    fn meet(sides: usize, here: &AtomicUsize, all: usize) {
        if sides > 1 {
            filch::join(|| meet(sides / 2, here, all), || meet(sides - sides / 2, here, all));
        } else {
            here.fetch_add(1, Ordering::AcqRel);
            until(|| here.load(Ordering::Acquire) >= all);
        }
    }
    both_ways(|builder| {
        for workers in [2, 3, 8] {
            let pool = builder().workers(workers).build().unwrap();
            for round in 1..=20 {
                let here = AtomicUsize::new(0);
                pool.install(|| {
                    fib(round);
                    meet(workers, &here, workers);
                });
            }
        }
    });
}

/// A chain of forks, one in the first side of the other, all of whose sides wait for each other.
#[test]
fn all_sides_of_a_chain_meet() {
    fn chain(sides: usize, meet: &(dyn Fn() + Sync)) {
        if sides > 1 {
            filch::join(|| chain(sides - 1, meet), meet);
        } else {
            meet();
        }
    }
    both_ways(|builder| {
        for workers in [2, 3, 5, 8, 16] {
            let pool = builder().workers(workers).build().unwrap();
            for round in 1..=10 {
                let here = AtomicUsize::new(0);
                pool.install(|| {
                    fib(15 + round % 4);
                    chain(workers, &|| {
                        here.fetch_add(1, Ordering::AcqRel);
                        until(|| here.load(Ordering::Acquire) >= workers);
                    });
                });
            }
        }
    });
}

/// Of a loop over many small items two neighbours need each other. With time instead of a meeting: two items that
/// take long run side by side, not one after the other.
#[test]
fn two_neighbours_of_a_loop_meet() {
    both_ways(|builder| {
        for (workers, items) in [(2, 1024), (4, 1024), (8, 256), (16, 256)] {
            let pool = builder().workers(workers).build().unwrap();
            for round in 0..20 {
                let special = ((round * 38 + 10) % items) & !1;
                let here = AtomicUsize::new(0);
                pool.install(|| {
                    fib(18);
                    each(0..items, &|item| {
                        if item / 2 == special / 2 {
                            here.fetch_add(1, Ordering::AcqRel);
                            until(|| here.load(Ordering::Acquire) == 2);
                        }
                    });
                });
            }
        }
    });
}

/// A long walk, for example through a tree of directories, goes one level deeper with each fork. At its end stands a
/// fork whose sides need each other.
#[test]
fn at_the_end_of_a_long_walk() {
    both_ways(|builder| {
        let pool = builder().workers(2).stack_size(256 << 20).build().unwrap();
        for depth in [100, 1_000, 10_000] {
            pool.install(|| nested(depth, &talk));
            pool.install(|| nested_right(depth, &talk));
        }
    });
}
