//! Panics in `join` and `scope`: everything that was begun ends first, the first payload is passed on, and nothing
//! else is lost or doubled.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
#[cfg(unix)]
use std::process::Output;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

#[cfg(unix)]
use common::in_child;
use common::{Alive, Gate, LIMIT, Ledger, Token, collector, fail, number_of, within};
use filch::Pool;

fn pool(workers: usize) -> Pool {
    Pool::builder().workers(workers).build().unwrap()
}

/// Returns the number that `f` [fails](fail) with.
#[track_caller]
fn caught<R>(f: impl FnOnce() -> R) -> usize {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(_) => panic!("a panic was lost"),
        Err(payload) => number_of(&*payload),
    }
}

/// Calls its function when it is dropped, also when a panic drops it.
struct OnDrop<F: Fn()>(F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Gives a caller that wrongly does not wait the time to be caught.
fn dawdle() {
    (0..200).for_each(|_| thread::yield_now());
}

// --- join ---

#[test]
fn either_side_or_both() {
    within(LIMIT, || {
        let (handler, seen) = collector();
        let pool = Pool::builder().workers(1).panic_handler(handler).build().unwrap();
        let ran = AtomicUsize::new(0);
        let count = || ran.fetch_add(1, Ordering::Relaxed);
        assert_eq!(caught(|| pool.install(|| filch::join(|| fail(1), count))), 1);
        assert_eq!(caught(|| pool.install(|| filch::join(count, || fail(2)))), 2);
        assert_eq!(caught(|| pool.install(|| filch::join(|| -> () { fail(3) }, || -> () { fail(4) }))), 3);
        assert_eq!(caught(|| pool.join(count, || fail(5))), 5, "from outside");
        assert_eq!(caught(|| pool.join(|| fail(6), count)), 6);
        assert_eq!(ran.into_inner(), 4);
        assert_eq!((pool.shutdown().unwrap().panicked, seen()), (0, vec![]), "the caller got them");
    });
}

#[test]
fn the_first_panics_while_the_second_runs_elsewhere() {
    within(LIMIT, || {
        let pool = pool(2);
        for _ in 0..200 {
            let (begun, unwinds) = (Gate::default(), Gate::default());
            let ended = AtomicBool::new(false);
            let number = pool.install(|| {
                let number = caught(|| {
                    filch::join(
                        || {
                            begun.wait();
                            let _unwinds = OnDrop(|| unwinds.open());
                            fail(1)
                        },
                        || {
                            begun.open();
                            unwinds.wait();
                            dawdle();
                            ended.store(true, Ordering::Relaxed);
                        },
                    )
                });
                assert!(ended.load(Ordering::Relaxed), "it was still at it");
                number
            });
            assert_eq!(number, 1);
        }
    });
}

#[test]
fn the_second_panics_elsewhere_while_the_first_runs() {
    within(LIMIT, || {
        let pool = pool(2);
        for _ in 0..200 {
            let fails = Gate::default();
            let ended = AtomicBool::new(false);
            let number = caught(|| {
                pool.join(
                    || {
                        fails.wait();
                        dawdle();
                        ended.store(true, Ordering::Relaxed);
                    },
                    || {
                        let _fails = OnDrop(|| fails.open());
                        fail(2)
                    },
                )
            });
            assert!(number == 2 && ended.load(Ordering::Relaxed));
        }
    });
}

/// The second side fails long before the first. The caller still gets the payload of the first side.
#[test]
fn both_panic_at_once() {
    struct Held(#[expect(dead_code, reason = "it counts as long as it is held")] Token);
    within(LIMIT, || {
        let (pool, alive) = (pool(2), Alive::default());
        for _ in 0..200 {
            let fails = Gate::default();
            let number = caught(|| {
                pool.join(
                    || {
                        fails.wait();
                        fail(1)
                    },
                    || {
                        let payload = Box::new(Held(alive.token()));
                        let _fails = OnDrop(|| fails.open());
                        resume_unwind(payload)
                    },
                )
            });
            assert_eq!((number, alive.count()), (1, 0), "the other payload goes");
        }
    });
}

/// All first sides panic in a deep chain of forks. Each second side runs once, whether the fork's owner kept it or
/// another worker took it.
#[test]
fn each_second_side_runs_when_the_firsts_panic() {
    fn deep(levels: usize, ran: &Ledger) {
        if levels == 0 {
            fail(7);
        }
        filch::join(|| deep(levels - 1, ran), || ran.mark(levels - 1));
    }
    within(LIMIT, || {
        let ran = Ledger::new(100);
        for workers in [1, 2, 4] {
            let pool = Pool::builder().workers(workers).stack_size(64 << 20).build().unwrap();
            for _ in 0..20 {
                ran.clear();
                assert_eq!(caught(|| pool.install(|| deep(100, &ran))), 7);
                ran.assert_once();
            }
            assert_eq!(pool.install(|| 1), 1);
        }
    });
}

/// A second side may fork and open scopes while the first side unwinds.
#[test]
fn a_second_side_forks_while_the_first_unwinds() {
    within(LIMIT, || {
        for workers in [1, 2, 4] {
            let pool = pool(workers);
            for _ in 0..50 {
                let ran = AtomicUsize::new(0);
                let count = || _ = ran.fetch_add(1, Ordering::Relaxed);
                let both = || {
                    filch::join(count, count);
                    filch::scope(|s| (0..4).for_each(|_| s.spawn(|_| count())));
                };
                assert_eq!(caught(|| pool.install(|| filch::join(|| filch::join(|| fail(1), both), both))), 1);
                assert_eq!(ran.into_inner(), 12);
            }
        }
    });
}

#[test]
fn what_the_sides_captured_is_dropped_once() {
    within(LIMIT, || {
        for workers in [1, 2, 4] {
            let (pool, alive) = (pool(workers), Alive::default());
            for round in 0..400 {
                let tokens = [(); 4].map(|()| alive.token());
                let [a, b, c, d] = tokens;
                let side = |fails: bool, token: Token| {
                    move || {
                        let token = token;
                        if fails { fail(1) } else { token }
                    }
                };
                let outer = side(round & 4 > 0, c);
                let first = move || {
                    let _d = d;
                    filch::join(side(round & 1 > 0, a), side(round & 2 > 0, b))
                };
                let result = catch_unwind(AssertUnwindSafe(|| pool.join(first, outer)));
                assert_eq!(result.is_err(), round & 7 > 0);
                assert_eq!(alive.count(), if result.is_ok() { 3 } else { 0 });
                drop(result);
                assert_eq!(alive.count(), 0);
            }
        }
    });
}

/// Leaves of a tree fail at many places. Each leaf still runs once, and the caller gets the leftmost panic.
#[test]
fn many_panics_under_stealing() {
    fn each(first: usize, jobs: usize, ran: &Ledger) {
        if jobs == 1 {
            ran.mark(first);
            if first.is_multiple_of(7) {
                fail(first);
            }
            return;
        }
        let left = jobs / 2;
        filch::join(|| each(first, left, ran), || each(first + left, jobs - left, ran));
    }
    within(LIMIT, || {
        let ran = Ledger::new(1_000);
        for workers in [1, 2, 4, 8] {
            let pool = pool(workers);
            for _ in 0..20 {
                ran.clear();
                assert_eq!(caught(|| pool.install(|| each(0, 1_000, &ran))), 0, "the leftmost");
                ran.assert_once();
            }
        }
    });
}

// --- scope ---

#[test]
fn the_body_of_a_scope_panics_with_jobs_under_way() {
    within(LIMIT, || {
        for workers in [1, 2, 4] {
            let pool = pool(workers);
            for _ in 0..100 {
                let ran = AtomicUsize::new(0);
                let number = caught(|| {
                    pool.scope(|s| {
                        for _ in 0..20 {
                            s.spawn(|_| {
                                thread::yield_now();
                                ran.fetch_add(1, Ordering::Relaxed);
                            });
                        }
                        fail(3)
                    })
                });
                assert_eq!((number, ran.into_inner()), (3, 20));
            }
        }
    });
}

#[test]
fn a_borrower_is_awaited_before_the_scope_unwinds() {
    within(LIMIT, || {
        let pool = pool(2);
        for from_outside in [false, true] {
            for _ in 0..200 {
                let (begun, unwinds) = (Gate::default(), Gate::default());
                let ended = AtomicBool::new(false);
                let scope = || {
                    let number = caught(|| {
                        pool.in_place_scope(|s| {
                            s.spawn(|_| {
                                begun.open();
                                unwinds.wait();
                                dawdle();
                                ended.store(true, Ordering::Relaxed);
                            });
                            begun.wait();
                            let _unwinds = OnDrop(|| unwinds.open());
                            fail(4)
                        })
                    });
                    assert!(ended.load(Ordering::Relaxed), "it was still at it");
                    number
                };
                assert_eq!(if from_outside { scope() } else { pool.install(scope) }, 4);
            }
        }
    });
}

#[test]
fn one_of_many_panics_is_passed_on() {
    struct Held(usize, #[expect(dead_code, reason = "it counts as long as it is held")] Token);
    within(LIMIT, || {
        for workers in [1, 2, 4] {
            let (handler, seen) = collector();
            let pool = Pool::builder().workers(workers).panic_handler(handler).build().unwrap();
            let alive = Alive::default();
            for _ in 0..50 {
                let ran = Ledger::new(50);
                let scope = || {
                    pool.scope(|s| {
                        for job in 0..50 {
                            let (ran, alive) = (&ran, &alive);
                            s.spawn(move |s| {
                                s.spawn(move |_| ran.mark(job));
                                if job % 2 == 1 {
                                    resume_unwind(Box::new(Held(job, alive.token())));
                                }
                            });
                        }
                    });
                };
                let payload = catch_unwind(AssertUnwindSafe(scope)).unwrap_err();
                assert_eq!(alive.count(), 1, "the other payloads go");
                let held = payload.downcast::<Held>().expect("one of them");
                assert!(held.0 % 2 == 1 && held.0 < 50);
                ran.assert_once();
            }
            assert_eq!((pool.shutdown().unwrap().panicked, seen()), (0, vec![]));
        }
    });
}

#[test]
fn the_first_panic_of_a_scope_is_passed_on() {
    within(LIMIT, || {
        // With one worker, the order of the panics is fixed.
        let pool = pool(1);
        let body_first = || {
            filch::scope(|s| {
                s.spawn(|_| fail(2));
                fail(1)
            })
        };
        assert_eq!(caught(|| pool.install(body_first)), 1);
        let job_first = || {
            filch::scope(|s| {
                s.spawn(|_| fail(2));
                assert_eq!(filch::yield_now(), Some(filch::Yield::Executed));
                fail(1)
            })
        };
        assert_eq!(caught(|| pool.install(job_first)), 2);
        let in_order = |s: &filch::ScopeFifo<'_>| (0..3).for_each(|job| s.spawn_fifo(move |_| fail(job)));
        assert_eq!(caught(|| pool.scope_fifo(in_order)), 0);
        let newest_first = |s: &filch::Scope<'_>| (0..3).for_each(|job| s.spawn(move |_| fail(job)));
        assert_eq!(caught(|| pool.scope(newest_first)), 2);
    });
}

#[test]
fn what_the_jobs_of_a_scope_captured_is_dropped_once() {
    within(LIMIT, || {
        for workers in [1, 2] {
            let (pool, alive) = (pool(workers), Alive::default());
            for round in 0..200 {
                let result = catch_unwind(AssertUnwindSafe(|| {
                    pool.scope(|s| {
                        for job in 0..10 {
                            let (token, large) = (alive.token(), [job; 20]);
                            s.spawn(move |_| {
                                let _token = token;
                                if large[19] == round % 20 {
                                    fail(job);
                                }
                            });
                        }
                        let token = alive.token();
                        s.spawn_broadcast(move |_, context| {
                            let _token = &token;
                            if round % 3 == 0 {
                                fail(context.index());
                            }
                        });
                    });
                }));
                assert_eq!((result.is_err(), alive.count()), (round % 20 < 10 || round % 3 == 0, 0), "{round}");
            }
        }
    });
}

#[test]
fn panics_in_scopes_within_scopes() {
    within(LIMIT, || {
        for workers in [1, 2, 4] {
            let pool = pool(workers);
            for _ in 0..50 {
                let ran = AtomicUsize::new(0);
                let number = caught(|| {
                    pool.scope(|s| {
                        s.spawn(|_| {
                            let inner = caught(|| filch::scope(|s| s.spawn(|_| fail(1))));
                            assert_eq!(inner, 1);
                            ran.fetch_add(1, Ordering::Relaxed);
                            filch::scope_fifo(|s| {
                                s.spawn_fifo(|_| fail(2));
                                s.spawn_fifo(|_| _ = ran.fetch_add(1, Ordering::Relaxed));
                            });
                        });
                        s.spawn(|_| _ = ran.fetch_add(1, Ordering::Relaxed));
                    })
                });
                assert_eq!((number, ran.into_inner()), (2, 3));
            }
        }
    });
}

// --- a payload whose drop panics ---

/// A payload that panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        fail(9);
    }
}

/// Panics with a payload whose drop panics.
fn throw_a_bomb() {
    resume_unwind(Box::new(Bomb));
}

#[cfg(unix)]
#[track_caller]
fn assert_aborted(output: Option<Output>) {
    use std::os::unix::process::ExitStatusExt;
    let Some(output) = output else { return };
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{}\n{stderr}", output.status);
    let text = "the drop of a panic payload, or of a result beside one, panicked";
    assert!(stderr.contains(text), "{stderr}");
}

#[cfg(unix)]
#[test]
fn of_the_second_side_it_ends_the_process() {
    assert_aborted(in_child("of_the_second_side_it_ends_the_process", "", || {
        within(LIMIT, || caught(|| pool(1).join(|| fail(1), throw_a_bomb)));
    }));
}

#[cfg(unix)]
#[test]
fn of_a_second_side_elsewhere_it_ends_the_process() {
    assert_aborted(in_child("of_a_second_side_elsewhere_it_ends_the_process", "", || {
        within(LIMIT, || {
            let begun = Gate::default();
            caught(|| {
                pool(2).join(
                    || {
                        begun.wait();
                        fail(1)
                    },
                    || {
                        begun.open();
                        throw_a_bomb();
                    },
                )
            })
        });
    }));
}

#[cfg(unix)]
#[test]
fn of_the_second_result_it_ends_the_process() {
    assert_aborted(in_child("of_the_second_result_it_ends_the_process", "", || {
        within(LIMIT, || caught(|| pool(1).join(|| fail(1), || Bomb)));
    }));
}

#[cfg(unix)]
#[test]
fn of_the_second_job_of_a_scope_it_ends_the_process() {
    assert_aborted(in_child("of_the_second_job_of_a_scope_it_ends_the_process", "", || {
        within(LIMIT, || {
            catch_unwind(AssertUnwindSafe(|| {
                pool(1).scope(|s| {
                    s.spawn(|_| throw_a_bomb());
                    s.spawn(|_| fail(1));
                });
            }))
            .map_err(std::mem::forget)
        })
        .unwrap();
    }));
}

/// The only panic is passed on to the caller, so the caller drops the payload.
#[test]
fn of_the_only_panic_it_is_the_callers() {
    within(LIMIT, || {
        for workers in [1, 2] {
            let pool = pool(workers);
            for run in [|| _ = filch::join(throw_a_bomb, || ()), || _ = filch::join(|| (), throw_a_bomb)] {
                let payload = catch_unwind(AssertUnwindSafe(|| pool.install(run))).unwrap_err();
                assert_eq!(caught(|| drop(payload.downcast::<Bomb>().unwrap())), 9);
            }
            let payload = catch_unwind(AssertUnwindSafe(|| pool.scope(|s| s.spawn(|_| throw_a_bomb()))));
            assert_eq!(caught(|| drop(payload.unwrap_err())), 9);
        }
    });
}

/// Another worker takes the second side, which broadcasts. The caller of the `join` unwinds meanwhile, and must still
/// take its turn. The pool has no spares that could take the turn.
#[test]
fn a_broadcast_in_the_second_side_when_the_first_has_panicked() {
    within(LIMIT, || {
        let pool = Pool::builder().workers(2).spares(0).build().unwrap();
        let begun = Gate::default();
        let result = catch_unwind(AssertUnwindSafe(|| {
            pool.join(
                || {
                    begun.wait();
                    resume_unwind(Box::new(7_u8));
                },
                || {
                    begun.open();
                    assert_eq!(pool.broadcast(|index| index), [0, 1]);
                },
            )
        }));
        assert_eq!(result.unwrap_err().downcast_ref(), Some(&7_u8));
    });
}
