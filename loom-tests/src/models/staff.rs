//! Workers without a pool around them: what the models of fork and scope put on their threads.

use crossbeam_utils::CachePadded;
use loom::cell::UnsafeCell;
use std::sync::Arc as StdArc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::jobs::job::Job;
use crate::scheduler::hooks::Hooks;
use crate::scheduler::peer::{Peer, WorkerParts};
use crate::scheduler::registry::{Registry, Shared};
use crate::scheduler::spares::Spares;
use crate::scheduler::worker::{Current, Worker, WorkerStart};
use crate::sync::Arc;
use crate::waiting::sleep::Sleep;

/// The seats of a pool's workers, as the builder makes them.
pub(super) fn seats<const N: usize>() -> [WorkerStart; N] {
    seats_beside(0)
}

/// As [`seats`], in a pool with so many spares.
pub(super) fn seats_beside<const N: usize>(spares: usize) -> [WorkerStart; N] {
    let all_parts: [WorkerParts; N] = std::array::from_fn(|_| WorkerParts::new());
    let peers =
        all_parts.iter().map(|parts| CachePadded::new(Peer::new(parts, String::new(), None, false))).collect();
    let sleep = Sleep::new(all_parts.iter().map(|parts| parts.parker.unparker()).collect(), spares);
    let spares = Spares::new(N, spares, String::new(), None);
    let registry: Shared = Arc::new(Registry::new(peers, sleep, Hooks::default(), 0, N, spares));
    let mut index = 0;
    all_parts.map(|parts| {
        index += 1;
        WorkerStart { index: index - 1, registry: Arc::clone(&registry), parts }
    })
}

/// Calls `f` on a worker that the calling thread becomes for that time.
pub(super) fn work<R>(start: WorkerStart, f: impl FnOnce(&Worker) -> R) -> R {
    let worker = Worker::new(start, false);
    let _current = Current::set(&worker);
    worker.within(|| f(&worker))
}

/// The life of a worker, as its thread has it.
pub(super) fn main_loop(start: WorkerStart) {
    let worker = Worker::new(start, false);
    let _current = Current::set(&worker);
    worker.main_loop(|| ());
}

/// Takes one job that worker 0 has shown or keeps, if there is one, and runs it and what it leaves.
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

/// Something that is written once before it is handed over, and is to run once.
pub(super) struct Task {
    data: Data,
    /// Not the checker's: a second run is to be reported, not explored.
    runs: AtomicUsize,
}

impl Task {
    /// A task without a job.
    pub(super) fn bare() -> StdArc<Task> {
        let task = StdArc::new(Task { data: Data::new(), runs: AtomicUsize::new(0) });
        task.data.write();
        task
    }

    /// A task and the job that runs it.
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

/// A cell that any thread may access: that the accesses are ordered is what loom checks.
pub(super) struct Data(UnsafeCell<usize>);

// SAFETY: as said.
unsafe impl Sync for Data {}

impl Data {
    pub(super) fn new() -> Data {
        Data(UnsafeCell::new(0))
    }

    pub(super) fn write(&self) {
        self.0.with_mut(|cell| {
            // SAFETY: loom reports an access that is not ordered.
            unsafe { *cell = 1 }
        });
    }

    pub(super) fn read(&self) -> usize {
        self.0.with(|cell| {
            // SAFETY: as above.
            unsafe { *cell }
        })
    }
}
