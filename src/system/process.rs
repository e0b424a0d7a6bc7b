//! Tells a forked child from its parent.
//!
//! `fork` copies the pool's memory but none of its threads: in the child each wait would last for ever. A
//! `pthread_atfork` handler counts generations, and each pool remembers the generation in which it was built. The
//! check is one load of a cache line that is never written in a process that does not fork.
//!
//! *Rejected*: `getpid` at each check. It is a system call, which glibc does not cache.

use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

#[cfg(unix)]
use crate::sync::MODEL;

static GENERATION: AtomicU32 = AtomicU32::new(0);

/// Returns how often this process image was forked since the first call, which installs the handler.
pub(crate) fn generation() -> u32 {
    static WATCH: Once = Once::new();
    WATCH.call_once(watch);
    current()
}

/// As [`generation`], for callers that hold a number that [`generation`] returned.
///
/// Relaxed: the only write happens in a child while that child has a single thread.
#[inline(always)]
pub(crate) fn current() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

#[cfg(unix)]
fn watch() {
    extern "C" fn child() {
        GENERATION.fetch_add(1, Ordering::Relaxed);
    }
    if MODEL {
        return;
    }
    // SAFETY: the handler is a plain function that lives as long as the program. It only does an atomic addition,
    // which is async-signal-safe, and so allowed in a child right after `fork`.
    let code = unsafe { libc::pthread_atfork(None, None, Some(child)) };
    // The only error is ENOMEM. A forked child is then not recognised, which is no reason to end the host program.
    debug_assert_eq!(code, 0, "pthread_atfork");
}

#[cfg(not(unix))]
fn watch() {}

/// Sets the name that the system shows for the calling thread, of at most 15 bytes. std's name of the thread stays.
#[cfg(target_os = "linux")]
#[cfg_attr(any(loom, shuttle), allow(dead_code, reason = "a checker's threads have no names"))]
pub(crate) fn name_current_thread(name: &str) {
    if let Ok(name) = std::ffi::CString::new(name) {
        // SAFETY: the call copies the name, which ends in a zero. If it fails, the thread has a longer name, cut off.
        unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr(), 0, 0, 0) };
    }
}

#[cfg(not(target_os = "linux"))]
#[cfg_attr(any(loom, shuttle), allow(dead_code, reason = "a checker's threads have no names"))]
pub(crate) fn name_current_thread(_name: &str) {}

/// The number of this process, which on Linux is that of its main thread.
#[cfg(target_os = "linux")]
pub(crate) fn id() -> libc::pid_t {
    // SAFETY: the call takes no arguments and cannot fail.
    unsafe { libc::getpid() }
}
