//! The counter latch: how many things have still to happen.
//!
//! One word holds the count and two things for those who wait:
//!
//! | bits | field | content |
//! |---|---|---|
//! | 0 | `WAITERS` | the list of waiters is worth a look |
//! | 1–23 | round | how often the count rose from 0, modulo 2^23 |
//! | 24–63 | count | what has still to happen |
//!
//! | transition | by | word |
//! |---|---|---|
//! | `add(n)` | anyone | count += n; if it was 0, round += 1 |
//! | `count_down` | anyone | count −= 1; at 0 with `WAITERS` set: release the waiters |
//! | register | a waiter, holding the list's lock | set `WAITERS`; if the wait is over, do not wait |
//! | release | who counted down to 0, holding the list's lock | take the waiters whose wait is over; clear `WAITERS` if no other is left |
//!
//! All change the same word by read-modify-write, so they are ordered without a fence: either
//! the last `count_down` comes second and sees the bit, or the waiter comes second and sees 0.
//!
//! A wait is over when the count was 0 at some moment since the wait began. A 0 may be over before the waiter looks
//! again. It then finds another round than at its beginning: `add` writes the new round in the exchange that ends the 0.
//! The other side of the same race is a release that comes late, when the count has risen again and waiters of the next
//! round have entered the list: it leaves those. A waiter enters in the round that the word shows when it does so. The 0
//! that ends this round comes later in the word and finds `WAITERS` set, so somebody comes for that waiter.
//!
//! The round is only ever compared for equality. A waiter that looks away for exactly 2^23 rounds misses the zeros in them
//! and waits for the next; none returns early.
//!
//! *Rejected*: a count of zeros beside the word, which changes before or after the count does: a waiter that begins
//! between the two would return early or not at all. A round that `count_down` writes, which would need a loop there.
//! To enter the list before the first look, which would make each wait pay for the lock and an allocation.

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

/// Half of what the field holds, so that a count below 0 is none that is allowed.
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

    /// Whether the count was 0 at some moment from `since` to this value.
    fn was_zero(self, since: Seen) -> bool {
        self.count() == 0 || (self.round() != since.round() && !defect("zero_forgotten"))
    }

    /// With `count`, and in the next round if it rises from 0.
    fn raised_to(self, count: u64) -> u64 {
        let round = if self.count() == 0 { (self.0 + ROUND) & ROUNDS } else { self.0 & ROUNDS };
        count << COUNT_SHIFT | round | self.0 & WAITERS
    }
}

/// A counter that threads and tasks can wait on until it is zero.
///
/// The Go seed's `WaitGroup`: [`add`](Self::add) before work is handed out,
/// [`count_down`](Self::count_down) when a piece is done, `wait` for all. It may be used again after
/// it reached zero; a wait ends when the count was zero at some moment since the wait began, however short that
/// moment was, and not before.
///
/// `add`, `count_down` and `count` are lock-free: one atomic instruction each. Only when a thread
/// really has to block is a lock taken, to enter and leave the list of waiters. All that happened
/// before a `count_down` is visible to whoever waited for it.
///
/// While a job is in [`wait`](Self::wait), a [spare](crate::PoolBuilder::spares) has its worker's place. A `&CountLatch` can
/// also be awaited, on any executor.
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
    word: AtomicU64,
    waiters: WaitList,
}

impl CountLatch {
    /// The largest count: 2^39 − 1, or less where a `usize` holds less.
    pub const MAX: usize = if LARGEST > usize::MAX as u64 { usize::MAX } else { LARGEST as usize };

    /// A latch at `count`.
    ///
    /// # Panics
    /// If `count` exceeds [`MAX`](Self::MAX).
    #[must_use]
    pub fn new(count: usize) -> CountLatch {
        assert!(count <= Self::MAX, "a count of {count} was given; at most {} is allowed", Self::MAX);
        CountLatch { word: AtomicU64::new((count as u64) << COUNT_SHIFT), waiters: WaitList::new() }
    }

    /// Raises the count by `n`.
    ///
    /// # Panics
    /// If the count would exceed [`MAX`](Self::MAX); it is then as before.
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

    /// Lowers the count by one and, at zero, releases those who wait.
    ///
    /// # Panics
    /// If the count is zero already; it stays zero. And with what a task's waker panics with, when all who
    /// wait were woken.
    #[inline]
    pub fn count_down(&self) {
        let previous = self.word.fetch_sub(ONE, COUNT_DOWN.get());
        if previous < 2 * ONE {
            self.reached_zero(Seen(previous));
        }
    }

    /// The count at this moment.
    #[must_use]
    pub fn count(&self) -> usize {
        // At most MAX, but for the moment of a panic.
        self.look().count() as usize
    }

    /// The word, to tell by whether a wait that begins now is [over](Self::is_over).
    pub(crate) fn look(&self) -> Seen {
        Seen(self.word.load(COUNT_PROBE.get()))
    }

    /// Whether the count was zero at some moment since the look that found `since`; if so, all that was counted down
    /// by then is visible.
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

    /// After the count was zero: wakes those for whom it was.
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

    /// Enters `wake` into the list, unless the count was zero at some moment since the look that found `since`.
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

    /// Gives up a wait; `false` if it was over.
    pub(crate) fn deregister(&self, ticket: Ticket) -> bool {
        self.waiters.remove(ticket)
    }

    /// One poll of a task's wait, whose place on the list `ticket` remembers between polls.
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

/// A waker is foreign code: if one panics, the others must be woken all the same.
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
