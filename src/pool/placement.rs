//! The placement of workers: which worker is bound to which core.

/// Which cores the workers are bound to.
///
/// A thread or a process that a job starts inherits the worker's core: see
/// [`unpin_current_thread`](crate::unpin_current_thread) and [`unpin_child`](crate::unpin_child).
///
/// # Examples
/// ```
/// use filch::{Placement, Pool};
///
/// let pool = Pool::builder().workers(1).placement(Placement::Cores).build()?;
/// if let Some(core) = pool.stats().workers[0].asked {
///     // A second pool that keeps to the same core.
///     let second = Pool::builder().placement(Placement::List(vec![core])).build()?;
///     assert_eq!(second.workers(), 1);
///     assert_eq!(second.stats().workers[0].asked, Some(core));
/// }
/// # Ok::<(), filch::BuildError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Placement {
    /// Binds each worker to a core of its own among those that the process may use: to the core that its thread
    /// starts on, unless another worker of this process is bound to that core and there is one without. So several
    /// small pools, and several processes with small pools, do not share cores while others are idle. Workers beyond
    /// the number of cores are not bound: two workers that shared a core could not make way for each other.
    ///
    /// A worker keeps its core for as long as the core is its own. If it has had to wait for its core twice within 0.2
    /// s (somebody else's thread kept the core for a good part of a millisecond), it is let loose, and runs where the
    /// system finds a core; unless so many workers of the pool are awake that it might only be in their way elsewhere (half as
    /// many as there are cores, or on few cores any other). From 0.2 s later on, or up to 20 s if the core was taken again each time, it is bound to
    /// the same core once more when it has worked without such a wait. That is judged when the worker goes to sleep, or
    /// is late for a job, and about each 10 ms while jobs come one after the other. In one long job it is judged only if a
    /// thread outside the pool waits for it in [`install`](crate::Pool::install), a scope or a fork, and not by a handle; and
    /// only if that is the first such wait for the pool, or the one before took 10 ms.
    /// A worker whose jobs always block stays what it is. A CPU quota or a host that takes a virtual core away looks like
    /// a neighbour.
    /// [`WorkerStats`](crate::WorkerStats) tells where each worker is and how often it was let loose. Only on Linux:
    /// elsewhere the system does not tell a thread how long it has run, and the worker stays where it is.
    ///
    /// Which worker has which core differs from run to run. Use [`List`](Self::List) to decide that.
    #[default]
    Cores,
    /// Binds no worker: the system decides where each runs.
    Unpinned,
    /// Binds worker *i* to the *i*-th core of the list, by the system's numbers, for as long as the pool lives. If the
    /// number of workers is not given, there is one for each core listed. Workers beyond the list are not bound.
    List(Vec<usize>),
}
