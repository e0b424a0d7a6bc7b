//! Tokens of the [parker](crate::system::parker).

use super::{Ordering, Site};

sites! {
    /// The token comes in: the owner's next step must see what the waker did. Partner: `UNPARK`.
    PARK_TAKE = Acquire;
    /// Nothing was taken; the loop looks again. Relaxed: no data is read on the strength of it.
    PARK_TAKE_FAIL = Relaxed;
    /// EMPTY to PARKED. Release: the waker that reads PARKED must see the owner that `adopt` stored.
    /// Partner: `UNPARK`.
    PARK_ARM = Release;
    /// The token goes out, with all the waker did (Release, for `PARK_TAKE`); and, if it reads PARKED, the
    /// owner's thread comes in (Acquire, for `PARK_ARM`). Acquire also for who leaves tokens with all of a closed pool,
    /// its own thread's among them: so it sees what was put into its inbox by those that left it one before.
    UNPARK = AcqRel;
}
