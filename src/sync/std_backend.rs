//! The normal build: the types of `std`, with thin wrappers that match the shape of the checkers' types.

pub(crate) use std::hint::spin_loop;
pub(crate) use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize};
pub(crate) use std::sync::{Arc, Mutex, MutexGuard};
pub(crate) use std::thread::{Builder as ThreadBuilder, JoinHandle, yield_now};
pub(crate) use std::thread_local;

pub(crate) use super::plain::{Life, UnsafeCell};

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

/// Returns whether the checked system grants the heavy fence. Without a checker nobody needs the answer.
pub(crate) const fn has_heavy_fence() -> bool {
    true
}

/// Does nothing: this build explores nothing.
pub(crate) fn prune() {}

pub(crate) use super::blocker::Blocker;

/// A constant-initialised thread-local: no lazy state, no destructor, one instruction to read.
macro_rules! local {
    ($(#[$meta:meta])* static $name:ident: $ty:ty = $init:expr;) => {
        thread_local! { $(#[$meta])* static $name: $ty = const { $init } }
    };
}
pub(crate) use local;

/// Always `false`: deliberate defects exist only under a checker, and in the unit tests.
#[cfg(not(test))]
#[inline(always)]
pub(crate) const fn defect(_name: &str) -> bool {
    false
}
#[cfg(test)]
pub(crate) use super::defect::defect;
