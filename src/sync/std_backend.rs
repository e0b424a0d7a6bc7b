//! The normal build: `std`, with thin wrappers to match the shape of the checkers' types.

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

/// The cheap half of an asymmetric fence: it holds the compiler back; the other half is a system call that
/// makes every core of the process fence.
#[inline(always)]
pub(crate) fn light_fence(site: Site) {
    std::sync::atomic::compiler_fence(site.get());
}

/// Nothing is explored here.
pub(crate) fn prune() {}

/// What a parker blocks on: the thread that owns it.
///
/// `std::thread::park` may return early, and user code on the same thread may consume or send its
/// token. The parker keeps its own state for that reason and uses this only to give up the core.
#[derive(Debug, Default)]
pub(crate) struct Blocker {
    /// A lock, because a parker may outlive its owner and get another. Whoever comes here is about to make a system call.
    owner: Mutex<Option<Thread>>,
}

impl Blocker {
    /// Makes the calling thread the one that blocks here.
    pub(crate) fn adopt(&self) {
        *super::lock(&self.owner) = Some(std::thread::current());
    }

    /// Blocks the owner until [`wake`](Self::wake), a timeout, or for no reason at all.
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

/// A thread-local constant-initialised cell: no lazy state, no destructor, one instruction to read.
macro_rules! local {
    ($(#[$meta:meta])* static $name:ident: $ty:ty = $init:expr;) => {
        thread_local! { $(#[$meta])* static $name: $ty = const { $init } }
    };
}
pub(crate) use local;

/// Deliberate defects exist only under a checker.
#[inline(always)]
pub(crate) const fn defect(_name: &str) -> bool {
    false
}
