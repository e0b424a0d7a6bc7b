//! The build for the lab: threads, words, locks and a clock of a machine in virtual time, behind the names of
//! [`super`].
//!
//! Unlike a checker's build it runs what ships, with its naps, spins and time-outs. All accesses have one order; what
//! an ordering changes is what the access costs.

pub(crate) use filch_lab_machine::thread::{Builder as ThreadBuilder, JoinHandle, yield_now};
pub(crate) use filch_lab_machine::{
    AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Instant, Mutex, MutexGuard, spin_loop,
    thread_local,
};
pub(crate) use std::sync::Arc;

pub(crate) use super::plain::Life;

use std::time::Duration;

use super::site::Site;

/// A cell whose uses cost what its cache lines cost.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        UnsafeCell(std::cell::UnsafeCell::new(value))
    }

    pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        filch_lab_machine::read(self.0.get());
        f(self.0.get())
    }

    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        filch_lab_machine::change(self.0.get());
        f(self.0.get())
    }
}

/// A memory fence of the strength that `site` names.
pub(crate) fn fence(site: Site) {
    filch_lab_machine::fence(site.get());
}

/// Does nothing: the other half is the machine's fence on all its cores.
pub(crate) fn light_fence(_site: Site) {}

/// Returns whether the checked system grants the heavy fence. The lab's machine has one.
pub(crate) const fn has_heavy_fence() -> bool {
    true
}

/// Does nothing: this build explores nothing.
pub(crate) fn prune() {}

/// Always `false`: deliberate defects exist only under a checker.
pub(crate) const fn defect(_name: &str) -> bool {
    false
}

/// Blocks on the parker's word, as on a futex.
#[derive(Debug, Default)]
pub(crate) struct Blocker(());

impl Blocker {
    #[expect(clippy::unused_self, reason = "a checker's blocker has a state")]
    pub(crate) fn adopt(&self) {}

    #[expect(clippy::unused_self, reason = "a checker's blocker has a state")]
    pub(crate) fn block(&self, word: &AtomicU32, expected: u32, timeout: Option<Duration>) {
        filch_lab_machine::wait(word, expected, timeout);
    }

    #[expect(clippy::unused_self, reason = "a checker's blocker has a state")]
    pub(crate) fn wake(&self, word: &AtomicU32) {
        filch_lab_machine::wake(word);
    }
}

macro_rules! local {
    ($(#[$meta:meta])* static $name:ident: $ty:ty = $init:expr;) => {
        filch_lab_machine::thread_local! { $(#[$meta])* static $name: $ty = $init; }
    };
}
pub(crate) use local;
