//! How much stack fork-join takes: a constant for each level of the user's own recursion. The jobs that a worker runs
//! on top while it waits take a bounded amount. Each test runs in a process of its own, which an overflow would end.

mod common;

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use common::{CHILD_LIMIT, passes_in_child, until, within};
use filch::Pool;

/// The most stack, in bytes, that one level of a recursion of `join` may take in the test's build. A debug build has
/// several frames per level that an optimised build does not have.
const LEVEL: usize = 4 << 10;

/// Roughly the address where the calling thread's stack ends now.
#[inline(never)]
fn position() -> usize {
    let here = 0u8;
    (&raw const here).addr()
}

/// A chain of forks. On each level another worker may take the second side.
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

/// The recursion goes on in the second side, wherever the second side runs.
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

/// A very uneven tree of forks fits into stacks of the default size, although 8 workers steal from each other.
#[test]
fn deep_recursion_on_the_default_stack() {
    /// Grows a tree of about `nodes` nodes, most of them on the left. A leaf yields its core now and then.
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
    /// The end of this worker's stack in the worker's first job.
    static FIRST: Cell<usize> = const { Cell::new(0) };
}

/// A recursion in which each level waits for the next level. One worker runs level n and waits for level n + 1, which
/// the other worker runs. The other worker waits for level n + 2, and the first worker runs it on top of level n.
#[derive(Default)]
struct Ladder {
    /// The greatest depth in a worker's stack, in bytes, at which the worker began a level that another worker had
    /// forked.
    deepest: AtomicUsize,
    taken: AtomicUsize,
}

impl Ladder {
    /// Goes down `levels` levels. In the first `insist` levels, the worker waits only after another worker has begun
    /// the next level. `from` is the worker that forked this level.
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
                // Gives the other worker time. A worker whose stack is too deep need not take the next level.
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

/// Runs `levels` levels on a pool of two workers with `help` bytes of stack for helping. Returns the greatest depth
/// at which a worker began a level of the other worker, and how many levels were taken by the other worker.
fn ladder(help: Option<usize>, levels: usize, insist: usize) -> (usize, usize) {
    // The pool has no spares. With spares, a waiting worker begins only jobs that it waits for.
    let builder = || Pool::builder().workers(2).stack_size(64 << 20).spares(0);
    let pool = help.map_or_else(builder, |help| builder().help_stack(help));
    let ladder = Ladder::default();
    let pool = pool.build().unwrap();
    pool.install(|| ladder.down(levels, insist, filch::current_worker()));
    (ladder.deepest.into_inner(), ladder.taken.into_inner())
}

/// Two workers each wait for work of the other, and meanwhile run the work that the other waits for. Both stacks grow
/// with each level unless the pool bounds them.
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
