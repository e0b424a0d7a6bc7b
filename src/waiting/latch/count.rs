//! The counter latch: it counts how many events have still to happen.
//!
//! One word holds the count and two fields for the waiters:
//!
//! | bits | field | content |
//! |---|---|---|
//! | 0 | `WAITERS` | the list of waiters is worth a look |
//! | 1–23 | round | how often the count rose from 0, modulo 2^23 |
//! | 24–63 | count | how many events have still to happen |
//!
//! | transition | by | word |
//! |---|---|---|
//! | `add(n)` | anyone | count += n; if it was 0, round += 1 |
//! | `count_down` | anyone | count −= 1; at 0 with `WAITERS` set: release the waiters |
//! | register | a waiter, holding the list's lock | set `WAITERS`; if the wait is over, do not wait |
//! | release | after a 0, holding the list's lock | take the waiters whose wait is over; none left: clear `WAITERS` |
//!
//! All transitions change the same word by read-modify-write, so they are ordered without a fence. Either the last
//! `count_down` comes second and sees the bit, or the waiter comes second and sees 0.
//!
//! A wait is over when the count was 0 at some moment since the wait began. The rounds settle the race with a count
//! that rises again. The waiter: the moment of 0 may have passed before the waiter looks again. The waiter then finds
//! another round than at its beginning, because `add` writes the new round in the exchange that ends the 0. The
//! release: it may come late, when waiters of the next round have entered the list. The release leaves these waiters
//! on the list. A waiter enters in the round that the word shows when it enters. The 0 that ends this round comes
//! later in the word's order and finds `WAITERS` set. So the `count_down` that brings this 0 releases the waiter.
//! Rounds are compared only for equality. A waiter that does not look for exactly 2^23 rounds misses the zeros in
//! them and waits for the next 0. No waiter returns early.
//!
//! *Rejected*: a count of zeros beside the word, because a waiter that begins between the two changes would return
//! early or not at all; a round that `count_down` writes, which would need a loop there; to enter the list before the
//! first look, because each wait would then pay for the lock and an allocation.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::waiters::{Round, Ticket, WaitList, Wake};
use crate::sync::site::{
    COUNT_ADD, COUNT_DOWN, COUNT_HINT, COUNT_PROBE, COUNT_REGISTER, COUNT_RELEASE, COUNT_WAKE,
};
use crate::sync::{AtomicU64, defect};
use crate::system::unwind;

const WAITERS: u64 = 1;
const ROUND: u64 = 1 << ROUND_SHIFT;
const ROUND_SHIFT: u32 = 1;
const ONE: u64 = 1 << COUNT_SHIFT;
const COUNT_SHIFT: u32 = 24;
const ROUNDS: u64 = ONE - ROUND;

/// The largest count: half of what the field holds, because a count below 0 wraps to a larger value.
const LARGEST: u64 = (1 << (u64::BITS - COUNT_SHIFT - 1)) - 1;

/// One value of the word.
#[derive(Clone, Copy)]
pub(crate) struct Seen(u64);

impl Seen {
    pub(crate) fn count(self) -> u64 {
        self.0 >> COUNT_SHIFT
    }

    fn round(self) -> Round {
        Round((self.0 & ROUNDS) >> ROUND_SHIFT)
    }

    /// Returns whether the count was 0 at some moment from `since` to this value.
    fn was_zero(self, since: Seen) -> bool {
        self.count() == 0 || (self.round() != since.round() && !defect("zero_forgotten"))
    }

    /// Returns the word with the count raised to `count`, and in the next round if the count rises from 0.
    fn raised_to(self, count: u64) -> u64 {
        let round = if self.count() == 0 { (self.0 + ROUND) & ROUNDS } else { self.0 & ROUNDS };
        count << COUNT_SHIFT | round | self.0 & WAITERS
    }
}

/// A counter that threads and tasks can wait on until it is zero.
///
/// It works like Go's `WaitGroup`: call [`add`](Self::add) before work is handed out,
/// [`count_down`](Self::count_down) when a piece is done, and [`wait`](Self::wait) for all pieces. The latch may be
/// used again after it reached zero. A wait ends when the count was zero at some moment since the wait began, however
/// short that moment was, and not before.
///
/// `add`, `count_down` and `count` are lock-free: one atomic instruction each. A thread takes a lock only when it
/// really has to block, to enter and leave the list of waiters, and when it counts down to zero while others wait.
/// All that happened before a `count_down` is visible to the threads that waited for it.
///
/// While a job is in [`wait`](Self::wait), a [spare](crate::PoolBuilder::spares) has its worker's place. A
/// `&CountLatch` can also be awaited, on any executor: see [`CountWait`].
///
/// A latch belongs to no pool. So it cannot tell that a `fork` left behind the threads that should count it down: in
/// the child process, a wait for jobs of the parent's pool lasts for ever.
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
    word: AtomicU64,
    waiters: WaitList,
}

impl CountLatch {
    /// The largest count: 2^39 − 1, or the largest `usize` where that is less.
    ///
    /// # Examples
    /// ```
    /// let pieces = usize::MAX.min(filch::CountLatch::MAX); // Group the work if there are more pieces.
    /// assert_eq!(filch::CountLatch::new(pieces).count(), pieces);
    /// ```
    pub const MAX: usize = if LARGEST > usize::MAX as u64 { usize::MAX } else { LARGEST as usize };

    /// Creates a latch at `count`.
    ///
    /// # Panics
    /// If `count` exceeds [`MAX`](Self::MAX).
    ///
    /// # Examples
    /// ```
    /// let latch = filch::CountLatch::new(8); // For work of which eight pieces are known.
    /// assert_eq!(latch.count(), 8);
    /// ```
    #[must_use]
    pub fn new(count: usize) -> CountLatch {
        assert!(count <= Self::MAX, "a count of {count} was given; at most {} is allowed", Self::MAX);
        CountLatch { word: AtomicU64::new((count as u64) << COUNT_SHIFT), waiters: WaitList::new() }
    }

    /// Raises the count by `n`.
    ///
    /// # Panics
    /// If the count would exceed [`MAX`](Self::MAX). The count then stays as it was.
    ///
    /// # Examples
    /// ```
    /// let latch = filch::CountLatch::default();
    /// latch.add(2); // Before two pieces of work are handed out.
    /// assert_eq!(latch.count(), 2);
    /// ```
    pub fn add(&self, n: usize) {
        let mut word = Seen(self.word.load(COUNT_HINT.get()));
        loop {
            let sum = word.count().checked_add(n as u64).filter(|&sum| sum <= Self::MAX as u64);
            let Some(sum) = sum else {
                panic!("adding {n} to a count of {} exceeds {}", word.count(), Self::MAX);
            };
            match self.word.compare_exchange(word.0, word.raised_to(sum), COUNT_ADD.get(), COUNT_HINT.get()) {
                Ok(_) => return,
                Err(seen) => word = Seen(seen),
            }
        }
    }

    /// Lowers the count by one and, at zero, releases all waiters.
    ///
    /// # Panics
    /// If the count is zero already; it stays zero. Also if a task's waker panics, with the waker's payload, after
    /// all waiters were woken.
    ///
    /// # Examples
    /// ```
    /// let done = filch::CountLatch::new(1);
    /// std::thread::scope(|scope| _ = scope.spawn(|| done.count_down())); // The other thread's piece is done.
    /// assert_eq!(done.count(), 0);
    /// ```
    #[inline]
    pub fn count_down(&self) {
        let previous = self.word.fetch_sub(ONE, COUNT_DOWN.get());
        if previous < 2 * ONE {
            self.reached_zero(Seen(previous));
        }
    }

    /// Returns the count at this moment.
    ///
    /// # Examples
    /// ```
    /// let latch = filch::CountLatch::new(3);
    /// latch.count_down();
    /// assert_eq!(latch.count(), 2);
    /// ```
    #[must_use]
    pub fn count(&self) -> usize {
        // At most MAX, except for a moment while `count_down` panics.
        self.look().count() as usize
    }

    /// Returns the word. A wait that begins now passes it to [`is_over`](Self::is_over).
    pub(crate) fn look(&self) -> Seen {
        Seen(self.word.load(COUNT_PROBE.get()))
    }

    /// Returns whether the count was zero at some moment since the look that found `since`. If so, all that was
    /// counted down by then is visible.
    pub(crate) fn is_over(&self, since: Seen) -> bool {
        self.look().was_zero(since)
    }

    #[cold]
    fn reached_zero(&self, previous: Seen) {
        if previous.count() == 0 {
            self.word.fetch_add(ONE, COUNT_ADD.get());
            self.release();
            panic!("count_down on a latch whose count is 0");
        }
        if previous.0 & WAITERS != 0 {
            self.release();
        }
    }

    /// Wakes the waiters whose wait is over. Called after the count was zero.
    fn release(&self) {
        let mut entries = self.waiters.lock();
        let now = Seen(self.word.load(COUNT_WAKE.get()));
        if now.count() > 0 && !defect("next_round_released") {
            let over = entries.take_before(now.round());
            if entries.is_empty() {
                self.word.fetch_and(!WAITERS, COUNT_RELEASE.get());
            }
            drop(entries);
            return wake_all(over.into_iter());
        }
        self.word.fetch_and(!WAITERS, COUNT_RELEASE.get());
        let all = entries.take();
        if defect("woken_under_lock") {
            return wake_all(all);
        }
        drop(entries);
        wake_all(all);
    }

    /// Enters `wake` into the list; `None` if the count was zero at some moment since the look that found `since`.
    pub(crate) fn register(&self, wake: Wake, since: Seen) -> Option<Ticket> {
        let mut entries = self.waiters.lock();
        let now = Seen(self.word.fetch_or(WAITERS, COUNT_REGISTER.get()));
        if now.was_zero(since) {
            if entries.is_empty() {
                self.word.fetch_and(!WAITERS, COUNT_RELEASE.get());
            }
            return None;
        }
        Some(entries.push_in(now.round(), wake))
    }

    /// Gives up a wait. Returns `false` if the waiter was taken off the list already: its wait is over.
    pub(crate) fn deregister(&self, ticket: Ticket) -> bool {
        self.waiters.remove(ticket)
    }

    /// Polls a task's wait once. `ticket` keeps the task's place on the list between polls.
    pub(crate) fn poll(&self, ticket: &mut Option<Ticket>, context: &mut Context<'_>) -> Poll<()> {
        let waiting = match *ticket {
            Some(held) => self.waiters.renew(held, context.waker()),
            None => {
                let now = self.look();
                *ticket = self.register(Wake::Task(context.waker().clone()), now);
                ticket.is_some()
            }
        };
        if waiting { Poll::Pending } else { Poll::Ready(()) }
    }
}

/// Wakes all `waiters`. A waker is foreign code: if one panics, the others are woken all the same, and then the first
/// panic goes on.
fn wake_all(waiters: impl Iterator<Item = Wake>) {
    let panics = waiters.filter_map(|wake| unwind::catch(|| wake.wake()).err());
    let first = panics.reduce(|first, next| {
        unwind::discard(next);
        first
    });
    if let Some(payload) = first {
        unwind::resume(payload);
    }
}

impl Default for CountLatch {
    /// Creates a latch at zero.
    fn default() -> Self {
        CountLatch::new(0)
    }
}

impl fmt::Debug for CountLatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CountLatch").field("count", &self.count()).finish_non_exhaustive()
    }
}

/// The future of a [`CountLatch`]: ready when the count is zero, or was zero at some moment since it was first
/// polled.
///
/// # Examples
/// ```
/// let latch = filch::CountLatch::new(1);
/// // `(&latch).await` in a task; here the future is polled by hand.
/// let mut wait = std::pin::pin!((&latch).into_future());
/// let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// assert!(wait.as_mut().poll(&mut context).is_pending());
/// latch.count_down();
/// assert!(wait.as_mut().poll(&mut context).is_ready());
/// ```
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
