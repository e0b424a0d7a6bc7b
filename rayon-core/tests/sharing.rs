//! Who runs what, and what a waiting thread does meanwhile.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier};

use common::{pool, within};
use rayon_core::{
    Scope, ThreadPool, Yield, broadcast, current_num_threads, current_thread_has_pending_tasks,
    current_thread_index, in_place_scope, join, join_context, scope, scope_fifo, spawn, spawn_broadcast,
    yield_local, yield_now,
};

#[test]
fn migrated_is_the_truth() {
    within(|| {
        assert_eq!(join_context(|a| a.migrated(), |b| b.migrated()), (true, true), "both went into the pool");
        let neither = pool(1).install(|| join_context(|a| a.migrated(), |b| b.migrated()));
        assert_eq!(neither, (false, false));
        for _ in 0..100 {
            let (here, there, migrated) = pool(2).install(|| {
                let meeting = Barrier::new(2);
                let meet = || {
                    meeting.wait();
                    current_thread_index()
                };
                let (a, (b, migrated)) = join_context(|_| meet(), |b| (meet(), b.migrated()));
                (a, b, migrated)
            });
            assert_ne!(here, there);
            assert!(migrated);
        }
    });
}

/// Forks into `sides` sides, which all wait for each other at `meeting`. The call returns only if all of them run at
/// the same time.
fn meet(sides: usize, meeting: &Barrier) {
    match sides {
        1 => _ = meeting.wait(),
        _ => _ = join(|| meet(sides / 2, meeting), || meet(sides - sides / 2, meeting)),
    }
}

fn fib(n: u32) -> u32 {
    if n < 2 {
        return n;
    }
    let (a, b) = join(|| fib(n - 1), || fib(n - 2));
    a + b
}

/// A parallel loop as rayon's iterators make it with `with_max_len(1)`.
fn each(items: std::ops::Range<usize>, f: &(dyn Fn(usize) + Sync)) {
    if items.len() <= 1 {
        return items.for_each(f);
    }
    let middle = items.start.midpoint(items.end);
    join(|| each(items.start..middle, f), || each(middle..items.end, f));
}

#[test]
fn two_items_of_a_loop_can_need_each_other() {
    within(|| {
        for threads in [2, 4] {
            let pool = pool(threads);
            for round in 0..50 {
                let special = ((round * 38 + 10) % 1024) & !1;
                let meeting = Barrier::new(2);
                let both = |item: usize| {
                    if item / 2 == special / 2 {
                        meeting.wait();
                    }
                };
                pool.install(|| each(0..1024, &both));
                // One item of the loop is a pipeline of two sides.
                pool.install(|| {
                    each(0..1024, &|item| {
                        if item == special {
                            let (send, lines) = std::sync::mpsc::sync_channel(4);
                            let lines = join(
                                move || (0..100).for_each(|line| send.send(line).unwrap()),
                                move || lines.into_iter().sum::<i32>(),
                            );
                            assert_eq!(lines.1, 4950);
                        }
                    });
                });
            }
        }
    });
}

#[test]
fn all_sides_of_a_chain_of_joins_can_meet() {
    fn chain(sides: usize, meeting: &Barrier) {
        if sides > 1 {
            join(|| chain(sides - 1, meeting), || _ = meeting.wait());
        } else {
            meeting.wait();
        }
    }
    within(|| {
        for threads in [2, 3, 5, 8, 16] {
            let pool = pool(threads);
            for _ in 0..10 {
                let meeting = Barrier::new(threads);
                pool.install(|| {
                    fib(15);
                    chain(threads, &meeting);
                });
            }
        }
    });
}

#[test]
fn all_sides_of_nested_joins_can_meet() {
    // Some programs fork as many sides as there are threads and let the sides wait for each other. They rely on an
    // idle thread to find every fork.
    within(|| {
        for threads in [2, 3, 4, 8] {
            let pool = pool(threads);
            for _ in 0..50 {
                let meeting = Barrier::new(threads);
                pool.install(|| meet(threads, &meeting));
            }
        }
    });
}

#[test]
fn all_jobs_of_a_scope_can_meet() {
    within(|| {
        for threads in [2, 8] {
            let pool = pool(threads);
            for _ in 0..50 {
                let meeting = Barrier::new(threads);
                pool.scope(|s| (0..threads).for_each(|_| s.spawn(|_| _ = meeting.wait())));
            }
        }
    });
}

#[test]
fn a_side_that_was_forked_before_a_long_wait_is_found() {
    within(|| {
        // The first side forks nothing more and never yields, and the second side must run all the same.
        let (tell, told) = channel();
        pool(2).join(move || told.recv().unwrap(), move || tell.send(7).unwrap());
    });
}

#[test]
fn installs_across_pools_do_not_deadlock() {
    within(|| {
        let (one, other) = (pool(1), pool(1));
        assert!(one.install(|| one.install(|| true)));
        assert!(one.install(|| other.install(|| one.install(|| other.install(|| true)))));
        let index =
            one.install(|| other.install(|| (one.current_thread_index(), other.current_thread_index())));
        assert_eq!(index, (None, Some(0)));
    });
}

#[test]
fn scopes_of_many_pools_nest() {
    fn nest<'scope>(pools: &[ThreadPool], scopes: Vec<&Scope<'scope>>, count: &'scope AtomicUsize) {
        match pools {
            [] => {
                scopes.iter().for_each(|scope| scope.spawn(move |_| _ = count.fetch_add(1, Ordering::Relaxed)))
            }
            [first, rest @ ..] => first.scope(move |scope| {
                // Moving the vector shortens the borrows of the scopes. The lifetime of the data that their jobs may
                // borrow stays.
                let mut scopes = scopes;
                scopes.push(scope);
                nest(rest, scopes, count);
            }),
        }
    }
    within(|| {
        let pools: Vec<ThreadPool> = (0..10).map(|_| pool(1)).collect();
        let count = AtomicUsize::new(0);
        nest(&pools, Vec::new(), &count);
        assert_eq!(count.into_inner(), 10);
    });
}

#[test]
fn an_in_place_scope_leaves_the_pool_free() {
    within(|| {
        let pool = pool(1);
        let (tell, told) = channel();
        pool.in_place_scope(|s| {
            s.spawn(move |_| tell.send(current_thread_index()).unwrap());
            assert_eq!(told.recv(), Ok(Some(0)), "it runs while this thread is blocked");
            assert_eq!(current_thread_index(), None);
        });
        in_place_scope(|s| s.spawn(|_| assert!(current_thread_index().is_some())));
    });
}

#[test]
fn a_broadcast_is_once_on_each_thread_in_order() {
    within(|| {
        let pool = pool(7);
        for _ in 0..200 {
            let indices = pool.broadcast(|context| {
                assert_eq!(Some(context.index()), pool.current_thread_index());
                (context.index(), context.num_threads())
            });
            assert_eq!(indices, (0..7).map(|index| (index, 7)).collect::<Vec<_>>());
        }
        assert_eq!(pool.install(|| broadcast(|context| context.index())), (0..7).collect::<Vec<_>>());
        assert_eq!(broadcast(|_| ()).len(), current_num_threads());
    });
}

#[test]
fn broadcasts_run_in_order_and_after_what_is_spawned() {
    within(|| {
        let pool = pool(3);
        let (tell, told) = channel();
        for _ in 0..100 {
            let (spawned, cast) = (tell.clone(), tell.clone());
            pool.install(|| spawn(move || spawned.send(1).unwrap()));
            pool.spawn_broadcast(move |_| cast.send(2).unwrap());
            pool.broadcast(|_| ());
            let mut heard: Vec<u8> = told.try_iter().collect();
            heard.sort_unstable();
            assert_eq!(heard, [1, 2, 2, 2]);
        }
    });
}

#[test]
fn broadcasts_from_pool_to_pool() {
    within(|| {
        let (one, other) = (pool(3), pool(7));
        let count = AtomicUsize::new(0);
        one.install(|| other.broadcast(|_| one.broadcast(|_| count.fetch_add(1, Ordering::Relaxed))));
        assert_eq!(count.into_inner(), 3 * 7);

        let (tell, told) = channel();
        let one = Arc::new(one);
        one.clone().spawn(move || {
            other.spawn_broadcast(move |_| {
                let tell = tell.clone();
                one.spawn_broadcast(move |_| tell.send(()).unwrap());
            });
        });
        assert_eq!(told.iter().count(), 3 * 7);
    });
}

#[test]
fn a_scope_waits_for_its_broadcasts() {
    within(|| {
        let sum = AtomicUsize::new(0);
        let threads = scope(|s| {
            s.spawn_broadcast(|s, _| {
                s.spawn_broadcast(|_, inner| _ = sum.fetch_add(inner.index(), Ordering::Relaxed))
            });
            current_num_threads()
        });
        assert_eq!(sum.into_inner(), threads * threads * (threads - 1) / 2);

        let count = AtomicUsize::new(0);
        let threads = scope_fifo(|s| {
            s.spawn_broadcast(|s, _| s.spawn_fifo(|_| _ = count.fetch_add(1, Ordering::Relaxed)));
            current_num_threads()
        });
        assert_eq!(count.into_inner(), threads);

        let meeting = Barrier::new(8);
        pool(7).in_place_scope(|s| {
            s.spawn_broadcast(|_, _| _ = meeting.wait());
            meeting.wait();
        });
    });
}

#[test]
fn yields_say_what_they_did() {
    within(|| {
        assert_eq!((yield_now(), yield_local(), current_thread_has_pending_tasks()), (None, None, None));
        let (one, other) = (pool(1), pool(1));
        let ran = Arc::new(AtomicUsize::new(0));
        one.install(|| {
            assert_eq!((yield_now(), yield_local()), (Some(Yield::Idle), Some(Yield::Idle)));
            assert_eq!(current_thread_has_pending_tasks(), Some(false));
            assert_eq!((other.yield_now(), other.yield_local()), (None, None));
            assert_eq!(other.current_thread_has_pending_tasks(), None);
            for _ in 0..2 {
                let ran = Arc::clone(&ran);
                spawn(move || _ = ran.fetch_add(1, Ordering::Relaxed));
            }
            assert_eq!(one.current_thread_has_pending_tasks(), Some(true));
            assert_eq!(one.yield_local(), Some(Yield::Executed));
            assert_eq!(ran.load(Ordering::Relaxed), 1);
            assert_eq!(one.yield_now(), Some(Yield::Executed));
            assert_eq!(ran.load(Ordering::Relaxed), 2);
            assert_eq!((one.yield_now(), one.yield_local()), (Some(Yield::Idle), Some(Yield::Idle)));

            let heard = Arc::clone(&ran);
            spawn_broadcast(move |_| _ = heard.fetch_add(1, Ordering::Relaxed));
            assert_eq!(yield_local(), Some(Yield::Executed), "a broadcast is of the thread's own");
            assert_eq!(ran.load(Ordering::Relaxed), 3);
        });
    });
}

#[test]
fn many_small_joins_from_outside() {
    within(|| {
        let pool = pool(2);
        let (mut left, mut right) = (0, 0);
        for _ in 0..20_000 {
            pool.join(|| left += 1, || right += 1);
        }
        assert_eq!((left, right), (20_000, 20_000));
    });
}
