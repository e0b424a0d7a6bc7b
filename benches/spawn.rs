//! What does a job cost that is spawned into a scope, inside a worker, and borrows?
//!
//! One worker spawns jobs that do next to nothing and waits for all of them.

use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use filch_benches::tally::{self, enter};
use filch_benches::{Contender, Unit, ask, rounds, scaled};

use pools::clock;

mod pools;

const WORKERS: usize = 2;

/// Checks that the ids in the tallies add up to `repeat` times the sum of `0..jobs`, and returns `times`.
fn check(times: Vec<Duration>, jobs: u64, repeat: u64) -> Vec<Duration> {
    let sum = tally::entries().iter().fold(0u64, |sum, entry| sum.wrapping_add(entry.0));
    assert_eq!(sum, jobs * (jobs - 1) / 2 * repeat, "sum of ids");
    times
}

macro_rules! contenders {
    ($jobs:ident, $repeat:ident, $all:ident, $id:ident => $job:expr) => {
        vec![
            Contender::baseline("a loop", || {
                pools::serial($all, || {
                    let one = |$id| black_box($job)(&());
                    check(
                        (0..$repeat).map(|_| clock(&(), || (0..$jobs).for_each(one))).collect(),
                        $jobs,
                        $repeat,
                    )
                })
            }),
            Contender::peer("rayon scope.spawn", || {
                pools::rayon(WORKERS, $all, |pool| {
                    let all = || rayon::scope(|s| (0..$jobs).for_each(|$id| s.spawn($job)));
                    check(pool.install(|| (0..$repeat).map(|_| clock(&(), all)).collect()), $jobs, $repeat)
                })
            }),
            Contender::ours("filch scope.spawn", || {
                pools::filch(WORKERS, $all, |pool| {
                    let all = || filch::scope(|s| (0..$jobs).for_each(|$id| s.spawn($job)));
                    check(pool.install(|| (0..$repeat).map(|_| clock(&(), all)).collect()), $jobs, $repeat)
                })
            }),
        ]
    };
}

fn flat(c: &mut Criterion) {
    for (jobs, repeat, full) in [(scaled(1_000_000, 20_000), 1, 11), (10_000, 20, 11)] {
        let all = jobs * repeat;
        let mut contenders = contenders!(jobs, repeat, all, id => move |_: &_| enter(id));
        if repeat == 1 {
            // To compare: jobs that nobody waits for. The bench sees their end from outside, as `execute` does.
            contenders.push(Contender::peer("filch execute", || {
                pools::filch(WORKERS, all, |pool| {
                    let start = Instant::now();
                    let spawn = move || {
                        (0..jobs).for_each(|id| filch::execute(move || enter(id)).expect("an open pool"));
                    };
                    pool.execute(spawn).expect("an open pool");
                    while let left @ 1.. = jobs - tally::done() {
                        thread::sleep(Duration::from_nanos(left * 10));
                    }
                    check(vec![start.elapsed()], jobs, repeat)
                })
            }));
        }
        ask(c, &format!("{jobs} jobs of 8 bytes"), Unit::each("job", jobs), rounds(full), contenders);

        // A job captures two references and a number.
        let (a, b) = (&black_box(1), &black_box(1));
        let contenders = contenders!(jobs, repeat, all, id => move |_: &_| enter(id + *a - *b));
        ask(c, &format!("{jobs} jobs of 24 bytes"), Unit::each("job", jobs), rounds(full), contenders);
    }
}

criterion_group!(benches, flat);
criterion_main!(benches);
