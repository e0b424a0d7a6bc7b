//! The report of a pool that has ended.

use crate::scheduler::registry::Registry;

/// What a pool did in its life; see [`Pool::shutdown`](crate::Pool::shutdown).
///
/// # Examples
/// ```
/// let pool = filch::Pool::builder().workers(2).build()?;
/// pool.execute(|| ())?;
/// pool.spawn(|| 6 * 7).join()?;
/// let report = pool.shutdown()?;
/// assert_eq!((report.run, report.panicked), (2, 0));
/// let by_workers: u64 = report.workers.iter().map(|worker| worker.run).sum();
/// assert_eq!(by_workers + report.run_by_spares, report.run);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shutdown {
    /// Jobs run: closures of `execute`, `spawn` and `install`, and each job of a queue.
    pub run: u64,
    /// Panics of these jobs that went to the panic handler.
    pub panicked: u64,
    /// Jobs run by spares. They are in no worker's report.
    pub run_by_spares: u64,
    /// One entry for each worker, by its number.
    pub workers: Vec<WorkerReport>,
}

/// What one worker did; part of [`Shutdown`].
///
/// # Examples
/// ```
/// let pool = filch::Pool::builder().workers(1).name("embed").build()?;
/// pool.execute(|| ())?;
/// let report = pool.shutdown()?;
/// for worker in &report.workers {
///     if worker.asked != worker.pinned_to {
///         eprintln!("{} did not get its core", worker.name);
///     }
/// }
/// assert_eq!((report.workers[0].name.as_str(), report.workers[0].run), ("embed-0", 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerReport {
    /// The name of the worker's thread.
    pub name: String,
    /// Jobs that the worker ran.
    pub run: u64,
    /// Panics of these jobs that went to the panic handler.
    pub panicked: u64,
    /// The core that the worker's placement asked for, if any; with [`Placement::Cores`](crate::Placement::Cores), the
    /// core that the worker chose.
    pub asked: Option<usize>,
    /// The core that the worker was bound to at the end, if any: see [`Placement::Cores`](crate::Placement::Cores).
    pub pinned_to: Option<usize>,
}

impl Shutdown {
    /// Makes the report of a pool whose workers have left.
    pub(super) fn of(registry: &Registry) -> Shutdown {
        let workers: Vec<WorkerReport> = registry
            .peers
            .iter()
            .enumerate()
            .map(|(index, peer)| WorkerReport {
                name: peer.name.clone(),
                run: peer.counters.jobs(),
                panicked: peer.counters.panicked.get(),
                asked: registry.cores.of(index),
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
