//! What a queue counts.
//!
//! Accepted jobs are counted by the ring's tail and taken ones by its head, ended ones by the workers that ran them, each
//! for itself: no job costs a read-modify-write more.

use crossbeam_utils::CachePadded;

use crate::scheduler::stats::Counter;

/// A reading of a queue's counts; see [`Queue::counts`](crate::Queue::counts).
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

    /// What has ended. To be read before the ring's positions: what ended was taken before, and what was taken was accepted
    /// before.
    pub(super) fn read(&self) -> Ended {
        let sum = |which: fn(&Tally) -> &Counter| self.all().map(|tally| which(tally).get()).sum();
        let panicked = sum(|tally| &tally.panicked);
        Ended { panicked, done: sum(|tally| &tally.done) }
    }

    fn all(&self) -> impl Iterator<Item = &Tally> {
        self.workers.iter().map(|tally| &**tally).chain([&*self.spares])
    }
}

/// Jobs that had ended when it was asked.
pub(super) struct Ended {
    done: u64,
    panicked: u64,
}

impl Ended {
    /// With those that wait and have begun since, of which at most `limit` run.
    pub(super) fn with(self, waiting: u64, begun: u64, limit: u64) -> QueueCounts {
        // Those that ended between the two looks are not running any more.
        let running = begun.saturating_sub(self.done).min(limit);
        let done = begun.saturating_sub(running).max(self.done);
        let panicked = self.panicked.min(done);
        QueueCounts { accepted: waiting + running + done, waiting, running, done, panicked }
    }
}
