//! A pool that has ended drops what it was given: handlers, their states, hooks, panic handlers. It does so although
//! these may hold a handle of the pool or of its queues.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use common::{Alive, Gate, LIMIT, collector, fail, until, within};
use filch::{Pool, Queue, ShutdownError, SubmitError, WeakQueue};

type Own<Q> = Arc<OnceLock<Q>>;

/// Builds a queue whose handler counts down by a handle of its own queue. The handler holds one token of `alive`, and
/// each worker's state is another token.
fn counts_down(pool: &Pool, alive: &Alive) -> Queue<u32> {
    let own: Own<Queue<u32>> = Arc::default();
    let (handle, token, states) = (Arc::clone(&own), alive.token(), alive.clone());
    let handler = move |_: &mut _, n: u32| {
        let _token = &token;
        if n > 0 {
            handle.get().unwrap().submit(n - 1).unwrap();
        }
    };
    let queue = pool.queue().worker_state(move |_| states.token()).build(handler).unwrap();
    own.get_or_init(|| queue.clone());
    queue
}

fn workers(number: usize) -> Pool {
    Pool::builder().workers(number).build().unwrap()
}

fn lent() -> Pool {
    Pool::builder().workers(1).use_current_thread().build().unwrap()
}

#[test]
fn a_handler_that_holds_its_queue() {
    within(LIMIT, || {
        for number in [1, 3] {
            let (pool, alive) = (workers(number), Alive::default());
            let queue = counts_down(&pool, &alive);
            queue.submit(100).unwrap();
            queue.wait();
            assert!(alive.count() >= 2, "a handler and a state at least");
            assert_eq!(pool.shutdown().unwrap().run, 101);
            assert_eq!(alive.count(), 0);
            // The handle works as with any pool that has ended.
            assert!(queue.is_closed() && queue.is_empty());
            assert!(matches!(queue.submit(1), Err(SubmitError::Closed(1))));
            assert!(matches!(queue.try_submit(1), Err(SubmitError::Closed(1))));
            queue.wait();
            queue.close();
        }
    });
}

/// Everything is dropped, in whatever way the pool ends.
#[test]
fn by_whoever_ends_the_pool() {
    within(LIMIT, || {
        let ends: [fn(Pool); 6] = [
            drop,
            |pool| drop(pool.shutdown_timeout(Duration::MAX).unwrap()),
            Pool::detach,
            |pool| {
                let pool = Arc::new(pool);
                let inside = Arc::clone(&pool);
                pool.execute(move || assert_eq!(inside.shutdown(), Err(ShutdownError::WouldDeadlock))).unwrap();
            },
            // A job of the pool drops the pool's last handle.
            |pool| {
                let shared: Own<Pool> = Arc::default();
                let (inside, gate) = (Arc::clone(&shared), Gate::default());
                let opened = gate.clone();
                let job = move || {
                    opened.wait();
                    drop(inside);
                };
                shared.get_or_init(|| pool).execute(job).unwrap();
                drop(shared);
                gate.open();
            },
            |pool| thread::spawn(move || drop(pool)).join().unwrap(),
        ];
        for end in ends {
            let (pool, alive) = (workers(2), Alive::default());
            let queue = counts_down(&pool, &alive);
            queue.submit(9).unwrap();
            end(pool);
            // Some of these ends do not wait for the pool.
            until(|| alive.count() == 0);
            drop(queue);
        }
    });
}

#[test]
fn of_a_pool_that_has_a_lent_thread_only() {
    within(LIMIT, || {
        let ends: [fn(Pool); 5] = [
            drop,
            |pool| drop(pool.shutdown().unwrap()),
            Pool::detach,
            // Another thread shuts the pool down, and waits for this thread.
            |pool| {
                thread::scope(|scope| {
                    let other = scope.spawn(|| pool.shutdown().unwrap());
                    while !other.is_finished() {
                        filch::yield_now();
                    }
                });
            },
            // A job of the pool drops the last handle. The lent thread is returned only after that job.
            |pool| {
                let shared: Own<Pool> = Arc::default();
                let inside = Arc::clone(&shared);
                shared.get_or_init(|| pool).execute(move || drop(inside)).unwrap();
                drop(shared);
                while filch::current_worker().is_some() {
                    filch::yield_now();
                    filch::CountLatch::new(0).wait();
                    let _ = filch::CountLatch::new(1).wait_timeout(Duration::from_micros(1));
                }
            },
        ];
        for end in ends {
            thread::spawn(move || {
                let (pool, alive) = (lent(), Alive::default());
                let queue = counts_down(&pool, &alive);
                queue.submit(9).unwrap();
                queue.wait();
                assert!(alive.count() >= 2);
                end(pool);
                assert_eq!(alive.count(), 0);
            })
            .join()
            .unwrap();
        }
    });
}

/// The end of a lent thread runs the jobs that are left, and then drops what ran them.
#[test]
fn of_a_lent_thread_that_ends() {
    within(LIMIT, || {
        let alive = Alive::default();
        let (given, ran) = (alive.clone(), Arc::new(AtomicUsize::new(0)));
        let runs = Arc::clone(&ran);
        let (pool, queue) = thread::spawn(move || {
            let pool = lent();
            let queue = counts_down(&pool, &given);
            let again = queue.clone();
            let last = move || {
                again.submit(3).unwrap();
                runs.fetch_add(1, Ordering::SeqCst);
            };
            pool.execute(last).unwrap();
            (pool, queue)
        })
        .join()
        .unwrap();
        assert_eq!((ran.load(Ordering::SeqCst), alive.count(), queue.is_closed()), (1, 0, true));
        assert_eq!(pool.shutdown().unwrap().run, 5);
    });
}

/// A shutdown that gives up takes nothing from a handler that still runs.
#[test]
fn not_while_a_handler_runs() {
    within(LIMIT, || {
        let (pool, alive) = (workers(1), Alive::default());
        let own: Own<Queue<Gate>> = Arc::default();
        let (handle, token, (begun, begins)) = (Arc::clone(&own), alive.token(), channel());
        let handler = move |gate: Gate| {
            begun.send(()).unwrap();
            gate.wait();
            let _both = (&handle, &token);
        };
        let queue = own.get_or_init(|| pool.queue().build(handler).unwrap()).clone();
        drop(own);
        let gate = Gate::default();
        queue.submit(gate.clone()).unwrap();
        begins.recv().unwrap();
        assert_eq!(
            pool.shutdown_timeout(Duration::from_millis(1)),
            Err(ShutdownError::Timeout { stuck: vec!["filch-0".into()] })
        );
        assert_eq!(alive.count(), 1);
        gate.open();
        assert_eq!(pool.shutdown().unwrap().run, 1);
        assert_eq!(alive.count(), 0);
    });
}

#[test]
fn hooks_and_panic_handlers_that_hold_the_pool() {
    within(LIMIT, || {
        for is_lent in [false, true] {
            let alive = Alive::default();
            let shared: Own<(Pool, Queue<u32>)> = Arc::default();
            let hook = || {
                let (held, token) = (Arc::clone(&shared), alive.token());
                move || {
                    let _both = (&held, &token);
                }
            };
            let (starts, exits, panics) = (hook(), hook(), hook());
            let builder = Pool::builder()
                .workers(2)
                .on_start(move |_| starts())
                .on_exit(move |_| exits())
                .panic_handler(move |_| panics());
            let builder = if is_lent { builder.workers(1).use_current_thread() } else { builder };
            let pool = builder.build().unwrap();
            let queue = pool.queue().build(|number: u32| fail(number as usize)).unwrap();
            let (pool, queue) = shared.get_or_init(|| (pool, queue));
            queue.submit(1).unwrap();
            queue.wait();
            assert_eq!(alive.count(), 3);
            assert_eq!(pool.shutdown().unwrap().panicked, 1);
            assert_eq!((alive.count(), Arc::strong_count(&shared)), (0, 1));
        }
    });
}

/// Calls its closure when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        self.0();
    }
}

/// A dropped value may use the pool, which has ended, and may panic.
#[test]
fn what_is_dropped_may_do_anything() {
    within(LIMIT, || {
        let (handler, seen) = collector();
        let dropped = Arc::new(AtomicUsize::new(0));
        let pool = Arc::new(Pool::builder().workers(2).panic_handler(handler).build().unwrap());
        for number in 0..3 {
            let own: Own<Queue<()>> = Arc::default();
            let (held, uses, drops) = (Arc::clone(&own), Arc::clone(&pool), Arc::clone(&dropped));
            let on_drop = OnDrop(move || {
                assert!(uses.execute(|| ()).is_err() && held.get().unwrap().submit(()).is_err());
                assert!(uses.queue().build(|()| ()).is_err());
                assert_eq!(uses.shutdown(), Err(ShutdownError::WouldDeadlock), "it is a worker's last act");
                drops.fetch_add(1, Ordering::SeqCst);
                if number == 1 {
                    fail(number);
                }
            });
            let queue = pool.queue().build(move |()| _ = &on_drop).unwrap();
            own.get_or_init(|| queue).submit(()).unwrap();
        }
        pool.shutdown().unwrap();
        assert_eq!((dropped.load(Ordering::SeqCst), seen()), (3, vec![1]));
        assert_eq!(Arc::strong_count(&pool), 1);
    });
}

#[test]
fn a_weak_handle_keeps_nothing() {
    within(LIMIT, || {
        let (pool, alive) = (workers(2), Alive::default());
        let own: Own<WeakQueue<u32>> = Arc::default();
        let (weak, token) = (Arc::clone(&own), alive.token());
        let handler = move |n: u32| {
            let _token = &token;
            if let Some(queue) = weak.get().unwrap().upgrade()
                && n > 0
            {
                queue.submit(n - 1).unwrap();
            }
        };
        let queue = pool.queue().build(handler).unwrap();
        let weak = own.get_or_init(|| queue.downgrade()).clone();
        queue.submit(100).unwrap();
        queue.wait();
        let other = weak.upgrade().unwrap();
        drop(queue);
        assert!(!other.is_closed(), "there is another handle");
        other.submit(0).unwrap();
        drop(other);
        assert!(weak.upgrade().is_none());
        assert!(format!("{weak:?}").contains("handles: 0"));
        // The runner still holds the queue, and runs the rest.
        until(|| alive.count() == 0);
        assert_eq!(pool.shutdown().unwrap().run, 102);
    });
}

#[test]
fn a_weak_handle_of_a_closed_queue() {
    within(LIMIT, || {
        let pool = workers(1);
        let queue = pool.queue().build(|_: u32| ()).unwrap();
        let weak = queue.downgrade();
        queue.close();
        assert!(weak.upgrade().unwrap().is_closed(), "it has a handle");
        pool.shutdown().unwrap();
        assert!(matches!(weak.upgrade().unwrap().submit(1), Err(SubmitError::Closed(1))));
        drop(queue);
        assert!(weak.upgrade().is_none());
    });
}
