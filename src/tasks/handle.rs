//! The handle of a job, on which a caller waits for what the job returns or panics with.

use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::packet::{Closure, Elsewhere, Packet, Promise, Refused, Slot, Task, address};
use crate::scheduler::registry::Shared;
use crate::scheduler::waiter::deadline;
use crate::scheduler::worker::{Wait, with_current};
use crate::sync::{Mutex, StdArc, lock};
use crate::system::clock::Instant;
use crate::system::unwind;
use crate::tasks::error::JoinError;
use crate::waiting::latch::Ticket;

/// The right to the result of a job that was [spawned](crate::Pool::spawn).
///
/// [`join`](Self::join) blocks until the result is there. The handle can also be awaited, on any executor.
///
/// Dropping the handle detaches the job: the job runs all the same, its result is dropped, and its panic goes to
/// the pool's panic handler. If the job has ended already, its result is dropped with the handle. That holds for a
/// panic as well: the panic handler is not told.
///
/// # Examples
/// ```
/// let pool = filch::Pool::builder().workers(1).build()?;
/// let sum: filch::JoinHandle<u32> = pool.spawn(|| (1..=10).sum::<u32>());
/// // The caller can do something else before it needs the sum.
/// assert_eq!(sum.join()?, 55);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping the handle detaches the job; use `execute` if that is what you want"]
pub struct JoinHandle<T> {
    packet: StdArc<Packet<T>>,
    ticket: Option<Ticket>,
}

impl<T> JoinHandle<T> {
    /// Waits until the job has ended and returns what the job returned.
    ///
    /// Called in a job of the same pool, it runs a spawned job that has not begun on the spot, as long as the
    /// worker's stack is [short enough](crate::PoolBuilder::help_stack). In every other case, a job that calls this
    /// leaves its worker's place to a [spare](crate::PoolBuilder::spares) until the awaited job has ended: the core
    /// stays busy, and whatever the awaited job waits for can go on. A thread that was lent with
    /// [`use_current_thread`](crate::PoolBuilder::use_current_thread) and is in no job runs jobs of its pool. Any
    /// other thread sleeps.
    ///
    /// Jobs that wait for each other in a cycle wait for ever.
    ///
    /// # Errors
    /// * [`JoinError::Panicked`], with the payload, if the job panicked.
    /// * [`JoinError::Closed`] if the pool did not take the job.
    /// * [`JoinError::ForkedProcess`] if this process is a forked child, and the job did not end before the fork.
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

    /// Waits like [`join`](Self::join), and lets the caller choose what a worker does meanwhile: see [`Wait`].
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
            if wait == Wait::OwnScope {
                self.begin();
            }
            let _ = self.packet.done.wait_until(None, Some(wait));
        }
        self.result()
    }

    /// Waits like [`join`](Self::join), but for at most `timeout`. If the job has not ended by then, gives the
    /// handle back.
    ///
    /// A timeout of zero looks once. [`Duration::MAX`] waits for ever. A worker does not run the job on the spot.
    ///
    /// # Errors
    /// The handle, which can be joined again. The inner result is that of [`join`](Self::join).
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

    /// In a job of the same pool: runs the awaited job, if it has not begun. The caller needs its end in any case.
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

    /// Returns whether the job has ended, or a `fork` left it behind. In both cases `join` does not block.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// let (release, blocked) = std::sync::mpsc::channel();
    /// let job = pool.spawn(move || blocked.recv());
    /// assert!(!job.is_finished());
    /// release.send(7)?;
    /// assert_eq!(job.join()?, Ok(7));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.packet.done.count() == 0 || self.packet.lost()
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    /// # Panics
    /// If the handle is polled again after it was ready.
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
            // No handle waits for the job any more, so the job must not wake the task that polled the handle, nor
            // keep it alive.
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
}

/// Creates the promise and the handle of a job that runs by other means than a closure. `generation` is the fork
/// generation of the process that runs it.
pub(crate) fn promise<T: 'static>(generation: u32) -> (Promise<T>, JoinHandle<T>) {
    let packet = Packet::new(generation, 0, Elsewhere);
    (Promise(StdArc::clone(&packet)), JoinHandle { packet, ticket: None })
}

impl<T> JoinHandle<T> {
    /// Fills in that the pool has not taken the job.
    pub(super) fn refuse(&self, error: JoinError) -> Refused<T> {
        self.packet.fill(Err(error));
        Refused(StdArc::clone(&self.packet))
    }
}
