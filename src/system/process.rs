//! Tells a forked child from its parent.
//!
//! `fork` copies the pool's memory but none of its threads, so in the child each wait would last for ever. A
//! `pthread_atfork` handler counts generations, and each pool remembers the generation in which it was built. The
//! check is one load from a cache line that no thread writes unless the process forks.
//!
//! *Rejected*: `getpid` at each check. It is a system call, and glibc does not cache its result.

use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

#[cfg(unix)]
use crate::sync::MODEL;

static GENERATION: AtomicU32 = AtomicU32::new(0);

/// Returns how often this process image was forked since the first call. The first call installs the handler.
pub(crate) fn generation() -> u32 {
    static WATCH: Once = Once::new();
    WATCH.call_once(watch);
    current()
}

/// Returns what [`generation`] returns. For callers that hold a number from [`generation`], so that the handler is
/// installed.
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
    // SAFETY: the handler is a plain function that lives as long as the program. Its only action is an atomic
    // addition, which is async-signal-safe and so allowed in a child right after `fork`.
    let code = unsafe { libc::pthread_atfork(None, None, Some(child)) };
    // The only error is ENOMEM. A forked child is then not recognised, which is no reason to end the host program.
    debug_assert_eq!(code, 0, "pthread_atfork");
}

#[cfg(not(unix))]
fn watch() {}

/// Sets the name that the system shows for the calling thread, at most 15 bytes. std's name of the thread stays.
#[cfg(target_os = "linux")]
#[cfg_attr(any(loom, shuttle, lab), allow(dead_code, reason = "a checker's threads have no names"))]
pub(crate) fn name_current_thread(name: &str) {
    if let Ok(name) = std::ffi::CString::new(name) {
        // SAFETY: the name ends in a zero, and the call copies it. If the call fails, the system shows the long name,
        // cut off.
        unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr(), 0, 0, 0) };
    }
}

#[cfg(not(target_os = "linux"))]
#[cfg_attr(any(loom, shuttle, lab), allow(dead_code, reason = "a checker's threads have no names"))]
pub(crate) fn name_current_thread(_name: &str) {}

/// Returns the number of this process, which on Linux is also the number of its main thread.
#[cfg(target_os = "linux")]
#[cfg_attr(lab, allow(dead_code, reason = "the lab's machine knows its threads"))]
pub(crate) fn id() -> libc::pid_t {
    // SAFETY: the call takes no arguments and cannot fail.
    unsafe { libc::getpid() }
}
