//! Jobs whose closures do not fit a deque's slot: each runs once, and drops what it captured once.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use common::{Alive, LIMIT, within};
use filch::Pool;

/// Runs a closure with `N` bytes of captures in four ways: `execute` from outside and from a job, `spawn`, and
/// `install`.
fn of_size<const N: usize>(pool: &Pool) {
    let alive = Alive::default();
    let (sum, sums) = mpsc::channel();
    let job = |seed: u8| {
        let (ballast, token, sum) = ([seed; N], alive.token(), sum.clone());
        move || {
            let _token = token;
            sum.send(ballast.iter().map(|&byte| usize::from(byte)).sum::<usize>()).unwrap();
        }
    };
    pool.execute(job(1)).unwrap();
    assert_eq!(sums.recv().unwrap(), N);
    let inner = job(2);
    pool.execute(move || filch::execute(inner).unwrap()).unwrap();
    assert_eq!(sums.recv().unwrap(), 2 * N);
    pool.spawn(job(3)).join().unwrap();
    assert_eq!(sums.recv().unwrap(), 3 * N);
    pool.install(job(4));
    assert_eq!(sums.recv().unwrap(), 4 * N);
    common::until(|| alive.count() == 0);
}

#[test]
fn closures_of_all_sizes() {
    within(LIMIT, || {
        let pool = Pool::builder().workers(2).stack_size(256 << 20).build().unwrap();
        of_size::<0>(&pool);
        of_size::<1>(&pool);
        of_size::<8>(&pool);
        of_size::<9>(&pool);
        of_size::<4096>(&pool);
        of_size::<{ 1 << 20 }>(&pool);
    });
}

#[test]
fn many_closures_of_1_mib_in_one_deque() {
    within(LIMIT, || {
        const MIB: usize = 1 << 20;
        let pool = Pool::builder().workers(2).stack_size(256 << 20).build().unwrap();
        let sum = Arc::new(AtomicUsize::new(0));
        pool.install(|| {
            for seed in 0..100_u8 {
                let (ballast, sum) = ([seed; MIB], Arc::clone(&sum));
                let job = move || {
                    assert!(ballast.iter().all(|&byte| byte == seed), "a byte changed");
                    sum.fetch_add(usize::from(ballast[MIB - 1]), Ordering::Relaxed);
                };
                filch::execute(job).unwrap();
            }
        });
        assert_eq!(pool.shutdown().unwrap().panicked, 0);
        assert_eq!(sum.load(Ordering::Relaxed), 99 * 100 / 2);
    });
}

#[test]
fn an_overaligned_capture_lies_where_it_must() {
    #[repr(align(4096))]
    struct Page(usize);

    within(LIMIT, || {
        let pool = Pool::builder().workers(2).build().unwrap();
        let page = Page(7);
        let job = move || {
            let page = &page;
            (std::ptr::from_ref(page).addr() % 4096, page.0)
        };
        assert_eq!(pool.spawn(job).join().unwrap(), (0, 7));
    });
}
