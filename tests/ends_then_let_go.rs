//! A queue's states are ended, once only, before the pool lets go of the handler and of the closure that ends them.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use common::{Alive, Gate, LIMIT, Token, until, within};
use filch::{Pool, PoolBuilder, Queue};

/// How many states were made, and how many tokens were alive when each state was ended.
#[derive(Default)]
struct States {
    made: AtomicUsize,
    ended: Mutex<Vec<usize>>,
}

type Ends = Arc<States>;

/// Makes a queue whose handler and whose `state_end` closure hold handles of the same queue. The handler, the closure
/// and each state have a token of `alive`.
fn knotted(pool: &Pool, alive: &Alive, ends: &Ends) -> Queue<u32> {
    let own: Arc<OnceLock<Queue<u32>>> = Arc::default();
    let (handler_own, handler_token) = (Arc::clone(&own), alive.token());
    let (end_own, end_token) = (Arc::clone(&own), alive.token());
    let (states, all) = (alive.clone(), alive.clone());
    let (made, ended) = (Arc::clone(ends), Arc::clone(ends));
    let queue = pool
        .queue()
        .worker_state(move |_| {
            made.made.fetch_add(1, Ordering::Relaxed);
            states.token()
        })
        .state_end(move |_, state: Token| {
            let _token = &end_token;
            assert!(end_own.get().unwrap().is_closed());
            ended.ended.lock().unwrap().push(all.count());
            drop(state);
        })
        .build(move |_: &mut Token, n: u32| {
            let _token = &handler_token;
            if n > 0 {
                handler_own.get().unwrap().submit(n - 1).unwrap();
            }
        })
        .unwrap();
    own.get_or_init(|| queue.clone());
    queue
}

fn builders() -> [fn() -> PoolBuilder; 3] {
    [
        || Pool::builder().workers(1),
        || Pool::builder().workers(3),
        || Pool::builder().workers(1).use_current_thread(),
    ]
}

/// Checks that each state was ended once, while the handler and the `state_end` closure were alive. Returns the
/// number of states.
#[track_caller]
fn check(ends: &Ends) -> usize {
    let ended = ends.ended.lock().unwrap();
    assert_eq!(ended.len(), ends.made.load(Ordering::Relaxed));
    assert!(!ended.is_empty() && ended.iter().all(|&alive| alive >= 3), "{ended:?}");
    ended.len()
}

#[test]
fn of_a_queue_that_is_open_at_the_end_of_its_pool() {
    within(LIMIT, || {
        for builder in builders() {
            for handles_left in [true, false] {
                thread::spawn(move || {
                    let (alive, ends) = (Alive::default(), Ends::default());
                    let pool = builder().build().unwrap();
                    let queue = knotted(&pool, &alive, &ends);
                    queue.submit(100).unwrap();
                    queue.wait();
                    assert!(alive.count() >= 3 && ends.ended.lock().unwrap().is_empty());
                    let kept = handles_left.then_some(queue);
                    assert_eq!(pool.shutdown().unwrap().run, 101);
                    check(&ends);
                    assert_eq!(alive.count(), 0);
                    if let Some(queue) = kept {
                        assert!(queue.wait_timeout(Duration::ZERO));
                        queue.wait();
                    }
                })
                .join()
                .unwrap();
            }
        }
    });
}

#[test]
fn of_a_queue_that_is_closed_before() {
    within(LIMIT, || {
        for builder in builders() {
            for close in [Queue::close, Queue::close_when_idle] {
                thread::spawn(move || {
                    let (alive, ends) = (Alive::default(), Ends::default());
                    let pool = builder().build().unwrap();
                    let queue = knotted(&pool, &alive, &ends);
                    queue.submit(100).unwrap();
                    queue.wait();
                    close(&queue);
                    queue.wait();
                    let ended = check(&ends);
                    assert_eq!(alive.count(), 2, "the handler and the end are the queue's still");
                    drop(queue);
                    assert_eq!(alive.count(), 2, "which holds itself");
                    drop(pool);
                    assert_eq!(alive.count(), 0);
                    assert_eq!(check(&ends), ended, "once only");
                })
                .join()
                .unwrap();
            }
        }
    });
}

#[test]
fn a_wait_with_a_timeout_waits_for_the_ends_as_well() {
    within(LIMIT, || {
        let pool = Pool::builder().workers(2).build().unwrap();
        let (gate, (tell, told)) = (Gate::default(), channel());
        let opened = gate.clone();
        let queue = pool
            .queue()
            .worker_state(|_| ())
            .state_end(move |_, ()| {
                tell.send(()).unwrap();
                opened.wait();
            })
            .build(|(), _: u8| {})
            .unwrap();
        queue.submit(1).unwrap();
        queue.wait();
        assert!(queue.wait_timeout(Duration::ZERO), "it is idle, and open");
        queue.close();
        told.recv().unwrap();
        assert!(!queue.wait_timeout(Duration::ZERO));
        assert!(!queue.wait_timeout(Duration::from_millis(1)));
        gate.open();
        assert!(queue.wait_timeout(Duration::MAX));
        assert!(queue.wait_timeout(Duration::ZERO));
    });
}

/// A value in the handler: it panics when the pool drops the handler.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

#[test]
fn what_a_handler_panics_with_at_its_drop_is_told_with_the_queue() {
    within(LIMIT, || {
        for (builder, worker) in builders().into_iter().zip([Some(0..1), Some(0..3), None]) {
            thread::spawn(move || {
                let (tell, told) = channel();
                let pool = builder()
                    .on_panic(move |_, at| tell.send((at.queue().map(str::to_owned), at.worker())).unwrap())
                    .build()
                    .unwrap();
                let bomb = Bomb;
                let handler = move |_: u8| _ = &bomb;
                let queue = pool.queue().name("mail").build(handler).unwrap();
                drop(pool);
                until(|| queue.is_closed());
                let (name, at) = told.recv().unwrap();
                assert_eq!(name.as_deref(), Some("mail"));
                match worker {
                    Some(workers) => assert!(at.is_some_and(|at| workers.contains(&at))),
                    None => assert_eq!(at, None),
                }
                assert!(told.recv().is_err(), "once, and the panic handler is gone");
            })
            .join()
            .unwrap();
        }
    });
}
