//! Pools and handles that end: while somebody uses them, by the thousand, and for good.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use filch::{JoinError, JoinHandle, Pool};

use crate::Order;
#[cfg(target_os = "linux")]
use crate::common::{Alive, Token, stacks, threads_named};
use crate::common::{Random, until};

/// A waker that uses the pool when it is woken or dropped, on whatever thread, and whether the pool is there or not.
struct UsesPool(Arc<OnceLock<Pool>>, AtomicUsize);

impl UsesPool {
    fn waker(pool: &Arc<OnceLock<Pool>>) -> Waker {
        Waker::from(Arc::new(UsesPool(Arc::clone(pool), AtomicUsize::new(0))))
    }

    fn call(&self) {
        if let Some(pool) = self.0.get() {
            let _ = pool.execute(|| ());
            self.1.fetch_add(pool.stats().workers.len(), Ordering::Relaxed);
        }
    }
}

impl Wake for UsesPool {
    fn wake(self: Arc<Self>) {
        self.call();
    }
}

impl Drop for UsesPool {
    fn drop(&mut self) {
        self.call();
    }
}

fn poll<T>(handle: &mut JoinHandle<T>, waker: &Waker) -> Poll<Result<T, JoinError>> {
    Pin::new(handle).poll(&mut Context::from_waker(waker))
}

/// A job's end, on a worker, wakes the task while this thread polls the handle again or drops it. Now and then the
/// pool is shut down meanwhile.
pub fn wakers(order: &Order) -> String {
    const A_POOL: usize = 2_000;

    let mut random = Random::new(order.seed);
    let mut ready = 0;
    for first in (0..order.size).step_by(A_POOL) {
        let shared = Arc::new(OnceLock::from(Pool::builder().workers(2).build().unwrap()));
        let pool = shared.get().unwrap();
        let begun = Arc::new(AtomicUsize::new(first));
        for round in first..order.size.min(first + A_POOL) {
            // No job is waiting. So this job begins at once, and ends about when the handle goes.
            until(|| begun.load(Ordering::Relaxed) == round);
            let begins = Arc::clone(&begun);
            let mut handle = pool.spawn(move || {
                begins.store(round + 1, Ordering::Relaxed);
                round
            });
            for _ in 0..=random.below(3) {
                if let Poll::Ready(result) = poll(&mut handle, &UsesPool::waker(&shared)) {
                    assert_eq!(result.unwrap(), round);
                    ready += 1;
                    break;
                }
                let longest = 1 << random.below(13);
                (0..random.below(longest)).for_each(|_| std::hint::spin_loop());
            }
        }
        let handles = Vec::from_iter((0..10).map(|_| pool.spawn(|| ())));
        thread::scope(|scope| {
            scope.spawn(|| pool.shutdown().unwrap());
            for mut handle in handles {
                let _ = poll(&mut handle, &UsesPool::waker(&shared));
            }
        });
    }
    format!("{ready} were ready at a poll")
}

/// A thread of no pool polls the handle, wakes clones of the waker and drops them, while another thread drops the
/// pool.
pub fn wakers_against_the_pools_end(order: &Order) -> String {
    /// Counts its calls.
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    let (give, take) = mpsc::channel::<(JoinHandle<usize>, Waker, usize)>();
    let (done, wait) = mpsc::channel::<(bool, usize)>();
    let foreign = thread::spawn(move || {
        for (mut handle, waker, spins) in take {
            let mut result = poll(&mut handle, &waker);
            waker.wake_by_ref();
            (0..spins).for_each(|_| std::hint::spin_loop());
            if result.is_pending() {
                result = poll(&mut handle, &waker.clone());
            }
            drop(handle);
            waker.wake();
            let ready = match result {
                Poll::Ready(result) => Some(result.expect("it was accepted, so it runs")),
                Poll::Pending => None,
            };
            done.send((ready.is_some(), ready.unwrap_or_default())).unwrap();
        }
    });
    let mut random = Random::new(order.seed);
    let mut ready = 0;
    for round in 0..order.size {
        let pool = Pool::builder().workers(1 + round % 2).build().unwrap();
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let spins = random.below(2_000);
        let handle = pool.spawn(move || {
            (0..spins / 2).for_each(|_| std::hint::spin_loop());
            round
        });
        give.send((handle, Waker::from(Arc::clone(&count)), random.below(4_000))).unwrap();
        (0..random.below(2_000)).for_each(|_| std::hint::spin_loop());
        drop(pool);
        let (was_ready, value) = wait.recv().unwrap();
        assert!(!was_ready || value == round);
        ready += usize::from(was_ready);
        // The foreign thread wakes twice, and the job's end at most once.
        assert!((2..=3).contains(&count.0.load(Ordering::Relaxed)));
        assert_eq!(Arc::strong_count(&count), 1, "a waker was kept");
    }
    drop(give);
    foreign.join().unwrap();
    format!("{ready} were ready at a poll")
}

/// Returns the bytes of memory that this process has in use, to the page.
#[cfg(target_os = "linux")]
pub fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// Pools, a quarter of them dropped with jobs under way, leave no thread, no file and no memory.
#[cfg(target_os = "linux")]
pub fn create_and_drop(order: &Order) -> String {
    let threads = || stacks::threads(std::process::id()).len();
    let files = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let alive = Alive::default();
    let mut random = Random::new(order.seed);
    let mut base = None;
    for round in 0..order.size {
        let pool = Pool::builder().workers(1 + random.below(2)).name("mayfly").build().unwrap();
        if random.below(4) == 0 {
            let queue = pool.queue().capacity(4).build(drop::<Token>).unwrap();
            for _ in 0..10 {
                let token = alive.token();
                pool.execute(move || drop(token)).unwrap();
                queue.submit(alive.token()).unwrap();
            }
        }
        if random.below(2) == 0 {
            drop(pool);
        } else {
            pool.shutdown().unwrap();
        }
        assert_eq!(alive.count(), 0, "in round {round}");
        if round == order.size / 5 {
            // By now the allocator and the collector of retired deques have what they need.
            until(|| threads_named("mayfly") == 0);
            base = Some((threads(), files(), resident()));
        }
    }
    until(|| threads_named("mayfly") == 0);
    let (threads_then, files_then, memory_then) = base.unwrap();
    assert_eq!((threads(), files()), (threads_then, files_then));
    let grown = resident().saturating_sub(memory_then);
    assert!(grown < 4 << 20, "{grown} bytes more than after a fifth of them");
    format!("{} KiB more than after a fifth", grown >> 10)
}

/// A submission that a closed pool refuses costs nothing that lasts.
#[cfg(target_os = "linux")]
pub fn rejected(order: &Order) -> String {
    let pool = Pool::builder().workers(1).build().unwrap();
    let queue = pool.queue().capacity(4).build(|_: [usize; 8]| ()).unwrap();
    pool.shutdown().unwrap();
    let refuse = |times: usize| {
        for number in 0..times {
            let ballast = [number; 8];
            let closed = pool.execute(move || _ = ballast).unwrap_err();
            closed.into_inner()();
            assert_eq!(queue.submit(ballast).unwrap_err().into_inner(), ballast);
            assert!(pool.try_install(|| ()).is_err());
            assert!(pool.spawn(move || ballast).join().unwrap_err().is_closed());
        }
    };
    refuse(1_000);
    let base = resident();
    refuse(order.size / 4);
    let grown = resident().saturating_sub(base);
    assert!(grown < 1 << 20, "{grown} bytes");
    format!("{} KiB more", grown >> 10)
}
