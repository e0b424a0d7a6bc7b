//! Sources: what feeds a pool with jobs from inside, which is its queues.

use crate::waiting::numbered::Numbered;

/// Something that feeds a pool with jobs and must be told when the pool closes.
///
/// Once [`close_outside`](Source::close_outside) has returned, the source takes nothing from outside any more. For
/// everything that it accepted before, it has jobs on their way in the pool.
pub(crate) trait Source: Send + Sync {
    /// Refuses jobs from outside the pool from now on.
    fn close_outside(&self);

    /// Drops the user's code. The pool has ended, and no job of this source is left. The caller must hold no lock.
    fn drop_user_code(&self);

    /// The name that the panic handler is told for the panics of this source.
    fn name(&self) -> Option<&str>;
}

/// The sources of one pool.
pub(super) struct Sources {
    /// The sources, until the pool has ended.
    pub(super) members: Numbered<Box<dyn Source>>,
    /// Whether the pool is closed, so that it takes no more sources.
    pub(super) closed: bool,
    /// Whether the latch `drained` of the registry was counted down.
    pub(super) drained: bool,
}
