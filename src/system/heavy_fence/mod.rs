//! The expensive half of an asymmetric fence.
//!
//! Two threads that each write one word and then read the other thread's word both need a fence between write and
//! read. Suppose one thread does so a thousand times as often as the other. Then the frequent side only holds back
//! the compiler ([`light_fence`](crate::sync::light_fence)). The rare side makes the system run a fence on every core
//! that runs a thread of this process. That fence comes before the frequent side's two accesses, after them, or
//! between them. So these accesses are ordered as if the frequent side had fenced itself. (Dice, Huang, Yang:
//! "Asymmetric Dekker synchronization", 2001. The crate `seize` uses the same fence.)
//!
//! | system | call | file |
//! |---|---|---|
//! | Linux, Android | `membarrier(2)`, private and expedited | `linux.rs` |
//! | Windows | `FlushProcessWriteBuffers` | `windows.rs` |
//! | FreeBSD 14.1 | `membarrier(2)`, with Linux's numbers | `freebsd.rs` |
//! | others | none | `none.rs` |
//!
//! Each file has three functions: `prepare` begins whatever the system wants before the first call, `state` says how
//! far that is, and `run` makes the call. A system may refuse a call that it granted before, in a sandbox that the
//! process enters late: `run` then returns `false`, and the state is `Missing` from then on.
//!
//! Where there is no such call, the frequent side fences as well: see [`crate::jobs::private`].

use crate::sync::site::FORK_HEAVY;
use crate::sync::{MODEL, fence};

#[cfg(target_os = "freebsd")]
#[path = "freebsd.rs"]
mod imp;
#[cfg(any(target_os = "linux", target_os = "android"))]
#[path = "linux.rs"]
mod imp;
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "windows", target_os = "freebsd")))]
#[path = "none.rs"]
mod imp;
#[cfg(target_os = "windows")]
#[path = "windows.rs"]
mod imp;

/// What is known of the system's call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "each system has a part of them")]
pub(super) enum State {
    /// The system was asked, and has not answered.
    Asked,
    /// There is no such call, or the system refuses it, or nobody has asked.
    Missing,
    /// The call works.
    Available,
}

/// Begins what the system wants before the first call, unless that was done before. Does not wait for an answer.
pub(crate) fn prepare() {
    if !MODEL {
        imp::prepare();
    }
}

/// As [`prepare`], and waits for the answer. Returns whether [`run`] works.
pub(crate) fn prepare_and_wait() -> bool {
    prepare();
    while is_pending() {
        std::thread::yield_now();
    }
    // An answer may be out of date.
    available() && run()
}

/// Returns whether the system has yet to answer.
pub(crate) fn is_pending() -> bool {
    !MODEL && imp::state() == State::Asked
}

/// Returns whether [`run`] works. The answer may change: to `true` when the system has answered, and to `false` if it
/// refuses the call later.
pub(crate) fn available() -> bool {
    MODEL || imp::state() == State::Available
}

/// Runs a fence on every core that runs a thread of this process. Returns `false` if the system refuses, in which
/// case only the calling thread has fenced. Costs some microseconds. Under a checker it is a plain fence.
#[must_use = "without the fence on the other cores nothing is ordered against them"]
pub(crate) fn run() -> bool {
    // The system call fences this thread, too. This fence shows that to the compiler and to the reader.
    fence(FORK_HEAVY);
    MODEL || imp::run()
}
