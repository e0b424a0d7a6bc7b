//! A C or C++ host calls in a thread's late destructors, when std's own data of that thread is gone.

#![cfg(target_os = "linux")]

mod common;

use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{LIMIT, within};
use filch::{CountLatch, Pool};

/// Runs `body` in the destructor of a pthread key, after the destructors of std's thread-locals. It starts a thread
/// for this.
fn last_of_all(body: impl FnOnce() + Send + 'static) {
    last_of_all_after(|| (), body);
}

/// As [`last_of_all`], on a thread that first calls `before`.
fn last_of_all_after(before: impl FnOnce() + Send + 'static, body: impl FnOnce() + Send + 'static) {
    type Body = Box<dyn FnOnce() + Send>;

    extern "C" fn run(body: *mut c_void) {
        // SAFETY: the thread below made the pointer from a `Box<Body>`, and only this call takes the box back.
        let body: Box<Body> = unsafe { Box::from_raw(body.cast()) };
        body();
    }

    std::thread::spawn(|| {
        before();
        // std makes its key first. The system runs the destructors in the order of the keys, or in any order.
        let mut key = 0;
        let body: *mut Body = Box::into_raw(Box::new(Box::new(body)));
        // SAFETY: `key` is a local variable that outlives the call, and `run` has the type of a destructor.
        let made = unsafe { libc::pthread_key_create(&raw mut key, Some(run)) };
        assert_eq!(made, 0);
        // SAFETY: the key was made just now, and its destructor takes a pointer that came from a `Box<Body>`.
        let set = unsafe { libc::pthread_setspecific(key, body.cast()) };
        assert_eq!(set, 0);
    })
    .join()
    .unwrap();
}

/// Runs `body` like [`last_of_all`], and checks that `body` ran to its end. A panic in a destructor ends the process.
fn there(body: impl FnOnce() + Send + 'static) {
    within(LIMIT, || {
        let ran = Arc::new(AtomicUsize::new(0));
        let done = Arc::clone(&ran);
        last_of_all(move || {
            body();
            done.fetch_add(1, Ordering::SeqCst);
        });
        assert_eq!(ran.load(Ordering::SeqCst), 1);
    });
}

fn pool() -> Pool {
    Pool::builder().workers(2).build().unwrap()
}

#[test]
fn install_and_join() {
    let pool = pool();
    there(move || {
        assert_eq!(pool.install(|| 6 * 7), 42);
        assert_eq!(pool.join(|| 1, || 2), (1, 2));
        assert_eq!(pool.broadcast(|index| index), [0, 1]);
    });
}

#[test]
fn spawn_and_wait() {
    let pool = pool();
    there(move || {
        let slow = pool.spawn(|| {
            std::thread::yield_now();
            5
        });
        assert_eq!(slow.join().unwrap(), 5);
        let done = Arc::new(CountLatch::new(3));
        for _ in 0..3 {
            let done = Arc::clone(&done);
            pool.execute(move || done.count_down()).unwrap();
        }
        done.wait();
    });
}

#[test]
fn a_scope() {
    let pool = pool();
    there(move || {
        let sum = AtomicUsize::new(0);
        pool.in_place_scope(|s| {
            for n in 1..=10 {
                let sum = &sum;
                s.spawn(move |_| _ = sum.fetch_add(n, Ordering::Relaxed));
            }
        });
        assert_eq!(sum.into_inner(), 55);
    });
}

#[test]
fn a_full_queue_and_its_end() {
    let pool = pool();
    there(move || {
        let queue = pool.queue().capacity(1).concurrency(1).build(|_: usize| std::thread::yield_now()).unwrap();
        assert_eq!(queue.submit_all(0..200).unwrap(), 200);
        queue.wait();
        assert_eq!(queue.counts().done, 200);
    });
}

#[test]
fn a_pool_is_built_and_ended() {
    there(|| {
        let pool = pool();
        assert_eq!(pool.install(|| 7), 7);
        assert_eq!(pool.shutdown().unwrap().run, 1);
        drop(pool);
    });
    let pool = pool();
    there(move || drop(pool));
}

/// The free functions, with a global pool that begins there. In a process of its own, which has no global pool yet.
#[test]
fn the_global_pool() {
    common::passes_in_child("the_global_pool", "", || {
        there(|| {
            assert_eq!(filch::join(|| 1, || 2), (1, 2));
            assert_eq!(filch::spawn(|| 3).join().unwrap(), 3);
        });
    });
}

/// A thread that was lent to a pool has no place for another loan when its locals are gone. The build says so.
#[test]
fn a_loan() {
    within(LIMIT, || {
        last_of_all_after(
            || drop(Pool::builder().workers(1).use_current_thread().build().unwrap()),
            || {
                let refused = Pool::builder().workers(2).use_current_thread().build();
                match refused {
                    Ok(pool) => assert_eq!(pool.install(|| 6 * 7), 42),
                    Err(error) => assert!(error.to_string().contains("worker 0"), "{error}"),
                }
            },
        );
    });
}
