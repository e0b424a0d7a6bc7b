//! The expensive half of an asymmetric fence.
//!
//! Two threads that each write one word and then read the other's need a fence between the two on both sides.
//! Where one side does so a thousand times as often as the other, that side keeps the compiler in order only
//! ([`light_fence`](crate::sync::light_fence)) and the other has the system run a fence on every core that runs a
//! thread of this process: `membarrier(2)`, private and expedited. The cheap side's two accesses are then ordered
//! as if it had fenced, because that fence comes either before the first or after the second, or between them.
//! (Dice, Huang, Yang: "Asymmetric Dekker synchronization", 2001; the crate `seize` uses it likewise.)
//!
//! Where there is no such call, [`available`] says so and whoever relies on it must do without.

use crate::sync::site::FORK_HEAVY;
use crate::sync::{MODEL, fence};

#[cfg(target_os = "linux")]
mod imp {
    use std::sync::OnceLock;

    /// `MEMBARRIER_CMD_PRIVATE_EXPEDITED` and the call that announces its use, as `linux/membarrier.h` has them.
    const EXPEDITED: libc::c_int = 1 << 3;
    const REGISTER: libc::c_int = 1 << 4;

    fn membarrier(command: libc::c_int) -> bool {
        // SAFETY: the call takes three numbers and touches no memory of ours.
        unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
    }

    /// Asks the system at the first call.
    pub(super) fn available() -> bool {
        static AVAILABLE: OnceLock<bool> = OnceLock::new();
        *AVAILABLE.get_or_init(|| membarrier(REGISTER) && membarrier(EXPEDITED))
    }

    pub(super) fn heavy() {
        let fenced = membarrier(EXPEDITED);
        debug_assert!(fenced, "membarrier worked before");
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    pub(super) fn available() -> bool {
        false
    }

    pub(super) fn heavy() {
        unreachable!("nobody may ask for what is not available");
    }
}

/// Whether [`heavy`] works.
pub(crate) fn available() -> bool {
    MODEL || imp::available()
}

/// Fences on every core that runs a thread of this process. Costs some microseconds. Under a checker, a fence.
pub(crate) fn heavy() {
    // The call fences this thread, too; said again where the compiler and a reader see it.
    fence(FORK_HEAVY);
    if !MODEL {
        imp::heavy();
    }
}
