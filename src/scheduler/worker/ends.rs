//! The ends of a scope's jobs, which a worker counts together.
//!
//! All workers that run jobs of a scope lower the scope's count, on one cache line. With sixteen workers of the lab's
//! machine, most of what jobs of a microsecond cost beyond their work was the wait for that line. So a worker that has
//! ended a job of a scope, and goes on with another one of the same scope, keeps the end back. Nobody can tell: the scope
//! does not end before that other job does.
//!
//! | the worker | and the ends that it keeps |
//! |---|---|
//! | ended a job of the scope that its main loop has found | one more |
//! | ended a job of an isolated scope: what that has left comes next | this one is told at once |
//! | is about to run a job of something else | are told |
//! | has no job of its own, or found none | are told |
//!
//! loom, which explores all executions, is spared this; shuttle's models of scopes are not.
//!
//! It tells the scope with a function that the scope gave, because scopes are on a higher floor.

use std::cell::Cell;

/// Lowers a scope's count by a number of jobs that ended on the calling worker.
///
/// # Safety
/// The pointer is one that was kept with this function, and so many ends were kept for it, which nobody else tells.
pub(crate) type Tell = unsafe fn(*const (), usize);

/// The ends that a worker keeps back.
#[derive(Default)]
pub(super) struct Ends {
    /// The base of the scope whose job the main loop runs; 0 if it runs none, or another job.
    running: Cell<usize>,
    kept: Cell<usize>,
    /// The scope that the kept ends are of, and how to tell it.
    scope: Cell<Option<(*const (), Tell)>>,
}

impl Ends {
    /// The base of the scope whose job the main loop runs, or 0.
    #[inline]
    pub(super) fn running(&self) -> usize {
        self.running.get()
    }

    /// The main loop runs a job of the scope at `base` from now on; 0 if it runs none.
    #[inline]
    pub(super) fn set_running(&self, base: usize) {
        self.running.set(base);
    }

    /// Keeps one more end. All that are kept are of the scope at `base`.
    #[inline]
    pub(super) fn keep(&self, base: *const (), tell: Tell) {
        self.kept.set(self.kept.get() + 1);
        self.scope.set(Some((base, tell)));
    }

    /// Whether ends are kept.
    #[inline]
    pub(super) fn are_kept(&self) -> bool {
        self.kept.get() > 0
    }

    /// Whether ends are kept, of another scope than that at `base`.
    #[inline]
    pub(super) fn are_of_another(&self, base: usize) -> bool {
        self.are_kept() && self.scope.get().is_none_or(|(scope, _)| scope.addr() != base)
    }

    /// Takes the ends that are kept: the scope, how to tell it, and their number.
    pub(super) fn take(&self) -> Option<(*const (), Tell, usize)> {
        let (base, tell) = self.scope.take()?;
        Some((base, tell, self.kept.take()))
    }
}
