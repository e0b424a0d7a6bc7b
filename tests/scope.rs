//! `scope`: a spawned closure may borrow, runs once, and has ended when the scope ends. It may be spawned from
//! anywhere.

mod common;

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex, mpsc};
use std::thread;

use common::{Alive, Gate, LIMIT, Ledger, text_of, until, within};
use filch::{Pool, Scope, ScopeFifo, Wait};

fn pool(workers: usize) -> Pool {
    Pool::builder().workers(workers).build().unwrap()
}

#[test]
fn an_empty_scope() {
    within(LIMIT, || {
        for workers in [1, 2] {
            let pool = pool(workers);
            assert_eq!(pool.scope(|_| 1), 1);
            assert_eq!(pool.in_place_scope(|_| 2), 2);
            assert_eq!(pool.scope_fifo(|_| 3), 3);
            assert_eq!(pool.in_place_scope_fifo(|_| 4), 4);
            for wait in [Wait::Steal, Wait::OwnScope, Wait::Park] {
                assert_eq!(pool.scope_with(wait, |_| 5), 5);
                assert_eq!(pool.install(|| pool.scope_with(wait, |_| 6)), 6);
            }
            assert_eq!(pool.install(|| filch::scope(|_| filch::in_place_scope(|_| 7))), 7);
        }
        assert!(filch::scope(|_| filch::current_worker().is_some()), "on the global pool");
    });
}

#[test]
fn slices_are_borrowed_mutably() {
    within(LIMIT, || {
        for workers in [1, 2, 4] {
            let pool = pool(workers);
            let mut data = vec![0usize; 2_000];
            for round in 1..=50 {
                pool.scope(|s| {
                    for (index, part) in data.chunks_mut(7).enumerate() {
                        s.spawn(move |_| {
                            if index % 50 == 0 {
                                // Gives a thief some time.
                                thread::yield_now();
                            }
                            part.iter_mut().for_each(|n| *n += 1);
                        });
                    }
                });
                assert!(data.iter().all(|&n| n == round), "round {round}");
            }
        }
    });
}

/// The body and jobs of jobs spawn. The scope's owner and other workers count the jobs.
#[test]
fn a_million_spawns_run_once() {
    within(LIMIT, || {
        let ran = Ledger::new(1_000_000);
        for workers in [1, 2, 4] {
            let pool = pool(workers);
            ran.clear();
            pool.scope(|s| {
                for first in (0..1_000_000).step_by(1_000) {
                    let ran = &ran;
                    spawn_marks(s, first, ran);
                    s.spawn(move |s| spawn_marks(s, first + 500, ran));
                }
            });
            ran.assert_once();
        }
    });

    fn spawn_marks<'scope>(s: &Scope<'scope>, first: usize, ran: &'scope Ledger) {
        (first..first + 500).for_each(|job| s.spawn(move |_| ran.mark(job)));
    }
}

#[test]
fn a_tree_of_spawns() {
    fn grow<'scope>(s: &Scope<'scope>, node: usize, ran: &'scope Ledger) {
        ran.mark(node);
        for child in [2 * node + 1, 2 * node + 2] {
            if child < 20_000 {
                s.spawn(move |s| grow(s, child, ran));
            }
        }
    }
    fn grow_fifo<'scope>(s: &ScopeFifo<'scope>, node: usize, ran: &'scope Ledger) {
        ran.mark(node);
        for child in [2 * node + 1, 2 * node + 2] {
            if child < 20_000 {
                s.spawn_fifo(move |s| grow_fifo(s, child, ran));
            }
        }
    }
    within(LIMIT, || {
        let ran = Ledger::new(20_000);
        for workers in [1, 2, 4, 8] {
            let pool = pool(workers);
            for in_place in [false, true] {
                ran.clear();
                if in_place {
                    pool.in_place_scope(|s| grow(s, 0, &ran))
                } else {
                    pool.scope(|s| grow(s, 0, &ran))
                }
                ran.assert_once();
                ran.clear();
                if in_place {
                    pool.in_place_scope_fifo(|s| grow_fifo(s, 0, &ran));
                } else {
                    pool.scope_fifo(|s| grow_fifo(s, 0, &ran));
                }
                ran.assert_once();
            }
        }
    });
}

#[test]
fn scopes_within_scopes() {
    fn nested(levels: u32, ended: &AtomicUsize) {
        if levels == 0 {
            ended.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let below = AtomicUsize::new(0);
        filch::scope(|s| {
            for _ in 0..3 {
                s.spawn(|_| nested(levels - 1, &below));
            }
        });
        let below = below.into_inner();
        assert_eq!(below, 3usize.pow(levels), "all below have ended");
        ended.fetch_add(below, Ordering::Relaxed);
    }
    within(LIMIT, || {
        for workers in [1, 2, 4] {
            let pool = pool(workers);
            for _ in 0..10 {
                let ended = AtomicUsize::new(0);
                pool.install(|| nested(6, &ended));
                assert_eq!(ended.into_inner(), 729);
            }
        }
    });
}

/// The body and the jobs of an inner scope spawn on the outer scope. These jobs may outlast the inner scope.
#[test]
fn an_inner_scope_spawns_on_the_outer() {
    within(LIMIT, || {
        for workers in [1, 2, 4] {
            let pool = pool(workers);
            for _ in 0..50 {
                let ran = Ledger::new(40);
                let inner_ended = AtomicUsize::new(0);
                pool.scope(|outer| {
                    for part in 0..10 {
                        let (ran, inner_ended) = (&ran, &inner_ended);
                        let first = 4 * part;
                        outer.spawn(move |outer| {
                            filch::scope(|inner| {
                                outer.spawn(move |_| ran.mark(first));
                                inner.spawn(|_| {
                                    ran.mark(first + 1);
                                    outer.spawn(move |_| ran.mark(first + 2));
                                });
                                inner.spawn(|_| ran.mark(first + 3));
                            });
                            assert_eq!((ran.marks(first + 1), ran.marks(first + 3)), (1, 1));
                            inner_ended.fetch_add(1, Ordering::Relaxed);
                        });
                    }
                });
                ran.assert_once();
                assert_eq!(inner_ended.into_inner(), 10);
            }
        }
    });
}

/// Everything that a scope holds is gone when the scope ends, used or not.
#[test]
fn closures_of_all_sizes() {
    within(LIMIT, || {
        for workers in [1, 2] {
            let (pool, alive) = (pool(workers), Alive::default());
            for _ in 0..100 {
                let sum = AtomicUsize::new(0);
                pool.scope(|s| {
                    let sum = &sum;
                    s.spawn(|_| ());
                    let (token, small) = (alive.token(), [1u8; 3]);
                    s.spawn(move |_| {
                        let _token = token;
                        sum.fetch_add(small.len(), Ordering::Relaxed);
                    });
                    let (token, large) = (alive.token(), [2usize; 500]);
                    s.spawn(move |s| {
                        let token = token;
                        sum.fetch_add(large.iter().sum(), Ordering::Relaxed);
                        s.spawn(move |_| drop(token));
                    });
                    #[repr(align(128))]
                    struct Aligned(u8);
                    let aligned = Aligned(7);
                    s.spawn(move |_| {
                        let aligned = &aligned;
                        assert_eq!(std::ptr::from_ref(aligned).addr() % 128, 0);
                        sum.fetch_add(aligned.0.into(), Ordering::Relaxed);
                    });
                });
                assert_eq!((sum.into_inner(), alive.count()), (1_010, 0));
            }
        }
    });
}

/// Other workers run the jobs that a body spawns and then waits for, blocked.
#[test]
fn jobs_of_a_body_that_blocks_are_taken() {
    within(LIMIT, || {
        let pool = pool(2);
        for _ in 0..200 {
            let gate = Gate::default();
            pool.scope(|s| {
                s.spawn(|_| gate.open());
                gate.wait();
            });
            let gate = Gate::default();
            pool.scope_fifo(|s| {
                s.spawn_fifo(|_| gate.open());
                gate.wait();
            });
            let gate = Gate::default();
            pool.scope(|s| {
                s.spawn(|s| {
                    s.spawn(|_| gate.open());
                    gate.wait();
                });
            });
        }
    });
}

#[test]
fn all_workers_take_part() {
    within(LIMIT, || {
        let pool = pool(8);
        for _ in 0..50 {
            let (all, who) = (Barrier::new(8), Mutex::new(HashSet::new()));
            pool.scope(|s| {
                for _ in 0..8 {
                    s.spawn(|_| {
                        who.lock().unwrap().insert(filch::current_worker().unwrap());
                        all.wait();
                    });
                }
            });
            assert_eq!(who.into_inner().unwrap().len(), 8);
        }
    });
}

// --- from elsewhere ---

/// The body hands the scope to other threads, and to workers of another pool.
#[test]
fn used_by_other_threads_and_pools() {
    within(LIMIT, || {
        let (own, other) = (pool(2), pool(2));
        let ran = Ledger::new(300);
        for round in 0..50 {
            ran.clear();
            if round % 2 == 0 {
                own.scope(|s| spread(s, &other, &ran));
            } else {
                own.in_place_scope(|s| spread(s, &other, &ran));
            }
            ran.assert_once();
        }
    });

    fn spread<'scope>(s: &Scope<'scope>, other: &'scope Pool, ran: &'scope Ledger) {
        let mark = move |s: &Scope<'scope>, job: usize| {
            s.spawn(move |_| {
                assert_eq!(filch::current_workers(), 2);
                ran.mark(job);
            });
        };
        thread::scope(|threads| {
            threads.spawn(|| (0..100).for_each(|job| mark(s, job)));
            threads.spawn(|| other.install(|| (100..200).for_each(|job| mark(s, job))));
            (200..299).for_each(|job| mark(s, job));
        });
        // The last job comes from a job of the other pool, for which a job of the scope waits.
        s.spawn(move |s| other.install(|| mark(s, 299)));
    }
}

#[test]
fn the_jobs_run_on_the_scopes_pool() {
    within(LIMIT, || {
        let one = Pool::builder().workers(1).name("one").build().unwrap();
        let two = Pool::builder().workers(2).name("two").build().unwrap();
        let on = |prefix: &'static str| {
            move |_: &Scope<'_>| assert!(thread::current().name().unwrap().starts_with(prefix))
        };
        for _ in 0..50 {
            one.install(|| two.scope(|s| (0..10).for_each(|_| s.spawn(on("two")))));
            one.install(|| two.in_place_scope(|s| (0..10).for_each(|_| s.spawn(on("two")))));
            two.scope(|s| {
                s.spawn(|_| one.scope(|s| (0..10).for_each(|_| s.spawn(on("one")))));
                s.spawn(|s| one.install(|| s.spawn(on("two"))));
                s.spawn(|_| one.in_place_scope(|s| s.spawn(on("one"))));
            });
        }
    });
}

/// The body stays on its thread, and need not be `Send`.
#[test]
fn in_place() {
    within(LIMIT, || {
        for workers in [1, 2] {
            let pool = pool(workers);
            let check = || {
                let (here, log) = (thread::current().id(), Rc::new(RefCell::new(Vec::new())));
                let count = AtomicUsize::new(0);
                let result = pool.in_place_scope(|s| {
                    let result = Rc::new(Cell::new(5));
                    assert_eq!(thread::current().id(), here);
                    for n in 0..10 {
                        log.borrow_mut().push(n);
                        s.spawn(|_| _ = count.fetch_add(1, Ordering::Relaxed));
                    }
                    result
                });
                assert_eq!((result.get(), log.borrow().len(), count.into_inner()), (5, 10, 10));
            };
            for _ in 0..50 {
                check();
                pool.install(check);
            }
            let there = pool.in_place_scope(|s| {
                let (tell, told) = mpsc::channel();
                s.spawn(move |_| tell.send(thread::current().id()).unwrap());
                told.recv().unwrap()
            });
            assert_ne!(there, thread::current().id(), "the jobs run on workers");
        }
    });
}

// --- order ---

#[test]
fn the_order_on_one_worker() {
    within(LIMIT, || {
        let pool = pool(1);
        let order = |what: &dyn Fn(&Mutex<Vec<usize>>)| {
            let order = Mutex::new(Vec::new());
            what(&order);
            order.into_inner().unwrap()
        };
        let lifo = order(&|order| {
            pool.scope(|s| (0..5).for_each(|n| s.spawn(move |_| order.lock().unwrap().push(n))));
        });
        assert_eq!(lifo, [4, 3, 2, 1, 0]);
        let fifo = order(&|order| {
            pool.scope_fifo(|s| (0..5).for_each(|n| s.spawn_fifo(move |_| order.lock().unwrap().push(n))));
        });
        assert_eq!(fifo, [0, 1, 2, 3, 4]);
        let jobs_of_jobs = order(&|order| {
            pool.scope(|s| {
                for n in 1..=2 {
                    s.spawn(move |s| {
                        order.lock().unwrap().push(n);
                        (1..=2).for_each(|m| s.spawn(move |_| order.lock().unwrap().push(10 * n + m)));
                    });
                }
            });
        });
        assert_eq!(jobs_of_jobs, [2, 22, 21, 1, 12, 11], "depth first");
        let jobs_of_jobs = order(&|order| {
            pool.scope_fifo(|s| {
                for n in 1..=2 {
                    s.spawn_fifo(move |s| {
                        order.lock().unwrap().push(n);
                        (1..=2).for_each(|m| s.spawn_fifo(move |_| order.lock().unwrap().push(10 * n + m)));
                    });
                }
            });
        });
        assert_eq!(jobs_of_jobs, [1, 2, 11, 12, 21, 22], "breadth first");
        // Each scope keeps its own order, although its jobs are mixed with the other scope's jobs.
        let mixed = order(&|order| {
            pool.scope(|lifo| {
                filch::in_place_scope_fifo(|fifo| {
                    for n in 0..3 {
                        lifo.spawn(move |_| order.lock().unwrap().push(n));
                        fifo.spawn_fifo(move |_| order.lock().unwrap().push(10 + n));
                    }
                });
            });
        });
        assert_eq!(mixed, [10, 11, 12, 2, 1, 0], "the end of the inner one waits for its own jobs only");
    });
}

/// Jobs that one worker spawned begin in the order of their spawning, also where several workers take them.
#[test]
fn first_in_first_out_under_stealing() {
    within(LIMIT, || {
        for workers in [2, 4] {
            let pool = pool(workers);
            for in_place in [false, true] {
                for _ in 0..50 {
                    // A log behind a lock would itself order the jobs. So each job marks a ledger and looks which
                    // earlier jobs did.
                    let begun = Ledger::new(200);
                    let (early, jobs) = (AtomicUsize::new(0), 200);
                    let check = |job: usize| {
                        begun.mark(job);
                        // Earlier jobs are taken earlier. At most one job of each other worker is taken, but not
                        // marked yet.
                        let missing = (0..job).filter(|&earlier| begun.marks(earlier) == 0).count();
                        if missing >= workers {
                            early.fetch_add(1, Ordering::Relaxed);
                        }
                    };
                    let check = &check;
                    if in_place {
                        pool.in_place_scope_fifo(|s| {
                            (0..jobs).for_each(|job| s.spawn_fifo(move |_| check(job)))
                        });
                    } else {
                        pool.scope_fifo(|s| (0..jobs).for_each(|job| s.spawn_fifo(move |_| check(job))));
                    }
                    begun.assert_once();
                    assert_eq!(early.into_inner(), 0, "jobs that overtook others");
                }
            }
        }
    });
}

// --- spawn_broadcast ---

#[test]
fn every_worker_once() {
    within(LIMIT, || {
        for workers in [1, 2, 4] {
            let (pool, alive) = (pool(workers), Alive::default());
            for in_place in [false, true] {
                for _ in 0..50 {
                    let (ran, after) = (Ledger::new(workers), AtomicUsize::new(0));
                    let (token, ran, count) = (alive.token(), &ran, &after);
                    let turn = move |s: &Scope<'_>, context: filch::BroadcastContext<'_>| {
                        let (_token, _s) = (&token, s);
                        assert_eq!(Some(context.index()), filch::current_worker());
                        assert_eq!(context.num_threads(), workers);
                        ran.mark(context.index());
                        count.fetch_add(1, Ordering::Relaxed);
                    };
                    if in_place {
                        pool.in_place_scope(|s| s.spawn_broadcast(turn));
                    } else {
                        pool.scope(|s| s.spawn_broadcast(turn));
                    }
                    ran.assert_once();
                    assert_eq!((after.load(Ordering::Relaxed), alive.count()), (workers, 0));
                }
            }
            let spawned = AtomicUsize::new(0);
            pool.scope(|s| {
                s.spawn_broadcast(|s, _| s.spawn(|_| _ = spawned.fetch_add(1, Ordering::Relaxed)));
                s.spawn(|s| s.spawn_broadcast(|_, _| _ = spawned.fetch_add(1, Ordering::Relaxed)));
            });
            pool.scope_fifo(|s| {
                s.spawn_broadcast(|s, _| s.spawn_fifo(|_| _ = spawned.fetch_add(1, Ordering::Relaxed)));
            });
            assert_eq!(spawned.into_inner(), 3 * workers);
        }
    });
}

// --- a pool that shuts down ---

/// A scope that began before the shutdown runs all its jobs, in a job and in place.
#[test]
fn the_pool_shuts_down_meanwhile() {
    within(LIMIT, || {
        for round in 0..100 {
            let pool = pool(1 + round % 3);
            let ran = Ledger::new(100);
            let (begun, closed) = (Gate::default(), Gate::default());
            thread::scope(|threads| {
                let scope = threads.spawn(|| {
                    if round % 2 == 0 {
                        pool.scope(|s| halves(s, &begun, &closed, &ran));
                    } else {
                        pool.in_place_scope(|s| halves(s, &begun, &closed, &ran));
                    }
                });
                begun.wait();
                let closing = threads.spawn(|| pool.shutdown().unwrap());
                until(|| pool.execute(|| ()).is_err());
                closed.open();
                scope.join().unwrap();
                closing.join().unwrap();
            });
            ran.assert_once();
            let refused = catch_unwind(AssertUnwindSafe(|| pool.scope(|_| ()))).unwrap_err();
            assert_eq!(text_of(&*refused), "the pool is shut down: it takes jobs from its own workers only");
            let refused = catch_unwind(AssertUnwindSafe(|| pool.in_place_scope(|_| ()))).unwrap_err();
            assert_eq!(text_of(&*refused), "the pool is shut down: it takes jobs from its own workers only");
        }
    });

    /// Spawns half of the jobs before the shutdown begins, and half of them after it.
    fn halves<'scope>(s: &Scope<'scope>, begun: &Gate, closed: &Gate, ran: &'scope Ledger) {
        (0..50).for_each(|job| s.spawn(move |_| ran.mark(job)));
        begun.open();
        closed.wait();
        (50..100).for_each(|job| s.spawn(move |s| s.spawn(move |_| ran.mark(job))));
    }
}
