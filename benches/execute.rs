//! What does a closure cost that a pool runs and nobody waits for?
//!
//! The closures hold one number. They come from a thread that is no worker, or from one job that makes them all. The
//! pools have two workers. The clock runs from before the first closure until all have ended. The bench looks from
//! time to time at what each thread has run.

use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use filch_benches::tally::{self, enter};
use filch_benches::{Contender, Round, ask, check, rounds, scaled, settle};

const WORKERS: usize = 2;

/// Times `submit` and the jobs that it submits. The pool must be made for this round: its threads keep their tallies,
/// and `begin` clears these.
fn time(jobs: u64, submit: impl FnOnce()) -> Round {
    tally::begin();
    settle();
    let start = Instant::now();
    submit();
    loop {
        let left = jobs - tally::done();
        if left == 0 {
            break;
        }
        // Every pool here needs more than 10 ns a job, so the sleep ends before the jobs do. The loop sleeps again
        // until the rest takes less time than a sleep.
        thread::sleep(Duration::from_nanos(left * 10));
    }
    Round { times: vec![start.elapsed()], jobs: check(&tally::entries(), jobs) }
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
                time(jobs, || (0..jobs).for_each(|id| pool.execute(move || enter(id)).expect("an open pool")))
            })
        }),
        Contender::peer("rayon spawn", || {
            rayon(|pool| time(jobs, || (0..jobs).for_each(|id| pool.spawn(move || enter(id)))))
        }),
        Contender::peer("tokio spawn", || {
            tokio(|runtime| {
                time(jobs, || (0..jobs).for_each(|id| drop(runtime.spawn(async move { enter(id) }))))
            })
        }),
        Contender::peer("threadpool execute", || {
            threadpool(|pool| time(jobs, || (0..jobs).for_each(|id| pool.execute(move || enter(id)))))
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
                    let all = move || {
                        (0..jobs).for_each(|id| filch::execute(move || enter(id)).expect("an open pool"))
                    };
                    pool.execute(all).expect("an open pool");
                })
            })
        }),
        Contender::peer("rayon spawn", || {
            rayon(|pool| {
                time(jobs, || pool.spawn(move || (0..jobs).for_each(|id| rayon::spawn(move || enter(id)))))
            })
        }),
        Contender::peer("tokio spawn", || {
            tokio(|runtime| {
                time(jobs, || {
                    let all =
                        async move { (0..jobs).for_each(|id| drop(tokio::spawn(async move { enter(id) }))) };
                    drop(runtime.spawn(all));
                })
            })
        }),
    ];
    ask(c, "execute from inside", jobs, rounds(15), contenders);
}

criterion_group!(benches, from_outside, from_inside);
criterion_main!(benches);
