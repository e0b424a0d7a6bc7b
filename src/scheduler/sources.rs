//! What feeds a pool with jobs of its own: its queues.

use crate::waiting::numbered::Numbered;

/// Something that feeds a pool with jobs of its own and must be told when the pool closes. Once
/// [`close_outside`](Source::close_outside) has returned, it takes nothing from outside any more and
/// has jobs under way in the pool for all that it has taken.
pub(crate) trait Source: Send + Sync {
    fn close_outside(&self);

    /// The pool has ended, and no job of this source is left: drops what is the user's. To be called without a lock.
    fn drop_user_code(&self);

    /// What its panics are told with.
    fn name(&self) -> Option<&str>;
}

/// The sources.
pub(super) struct Sources {
    /// Until the pool has ended.
    pub(super) members: Numbered<Box<dyn Source>>,
    /// Whether the pool is closed: no more are taken.
    pub(super) closed: bool,
    /// Whether `drained` was counted down.
    pub(super) drained: bool,
}
