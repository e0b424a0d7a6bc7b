//! Tokens of the [parker](crate::system::parker).

use super::{Ordering, Site};

sites! {
    /// The owner takes the token: its next step must see what the waker did. Partner: `UNPARK`.
    PARK_TAKE = Acquire;
    /// The owner took no token, and its loop looks again. Relaxed: the owner reads no data because of this value.
    PARK_TAKE_FAIL = Relaxed;
    /// The owner changes EMPTY to PARKED. Release: a waker that reads PARKED must see the owner that `adopt` stored.
    /// Partner: `UNPARK`.
    PARK_ARM = Release;
    /// The waker leaves the token. Release, for `PARK_TAKE`: everything that the waker did goes out with the token.
    /// Acquire, for `PARK_ARM`: a waker that reads PARKED sees the owner's thread. Acquire is also for a thread that
    /// leaves tokens with all workers of a closed pool and is one of these workers itself: it then sees what was put
    /// into its inbox by the threads that left it a token before.
    UNPARK = AcqRel;
}
