//! A packet: what a job and its handle share.
//!
//! One allocation holds the job's closure, a slot for its result, and a count latch that opens when the slot is
//! filled. The pool only moves a reference to the packet.
//!
//! | slot | meaning | next |
//! |---|---|---|
//! | `Pending` | the job has not ended, the handle exists | `Ready` by the job, `Detached` if the handle is dropped |
//! | `Detached` | the handle is gone | – |
//! | `Ready` | the result waits for the handle | `Taken` by the handle |
//! | `Taken` | the handle has taken the result, or was dropped | – |
//!
//! The thread that takes the closure out of its lock runs it: a worker that comes to the reference, or a worker
//! that waits for the job before the job has begun. So the job runs once, whichever of them comes first.
//!
//! Closure and slot are each behind a mutex. Both are locked about twice in a job's life and are hardly ever
//! contended, and the allocation costs more than the locks.

use std::panic::{AssertUnwindSafe, RefUnwindSafe};

use crate::scheduler::registry::Shared;
use crate::sync::{Mutex, StdArc, lock};
use crate::system::process;
use crate::system::unwind::{self, Payload};
use crate::tasks::error::JoinError;
use crate::waiting::latch::CountLatch;

pub(super) enum Slot<T> {
    Pending,
    /// The handle is gone: no thread takes the result.
    Detached,
    Ready(Result<T, JoinError>),
    Taken,
}

/// The code of a job.
pub(super) trait Body<T>: Send + Sync + RefUnwindSafe {
    /// Runs the code and returns the result. Returns `None` if it ran before, or runs by other means.
    fn call(&self) -> Option<Result<T, JoinError>>;

    /// Drops the code without running it.
    fn discard(&self);
}

/// A closure, until a thread takes it out.
pub(super) struct Closure<F>(pub(super) AssertUnwindSafe<Mutex<Option<F>>>);

impl<T, F: FnOnce() -> T + Send> Body<T> for Closure<F> {
    fn call(&self) -> Option<Result<T, JoinError>> {
        let f = lock(&self.0).take()?;
        Some(unwind::catch(f).map_err(JoinError::Panicked))
    }

    fn discard(&self) {
        let f = lock(&self.0).take();
        drop(f);
    }
}

/// The code of a job that runs by other means than a closure.
pub(super) struct Elsewhere;

impl<T> Body<T> for Elsewhere {
    fn call(&self) -> Option<Result<T, JoinError>> {
        None
    }

    fn discard(&self) {}
}

/// The part that a job and its handle share.
pub(super) struct Packet<T, B: ?Sized = dyn Body<T>> {
    pub(super) slot: Mutex<Slot<T>>,
    pub(super) done: CountLatch,
    /// The fork generation of the process that the job was spawned in.
    generation: u32,
    /// The [address] of the job's pool; 0 for a job that runs by other means.
    pub(super) pool: usize,
    body: B,
}

/// Returns a number that tells a pool from other pools.
pub(super) fn address(registry: &Shared) -> usize {
    (&raw const **registry).addr()
}

impl<T, B> Packet<T, B> {
    pub(super) fn new(generation: u32, pool: usize, body: B) -> StdArc<Packet<T, B>> {
        StdArc::new(Packet {
            slot: Mutex::new(Slot::Pending),
            done: CountLatch::new(1),
            generation,
            pool,
            body,
        })
    }
}

impl<T, B: ?Sized> Packet<T, B> {
    /// Whether the job was left behind: this process is a forked child of the process that the job was spawned in,
    /// and the job had not ended at the fork. The caller must then not lock the slot: the thread that may hold its
    /// lock was left behind as well.
    pub(super) fn lost(&self) -> bool {
        self.generation != process::current() && self.done.count() > 0
    }

    /// Fills the slot and opens the latch. Returns a panic payload if there is no handle to take it.
    pub(super) fn fill(&self, result: Result<T, JoinError>) -> Option<Payload> {
        let unseen = {
            let mut slot = lock(&self.slot);
            match *slot {
                Slot::Detached => Some(result),
                _ => {
                    *slot = Slot::Ready(result);
                    None
                }
            }
        };
        self.done.count_down();
        match unseen {
            Some(Err(JoinError::Panicked(payload))) => Some(payload),
            _ => None,
        }
    }

    /// Takes the result out of the slot, which must be filled.
    pub(super) fn take(&self) -> Result<T, JoinError> {
        match std::mem::replace(&mut *lock(&self.slot), Slot::Taken) {
            Slot::Ready(result) => result,
            _ => panic!("a JoinHandle was polled after it had returned its result"),
        }
    }
}

impl<T, B: Body<T> + ?Sized> Packet<T, B> {
    /// Runs the job, unless it ran before.
    pub(super) fn run(&self) {
        if let Some(result) = self.body.call()
            && let Some(payload) = self.fill(result)
        {
            // There is no handle: the panic goes to the panic handler, as a panic of an `execute`d closure does.
            unwind::resume(payload);
        }
    }
}

/// The pool's end of a job that has a handle, before the pool has taken it.
pub(super) struct Task<T, F>(pub(super) StdArc<Packet<T, Closure<F>>>);

impl<T, F> Task<T, F>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    pub(crate) fn run(self) {
        self.0.run();
    }
}

/// The closure of a job that its pool did not take. The closure is dropped with this.
pub(crate) struct Refused<T>(pub(super) StdArc<Packet<T>>);

impl<T> Drop for Refused<T> {
    fn drop(&mut self) {
        self.0.body.discard();
    }
}

/// The duty to report the end of a job, which runs by other means than a closure, to the job's handle. One word,
/// also in an `Option`.
pub(crate) struct Promise<T>(pub(super) StdArc<Packet<T, Elsewhere>>);

impl<T> Promise<T> {
    /// Reports the end of the job. Returns a panic payload if there is no handle to take it.
    pub(crate) fn fill(self, result: Result<T, JoinError>) -> Option<Payload> {
        self.0.fill(result)
    }
}

impl<T> Drop for Promise<T> {
    /// If the promise was not kept, the job will not run.
    #[cold]
    fn drop(&mut self) {
        if self.0.done.count() > 0 && !self.0.lost() {
            self.0.fill(Err(JoinError::Closed));
        }
    }
}
