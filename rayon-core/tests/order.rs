//! In which order one thread runs the jobs that it spawned, if no other thread steals. The newest job runs first.
//! Jobs that were spawned `fifo` run in the order in which they were spawned. Each scope keeps an order, and so do
//! the free functions together.

mod common;

use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};

use common::{pool, within};
use rayon_core::{Scope, ScopeFifo, in_place_scope, scope, scope_fifo, spawn, spawn_fifo};

fn up() -> Vec<i32> {
    (0..100).collect()
}

fn down() -> Vec<i32> {
    (0..100).rev().collect()
}

/// The tens last to first, and each ten in ascending order; or, unless `tens_down`, the other way round.
fn tens(tens_down: bool) -> Vec<i32> {
    let place = |i: i32, j: i32| if tens_down { (9 - i) * 10 + j } else { i * 10 + 9 - j };
    (0..10).flat_map(|i| (0..10).map(move |j| place(i, j))).collect()
}

/// Runs `body` on the only thread of a pool, and returns the numbers that `body` and its jobs send.
fn sent(body: impl FnOnce(Sender<i32>) + Send) -> Vec<i32> {
    let (send, receive) = channel();
    pool(1).install(|| body(send));
    receive.iter().collect()
}

macro_rules! spawned {
    ($outer:ident, $inner:ident) => {
        sent(|send| {
            for i in 0..10 {
                let send = send.clone();
                $outer(move || {
                    for j in 0..10 {
                        let send = send.clone();
                        $inner(move || send.send(i * 10 + j).unwrap());
                    }
                });
            }
        })
    };
}

#[test]
fn of_free_functions() {
    within(|| {
        assert_eq!(spawned!(spawn, spawn), down());
        assert_eq!(spawned!(spawn_fifo, spawn_fifo), up());
        assert_eq!(spawned!(spawn, spawn_fifo), tens(true));
        assert_eq!(spawned!(spawn_fifo, spawn), tens(false));
    });
}

#[test]
fn of_both_kinds_mixed() {
    within(|| {
        let order = sent(|send| {
            for n in 0..4 {
                let (even, odd) = (send.clone(), send.clone());
                spawn(move || even.send(n).unwrap());
                if n < 3 {
                    spawn_fifo(move || odd.send(-n - 1).unwrap());
                }
            }
        });
        assert_eq!(order, [3, -1, 2, -2, 1, -3, 0]);
    });
}

#[test]
fn of_a_pools_own_methods() {
    within(|| {
        let pool = pool(1);
        for fifo in [false, true] {
            let (send, receive) = channel();
            pool.install(|| {
                for n in 0..100 {
                    let send = send.clone();
                    let job = move || send.send(n).unwrap();
                    if fifo { pool.spawn_fifo(job) } else { pool.spawn(job) }
                }
            });
            drop(send);
            assert_eq!(receive.iter().collect::<Vec<_>>(), if fifo { up() } else { down() });
        }
    });
}

/// Runs `body` on the only thread of a pool, and returns the numbers that the jobs of its scopes note down.
fn noted(body: impl FnOnce(&Mutex<Vec<i32>>) + Send) -> Vec<i32> {
    let notes = Mutex::new(Vec::new());
    pool(1).install(|| body(&notes));
    notes.into_inner().unwrap()
}

macro_rules! scoped {
    ($scope:ident, $kind:ident, $spawn:ident) => {
        noted(|notes| {
            $scope(|s| {
                for i in 0..10 {
                    s.$spawn(move |s: &$kind<'_>| {
                        for j in 0..10 {
                            s.$spawn(move |_| notes.lock().unwrap().push(i * 10 + j));
                        }
                    });
                }
            });
        })
    };
}

#[test]
fn of_scopes() {
    within(|| {
        assert_eq!(scoped!(scope, Scope, spawn), down());
        assert_eq!(scoped!(scope_fifo, ScopeFifo, spawn_fifo), up());
        assert_eq!(scoped!(in_place_scope, Scope, spawn), down());
    });
}

macro_rules! scopes_in_scopes {
    ($outer:ident, $outer_spawn:ident, $inner:ident, $inner_spawn:ident) => {
        noted(|notes| {
            $outer(|s| {
                for i in 0..10 {
                    s.$outer_spawn(move |_| {
                        $inner(|s| {
                            for j in 0..10 {
                                s.$inner_spawn(move |_| notes.lock().unwrap().push(i * 10 + j));
                            }
                        });
                    });
                }
            });
        })
    };
}

#[test]
fn of_scopes_in_scopes() {
    within(|| {
        assert_eq!(scopes_in_scopes!(scope, spawn, scope, spawn), down());
        assert_eq!(scopes_in_scopes!(scope_fifo, spawn_fifo, scope_fifo, spawn_fifo), up());
        assert_eq!(scopes_in_scopes!(scope, spawn, scope_fifo, spawn_fifo), tens(true));
        assert_eq!(scopes_in_scopes!(scope_fifo, spawn_fifo, scope, spawn), tens(false));
    });
}

/// Spawns into an outer scope before, during and after an inner scope.
macro_rules! interleaved {
    ($outer:ident, $outer_spawn:ident, $inner:ident, $inner_spawn:ident) => {
        noted(|notes| {
            let note = |n: i32| notes.lock().unwrap().push(n);
            let note = &note;
            $outer(|outer| {
                outer.$outer_spawn(move |_| note(0));
                $inner(|inner| {
                    inner.$inner_spawn(move |_| note(-1));
                    outer.$outer_spawn(move |_| note(1));
                    inner.$inner_spawn(move |_| note(-2));
                    outer.$outer_spawn(move |_| note(2));
                    inner.$inner_spawn(move |_| note(-3));
                });
                outer.$outer_spawn(move |_| note(3));
            });
        })
    };
}

#[test]
fn of_scopes_that_interleave() {
    within(|| {
        assert_eq!(interleaved!(scope, spawn, scope, spawn), [-3, 2, -2, 1, -1, 3, 0]);
        assert_eq!(interleaved!(scope_fifo, spawn_fifo, scope_fifo, spawn_fifo), [-1, 0, -2, 1, -3, 2, 3]);
        assert_eq!(interleaved!(scope, spawn, scope_fifo, spawn_fifo), [-1, 2, -2, 1, -3, 3, 0]);
        assert_eq!(interleaved!(scope_fifo, spawn_fifo, scope, spawn), [-3, 0, -2, 1, -1, 2, 3]);
    });
}

#[test]
fn a_chain_of_spawns_needs_the_stack_of_one() {
    fn step<'scope>(scope: &Scope<'scope>, depths: &'scope Mutex<Vec<usize>>, left: usize) {
        let here = 0u8;
        depths.lock().unwrap().push((&raw const here).addr());
        if left > 0 {
            scope.spawn(move |scope| step(scope, depths, left - 1));
        }
    }
    within(|| {
        let depths = Mutex::new(Vec::new());
        pool(1).install(|| scope(|scope| step(scope, &depths, 500)));
        let depths = depths.into_inner().unwrap();
        assert_eq!(depths.len(), 501);
        let spread = depths[1..].iter().max().unwrap() - depths[1..].iter().min().unwrap();
        assert!(spread < 1 << 10, "the stack grew by {spread} bytes in 500 spawns");
    });
}
