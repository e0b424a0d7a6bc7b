//! What a queue counts.
//!
//! Accepted jobs are counted by the ring's tail and taken ones by its head, ended ones by the workers that ran them, each
//! for itself: no job costs a read-modify-write more.

use crossbeam_utils::CachePadded;

use super::Queue;
use super::core::CoreRef;
use crate::scheduler::stats::Counter;

/// A reading of a queue's counts; see [`Queue::counts`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueCounts {
    /// Jobs accepted since the queue was built: those that wait, run and have ended.
    pub accepted: u64,
    /// Jobs that have not begun.
    pub waiting: u64,
    /// Jobs that have begun and not ended.
    pub running: u64,
    /// Jobs that have ended, those that panicked included.
    pub done: u64,
    /// Jobs that have ended by a panic, wherever that went.
    pub panicked: u64,
}

/// What one worker counts of a queue.
struct Tally {
    done: Counter,
    panicked: Counter,
}

impl Tally {
    fn new() -> Tally {
        Tally { done: Counter::new(), panicked: Counter::new() }
    }
}

/// What was counted for a queue.
pub(super) struct Tallies {
    /// One for each worker, which alone writes it.
    workers: Box<[CachePadded<Tally>]>,
    /// Of all spares.
    spares: CachePadded<Tally>,
}

impl Tallies {
    pub(super) fn new(workers: usize) -> Tallies {
        let tally = || CachePadded::new(Tally::new());
        Tallies { workers: (0..workers).map(|_| tally()).collect(), spares: tally() }
    }

    /// A job has ended on that peer.
    #[inline(always)]
    pub(super) fn count_done(&self, peer: usize) {
        match self.workers.get(peer) {
            Some(tally) => tally.done.add(1),
            None => self.spares.done.add_shared(1),
        }
    }

    /// A job has panicked on that peer.
    pub(super) fn count_panicked(&self, peer: usize) {
        self.count_done(peer);
        match self.workers.get(peer) {
            Some(tally) => tally.panicked.add(1),
            None => self.spares.panicked.add_shared(1),
        }
    }

    fn all(&self) -> impl Iterator<Item = &Tally> {
        self.workers.iter().map(|tally| &**tally).chain([&*self.spares])
    }
}

impl<J: Send + 'static> CoreRef<J> {
    fn counts(&self) -> QueueCounts {
        let sum = |which: fn(&Tally) -> &Counter| self.tallies.all().map(|tally| which(tally).get()).sum();
        // In this order: what ended was taken before, and what was taken was accepted before.
        let panicked: u64 = sum(|tally| &tally.panicked);
        let ended: u64 = sum(|tally| &tally.done);
        let (pushed, popped) = self.ring.totals();
        let aside = self.aside_len() as u64;
        let waiting = pushed.saturating_sub(popped) + aside;
        let begun = popped.saturating_sub(aside);
        // Those that ended between the two looks are not running any more.
        let running = begun.saturating_sub(ended).min(self.limit as u64);
        let done = begun.saturating_sub(running).max(ended);
        QueueCounts { accepted: waiting + running + done, waiting, running, done, panicked: panicked.min(done) }
    }
}

impl<J: Send + 'static> Queue<J> {
    /// How many jobs were accepted so far, and what became of them.
    ///
    /// Always `accepted == waiting + running + done`. While the queue is idle, after a [`wait`](Self::wait) with nobody that
    /// submits, all are exact, and `waiting` and `running` are 0. A job that somebody has waited for by its
    /// [handle](Self::submit_with_handle) is among the `done`. Otherwise it is a reading of about now: a job that has just
    /// been taken or has just ended may still, or already, be counted as running. Costs some loads for each worker of
    /// the pool; a job costs one count that its worker has for itself.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(2).build()?;
    /// let queue = pool.queue().name("words").build(|word: &str| assert!(!word.is_empty()))?;
    /// queue.submit_all(["work", "steal"])?;
    /// queue.wait();
    /// let counts = queue.counts();
    /// assert_eq!((counts.accepted, counts.done, counts.panicked), (2, 2, 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn counts(&self) -> QueueCounts {
        self.handle.core.counts()
    }
}
