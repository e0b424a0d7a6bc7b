//! How long does a caller wait for a trivial closure, if the pool had nothing to do before?
//!
//! Round trips from a thread that is no worker, each timed by itself, at set distances and back to back, to pools
//! with two workers. The caller sleeps through the longer distances. It spins through the shorter ones, which no
//! sleep can meet. The bench also measures how much of a core the pools use while nobody calls.

use std::fs;
use std::hint::{black_box, spin_loop};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use filch_benches::{Contender, Round, ask, print_aligned, rounds, scaled, settle};

const WORKERS: usize = 2;

fn filch_pool() -> filch::Pool {
    filch::Pool::builder().workers(WORKERS).build().expect("a pool")
}

fn rayon_pool() -> rayon::ThreadPool {
    let name = |index| format!("rayon-{index}");
    rayon::ThreadPoolBuilder::new().num_threads(WORKERS).thread_name(name).build().expect("a pool")
}

fn tokio_runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(WORKERS).thread_name("tokio").build().expect("a runtime")
}

fn tokio_trip(runtime: &tokio::runtime::Runtime, n: u64) -> u64 {
    runtime.block_on(async { tokio::spawn(async move { answer(n) }).await.expect("no panic") })
}

/// The closure that a worker is asked to run.
fn answer(n: u64) -> u64 {
    black_box(n) + 1
}

fn pass(gap: Duration) {
    if gap >= Duration::from_millis(1) {
        thread::sleep(gap);
        return;
    }
    let start = Instant::now();
    while start.elapsed() < gap {
        spin_loop();
    }
}

/// Times `trips` round trips one by one, with a `gap` before each.
fn stretch(trips: u64, gap: Duration, mut trip: impl FnMut(u64) -> u64) -> Round {
    settle();
    let times = (0..trips).map(|n| {
        pass(gap);
        let start = Instant::now();
        let answer = trip(n);
        let time = start.elapsed();
        assert_eq!(answer, n + 1);
        time
    });
    Round { times: times.collect(), jobs: Vec::new() }
}

fn round_trips(c: &mut Criterion) {
    let micros = Duration::from_micros;
    for (question, gap, trips, full) in [
        ("round trip back to back", Duration::ZERO, 1000, 20),
        ("round trip after 10 µs", micros(10), 200, 20),
        ("round trip after 100 µs", micros(100), 200, 20),
        ("round trip after 1 ms", micros(1000), 100, 20),
        ("round trip after 10 ms", micros(10_000), 25, 20),
    ] {
        let trips = scaled(trips, 10);
        let contenders = vec![
            Contender::ours("filch install", || {
                let pool = filch_pool();
                let round = stretch(trips, gap, |n| pool.install(|| answer(n)));
                drop(pool);
                settle();
                round
            }),
            Contender::peer("rayon install", || {
                let pool = rayon_pool();
                let round = stretch(trips, gap, |n| pool.install(|| answer(n)));
                drop(pool);
                settle();
                round
            }),
            Contender::peer("tokio spawn, await", || {
                let runtime = tokio_runtime();
                let round = stretch(trips, gap, |n| tokio_trip(&runtime, n));
                drop(runtime);
                settle();
                round
            }),
        ];
        ask(c, question, 1, rounds(full), contenders);
    }
}

/// How a job submits another job to its pool, and how it blocks until that job has sent a time.
#[derive(Clone, Copy)]
struct Blocking {
    submit: fn(Box<dyn FnOnce() + Send>),
    until_told: fn(Receiver<Duration>) -> Duration,
}

/// Submits a job and blocks until that job has ended. The job does the same, `levels` deep, on a pool with one
/// worker. Returns the time from the deepest block to the first instruction of the job that it waits for.
fn descend(levels: u32, blocking: Blocking) -> Duration {
    let (tell, told) = channel();
    let blocked = Instant::now();
    (blocking.submit)(Box::new(move || {
        let time = blocked.elapsed();
        let deepest = if levels > 1 { descend(levels - 1, blocking) } else { time };
        tell.send(deepest).expect("it is awaited");
    }));
    (blocking.until_told)(told)
}

/// Measures how soon another thread takes the place of a job that blocks, and runs the next job.
fn stand_ins(c: &mut Criterion) {
    let filch = Blocking {
        submit: |job| filch::execute(job).map_err(|closed| closed.reason()).expect("an open pool"),
        until_told: |told| filch::blocking(|| told.recv().expect("it tells")),
    };
    let tokio = Blocking {
        submit: |job| drop(tokio::spawn(async { job() })),
        until_told: |told| tokio::task::block_in_place(|| told.recv().expect("it tells")),
    };
    for levels in [1, 10] {
        let samples = scaled(100, 5);
        let contenders = vec![
            Contender::ours("filch blocking", || {
                let pool = filch::Pool::builder().workers(1).build().expect("a pool");
                // This starts the threads that will stand in.
                pool.install(|| descend(levels, filch));
                settle();
                let times = (0..samples).map(|_| pool.install(|| descend(levels, filch))).collect();
                drop(pool);
                settle();
                Round { times, jobs: Vec::new() }
            }),
            Contender::peer("tokio block_in_place", || {
                let mut builder = tokio::runtime::Builder::new_multi_thread();
                let runtime = builder.worker_threads(1).build().expect("a runtime");
                let trip =
                    || runtime.block_on(async { tokio::spawn(async move { descend(levels, tokio) }).await });
                trip().expect("no panic");
                settle();
                let times = (0..samples).map(|_| trip().expect("no panic")).collect();
                drop(runtime);
                settle();
                Round { times, jobs: Vec::new() }
            }),
        ];
        ask(c, &format!("a stand-in for a job that blocks, {levels} deep"), 1, rounds(20), contenders);
    }
}

/// Returns the time on a core, in nanoseconds, of all threads of this process whose names begin with `prefix`. `None`
/// if the system does not tell it in nanoseconds.
fn core_time(prefix: &str) -> Option<u64> {
    let mut total = 0;
    for task in fs::read_dir("/proc/self/task").ok()? {
        let path = task.ok()?.path();
        if fs::read_to_string(path.join("comm")).ok()?.starts_with(prefix) {
            total += fs::read_to_string(path.join("schedstat")).ok()?.split(' ').next()?.parse::<u64>().ok()?;
        }
    }
    // No thread starts without a core. So 0 means that the system does not count.
    (total > 0).then_some(total)
}

/// Measures pools side by side that have done something and then get nothing to do.
fn at_rest(_: &mut Criterion) {
    // Criterion's filter does not reach a table that criterion does not time. A number is the value of some option,
    // and no filter.
    let mut arguments = std::env::args().skip(1);
    let passes = |argument: &str| {
        argument.starts_with('-') || argument.parse::<f64>().is_ok() || "at rest".contains(argument)
    };
    if !arguments.all(|argument| argument != "--list" && passes(&argument)) {
        return;
    }
    let (filch, rayon, tokio) = (filch_pool(), rayon_pool(), tokio_runtime());
    for n in 0..1000 {
        assert_eq!(
            filch.install(|| answer(n)) + rayon.install(|| answer(n)) + tokio_trip(&tokio, n),
            3 * n + 3
        );
    }
    thread::sleep(Duration::from_millis(100));
    let prefixes = ["filch", "rayon", "tokio"];
    let span = scaled(Duration::from_secs(10), Duration::from_secs(2));
    let before = prefixes.map(core_time);
    let start = Instant::now();
    thread::sleep(span);
    let after = prefixes.map(core_time);
    let elapsed = start.elapsed();
    let mut rows = vec![vec!["pool".into(), "core time, µs".into(), "% of a core".into()]];
    for (name, (before, after)) in prefixes.iter().zip(before.into_iter().zip(after)) {
        let row = match before.zip(after) {
            Some((before, after)) => {
                let used = (after - before) as f64;
                [format!("{:.1}", used / 1e3), format!("{:.4}", used / elapsed.as_nanos() as f64 * 100.0)]
            }
            None => ["not told".into(), "by this system".into()],
        };
        rows.push([&[(*name).to_owned()][..], &row].concat());
    }
    print_aligned(&format!("at rest for {} s", span.as_secs()), &rows);
}

criterion_group!(benches, round_trips, stand_ins, at_rest);
criterion_main!(benches);
