//! What does it take to start a pool, to get its first answer, and to end it?
//!
//! Dropping a pool of rayon's does not wait for its threads; dropping one of filch's does. So rayon is timed in two
//! ways: until its pool was told to end, and until each of its threads has called its exit handler, the last thing
//! that the thread does.

use std::process::Command;
use std::sync::Barrier;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group};
use filch_benches::{Contender, Round, ask, rounds, scaled, settle};

fn filch_pool(workers: usize) -> filch::Pool {
    filch::Pool::builder().workers(workers).build().expect("a pool")
}

/// Builds a filch pool whose stacks have std's default size, which rayon's stacks have too.
fn small_pool(workers: usize) -> filch::Pool {
    filch::Pool::builder().workers(workers).stack_size(2 << 20).build().expect("a pool")
}

fn rayon_pool(workers: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(workers).build().expect("a pool")
}

/// A rayon pool, and the channel on which its threads report their end.
struct Ending(rayon::ThreadPool, Receiver<()>);

impl Ending {
    fn new(workers: usize) -> Ending {
        let (exit, exited) = channel();
        let builder = rayon::ThreadPoolBuilder::new().num_threads(workers);
        let builder = builder.exit_handler(move |_| exit.send(()).expect("a receiver"));
        Ending(builder.build().expect("a pool"), exited)
    }

    fn end(self, workers: usize) {
        drop(self.0);
        assert_eq!(self.1.iter().take(workers).count(), workers);
    }
}

/// Times `f`. The clock stops before the value that `f` returns is dropped.
fn sample<T>(mut f: impl FnMut() -> T) -> Round {
    let samples = scaled(10, 2);
    let times = (0..samples).map(|_| {
        settle();
        let start = Instant::now();
        let rest = f();
        let time = start.elapsed();
        drop(rest);
        time
    });
    Round { times: times.collect::<Vec<Duration>>(), jobs: Vec::new() }
}

fn started_and_stopped(c: &mut Criterion, workers: usize) {
    let contenders = vec![
        Contender::peer("threads", || {
            sample(|| {
                let threads: Vec<_> = (0..workers).map(|_| thread::spawn(|| ())).collect();
                threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
            })
        }),
        Contender::peer("rayon, told to end", || sample(|| drop(rayon_pool(workers)))),
        Contender::peer("rayon, ended", || sample(|| Ending::new(workers).end(workers))),
        Contender::ours("filch", || sample(|| drop(filch_pool(workers)))),
        Contender::ours("filch, 2 MiB stacks", || sample(|| drop(small_pool(workers)))),
    ];
    ask(c, &format!("start and stop, workers: {workers}"), 1, rounds(21), contenders);
}

fn first_answer(c: &mut Criterion, workers: usize) {
    let contenders = vec![
        Contender::peer("rayon", || {
            sample(|| {
                let pool = rayon_pool(workers);
                pool.install(|| ());
                pool
            })
        }),
        Contender::ours("filch", || {
            sample(|| {
                let pool = filch_pool(workers);
                pool.install(|| ());
                pool
            })
        }),
        Contender::ours("filch, 2 MiB stacks", || {
            sample(|| {
                let pool = small_pool(workers);
                pool.install(|| ());
                pool
            })
        }),
    ];
    ask(c, &format!("start and first install, workers: {workers}"), 1, rounds(21), contenders);
}

fn all_used(c: &mut Criterion, workers: usize) {
    // A worker gets past the barrier only when all workers have reached it.
    let barrier = &Barrier::new(workers);
    let contenders = vec![
        Contender::peer("threads", || {
            sample(|| thread::scope(|s| (0..workers).for_each(|_| drop(s.spawn(move || barrier.wait())))))
        }),
        Contender::peer("rayon, ended", || {
            sample(|| {
                let pool = Ending::new(workers);
                pool.0.broadcast(|_| barrier.wait());
                pool.end(workers);
            })
        }),
        Contender::ours("filch", || {
            sample(|| {
                let pool = filch_pool(workers);
                pool.broadcast(|_| barrier.wait());
            })
        }),
    ];
    ask(c, &format!("start, a turn of each and stop, workers: {workers}"), 1, rounds(21), contenders);
}

fn starts(c: &mut Criterion) {
    // A process does some things only once, and no pool should be charged for them.
    drop((filch_pool(1), rayon_pool(1)));
    for workers in [1, 2, 8, 40] {
        started_and_stopped(c, workers);
        first_answer(c, workers);
        all_used(c, workers);
    }
}

/// Asks a process to start its first pool, beside another thread, and to tell how long the first answer took.
const FIRST: &str = "FILCH_BENCH_FIRST";

fn first_pool(c: &mut Criterion) {
    let first = |who: &'static str| {
        let samples = scaled(10, 2);
        let ask = |_| {
            let this = std::env::current_exe().expect("this program");
            let output = Command::new(this).env(FIRST, who).output().expect("a child");
            let nanos = String::from_utf8_lossy(&output.stdout).trim().parse().expect("a time");
            Duration::from_nanos(nanos)
        };
        Round { times: (0..samples).map(ask).collect(), jobs: Vec::new() }
    };
    let contenders = vec![
        Contender::peer("rayon", || first("rayon")),
        Contender::peer("filch, second pool", || first("second")),
        Contender::ours("filch", || first("filch")),
    ];
    ask(c, "first pool of a process and its first install, workers: 2", 1, rounds(21), contenders);
}

/// What the child does.
fn tell_first(who: &str) {
    thread::spawn(|| thread::sleep(Duration::from_secs(9)));
    if who == "second" {
        filch_pool(2).install(|| ());
        settle();
    }
    let start = Instant::now();
    if who == "rayon" {
        let pool = rayon_pool(2);
        pool.install(|| ());
        println!("{}", start.elapsed().as_nanos());
    } else {
        let pool = filch_pool(2);
        pool.install(|| ());
        println!("{}", start.elapsed().as_nanos());
    }
}

criterion_group!(benches, first_pool, starts);

fn main() {
    if let Ok(who) = std::env::var(FIRST) {
        return tell_first(&who);
    }
    benches();
    Criterion::default().configure_from_args().final_summary();
}
