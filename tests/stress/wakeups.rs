//! No wake-up is lost: nothing else is submitted that could mend a loss, so a loss hangs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use filch::{CountLatch, Pool};

use crate::Order;
use crate::common::{Gate, Random, until};

/// Returns how often workers went to sleep.
fn parked(pool: &Pool) -> u64 {
    pool.stats().workers.iter().map(|worker| worker.parked).sum()
}

/// Puts one job into a pool whose workers all sleep, in each of the ways there are. The next job comes when the
/// workers that woke are asleep again.
pub fn lone_job(order: &Order) -> String {
    const A_POOL: usize = 2_000;

    let mut random = Random::new(order.seed);
    let mut longest = Duration::ZERO;
    for first in (0..order.size).step_by(A_POOL) {
        let workers = 1 + random.below(4) + 4 * random.below(2);
        let pool = Pool::builder().workers(workers).searchers(1 + random.below(2)).build().unwrap();
        let ran = Arc::new(AtomicUsize::new(0));
        let runs = Arc::clone(&ran);
        let handler = move |_: usize| _ = runs.fetch_add(1, Ordering::Release);
        let queue = pool.queue().capacity(1 + random.below(3)).concurrency(1 + random.below(2));
        let queue = queue.build(handler).unwrap();
        until(|| parked(&pool) >= workers as u64);
        let jobs = A_POOL.min(order.size - first);
        for job in 1..=jobs {
            let runs = Arc::clone(&ran);
            let run = move || _ = runs.fetch_add(1, Ordering::Release);
            let before = parked(&pool);
            let put = Instant::now();
            match random.below(6) {
                0 | 1 => pool.execute(run).unwrap(),
                2 => queue.submit(job).unwrap(),
                3 => pool.install(run),
                4 => pool.spawn(run).join().unwrap(),
                _ => drop(pool.spawn(run)),
            }
            until(|| ran.load(Ordering::Acquire) == job);
            longest = longest.max(put.elapsed());
            until(|| parked(&pool) > before);
        }
        assert_eq!(pool.shutdown().unwrap().run, jobs as u64);
    }
    assert!(!order.long || longest < Duration::from_secs(1), "a job waited for {longest:?}");
    format!("longest wait {longest:.1?}")
}

/// There is one job for each worker, and each job ends only when all have begun. The jobs come from outside, or from
/// a job.
pub fn barrier(order: &Order) -> String {
    const A_POOL: usize = 10;

    let mut random = Random::new(order.seed);
    let mut most = 0;
    for first in (0..order.size).step_by(A_POOL) {
        let workers = [2, 3, 8, 32, 64][random.below(5)];
        most = most.max(workers);
        let pool = Pool::builder().workers(workers).build().unwrap();
        for _ in 0..A_POOL.min(order.size - first) {
            let met = Arc::new(Barrier::new(workers));
            let done = Arc::new(CountLatch::new(workers));
            let job = || {
                let (met, done) = (Arc::clone(&met), Arc::clone(&done));
                move || {
                    met.wait();
                    done.count_down();
                }
            };
            match random.below(3) {
                0 => (0..workers).for_each(|_| pool.execute(job()).unwrap()),
                1 => pool.install(|| (0..workers).for_each(|_| filch::execute(job()).unwrap())),
                _ => pool.scope(|scope| (0..workers).for_each(|_| scope.spawn(|_| job()()))),
            }
            done.wait();
        }
        assert_eq!(pool.shutdown().unwrap().panicked, 0);
    }
    format!("up to {most} workers")
}

/// One worker runs 30,000 jobs that nobody waits for. They come from outside, or from a job.
pub fn one_worker(order: &Order) -> String {
    const A_POOL: usize = 30_000;

    let mut random = Random::new(order.seed);
    for first in (0..order.size).step_by(A_POOL) {
        let jobs = A_POOL.min(order.size - first);
        let pool = Pool::builder().workers(1).build().unwrap();
        let ran = Arc::new(AtomicUsize::new(0));
        let job = |ran: &Arc<AtomicUsize>| {
            let ran = Arc::clone(ran);
            move || _ = ran.fetch_add(1, Ordering::Relaxed)
        };
        if random.below(2) == 0 {
            (0..jobs).for_each(|_| pool.execute(job(&ran)).unwrap());
        } else {
            let runs = Arc::clone(&ran);
            pool.execute(move || (0..jobs).for_each(|_| filch::execute(job(&runs)).unwrap())).unwrap();
        }
        until(|| ran.load(Ordering::Relaxed) == jobs);
    }
    String::new()
}

/// One of two workers is blocked for good. The other worker runs all that comes, also what lies in the deque and on
/// the private stack of the blocked worker.
pub fn one_blocked(order: &Order) -> String {
    let mut random = Random::new(order.seed);
    let pool = Pool::builder().workers(2).build().unwrap();
    let (gate, begun, done) = (Gate::default(), Gate::default(), Arc::new(CountLatch::new(order.size)));
    let own = random.below(order.size.min(1_000) + 1);
    let held = (gate.clone(), begun.clone(), Arc::clone(&done));
    pool.execute(move || {
        let (gate, begun, done) = held;
        for _ in 0..own {
            let done = Arc::clone(&done);
            filch::execute(move || done.count_down()).unwrap();
        }
        begun.open();
        gate.wait();
    })
    .unwrap();
    begun.wait();
    for _ in own..order.size {
        let done = Arc::clone(&done);
        pool.execute(move || done.count_down()).unwrap();
    }
    done.wait();
    gate.open();
    assert_eq!(pool.shutdown().unwrap().run, order.size as u64 + 1);
    format!("{own} of them behind the blocked one")
}
