//! What several models build: pools, and workers without a pool around them, which the models of forks, scopes, spares and
//! queues put on their threads.

use crossbeam_utils::CachePadded;
use loom::cell::UnsafeCell;
use loom::sync::Arc as LoomArc;
use loom::sync::atomic::AtomicUsize as LoomAtomicUsize;
use loom::thread;
use std::sync::Arc as StdArc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::Pool;
use crate::jobs::job::Job;
use crate::scheduler::hooks::Hooks;
use crate::scheduler::peer::{Peer, WorkerParts};
use crate::scheduler::registry::{Registry, Settings, Shared};
use crate::scheduler::spares::Spares;
use crate::scheduler::worker::{Current, Worker, WorkerStart};
use crate::sync::Arc;
use crate::system::core_choice::CoreChoice;
use crate::system::parker::Parker;
use crate::waiting::sleep::Sleep;

/// A pool of `workers` workers.
pub(super) fn pool(workers: usize) -> Pool {
    Pool::builder().workers(workers).build().expect("a pool")
}

/// A thread that submits one job, which counts itself in `runs`. The thread returns whether the pool took the job.
pub(super) fn submitter(pool: &LoomArc<Pool>, runs: &LoomArc<LoomAtomicUsize>) -> thread::JoinHandle<bool> {
    let (pool, runs) = (LoomArc::clone(pool), LoomArc::clone(runs));
    thread::spawn(move || {
        let job = move || {
            runs.fetch_add(1, Ordering::Relaxed);
        };
        pool.execute(job).is_ok()
    })
}

/// The eventcount of workers that park with `parkers`.
pub(super) fn sleep_of(parkers: &[Parker]) -> Sleep {
    Sleep::new(parkers.iter().map(Parker::unparker).collect(), 0)
}

/// What workers without a pool start with, as the builder makes it.
pub(super) fn starts<const N: usize>() -> [WorkerStart; N] {
    starts_beside(0)
}

/// As [`starts`], in a pool with `spares` spares.
pub(super) fn starts_beside<const N: usize>(spares: usize) -> [WorkerStart; N] {
    let all_parts: [WorkerParts; N] = std::array::from_fn(|_| WorkerParts::new(true));
    let peers =
        all_parts.iter().map(|parts| CachePadded::new(Peer::new(parts, String::new(), false))).collect();
    let sleep = Sleep::new(all_parts.iter().map(|parts| parts.parker.unparker()).collect(), spares);
    let spares = Spares::new(N, spares, String::new(), None);
    let cores = CoreChoice::free(&[], N);
    let settings = Settings { hooks: Hooks::default(), help_stack: 0, cores, may_use_heavy: true };
    let registry: Shared = Arc::new(Registry::new(peers, sleep, N, spares, settings));
    let mut index = 0;
    all_parts.map(|parts| {
        index += 1;
        WorkerStart { index: index - 1, registry: Arc::clone(&registry), parts }
    })
}

/// Makes the calling thread a worker while it calls `f`.
pub(super) fn work<R>(start: WorkerStart, f: impl FnOnce(&Worker) -> R) -> R {
    let worker = Worker::new(start, false);
    let _current = Current::set(&worker);
    worker.within(|| f(&worker))
}

/// The life of a worker, as on its thread.
pub(super) fn main_loop(start: WorkerStart) {
    let worker = Worker::new(start, false);
    let _current = Current::set(&worker);
    worker.main_loop(|| ());
}

/// Takes one job that worker 0 has exposed or keeps private, if there is one. Runs the job and the jobs that it
/// leaves.
pub(super) fn take_from_first(worker: &Worker) -> bool {
    let victim = &worker.registry.peers[0];
    let job = match victim.stealer.steal() {
        crate::jobs::deque::Steal::Success(job) => Some(job),
        _ => victim.private.raid(),
    };
    let found = job.map(|job| worker.run(job)).is_some();
    while worker.run_own() {}
    found
}

/// Data that is written once before a job is handed over, and a job that must run once.
pub(super) struct Task {
    data: Data,
    /// Not loom's atomic: a second run is to be reported, not explored.
    runs: AtomicUsize,
}

impl Task {
    /// Makes a task without a job.
    pub(super) fn bare() -> StdArc<Task> {
        let task = StdArc::new(Task { data: Data::new(), runs: AtomicUsize::new(0) });
        task.data.write();
        task
    }

    /// Makes a task and the job that runs it.
    pub(super) fn new() -> (StdArc<Task>, Job) {
        let task = Task::bare();
        let job = {
            let task = StdArc::clone(&task);
            Job::new(move || task.run())
        };
        (task, job)
    }

    pub(super) fn run(&self) {
        assert_eq!(self.data.read(), 1, "model: a job ran without what was written before it");
        assert_eq!(self.runs.fetch_add(1, Ordering::Relaxed), 0, "model: a job ran twice");
    }

    pub(super) fn ran(&self) -> bool {
        self.runs.load(Ordering::Relaxed) == 1
    }
}

/// A cell that any thread may access. Loom checks that the accesses are ordered.
pub(super) struct Data(UnsafeCell<usize>);

// SAFETY: loom reports accesses that are not ordered, so no execution with a data race passes.
unsafe impl Sync for Data {}

impl Data {
    pub(super) fn new() -> Data {
        Data(UnsafeCell::new(0))
    }

    pub(super) fn write(&self) {
        self.0.with_mut(|cell| {
            // SAFETY: loom reports a write that is not ordered with the other accesses.
            unsafe { *cell = 1 }
        });
    }

    pub(super) fn read(&self) -> usize {
        self.0.with(|cell| {
            // SAFETY: loom reports a read that is not ordered after the write.
            unsafe { *cell }
        })
    }
}
