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
    /// Which worker has which core differs from run to run. Use [`List`](Self::List) to decide that.
    #[default]
    Cores,
    /// Binds no worker: the system decides where each runs.
    Unpinned,
    /// Binds worker *i* to the *i*-th core of the list, by the system's numbers. If the number of workers is not
    /// given, there is one for each core listed. Workers beyond the list are not bound.
    List(Vec<usize>),
}
