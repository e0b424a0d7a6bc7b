//! What a pool reports when it has ended.

use crate::scheduler::registry::Registry;

/// What a pool did in its life; see [`Pool::shutdown`](crate::Pool::shutdown).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shutdown {
    /// Jobs run: closures of `execute`, `spawn` and `install`, and each job of a queue.
    pub run: u64,
    /// Of these, panics that went to the panic handler.
    pub panicked: u64,
    /// Jobs run by spares, which are in no worker's report.
    pub run_by_spares: u64,
    /// One entry a worker, by its number.
    pub workers: Vec<WorkerReport>,
}

/// What one worker did; part of [`Shutdown`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerReport {
    /// Its thread's name.
    pub name: String,
    /// Jobs it ran.
    pub run: u64,
    /// Of these, panics that went to the panic handler.
    pub panicked: u64,
    /// The core that its placement asked for, if any.
    pub asked: Option<usize>,
    /// The core that it was bound to, if any.
    pub pinned_to: Option<usize>,
}

impl Shutdown {
    /// The report of a pool whose workers have left.
    pub(super) fn of(registry: &Registry) -> Shutdown {
        let workers: Vec<WorkerReport> = registry
            .peers
            .iter()
            .enumerate()
            .map(|(index, peer)| WorkerReport {
                name: peer.name.clone(),
                run: peer.counters.jobs(),
                panicked: peer.counters.panicked.get(),
                asked: peer.asked,
                pinned_to: registry.sleep.home(index),
            })
            .collect();
        let spares = || registry.spares.peers().map(|peer| &peer.counters);
        let run_by_spares = spares().map(|counters| counters.jobs()).sum();
        let panicked = spares().map(|counters| counters.panicked.get()).sum::<u64>();
        Shutdown {
            run: workers.iter().map(|worker| worker.run).sum::<u64>() + run_by_spares,
            panicked: workers.iter().map(|worker| worker.panicked).sum::<u64>() + panicked,
            run_by_spares,
            workers,
        }
    }
}
