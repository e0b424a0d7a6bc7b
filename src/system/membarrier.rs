//! The expensive half of an asymmetric fence.
//!
//! Two threads that each write one word and then read the other thread's word both need a fence between write and
//! read. Suppose one thread does so a thousand times as often as the other. Then the frequent side only holds back
//! the compiler ([`light_fence`](crate::sync::light_fence)). The rare side makes the system run a fence on every core
//! that runs a thread of this process: `membarrier(2)`, private and expedited. That fence comes before the frequent
//! side's two accesses, after them, or between them. So these accesses are ordered as if the frequent side had fenced
//! itself. (Dice, Huang, Yang: "Asymmetric Dekker synchronization", 2001. The crate `seize` uses the same fence.)
//!
//! Where the system has no such call, [`available`] returns `false`, and callers must do without the fence.
//!
//! A process must register for the call, once. In a process with a second thread the kernel takes milliseconds for
//! that, and no pool waits for it: a separate thread registers. Until that thread is done, [`available`] returns
//! `false`. So the answer may change from `false` to `true`, but never back.

use crate::sync::site::FORK_HEAVY;
use crate::sync::{MODEL, fence};

#[cfg(target_os = "linux")]
mod imp {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread;

    use crate::system::process;

    /// `MEMBARRIER_CMD_PRIVATE_EXPEDITED`, and the command that registers its use, from `linux/membarrier.h`.
    const EXPEDITED: libc::c_int = 1 << 3;
    const REGISTER: libc::c_int = 1 << 4;

    /// Low bits: what is known. Bits above: the generation of the process that asked.
    static STATE: AtomicU64 = AtomicU64::new(UNASKED);
    const UNASKED: u64 = 0;
    const ASKED: u64 = 1;
    const REFUSED: u64 = 2;
    const AVAILABLE: u64 = 3;
    const KNOWN: u64 = 3;
    const GENERATION_SHIFT: u32 = 2;

    fn membarrier(command: libc::c_int) -> bool {
        // SAFETY: the call takes three numbers, and touches no memory of this process.
        unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
    }

    pub(super) fn prepare() {
        let generation = u64::from(process::generation()) << GENERATION_SHIFT;
        let seen = STATE.load(Ordering::Relaxed);
        // A forked child inherits a finished registration, but not the thread that was about to register.
        let is_due = seen == UNASKED || seen & KNOWN == ASKED && seen != generation | ASKED;
        let asked = generation | ASKED;
        if !is_due || STATE.compare_exchange(seen, asked, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return;
        }
        let register = move || {
            let works = membarrier(REGISTER) && membarrier(EXPEDITED);
            STATE.store(generation | if works { AVAILABLE } else { REFUSED }, Ordering::Relaxed);
        };
        // If the system starts no thread, the caller registers itself and waits.
        if thread::Builder::new().name("filch-fence".into()).stack_size(64 << 10).spawn(register).is_err() {
            register();
        }
    }

    /// Relaxed is enough, because each thread that relies on the answer fences before it asks. Suppose a worker that
    /// is about to sleep counts itself as idle, fences, and gets `false`, while an owner got `true`, fences, sees no
    /// idle worker, and keeps its job. The owner saw no idle worker, so its fence came first; but then the worker
    /// would have got `true` as well.
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

/// Starts to register the process, unless that was done before. Does not wait for the registration.
pub(crate) fn prepare() {
    if !MODEL {
        imp::prepare();
    }
}

/// Returns whether [`heavy`] works.
pub(crate) fn available() -> bool {
    MODEL || imp::available()
}

/// Runs a fence on every core that runs a thread of this process. Costs some microseconds. Under a checker it is a
/// plain fence.
pub(crate) fn heavy() {
    // The system call fences this thread, too. This fence shows that to the compiler and to the reader.
    fence(FORK_HEAVY);
    if !MODEL {
        imp::heavy();
    }
}
