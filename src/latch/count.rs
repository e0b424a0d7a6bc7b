//! The counter latch: how many things have still to happen.
//!
//! One word holds the count and, in bit 0, whether the list of waiters is worth a look:
//!
//! | transition | by | word |
//! |---|---|---|
//! | `add(n)` | anyone | count += n |
//! | `count_down` | anyone | count −= 1; at 0 with bit 0 set: release the waiters |
//! | register | a waiter, holding the list's lock | set bit 0; if the count is 0, do not wait |
//! | release | who counted down to 0, holding the list's lock | clear bit 0, take all waiters |
//!
//! Both sides change the same word by read-modify-write, so they are ordered without a fence: either
//! the last `count_down` comes second and sees the bit, or the waiter comes second and sees 0.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::waiters::{Ticket, WaitList, Wake};
use crate::sync::site::{COUNT_ADD, COUNT_DOWN, COUNT_HINT, COUNT_PROBE, COUNT_REGISTER, COUNT_RELEASE};
use crate::sync::{AtomicUsize, defect};
use crate::unwind;

const WAITERS: usize = 1;
const ONE: usize = 2;

/// A counter that threads and tasks can wait on until it is zero.
///
/// The Go seed's `WaitGroup`: [`add`](Self::add) before work is handed out,
/// [`count_down`](Self::count_down) when a piece is done, `wait` for all. It may be used again after
/// it reached zero; a wait ends when the count was zero at some moment since the wait began.
///
/// `add`, `count_down` and `count` are lock-free: one atomic instruction each. Only when a thread
/// really has to block is a lock taken, to enter and leave the list of waiters. All that happened
/// before a `count_down` is visible to whoever waited for it.
///
/// [`wait`](Self::wait) on a worker runs other jobs of its pool meanwhile. A `&CountLatch` can also be
/// awaited, on any executor.
///
/// A latch belongs to no pool, so it cannot tell that those who should count it down were left behind by a
/// `fork`: in the child, a wait for what jobs of the parent's pool count down lasts for ever.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// let pool = filch::Pool::new()?;
/// let done = Arc::new(filch::CountLatch::new(10));
/// for _ in 0..10 {
///     let done = Arc::clone(&done);
///     pool.execute(move || done.count_down())?;
/// }
/// done.wait();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct CountLatch {
    word: AtomicUsize,
    waiters: WaitList,
}

impl CountLatch {
    /// The largest count.
    pub const MAX: usize = usize::MAX / 4;

    /// A latch at `count`.
    ///
    /// # Panics
    /// If `count` exceeds [`MAX`](Self::MAX).
    #[must_use]
    pub fn new(count: usize) -> CountLatch {
        assert!(count <= Self::MAX, "a count of {count} was given; at most {} is allowed", Self::MAX);
        CountLatch { word: AtomicUsize::new(count * ONE), waiters: WaitList::new() }
    }

    /// Raises the count by `n`.
    ///
    /// # Panics
    /// If the count would exceed [`MAX`](Self::MAX); it is then as before.
    pub fn add(&self, n: usize) {
        let mut word = self.word.load(COUNT_HINT.get());
        loop {
            let count = (word / ONE).checked_add(n).filter(|&count| count <= Self::MAX);
            let Some(count) = count else {
                panic!("adding {n} to a count of {} exceeds {}", word / ONE, Self::MAX);
            };
            let next = (count * ONE) | word & WAITERS;
            match self.word.compare_exchange(word, next, COUNT_ADD.get(), COUNT_HINT.get()) {
                Ok(_) => return,
                Err(seen) => word = seen,
            }
        }
    }

    /// Lowers the count by one and, at zero, releases those who wait.
    ///
    /// # Panics
    /// If the count is zero already; it stays zero. And with what a task's waker panics with, when all who
    /// wait were woken.
    #[inline]
    pub fn count_down(&self) {
        let before = self.word.fetch_sub(ONE, COUNT_DOWN.get());
        if before < 2 * ONE {
            self.reached_zero(before);
        }
    }

    /// The count at this moment.
    #[must_use]
    pub fn count(&self) -> usize {
        self.word.load(COUNT_PROBE.get()) / ONE
    }

    #[cold]
    fn reached_zero(&self, before: usize) {
        if before < ONE {
            self.word.fetch_add(ONE, COUNT_ADD.get());
            self.release();
            panic!("count_down on a latch whose count is 0");
        }
        if before & WAITERS != 0 {
            self.release();
        }
    }

    fn release(&self) {
        let waiters = {
            let mut entries = self.waiters.lock();
            self.word.fetch_and(!WAITERS, COUNT_RELEASE.get());
            if defect("woken_under_lock") {
                entries.take().into_iter().for_each(|(_, wake)| wake.wake());
            }
            entries.take()
        };
        // A waker is foreign code: if one panics, the others must be woken all the same.
        let panics = waiters.into_iter().filter_map(|(_, wake)| unwind::catch(|| wake.wake()).err());
        let first = panics.reduce(|first, next| {
            unwind::discard(next);
            first
        });
        if let Some(payload) = first {
            unwind::resume(payload);
        }
    }

    /// Enters `wake` into the list, unless the count is zero.
    pub(crate) fn register(&self, wake: Wake) -> Option<Ticket> {
        let mut entries = self.waiters.lock();
        if self.word.fetch_or(WAITERS, COUNT_REGISTER.get()) < ONE {
            if entries.is_empty() {
                self.word.fetch_and(!WAITERS, COUNT_RELEASE.get());
            }
            return None;
        }
        Some(entries.push(wake))
    }

    /// Gives up a wait; `false` if it was over.
    pub(crate) fn deregister(&self, ticket: Ticket) -> bool {
        self.waiters.remove(ticket)
    }

    /// One poll of a task's wait, whose place on the list `ticket` remembers between polls.
    pub(crate) fn poll(&self, ticket: &mut Option<Ticket>, context: &mut Context<'_>) -> Poll<()> {
        let waiting = match *ticket {
            Some(held) => self.waiters.renew(held, context.waker()),
            None => {
                *ticket = self.register(Wake::Task(context.waker().clone()));
                ticket.is_some()
            }
        };
        if waiting { Poll::Pending } else { Poll::Ready(()) }
    }
}

impl Default for CountLatch {
    /// A latch at zero.
    fn default() -> Self {
        CountLatch::new(0)
    }
}

impl fmt::Debug for CountLatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CountLatch").field("count", &self.count()).finish_non_exhaustive()
    }
}

/// The future of a [`CountLatch`]: ready when the count is zero.
#[derive(Debug)]
#[must_use = "a future does nothing until it is awaited"]
pub struct CountWait<'l> {
    latch: &'l CountLatch,
    ticket: Option<Ticket>,
    done: bool,
}

impl Future for CountWait<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if !this.done {
            this.done = this.latch.poll(&mut this.ticket, context).is_ready();
        }
        if this.done { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for CountWait<'_> {
    fn drop(&mut self) {
        if let (false, Some(ticket)) = (self.done, self.ticket) {
            self.latch.deregister(ticket);
        }
    }
}

impl<'l> IntoFuture for &'l CountLatch {
    type Output = ();
    type IntoFuture = CountWait<'l>;

    fn into_future(self) -> CountWait<'l> {
        CountWait { latch: self, ticket: None, done: false }
    }
}
