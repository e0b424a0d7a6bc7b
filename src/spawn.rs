//! `execute` and `spawn`: one closure, run once by some worker.
//!
//! A handle shares a slot for the result with its job, and a counter latch that opens when the slot is
//! filled. The slot is behind a mutex: it is locked twice in its life, hardly ever by both at once, and
//! the allocation that the two share costs more.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::error::{Closed, ClosedReason, JoinError};
use crate::job::Job;
use crate::latch::{CountLatch, Ticket};
use crate::process;
use crate::registry::Shared;
use crate::sync::{Arc, Mutex, lock};
use crate::unwind::{self, Payload};
use crate::worker::{Worker, with_current};

/// Hands `f` to the pool: onto the deque of the calling worker, or through the injector.
#[inline]
pub(crate) fn execute<F>(registry: &Shared, f: F) -> Result<(), Closed<F>>
where
    F: FnOnce() + Send + 'static,
{
    with_current(|worker| match worker {
        Some(worker) if Arc::ptr_eq(&worker.registry, registry) && worker.inside() => {
            if registry.forked() {
                return Err(Closed::new(f, ClosedReason::ForkedProcess));
            }
            worker.push(Job::new(f));
            Ok(())
        }
        _ => match registry.enter() {
            Ok(entry) => {
                match worker.filter(|worker| Arc::ptr_eq(&worker.registry, registry)) {
                    // A lent thread: it finds its own jobs first when it waits or yields. It may be a while.
                    Some(host) => host.push_shown(Job::new(f)),
                    None => entry.inject(Job::new(f)),
                }
                Ok(())
            }
            Err(reason) => Err(Closed::new(f, reason)),
        },
    })
}

/// As [`execute`], but of the jobs that one worker submits so, the oldest runs first: each goes to a queue, and a token
/// to the deque, and whoever comes to a token runs the oldest job of that queue.
pub(crate) fn execute_fifo<F>(registry: &Shared, f: F) -> Result<(), Closed<F>>
where
    F: FnOnce() + Send + 'static,
{
    let own = |worker: &&Worker| Arc::ptr_eq(&worker.registry, registry) && worker.inside();
    let fifo = with_current(|worker| worker.filter(own).map(Worker::fifo));
    let Some(fifo) = fifo.filter(|_| !registry.forked()) else {
        // The injector is in order already.
        return execute(registry, f);
    };
    lock(&fifo).push_back(Job::new(f));
    let token = move || {
        let job = lock(&fifo).pop_front();
        job.unwrap_or_else(|| unreachable!("a token without a job")).run();
    };
    match execute(registry, token) {
        Ok(()) => Ok(()),
        Err(_) => unreachable!("a worker's own pool takes what its jobs submit"),
    }
}

enum Slot<T> {
    Pending,
    /// The handle is gone; nobody will look.
    Detached,
    Ready(Result<T, JoinError>),
    Taken,
}

struct Packet<T> {
    slot: Mutex<Slot<T>>,
    done: CountLatch,
    /// Of the process that the job was spawned in.
    generation: u32,
}

impl<T> Packet<T> {
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

/// The handle, and the job if the pool did not take it: for the caller to drop where foreign code may run.
pub(crate) fn spawn<F, T>(registry: &Shared, f: F) -> (JoinHandle<T>, Option<impl Sized + use<F, T>>)
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let (slot, generation) = (Mutex::new(Slot::Pending), registry.generation());
    let packet = Arc::new(Packet { slot, done: CountLatch::new(1), generation });
    let job = {
        let packet = Arc::clone(&packet);
        move || {
            let result = unwind::catch(f).map_err(JoinError::Panicked);
            if let Some(payload) = packet.fill(result) {
                // Nobody joins: the panic goes where those of `execute` go.
                unwind::resume(payload);
            }
        }
    };
    let refused = execute(registry, job).err();
    if let Some(closed) = &refused {
        packet.fill(Err(JoinError::from(closed.reason())));
    }
    (JoinHandle { packet, ticket: None }, refused)
}

/// The duty to say what became of a job that somebody has the handle of. One word, also in an `Option`.
pub(crate) struct Promise<T>(Arc<Packet<T>>);

/// The two ends of a job that runs by other means than [`spawn`], in the process `generation`.
pub(crate) fn promise<T>(generation: u32) -> (Promise<T>, JoinHandle<T>) {
    let packet = Arc::new(Packet { slot: Mutex::new(Slot::Pending), done: CountLatch::new(1), generation });
    (Promise(Arc::clone(&packet)), JoinHandle { packet, ticket: None })
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
    packet: Arc<Packet<T>>,
    ticket: Option<Ticket>,
}

impl<T> JoinHandle<T> {
    /// Waits until the job has ended and returns what it returned.
    ///
    /// On a worker it runs other jobs meanwhile, so a job may wait for jobs of its own pool; elsewhere
    /// the thread sleeps.
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
        if self.packet.lost() {
            return Err(JoinError::ForkedProcess);
        }
        self.packet.done.wait();
        self.packet.take()
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
