//! The count of a scope's jobs: [`crate::fork_join::scope`].

use super::{Ordering, Site};

sites! {
    /// The shared count of a scope's jobs goes up. Relaxed: who adds is counted itself.
    SCOPE_ADD = Relaxed;
    /// It goes down with a job. Release: what the job did goes out; Acquire: the last one passes on what all others did.
    /// Partners: itself, `SCOPE_OWN`.
    SCOPE_DONE = AcqRel;
    /// The owner's own share of it ends. Acquire: if nothing is left, it sees what the jobs did. Partner: `SCOPE_DONE`.
    SCOPE_OWN = Acquire;
}
