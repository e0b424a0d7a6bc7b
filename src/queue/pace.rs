//! The pace of a queue: how long its jobs take, and whether they block. All runners share these estimates.

// Plain atomics and not the facade's: nothing relies on the estimates, so a checker need not explore them.
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use crate::sync::site::QUEUE_PACE;
use crate::system::switches;

/// From this capacity on, a queue is deep enough that one side can let the other get ahead.
pub(super) const DEEP: usize = 64;

/// Nanoseconds. Jobs below this are only steps of a race between a producer and a runner.
const SHORT: u32 = 500;

/// Nanoseconds. A second runner is worth its wake if the jobs in a half-full queue take at least this long.
const WORTH: u64 = 8_000;

/// Nanoseconds. From here on a runner asks whether jobs block. Each question is a system call, too dear for shorter
/// jobs.
const LONG: u32 = 20_000;

/// Estimates from the last jobs.
pub(crate) struct Pace {
    /// The average time of a job, in nanoseconds.
    nanos: AtomicU32,
    /// The share of jobs that blocked, in 256ths.
    blocked: AtomicU32,
}

impl Pace {
    pub(super) fn new() -> Pace {
        // Where the system does not say whether jobs block, all of them may.
        Pace { nanos: AtomicU32::new(0), blocked: AtomicU32::new(if switches::KNOWN { 0 } else { 256 }) }
    }

    fn nanos(&self) -> u32 {
        self.nanos.load(QUEUE_PACE.get())
    }

    /// Whether the jobs take next to no time.
    pub(super) fn is_short(&self) -> bool {
        self.nanos() < SHORT
    }

    /// Whether the jobs take so long that it is worth asking whether they block.
    pub(super) fn is_long(&self) -> bool {
        self.nanos() >= LONG
    }

    /// Notes whether a job `blocked`.
    pub(super) fn note_blocked(&self, blocked: bool) {
        let known = self.blocked.load(QUEUE_PACE.get());
        self.blocked.store(known - known / 4 + if blocked { 64 } else { 0 }, QUEUE_PACE.get());
    }

    /// Whether many of the jobs block.
    pub(super) fn blocks(&self) -> bool {
        self.blocked.load(QUEUE_PACE.get()) >= 64
    }

    /// Notes that jobs took `spent` each. A short time is believed at once, a long one only when many in a row say
    /// so. For a thread that shares its core seems to have long jobs: if that were believed, the queue would get a
    /// second runner, which would share the core with the producer.
    pub(crate) fn note(&self, spent: Duration) {
        let known = self.nanos();
        let spent = u32::try_from(spent.as_nanos()).unwrap_or(u32::MAX);
        let next = if spent < known {
            known - (known - spent).div_ceil(2)
        } else {
            spent.min(known.saturating_add(known / 4).saturating_add(50))
        };
        if next != known {
            self.nanos.store(next, QUEUE_PACE.get());
        }
    }

    /// How many jobs take `time` together, at least one.
    pub(super) fn jobs_in(&self, time: Duration) -> u64 {
        (time.as_nanos() as u64 / u64::from(self.nanos().max(1))).max(1)
    }

    /// How long this many jobs take.
    pub(super) fn time_for(&self, jobs: u64) -> Duration {
        Duration::from_nanos(u64::from(self.nanos()).saturating_mul(jobs))
    }

    /// Whether a queue of this `capacity`, with jobs of this pace, keeps more than one runner busy.
    pub(super) fn is_coarse(&self, capacity: usize) -> bool {
        let nanos = self.nanos();
        !self.is_short() && u64::from(nanos) * capacity.div_ceil(2) as u64 >= WORTH
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn a_few_outliers_are_not_believed_and_many_are() {
        let pace = Pace::new();
        (0..100).for_each(|_| pace.note(Duration::from_nanos(20)));
        for _ in 0..100 {
            (0..4).for_each(|_| pace.note(Duration::from_millis(3)));
            (0..4).for_each(|_| pace.note(Duration::from_nanos(20)));
            assert!(!pace.is_coarse(1024));
        }
        (0..30).for_each(|_| pace.note(Duration::from_millis(3)));
        assert!(pace.is_coarse(10));
        (0..30).for_each(|_| pace.note(Duration::from_nanos(20)));
        assert!(!pace.is_coarse(1024));
    }

    #[test]
    fn as_many_must_fit_in_as_are_worth_a_wake() {
        let pace = Pace::new();
        (0..100).for_each(|_| pace.note(Duration::from_micros(3)));
        assert_eq!([1, 4, 8, 1024].map(|capacity| pace.is_coarse(capacity)), [false, false, true, true]);
    }

    #[test]
    fn the_longest_jobs_do_not_overflow() {
        let pace = Pace::new();
        (0..100).for_each(|_| pace.note(Duration::MAX));
        assert!(pace.is_coarse(1));
    }
}
