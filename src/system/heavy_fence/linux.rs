//! Linux, since 4.14: `membarrier(2)`.
//!
//! A process must register for the call, once. In a process with more than one thread the kernel takes milliseconds
//! for that. No pool waits for it: a separate thread registers.

use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::State;
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
    // A forked child inherits a finished registration. It does not inherit the thread that was about to register, so
    // a child that finds `ASKED` from another generation asks again.
    let is_due = seen == UNASKED || seen & KNOWN == ASKED && seen != generation | ASKED;
    let asked = generation | ASKED;
    if !is_due || STATE.compare_exchange(seen, asked, Ordering::Relaxed, Ordering::Relaxed).is_err() {
        return;
    }
    let register = move || {
        let works = membarrier(REGISTER) && membarrier(EXPEDITED);
        STATE.store(generation | if works { AVAILABLE } else { REFUSED }, Ordering::Relaxed);
    };
    let builder = thread::Builder::new().name("filch-fence".into()).stack_size(64 << 10);
    // If the system starts no thread, the caller registers, and waits for the kernel.
    if without_signals(|| builder.spawn(register)).is_err() {
        register();
    }
}

/// Calls `f` while the calling thread takes no signals. A thread that `f` starts never takes any: a host's handler may
/// need more stack than that thread has.
fn without_signals<R>(f: impl FnOnce() -> R) -> R {
    let (mut all, mut before) = (MaybeUninit::uninit(), MaybeUninit::uninit());
    // SAFETY: the place is valid for the write of a set.
    unsafe { libc::sigfillset(all.as_mut_ptr()) };
    // SAFETY: the call above cannot fail, and has filled the first set; the second place is valid for the write of one.
    let code = unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr()) };
    let result = f();
    if code == 0 {
        // SAFETY: the call above has succeeded, and so has written the set.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), std::ptr::null_mut()) };
    }
    result
}

/// Relaxed is enough: the answer only decides which kind of fence an owner and a raider use next.
pub(super) fn state() -> State {
    match STATE.load(Ordering::Relaxed) & KNOWN {
        ASKED => State::Asked,
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
