//! Workers are bound to cores that the process may use, and the pool reports what they got. A pool that a pinned
//! worker makes is not confined to that worker's core.

#![cfg(any(target_os = "linux", target_os = "windows"))]

mod common;

use std::collections::BTreeSet;
#[cfg(target_os = "linux")]
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::cores::cores;
use common::within;
use filch::{Placement, Pool};

const LONG: Duration = Duration::from_secs(60);

fn pinned(pool: &Pool) -> Vec<Option<usize>> {
    pool.stats().workers.iter().map(|worker| worker.pinned_to).collect()
}

#[test]
fn by_default_one_worker_a_core() {
    let pool = Pool::new().unwrap();
    let reported = pinned(&pool);
    let distinct: BTreeSet<_> = reported.iter().flatten().collect();
    assert_eq!(distinct.len(), pool.workers(), "{reported:?}");
    // The system agrees with the report.
    let seen = within(LONG, move || pool.broadcast(|_| cores()));
    let reported: Vec<_> = reported.into_iter().map(|core| vec![core.unwrap()]).collect();
    assert_eq!(seen, reported);
}

#[test]
fn more_workers_than_cores_is_reported() {
    let cores = Pool::new().unwrap().workers();
    let pool = Pool::builder().workers(cores + 3).build().unwrap();
    let got = pinned(&pool);
    assert!(got[cores..].iter().all(Option::is_none), "{got:?}");
    assert!(pool.stats().workers[cores..].iter().all(|worker| worker.asked.is_none()));
    let report = pool.shutdown().unwrap();
    assert_eq!(report.workers.iter().map(|worker| worker.pinned_to).collect::<Vec<_>>(), got);
}

/// `build` does not wait for its threads. But a report says where each worker is, also if its thread is still on the
/// way.
#[test]
fn a_report_at_once_tells_where_all_are() {
    for _ in 0..50 {
        let pool = Pool::new().unwrap();
        let report = pool.shutdown().unwrap();
        for worker in report.workers {
            assert!(worker.pinned_to.is_some() && worker.pinned_to == worker.asked, "{worker:?}");
        }
    }
}

/// The pool is dropped before its threads have come up. A thread that gets no job need not go to its core; a thread
/// that gets one must.
#[test]
fn a_job_of_a_pool_that_is_dropped_at_once_runs_on_its_core() {
    const ROUNDS: usize = 200;
    let on_one_core = Arc::new(AtomicUsize::new(0));
    let look = || {
        let on_one_core = Arc::clone(&on_one_core);
        move || {
            if cores().len() == 1 {
                on_one_core.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    for _ in 0..ROUNDS {
        let (first, second) = (look(), look());
        let pool = Pool::builder().workers(1).build().unwrap();
        pool.execute(move || {
            first();
            filch::execute(second).map_err(|closed| closed.reason()).unwrap();
        })
        .unwrap();
    }
    assert_eq!(on_one_core.load(Ordering::Relaxed), 2 * ROUNDS);
}

#[test]
fn where_it_is_told() {
    let last = *pinned(&Pool::new().unwrap()).last().unwrap();
    let pool = Pool::builder().placement(Placement::List(vec![last.unwrap()])).build().unwrap();
    assert_eq!((pool.workers(), pinned(&pool)), (1, vec![last]));
    assert_eq!(pool.stats().workers[0].asked, last);
    let pool = Pool::builder().workers(2).placement(Placement::Unpinned).build().unwrap();
    assert_eq!(pinned(&pool), [None, None]);
}

#[test]
fn a_pool_made_by_a_pinned_worker_sees_all_cores() {
    fn sorted(mut cores: Vec<Option<usize>>) -> Vec<Option<usize>> {
        cores.sort_unstable();
        cores
    }
    let outer = Pool::new().unwrap();
    let (workers, cores) = (outer.workers(), sorted(pinned(&outer)));
    let nested = within(LONG, move || {
        outer.install(|| {
            let inner = Pool::new().unwrap();
            (inner.workers(), sorted(pinned(&inner)))
        })
    });
    assert_eq!(nested, (workers, cores));
}

/// Several pools that are smaller than the machine do not share a core while others have no worker. The test runs in a
/// child: pools of other tests have cores, too.
#[test]
fn small_pools_spread() {
    common::passes_in_child("small_pools_spread", "", || {
        let cores = Pool::new().unwrap().workers();
        for _ in 0..20 {
            let pools: Vec<Pool> = (0..cores).map(|_| Pool::builder().workers(1).build().unwrap()).collect();
            let taken: BTreeSet<_> = pools.iter().flat_map(pinned).flatten().collect();
            assert_eq!(taken.len(), cores, "{taken:?}");
        }
    });
}

#[test]
fn a_thread_started_by_a_worker_can_be_freed() {
    let all = cores();
    let pool = Pool::new().unwrap();
    let seen = within(LONG, move || {
        pool.install(|| {
            let thread = std::thread::spawn(|| {
                // Linux hands a thread's mask on to the threads that it starts; Windows does not.
                let before = cores().len();
                filch::unpin_current_thread().unwrap();
                (before, cores())
            });
            thread.join().unwrap()
        })
    });
    let before = if cfg!(target_os = "linux") { 1 } else { all.len() };
    assert_eq!(seen, (before, all));
}

/// Returns what the system says about the cores of a process that `command` becomes.
#[cfg(target_os = "linux")]
fn cores_of_child(free: bool) -> String {
    let mut command = Command::new("cat");
    command.arg("/proc/self/status");
    if free {
        filch::unpin_child(&mut command);
    }
    // A command may start more than one process.
    let outputs = [command.output().unwrap(), command.output().unwrap()];
    let [first, second] = outputs.map(|output| {
        let status = String::from_utf8(output.stdout).unwrap();
        status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap().trim().to_owned()
    });
    assert_eq!(first, second);
    first
}

#[cfg(target_os = "linux")]
#[test]
fn a_process_started_by_a_worker_can_be_freed() {
    let all = cores_of_child(false);
    assert_eq!(cores_of_child(true), all, "who has all cores loses none");
    let pool = Pool::new().unwrap();
    let core = pinned(&pool)[0].unwrap();
    let seen = within(LONG, move || {
        let worker = Pool::builder().placement(Placement::List(vec![core])).build().unwrap();
        let seen = worker.install(|| (cores_of_child(false), cores_of_child(true), cores_of_child(false)));
        (seen, worker.install(|| cores().len()))
    });
    let bound = core.to_string();
    assert_eq!(seen, ((bound.clone(), all, bound), 1), "and the worker stays bound");
}
