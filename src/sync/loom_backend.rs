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

/// Whether the light half of an asymmetric fence is a full fence. It is, unless a model is about owners that fence
/// themselves. Then the light half orders nothing against later loads, as it does nothing on the core. It stays a Release
/// fence, for the sake of `FORK_POP`: that site rests on release sequences as C++11 has them, which loom does not.
static LIGHT: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(true);

/// The light half of an asymmetric fence. The heavy half is a fence in this build.
pub(crate) fn light_fence(site: Site) {
    if has_light_fences() {
        fence(site);
    } else {
        loom::sync::atomic::fence(std::sync::atomic::Ordering::Release);
    }
}

/// Returns whether light fences count: see [`set_light_fences`].
#[allow(dead_code, reason = "the models ask")]
pub(crate) fn has_light_fences() -> bool {
    LIGHT.load(std::sync::atomic::Ordering::Relaxed)
}

/// Makes light fences count from now on, or not. A model whose owners fence themselves says `false`.
#[allow(dead_code, reason = "the models call it")]
pub(crate) fn set_light_fences(count: bool) {
    LIGHT.store(count, std::sync::atomic::Ordering::Relaxed);
}

/// Whether the model's system grants the heavy fence.
static HEAVY: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(true);

/// Returns whether the model's system grants the heavy fence: see [`set_heavy_fence`].
pub(crate) fn has_heavy_fence() -> bool {
    HEAVY.load(std::sync::atomic::Ordering::Relaxed)
}

/// Makes the model's system grant the heavy fence from now on, or refuse it. loom does not see this access. A model
/// that calls it while other threads run must bring an access that loom sees before the call, and before each use that
/// depends on it.
#[allow(dead_code, reason = "the models call it")]
pub(crate) fn set_heavy_fence(granted: bool) {
    HEAVY.store(granted, std::sync::atomic::Ordering::Relaxed);
}

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
    pub(crate) fn block(&self, _word: &AtomicU32, _expected: u32, _timeout: Option<Duration>) {
        let mut woken = super::lock(&self.woken);
        while !*woken {
            woken = self.condition.wait(woken).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        *woken = false;
    }

    pub(crate) fn wake(&self, _word: &AtomicU32) {
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
