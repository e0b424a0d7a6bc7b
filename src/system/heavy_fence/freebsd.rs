//! FreeBSD, since 14.1: `membarrier(2)`, with Linux's command numbers. A process must register for the call.
//! Registering takes no time, so the caller does it.

use std::sync::atomic::{AtomicU32, Ordering};

use super::State;
use crate::system::process;

/// The number of the system call, which the libc crate does not have.
const MEMBARRIER: libc::c_int = 584;
const EXPEDITED: libc::c_int = 1 << 3;
const REGISTER: libc::c_int = 1 << 4;

/// Low bits: what is known. Bits above: the generation of the process that asked, so that a forked child asks again.
static STATE: AtomicU32 = AtomicU32::new(UNASKED);
const UNASKED: u32 = 0;
const REFUSED: u32 = 1;
const AVAILABLE: u32 = 2;
const KNOWN: u32 = 3;
const GENERATION_SHIFT: u32 = 2;

fn membarrier(command: libc::c_int) -> bool {
    // SAFETY: the call takes three numbers, and touches no memory of this process.
    unsafe { libc::syscall(MEMBARRIER, command, 0, 0) == 0 }
}

pub(super) fn prepare() {
    let generation = process::generation() << GENERATION_SHIFT;
    let seen = STATE.load(Ordering::Relaxed);
    if seen & KNOWN == UNASKED || seen & !KNOWN != generation {
        let works = has_call() && membarrier(REGISTER) && membarrier(EXPEDITED);
        STATE.store(generation | if works { AVAILABLE } else { REFUSED }, Ordering::Relaxed);
    }
}

/// Returns whether the kernel is new enough. In an older kernel the unknown call would end the process by SIGSYS.
fn has_call() -> bool {
    const FIRST: libc::c_int = 1_401_000;
    let (mut version, mut size): (libc::c_int, usize) = (0, size_of::<libc::c_int>());
    // SAFETY: the name ends in a zero, and the pointers lead to a number and to its size, which the call may write.
    // There is no new value to read.
    let code = unsafe {
        libc::sysctlbyname(
            c"kern.osreldate".as_ptr(),
            (&raw mut version).cast(),
            &raw mut size,
            std::ptr::null(),
            0,
        )
    };
    code == 0 && version >= FIRST
}

pub(super) fn state() -> State {
    match STATE.load(Ordering::Relaxed) & KNOWN {
        AVAILABLE => State::Available,
        _ => State::Missing,
    }
}

pub(super) fn run() -> bool {
    let fenced = membarrier(EXPEDITED);
    if !fenced {
        STATE.store(REFUSED, Ordering::Relaxed);
    }
    fenced
}
