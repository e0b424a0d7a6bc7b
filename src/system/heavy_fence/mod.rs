//! The expensive half of an asymmetric fence.
//!
//! Two threads each write one word and then read the other thread's word. Both need a fence between write and read.
//! If one of them does this a thousand times as often as the other, an asymmetric fence moves the cost to the rare
//! side. The frequent side only holds back the compiler ([`light_fence`](crate::sync::light_fence)). The rare side
//! makes the system run a fence on every core that runs a thread of this process. That fence comes before the
//! frequent side's two accesses, after them, or between them. In each case the accesses are ordered as if the
//! frequent side had fenced. (Dice, Huang, Yang: "Asymmetric Dekker synchronization", 2001. The crate `seize` uses
//! the same fence.)
//!
//! | system | call | file |
//! |---|---|---|
//! | Linux, Android | `membarrier(2)`, private and expedited | `linux.rs` |
//! | Windows | `FlushProcessWriteBuffers` | `windows.rs` |
//! | FreeBSD 14.1 | `membarrier(2)`, with Linux's numbers | `freebsd.rs` |
//! | macOS, with the feature `mach-fence` | Mach's registers of each thread | `macos.rs` |
//! | others | none | `none.rs` |
//!
//! Each file has three functions: `prepare` begins the preparation that the system wants before the first call,
//! `state` says how far the preparation is, and `run` makes the call. A system may refuse a call that it granted
//! before, for example in a sandbox that the process enters late. Then `run` returns `false`, and the state is
//! `Missing` from then on.
//!
//! If the system has no call, the frequent side fences as well: see [`crate::jobs::private`].

use crate::sync::site::FORK_HEAVY;
use crate::sync::{MODEL, fence, has_heavy_fence};

#[cfg(all(lab, feature = "lab"))]
#[path = "lab.rs"]
mod imp;
#[cfg(all(target_os = "freebsd", not(all(lab, feature = "lab"))))]
#[path = "freebsd.rs"]
mod imp;
#[cfg(all(any(target_os = "linux", target_os = "android"), not(all(lab, feature = "lab"))))]
#[path = "linux.rs"]
mod imp;
#[cfg(all(target_os = "macos", feature = "mach-fence", not(all(lab, feature = "lab"))))]
#[path = "macos.rs"]
mod imp;
#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_os = "windows",
    target_os = "freebsd",
    all(target_os = "macos", feature = "mach-fence"),
    all(lab, feature = "lab")
)))]
#[path = "none.rs"]
mod imp;
#[cfg(all(target_os = "windows", not(all(lab, feature = "lab"))))]
#[path = "windows.rs"]
mod imp;

/// What is known about the system's call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "each system has a part of them")]
pub(super) enum State {
    /// The system was asked and has not answered yet.
    Asked,
    /// The system has no call, or it refuses the call, or no pool has asked yet.
    Missing,
    /// The call works.
    Available,
}

/// Begins the preparation that the system wants before the first call, unless it has begun. Does not wait for an
/// answer that takes long, unless the system starts no thread for that.
pub(crate) fn prepare() {
    if !MODEL {
        imp::prepare();
    }
}

/// Prepares as [`prepare`] does, and waits for the answer. Returns whether [`run`] works.
pub(crate) fn prepare_and_wait() -> bool {
    prepare();
    while is_pending() {
        std::thread::yield_now();
    }
    // The answer may be out of date, so this function tries the call.
    available() && run()
}

/// Returns whether the system still owes an answer.
pub(crate) fn is_pending() -> bool {
    !MODEL && imp::state() == State::Asked
}

/// Returns whether [`run`] works. The result may change: to `true` when the system answers, and to `false` if the
/// system refuses the call later.
pub(crate) fn available() -> bool {
    if MODEL { has_heavy_fence() } else { imp::state() == State::Available }
}

/// Runs a fence on every core that runs a thread of this process. Costs some microseconds. Returns `false` if the
/// system refuses: then only the calling thread has fenced. Under a checker this is a plain fence.
#[must_use = "without the fence on the other cores nothing is ordered against them"]
pub(crate) fn run() -> bool {
    if MODEL && !has_heavy_fence() {
        return false;
    }
    // The system call fences this thread, too. This fence tells that to the compiler and to the reader.
    fence(FORK_HEAVY);
    MODEL || imp::run()
}
