//! The count of a scope's jobs: [`crate::fork_join::scope`].

use super::{Ordering, Site};

sites! {
    /// The shared count of a scope's jobs goes up. Relaxed: the caller is a counted job, or the scope's body.
    SCOPE_ADD = Relaxed;
    /// The count goes down with a job. Release: what the job did goes out. Acquire: the last job passes on what all
    /// other jobs did. Partners: `SCOPE_DONE` itself, `SCOPE_OWN`.
    SCOPE_DONE = AcqRel;
    /// The owner's share of the count ends. Acquire: if no job is left, the owner sees what the jobs did. Partner:
    /// `SCOPE_DONE`.
    SCOPE_OWN = Acquire;
}
