//! Panics in jobs of every kind: each goes where it belongs, with its payload, and the workers stay as they were.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use filch::Pool;

use crate::Order;
use crate::common::{Alive, Random, fail, number_of, until};

const WORKERS: usize = 4;

/// Runs `f`, and returns the number of the panic that `f` ends with.
fn caught<R>(f: impl FnOnce() -> R) -> usize {
    let Err(payload) = catch_unwind(AssertUnwindSafe(f)) else { panic!("the panic was lost") };
    number_of(&*payload)
}

pub fn all_operations(order: &Order) -> String {
    let mut random = Random::new(order.seed);
    let (handled, sum) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let started = Arc::new(Mutex::new(Vec::new()));
    let pool = {
        let (handled, sum, started) = (Arc::clone(&handled), Arc::clone(&sum), Arc::clone(&started));
        let builder = Pool::builder().workers(WORKERS);
        let builder = builder.on_start(move |_| started.lock().unwrap().push(thread::current().id()));
        let builder = builder.panic_handler(move |payload| {
            sum.fetch_add(number_of(&*payload), Ordering::Relaxed);
            handled.fetch_add(1, Ordering::Relaxed);
        });
        builder.build().unwrap()
    };
    let alive = Alive::default();
    let queue = pool.queue().capacity(16).build(|(number, _token)| fail(number)).unwrap();
    let serial = pool.queue().capacity(4).concurrency(1);
    let serial = serial.worker_state(|_| 0_usize).build(|state, (number, _token)| {
        *state += 1;
        fail(number)
    });
    let serial = serial.unwrap();
    // What the panic handler must have seen in the end.
    let (mut expected, mut expected_sum, mut number) = (0, 0, 0);
    while number < order.size {
        number += 1;
        let token = alive.token();
        let panics = move || -> () {
            let _token = token;
            fail(number)
        };
        let kind = random.below(13);
        if kind < 4 {
            expected += 1;
            expected_sum += number;
        }
        let inside = random.below(2) == 0;
        let on = |f: &mut (dyn FnMut() -> usize + Send)| if inside { pool.install(f) } else { f() };
        let back = match kind {
            0 => {
                pool.execute(panics).unwrap();
                number
            }
            1 => {
                // The job panics only after the handle has gone. Otherwise the payload would be dropped with the
                // handle.
                let gone = Arc::new(AtomicBool::new(false));
                let seen = Arc::clone(&gone);
                drop(pool.spawn(move || {
                    until(|| seen.load(Ordering::Relaxed));
                    panics()
                }));
                gone.store(true, Ordering::Relaxed);
                number
            }
            2 => {
                drop(panics);
                queue.submit((number, alive.token())).unwrap();
                number
            }
            3 => {
                drop(panics);
                serial.submit((number, alive.token())).unwrap();
                number
            }
            4 => number_of(&*pool.spawn(panics).join().unwrap_err().into_panic()),
            5 => caught(|| pool.install(panics)),
            6 => on(&mut || caught(|| pool.join(|| fail(number), || ()))),
            7 => on(&mut || caught(|| pool.join(filch::yield_now, || fail(number)))),
            // The caller gets the first side's panic, however fast the second side is.
            8 => on(&mut || caught(|| pool.join(|| fail(number), || fail(usize::MAX)))),
            9 => on(&mut || caught(|| pool.scope(|scope| scope.spawn(|_| fail(number))))),
            10 => on(&mut || {
                let others = AtomicUsize::new(0);
                let back = caught(|| {
                    pool.scope(|scope| {
                        (0..4).for_each(|_| scope.spawn(|_| _ = others.fetch_add(1, Ordering::Relaxed)));
                        fail(number)
                    })
                });
                assert_eq!(others.into_inner(), 4, "the scope waits for the others");
                back
            }),
            11 => on(&mut || {
                let others = AtomicUsize::new(0);
                let back = caught(|| {
                    pool.broadcast(|index| {
                        others.fetch_add(1, Ordering::Relaxed);
                        assert!(index < WORKERS);
                        if index == number % WORKERS {
                            fail(number)
                        }
                    })
                });
                assert_eq!(others.into_inner(), WORKERS);
                back
            }),
            _ => on(&mut || {
                caught(|| {
                    pool.scope(|scope| {
                        scope.spawn(|scope| {
                            scope.spawn(|_| _ = filch::join(|| (), || fail(number)));
                        });
                    });
                })
            }),
        };
        assert_eq!(back, number, "kind {kind}");
    }
    queue.close();
    queue.wait();
    serial.close();
    serial.wait();
    // Each worker still runs on a thread that it started on.
    let met = Arc::new(Barrier::new(WORKERS));
    let same = pool.broadcast(|_| {
        met.wait();
        thread::current().id()
    });
    let started = started.lock().unwrap().clone();
    // The other threads in `started` belong to spares.
    assert!(same.iter().all(|id| started.contains(id)), "{started:?} now are {same:?}");
    let report = pool.shutdown().unwrap();
    assert_eq!(report.panicked as usize, expected);
    assert_eq!((handled.load(Ordering::Relaxed), sum.load(Ordering::Relaxed)), (expected, expected_sum));
    assert_eq!(alive.count(), 0, "what panicking jobs held was dropped");
    format!("{expected} to the handler")
}
