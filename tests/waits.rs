//! What a worker runs while it waits: with `Wait::Steal` any job of the pool, with another `Wait` only jobs of its
//! own. So a caller that holds a lock need not run, on its own stack, a job that wants the same lock (rayon's issue
//! 592).

mod common;

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::thread;

use common::{Gate, LIMIT, until, within};
use filch::{CountLatch, Pool, Scope, Wait};

fn pool(workers: usize) -> Pool {
    Pool::builder().workers(workers).build().unwrap()
}

thread_local! {
    /// How many locks of this file the frames on this thread's stack hold.
    static HELD: Cell<usize> = const { Cell::new(0) };
}

/// A lock whose holder is known to the jobs that run on top of it.
#[derive(Default)]
struct Lock(Mutex<usize>);

struct Held<'l>(MutexGuard<'l, usize>);

impl Lock {
    /// Panics where a mutex would wait for its own thread.
    #[track_caller]
    fn hold(&self) -> Held<'_> {
        assert_eq!(HELD.get(), 0, "this thread holds it: it would wait for ever");
        let guard = self.0.lock().unwrap();
        HELD.set(1);
        Held(guard)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        HELD.set(0);
    }
}

/// A bit of work that forks, for the waiter or for a thief.
fn work() {
    filch::join(|| filch::join(thread::yield_now, || ()), || filch::join(|| (), thread::yield_now));
}

/// Runs `jobs` jobs on `pool`. Each holds the lock, and calls `wait` meanwhile.
fn contend(pool: &Pool, jobs: usize, wait: impl Fn() + Sync) {
    let lock = Lock::default();
    pool.scope(|s| {
        for _ in 0..jobs {
            s.spawn(|_| {
                let mut held = lock.hold();
                wait();
                *held.0 += 1;
            });
        }
    });
    assert_eq!(lock.0.into_inner().unwrap(), jobs);
}

/// The dangerous pattern: another worker runs the job of a holder's scope, the holder waits for this job, and a third
/// job wants the lock. Returns whether the third job ran on top of the holder. The third job only tries the lock,
/// because it would never get it there.
fn is_run_on_the_holder(
    scope: impl for<'s> Fn(&'s Pool, &'s (dyn Fn() + Sync), &'s (dyn Fn() + Sync)) + Sync,
) -> bool {
    let pool = pool(2);
    let lock = Lock::default();
    let (stolen, seen, nested) = (Gate::default(), Gate::default(), AtomicBool::new(false));
    pool.in_place_scope(|s| {
        let holder = || {
            let _held = lock.hold();
            let blocker = || {
                stolen.open();
                seen.wait();
            };
            let other = || {
                stolen.wait();
                let (lock, seen, nested) = (&lock, &seen, &nested);
                s.spawn(move |_| {
                    let is_taken = matches!(lock.0.try_lock(), Err(TryLockError::WouldBlock));
                    nested.store(is_taken && HELD.get() > 0, Ordering::Relaxed);
                    seen.open();
                });
            };
            scope(&pool, &blocker, &other);
        };
        pool.install(holder);
    });
    nested.into_inner()
}

#[test]
fn with_steal_the_holder_runs_who_wants_the_lock() {
    within(LIMIT, || {
        for _ in 0..50 {
            let in_a_scope = is_run_on_the_holder(|pool, blocker, other| {
                pool.scope_with(Wait::Steal, |s| {
                    s.spawn(|_| blocker());
                    other();
                });
            });
            assert!(in_a_scope, "nobody else was free: on a blocking lock it would wait for itself");
        }
    });
}

/// A holder whose wait does not ask to steal does not run that job: a spare does.
#[test]
fn the_holder_runs_nobody_who_wants_the_lock() {
    within(LIMIT, || {
        for _ in 0..50 {
            assert!(!is_run_on_the_holder(|pool, blocker, other| {
                pool.scope(|s| {
                    s.spawn(|_| blocker());
                    other();
                });
            }));
            assert!(!is_run_on_the_holder(|pool, blocker, other| _ = pool.join(other, blocker)));
            let another = pool(1);
            assert!(!is_run_on_the_holder(|_, blocker, other| {
                filch::in_place_scope(|s| {
                    s.spawn(|_| blocker());
                    other();
                    another.install(|| ());
                });
            }));
        }
    });
}

#[test]
fn a_scope_of_its_own() {
    within(LIMIT, || {
        for workers in [1, 2, 4] {
            let pool = pool(workers);
            for _ in 0..10 {
                contend(&pool, 50, || {
                    pool.scope_with(Wait::OwnScope, |s| (0..3).for_each(|_| s.spawn(|_| thread::yield_now())));
                });
                contend(&pool, 50, || pool.install_with(Wait::OwnScope, work));
                // All waits inside are isolated, of whatever kind.
                contend(&pool, 50, || {
                    pool.install_with(Wait::OwnScope, || {
                        filch::scope(|s| (0..3).for_each(|_| s.spawn(|_| thread::yield_now())));
                        filch::in_place_scope(|s| s.spawn(|s| s.spawn(|_| ())));
                        filch::spawn(|| ()).join().unwrap();
                        let latch = Arc::new(CountLatch::new(1));
                        let opener = Arc::clone(&latch);
                        filch::execute(move || opener.count_down()).unwrap();
                        latch.wait();
                        filch::yield_now();
                    });
                });
                contend(&pool, 50, || pool.install_with(Wait::Park, work));
            }
        }
    });
}

/// A parked holder needs free workers for what it waits for. So fewer jobs want the lock than there are workers.
#[test]
fn a_parked_scope() {
    within(LIMIT, || {
        let pool = pool(4);
        for _ in 0..200 {
            contend(&pool, 3, || {
                let thieves = Mutex::new(Vec::new());
                let me = thread::current().id();
                pool.scope_with(Wait::Park, |s| {
                    (0..3).for_each(|_| s.spawn(|_| thieves.lock().unwrap().push(thread::current().id())));
                });
                let thieves = thieves.into_inner().unwrap();
                assert!(thieves.len() == 3 && !thieves.contains(&me), "{me:?} ran {thieves:?}");
            });
        }
        // On a pool of one worker `Park` is the same as `OwnScope`: the worker runs the job itself.
        let alone = self::pool(1);
        contend(&alone, 20, || alone.scope_with(Wait::Park, |s| s.spawn(|_| work())));
    });
}

#[test]
fn an_install_on_another_pool() {
    within(LIMIT, || {
        for workers in [1, 2, 4] {
            let (pool, other) = (pool(workers), pool(workers));
            for wait in [Wait::Park, Wait::OwnScope] {
                for _ in 0..10 {
                    contend(&pool, 50, || other.install_with(wait, work));
                    contend(&pool, 20, || {
                        assert_eq!(other.scope_with(wait, |s| (s.spawn(|_| work()), 7).1), 7)
                    });
                }
            }
        }
    });
}

/// The restriction ends with the call, also if the call panics.
#[test]
fn afterwards_all_is_as_before() {
    within(LIMIT, || {
        let pool = pool(1);
        for wait in [Wait::OwnScope, Wait::Park] {
            pool.install(|| {
                let ran = AtomicUsize::new(0);
                filch::in_place_scope(|s| {
                    s.spawn(|_| _ = ran.fetch_add(1, Ordering::Relaxed));
                    pool.scope_with(wait, |_| assert_eq!(filch::yield_now(), Some(filch::Yield::Idle)));
                    let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                        pool.install_with(wait, || pool.scope_with(wait, |_| common::fail(1)))
                    }));
                    assert!(failed.is_err() && ran.load(Ordering::Relaxed) == 0, "not its own");
                    assert_eq!(filch::yield_now(), Some(filch::Yield::Executed));
                });
            });
        }
    });
}

// --- what others took from it ---

/// A part that is stolen from an isolated scope, or from a join in it, stays isolated: where this part waits, it runs
/// nothing else either.
#[test]
fn stolen_parts_stay_apart() {
    thread_local! {
        static INSIDE: Cell<bool> = const { Cell::new(false) };
    }
    within(LIMIT, || {
        let pool = pool(3);
        for round in 0..200 {
            let [stolen, waits, other_ran] = [(); 3].map(|()| Gate::default());
            let part = || {
                INSIDE.set(true);
                stolen.open();
                let elsewhere = || {
                    waits.open();
                    other_ran.wait();
                };
                filch::join(|| waits.wait(), elsewhere);
                INSIDE.set(false);
            };
            let mixed = AtomicBool::new(false);
            pool.in_place_scope(|s| {
                s.spawn(|_| {
                    if round % 2 == 0 {
                        pool.scope_with(Wait::OwnScope, |s| {
                            s.spawn(|_| part());
                            stolen.wait();
                        });
                    } else {
                        pool.install_with(Wait::OwnScope, || filch::join(|| stolen.wait(), part));
                    }
                });
                waits.wait();
                // All three workers are inside that scope. A spare may run this job, on a stack of its own.
                s.spawn(|_| mixed.store(INSIDE.get(), Ordering::Relaxed));
                (0..50).for_each(|_| thread::yield_now());
                other_ran.open();
            });
            assert!(!mixed.into_inner(), "round {round}");
        }
    });
}

/// A thief that took several jobs of a holder's scope runs them before a job from outside that wants the lock.
#[test]
fn loot_comes_before_what_is_injected() {
    within(LIMIT, || {
        let (pool, lock) = (pool(2), Lock::default());
        let outside = || {
            for _ in 0..150 {
                pool.in_place_scope(|s| (0..8).for_each(|_| s.spawn(|_| *lock.hold().0 += 1)));
            }
        };
        let holder = || {
            let mut held = lock.hold();
            pool.scope_with(Wait::OwnScope, |s| {
                (0..400).for_each(|_| {
                    s.spawn(|s| s.spawn(|_| std::hint::black_box(())));
                });
            });
            *held.0 += 1;
        };
        thread::scope(|scope| {
            scope.spawn(outside);
            scope.spawn(outside);
            (0..300).for_each(|_| pool.install(holder));
        });
        assert_eq!(lock.0.into_inner().unwrap(), 2 * 150 * 8 + 300);
    });
}

// --- pools that wait for each other ---

#[test]
fn two_pools_that_install_into_each_other() {
    fn there_and_back(pools: [&Pool; 2], levels: usize) -> usize {
        if levels == 0 {
            return 0;
        }
        let [here, there] = pools;
        let (a, b) = there.install(|| {
            filch::join(
                || there_and_back([there, here], levels - 1),
                || there_and_back([there, here], levels - 1),
            )
        });
        1 + a + b
    }
    within(LIMIT, || {
        for workers in [1, 2] {
            let pools = [pool(workers), pool(workers)];
            let [one, two] = &pools;
            for _ in 0..10 {
                thread::scope(|scope| {
                    let ways = [[one, two], [two, one]];
                    let threads =
                        ways.map(|way| scope.spawn(move || way[0].install(|| there_and_back(way, 6))));
                    threads.into_iter().for_each(|thread| assert_eq!(thread.join().unwrap(), 63));
                });
            }
        }
    });
}

/// In each pool one worker holds its lock and waits for the other pool, and one worker is free for the other pool's
/// job.
#[test]
fn two_pools_that_install_into_each_other_under_a_lock() {
    within(LIMIT, || {
        let pools = [pool(2), pool(2)];
        let locks = [Lock::default(), Lock::default()];
        thread::scope(|scope| {
            for (here, there) in [(0, 1), (1, 0)] {
                let (pools, locks) = (&pools, &locks);
                scope.spawn(move || {
                    for round in 0..300 {
                        let wait = [Wait::Park, Wait::OwnScope][round % 2];
                        pools[here].install(|| {
                            let mut held = locks[here].hold();
                            pools[there].install_with(wait, work);
                            *held.0 += 1;
                        });
                    }
                });
            }
        });
        assert_eq!(locks.map(|lock| lock.0.into_inner().unwrap()), [300, 300]);
    });
}

/// A worker in an isolated wait sleeps. It does not keep other workers from being woken for the jobs that it leaves
/// alone.
#[test]
fn others_do_what_a_waiting_holder_leaves() {
    within(LIMIT, || {
        for wait in [Wait::OwnScope, Wait::Park] {
            let pool = pool(3);
            for _ in 0..100 {
                let (begun, ran) = (Gate::default(), AtomicUsize::new(0));
                let done = Gate::default();
                pool.in_place_scope(|s| {
                    s.spawn(|_| {
                        pool.scope_with(wait, |s: &Scope<'_>| {
                            s.spawn(|_| {
                                begun.open();
                                done.wait();
                            });
                            begun.wait();
                        });
                    });
                    begun.wait();
                    (0..20).for_each(|_| s.spawn(|_| _ = ran.fetch_add(1, Ordering::Relaxed)));
                    until(|| ran.load(Ordering::Relaxed) == 20);
                    done.open();
                });
            }
        }
    });
}

/// A worker that looks for the jobs of its own scope comes upon a job of a holder, which it does not run. All others,
/// that worker's spare included, are blocked on what the holder holds.
#[test]
fn a_job_that_a_waiter_came_upon_is_not_left() {
    within(LIMIT, || {
        let (pool, lock) = (pool(3), Lock::default());
        for _ in 0..20 {
            let [held, begun, shown, blocked] = [(); 4].map(|()| Gate::default());
            pool.in_place_scope(|s| {
                s.spawn(|_| {
                    let mut in_lock = lock.hold();
                    held.open();
                    begun.wait();
                    pool.scope_with(Wait::OwnScope, |s| {
                        (0..3).for_each(|_| s.spawn(|_| ()));
                        // A call of its own puts into the deque what was private.
                        pool.scope_with(Wait::OwnScope, |_| ());
                        shown.open();
                        blocked.wait();
                    });
                    *in_lock.0 += 1;
                });
                held.wait();
                s.spawn(|_| {
                    pool.scope(|s| {
                        s.spawn(|_| {
                            begun.open();
                            *lock.hold().0 += 1;
                        });
                        shown.wait();
                    });
                });
                begun.wait();
                (0..8).for_each(|_| {
                    s.spawn(|_| {
                        blocked.open();
                        *lock.hold().0 += 1;
                    })
                });
            });
        }
    });
}

/// A spare has a job of a holder when the worker that it stood in for comes back. What that job leaves behind comes before
/// the jobs that want the lock.
#[test]
fn what_a_relieved_spare_leaves_of_a_holder_is_not_left() {
    within(LIMIT, || {
        let (pool, lock) = (pool(2), Lock::default());
        for _ in 0..20 {
            let (away, done) = (CountLatch::new(1), Arc::new(CountLatch::new(1)));
            let [waits, held, taken, back] = [(); 4].map(|()| Gate::default());
            pool.in_place_scope(|s| {
                s.spawn(|_| {
                    waits.open();
                    away.wait();
                    back.open();
                    *lock.hold().0 += 1;
                });
                waits.wait();
                s.spawn(|_| {
                    let mut in_lock = lock.hold();
                    held.open();
                    pool.install_with(Wait::OwnScope, || {
                        let (taken_too, back_too, done_too) = (taken.clone(), back.clone(), Arc::clone(&done));
                        filch::execute(move || {
                            taken_too.open();
                            back_too.wait();
                            filch::execute(move || done_too.count_down()).unwrap();
                        })
                        .unwrap();
                        // Into the deque, for the other worker's spare.
                        pool.scope_with(Wait::OwnScope, |_| ());
                        taken.wait();
                        away.count_down();
                        done.wait();
                    });
                    *in_lock.0 += 1;
                });
                held.wait();
                taken.wait();
                (0..8).for_each(|_| s.spawn(|_| *lock.hold().0 += 1));
            });
        }
    });
}
