//! The counter latch. It counts, and releases all threads, tasks and workers that wait at zero, also when it is used
//! again. It rejects a call that would make its count wrong.

mod common;

use std::future::IntoFuture;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
#[cfg(target_os = "linux")]
use std::sync::atomic::AtomicI32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{TryRecvError, channel};
use std::thread;
use std::time::Duration;

use common::polls::{Count, ready};
#[cfg(target_os = "linux")]
use common::{Gate, until};
use common::{LIMIT, block_on, text_of, within};
use filch::{CountLatch, Pool};

/// Returns the text of the panic of `f`.
#[track_caller]
fn panic_of(f: impl FnOnce()) -> String {
    text_of(&*catch_unwind(AssertUnwindSafe(f)).unwrap_err()).to_owned()
}

#[test]
fn it_counts() {
    let latch = CountLatch::new(2);
    assert_eq!(latch.count(), 2);
    latch.add(3);
    assert_eq!(latch.count(), 5);
    latch.add(0);
    for left in (0..5).rev() {
        latch.count_down();
        assert_eq!(latch.count(), left);
    }
    assert_eq!(CountLatch::default().count(), 0);
    assert!(format!("{:?}", CountLatch::new(7)).contains('7'));
}

#[test]
fn at_zero_nobody_waits() {
    within(LIMIT, || {
        let latch = CountLatch::new(0);
        latch.wait();
        assert!(latch.wait_timeout(Duration::ZERO));
        assert!(latch.wait_timeout(Duration::from_millis(1)));
        assert!(latch.wait_timeout(Duration::MAX));
        block_on(latch.into_future());
        let pool = Pool::builder().workers(1).build().unwrap();
        pool.install(|| {
            latch.wait();
            assert!(latch.wait_timeout(Duration::ZERO));
            assert!(latch.wait_timeout(Duration::MAX));
        });
    });
}

#[test]
fn a_wait_with_a_timeout() {
    within(LIMIT, || {
        let latch = Arc::new(CountLatch::new(1));
        let short = Duration::from_millis(5);
        assert!(!latch.wait_timeout(Duration::ZERO));
        assert!(!latch.wait_timeout(short));
        let pool = Pool::builder().workers(1).build().unwrap();
        let on_worker = Arc::clone(&latch);
        assert_eq!(
            pool.install(move || (on_worker.wait_timeout(Duration::ZERO), on_worker.wait_timeout(short))),
            (false, false)
        );
        // The latch forgets waits that have timed out, and releases a wait with a long timeout.
        for timeout in [LIMIT * 10, Duration::MAX] {
            let (entering, entered) = channel();
            let waiter = {
                let latch = Arc::clone(&latch);
                thread::spawn(move || {
                    entering.send(()).unwrap();
                    latch.wait_timeout(timeout)
                })
            };
            entered.recv().unwrap();
            latch.count_down();
            assert!(waiter.join().unwrap());
            latch.add(1);
        }
        assert_eq!(latch.count(), 1);
    });
}

#[test]
fn it_can_be_awaited() {
    within(LIMIT, || {
        let pool = Pool::builder().workers(2).build().unwrap();
        for round in 0..2_000 {
            let latch = Arc::new(CountLatch::new(round % 3));
            for _ in 0..round % 3 {
                let latch = Arc::clone(&latch);
                pool.execute(move || latch.count_down()).unwrap();
            }
            block_on(async { (&*latch).await });
            assert_eq!(latch.count(), 0);
        }
    });
}

#[test]
fn several_tasks_are_woken_once_each() {
    let latch = CountLatch::new(2);
    let mut tasks: Vec<_> = (0..10).map(|_| (latch.into_future(), Count::new())).collect();
    for (wait, (_, waker)) in &mut tasks {
        assert!(!ready(wait, waker));
    }
    latch.count_down();
    for (wait, (count, waker)) in &mut tasks {
        assert_eq!(count.get(), 0, "the count is 1");
        assert!(!ready(wait, waker));
    }
    latch.count_down();
    for (wait, (count, waker)) in &mut tasks {
        assert_eq!(count.get(), 1);
        assert!(ready(wait, waker));
        assert!(ready(wait, waker), "and it stays so");
    }
    // The released waits leave nothing behind for the next use of the latch.
    latch.add(1);
    let (mut again, (again_count, again_waker)) = (latch.into_future(), Count::new());
    assert!(!ready(&mut again, &again_waker));
    latch.count_down();
    assert_eq!(again_count.get(), 1);
    assert!(tasks.iter().all(|(_, (count, _))| count.get() == 1));
}

#[test]
fn the_waker_of_the_last_poll_counts() {
    let latch = CountLatch::new(1);
    let ((old, old_waker), (new, new_waker)) = (Count::new(), Count::new());
    let mut wait = latch.into_future();
    assert!(!ready(&mut wait, &old_waker));
    assert!(!ready(&mut wait, &new_waker));
    drop(old_waker);
    assert_eq!(Arc::strong_count(&old), 1);
    latch.count_down();
    assert_eq!((old.get(), new.get()), (0, 1));
    assert!(ready(&mut wait, &new_waker));
}

#[test]
fn a_future_dropped_early_leaves_the_list() {
    let latch = CountLatch::new(1);
    let ((gone, gone_waker), (stays, stays_waker)) = (Count::new(), Count::new());
    let (mut dropped, mut kept) = (latch.into_future(), latch.into_future());
    assert!(!ready(&mut dropped, &gone_waker));
    assert!(!ready(&mut kept, &stays_waker));
    drop(gone_waker);
    assert_eq!(Arc::strong_count(&gone), 2, "one is on the list");
    drop(dropped);
    assert_eq!(Arc::strong_count(&gone), 1);
    // One future is never polled, and another one is polled for the first time after the count has reached zero.
    drop(latch.into_future());
    latch.count_down();
    assert_eq!((gone.get(), stays.get()), (0, 1));
    assert!(ready(&mut kept, &stays_waker));
    let mut late = latch.into_future();
    assert!(ready(&mut late, &stays_waker));
    drop((kept, late));
    assert_eq!(stays.get(), 1);
}

/// The latch remembers its waiters, tasks and threads, while the count goes up.
#[test]
fn those_who_wait_are_remembered_while_it_counts_up() {
    within(LIMIT, || {
        let latch = Arc::new(CountLatch::new(1));
        let (count, waker) = Count::new();
        let mut wait = latch.into_future();
        assert!(!ready(&mut wait, &waker));
        latch.add(2);
        (0..3).for_each(|_| latch.count_down());
        assert_eq!(count.get(), 1);
        assert!(ready(&mut wait, &waker));
        for _ in 0..2_000 {
            latch.add(1);
            let (entering, entered) = channel();
            let waiter = {
                let latch = Arc::clone(&latch);
                thread::spawn(move || {
                    entering.send(()).unwrap();
                    latch.wait();
                })
            };
            entered.recv().unwrap();
            latch.add(1);
            latch.count_down();
            thread::yield_now();
            latch.add(1);
            latch.count_down();
            latch.count_down();
            waiter.join().unwrap();
        }
    });
}

/// The count is zero for a moment while the task waits. This zero releases the task, although the count is 1 again
/// when the task looks.
#[test]
fn a_zero_that_has_passed_counts() {
    let latch = CountLatch::new(1);
    let (count, waker) = Count::new();
    let mut wait = latch.into_future();
    assert!(!ready(&mut wait, &waker));
    latch.count_down();
    latch.add(1);
    assert_eq!(count.get(), 1);
    assert!(ready(&mut wait, &waker));
    let mut late = latch.into_future();
    assert!(!ready(&mut late, &waker), "whoever comes later waits for the next");
}

/// A passing zero also releases a thread that still looks at the count and does not sleep yet. Now and then the zero
/// comes before the thread's first look, so the test asks for most of the rounds and not for all.
#[cfg(target_os = "linux")]
#[test]
fn a_zero_that_passes_while_a_thread_looks() {
    const ROUNDS: usize = 200;

    /// Whether the system says that the thread sleeps.
    fn sleeps(thread: libc::pid_t) -> bool {
        common::stacks::state(std::process::id(), thread).contains(": S ")
    }

    within(LIMIT, || {
        let mut missed = 0;
        for _ in 0..ROUNDS {
            let latch = Arc::new(CountLatch::new(1));
            let (begun, over) = (Arc::new(AtomicI32::new(0)), Gate::default());
            let waiter = {
                let (latch, begun, over) = (Arc::clone(&latch), Arc::clone(&begun), over.clone());
                thread::spawn(move || {
                    // SAFETY: no preconditions.
                    begun.store(unsafe { libc::gettid() }, Ordering::SeqCst);
                    latch.wait();
                    over.open();
                })
            };
            until(|| begun.load(Ordering::SeqCst) != 0);
            // Gives the thread time for its first look. The result does not depend on it.
            (0..500).for_each(|_| std::hint::spin_loop());
            latch.count_down();
            latch.add(1);
            until(|| over.is_open() || sleeps(begun.load(Ordering::SeqCst)));
            missed += usize::from(!over.is_open());
            latch.count_down();
            waiter.join().unwrap();
        }
        assert!(missed < ROUNDS / 2, "{missed} of {ROUNDS} waits outlived a zero");
    });
}

#[test]
fn it_can_be_used_again() {
    within(LIMIT, || {
        let pool = Pool::builder().workers(2).build().unwrap();
        let latch = Arc::new(CountLatch::new(0));
        let ran = Arc::new(AtomicUsize::new(0));
        for round in 1..=5_000 {
            latch.add(3);
            for _ in 0..3 {
                let (latch, ran) = (Arc::clone(&latch), Arc::clone(&ran));
                let job = move || {
                    ran.fetch_add(1, Ordering::Relaxed);
                    latch.count_down();
                };
                pool.execute(job).unwrap();
            }
            match round % 3 {
                0 => latch.wait(),
                1 => assert!(latch.wait_timeout(Duration::MAX)),
                _ => block_on(latch.into_future()),
            }
            assert_eq!((latch.count(), ran.load(Ordering::Relaxed)), (0, 3 * round));
        }
    });
}

#[test]
fn count_down_below_zero_panics_and_changes_nothing() {
    within(LIMIT, || {
        let latch = Arc::new(CountLatch::new(1));
        latch.count_down();
        for _ in 0..3 {
            assert!(panic_of(|| latch.count_down()).contains("count_down on a latch whose count is 0"));
            assert_eq!(latch.count(), 0);
            latch.wait();
        }
        latch.add(1);
        assert_eq!(latch.count(), 1);
        assert!(!latch.wait_timeout(Duration::ZERO));
        let waiter = {
            let latch = Arc::clone(&latch);
            thread::spawn(move || latch.wait())
        };
        latch.count_down();
        waiter.join().unwrap();
        assert!(panic_of(|| latch.count_down()).contains("count is 0"));
    });
}

#[test]
fn more_than_the_largest_count_panics_and_changes_nothing() {
    const MAX: usize = CountLatch::MAX;

    let latch = CountLatch::new(MAX);
    assert_eq!(latch.count(), MAX);
    for more in [1, 2, MAX, usize::MAX] {
        let text = panic_of(|| latch.add(more));
        assert!(text.contains("exceeds"), "{text:?}");
        assert_eq!(latch.count(), MAX);
    }
    latch.count_down();
    latch.add(1);
    assert_eq!(latch.count(), MAX);
    let latch = CountLatch::new(5);
    for more in [MAX - 4, MAX, usize::MAX / 2, usize::MAX - 4, usize::MAX] {
        let text = panic_of(|| latch.add(more));
        assert!(text.contains(&format!("adding {more} to a count of 5")), "{text:?}");
        assert_eq!(latch.count(), 5);
    }
    latch.add(MAX - 5);
    assert_eq!(latch.count(), MAX);
    for count in [MAX + 1, usize::MAX] {
        assert!(panic_of(|| drop(CountLatch::new(count))).contains(&count.to_string()));
    }
}

#[test]
fn wait_on_a_worker_runs_other_jobs() {
    within(LIMIT, || {
        let pool = Pool::builder().workers(1).build().unwrap();
        for way in 0..3 {
            let ran = pool.install(move || {
                let latch = Arc::new(CountLatch::new(50));
                let ran = Arc::new(AtomicUsize::new(0));
                for _ in 0..50 {
                    let (latch, ran) = (Arc::clone(&latch), Arc::clone(&ran));
                    let job = move || {
                        ran.fetch_add(1, Ordering::Relaxed);
                        latch.count_down();
                    };
                    filch::execute(job).unwrap();
                }
                assert_eq!(ran.load(Ordering::Relaxed), 0, "the only worker is here");
                match way {
                    0 => latch.wait(),
                    1 => assert!(latch.wait_timeout(Duration::MAX)),
                    _ => assert!(latch.wait_timeout(LIMIT * 10)),
                }
                ran.load(Ordering::Relaxed)
            });
            assert_eq!(ran, 50);
        }
    });
}

/// The only worker waits for the latch, and runs the jobs that come from outside meanwhile.
#[test]
fn wait_on_a_worker_runs_jobs_from_outside() {
    within(LIMIT, || {
        let pool = Pool::builder().workers(1).build().unwrap();
        let latch = Arc::new(CountLatch::new(1_000));
        let (entering, entered) = channel();
        let waiting = Arc::clone(&latch);
        let waiter = pool.spawn(move || {
            entering.send(()).unwrap();
            waiting.wait();
            waiting.count()
        });
        entered.recv().unwrap();
        for left in (0..1_000).rev() {
            assert!(!waiter.is_finished());
            let (report, done) = channel();
            let latch = Arc::clone(&latch);
            let job = move || {
                latch.count_down();
                report.send(latch.count()).unwrap();
            };
            pool.execute(job).unwrap();
            assert_eq!(done.recv().unwrap(), left);
        }
        assert_eq!(waiter.join().unwrap(), 0);
    });
}

/// Nothing happens in the pool while a worker waits. A thread outside the pool must still be able to wake the worker.
#[test]
fn wait_on_a_worker_is_ended_from_outside() {
    within(LIMIT, || {
        let pool = Pool::builder().workers(2).build().unwrap();
        for _ in 0..2_000 {
            let latch = Arc::new(CountLatch::new(1));
            let waiting = Arc::clone(&latch);
            let (entering, entered) = channel();
            let waiter = pool.spawn(move || {
                entering.send(()).unwrap();
                waiting.wait();
            });
            entered.recv().unwrap();
            latch.count_down();
            waiter.join().unwrap();
        }
    });
}

#[test]
fn all_of_many_waiters_are_released() {
    const THREADS: usize = 8;
    const TASKS: usize = 8;

    within(LIMIT, || {
        let pool = Pool::builder().workers(2).build().unwrap();
        for round in 0..200 {
            let latch = Arc::new(CountLatch::new(2));
            let (report, reports) = channel();
            let waiters: Vec<_> = (0..THREADS + TASKS)
                .map(|number| {
                    let (latch, report) = (Arc::clone(&latch), report.clone());
                    thread::spawn(move || {
                        if number < THREADS {
                            latch.wait()
                        } else {
                            block_on(latch.into_future())
                        }
                        report.send(latch.count()).unwrap();
                    })
                })
                .collect();
            let (on_worker, from_worker) = (Arc::clone(&latch), report.clone());
            let job = move || {
                on_worker.wait();
                from_worker.send(on_worker.count()).unwrap();
            };
            pool.execute(job).unwrap();
            assert_eq!(reports.try_recv().err(), Some(TryRecvError::Empty), "the count is 2");
            latch.count_down();
            // In half of the rounds the waiters get time to fall asleep.
            (0..round % 2 * 500).for_each(|_| thread::yield_now());
            assert_eq!(reports.try_recv().err(), Some(TryRecvError::Empty), "the count is 1");
            latch.count_down();
            for _ in 0..=THREADS + TASKS {
                assert_eq!(reports.recv().unwrap(), 0);
            }
            waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
        }
    });
}

/// Several threads count up and down while others wait. The latch forgets no waiter, and its count is right in the
/// end.
#[test]
fn counting_and_waiting_at_random() {
    within(LIMIT, || {
        let latch = Arc::new(CountLatch::new(0));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for round in 0..5_000 {
                        latch.add(1 + round % 3);
                        (0..=round % 3).for_each(|_| latch.count_down());
                    }
                });
            }
            for number in 0..4 {
                let latch = &latch;
                scope.spawn(move || {
                    for _ in 0..500 {
                        match number {
                            0 => latch.wait(),
                            1 => block_on(latch.into_future()),
                            2 => assert!(latch.wait_timeout(Duration::MAX)),
                            _ => drop(latch.wait_timeout(Duration::from_micros(50))),
                        }
                    }
                });
            }
        });
        assert_eq!(latch.count(), 0);
    });
}
