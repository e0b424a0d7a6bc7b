//! A job with a handle: what the two share, and the handle.
//!
//! One allocation holds the job's closure, a slot for its result, and a counter latch that opens when the slot is filled.
//! What goes through the pool is a reference to it. Whoever takes the closure out of its lock runs it: a worker that comes
//! to the reference, or one that waits for the job before that has begun. Closure and slot are behind a mutex each: locked
//! twice in a job's life, hardly ever by two at once, and the allocation costs more.

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, RefUnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::error::JoinError;
use crate::scheduler::registry::Shared;
use crate::scheduler::waiter::deadline;
use crate::scheduler::worker::{Wait, with_current};
use crate::sync::{Mutex, StdArc, lock};
use crate::system::process;
use crate::system::unwind::{self, Payload};
use crate::waiting::latch::{CountLatch, Ticket};

enum Slot<T> {
    Pending,
    /// The handle is gone; nobody will look.
    Detached,
    Ready(Result<T, JoinError>),
    Taken,
}

/// What is to be run.
trait Body<T>: Send + Sync + RefUnwindSafe {
    /// Runs it, unless that was done.
    fn call(&self) -> Option<Result<T, JoinError>>;

    /// Drops it unrun.
    fn discard(&self);
}

/// A closure, until somebody takes it.
pub(crate) struct Closure<F>(AssertUnwindSafe<Mutex<Option<F>>>);

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
pub(crate) struct Elsewhere;

impl<T> Body<T> for Elsewhere {
    fn call(&self) -> Option<Result<T, JoinError>> {
        None
    }

    fn discard(&self) {}
}

struct Packet<T, B: ?Sized = dyn Body<T>> {
    slot: Mutex<Slot<T>>,
    done: CountLatch,
    /// Of the process that the job was spawned in.
    generation: u32,
    /// What tells its pool from others.
    pool: usize,
    body: B,
}

/// What tells a pool from others.
fn address(registry: &Shared) -> usize {
    (&raw const **registry).addr()
}

impl<T, B> Packet<T, B> {
    fn new(generation: u32, pool: usize, body: B) -> StdArc<Packet<T, B>> {
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
    fn lost(&self) -> bool {
        self.generation != process::current() && self.done.count() > 0
    }

    /// Fills the slot. A payload that nobody will look at comes back.
    fn fill(&self, result: Result<T, JoinError>) -> Option<Payload> {
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

    fn take(&self) -> Result<T, JoinError> {
        match std::mem::replace(&mut *lock(&self.slot), Slot::Taken) {
            Slot::Ready(result) => result,
            _ => panic!("a JoinHandle was polled after it had returned its result"),
        }
    }
}

impl<T, B: Body<T> + ?Sized> Packet<T, B> {
    /// Runs the job, unless that was done.
    fn run(&self) {
        if let Some(result) = self.body.call()
            && let Some(payload) = self.fill(result)
        {
            // Nobody joins: the panic goes where those of `execute` go.
            unwind::resume(payload);
        }
    }
}

/// A job that has a handle, before the pool has it.
pub(crate) struct Task<T, F>(StdArc<Packet<T, Closure<F>>>);

impl<T, F> Task<T, F>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    pub(crate) fn new(registry: &Shared, f: F) -> (Task<T, F>, JoinHandle<T>) {
        let body = Closure(AssertUnwindSafe(Mutex::new(Some(f))));
        let packet = Packet::new(registry.generation(), address(registry), body);
        (Task(StdArc::clone(&packet)), JoinHandle { packet, ticket: None })
    }

    pub(crate) fn run(self) {
        self.0.run();
    }
}

/// The closure of a job that its pool did not take; goes where this is dropped.
pub(crate) struct Refused<T>(StdArc<Packet<T>>);

impl<T> Drop for Refused<T> {
    fn drop(&mut self) {
        self.0.body.discard();
    }
}

impl<T> JoinHandle<T> {
    /// The pool has not taken the job.
    pub(crate) fn refuse(&self, error: JoinError) -> Refused<T> {
        self.packet.fill(Err(error));
        Refused(StdArc::clone(&self.packet))
    }
}

/// The duty to say what became of a job that somebody has the handle of. One word, also in an `Option`.
pub(crate) struct Promise<T>(StdArc<Packet<T, Elsewhere>>);

/// The two ends of a job that runs by other means than a closure, in the process `generation`.
pub(crate) fn promise<T: 'static>(generation: u32) -> (Promise<T>, JoinHandle<T>) {
    let packet = Packet::new(generation, 0, Elsewhere);
    (Promise(StdArc::clone(&packet)), JoinHandle { packet, ticket: None })
}

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

/// The right to the result of a job that was [spawned](crate::Pool::spawn).
///
/// [`join`](Self::join) blocks for it, or await the handle, on any executor. Dropping the handle
/// detaches the job: it runs all the same, what it returns is dropped, and what it panics with goes
/// to the pool's panic handler. If the job has ended by then, its result is dropped with the handle,
/// also if that is what it panicked with: the handler is not told.
#[must_use = "dropping the handle detaches the job; use `execute` if that is what you want"]
pub struct JoinHandle<T> {
    packet: StdArc<Packet<T>>,
    ticket: Option<Ticket>,
}

impl<T> JoinHandle<T> {
    /// Waits until the job has ended and returns what it returned.
    ///
    /// On a worker of the job's pool, a job that has not begun is run on the spot. Otherwise a
    /// [spare](crate::PoolBuilder::spares) has the worker's place until the job has ended: the core stays busy, and
    /// whatever the job waits for can go on. Another thread sleeps. Jobs that wait for each other in a circle wait for
    /// ever.
    ///
    /// # Errors
    /// The payload if the job panicked; or that the pool did not take the job; or that this process is a forked
    /// child, and the job did not end before the fork.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::new()?;
    /// assert_eq!(pool.spawn(|| 6 * 7).join()?, 42);
    /// assert!(pool.spawn(|| panic!("lost")).join().unwrap_err().is_panic());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join(self) -> Result<T, JoinError> {
        if !self.packet.lost() {
            self.begin();
            let _ = self.packet.done.wait_until(None, None);
        }
        self.result()
    }

    /// As [`join`](Self::join), with a say in what a worker does meanwhile: see [`Wait`].
    ///
    /// # Errors
    /// As for [`join`](Self::join).
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// let sum = pool.install(|| {
    ///     let parts: Vec<_> = (0..4).map(|n| filch::spawn(move || n)).collect();
    ///     // They wait for nothing, so the worker may as well run any of them meanwhile.
    ///     parts.into_iter().map(|part| part.join_with(filch::Wait::Steal).unwrap()).sum::<i32>()
    /// });
    /// assert_eq!(sum, 6);
    /// # Ok::<(), filch::BuildError>(())
    /// ```
    pub fn join_with(self, wait: Wait) -> Result<T, JoinError> {
        if !self.packet.lost() {
            let _ = self.packet.done.wait_until(None, Some(wait));
        }
        self.result()
    }

    /// As [`join`](Self::join), for `timeout` at most: `Err` with the handle if the job has not ended by then. A timeout
    /// of zero looks once; [`Duration::MAX`] waits for ever. A worker does not run the job on the spot.
    ///
    /// # Errors
    /// The handle, which can be joined again. The inner result is as that of [`join`](Self::join).
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    ///
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// let (release, blocked) = std::sync::mpsc::channel();
    /// let job = pool.spawn(move || blocked.recv());
    /// let Err(job) = job.join_timeout(Duration::from_millis(1)) else { panic!("it is blocked") };
    /// release.send(7)?;
    /// assert_eq!(job.join()?, Ok(7));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join_timeout(self, timeout: Duration) -> Result<Result<T, JoinError>, JoinHandle<T>> {
        let ended = self.is_finished() || !timeout.is_zero() && self.wait_until(deadline(timeout));
        if ended { Ok(self.result()) } else { Err(self) }
    }

    fn wait_until(&self, deadline: Option<Instant>) -> bool {
        self.packet.done.wait_until(deadline, None)
    }

    /// On a worker of the job's pool: runs the job, if that has not begun. The one that waits needs its end anyway.
    fn begin(&self) {
        with_current(|worker| {
            let own = worker.filter(|worker| worker.inside() && address(&worker.registry) == self.packet.pool);
            if let Some(worker) = own.filter(|worker| worker.may_begin() && !worker.registry.forked()) {
                worker.within(|| self.packet.run());
            }
        });
    }

    fn result(self) -> Result<T, JoinError> {
        if self.packet.lost() { Err(JoinError::ForkedProcess) } else { self.packet.take() }
    }

    /// Whether the job has ended, or was left behind by a `fork`. If so, `join` does not block.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.packet.done.count() == 0 || self.packet.lost()
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    /// # Panics
    /// If it is polled again after it was ready.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.packet.lost() {
            return Poll::Ready(Err(JoinError::ForkedProcess));
        }
        match this.packet.done.poll(&mut this.ticket, context) {
            Poll::Ready(()) => Poll::Ready(this.packet.take()),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        if self.packet.lost() {
            return;
        }
        if let Some(ticket) = self.ticket.take() {
            // The task that polled it is not to be woken, nor kept alive, by a job that nobody waits for.
            self.packet.done.deregister(ticket);
        }
        let before = {
            let mut slot = lock(&self.packet.slot);
            match *slot {
                Slot::Pending => std::mem::replace(&mut *slot, Slot::Detached),
                _ => std::mem::replace(&mut *slot, Slot::Taken),
            }
        };
        match before {
            Slot::Ready(Err(JoinError::Panicked(payload))) => unwind::discard(payload),
            other => drop(other),
        }
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").field("finished", &self.is_finished()).finish()
    }
}
