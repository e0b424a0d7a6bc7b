//! A forked child has the pool's memory and none of its threads. Every call says so, no call hangs, and the parent
//! does not notice.
#![cfg(unix)]

mod common;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Context;
use std::time::Duration;

use common::within;
use filch::{ClosedReason, JoinError, Pool, ShutdownError, SubmitError};

/// Runs `body` in a forked child and returns its exit code; `None` if it did not exit by itself.
fn in_fork(body: impl FnOnce() -> i32) -> Option<i32> {
    // SAFETY: the child calls only what it is here to test, and then `_exit`.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork");
    if child == 0 {
        let code = body();
        // SAFETY: ends the process, without running what was registered in the parent.
        unsafe { libc::_exit(code) };
    }
    let mut status = 0;
    // SAFETY: `status` outlives the call; the child is ours.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(waited, child);
    libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status))
}

/// Makes the system end the child if the child hangs.
fn limit() {
    // SAFETY: no preconditions; SIGALRM's default ends the process.
    unsafe { libc::alarm(20) };
}

#[test]
fn every_call_of_the_child_says_so() {
    let code = within(Duration::from_secs(60), || {
        let pool = Pool::builder().workers(2).build().unwrap();
        let queue = pool.queue().capacity(1).build(|_: u32| ()).unwrap();
        assert_eq!(pool.install(|| 1), 1);
        // The parent drops the closure, and with it the pool and the queue. Its threads are joined as usual.
        in_fork(move || {
            limit();
            if !pool.execute(|| ()).is_err_and(|closed| closed.reason() == ClosedReason::ForkedProcess) {
                return 1;
            }
            if !matches!(pool.spawn(|| ()).join(), Err(JoinError::ForkedProcess)) {
                return 2;
            }
            if filch::blocking(|| 7) != 7 {
                return 2;
            }
            if !pool.try_install(|| ()).is_err_and(|closed| closed.reason() == ClosedReason::ForkedProcess) {
                return 3;
            }
            if !matches!(queue.submit(7), Err(SubmitError::ForkedProcess(7))) {
                return 4;
            }
            if !matches!(queue.try_submit(7), Err(SubmitError::ForkedProcess(7))) {
                return 5;
            }
            if !matches!(queue.submit_timeout(7, Duration::MAX), Err(SubmitError::ForkedProcess(7))) {
                return 6;
            }
            if !matches!(queue.submit_all([7, 8]), Err(SubmitError::ForkedProcess(7))) {
                return 7;
            }
            if pool.shutdown() != Err(ShutdownError::ForkedProcess) {
                return 8;
            }
            if pool.shutdown_timeout(Duration::MAX) != Err(ShutdownError::ForkedProcess) {
                return 9;
            }
            drop((queue, pool));
            0
        })
    });
    assert_eq!(code, Some(0));
}

/// `build` does not wait for its threads. In the child, some of the threads may never come up.
#[test]
fn at_once_after_build() {
    within(Duration::from_secs(60), || {
        for _ in 0..50 {
            let pool = Pool::builder().workers(4).build().unwrap();
            let code = in_fork(|| {
                limit();
                i32::from(
                    pool.stats().workers.len() != 4 || pool.shutdown() != Err(ShutdownError::ForkedProcess),
                )
            });
            assert_eq!(code, Some(0));
            assert_eq!(pool.install(|| 42), 42);
        }
    });
}

#[test]
fn the_parent_goes_on() {
    within(Duration::from_secs(60), || {
        let pool = Pool::builder().workers(2).build().unwrap();
        assert_eq!(in_fork(|| i32::from(pool.execute(|| ()).is_ok())), Some(0));
        assert_eq!(pool.spawn(|| 6 * 7).join().unwrap(), 42);
        assert_eq!(pool.shutdown().unwrap().run, 1);
    });
}

#[test]
fn a_pool_built_by_the_child_works() {
    let code = within(Duration::from_secs(60), || {
        let _parents = Pool::builder().workers(2).build().unwrap();
        in_fork(|| {
            limit();
            let pool = Pool::builder().workers(2).build().unwrap();
            i32::from(pool.install(|| 42) != 42)
        })
    });
    assert_eq!(code, Some(0));
}

// --- what the parent left in the child's memory ---

/// Makes a pool whose only worker is held up in a job.
fn held() -> (Pool, common::Gate) {
    let gate = common::Gate::default();
    let held = gate.clone();
    let pool = Pool::builder().workers(1).build().unwrap();
    pool.execute(move || held.wait()).unwrap();
    (pool, gate)
}

#[test]
fn the_child_does_not_wait_for_the_parents_jobs() {
    let code = within(Duration::from_secs(60), || {
        let (pool, gate) = held();
        let ended = Pool::builder().workers(1).build().unwrap().spawn(|| 42);
        common::until(|| ended.is_finished());
        let mut waits: Vec<_> = (0..4).map(|number| pool.spawn(move || number)).collect();
        // A task of the parent has polled one of the handles.
        let waker = std::task::Waker::noop();
        assert!(Pin::new(&mut waits[3]).poll(&mut Context::from_waker(waker)).is_pending());
        let code = in_fork(|| {
            limit();
            if ended.join().ok() != Some(42) {
                return 1;
            }
            let mut waits = std::mem::take(&mut waits).into_iter();
            let (joined, dropped) = (waits.next().unwrap(), waits.next().unwrap());
            if !joined.is_finished() || !matches!(joined.join(), Err(JoinError::ForkedProcess)) {
                return 2;
            }
            drop(dropped);
            for handle in waits {
                if !matches!(common::block_on(handle), Err(JoinError::ForkedProcess)) {
                    return 3;
                }
            }
            0
        });
        gate.open();
        for (number, handle) in waits.into_iter().enumerate() {
            assert_eq!(handle.join().unwrap(), number, "the parent's handle");
        }
        code
    });
    assert_eq!(code, Some(0));
}

#[test]
fn the_child_waits_for_no_queue_of_the_parents() {
    let code = within(Duration::from_secs(60), || {
        let (pool, gate) = held();
        let queue = pool.queue().capacity(1).build(|_: u32| ()).unwrap();
        queue.submit(1).unwrap();
        let code = in_fork(|| {
            limit();
            if !matches!(queue.submit(7), Err(SubmitError::ForkedProcess(7))) {
                return 1;
            }
            queue.close();
            i32::from(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| queue.wait())).is_ok())
        });
        gate.open();
        queue.wait();
        code
    });
    assert_eq!(code, Some(0));
}

/// A lent thread is still lent in the child. The thread runs none of the parent's jobs there, whatever it waits for,
/// and dropping the pool returns the thread.
#[test]
fn the_child_of_a_lent_thread() {
    let code = within(Duration::from_secs(60), || {
        let ran = Arc::new(AtomicUsize::new(0));
        let pool = Pool::builder().workers(1).use_current_thread().build().unwrap();
        for _ in 0..10 {
            let ran = Arc::clone(&ran);
            pool.execute(move || _ = ran.fetch_add(1, Ordering::SeqCst)).unwrap();
        }
        let mut pool = Some(pool);
        let code = in_fork(|| {
            limit();
            if filch::CountLatch::new(1).wait_timeout(Duration::from_millis(5)) {
                return 1;
            }
            drop(pool.take());
            if ran.load(Ordering::SeqCst) != 0 || filch::current_worker().is_some() {
                return 2;
            }
            let own = Pool::builder().workers(1).use_current_thread().build().unwrap();
            i32::from(own.spawn(|| 42).join().ok() != Some(42)) * 3
        });
        assert_eq!((pool.unwrap().shutdown().unwrap().run, ran.load(Ordering::SeqCst)), (10, 10));
        code
    });
    assert_eq!(code, Some(0));
}

/// A job forks. The child is then inside a job of a pool that has no threads in the child.
#[test]
fn the_child_of_a_job() {
    let code = within(Duration::from_secs(60), || {
        let pool = Arc::new(Pool::builder().workers(2).build().unwrap());
        let inner = Arc::clone(&pool);
        pool.install(move || {
            in_fork(|| {
                limit();
                if !matches!(filch::spawn(|| ()).join(), Err(JoinError::ForkedProcess)) {
                    return 1;
                }
                if inner.try_install(|| ()).is_ok() || inner.execute(|| ()).is_ok() {
                    return 2;
                }
                i32::from(filch::CountLatch::new(1).wait_timeout(Duration::from_millis(5))) * 3
            })
        })
    });
    assert_eq!(code, Some(0));
}

// --- fork-join ---

/// Returns the text of the panic of `f`, if `f` panics.
fn refused<R>(f: impl FnOnce() -> R) -> Option<String> {
    let payload = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).err()?;
    Some(common::text_of(&*payload).to_owned())
}

#[test]
fn fork_join_in_the_child_says_so() {
    let code = within(Duration::from_secs(60), || {
        let pool = Pool::builder().workers(2).build().unwrap();
        assert_eq!(pool.join(|| 1, || 2), (1, 2));
        let code = in_fork(|| {
            limit();
            std::panic::set_hook(Box::new(|_| ()));
            let forked = |text: Option<String>| text.is_some_and(|text| text.contains("forked"));
            if !forked(refused(|| pool.join(|| (), || ()))) {
                return 1;
            }
            if !forked(refused(|| pool.scope(|_| ()))) || !forked(refused(|| pool.scope_fifo(|_| ()))) {
                return 2;
            }
            if !forked(refused(|| pool.in_place_scope(|_| ()))) {
                return 3;
            }
            if !forked(refused(|| pool.broadcast(|_| ()))) {
                return 4;
            }
            i32::from(pool.spawn_broadcast(|_| ()).is_ok()) * 5
        });
        assert_eq!(pool.join(|| 1, || 2), (1, 2), "the parent goes on");
        code
    });
    assert_eq!(code, Some(0));
}

/// The child builds its own pool, and the workers of this pool raid each other.
#[test]
fn fork_join_on_a_pool_of_the_childs() {
    let code = within(Duration::from_secs(60), || {
        let parents = Pool::builder().workers(2).build().unwrap();
        parents.broadcast(|_| ());
        in_fork(|| {
            limit();
            let pool = Pool::builder().workers(2).build().unwrap();
            for _ in 0..20 {
                let gate = common::Gate::default();
                pool.install(|| filch::join(|| filch::join(|| gate.wait(), || gate.open()), || ()));
            }
            let ran = AtomicUsize::new(0);
            pool.scope(|s| (0..100).for_each(|_| s.spawn(|_| _ = ran.fetch_add(1, Ordering::Relaxed))));
            i32::from(ran.into_inner() != 100 || pool.broadcast(|index| index) != [0, 1])
        })
    });
    assert_eq!(code, Some(0));
}

/// The worker that woke the forking thread may still be in the middle of the wake-up, and this worker does not exist
/// in the child.
#[test]
fn the_child_of_a_thread_that_was_just_woken() {
    within(Duration::from_secs(60), || {
        let parents = Pool::builder().workers(2).build().unwrap();
        for round in 0..100 {
            // Each turn yields, so that the caller falls asleep in the broadcast and a worker must wake it.
            parents.broadcast(|_| std::thread::yield_now());
            let code = in_fork(|| {
                limit();
                let pool = Pool::builder().workers(1).build().unwrap();
                for n in 0..20 {
                    std::thread::yield_now();
                    if pool.broadcast(|_| n) != [n] {
                        return 1;
                    }
                }
                0
            });
            assert_eq!(code, Some(0), "round {round}");
        }
    });
}

/// The child of a job has one thread only. It runs both sides of a join itself, and calls that need other threads are
/// refused.
#[test]
fn fork_join_in_the_child_of_a_job() {
    let code = within(Duration::from_secs(60), || {
        let pool = Pool::builder().workers(2).build().unwrap();
        pool.install(|| {
            in_fork(|| {
                limit();
                std::panic::set_hook(Box::new(|_| ()));
                if (0..100).any(|n| filch::join(|| filch::join(|| n, || 1), || 2) != ((n, 1), 2)) {
                    return 1;
                }
                if refused(|| filch::scope(|s| s.spawn(|_| ()))).is_none() {
                    return 2;
                }
                i32::from(refused(|| filch::broadcast(|_| ())).is_none()) * 3
            })
        })
    });
    assert_eq!(code, Some(0));
}
