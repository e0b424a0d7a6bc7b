//! What does a closure cost that a pool runs and nobody waits for?
//!
//! Closures that hold one number, from a thread that is no worker or from one job that makes them all, on
//! pools with two workers. The clock runs from before the first until all have ended.
//!
//! Each thread adds up what it ran in a cell of its own, and the bench looks at the cells from time to time:
//! a counter that all jobs shared would cost more than a good pool does, and make all of them alike.

use std::cell::Cell;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use filch_benches::{Contender, Round, ask, check, rounds, scaled, settle};

const WORKERS: usize = 2;

/// What one thread ran. Aligned so that no two threads write to one cache line, or to a pair of them.
#[repr(align(128))]
struct Tally {
    sum: AtomicU64,
    jobs: AtomicU64,
}

/// For the threads that run jobs in a round, in the order in which they come: the workers, and no more.
static TALLIES: [Tally; 8] = [const { Tally { sum: AtomicU64::new(0), jobs: AtomicU64::new(0) } }; 8];
static TAKEN: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static TALLY: Cell<Option<&'static Tally>> = const { Cell::new(None) };
}

#[cold]
fn take_tally() -> &'static Tally {
    let tally = &TALLIES[TAKEN.fetch_add(1, Ordering::Relaxed)];
    TALLY.set(Some(tally));
    tally
}

/// The body of a job: as little as will show that it was run.
#[inline]
fn job(id: u64) {
    let tally = TALLY.get().unwrap_or_else(take_tally);
    // One writer each, so no read-modify-write. Release pairs with Acquire in `entries`.
    tally.sum.store(tally.sum.load(Ordering::Relaxed) + black_box(id), Ordering::Relaxed);
    tally.jobs.store(tally.jobs.load(Ordering::Relaxed) + 1, Ordering::Release);
}

fn entries() -> Vec<(u64, u64)> {
    let read = |tally: &Tally| {
        let jobs = tally.jobs.load(Ordering::Acquire);
        (tally.sum.load(Ordering::Relaxed), jobs)
    };
    TALLIES.iter().map(read).collect()
}

/// Times `submit`, which is to have all `jobs` run by a pool that was made for this round, since the threads
/// of a pool keep their tallies.
fn time(jobs: u64, submit: impl FnOnce()) -> Round {
    TAKEN.store(0, Ordering::Relaxed);
    for Tally { sum, jobs } in &TALLIES {
        sum.store(0, Ordering::Relaxed);
        jobs.store(0, Ordering::Relaxed);
    }
    settle();
    let start = Instant::now();
    submit();
    loop {
        let left = jobs - entries().iter().map(|entry| entry.1).sum::<u64>();
        if left == 0 {
            break;
        }
        // No pool here needs less than 10 ns a job, so this comes back before the end, again and again, until
        // what is left is less than what a sleep takes.
        thread::sleep(Duration::from_nanos(left * 10));
    }
    Round { times: vec![start.elapsed()], jobs: check(&entries(), jobs) }
}

fn filch(run: impl FnOnce(&filch::Pool) -> Round) -> Round {
    let pool = filch::Pool::builder().workers(WORKERS).build().expect("a pool");
    let round = run(&pool);
    drop(pool);
    settle();
    round
}

fn rayon(run: impl FnOnce(&rayon::ThreadPool) -> Round) -> Round {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(WORKERS).build().expect("a pool");
    let round = run(&pool);
    drop(pool);
    settle();
    round
}

fn tokio(run: impl FnOnce(&tokio::runtime::Runtime) -> Round) -> Round {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).build().expect("a runtime");
    let round = run(&runtime);
    drop(runtime);
    settle();
    round
}

fn threadpool(run: impl FnOnce(&threadpool::ThreadPool) -> Round) -> Round {
    let pool = threadpool::ThreadPool::new(WORKERS);
    let round = run(&pool);
    drop(pool);
    settle();
    round
}

fn from_outside(c: &mut Criterion) {
    let jobs = scaled(1_000_000, 20_000);
    let contenders = vec![
        Contender::ours("filch execute", || {
            filch(|pool| {
                time(jobs, || (0..jobs).for_each(|id| pool.execute(move || job(id)).expect("an open pool")))
            })
        }),
        Contender::peer("rayon spawn", || {
            rayon(|pool| time(jobs, || (0..jobs).for_each(|id| pool.spawn(move || job(id)))))
        }),
        Contender::peer("tokio spawn", || {
            tokio(|runtime| time(jobs, || (0..jobs).for_each(|id| drop(runtime.spawn(async move { job(id) })))))
        }),
        Contender::peer("threadpool execute", || {
            threadpool(|pool| time(jobs, || (0..jobs).for_each(|id| pool.execute(move || job(id)))))
        }),
    ];
    ask(c, "execute from outside", jobs, rounds(15), contenders);
}

fn from_inside(c: &mut Criterion) {
    let jobs = scaled(1_000_000, 20_000);
    let contenders = vec![
        Contender::ours("filch execute", || {
            filch(|pool| {
                time(jobs, || {
                    let all =
                        move || (0..jobs).for_each(|id| filch::execute(move || job(id)).expect("an open pool"));
                    pool.execute(all).expect("an open pool");
                })
            })
        }),
        Contender::peer("rayon spawn", || {
            rayon(|pool| {
                time(jobs, || pool.spawn(move || (0..jobs).for_each(|id| rayon::spawn(move || job(id)))))
            })
        }),
        Contender::peer("tokio spawn", || {
            tokio(|runtime| {
                time(jobs, || {
                    let all =
                        async move { (0..jobs).for_each(|id| drop(tokio::spawn(async move { job(id) }))) };
                    drop(runtime.spawn(all));
                })
            })
        }),
    ];
    ask(c, "execute from inside", jobs, rounds(15), contenders);
}

criterion_group!(benches, from_outside, from_inside);
criterion_main!(benches);
