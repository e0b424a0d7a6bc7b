//! What fork-join allocates: nothing per fork, and nothing per spawned closure of up to 24 bytes. The tests install
//! an allocator of their own, so they stand alone in this file.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::array;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{LIMIT, within};
use filch::{Pool, Scope};

/// The number of allocations so far, by all threads.
static MADE: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: all calls go to the system's allocator with the same arguments; the count changes nothing for it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        MADE.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`, which is the contract of the system's allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: all memory comes from the system's allocator, and the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const JOBS: usize = 10_000;

/// Returns how many allocations the second call of `f` makes. The first call lets everything grow that grows.
fn made(f: impl Fn()) -> usize {
    f();
    let before = MADE.load(Ordering::Relaxed);
    f();
    MADE.load(Ordering::Relaxed) - before
}

/// Spawns closures with `N` bytes of captures.
fn spawn<const N: usize>(pool: &Pool) {
    let body = |s: &Scope<'_>| {
        for job in 0..JOBS {
            let bytes: [u8; N] = array::from_fn(|at| (job + at) as u8);
            s.spawn(move |_| {
                assert!(bytes.iter().enumerate().all(|(at, &byte)| byte == (job_of(&bytes) + at) as u8))
            });
        }
    };
    pool.scope(body);
}

/// Returns the number that the bytes begin with.
fn job_of(bytes: &[u8]) -> usize {
    bytes.first().map_or(0, |&byte| byte.into())
}

/// All is in one test, because the count is of the whole process.
#[test]
fn what_is_allocated() {
    within(LIMIT, || {
        for workers in [1, 2] {
            let pool = Pool::builder().workers(workers).build().unwrap();
            // With thieves a deque grows at times, and frees its old buffer. That takes some allocations, but not one
            // for each job.
            let few = if workers == 1 { 20 } else { JOBS / 20 };
            // The private stack grows.
            let _ = made(|| spawn::<0>(&pool));
            let small = [
                made(|| spawn::<0>(&pool)),
                made(|| spawn::<1>(&pool)),
                made(|| spawn::<8>(&pool)),
                made(|| spawn::<17>(&pool)),
                made(|| spawn::<24>(&pool)),
            ];
            assert!(small.iter().all(|&made| made < few), "{workers} workers, small: {small:?}");
            let large =
                [made(|| spawn::<25>(&pool)), made(|| spawn::<32>(&pool)), made(|| spawn::<100>(&pool))];
            assert!(large.iter().all(|&made| made >= JOBS), "the counter counts: {large:?}");
            let reference = made(|| {
                let (sum, one) = (AtomicUsize::new(0), 1);
                let (sum_ref, one) = (&sum, &one);
                pool.scope(|s| {
                    for job in 0..JOBS {
                        s.spawn(move |_| _ = sum_ref.fetch_add(job * one, Ordering::Relaxed));
                    }
                });
                assert_eq!(sum.into_inner(), JOBS * (JOBS - 1) / 2);
            });
            assert!(reference < few, "two references and a number: {reference}");

            fn fib(n: u64) -> u64 {
                if n < 2 {
                    return n;
                }
                let (a, b) = filch::join(|| fib(n - 1), || fib(n - 2));
                a + b
            }
            let forks = made(|| assert_eq!(pool.install(|| fib(20)), 6_765));
            assert!(forks < few, "{workers} workers, 10,945 forks: {forks}");
            let scopes = made(|| pool.install(|| (0..JOBS).for_each(|_| filch::scope(|s| s.spawn(|_| ())))));
            assert!(scopes < few, "{workers} workers, scopes: {scopes}");
        }
    });
}
