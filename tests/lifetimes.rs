//! Pools, queues and handles that go at awkward moments: in a job of the pool itself, in the drop of what a job
//! captured, in the destructors of thread-locals, before or after each other.

mod common;

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use common::{Alive, CHILD_LIMIT, Gate, LIMIT, Ledger, passes_in_child, until, within};
use filch::{CountLatch, JoinHandle, Pool, Queue, ShutdownError};

fn pool(workers: usize) -> Pool {
    Pool::builder().workers(workers).build().unwrap()
}

/// Runs what it holds when it is dropped.
struct OnDrop<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> OnDrop<F> {
    fn new(f: F) -> OnDrop<F> {
        OnDrop(Some(f))
    }
}

impl<F: FnOnce()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0.take().unwrap())();
    }
}

/// Returns a closure that counts up when it is called.
fn counts(counter: &Arc<AtomicUsize>) -> impl FnOnce() + Send + 'static {
    let counter = Arc::clone(counter);
    move || {
        counter.fetch_add(1, Ordering::SeqCst);
    }
}

#[cfg(target_os = "linux")]
fn until_gone(name: &str) {
    until(|| common::threads_named(name) == 0);
}

#[cfg(not(target_os = "linux"))]
fn until_gone(_: &str) {}

#[test]
fn the_pool_dropped_by_its_own_job() {
    within(LIMIT, || {
        for workers in [1, 2, 4] {
            for _ in 0..100 {
                const JOBS: usize = 50;
                let pool = Arc::new(Pool::builder().workers(workers).name("own-drop").build().unwrap());
                let ran = Arc::new(AtomicUsize::new(0));
                let gate = Gate::default();
                let (own, held, late) = (Arc::clone(&pool), gate.clone(), counts(&ran));
                pool.execute(move || {
                    held.wait();
                    let pool = Arc::into_inner(own).expect("the last one");
                    drop(pool);
                    // The drop did not wait for this very job. The pool still takes what the job submits.
                    filch::execute(late).unwrap();
                })
                .unwrap();
                for _ in 0..JOBS {
                    pool.execute(counts(&ran)).unwrap();
                }
                drop(pool);
                gate.open();
                until(|| ran.load(Ordering::SeqCst) == JOBS + 1);
            }
        }
        until_gone("own-drop");
    });
}

#[test]
fn the_pool_dropped_by_a_handler_of_its_queue() {
    within(LIMIT, || {
        let pool = Arc::new(Pool::builder().workers(2).name("own-queue").build().unwrap());
        let ran = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&ran);
        let queue: Queue<Option<Arc<Pool>>> = pool
            .queue()
            .concurrency(1)
            .build(move |pool| {
                drop(pool);
                counter.fetch_add(1, Ordering::SeqCst);
            })
            .unwrap();
        let gate = Gate::default();
        let held = gate.clone();
        pool.execute(move || held.wait()).unwrap();
        let own = Arc::clone(&pool);
        drop(pool);
        queue.submit(Some(own)).unwrap_or_else(|_| panic!("the pool is open"));
        until(|| queue.is_closed() || !queue.is_empty() || ran.load(Ordering::SeqCst) > 0);
        gate.open();
        queue.wait();
        assert_eq!(ran.load(Ordering::SeqCst), 1);
        until_gone("own-queue");
    });
}

#[test]
fn the_pool_dropped_by_a_job_of_another() {
    within(LIMIT, || {
        let outer = pool(1);
        let inner = pool(2);
        let ran = Arc::new(AtomicUsize::new(0));
        for _ in 0..1_000 {
            inner.execute(counts(&ran)).unwrap();
        }
        outer.install(move || drop(inner));
        assert_eq!(ran.load(Ordering::SeqCst), 1_000, "that drop waits");
    });
}

#[test]
fn the_last_queue_dropped_by_its_own_handler() {
    within(LIMIT, || {
        let pool = pool(2);
        let ran = Arc::new(AtomicUsize::new(0));
        let alive = Alive::default();
        let slot = Arc::new(OnceLock::new());
        let queue: Queue<usize> = {
            let (ran, slot) = (Arc::clone(&ran), Arc::downgrade(&slot));
            let make = {
                let alive = alive.clone();
                move |_| alive.token()
            };
            let handler = move |_state: &mut common::Token, job: usize| {
                if job == 0 {
                    let slot = slot.upgrade().unwrap();
                    // The job may begin before the slot is set, which needs the queue.
                    until(|| slot.get().is_some());
                    let gate: &(Gate, std::sync::Mutex<Option<Queue<usize>>>) = slot.get().unwrap();
                    gate.0.wait();
                    let queue = gate.1.lock().unwrap().take();
                    drop(queue);
                }
                ran.fetch_add(1, Ordering::SeqCst);
            };
            pool.queue().concurrency(1).worker_state(make).build(handler).unwrap()
        };
        queue.submit_all(0..100).unwrap();
        slot.set((Gate::default(), std::sync::Mutex::new(Some(queue)))).ok().unwrap();
        slot.get().unwrap().0.open();
        until(|| ran.load(Ordering::SeqCst) == 100);
        assert_eq!(pool.shutdown().unwrap().run, 100, "what was accepted ran");
        assert_eq!(alive.count(), 0, "the queue is gone, and the states of its workers with it");
    });
}

#[test]
fn queues_and_handles_that_outlive_the_pool() {
    within(LIMIT, || {
        let pool = pool(2);
        let alive = Alive::default();
        let states = alive.clone();
        let queue = pool.queue().worker_state(move |_| states.token()).build(|_, _: u8| {}).unwrap();
        let other = queue.clone();
        queue.submit(1).unwrap();
        let handle = pool.spawn(|| 5);
        let lost: JoinHandle<()> = pool.spawn(|| common::fail(1));
        drop(pool);
        assert_eq!(alive.count(), 0, "the pool has ended, and the states of its workers with it");
        assert_eq!(handle.join().unwrap(), 5);
        assert!(lost.is_finished());
        drop(lost);
        queue.wait();
        assert!(queue.is_closed() && queue.submit(2).unwrap_err().is_closed());
        drop(queue);
        other.wait();
        assert!(other.submit(2).unwrap_err().is_closed());
    });
}

#[test]
fn a_captured_value_that_submits_when_it_is_dropped() {
    within(LIMIT, || {
        for workers in [1, 3] {
            const JOBS: usize = 50;
            let pool = Arc::new(pool(workers));
            let ran = Arc::new(AtomicUsize::new(0));
            let queue = {
                let ran = Arc::clone(&ran);
                let handler = move |(): ()| {
                    ran.fetch_add(1, Ordering::SeqCst);
                };
                pool.queue().capacity(2).build(handler).unwrap()
            };
            for _ in 0..JOBS {
                let (own, queue, executed, spawned) =
                    (Arc::downgrade(&pool), queue.clone(), counts(&ran), counts(&ran));
                let capture = OnDrop::new(move || {
                    filch::execute(executed).unwrap();
                    queue.submit(()).unwrap();
                    // During the drain the last handle is gone already, which does not matter.
                    match own.upgrade() {
                        Some(pool) => drop(pool.spawn(spawned)),
                        None => spawned(),
                    }
                });
                pool.execute(move || drop(capture)).unwrap();
            }
            drop(queue);
            let pool = Arc::into_inner(pool);
            // `None` if one of the jobs dropped the last handle.
            drop(pool);
            until(|| ran.load(Ordering::SeqCst) == 3 * JOBS);
        }
    });
}

#[test]
fn a_captured_value_that_shuts_down_when_it_is_dropped() {
    within(LIMIT, || {
        let pool = Arc::new(pool(2));
        let (told, tells) = mpsc::channel();
        let capture = {
            let (pool, told) = (Arc::clone(&pool), told.clone());
            OnDrop::new(move || told.send(pool.shutdown()).unwrap())
        };
        pool.execute(move || drop(capture)).unwrap();
        assert_eq!(tells.recv().unwrap(), Err(ShutdownError::WouldDeadlock));
        // The result of a job whose handle was dropped.
        let result = {
            let (pool, told) = (Arc::clone(&pool), told.clone());
            OnDrop::new(move || told.send(pool.shutdown()).unwrap())
        };
        let gate = Gate::default();
        let held = gate.clone();
        drop(pool.spawn(move || {
            held.wait();
            result
        }));
        gate.open();
        assert_eq!(tells.recv().unwrap(), Err(ShutdownError::WouldDeadlock));
        // The value that a queue's job carries.
        let queue = pool.queue().build(drop::<Box<OnDropBox>>).unwrap();
        let carried = {
            let (pool, told) = (Arc::clone(&pool), told.clone());
            OnDropBox::of(move || told.send(pool.shutdown()).unwrap())
        };
        queue.submit(Box::new(carried)).unwrap();
        assert_eq!(tells.recv().unwrap(), Err(ShutdownError::WouldDeadlock));
        // A closure that a closed pool hands back is dropped outside.
        queue.wait();
        pool.shutdown().unwrap();
        let capture = {
            let pool = Arc::clone(&pool);
            OnDrop::new(move || told.send(pool.shutdown()).unwrap())
        };
        drop(pool.execute(move || drop(capture)));
        assert_eq!(tells.recv().unwrap().unwrap().run, 3);
    });
}

/// [`OnDrop`] without its closure's type.
type OnDropBox = OnDrop<Box<dyn FnOnce() + Send>>;

impl OnDropBox {
    fn of(f: impl FnOnce() + Send + 'static) -> OnDropBox {
        OnDrop(Some(Box::new(f)))
    }
}

thread_local! {
    /// The values that this thread destroys at its end, in this order.
    static KEPT: RefCell<Vec<Box<dyn std::any::Any>>> = const { RefCell::new(Vec::new()) };
}

fn keep(value: impl std::any::Any) {
    KEPT.with_borrow_mut(|kept| kept.push(Box::new(value)));
}

#[test]
fn all_kept_in_a_thread_local() {
    within(LIMIT, || {
        for turn in 0..3 {
            let ran = Arc::new(AtomicUsize::new(0));
            let counter = Arc::clone(&ran);
            let keeper = thread::spawn(move || {
                // One turn touches this local before it uses the pool, so that the locals are destroyed in the
                // opposite order.
                if turn == 1 {
                    keep(());
                }
                let pool = pool(2);
                let latch = Arc::new(CountLatch::new(1));
                let queue = {
                    let counter = Arc::clone(&counter);
                    let handler = move |(): ()| {
                        counter.fetch_add(1, Ordering::SeqCst);
                    };
                    pool.queue().build(handler).unwrap()
                };
                let opened = Arc::clone(&latch);
                pool.execute(move || opened.count_down()).unwrap();
                latch.wait();
                (0..100).for_each(|_| queue.submit(()).unwrap());
                (0..100).for_each(|_| pool.execute(counts(&counter)).unwrap());
                let handle = pool.spawn(counts(&counter));
                let joined = pool.spawn(counts(&counter));
                keep(OnDrop::new(move || joined.join().unwrap()));
                if turn == 2 {
                    keep(pool);
                    keep((queue, handle, latch));
                } else {
                    keep((queue, handle, latch));
                    keep(pool);
                }
            });
            keeper.join().unwrap();
            assert_eq!(ran.load(Ordering::SeqCst), 202);
        }
    });
}

/// A thread uses the pool in every way there is, while the thread's locals are being destroyed.
#[test]
fn used_by_a_thread_local_destructor() {
    within(LIMIT, || {
        for touched_before in [false, true] {
            let pool = Arc::new(pool(2));
            let ran = Arc::new(AtomicUsize::new(0));
            let (own, counter) = (Arc::clone(&pool), Arc::clone(&ran));
            let user = thread::spawn(move || {
                let used = Arc::clone(&own);
                let handler = |(): ()| thread::yield_now();
                let queue = own.queue().capacity(1).build(handler).unwrap();
                keep(OnDrop::new(move || {
                    used.execute(counts(&counter)).unwrap();
                    used.spawn(counts(&counter)).join().unwrap();
                    used.install(counts(&counter));
                    (0..100).for_each(|_| queue.submit(()).unwrap());
                    queue.wait();
                    assert_eq!(filch::current_worker(), None);
                    counts(&counter)();
                }));
                if touched_before {
                    own.install(|| ());
                }
            });
            user.join().unwrap();
            pool.shutdown().unwrap();
            assert_eq!(ran.load(Ordering::SeqCst), 4);
        }
    });
}

#[test]
fn kept_in_a_thread_local_of_another_pools_worker() {
    within(LIMIT, || {
        let ran = Arc::new(AtomicUsize::new(0));
        let (outer, inner) = (pool(1), pool(2));
        for _ in 0..100 {
            inner.execute(counts(&ran)).unwrap();
        }
        outer.install(move || keep(inner));
        outer.shutdown().unwrap();
        assert_eq!(ran.load(Ordering::SeqCst), 100);
    });
}

#[test]
fn kept_in_a_thread_local_of_its_own_worker() {
    within(LIMIT, || {
        let pool = Arc::new(pool(2));
        let ledger = Ledger::new(1);
        let (own, marked) = (Arc::clone(&pool), Arc::clone(&ledger));
        let queue = pool.queue().build(|(): ()| {}).unwrap();
        let handle = pool.spawn(|| 1);
        pool.execute(move || {
            keep((own, queue, handle));
            marked.mark(0);
        })
        .unwrap();
        pool.shutdown().unwrap();
        ledger.assert_once();
        assert_eq!(Arc::strong_count(&pool), 1, "the worker's thread is gone");
    });
}

/// A worker's thread shuts its own pool down at its very end. Either answer will do, but the call must return.
#[test]
fn shut_down_by_a_thread_local_destructor_of_its_own_worker() {
    // A panic in such a destructor ends the process.
    passes_in_child("shut_down_by_a_thread_local_destructor_of_its_own_worker", "", || {
        within(CHILD_LIMIT, || {
            for _ in 0..100 {
                let pool = Arc::new(pool(1));
                let (told, tells) = mpsc::channel();
                let own = Arc::clone(&pool);
                let job = move || {
                    keep(OnDrop::new(move || {
                        let answer = own.shutdown();
                        told.send(answer.is_ok() || answer == Err(ShutdownError::WouldDeadlock)).unwrap();
                    }));
                };
                pool.execute(job).unwrap();
                assert_eq!(pool.shutdown().unwrap().run, 1);
                assert!(tells.recv().unwrap());
            }
        });
    });
}

/// The last handle of a pool lies in a thread-local of one of the pool's own workers. The destructor drops it at the
/// end of that worker's thread, and the drop must not wait for this thread.
#[test]
fn dropped_by_a_thread_local_destructor_of_its_own_worker() {
    passes_in_child("dropped_by_a_thread_local_destructor_of_its_own_worker", "", || {
        within(CHILD_LIMIT, || {
            for _ in 0..100 {
                let pool = Arc::new(pool(2));
                let gate = Gate::default();
                let (own, held) = (Arc::clone(&pool), gate.clone());
                let ran = Arc::new(AtomicUsize::new(0));
                let (told, tells) = mpsc::channel();
                let counter = counts(&ran);
                pool.execute(move || {
                    keep(OnDrop::new(move || {
                        let last = Arc::into_inner(own).expect("the last one");
                        drop(last);
                        told.send(()).unwrap();
                    }));
                    held.wait();
                    counter();
                })
                .unwrap();
                // Closes the pool, so that the worker will end.
                assert!(pool.shutdown_timeout(Duration::ZERO).is_err());
                drop(pool);
                gate.open();
                tells.recv().unwrap();
                assert_eq!(ran.load(Ordering::SeqCst), 1);
            }
        });
    });
}
