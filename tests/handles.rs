//! `spawn` and its handle: the result by `join` or by awaiting, on a worker too; panics as values; the fate of a job
//! and its result when the handle is dropped; a pool that takes no more jobs.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Barrier};
use std::task::Poll;
use std::thread;

use common::polls::{Count, poll};
use common::{Alive, LIMIT, Ledger, block_on, collector, fail, number_of, text_of, until, within};
use filch::{JoinError, JoinHandle, Pool};

fn pool(workers: usize) -> Pool {
    Pool::builder().workers(workers).build().unwrap()
}

/// Spawns a job that calls `end` when the sender is used or dropped.
fn held<T: Send + 'static>(
    pool: &Pool,
    end: impl FnOnce() -> T + Send + 'static,
) -> (JoinHandle<T>, Sender<()>) {
    let (permit, permits) = channel();
    let handle = pool.spawn(move || {
        let _ = permits.recv();
        end()
    });
    (handle, permit)
}

#[test]
fn join_returns_the_result() {
    within(LIMIT, || {
        let pool = pool(2);
        for number in 0..1_000_usize {
            assert_eq!(pool.spawn(move || number.to_string()).join().unwrap(), number.to_string());
        }
        let handles: Vec<_> = (0..1_000).map(|number| pool.spawn(move || 2 * number)).collect();
        for (number, handle) in handles.into_iter().enumerate().rev() {
            assert_eq!(handle.join().unwrap(), 2 * number);
        }
        let (handle, permit) = held(&pool, || thread::current().name().map(str::to_owned));
        let joined = thread::spawn(move || handle.join());
        drop(permit);
        assert!(joined.join().unwrap().unwrap().unwrap().starts_with("filch-"));
    });
}

#[test]
fn is_finished_tells_when_the_job_has_ended() {
    within(LIMIT, || {
        let pool = pool(1);
        let (handle, permit) = held(&pool, || 5);
        assert!(!handle.is_finished());
        assert!(format!("{handle:?}").contains("false"));
        drop(permit);
        until(|| handle.is_finished());
        assert!(format!("{handle:?}").contains("true"));
        assert_eq!(handle.join().unwrap(), 5);
        let (handle, permit) = held(&pool, || fail(1));
        assert!(!handle.is_finished());
        drop(permit);
        until(|| handle.is_finished());
        assert_eq!(number_of(&*handle.join().unwrap_err().into_panic()), 1);
    });
}

#[test]
fn a_handle_can_be_awaited() {
    within(LIMIT, || {
        let pool = pool(2);
        for number in 0..2_000 {
            assert_eq!(block_on(pool.spawn(move || number)).unwrap(), number);
        }
        let finished = pool.spawn(|| 1);
        until(|| finished.is_finished());
        assert_eq!(block_on(finished).unwrap(), 1);
        let sum = block_on(async {
            let first = pool.spawn(|| 1).await.unwrap();
            let both = (pool.spawn(move || first + 1), pool.spawn(move || first + 2));
            both.1.await.unwrap() * 10 + both.0.await.unwrap()
        });
        assert_eq!(sum, 32);
        let error = block_on(pool.spawn(|| fail(7))).unwrap_err();
        assert_eq!(number_of(&*error.into_panic()), 7);
        assert_eq!(pool.shutdown().unwrap().panicked, 0, "panics that were handed over");
    });
}

/// The job's end wakes only the waker of the last poll.
#[test]
fn the_waker_is_replaced_between_polls() {
    within(LIMIT, || {
        let pool = pool(1);
        let ((old, old_waker), (new, new_waker)) = (Count::new(), Count::new());
        let (mut handle, permit) = held(&pool, || 3);
        assert!(poll(&mut handle, &old_waker).is_pending());
        assert!(poll(&mut handle, &old_waker).is_pending());
        assert!(poll(&mut handle, &new_waker).is_pending());
        drop(old_waker);
        assert_eq!(Arc::strong_count(&old), 1, "the old waker was let go");
        drop(permit);
        until(|| new.get() > 0);
        assert_eq!((old.get(), new.get()), (0, 1));
        assert!(matches!(poll(&mut handle, &new_waker), Poll::Ready(Ok(3))));
        drop(handle);
        until(|| pool.stats().run() == 1);
        assert_eq!(new.get(), 1);
    });
}

/// A task changes its waker with each poll while the job ends. The wake-up must reach the last waker.
#[test]
fn no_wakeup_is_lost_while_wakers_change() {
    within(LIMIT, || {
        let pool = pool(2);
        for round in 0..5_000 {
            let (mut handle, permit) = held(&pool, move || round);
            let ((_, first), (last, last_waker)) = (Count::new(), Count::new());
            let released = pool.spawn(move || drop(permit));
            let result = match poll(&mut handle, &first) {
                Poll::Ready(result) => result,
                Poll::Pending => match poll(&mut handle, &last_waker) {
                    Poll::Ready(result) => result,
                    Poll::Pending => {
                        until(|| last.get() == 1);
                        match poll(&mut handle, &last_waker) {
                            Poll::Ready(result) => result,
                            Poll::Pending => panic!("woken, and not ready"),
                        }
                    }
                },
            };
            assert_eq!(result.unwrap(), round);
            released.join().unwrap();
        }
    });
}

#[test]
fn a_handle_is_not_polled_after_its_end() {
    within(LIMIT, || {
        let pool = pool(1);
        let mut handle = pool.spawn(|| 1);
        until(|| handle.is_finished());
        let (_, waker) = Count::new();
        assert!(matches!(poll(&mut handle, &waker), Poll::Ready(Ok(1))));
        let panic = catch_unwind(AssertUnwindSafe(|| poll(&mut handle, &waker))).unwrap_err();
        assert!(text_of(&*panic).contains("polled after it had returned its result"));
    });
}

#[test]
fn dropping_the_handle_detaches_the_job() {
    within(LIMIT, || {
        let pool = pool(1);
        let alive = Alive::default();
        let (report, reports) = channel();
        // The handle is dropped before the job ends, polled or not.
        for polled in [false, true] {
            let (end, token) = (report.clone(), alive.token());
            let (mut handle, permit) = held(&pool, move || {
                end.send("ran").unwrap();
                token
            });
            let (count, waker) = Count::new();
            assert!(!polled || poll(&mut handle, &waker).is_pending());
            drop((handle, waker));
            assert_eq!(alive.count(), 1, "the job is still there");
            drop(permit);
            assert_eq!(reports.recv().unwrap(), "ran");
            until(|| alive.count() == 0);
            until(|| Arc::strong_count(&count) == 1);
        }
        // The handle is dropped after the job has ended.
        let token = alive.token();
        let handle = pool.spawn(move || token);
        until(|| handle.is_finished());
        assert_eq!(alive.count(), 1, "the result waits");
        drop(handle);
        assert_eq!(alive.count(), 0);
        // The handle is dropped while the job ends.
        for _ in 0..5_000 {
            let token = alive.token();
            drop(pool.spawn(move || token));
        }
        assert_eq!(pool.shutdown().unwrap().run, 5_003);
        assert_eq!(alive.count(), 0);
    });
}

#[test]
fn a_panic_of_a_detached_job_goes_to_the_panic_handler() {
    within(LIMIT, || {
        let (handler, caught) = collector();
        let pool = Pool::builder().workers(2).panic_handler(handler).build().unwrap();
        let permits: Vec<_> = (0..2)
            .map(|number| {
                let (handle, permit) = held(&pool, move || fail(number));
                drop(handle);
                permit
            })
            .collect();
        drop(permits);
        // The panic of a job whose handle is joined does not reach the panic handler.
        for number in 10..20 {
            assert!(pool.spawn(move || fail(number)).join().unwrap_err().is_panic());
        }
        assert_eq!(pool.shutdown().unwrap().panicked, 2);
        assert_eq!(caught(), [0, 1]);
    });
}

/// A panic's payload is dropped exactly once, whatever happens to the handle.
#[test]
fn no_payload_is_lost_or_dropped_twice() {
    within(LIMIT, || {
        let alive = Alive::default();
        let seen = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&seen);
        let handler = move |payload: Box<dyn std::any::Any + Send>| {
            drop(payload);
            count.fetch_add(1, Ordering::Relaxed);
        };
        let pool = Pool::builder().workers(2).panic_handler(handler).build().unwrap();
        for round in 0..5_000 {
            let token = alive.token();
            let handle: JoinHandle<()> = pool.spawn(move || resume_unwind(Box::new(token)));
            match round % 3 {
                0 => drop(handle),
                1 => drop(handle.join().unwrap_err()),
                _ => {
                    until(|| handle.is_finished());
                    drop(handle);
                }
            }
        }
        let report = pool.shutdown().unwrap();
        assert_eq!(alive.count(), 0);
        assert_eq!(report.panicked as usize, seen.load(Ordering::Relaxed));
    });
}

fn levels(left: usize) -> usize {
    if left == 0 { 0 } else { 1 + filch::spawn(move || levels(left - 1)).join().unwrap() }
}

#[test]
fn join_on_a_worker_runs_the_job_it_waits_for() {
    within(LIMIT, || {
        for workers in [1, 2, 4] {
            let pool = pool(workers);
            assert_eq!(pool.spawn(|| levels(100)).join().unwrap(), 100);
            assert_eq!(pool.install(|| levels(100)), 100);
            assert_eq!(pool.shutdown().unwrap().run, 202);
        }
    });
}

/// By default, `join` on a worker runs the awaited job at once, and no other job.
#[test]
fn join_on_a_worker_runs_the_job_that_it_waits_for() {
    within(LIMIT, || {
        let pool = pool(1);
        let (report, reports) = channel();
        let outside = pool.spawn(move || {
            let job = |name| {
                let report = report.clone();
                filch::spawn(move || report.send((name, filch::current_worker())).unwrap())
            };
            let (first, awaited, last) = (job("first"), job("awaited"), job("last"));
            awaited.join().unwrap();
            assert!(!first.is_finished() && !last.is_finished());
            assert!(first.join_timeout(std::time::Duration::ZERO).is_err());
        });
        outside.join().unwrap();
        let mut ran: Vec<_> = reports.iter().collect();
        assert_eq!(ran.remove(0), ("awaited", Some(0)));
        ran.sort_unstable();
        assert_eq!(ran, [("first", Some(0)), ("last", Some(0))]);
        assert_eq!(pool.shutdown().unwrap().run, 4);
    });
}

/// With `Wait::Steal`, the worker runs the newest jobs of its deque until the awaited job has run, and then goes on
/// with its own job.
#[test]
fn join_on_a_worker_runs_other_jobs() {
    within(LIMIT, || {
        let pool = pool(1);
        let (report, reports) = channel();
        let outside = pool.spawn(move || {
            let job = |name| {
                let report = report.clone();
                filch::spawn(move || report.send(name).unwrap())
            };
            let (last, awaited, first) = (job("last"), job("awaited"), job("first"));
            awaited.join_with(filch::Wait::Steal).unwrap();
            assert!(first.is_finished());
            assert!(!last.is_finished());
            report.send("waiter").unwrap();
            drop(first);
            last.join_with(filch::Wait::Steal).unwrap();
        });
        outside.join().unwrap();
        assert_eq!(reports.try_iter().collect::<Vec<_>>(), ["first", "awaited", "waiter", "last"]);
    });
}

/// Two workers of two pools each join a job of the other's pool, and this job needs the waiting worker.
#[test]
fn workers_of_two_pools_join_each_others_jobs() {
    within(LIMIT, || {
        let (here, there) = (Arc::new(pool(1)), Arc::new(pool(1)));
        for _ in 0..1_000 {
            let met = Arc::new(Barrier::new(2));
            let cross = |other: &Arc<Pool>| {
                let (other, met) = (Arc::clone(other), Arc::clone(&met));
                move || {
                    met.wait();
                    other.spawn(|| 1).join().unwrap()
                }
            };
            let (one, two) = (here.spawn(cross(&there)), there.spawn(cross(&here)));
            assert_eq!(one.join().unwrap() + two.join().unwrap(), 2);
        }
        assert_eq!((here.shutdown().unwrap().run, there.shutdown().unwrap().run), (2_000, 2_000));
    });
}

#[test]
fn handles_joined_by_many_threads() {
    const JOBS: usize = 20_000;

    within(LIMIT, || {
        let pool = pool(2);
        let ledger = Ledger::new(JOBS);
        thread::scope(|scope| {
            for part in 0..4 {
                let (pool, ledger) = (&pool, &ledger);
                scope.spawn(move || {
                    for job in (part..JOBS).step_by(4) {
                        let marks = Arc::clone(ledger);
                        let handle = pool.spawn(move || {
                            marks.mark(job);
                            job
                        });
                        let result = if job % 8 < 4 { handle.join() } else { block_on(handle) };
                        assert_eq!(result.unwrap(), job);
                    }
                });
            }
        });
        ledger.assert_once();
    });
}

#[test]
fn spawn_on_a_closed_pool() {
    within(LIMIT, || {
        let pool = pool(1);
        let alive = Alive::default();
        pool.shutdown().unwrap();
        let spawn = || {
            let token = alive.token();
            pool.spawn(move || drop(token))
        };
        let handle = spawn();
        assert_eq!(alive.count(), 0, "the job was dropped");
        assert!(handle.is_finished());
        let error = handle.join().unwrap_err();
        assert!(matches!(error, JoinError::Closed), "{error:?}");
        assert!(error.is_closed() && !error.is_panic());
        assert!(matches!(block_on(spawn()), Err(JoinError::Closed)));
        drop(spawn());
        let panic = catch_unwind(AssertUnwindSafe(|| error.into_panic())).unwrap_err();
        assert!(text_of(&*panic).contains("into_panic on a job that did not panic"));
        assert_eq!(pool.shutdown().unwrap().run, 0);
    });
}

#[test]
fn a_panic_can_be_taken_and_resumed() {
    within(LIMIT, || {
        let pool = pool(1);
        let error = pool.spawn(|| fail(42)).join().unwrap_err();
        assert!(error.is_panic() && !error.is_closed());
        let payload = catch_unwind(AssertUnwindSafe(|| resume_unwind(error.into_panic()))).unwrap_err();
        assert_eq!(number_of(&*payload), 42);
        let error = pool.spawn(|| panic!("with {}", "a text")).join().unwrap_err();
        assert!(error.to_string().contains("with a text"), "{error}");
        assert_eq!(text_of(&*error.into_panic()), "with a text");
        assert_eq!(pool.install(|| 1), 1, "the worker goes on");
        // The panic passes through two levels, as a job would pass it on.
        let outer: JoinHandle<()> =
            pool.spawn(|| resume_unwind(filch::spawn(|| fail(43)).join().unwrap_err().into_panic()));
        assert_eq!(number_of(&*outer.join().unwrap_err().into_panic()), 43);
    });
}
