//! The histories of the waits awake of a worker, one for each kind of wait.

use crate::system::spin_history::SpinHistory;

/// What became of a worker's last waits awake.
pub(super) struct Waits {
    /// Searches for any job.
    pub(super) searches: SpinHistory,
    /// Searches for related jobs.
    pub(super) related: SpinHistory,
    /// Series of naps as the napping searcher.
    pub(super) naps: SpinHistory,
    /// Waits for a job of a queue that the worker serves.
    pub(super) polls: SpinHistory,
}

impl Default for Waits {
    fn default() -> Waits {
        let new = SpinHistory::new;
        Waits { searches: new(), related: new(), naps: new(), polls: new() }
    }
}
