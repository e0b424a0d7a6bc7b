//! The n-th allocation fails, for each n: the process ends, with an error or an abort, and never hangs. The tests
//! install an allocator of their own, so they stand alone in this file.
#![cfg(unix)]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::within;
use filch::{CountLatch, Pool};

/// How many allocations are left until one fails. It is far from zero unless a child process sets it.
static LEFT: AtomicUsize = AtomicUsize::new(usize::MAX / 2);

struct Failing;

impl Failing {
    /// Returns whether this allocation may be made.
    fn may() -> bool {
        LEFT.fetch_sub(1, Ordering::Relaxed) != 1
    }
}

// SAFETY: all calls go to the system's allocator. One allocation fails, which an allocator may do at any time.
unsafe impl GlobalAlloc for Failing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !Failing::may() {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller keeps the contract of `alloc`, which is the contract of the system's allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: all memory comes from the system's allocator, and the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Failing = Failing;

/// Does once each thing that allocates: two workers, a closure too large for its job, a handle, a queue with a
/// waiting producer, a wait by a thread.
fn use_it() -> Result<(), Box<dyn std::error::Error>> {
    let pool = Pool::builder().workers(2).build()?;
    let large = [1u8; 100];
    pool.execute(move || assert_eq!(large, [1; 100])).map_err(|closed| closed.reason().to_string())?;
    let latch = Arc::new(CountLatch::new(3));
    let counts = Arc::clone(&latch);
    let queue = pool.queue().capacity(1).worker_state(|_| vec![0u8; 10]).build(move |state, ()| {
        state.push(1);
        counts.count_down();
    })?;
    queue.submit_all([(); 3])?;
    latch.wait();
    queue.wait();
    pool.spawn(|| String::from("a result")).join()?;
    pool.install(|| vec![1; 10]);
    pool.shutdown()?;
    Ok(())
}

const FAIL_AT: &str = "FILCH_TEST_FAIL_AT";

#[test]
fn the_nth_allocation_fails() {
    if let Some(nth) = std::env::var_os(FAIL_AT) {
        // SAFETY: `alarm` has no preconditions. SIGALRM ends the process by default, and so shows a hang to the
        // parent.
        unsafe { libc::alarm(20) };
        let nth = nth.to_str().and_then(|nth| nth.parse().ok()).unwrap();
        LEFT.store(nth, Ordering::SeqCst);
        let done = use_it();
        let used = nth.wrapping_sub(LEFT.swap(usize::MAX / 2, Ordering::SeqCst));
        println!("used {used} allocations");
        // SAFETY: `_exit` ends the process; there is nothing to clean up.
        unsafe { libc::_exit(i32::from(done.is_err())) };
    }
    within(Duration::from_secs(120), || {
        let child = |nth: usize| {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["--exact", "the_nth_allocation_fails", "--nocapture"]).env(FAIL_AT, nth.to_string());
            command.env("RUST_BACKTRACE", "0").stderr(Stdio::null()).output().unwrap()
        };
        let all = child(usize::MAX / 2);
        let text = String::from_utf8_lossy(&all.stdout);
        let used = text.split("used ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
        let used: usize = used.parse().unwrap();
        assert!(all.status.success() && (40..400).contains(&used), "{used} allocations");
        let mut ends = [0; 3];
        for nth in 1..=used {
            use std::os::unix::process::ExitStatusExt;
            let status = child(nth).status;
            match (status.code(), status.signal()) {
                // Runs differ a little: this one may need fewer allocations.
                (Some(0), _) => ends[0] += 1,
                (Some(1), _) => ends[1] += 1,
                (_, Some(libc::SIGABRT)) => ends[2] += 1,
                _ => panic!("allocation {nth} of {used}: {status}"),
            }
        }
        assert!(ends[2] > used / 2, "done, error, abort: {ends:?}");
    });
}
