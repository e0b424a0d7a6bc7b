//! Lent threads: how a thread that the host lends to a pool becomes a worker, and how it stops being one.
//!
//! A lent thread keeps its [`Worker`] in a thread-local, because no frame of this crate stays on its stack. It stops
//! being a worker when it shuts the pool down itself, drops or detaches it; when it notices that another thread
//! dropped the pool; and at the latest when the thread ends.

use std::cell::RefCell;
use std::ptr;

use super::Worker;
use super::current::{self, with_current};
use crate::scheduler::registry::Registry;
use crate::sync::{Arc, local};

local! {
    /// The worker of the calling thread, if its host lent it to a pool.
    static HOST: RefCell<Option<Host>> = RefCell::new(None);
}

struct Host(Box<Worker>);

impl Host {
    /// Makes the calling thread stop being this worker; the worker and its deque stay. Foreign code runs inside jobs
    /// only. So a caller that is outside any job has no frame on its stack that still uses the worker.
    fn forget(&self) {
        // A forked child runs no jobs: they are the parent's.
        if !self.0.registry.forked() {
            self.0.hand_over();
        }
        current::unset(&self.0);
    }
}

impl Drop for Host {
    /// Runs in the thread's teardown at the latest. At that time there may be no other thread to run the jobs that
    /// the pool accepted, so this one runs them.
    fn drop(&mut self) {
        let registry = &self.0.registry;
        if !registry.forked() && registry.threads() == 0 {
            registry.close();
            self.0.drain(None);
        }
        self.forget();
        // The worker outlives the user code that is dropped here, and this thread is not that worker any more.
        if !registry.forked() {
            registry.drop_user_code_alone();
        }
    }
}

/// Whether the calling thread can be lent. It cannot any more once its locals are gone, at its very end.
pub(crate) fn can_lend() -> bool {
    HOST.try_with(|_| ()).is_ok()
}

/// Makes the calling thread, which is no worker yet, `worker`, until [`return_host`] or the thread's end. The thread
/// [can be lent](can_lend).
pub(crate) fn lend_host(worker: Worker) {
    let host = Host(Box::new(worker));
    // SAFETY: the box keeps the worker in its place. Dropping the host, which frees the box, first calls `unset`.
    unsafe { current::set(&host.0) };
    // A host that was in the slot has been forgotten already: the thread was no worker.
    let before = HOST.with(|slot| slot.borrow_mut().replace(host));
    drop(before);
}

/// Makes the calling thread stop being a worker of `registry`, if it was lent to that pool.
pub(crate) fn return_host(registry: &Registry) {
    let host = HOST.try_with(|slot| {
        let mut slot = slot.borrow_mut();
        slot.take_if(|host| ptr::eq(&raw const *host.0.registry, registry))
    });
    drop(host);
}

/// As [`return_host`], if the pool that the calling thread was lent to has been dropped meanwhile, and the thread is
/// in none of its jobs. The worker stays in memory until the thread ends or is lent again: a frame of this crate on
/// the thread's stack may still refer to it.
pub(crate) fn return_host_of_dropped_pool() {
    let abandoned = with_current(|worker| {
        let worker =
            worker.filter(|worker| worker.is_lent() && !worker.inside() && worker.registry.owner_dropped());
        // A forked child runs no jobs: they are the parent's.
        if let Some(worker) = worker.filter(|worker| !worker.registry.forked()) {
            worker.drain(None);
        }
        worker.map(|worker| Arc::clone(&worker.registry))
    });
    if let Some(registry) = abandoned {
        let _ = HOST.try_with(|slot| slot.borrow().as_ref().map(Host::forget));
        if !registry.forked() {
            registry.drop_user_code_alone();
        }
    }
}
