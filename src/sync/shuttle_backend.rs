//! The build for schedules drawn at random: shuttle's types behind the names of [`super`].
//!
//! shuttle runs all threads as coroutines of one thread, and treats every access as sequentially consistent. So
//! fences do nothing here, and the orderings that [`site`](super::site) names do not reach shuttle.

pub(crate) use shuttle::hint::spin_loop;
pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize};
pub(crate) use shuttle::sync::{Arc, Mutex, MutexGuard};
pub(crate) use shuttle::thread::{Builder as ThreadBuilder, JoinHandle, yield_now};
pub(crate) use shuttle::thread_local;

pub(crate) use super::defect::defect;
pub(crate) use super::plain::{Life, UnsafeCell};

use shuttle::rand::Rng;
use shuttle::sync::Condvar;
use std::time::Duration;

use super::site::Site;

/// Does nothing: all accesses have one order.
pub(crate) fn fence(_site: Site) {}

pub(crate) use fence as light_fence;

/// Returns whether the checked system grants the heavy fence. It does, unless the variable `FILCH_HEAVY_FENCE` is `0`.
pub(crate) fn has_heavy_fence() -> bool {
    static GRANTED: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    *GRANTED.get_or_init(|| std::env::var("FILCH_HEAVY_FENCE").as_deref() != Ok("0"))
}

/// Does nothing: shuttle draws each execution separately.
pub(crate) fn prune() {}

/// On average one of this many calls of [`Blocker::block`] returns for no reason.
const SPURIOUS: u32 = 16;

/// A lock and a condition. Not shuttle's `park`: it may return spuriously at each step, and most steps of a pool at
/// rest would go to workers that look and park again. Here the schedule decides once for each sleep whether it ends
/// spuriously.
#[derive(Debug)]
pub(crate) struct Blocker {
    woken: Mutex<bool>,
    condition: Condvar,
}

impl Default for Blocker {
    fn default() -> Self {
        Blocker { woken: Mutex::new(false), condition: Condvar::new() }
    }
}

impl Blocker {
    pub(crate) fn adopt(&self) {}

    /// Blocks until [`wake`](Self::wake), or not at all. Timeouts never fire under the checker: no program may need
    /// them to make progress.
    pub(crate) fn block(&self, _word: &AtomicU32, _expected: u32, _timeout: Option<Duration>) {
        if shuttle::rand::thread_rng().gen_ratio(1, SPURIOUS) {
            yield_now();
            return;
        }
        let mut woken = super::lock(&self.woken);
        while !*woken {
            woken = self.condition.wait(woken).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        *woken = false;
    }

    pub(crate) fn wake(&self, _word: &AtomicU32) {
        *super::lock(&self.woken) = true;
        self.condition.notify_one();
    }
}

macro_rules! local {
    ($(#[$meta:meta])* static $name:ident: $ty:ty = $init:expr;) => {
        shuttle::thread_local! { $(#[$meta])* static $name: $ty = $init; }
    };
}
pub(crate) use local;
