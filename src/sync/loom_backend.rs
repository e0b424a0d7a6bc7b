//! The build that loom checks: loom's types behind the names of [`super`].

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

/// A memory fence of the strength that `site` names. A mutant may have removed it.
pub(crate) fn fence(site: Site) {
    if let Strength::Fence(order) = site.weakened() {
        loom::sync::atomic::fence(order);
    }
}

/// Runs the rest of this execution, but does not explore its other outcomes.
pub(crate) use loom::skip_branch as prune;

/// In this build both halves of an asymmetric fence are full fences.
pub(crate) use fence as light_fence;

/// A lock and a condition. Not loom's `park`: with it the sleeper would see everything that the waker did, which
/// would hide a missing ordering in the parker's state.
#[derive(Debug)]
pub(crate) struct Blocker {
    /// Stands for the owner's handle: `adopt` writes it, and a waker must see it.
    owner: UnsafeCell<()>,
    woken: Mutex<bool>,
    condition: Condvar,
}

// SAFETY: the cell holds no data. It is there so that loom reports accesses that are not ordered.
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

    /// Blocks until [`wake`](Self::wake). Timeouts never fire under the checker: no program may need them to make
    /// progress.
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

/// A cell that each use of an object reads and the object's drop writes. If a use is not ordered before the drop,
/// loom reports it as a race.
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
