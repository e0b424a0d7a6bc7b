//! A job with a handle: what the two share.
//!
//! One allocation holds the job's closure, a slot for its result, and a counter latch that opens when the slot is filled.
//! What goes through the pool is a reference to it. Whoever takes the closure out of its lock runs it: a worker that comes
//! to the reference, or one that waits for the job before that has begun. Closure and slot are behind a mutex each: locked
//! twice in a job's life, hardly ever by two at once, and the allocation costs more.

use std::panic::{AssertUnwindSafe, RefUnwindSafe};

use crate::scheduler::registry::Shared;
use crate::sync::{Mutex, StdArc, lock};
use crate::system::process;
use crate::system::unwind::{self, Payload};
use crate::tasks::error::JoinError;
use crate::waiting::latch::CountLatch;

pub(super) enum Slot<T> {
    Pending,
    /// The handle is gone; nobody will look.
    Detached,
    Ready(Result<T, JoinError>),
    Taken,
}

/// What is to be run.
pub(super) trait Body<T>: Send + Sync + RefUnwindSafe {
    /// Runs it, unless that was done.
    fn call(&self) -> Option<Result<T, JoinError>>;

    /// Drops it unrun.
    fn discard(&self);
}

/// A closure, until somebody takes it.
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

/// Of a job that runs by other means.
pub(super) struct Elsewhere;

impl<T> Body<T> for Elsewhere {
    fn call(&self) -> Option<Result<T, JoinError>> {
        None
    }

    fn discard(&self) {}
}

pub(super) struct Packet<T, B: ?Sized = dyn Body<T>> {
    pub(super) slot: Mutex<Slot<T>>,
    pub(super) done: CountLatch,
    /// Of the process that the job was spawned in.
    generation: u32,
    /// What tells its pool from others.
    pub(super) pool: usize,
    body: B,
}

/// What tells a pool from others.
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
    /// Whether the job was left behind: this process is a forked child of the one that it was spawned in, and it
    /// had not ended by then. Whoever may hold the slot's lock was left behind as well.
    pub(super) fn lost(&self) -> bool {
        self.generation != process::current() && self.done.count() > 0
    }

    /// Fills the slot. A payload that nobody will look at comes back.
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

    pub(super) fn take(&self) -> Result<T, JoinError> {
        match std::mem::replace(&mut *lock(&self.slot), Slot::Taken) {
            Slot::Ready(result) => result,
            _ => panic!("a JoinHandle was polled after it had returned its result"),
        }
    }
}

impl<T, B: Body<T> + ?Sized> Packet<T, B> {
    /// Runs the job, unless that was done.
    pub(super) fn run(&self) {
        if let Some(result) = self.body.call()
            && let Some(payload) = self.fill(result)
        {
            // Nobody joins: the panic goes where those of `execute` go.
            unwind::resume(payload);
        }
    }
}

/// A job that has a handle, before the pool has it.
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

/// The closure of a job that its pool did not take; goes where this is dropped.
pub(crate) struct Refused<T>(pub(super) StdArc<Packet<T>>);

impl<T> Drop for Refused<T> {
    fn drop(&mut self) {
        self.0.body.discard();
    }
}

/// The duty to say what became of a job that somebody has the handle of. One word, also in an `Option`.
pub(crate) struct Promise<T>(pub(super) StdArc<Packet<T, Elsewhere>>);

impl<T> Promise<T> {
    /// The job has ended. A payload that nobody will look at comes back.
    pub(crate) fn fill(self, result: Result<T, JoinError>) -> Option<Payload> {
        self.0.fill(result)
    }
}

impl<T> Drop for Promise<T> {
    /// The job will not run, unless the promise was kept.
    #[cold]
    fn drop(&mut self) {
        if self.0.done.count() > 0 && !self.0.lost() {
            self.0.fill(Err(JoinError::Closed));
        }
    }
}
