//! A worker leaves its core when somebody else keeps it, and comes back when the core is quiet; a worker that a list has
//! given its core stays.

#![cfg(target_os = "linux")]

mod common;

use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::cores::cores;
use common::{LIMIT, until, within};
use filch::{Placement, Pool, WorkerStats};

/// A thread that never waits, bound to one core until this is dropped.
struct Neighbour {
    pool: Pool,
    stop: Arc<AtomicBool>,
}

impl Neighbour {
    fn on(core: usize) -> Neighbour {
        let pool = Pool::builder().placement(Placement::List(vec![core])).build().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let busy = move || {
            while !stopped.load(Ordering::Relaxed) {
                spin_loop();
            }
        };
        pool.execute(busy).map_err(|closed| closed.reason()).unwrap();
        Neighbour { pool, stop }
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn spin(time: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < time {
        spin_loop();
    }
}

/// Between two jobs of a pool.
#[derive(Clone, Copy)]
enum Between {
    /// So that the worker falls asleep, and its core is free for others.
    Sleep,
    /// So that the worker looks for a job for longer than it keeps its core, and a job is there when it has its core
    /// back. It never falls asleep.
    Spin,
}

/// Has the pool's worker work for a moment again and again, until its stats are as `wanted`.
fn work_until(pool: &Pool, between: Between, mut wanted: impl FnMut(&WorkerStats) -> bool) -> WorkerStats {
    loop {
        pool.install(|| spin(Duration::from_micros(200)));
        let worker = pool.stats().workers.remove(0);
        if wanted(&worker) {
            return worker;
        }
        match between {
            Between::Sleep => std::thread::sleep(Duration::from_micros(300)),
            Between::Spin => spin(Duration::from_micros(12)),
        }
    }
}

#[test]
fn a_worker_that_sleeps_leaves_a_taken_core_and_comes_back() {
    leaves_a_taken_core_and_comes_back(Between::Sleep);
}

#[test]
fn a_worker_that_searches_leaves_a_taken_core_and_comes_back() {
    leaves_a_taken_core_and_comes_back(Between::Spin);
}

fn leaves_a_taken_core_and_comes_back(between: Between) {
    if cores().len() < 2 || std::thread::available_parallelism().unwrap().get() < 2 {
        println!("skipped: only one thread can run at once");
        return;
    }
    within(LIMIT, move || {
        let pool = Pool::builder().workers(1).build().unwrap();
        let core = pool.stats().workers[0].pinned_to.unwrap();
        let neighbour = Neighbour::on(core);
        let loose = work_until(&pool, between, |worker| worker.pinned_to.is_none());
        assert_eq!((loose.asked, loose.let_loose > 0), (Some(core), true));
        assert!(loose.kept_waiting > Duration::ZERO);
        // It may run everywhere, unless it has just tried its core once more.
        until(|| pool.install(cores) == cores());
        let fixed = neighbour.pool.stats().workers.remove(0);
        assert_eq!((fixed.pinned_to, fixed.let_loose), (Some(core), 0));
        drop(neighbour);
        let back = work_until(&pool, Between::Sleep, |worker| worker.pinned_to.is_some());
        assert_eq!(back.pinned_to, Some(core));
    });
}

/// How a worker gets work without a pause, until its stats are as `wanted`.
type WithoutPause = fn(&Pool, &dyn Fn() -> bool);

/// One job, for which the calling thread waits.
fn one_long_job(pool: &Pool, wanted: &dyn Fn() -> bool) {
    let over = AtomicBool::new(false);
    std::thread::scope(|s| {
        s.spawn(|| {
            pool.install(|| {
                while !over.load(Ordering::Relaxed) {
                    spin_loop();
                }
            });
        });
        while !wanted() {
            std::thread::sleep(Duration::from_millis(1));
        }
        over.store(true, Ordering::Relaxed);
    });
}

/// Jobs from outside, of which some always wait.
fn many_jobs(pool: &Pool, wanted: &dyn Fn() -> bool) {
    while !wanted() {
        for _ in pool.stats().injector_depth..200 {
            pool.execute(|| spin(Duration::from_micros(20))).map_err(|closed| closed.reason()).unwrap();
        }
        std::thread::sleep(Duration::from_micros(100));
    }
}

/// Jobs of a queue that is always full.
fn a_full_queue(pool: &Pool, wanted: &dyn Fn() -> bool) {
    let queue = pool.queue().capacity(100).build(|()| spin(Duration::from_micros(20))).unwrap();
    while !wanted() {
        queue.submit(()).unwrap();
    }
}

#[test]
fn a_worker_in_a_long_job_leaves_a_taken_core() {
    let stats = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    if stats.split(' ').next().is_none_or(|run| run.is_empty() || run == "0") {
        println!("skipped: the system does not tell a thread how another fares");
        return;
    }
    leaves_a_taken_core_without_a_pause(one_long_job);
}

#[test]
fn a_worker_that_always_has_jobs_leaves_a_taken_core() {
    leaves_a_taken_core_without_a_pause(many_jobs);
}

#[test]
fn a_worker_with_a_full_queue_leaves_a_taken_core() {
    leaves_a_taken_core_without_a_pause(a_full_queue);
}

fn leaves_a_taken_core_without_a_pause(work: WithoutPause) {
    if cores().len() < 2 || std::thread::available_parallelism().unwrap().get() < 2 {
        println!("skipped: only one thread can run at once");
        return;
    }
    within(LIMIT, move || {
        let pool = Pool::builder().workers(1).build().unwrap();
        let core = pool.stats().workers[0].pinned_to.unwrap();
        let neighbour = Neighbour::on(core);
        work(&pool, &|| pool.stats().workers[0].pinned_to.is_none());
        drop(neighbour);
        // It knows that it is loose once it has fallen asleep, and is bound again later.
        let back = work_until(&pool, Between::Sleep, |worker| worker.pinned_to.is_some());
        assert_eq!((back.pinned_to, back.let_loose > 0), (Some(core), true));
        assert!(back.kept_waiting > Duration::ZERO);
    });
}

/// Two workers on one core by their lists, so that each keeps the other waiting.
#[test]
fn a_list_is_kept() {
    within(LIMIT, || {
        let core = cores()[0];
        let neighbour = Neighbour::on(core);
        let pool = Pool::builder().placement(Placement::List(vec![core])).build().unwrap();
        let mut rounds = 0..50;
        let worker = work_until(&pool, Between::Sleep, |_| rounds.next().is_none());
        assert_eq!((worker.pinned_to, worker.let_loose), (Some(core), 0));
        assert_eq!(pool.install(cores), [core]);
        drop(neighbour);
    });
}
