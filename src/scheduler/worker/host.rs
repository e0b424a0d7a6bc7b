//! A thread that its host lent to a pool: how it becomes a worker, and ceases to be one.

use std::cell::RefCell;
use std::ptr;

use super::Worker;
use super::current::{self, with_current};
use crate::scheduler::registry::Registry;
use crate::sync::{Arc, local};

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
            self.0.hand_over();
        }
        current::unset(&self.0);
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
            registry.drop_user_code_alone();
        }
    }
}

/// Makes the calling thread, which is no worker yet, `worker` until [`return_host`] or its end.
pub(crate) fn lend_host(worker: Worker) {
    let host = Host(Box::new(worker));
    // SAFETY: the box keeps it where it is until the host is dropped, which ends it first.
    unsafe { current::set(&host.0) };
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
pub(crate) fn return_host_of_dropped_pool() {
    let abandoned = with_current(|worker| {
        let worker =
            worker.filter(|worker| worker.is_lent() && !worker.inside() && worker.registry.owner_dropped());
        // In a forked child the jobs are the parent's to run.
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
