//! Which worker the calling thread is.
//!
//! A raw pointer in a constant-initialised thread-local: one load on the path of every submission.
//! Rejected: an `Rc` in the cell (a counter and a lazy destructor for each access), a pointer to the
//! registry beside an index (two loads, and an `Arc` that must not be dropped in thread teardown).

use std::cell::{Cell, RefCell};
use std::ptr;

use super::Worker;
use crate::fork::Private;
use crate::registry::Registry;
use crate::sync::{Arc, local};

local! {
    static CURRENT: Cell<*const Worker> = Cell::new(ptr::null());
}

local! {
    /// What the worker that the calling thread is keeps for itself, while it may fork: a worker that is in none of its
    /// pool's jobs may not, if it has no main loop.
    static PRIVATE: Cell<*const Private> = Cell::new(ptr::null());
}

/// Calls `f` with what the worker that the calling thread is keeps for itself, if it may fork.
#[inline(always)]
pub(crate) fn with_private<R>(f: impl FnOnce(Option<&Private>) -> R) -> R {
    let private = PRIVATE.try_with(Cell::get).unwrap_or(ptr::null());
    // SAFETY: null, or that of the current worker, as for `with_current`.
    f(unsafe { private.as_ref() })
}

/// As [`with_private`], without the question whether the calling thread may fork.
///
/// # Safety
/// It may.
#[inline(always)]
pub(crate) unsafe fn with_private_again<R>(f: impl FnOnce(&Private) -> R) -> R {
    let private = PRIVATE.with(Cell::get);
    debug_assert!(!private.is_null());
    // SAFETY: it is not null, by the caller's promise, and otherwise as above.
    f(unsafe { &*private })
}

/// Lets the calling thread, which is `worker`, fork or not.
pub(super) fn let_fork(worker: &Worker, may_fork: bool) {
    let private = if may_fork { ptr::from_ref::<Private>(&worker.stack) } else { ptr::null() };
    // In thread teardown the thread goes without.
    let _ = PRIVATE.try_with(|current| current.set(private));
}

/// Calls `f` with the worker that the calling thread is, if any.
#[inline]
pub(crate) fn with_current<R>(f: impl FnOnce(Option<&Worker>) -> R) -> R {
    // A thread whose locals are being destroyed is no worker: workers end before that.
    let worker = CURRENT.try_with(Cell::get).unwrap_or(ptr::null());
    // SAFETY: the cell holds null or what `Current::set` stored: a worker that outlives its `Current`,
    // which resets the cell when it goes. The reference is passed down the stack and cannot be kept;
    // the frame that owns the worker is below.
    f(unsafe { worker.as_ref() })
}

/// While it lives, the calling thread is `worker`.
pub(crate) struct Current<'w> {
    worker: &'w Worker,
}

impl<'w> Current<'w> {
    pub(crate) fn set(worker: &'w Worker) -> Self {
        CURRENT.with(|current| {
            assert!(current.get().is_null(), "the thread is a worker already");
            current.set(worker);
        });
        let_fork(worker, true);
        Current { worker }
    }
}

impl Drop for Current<'_> {
    fn drop(&mut self) {
        CURRENT.with(|current| {
            debug_assert!(ptr::eq(current.get(), self.worker));
            current.set(ptr::null());
        });
        let_fork(self.worker, false);
    }
}

local! {
    /// The worker of a thread that its host lent to a pool.
    static HOST: RefCell<Option<Host>> = RefCell::new(None);
}

struct Host(Box<Worker>);

impl Host {
    /// The calling thread is this worker no longer; its deque outlives it. Foreign code runs in jobs only, so whoever gets here outside any
    /// job has no frame on its stack that will use the worker.
    fn forget(&self) {
        // In a forked child the jobs are the parent's to run.
        if !self.0.registry.forked() {
            self.0.leave_to_others();
        }
        let _ = CURRENT.try_with(|current| {
            if ptr::eq(current.get(), &raw const *self.0) {
                current.set(ptr::null());
                let_fork(&self.0, false);
            }
        });
    }
}

impl Drop for Host {
    /// At the latest in the thread's teardown; then nobody else may be left to run what was accepted.
    fn drop(&mut self) {
        let registry = &self.0.registry;
        if !registry.forked() && registry.threads() == 0 {
            registry.close();
            self.0.drain(None);
        }
        self.forget();
        // The worker outlives what is dropped here, and is this thread's no more.
        if !registry.forked() {
            registry.let_go_alone();
        }
    }
}

/// Makes the calling thread, which is no worker yet, `worker` until [`return_host`] or its end.
pub(crate) fn lend_host(worker: Worker) {
    let host = Host(Box::new(worker));
    CURRENT.with(|current| {
        assert!(current.get().is_null(), "the thread is a worker already");
        current.set(&raw const *host.0);
    });
    // What was there, if anything, was forgotten before.
    let before = HOST.with(|slot| slot.borrow_mut().replace(host));
    drop(before);
}

/// Ends the calling thread's time as a worker of `registry`, if it was lent to it.
pub(crate) fn return_host(registry: &Registry) {
    let host = HOST.try_with(|slot| {
        let mut slot = slot.borrow_mut();
        slot.take_if(|host| ptr::eq(&raw const *host.0.registry, registry))
    });
    drop(host);
}

/// As [`return_host`], if the calling thread was lent to a pool that has been dropped meanwhile, and is in none of its
/// jobs. The worker stays until the thread's end or its next loan: a frame of ours may still name it.
pub(crate) fn return_abandoned_host() {
    let abandoned = with_current(|worker| {
        let worker =
            worker.filter(|worker| worker.is_lent() && !worker.inside() && worker.registry.abandoned());
        // In a forked child the jobs are the parent's to run.
        if let Some(worker) = worker.filter(|worker| !worker.registry.forked()) {
            worker.drain(None);
        }
        worker.map(|worker| Arc::clone(&worker.registry))
    });
    if let Some(registry) = abandoned {
        let _ = HOST.try_with(|slot| slot.borrow().as_ref().map(Host::forget));
        if !registry.forked() {
            registry.let_go_alone();
        }
    }
}
