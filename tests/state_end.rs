//! The end of a queue's states: each is handed over once, on its worker's thread, before the wait for the closed
//! queue, or the pool's shutdown, returns.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier, Mutex};
use std::thread::{self, ThreadId};

use common::{Alive, Gate, LIMIT, Token, collector, fail, until, within};
use filch::{Pool, PoolBuilder, Queue};

/// A state: its worker, its thread, and how many jobs it served.
struct State {
    worker: usize,
    thread: ThreadId,
    jobs: usize,
    _token: Token,
}

/// What `state_end` got: the worker, whether it ran on the thread that made the state, the jobs that the state
/// served.
type Ends = Arc<Mutex<Vec<(usize, bool, usize)>>>;

fn queue(pool: &Pool, alive: &Alive, ends: &Ends) -> Queue<Option<Arc<Barrier>>> {
    let (alive, ends) = (alive.clone(), Arc::clone(ends));
    pool.queue()
        .capacity(16)
        .worker_state(move |worker| State {
            worker,
            thread: thread::current().id(),
            jobs: 0,
            _token: alive.token(),
        })
        .state_end(move |index, state: State| {
            assert_eq!(index, state.worker);
            let own = state.thread == thread::current().id() && filch::current_worker() == Some(index);
            ends.lock().unwrap().push((index, own, state.jobs));
        })
        .build(|state, met: Option<Arc<Barrier>>| {
            state.jobs += 1;
            if let Some(met) = met {
                met.wait();
            }
        })
        .unwrap()
}

/// Submits one job for each worker. The jobs meet, so that each worker gets a state.
fn meet(queue: &Queue<Option<Arc<Barrier>>>, workers: usize) {
    let met = Arc::new(Barrier::new(workers));
    queue.submit_all((0..workers).map(|_| Some(Arc::clone(&met)))).unwrap();
}

/// Panics unless each worker had one state, and the worker's own thread ended it.
#[track_caller]
fn check(ends: &Ends, workers: usize, jobs: usize) {
    let mut ends = ends.lock().unwrap();
    ends.sort_unstable();
    assert!(ends.iter().map(|end| end.0).eq(0..workers), "each once: {ends:?}");
    assert!(ends.iter().all(|end| end.1), "on its own thread: {ends:?}");
    assert_eq!(ends.iter().map(|end| end.2).sum::<usize>(), jobs);
    ends.clear();
}

/// Closes a queue in which `round` more jobs lie.
fn close(queue: &Queue<Option<Arc<Barrier>>>, round: usize) {
    queue.submit_all((0..round).map(|_| None)).unwrap();
    match round % 3 {
        0 => queue.close(),
        1 => queue.close_when_idle(),
        _ => {
            queue.wait();
            queue.close();
        }
    }
}

#[test]
fn before_the_wait_for_a_closed_queue_returns() {
    const WORKERS: usize = 3;

    within(LIMIT, || {
        let (alive, ends) = (Alive::default(), Ends::default());
        let pool = Pool::builder().workers(WORKERS).build().unwrap();
        for round in 0..200 {
            let queue = queue(&pool, &alive, &ends);
            meet(&queue, WORKERS);
            queue.wait();
            assert!(ends.lock().unwrap().is_empty(), "the queue is open");
            close(&queue, round);
            queue.wait();
            check(&ends, WORKERS, WORKERS + round);
            assert_eq!(alive.count(), 0);
            queue.wait();
        }
    });
}

/// A spare stands in for a worker that waits. When the worker is back, the spare may still be in a job: then both
/// have a state with the same number at once. Either of the two threads may end one of these states.
#[test]
fn of_workers_with_spares_before_the_wait_returns() {
    const WORKERS: usize = 3;

    within(LIMIT, || {
        let (alive, ends) = (Alive::default(), Ends::default());
        let pool = Pool::builder().workers(WORKERS).build().unwrap();
        for round in 0..300 {
            let queue = queue(&pool, &alive, &ends);
            meet(&queue, WORKERS);
            close(&queue, round);
            pool.install(|| queue.wait());
            // No state is left that was not handed over.
            assert_eq!(alive.count(), 0);
            let ends = std::mem::take(&mut *ends.lock().unwrap());
            assert!(ends.iter().all(|end| end.0 < WORKERS), "{ends:?}");
            assert_eq!(ends.iter().map(|end| end.2).sum::<usize>(), WORKERS + round, "{ends:?}");
        }
    });
}

#[test]
fn before_the_shutdown_returns() {
    within(LIMIT, || {
        let (alive, ends) = (Alive::default(), Ends::default());
        for round in 0..200 {
            let pool = Pool::builder().workers(2).build().unwrap();
            let queue = queue(&pool, &alive, &ends);
            meet(&queue, 2);
            queue.submit_all((0..round).map(|_| None)).unwrap();
            let report = match round % 3 {
                0 => pool.shutdown(),
                1 => {
                    queue.close();
                    pool.shutdown()
                }
                _ => {
                    let closer = {
                        let queue = queue.clone();
                        thread::spawn(move || queue.close())
                    };
                    let report = pool.shutdown();
                    closer.join().unwrap();
                    report
                }
            };
            check(&ends, 2, 2 + round);
            assert_eq!((report.unwrap().run, alive.count()), (2 + round as u64, 0));
            queue.close();
            queue.wait();
        }
    });
}

/// Nobody waits for the queue, and nobody holds it. The states end nevertheless.
#[test]
fn of_a_queue_that_is_let_go() {
    within(LIMIT, || {
        let (alive, ends) = (Alive::default(), Ends::default());
        let pool = Pool::builder().workers(2).build().unwrap();
        for _ in 0..100 {
            let queue = queue(&pool, &alive, &ends);
            meet(&queue, 2);
            drop(queue);
            until(|| alive.count() == 0 && ends.lock().unwrap().len() == 2);
            check(&ends, 2, 2);
        }
    });
}

#[test]
fn without_states_and_without_jobs() {
    within(LIMIT, || {
        let (alive, ends) = (Alive::default(), Ends::default());
        let pool = Pool::builder().workers(2).build().unwrap();
        let first = queue(&pool, &alive, &ends);
        first.close();
        first.wait();
        let second = queue(&pool, &alive, &ends);
        pool.shutdown().unwrap();
        second.wait();
        check(&ends, 0, 0);
    });
}

#[test]
fn a_panic_goes_to_the_panic_handler_and_the_next_state_ends_all_the_same() {
    within(LIMIT, || {
        let (handler, caught) = collector();
        let pool = Pool::builder().workers(2).panic_handler(handler).build().unwrap();
        let met = Arc::new(Barrier::new(2));
        let queue = pool
            .queue()
            .worker_state(|_| ())
            .state_end(|index, ()| fail(index))
            .build(move |(), (): ()| _ = met.wait())
            .unwrap();
        queue.submit_all([(), ()]).unwrap();
        queue.close();
        queue.wait();
        assert_eq!(caught(), [0, 1]);
    });
}

/// The pool runs what the end of a state submits. An end that waits for its own queue panics.
#[test]
fn what_it_does_in_the_pool() {
    within(LIMIT, || {
        let (handler, panics) = channel();
        let handler = Mutex::new(handler);
        let pool = Pool::builder()
            .workers(2)
            .panic_handler(move |_| handler.lock().unwrap().send(()).unwrap())
            .build();
        let pool = pool.unwrap();
        let ran = Arc::new(AtomicUsize::new(0));
        let slot: Arc<std::sync::OnceLock<Queue<()>>> = Arc::default();
        let queue = {
            let (ran, own) = (Arc::clone(&ran), Arc::downgrade(&slot));
            let end = move |_, ()| {
                let ran = Arc::clone(&ran);
                filch::execute(move || _ = ran.fetch_add(1, Ordering::Relaxed)).unwrap();
                own.upgrade().unwrap().get().unwrap().wait();
            };
            pool.queue().worker_state(|_| ()).state_end(end).build(|(), (): ()| {}).unwrap()
        };
        slot.set(queue.clone()).unwrap();
        queue.submit(()).unwrap();
        queue.wait();
        pool.shutdown().unwrap();
        assert_eq!(ran.load(Ordering::Relaxed), 1);
        panics.recv().unwrap();
    });
}

fn lent() -> PoolBuilder {
    Pool::builder().use_current_thread()
}

/// A pool that has only the lent thread, and a pool with another worker.
#[test]
fn on_a_lent_thread() {
    within(LIMIT, || {
        for workers in [1, 2] {
            let (alive, ends) = (Alive::default(), Ends::default());
            let pool = lent().workers(workers).build().unwrap();
            let first = queue(&pool, &alive, &ends);
            meet(&first, workers);
            first.close();
            first.wait();
            check(&ends, workers, workers);
            let second = queue(&pool, &alive, &ends);
            meet(&second, workers);
            second.wait();
            if workers == 1 {
                pool.shutdown().unwrap();
                check(&ends, workers, workers);
            } else {
                drop(pool);
                assert_eq!(ends.lock().unwrap().len(), 2);
            }
            assert_eq!(alive.count(), 0);
        }
    });
}

/// The lent thread has gone: another thread ends its state.
#[test]
fn of_a_lent_thread_that_has_gone() {
    within(LIMIT, || {
        let (alive, ends) = (Alive::default(), Ends::default());
        let lender = {
            let (alive, ends) = (alive.clone(), Arc::clone(&ends));
            thread::spawn(move || {
                let pool = lent().workers(2).build().unwrap();
                let queue = queue(&pool, &alive, &ends);
                meet(&queue, 2);
                queue.wait();
                (pool, queue)
            })
        };
        let (pool, queue) = lender.join().unwrap();
        queue.close();
        queue.wait();
        assert_eq!((ends.lock().unwrap().len(), alive.count()), (2, 0));
        pool.shutdown().unwrap();
    });
}

/// The wait lasts until the last state has ended.
#[test]
fn the_wait_waits_for_a_slow_one() {
    within(LIMIT, || {
        let pool = Pool::builder().workers(1).build().unwrap();
        let (gate, ended) = (Gate::default(), Arc::new(AtomicUsize::new(0)));
        let queue = {
            let (gate, ended) = (gate.clone(), Arc::clone(&ended));
            let end = move |_, ()| {
                gate.wait();
                ended.fetch_add(1, Ordering::SeqCst);
            };
            pool.queue().worker_state(|_| ()).state_end(end).build(|(), (): ()| {}).unwrap()
        };
        queue.submit(()).unwrap();
        queue.close();
        let waiter = {
            let (queue, ended) = (queue.clone(), Arc::clone(&ended));
            thread::spawn(move || {
                queue.wait();
                ended.load(Ordering::SeqCst)
            })
        };
        gate.open();
        assert_eq!(waiter.join().unwrap(), 1);
    });
}
