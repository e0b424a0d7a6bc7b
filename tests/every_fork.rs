//! A worker that has nothing to do can take any fork: at any depth, after any history, whatever the fork's owner
//! does. In each test the two sides of some fork talk to each other, so a fork that nobody can take hangs.

mod common;

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use common::{LIMIT, until, within};
use filch::{Pool, PoolBuilder};

/// Runs `body` with builders of pools that use the system's fence, if there is one, and of pools that do not.
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

/// Two sides of which each needs the other.
fn talk() {
    let (send, receive) = sync_channel(0);
    filch::join(move || assert_eq!(receive.recv(), Ok(5)), move || send.send(5).unwrap());
}

/// In the first sides of `depth` forks.
fn nested(depth: usize, innermost: &(dyn Fn() + Sync)) {
    if depth == 0 {
        return innermost();
    }
    filch::join(|| nested(depth - 1, innermost), || ());
}

/// In the second sides.
fn nested_right(depth: usize, innermost: &(dyn Fn() + Sync)) {
    if depth == 0 {
        return innermost();
    }
    filch::join(|| (), || nested_right(depth - 1, innermost));
}

/// Runs `innermost` on a pool of two after fine forks, while the other worker is busy; that one becomes free when the
/// innermost fork has been made.
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

/// A parallel loop as rayon's iterators make it: halves, down to single items.
fn each(items: Range<usize>, f: &(dyn Fn(usize) + Sync)) {
    if items.len() <= 1 {
        return items.for_each(f);
    }
    let middle = items.start.midpoint(items.end);
    filch::join(|| each(items.start..middle, f), || each(middle..items.end, f));
}

/// One item of a loop is a small pipeline.
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

/// All sides of a tree of forks meet, as many as there are workers.
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

/// A walk of a tree of directories, say: a level deeper with each fork, and at its end something that talks.
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
