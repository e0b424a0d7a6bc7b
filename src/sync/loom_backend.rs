//! The model-checked build: loom's types behind the same names.

pub(crate) use loom::cell::UnsafeCell;
pub(crate) use loom::hint::spin_loop;
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize};
pub(crate) use loom::sync::{Arc, Mutex, MutexGuard};
pub(crate) use loom::thread::{Builder as ThreadBuilder, JoinHandle, yield_now};
pub(crate) use loom::thread_local;

pub(crate) use super::defect::defect;

use loom::sync::Condvar;
use std::time::Duration;

use super::site::{Site, Strength};

/// A memory fence of the strength that `site` names; a mutant may have removed it.
pub(crate) fn fence(site: Site) {
    if let Strength::Fence(order) = site.weakened() {
        loom::sync::atomic::fence(order);
    }
}

/// Goes through the rest of this execution, but does not explore what else could come of it.
pub(crate) use loom::skip_branch as prune;

/// Both halves of an asymmetric fence are fences here.
pub(crate) use fence as light_fence;

/// A lock and a condition: loom's `park` would make the sleeper see everything the waker did, and
/// so would hide a missing ordering in the parker's own state.
#[derive(Debug)]
pub(crate) struct Blocker {
    /// Stands for the owner's handle: written by `adopt`, and to be seen by who wakes it.
    owner: UnsafeCell<()>,
    woken: Mutex<bool>,
    condition: Condvar,
}

// SAFETY: the cell holds nothing; it is there to have accesses reported that are not ordered.
unsafe impl Sync for Blocker {}

impl Default for Blocker {
    fn default() -> Self {
        Blocker { owner: UnsafeCell::new(()), woken: Mutex::new(false), condition: Condvar::new() }
    }
}

impl Blocker {
    pub(crate) fn adopt(&self) {
        self.owner.with_mut(|_| ());
    }

    /// Timeouts never fire under the checker: a program must not need them to make progress.
    pub(crate) fn block(&self, _timeout: Option<Duration>) {
        let mut woken = super::lock(&self.woken);
        while !*woken {
            woken = self.condition.wait(woken).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        *woken = false;
    }

    pub(crate) fn wake(&self) {
        self.owner.with(|_| ());
        *super::lock(&self.woken) = true;
        self.condition.notify_one();
    }
}

macro_rules! local {
    ($(#[$meta:meta])* static $name:ident: $ty:ty = $init:expr;) => {
        loom::thread_local! { $(#[$meta])* static $name: $ty = $init; }
    };
}
pub(crate) use local;

/// A cell that each use of an object reads and its drop writes: loom reports a use that is not ordered
/// before the drop as the race that it is.
#[derive(Debug)]
pub(crate) struct Life(UnsafeCell<()>);

impl Life {
    pub(crate) fn new() -> Life {
        Life(UnsafeCell::new(()))
    }

    pub(crate) fn touch(&self) {
        self.0.with(|_| ());
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.0.with_mut(|_| ());
    }
}
