//! The counts of a queue.
//!
//! | jobs | counted by |
//! |---|---|
//! | accepted | the position of the ring's tail |
//! | taken out | the position of the ring's head |
//! | ended, panicked | the worker that ran the job, in its own [`Tally`]; all spares share one |
//!
//! So counting adds no read-modify-write to a job on a worker. Only spares, which share a tally, pay one.

use crossbeam_utils::CachePadded;

use crate::scheduler::stats::Counter;

/// A reading of a queue's counts; [`Queue::counts`](crate::Queue::counts) returns it.
///
/// # Examples
/// ```
/// let pool = filch::Pool::builder().workers(2).panic_handler(|_| ()).build()?;
/// let queue = pool.queue().build(|n: u32| assert!(n != 3, "unlucky"))?;
/// queue.submit_all(1..=4)?;
/// queue.wait();
/// let counts = queue.counts();
/// assert_eq!((counts.accepted, counts.waiting, counts.running), (4, 0, 0));
/// // A job that panicked has ended, too.
/// assert_eq!((counts.done, counts.panicked), (4, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueCounts {
    /// Jobs accepted since the queue was built: the waiting, the running and the ended ones.
    pub accepted: u64,
    /// Jobs that have not begun.
    pub waiting: u64,
    /// Jobs that have begun and have not ended.
    pub running: u64,
    /// Jobs that have ended, those that panicked included.
    pub done: u64,
    /// Jobs that have ended by a panic, no matter who was told of the panic.
    pub panicked: u64,
}

/// One worker's counts for a queue.
struct Tally {
    done: Counter,
    panicked: Counter,
}

impl Tally {
    fn new() -> Tally {
        Tally { done: Counter::new(), panicked: Counter::new() }
    }
}

/// The counts of a queue's ended jobs.
pub(super) struct Tallies {
    /// One for each worker. Only the worker writes it.
    workers: Box<[CachePadded<Tally>]>,
    /// One for all spares.
    spares: CachePadded<Tally>,
}

impl Tallies {
    pub(super) fn new(workers: usize) -> Tallies {
        let tally = || CachePadded::new(Tally::new());
        Tallies { workers: (0..workers).map(|_| tally()).collect(), spares: tally() }
    }

    /// Counts a job that has ended on `peer`. An index beyond the workers is a spare's.
    #[inline(always)]
    pub(super) fn count_done(&self, peer: usize) {
        match self.workers.get(peer) {
            Some(tally) => tally.done.add(1),
            None => self.spares.done.add_shared(1),
        }
    }

    /// Counts a job that has ended on `peer` by a panic.
    pub(super) fn count_panicked(&self, peer: usize) {
        self.count_done(peer);
        match self.workers.get(peer) {
            Some(tally) => tally.panicked.add(1),
            None => self.spares.panicked.add_shared(1),
        }
    }

    /// Returns how many jobs have ended. The caller reads the ring's positions afterwards: then each ended job is
    /// among the jobs taken out, and each job taken out is among the accepted ones.
    pub(super) fn read(&self) -> Ended {
        let sum = |which: fn(&Tally) -> &Counter| self.all().map(|tally| which(tally).get()).sum();
        let panicked = sum(|tally| &tally.panicked);
        Ended { panicked, done: sum(|tally| &tally.done) }
    }

    fn all(&self) -> impl Iterator<Item = &Tally> {
        self.workers.iter().map(|tally| &**tally).chain([&*self.spares])
    }
}

/// How many jobs had ended at the moment of [`Tallies::read`].
pub(super) struct Ended {
    done: u64,
    panicked: u64,
}

impl Ended {
    /// Completes the reading with the jobs that wait and the jobs that have begun, both read later than `self`. At
    /// most `limit` jobs run at once.
    pub(super) fn with(self, waiting: u64, begun: u64, limit: u64) -> QueueCounts {
        // The difference includes jobs that ended between the two reads. More than `limit` cannot run: the rest has
        // ended.
        let running = begun.saturating_sub(self.done).min(limit);
        let done = begun.saturating_sub(running).max(self.done);
        let panicked = self.panicked.min(done);
        QueueCounts { accepted: waiting + running + done, waiting, running, done, panicked }
    }
}
