//! The normal build: the types of `std`, with thin wrappers that match the shape of the checkers' types.

pub(crate) use std::hint::spin_loop;
pub(crate) use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize};
pub(crate) use std::sync::{Arc, Mutex, MutexGuard};
pub(crate) use std::thread::{Builder as ThreadBuilder, JoinHandle, yield_now};
pub(crate) use std::thread_local;

pub(crate) use super::plain::{Life, UnsafeCell};

use std::thread::Thread;
use std::time::Duration;

use super::site::Site;

/// A memory fence of the strength that `site` names.
#[inline(always)]
pub(crate) fn fence(site: Site) {
    std::sync::atomic::fence(site.get());
}

/// The cheap half of an asymmetric fence: it holds back only the compiler. The other half is a system call that makes
/// every core of the process fence.
#[inline(always)]
pub(crate) fn light_fence(site: Site) {
    std::sync::atomic::compiler_fence(site.get());
}

/// Does nothing: this build explores nothing.
pub(crate) fn prune() {}

/// What a parker blocks on: the thread that owns the parker.
///
/// `std::thread::park` may return early, and user code on the same thread may consume or send its token. For that
/// reason the parker keeps a state beside it, and uses the blocker only to give up the core.
#[derive(Debug, Default)]
pub(crate) struct Blocker {
    /// Behind a lock, because a parker may outlive its owner and get another. The lock costs little: its caller is
    /// about to make a system call.
    owner: Mutex<Option<Thread>>,
}

impl Blocker {
    /// Makes the calling thread the one that blocks here.
    pub(crate) fn adopt(&self) {
        *super::lock(&self.owner) = Some(std::thread::current());
    }

    /// Blocks the owner until [`wake`](Self::wake) or the end of `timeout`. It may also return early for no reason.
    pub(crate) fn block(&self, timeout: Option<Duration>) {
        match timeout {
            None => std::thread::park(),
            Some(timeout) => std::thread::park_timeout(timeout),
        }
    }

    /// Ends the current or the next `block`.
    pub(crate) fn wake(&self) {
        if let Some(owner) = &*super::lock(&self.owner) {
            owner.unpark();
        }
    }
}

/// A constant-initialised thread-local: no lazy state, no destructor, one instruction to read.
macro_rules! local {
    ($(#[$meta:meta])* static $name:ident: $ty:ty = $init:expr;) => {
        thread_local! { $(#[$meta])* static $name: $ty = const { $init } }
    };
}
pub(crate) use local;

/// Always `false`: deliberate defects exist only under a checker.
#[inline(always)]
pub(crate) const fn defect(_name: &str) -> bool {
    false
}
