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
//!
//! A process has to register for it, once. As soon as it has a second thread the kernel takes 5 to 20 ms for that, which no
//! pool waits for: a thread of its own registers, and until it is through [`available`] says no. Whoever asks may so get a
//! yes where it got a no before, but never the other way round.

use crate::sync::site::FORK_HEAVY;
use crate::sync::{MODEL, fence};

#[cfg(target_os = "linux")]
mod imp {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread;

    use crate::system::process;

    /// `MEMBARRIER_CMD_PRIVATE_EXPEDITED` and the call that announces its use, as `linux/membarrier.h` has them.
    const EXPEDITED: libc::c_int = 1 << 3;
    const REGISTER: libc::c_int = 1 << 4;

    /// What is known, in the low bits, and in which generation of the process it was asked, above them.
    static STATE: AtomicU64 = AtomicU64::new(UNASKED);
    const UNASKED: u64 = 0;
    const ASKED: u64 = 1;
    const REFUSED: u64 = 2;
    const AVAILABLE: u64 = 3;
    const KNOWN: u64 = 3;
    const GENERATION_SHIFT: u32 = 2;

    fn membarrier(command: libc::c_int) -> bool {
        // SAFETY: the call takes three numbers and touches no memory of ours.
        unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
    }

    pub(super) fn prepare() {
        let generation = u64::from(process::generation()) << GENERATION_SHIFT;
        let seen = STATE.load(Ordering::Relaxed);
        // A forked child inherits the registration, but not the thread that was about it.
        let is_due = seen == UNASKED || seen & KNOWN == ASKED && seen != generation | ASKED;
        let asked = generation | ASKED;
        if !is_due || STATE.compare_exchange(seen, asked, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return;
        }
        let register = move || {
            let works = membarrier(REGISTER) && membarrier(EXPEDITED);
            STATE.store(generation | if works { AVAILABLE } else { REFUSED }, Ordering::Relaxed);
        };
        // Without a thread for it the caller has to wait.
        if thread::Builder::new().name("filch-fence".into()).stack_size(64 << 10).spawn(register).is_err() {
            register();
        }
    }

    /// Relaxed: whoever relies on the answer has fenced before it asks. A worker that is about to sleep counts itself as
    /// idle, fences, and gets a no; an owner fences, sees nobody idle, and keeps a job because it got a yes before. Then
    /// its fence came first, and the worker would have got the yes as well.
    pub(super) fn available() -> bool {
        STATE.load(Ordering::Relaxed) & KNOWN == AVAILABLE
    }

    pub(super) fn heavy() {
        let fenced = membarrier(EXPEDITED);
        debug_assert!(fenced, "membarrier worked before");
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    pub(super) fn prepare() {}

    pub(super) fn available() -> bool {
        false
    }

    pub(super) fn heavy() {
        unreachable!("nobody may ask for what is not available");
    }
}

/// Has the process registered, if that was not done before. Does not wait.
pub(crate) fn prepare() {
    if !MODEL {
        imp::prepare();
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
