//! Two million jobs on 1, 2, 4 and 32 workers, put in from outside, from jobs and through a queue, each
//! run once and each with what it captured dropped once; and jobs whose closures do not fit a deque's slot.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use common::{Alive, LIMIT, Ledger, within};
use filch::{Pool, Queue};

const JOBS: usize = 2_000_000;
/// How many jobs a job puts into its worker's deque: more than the deque holds without growing.
const FAN_OUT: usize = 400;
const LONG: Duration = Duration::from_secs(240);

/// One job: marks its number.
fn mark(ledger: &Arc<Ledger>, job: usize) -> impl FnOnce() + Send + 'static {
    let ledger = Arc::clone(ledger);
    move || ledger.mark(job)
}

/// Half of the jobs come from jobs, a quarter from outside, a quarter through a queue.
fn each_runs_once(workers: usize) {
    let ledger = Ledger::new(JOBS);
    let pool = Pool::builder().workers(workers).build().unwrap();
    let queue: Queue<usize> = {
        let ledger = Arc::clone(&ledger);
        pool.queue().capacity(512).build(move |job| ledger.mark(job)).unwrap()
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            for first in (0..JOBS / 2).step_by(FAN_OUT) {
                let ledger = Arc::clone(&ledger);
                let fan = move || {
                    for job in first..first + FAN_OUT {
                        filch::execute(mark(&ledger, job)).unwrap();
                    }
                };
                pool.execute(fan).unwrap();
            }
        });
        scope.spawn(|| {
            for job in JOBS / 2..JOBS / 4 * 3 {
                pool.execute(mark(&ledger, job)).unwrap();
            }
        });
        assert_eq!(queue.submit_all(JOBS / 4 * 3..JOBS).unwrap(), JOBS / 4);
    });
    let report = pool.shutdown().unwrap();
    ledger.assert_once();
    assert_eq!(report.run as usize, JOBS + JOBS / 2 / FAN_OUT);
    assert_eq!(report.workers.len(), workers);
    assert_eq!(report.workers.iter().map(|worker| worker.run).sum::<u64>(), report.run);
    assert_eq!(report.panicked, 0);
    drop(queue);
    assert_eq!(Arc::strong_count(&ledger), 1, "each job dropped what it captured");
}

#[test]
fn on_1_worker() {
    within(LONG, || each_runs_once(1));
}

#[test]
fn on_2_workers() {
    within(LONG, || each_runs_once(2));
}

#[test]
fn on_4_workers() {
    within(LONG, || each_runs_once(4));
}

#[test]
fn on_32_workers() {
    within(LONG, || each_runs_once(32));
}

/// Runs a closure with `N` bytes of captures: from outside, from a job, as `spawn` and as `install`.
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
