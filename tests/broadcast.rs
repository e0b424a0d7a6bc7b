//! `broadcast` runs once on each worker, whatever that worker does. Also the ways to give way: `yield_now` and
//! `yield_local`.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use common::{Alive, Gate, LIMIT, Ledger, collector, fail, number_of, text_of, until, within};
use filch::{BroadcastContext, ClosedReason, Pool, Wait, Yield};

fn pool(workers: usize) -> Pool {
    Pool::builder().workers(workers).build().unwrap()
}

/// Waits until each worker of the pool has parked at least once. Most likely all workers sleep then.
fn until_asleep(pool: &Pool) {
    let parked = || pool.stats().workers.iter().map(|worker| worker.parked).collect::<Vec<_>>();
    until(|| parked().iter().all(|&times| times > 0));
}

/// Checks that each result is the number of its worker, and that each call ran on this worker.
#[track_caller]
fn check(pool: &Pool, workers: usize) {
    let ran = Ledger::new(workers);
    let results = pool.broadcast(|index| {
        assert_eq!((filch::current_worker(), filch::current_workers()), (Some(index), workers));
        ran.mark(index);
        format!("{index}")
    });
    ran.assert_once();
    assert_eq!(results, (0..workers).map(|index| index.to_string()).collect::<Vec<_>>());
}

#[test]
fn every_worker_once_with_its_result() {
    within(LIMIT, || {
        for workers in [1, 2, 4, 8] {
            let (pool, other) = (pool(workers), pool(2));
            until_asleep(&pool);
            for _ in 0..50 {
                check(&pool, workers);
                pool.install(|| check(&pool, workers));
                other.install(|| check(&pool, workers));
                pool.join(|| check(&pool, workers), || check(&pool, workers));
                let told = pool.broadcast_context(|context| (context.index(), context.num_threads()));
                assert!(told.iter().enumerate().all(|(index, &told)| told == (index, workers)), "{told:?}");
                let borrowed = [5; 3];
                assert_eq!(pool.broadcast(|_| &borrowed), vec![&[5; 3]; workers]);
            }
        }
        let free = pool(3).install(|| filch::broadcast(|index| 10 * index));
        assert_eq!(free, [0, 10, 20]);
        let global = filch::broadcast_context(|context| context.num_threads());
        assert!(global.iter().all(|&workers| workers == global.len()));
    });
}

/// All turns run at the same moment: no turn waits for the end of another turn.
#[test]
fn all_turns_overlap() {
    within(LIMIT, || {
        let pool = pool(4);
        for _ in 0..100 {
            let all = Barrier::new(4);
            let leaders = pool.broadcast(|_| all.wait().is_leader());
            assert_eq!(leaders.iter().filter(|&&leader| leader).count(), 1);
        }
    });
}

/// A busy worker takes its turn when it has no more jobs of its own, and never before its current job has ended.
#[test]
fn a_busy_worker_comes_later() {
    within(LIMIT, || {
        let pool = pool(2);
        for _ in 0..50 {
            let (begun, gate) = (Gate::default(), Gate::default());
            let (told, held) = (begun.clone(), gate.clone());
            let busy = pool.spawn(move || {
                told.open();
                held.wait();
                filch::current_worker().unwrap()
            });
            begun.wait();
            let (ran, free) = (Mutex::new(Vec::new()), Gate::default());
            thread::scope(|scope| {
                scope.spawn(|| {
                    pool.broadcast(|index| {
                        ran.lock().unwrap().push(index);
                        free.open();
                    })
                });
                free.wait();
                assert_eq!(ran.lock().unwrap().len(), 1);
                gate.open();
            });
            let ran = ran.into_inner().unwrap();
            assert_eq!((ran.len(), ran[1]), (2, busy.join().unwrap()), "{ran:?}");
        }
    });
}

/// Two broadcasts each wait for a turn on the other's worker. A waiting worker takes its turn in the other broadcast
/// meanwhile.
#[test]
fn broadcasts_at_the_same_time() {
    within(LIMIT, || {
        for workers in [2, 4] {
            let pool = pool(workers);
            for _ in 0..50 {
                let ran = AtomicUsize::new(0);
                let all = Barrier::new(workers);
                pool.broadcast(|_| {
                    all.wait();
                    let inner = pool.broadcast(|index| {
                        ran.fetch_add(1, Ordering::Relaxed);
                        index
                    });
                    assert_eq!(inner, (0..workers).collect::<Vec<_>>());
                });
                assert_eq!(ran.into_inner(), workers * workers);
                thread::scope(|scope| {
                    (0..4).for_each(|_| _ = scope.spawn(|| check(&pool, workers)));
                    pool.install(|| check(&pool, workers));
                });
            }
        }
    });
}

/// A worker whose stack is too deep for helping still takes its turn. The other worker's broadcast waits for this
/// turn.
#[test]
fn in_the_midst_of_waits() {
    within(LIMIT, || {
        let pool = Pool::builder().workers(2).help_stack(0).build().unwrap();
        for _ in 0..100 {
            let begun = Gate::default();
            let (a, b) = pool.install(|| {
                filch::join(
                    || begun.wait(),
                    || {
                        begun.open();
                        filch::broadcast(|index| index)
                    },
                )
            });
            assert_eq!((a, b), ((), vec![0, 1]));
            pool.scope(|s| {
                s.spawn(|_| check(&pool, 2));
                check(&pool, 2);
            });
        }
    });
}

/// Two pools broadcast into each other, and each waits for the other pool's workers.
#[test]
fn across_pools() {
    within(LIMIT, || {
        for workers in [1, 2] {
            let (one, two) = (pool(workers), pool(workers));
            for _ in 0..50 {
                thread::scope(|scope| {
                    scope.spawn(|| one.broadcast(|_| check(&two, workers)));
                    scope.spawn(|| two.broadcast(|_| check(&one, workers)));
                });
            }
        }
    });
}

// --- panics ---

#[test]
fn a_panic_is_passed_on_when_all_have_ended() {
    within(LIMIT, || {
        for workers in [1, 2, 4] {
            let (handler, seen) = collector();
            let pool = Pool::builder().workers(workers).panic_handler(handler).build().unwrap();
            let alive = Alive::default();
            for round in 0..50 {
                let (ran, failing) = (Ledger::new(workers), round % workers);
                let run = || {
                    pool.broadcast(|index| {
                        if index != failing {
                            (0..20).for_each(|_| thread::yield_now());
                        }
                        ran.mark(index);
                        if index == failing { fail(index) } else { alive.token() }
                    })
                };
                let number =
                    match catch_unwind(AssertUnwindSafe(
                        || if round % 2 == 0 { run() } else { pool.install(run) },
                    )) {
                        Ok(_) => panic!("a panic was lost"),
                        Err(payload) => number_of(&*payload),
                    };
                ran.assert_once();
                assert_eq!((number, alive.count()), (failing, 0), "the other results go");
            }
            let all = catch_unwind(AssertUnwindSafe(|| pool.broadcast(|index| -> () { fail(index) })));
            assert!(number_of(&*all.unwrap_err()) < workers);
            assert_eq!((pool.shutdown().unwrap().panicked, seen()), (0, vec![]));
        }
    });
}

// --- spawn_broadcast ---

#[test]
fn spawned_it_does_not_block() {
    within(LIMIT, || {
        for workers in [1, 2, 4] {
            let (handler, seen) = collector();
            let pool = Pool::builder().workers(workers).panic_handler(handler).build().unwrap();
            let (alive, ran) = (Alive::default(), Ledger::new(workers));
            for round in 0..50 {
                ran.clear();
                let (token, marks, done) = (alive.token(), Arc::clone(&ran), mpsc::channel());
                let turn = move |context: BroadcastContext<'_>| {
                    let _token = &token;
                    assert_eq!(Some(context.index()), filch::current_worker());
                    assert_eq!(context.num_threads(), workers);
                    marks.mark(context.index());
                    done.0.send(()).unwrap();
                };
                let spawned = if round % 2 == 0 {
                    pool.spawn_broadcast(turn)
                } else {
                    pool.install(|| filch::spawn_broadcast(turn))
                };
                assert!(spawned.is_ok());
                assert_eq!(
                    done.1.iter().count(),
                    workers,
                    "the closure, and the sender in it, goes with the last"
                );
                ran.assert_once();
                until(|| alive.count() == 0);
            }
            assert!(pool.spawn_broadcast(|context| fail(context.index())).is_ok());
            let report = pool.shutdown().unwrap();
            assert_eq!(report.panicked, workers as u64);
            assert!(report.workers.iter().all(|worker| worker.panicked == 1), "{report:?}");
            assert_eq!(seen(), (0..workers).collect::<Vec<_>>());
        }
    });
}

// --- the end of the pool ---

#[test]
fn a_closed_pool_broadcasts_only_inside() {
    within(LIMIT, || {
        for workers in [1, 3] {
            let pool = pool(workers);
            let (begun, gate) = (Gate::default(), Gate::default());
            let (told, held) = (begun.clone(), gate.clone());
            let ran = Ledger::new(workers);
            let marks = Arc::clone(&ran);
            let inside = pool.spawn(move || {
                told.open();
                held.wait();
                assert!(filch::spawn_broadcast(move |context| marks.mark(context.index())).is_ok());
                filch::broadcast(|index| index)
            });
            begun.wait();
            thread::scope(|scope| {
                let closing = scope.spawn(|| pool.shutdown().unwrap());
                until(|| pool.execute(|| ()).is_err());
                let refused = catch_unwind(AssertUnwindSafe(|| pool.broadcast(|_| ()))).unwrap_err();
                assert_eq!(
                    text_of(&*refused),
                    "the pool is shut down: it takes jobs from its own workers only"
                );
                let refused = pool.spawn_broadcast(|_| ()).unwrap_err();
                assert_eq!(refused.reason(), ClosedReason::Shutdown);
                gate.open();
                closing.join().unwrap();
            });
            assert_eq!(inside.join().unwrap(), (0..workers).collect::<Vec<_>>());
            ran.assert_once();
        }
    });
}

/// Each accepted broadcast runs on every worker before `shutdown` returns.
#[test]
fn a_race_with_the_end() {
    within(LIMIT, || {
        for round in 0..300 {
            let workers = 1 + round % 4;
            let pool = pool(workers);
            let (ran, accepted) = (Arc::new(AtomicUsize::new(0)), AtomicUsize::new(0));
            let start = Barrier::new(3);
            thread::scope(|scope| {
                for waits in [false, true] {
                    let (pool, ran, accepted, start) = (&pool, &ran, &accepted, &start);
                    scope.spawn(move || {
                        start.wait();
                        for _ in 0..20 {
                            let count = Arc::clone(ran);
                            let turn = move |_: BroadcastContext<'_>| _ = count.fetch_add(1, Ordering::Relaxed);
                            let taken = if waits {
                                catch_unwind(AssertUnwindSafe(|| pool.broadcast_context(turn))).is_ok()
                            } else {
                                pool.spawn_broadcast(turn).is_ok()
                            };
                            accepted.fetch_add(usize::from(taken), Ordering::Relaxed);
                        }
                    });
                }
                start.wait();
                pool.shutdown().unwrap();
            });
            assert_eq!(ran.load(Ordering::Relaxed), workers * accepted.into_inner(), "round {round}");
        }
    });
}

// --- giving way ---

#[test]
fn outside_there_is_nobody_to_give_way() {
    within(LIMIT, || {
        let (one, other) = (pool(1), pool(1));
        assert_eq!((filch::yield_now(), filch::yield_local(), filch::has_pending()), (None, None, None));
        assert_eq!((one.yield_now(), one.yield_local()), (None, None));
        one.install(|| {
            assert_eq!((other.yield_now(), other.yield_local()), (None, None), "not that one's worker");
            let idle = Some(Yield::Idle);
            assert_eq!((one.yield_now(), one.yield_local()), (idle, idle));
            assert_eq!(
                (filch::yield_now(), filch::yield_local(), filch::has_pending()),
                (idle, idle, Some(false))
            );
        });
    });
}

#[test]
fn one_job_each_time_the_newest_first() {
    within(LIMIT, || {
        let pool = pool(1);
        for local in [false, true] {
            let order = pool.install(|| {
                let (tell, told) = mpsc::channel();
                for n in 0..3 {
                    let tell = tell.clone();
                    filch::execute(move || tell.send(n).unwrap()).unwrap();
                }
                let give_way = || if local { filch::yield_local() } else { filch::yield_now() };
                let mut order = Vec::new();
                while filch::has_pending() == Some(true) {
                    assert_eq!(give_way(), Some(Yield::Executed));
                    order.extend(told.try_iter());
                    order.push(10);
                }
                assert_eq!(give_way(), Some(Yield::Idle));
                order
            });
            assert_eq!(order, [2, 10, 1, 10, 0, 10]);
        }
    });
}

/// Only `yield_now` takes a job that comes from outside. Both kinds of yield take a turn in a broadcast.
#[test]
fn only_its_own_or_anything() {
    within(LIMIT, || {
        let pool = pool(1);
        for _ in 0..50 {
            let (begun, queued, cast) = (Gate::default(), Gate::default(), Gate::default());
            thread::scope(|scope| {
                scope.spawn(|| {
                    begun.wait();
                    pool.execute(|| ()).unwrap();
                    queued.open();
                    cast.wait();
                });
                pool.install(|| {
                    begun.open();
                    queued.wait();
                    assert_eq!((filch::has_pending(), filch::yield_local()), (Some(false), Some(Yield::Idle)));
                    assert_eq!(filch::yield_now(), Some(Yield::Executed));
                    assert!(filch::spawn_broadcast(|_| ()).is_ok());
                    assert_eq!(filch::yield_local(), Some(Yield::Executed));
                    assert!(filch::spawn_broadcast(|_| ()).is_ok());
                    assert_eq!(filch::yield_now(), Some(Yield::Executed));
                    assert_eq!(filch::yield_now(), Some(Yield::Idle));
                    cast.open();
                });
            });
        }
    });
}

/// A job that yields in a loop lets the awaited jobs run, even on the only worker.
#[test]
fn a_job_that_waits_by_yielding() {
    within(LIMIT, || {
        for workers in [1, 2] {
            let pool = pool(workers);
            for _ in 0..100 {
                let count = AtomicUsize::new(0);
                pool.scope(|s| {
                    for _ in 0..10 {
                        s.spawn(|_| {
                            let here = count.fetch_add(1, Ordering::SeqCst);
                            until(|| count.load(Ordering::SeqCst) == 10 || filch::yield_now().is_none());
                            assert!(here < 10);
                        });
                    }
                });
            }
        }
    });
}

/// A job inside an isolated wait runs only jobs of its own scope, whichever kind of yield it calls.
#[test]
fn apart_it_gives_way_to_its_own() {
    within(LIMIT, || {
        let pool = pool(1);
        pool.install(|| {
            filch::execute(|| ()).unwrap();
            pool.scope_with(Wait::OwnScope, |s| {
                assert_eq!((filch::yield_now(), filch::yield_local()), (Some(Yield::Idle), Some(Yield::Idle)));
                s.spawn(|_| ());
                assert_eq!(filch::yield_now(), Some(Yield::Executed));
                assert_eq!(filch::yield_now(), Some(Yield::Idle));
            });
            assert_eq!(filch::yield_local(), Some(Yield::Executed));
        });
    });
}

/// A runner on standby naps. Its worker still takes its own turn, because no other worker may run this turn.
#[test]
fn each_turn_on_its_own_worker_also_beside_a_queue() {
    within(LIMIT, || {
        let pool = pool(4);
        let wait = |gate: Option<Gate>| gate.iter().for_each(Gate::wait);
        let queue = pool.queue().concurrency(2).build(wait).unwrap();
        for round in 0..400 {
            let gate = Gate::default();
            queue.submit(Some(gate.clone())).unwrap();
            queue.submit(None).unwrap();
            // Varies the moment of the broadcast: the second runner polls, is on standby, or leaves.
            thread::sleep(Duration::from_micros(round % 8 * 40));
            pool.broadcast(|index| {
                assert_eq!(filch::current_worker(), Some(index), "round {round}");
                gate.open();
            });
        }
    });
}
