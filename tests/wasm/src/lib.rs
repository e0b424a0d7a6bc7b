//! What works where there is one thread and no clock. Each exported function is a test: it traps if it fails, and tells
//! its host why.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use filch::{CountLatch, Pool};
use rayon::prelude::*;

#[link(wasm_import_module = "host")]
unsafe extern "C" {
    fn tell(text: *const u8, length: usize);
}

fn tell_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let text = panic.to_string();
        // SAFETY: the host reads the bytes before it returns.
        unsafe { tell(text.as_ptr(), text.len()) };
    }));
}

/// Defines exported tests.
macro_rules! tests {
    ($($(#[$about:meta])* fn $name:ident() $body:block)*) => {$(
        $(#[$about])*
        #[unsafe(no_mangle)]
        pub extern "C" fn $name() {
            tell_panics();
            $body
        }
    )*};
}

fn fib(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let (a, b) = filch::join(|| fib(n - 1), || fib(n - 2));
    a + b
}

/// A pool whose one worker is this thread.
fn lent() -> Pool {
    Pool::builder().workers(1).use_current_thread().build().expect("no thread is needed")
}

tests! {
    fn test_free_functions() {
        assert_eq!(fib(15), 610);
        let sum = AtomicUsize::new(0);
        filch::scope(|s| {
            for number in 0..100 {
                let sum = &sum;
                s.spawn(move |s| s.spawn(move |_| _ = sum.fetch_add(number, Relaxed)));
            }
        });
        assert_eq!(sum.into_inner(), 4950);
    }

    fn test_a_pool_of_threads_is_refused() {
        assert!(Pool::builder().workers(2).build().is_err());
    }

    fn test_a_lent_pool() {
        let pool = lent();
        assert_eq!(pool.install(|| fib(10)), 55);
        assert_eq!(pool.spawn(|| 7).join().unwrap(), 7);
        let (ran, latch) = (AtomicUsize::new(0), CountLatch::new(1));
        pool.in_place_scope(|s| (0..1000).for_each(|_| s.spawn(|_| _ = ran.fetch_add(1, Relaxed))));
        assert_eq!(ran.into_inner(), 1000);
        assert!(!pool.install(|| latch.wait_timeout(Duration::from_millis(1))));
        assert!(!latch.wait_timeout(Duration::from_millis(1)));
        pool.shutdown().unwrap();
    }

    fn test_a_queue_of_a_lent_pool() {
        let pool = lent();
        let sum = std::sync::Arc::new(AtomicUsize::new(0));
        let total = sum.clone();
        let queue = pool.queue().capacity(4).build(move |number| _ = total.fetch_add(number, Relaxed)).unwrap();
        (0..4).for_each(|number| queue.try_submit(number).unwrap());
        assert!(queue.try_submit(4).is_err(), "full");
        assert!(queue.submit_timeout(4, Duration::from_millis(1)).is_ok(), "this thread makes the room");
        (5..100).for_each(|number| queue.submit(number).unwrap());
        queue.close();
        queue.wait();
        assert_eq!(sum.load(Relaxed), 4950);
        pool.shutdown().unwrap();
    }

    fn test_rayon() {
        assert_eq!((0..1000_u64).into_par_iter().map(|n| n * n).sum::<u64>(), 332_833_500);
        let mut numbers: Vec<u64> = (0..10_000).map(|n| n * 7919 % 10_007).collect();
        numbers.par_sort_unstable();
        assert!(numbers.is_sorted());
        assert_eq!(rayon::current_num_threads(), 1);
    }
}
