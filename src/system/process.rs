//! Telling a forked child from its parent.
//!
//! `fork` copies the pool's memory but none of its threads: in the child each wait would last for
//! ever. A `pthread_atfork` handler counts generations, and each pool remembers the one it was built
//! in. `getpid` at each call would be a system call (glibc stopped caching it); this is one load of a
//! line that is never written in a process that does not fork.

use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::sync::MODEL;

static GENERATION: AtomicU32 = AtomicU32::new(0);

/// How often this process image was forked. Starts watching at the first call.
pub(crate) fn generation() -> u32 {
    static WATCH: Once = Once::new();
    WATCH.call_once(watch);
    current()
}

/// As [`generation`], for those who hold a number that it gave out.
///
/// Relaxed: the only write happens in a child that has, at that moment, a single thread.
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
    // SAFETY: the handler is a plain function that lives as long as the program and does nothing
    // but an atomic addition, which is safe in a child between `fork` and whatever follows.
    let code = unsafe { libc::pthread_atfork(None, None, Some(child)) };
    // The only error is ENOMEM; then a forked child would not be recognised. Not worth ending a host.
    debug_assert_eq!(code, 0, "pthread_atfork");
}

#[cfg(not(unix))]
fn watch() {}
