//! `join` runs both closures once and returns both results in order, on whatever is borrowed. The two run at the same
//! time if there is a worker for it, however the fork is hidden.

mod common;

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread;

use common::{Gate, LIMIT, Ledger, text_of, until, within};
use filch::Pool;

fn pool(workers: usize) -> Pool {
    Pool::builder().workers(workers).build().unwrap()
}

/// Calls `leaf` with each number from `first` to `first + jobs - 1`, and splits the range in halves.
fn each(first: usize, jobs: usize, leaf: &(impl Fn(usize) + Sync)) {
    if jobs == 1 {
        return leaf(first);
    }
    let left = jobs / 2;
    filch::join(|| each(first, left, leaf), || each(first + left, jobs - left, leaf));
}

// --- results ---

#[test]
fn one_worker_runs_the_first_and_then_the_second() {
    within(LIMIT, || {
        let order = Mutex::new(Vec::new());
        let note = |what: &'static str| order.lock().unwrap().push(what);
        let results = pool(1).install(|| {
            filch::join(
                || {
                    note("a");
                    filch::join(|| note("a.a"), || note("a.b"));
                    1
                },
                || {
                    note("b");
                    String::from("two")
                },
            )
        });
        assert_eq!(results, (1, String::from("two")));
        assert_eq!(order.into_inner().unwrap(), ["a", "a.a", "a.b", "b"]);
    });
}

#[test]
fn results_stay_in_their_places() {
    /// Returns the numbers from `first` to `end - 1` as strings, and splits the range unevenly.
    fn list(first: u32, end: u32) -> Vec<String> {
        if end - first == 1 {
            return vec![first.to_string()];
        }
        let middle = first + (end - first) / 3 + u32::from(end - first == 2);
        let (mut left, right) =
            filch::join(|| list(first, middle.max(first + 1)), || list(middle.max(first + 1), end));
        left.extend(right);
        left
    }
    within(LIMIT, || {
        let wanted: Vec<String> = (0..1_000).map(|n: u32| n.to_string()).collect();
        for workers in [1, 2, 4] {
            let pool = pool(workers);
            for _ in 0..20 {
                assert_eq!(pool.install(|| list(0, 1_000)), wanted);
            }
        }
    });
}

#[test]
fn closures_of_all_sizes() {
    within(LIMIT, || {
        let pool = pool(2);
        pool.install(|| {
            let (big, bigger) = ([3u64; 100], [4u64; 1_000]);
            for _ in 0..100 {
                assert_eq!(filch::join(|| (), || ()), ((), ()));
                let sums =
                    filch::join(move || big.iter().sum::<u64>(), move || (bigger, bigger.iter().sum::<u64>()));
                assert_eq!((sums.0, sums.1.1, sums.1.0[999]), (300, 4_000, 4));
                #[repr(align(256))]
                struct Aligned(u8);
                let aligned = Aligned(7);
                let check = move || {
                    let aligned = &aligned;
                    assert_eq!(std::ptr::from_ref(aligned).addr() % 256, 0);
                    aligned.0
                };
                assert_eq!(filch::join(|| 1, check), (1, 7));
            }
        });
    });
}

#[test]
fn borrowed_data_under_stealing() {
    fn add(data: &mut [usize], round: usize) -> usize {
        if data.len() <= 4 {
            if data[0].is_multiple_of(64) {
                // Gives a thief time.
                thread::yield_now();
            }
            data.iter_mut().for_each(|n| *n += round);
            return data.len();
        }
        let (left, right) = data.split_at_mut(data.len() / 2);
        let (left, right) = filch::join(|| add(left, round), || add(right, round));
        left + right
    }
    within(LIMIT, || {
        for workers in [2, 3, 4, 8] {
            let pool = pool(workers);
            let mut data: Vec<usize> = (0..3_000).collect();
            let mut sum = 0;
            for round in 0..30 {
                assert_eq!(pool.install(|| add(&mut data, round)), 3_000);
                sum += round;
                assert!(data.iter().enumerate().all(|(index, &n)| n == index + sum), "round {round}");
            }
        }
    });
}

#[test]
fn a_million_forks_run_once() {
    within(LIMIT, || {
        let ran = Ledger::new(1_000_001);
        for workers in [1, 2, 4, 8] {
            ran.clear();
            pool(workers).install(|| each(0, 1_000_001, &|leaf| ran.mark(leaf)));
            ran.assert_once();
        }
    });
}

#[test]
fn chains_to_the_left_and_to_the_right() {
    fn left(n: usize, ran: &Ledger) -> usize {
        if n == 0 {
            return 0;
        }
        let (below, here) = filch::join(
            || left(n - 1, ran),
            || {
                ran.mark(n - 1);
                n
            },
        );
        below + here
    }
    fn right(n: usize, ran: &Ledger) -> usize {
        if n == 0 {
            return 0;
        }
        let (here, below) = filch::join(
            || {
                ran.mark(n - 1);
                n
            },
            || right(n - 1, ran),
        );
        below + here
    }
    within(LIMIT, || {
        let levels = 2_000;
        let ran = Ledger::new(levels);
        for workers in [1, 2, 4] {
            let pool = Pool::builder().workers(workers).stack_size(64 << 20).build().unwrap();
            for _ in 0..10 {
                for chain in [left, right] {
                    ran.clear();
                    assert_eq!(pool.install(|| chain(levels, &ran)), levels * (levels + 1) / 2);
                    ran.assert_once();
                }
            }
        }
    });
}

// --- at the same time ---

#[test]
fn two_sides_overlap() {
    within(LIMIT, || {
        let pool = pool(2);
        for _ in 0..200 {
            let both = Barrier::new(2);
            let meet = || both.wait().is_leader();
            let leaders = pool.install(|| filch::join(meet, meet));
            assert!(leaders.0 != leaders.1);
            let leaders = pool.join(meet, meet);
            assert!(leaders.0 != leaders.1);
        }
    });
}

/// The first 8 leaves that begin wait for each other, so each of the 8 workers must run one of them. Where there are
/// spares, one that was relieved while it took a job runs that job beside the worker whose number it has.
#[test]
fn all_workers_are_busy_from_the_start() {
    within(LIMIT, || {
        let without_spares = Pool::builder().workers(8).spares(0).build().unwrap();
        for (pool, own_numbers) in [(pool(8), false), (without_spares, true)] {
            for _ in 0..50 {
                let (begun, ran) = (AtomicUsize::new(0), Ledger::new(64));
                let (all, who) = (Barrier::new(8), Mutex::new(HashSet::new()));
                pool.install(|| {
                    each(0, 64, &|leaf| {
                        ran.mark(leaf);
                        if begun.fetch_add(1, Ordering::Relaxed) < 8 {
                            who.lock().unwrap().insert(filch::current_worker().unwrap());
                            all.wait();
                        }
                    });
                });
                ran.assert_once();
                assert!(!own_numbers || who.into_inner().unwrap().len() == 8);
            }
        }
    });
}

/// The owner of the forks only waits for the youngest fork. Another worker must take the fork without the owner's
/// help.
#[test]
fn forks_behind_a_long_leaf_are_raided() {
    /// Joins `leaf` and `set` below `levels` more forks, all private to the worker.
    fn hidden(levels: usize, leaf: &(dyn Fn() + Sync), set: &(dyn Fn() + Sync)) {
        match levels {
            0 => _ = filch::join(leaf, set),
            _ => _ = filch::join(|| hidden(levels - 1, leaf, set), || ()),
        }
    }
    within(LIMIT, || {
        for workers in [2, 3] {
            let pool = pool(workers);
            for round in 0..200 {
                let gate = Gate::default();
                pool.install(|| hidden(round % 3, &|| gate.wait(), &|| gate.open()));
                let flag = AtomicBool::new(false);
                let spin = || until(|| flag.load(Ordering::Acquire));
                pool.install(|| hidden(round % 3, &spin, &|| flag.store(true, Ordering::Release)));
            }
        }
    });
}

/// A worker blocks with a single private fork. The other worker takes the fork, whether it slept or has just become
/// idle.
#[test]
fn a_lone_fork_of_a_worker_that_blocks_is_taken() {
    within(LIMIT, || {
        let pool = pool(2);
        for round in 0..300 {
            if round % 3 == 0 {
                until(|| pool.stats().workers.iter().all(|worker| worker.deque_depth == 0));
            }
            let gate = Gate::default();
            pool.install(|| filch::join(|| gate.wait(), || gate.open()));
            let gate = Gate::default();
            // The fork is made in a second side that another worker may have stolen.
            pool.install(|| filch::join(|| (), || filch::join(|| gate.wait(), || gate.open())));
        }
    });
}

/// The owner of the fork yields in the first side, and the job that it runs there blocks. Another worker must take
/// the fork.
#[test]
fn a_fork_below_a_job_that_blocks_is_taken() {
    within(LIMIT, || {
        let pool = pool(2);
        for _ in 0..200 {
            let gate = Gate::default();
            let (opener, waiter) = (gate.clone(), gate.clone());
            pool.install(|| {
                filch::join(
                    || {
                        filch::execute(move || waiter.wait()).unwrap();
                        filch::yield_now();
                    },
                    move || opener.open(),
                )
            });
        }
    });
}

// --- from elsewhere ---

#[test]
fn from_outside_both_sides_run_on_workers() {
    within(LIMIT, || {
        let pool = Pool::builder().workers(2).name("own").build().unwrap();
        let name = || thread::current().name().unwrap().to_owned();
        let mut here = 0;
        for _ in 0..100 {
            let names = pool.join(
                || {
                    here += 1;
                    name()
                },
                name,
            );
            assert!(names.0.starts_with("own-") && names.1.starts_with("own-"), "{names:?}");
        }
        assert_eq!(here, 100);
        let global = filch::join(filch::current_worker, filch::current_worker);
        assert!(global.0.is_some() && global.1.is_some(), "on the global pool: {global:?}");
        let many: Vec<_> = thread::scope(|scope| {
            let join = |n: usize| {
                scope.spawn({
                    let pool = &pool;
                    move || pool.join(|| n, || 10 * n)
                })
            };
            let threads: Vec<_> = (0..8).map(join).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(many.iter().enumerate().all(|(n, &both)| both == (n, 10 * n)), "{many:?}");
    });
}

#[test]
fn on_another_pool_than_the_callers() {
    within(LIMIT, || {
        let (one, two) = (pool(1), pool(2));
        for _ in 0..100 {
            // The meaning of `filch::join` depends on the pool that calls it.
            let workers = one.install(|| {
                let other = two.join(filch::current_workers, filch::current_workers);
                (filch::join(filch::current_workers, filch::current_workers), other)
            });
            assert_eq!(workers, ((1, 1), (2, 2)));
            // The only worker of `one` waits for `two`, and meanwhile helps its own pool.
            let back = one.join(|| two.join(|| one.join(|| 1, || 2), || 3), || two.install(|| 4));
            assert_eq!(back, (((1, 2), 3), 4));
        }
    });
}

#[test]
fn a_closed_pool_joins_only_inside() {
    within(LIMIT, || {
        let pool = pool(2);
        let (gate, begun) = (Gate::default(), Gate::default());
        let (held, told) = (gate.clone(), begun.clone());
        let inside = pool.spawn(move || {
            told.open();
            held.wait();
            filch::join(|| filch::join(|| 1, || 2), || 3)
        });
        begun.wait();
        thread::scope(|scope| {
            let closing = scope.spawn(|| pool.shutdown().unwrap());
            until(|| pool.execute(|| ()).is_err());
            let refused = catch_unwind(AssertUnwindSafe(|| pool.join(|| (), || ()))).unwrap_err();
            let text = "the pool is shut down: it takes jobs from its own workers only";
            assert_eq!(text_of(&*refused), text);
            let refused = catch_unwind(AssertUnwindSafe(|| pool.join_context(|_| (), |_| ()))).unwrap_err();
            assert_eq!(text_of(&*refused), text);
            gate.open();
            closing.join().unwrap();
        });
        assert_eq!(inside.join().unwrap(), ((1, 2), 3));
    });
}

// --- join_context ---

#[test]
fn on_one_worker_nothing_migrates() {
    fn none(levels: usize) -> bool {
        if levels == 0 {
            return false;
        }
        let (a, b) =
            filch::join_context(|a| a.migrated() | none(levels - 1), |b| b.migrated() | none(levels - 1));
        a | b
    }
    within(LIMIT, || assert!(!pool(1).install(|| none(10))));
}

/// `migrated` says whether the side runs on another thread than its caller, for callers inside and outside of the
/// pool.
#[test]
fn migrated_means_on_another_thread() {
    fn check(levels: usize, moved: &AtomicUsize) {
        let caller = thread::current().id();
        let side = |context: filch::FnContext| {
            assert_eq!(context.migrated(), thread::current().id() != caller);
            moved.fetch_add(usize::from(context.migrated()), Ordering::Relaxed);
            match levels {
                0 => thread::yield_now(),
                _ => check(levels - 1, moved),
            }
        };
        filch::join_context(side, side);
    }
    within(LIMIT, || {
        for workers in [1, 2, 4] {
            let pool = pool(workers);
            for _ in 0..50 {
                pool.install(|| check(5, &AtomicUsize::new(0)));
                let outside = thread::current().id();
                let told = |context: filch::FnContext| (context.migrated(), thread::current().id() != outside);
                assert_eq!(pool.join_context(told, told), ((true, true), (true, true)));
            }
            if workers > 1 {
                let (moved, both) = (AtomicUsize::new(0), Barrier::new(2));
                pool.install(|| {
                    filch::join_context(
                        |_| both.wait(),
                        |b| {
                            moved.fetch_add(usize::from(b.migrated()), Ordering::Relaxed);
                            both.wait()
                        },
                    )
                });
                assert_eq!(moved.into_inner(), 1, "somebody else had to run it");
            }
        }
    });
}

/// A wait inside the first side may run the second side on the same thread. The second side has not migrated then.
#[test]
fn a_second_side_that_the_first_ran_has_not_migrated() {
    within(LIMIT, || {
        let migrated = pool(1).install(|| filch::join_context(|_| filch::yield_now(), |b| b.migrated()));
        assert_eq!(migrated, (Some(filch::Yield::Executed), false));
    });
}
