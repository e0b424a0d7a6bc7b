//! Which worker goes to which core.

/// Which cores the workers are bound to.
///
/// A thread or a process that a job starts inherits the worker's core: see
/// [`unpin_current_thread`](crate::unpin_current_thread) and [`unpin_child`](crate::unpin_child).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Placement {
    /// Worker *i* to the *i*-th core that the process may use. Workers beyond the last core are not bound:
    /// two that shared a core could not make way for each other.
    #[default]
    Cores,
    /// The system decides.
    Unpinned,
    /// Worker *i* to the *i*-th core listed, by the system's number. Without an explicit number of workers,
    /// one a core; workers beyond the list are not bound.
    List(Vec<usize>),
}
