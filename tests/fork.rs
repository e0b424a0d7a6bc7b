//! A forked child has the pool's memory and none of its threads: every call says so, none hangs, and the parent
//! does not notice.
#![cfg(unix)]

mod common;

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

/// Ends the child if it hangs.
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
        // Out here the closure, and with it pool and queue, is dropped unused: the threads are joined in peace.
        in_fork(move || {
            limit();
            if !pool.execute(|| ()).is_err_and(|closed| closed.reason() == ClosedReason::ForkedProcess) {
                return 1;
            }
            if !matches!(pool.spawn(|| ()).join(), Err(JoinError::ForkedProcess)) {
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
