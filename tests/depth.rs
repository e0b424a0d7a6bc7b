//! How much stack fork-join takes: a constant for each level of the user's own recursion. The jobs that a worker runs
//! on top while it waits take a bounded amount. Each test runs in a process of its own, which an overflow would end.

mod common;

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use common::{CHILD_LIMIT, passes_in_child, until, within};
use filch::Pool;

/// What a level of a recursion of `join` may take, in this test's own build: several frames that an optimised one does
/// not have.
const LEVEL: usize = 4 << 10;

/// About where the calling thread's stack ends.
#[inline(never)]
fn position() -> usize {
    let here = 0u8;
    (&raw const here).addr()
}

/// A chain of forks, on each level with a second side that others may take.
fn deep(levels: usize, ran: &AtomicUsize) {
    if levels > 0 {
        filch::join(|| deep(levels - 1, ran), || ran.fetch_add(1, Ordering::Relaxed));
    }
}

#[test]
fn a_hundred_thousand_levels() {
    passes_in_child("a_hundred_thousand_levels", "", || {
        within(CHILD_LIMIT, || {
            let levels = 100_000;
            for workers in [1, 2] {
                let pool = Pool::builder().workers(workers).stack_size(levels * LEVEL).build().unwrap();
                let ran = AtomicUsize::new(0);
                pool.install(|| deep(levels, &ran));
                assert_eq!(ran.into_inner(), levels);
            }
        });
    });
}

/// The other way down: in the second side, wherever that runs.
#[test]
fn a_hundred_thousand_levels_of_second_sides() {
    fn right(levels: usize, ran: &AtomicUsize) {
        if levels > 0 {
            filch::join(|| ran.fetch_add(1, Ordering::Relaxed), || right(levels - 1, ran));
        }
    }
    passes_in_child("a_hundred_thousand_levels_of_second_sides", "", || {
        within(CHILD_LIMIT, || {
            let levels = 100_000;
            for workers in [1, 2] {
                let pool = Pool::builder().workers(workers).stack_size(levels * LEVEL).build().unwrap();
                let ran = AtomicUsize::new(0);
                pool.install(|| right(levels, &ran));
                assert_eq!(ran.into_inner(), levels);
            }
        });
    });
}

/// An unbalanced tree, as random as it gets, on stacks of the default size, by more workers than there are cores.
#[test]
fn deep_recursion_on_the_default_stack() {
    /// About `nodes` of them, most of them on the left; leaves give way now and then.
    fn grow(nodes: usize, levels: usize, ran: &AtomicUsize) {
        if nodes <= 1 || levels == 0 {
            if ran.fetch_add(1, Ordering::Relaxed).is_multiple_of(97) {
                thread::yield_now();
            }
            return;
        }
        let right = (nodes / 50).max(1);
        let both = (nodes - right, right);
        filch::join(|| grow(both.0, levels - 1, ran), || grow(both.1, levels - 1, ran));
    }
    passes_in_child("deep_recursion_on_the_default_stack", "", || {
        within(CHILD_LIMIT, || {
            let pool = Pool::builder().workers(8).build().unwrap();
            for _ in 0..20 {
                let ran = AtomicUsize::new(0);
                pool.install(|| grow(20_000, 300, &ran));
                let once = ran.swap(0, Ordering::Relaxed);
                pool.install(|| grow(20_000, 300, &ran));
                assert_eq!(ran.into_inner(), once, "as many leaves each time");
            }
        });
    });
}

thread_local! {
    /// Where this worker's stack was in its first job.
    static FIRST: Cell<usize> = const { Cell::new(0) };
}

/// Levels that each wait for the next, which is taken by the worker that waits for the one above.
#[derive(Default)]
struct Ladder {
    /// The deepest that a level of another worker began in the stack of this one.
    deepest: AtomicUsize,
    taken: AtomicUsize,
}

impl Ladder {
    /// Goes down. Of the first `insist` levels none waits before another worker has begun the next.
    fn down(&self, levels: usize, insist: usize, from: Option<usize>) {
        if FIRST.get() == 0 {
            FIRST.set(position());
        }
        let me = filch::current_worker();
        if from != me {
            self.taken.fetch_add(1, Ordering::Relaxed);
            self.deepest.fetch_max(FIRST.get().saturating_sub(position()), Ordering::Relaxed);
        }
        if levels == 0 {
            return;
        }
        let begun = AtomicBool::new(false);
        let next = || {
            begun.store(true, Ordering::Release);
            self.down(levels - 1, insist.saturating_sub(1), me);
        };
        let here = || {
            if insist > 0 {
                until(|| begun.load(Ordering::Acquire));
            } else {
                // Taken or not: a worker whose stack is deep need not come.
                (0..20).for_each(|_| thread::yield_now());
            }
        };
        if levels.is_multiple_of(2) {
            filch::join(here, next);
        } else {
            filch::scope(|s| {
                s.spawn(|_| next());
                here();
            });
        }
    }
}

/// How deep in a stack jobs of others began on a pool of two with that much for help, and how many of the levels.
fn ladder(help: Option<usize>, levels: usize, insist: usize) -> (usize, usize) {
    // Without spares: with them, no worker that waits begins what it does not wait for.
    let builder = || Pool::builder().workers(2).stack_size(64 << 20).spares(0);
    let pool = help.map_or_else(builder, |help| builder().help_stack(help));
    let ladder = Ladder::default();
    let pool = pool.build().unwrap();
    pool.install(|| ladder.down(levels, insist, filch::current_worker()));
    (ladder.deepest.into_inner(), ladder.taken.into_inner())
}

/// Two workers that each wait for what the other does, and meanwhile do what the other waits for.
#[test]
fn nested_steals_are_bounded() {
    passes_in_child("nested_steals_are_bounded", "", || {
        within(CHILD_LIMIT, || {
            let (levels, slack) = (1_000, 32 << 10);
            let (deepest, taken) = ladder(Some(usize::MAX), levels, levels);
            assert_eq!(
                taken, levels,
                "without a bound each level is on top of the other worker's last but one"
            );
            assert!(deepest > (256 << 10) + 2 * slack, "or there would be nothing to bound: {deepest}");
            for (help, bound) in [(Some(32 << 10), 32 << 10), (Some(128 << 10), 128 << 10), (None, 256 << 10)] {
                let (deepest, taken) = ladder(help, levels, 8);
                assert!(taken >= 8 && deepest < bound + slack, "{taken} on a stack of {deepest} of {bound}");
            }
        });
    });
}
