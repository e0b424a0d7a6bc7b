//! A runner's time on its worker, and what it learns of the jobs meanwhile.

use std::time::{Duration, Instant};

use super::pace::Pace;
use crate::scheduler::worker::Worker;
use crate::sync::MODEL;
use crate::system::switches;

/// For how long all who take turns on a worker may keep one of them waiting, beside a job of each that is under way.
const ROUND: Duration = Duration::from_millis(1);

/// A runner looks at the clock after each job that takes so long, and after several shorter ones: a look after each job of
/// some nanoseconds made each cost 40 more.
const LOOK: Duration = Duration::from_micros(2);

/// At most so many jobs between two looks: that many may be long if those before were short.
const STRIDE: u32 = 16;

/// Under a checker, where no time passes, a turn is so many jobs.
const MODEL_SLICE: u32 = 8;

/// A runner's time on its worker. While nobody else wants the worker it does not end. Otherwise the clock is read after
/// each job, so that a long one is the last of its turn; jobs that take less than [`LOOK`] are looked at a few at a time.
///
/// Rejected: turns of so many jobs. A quick job waited for that many long ones.
pub(super) struct TimeSlice {
    begun: Instant,
    looked: Instant,
    /// Jobs from one look to the next, and how many of them are left.
    stride: u32,
    left: u32,
    /// Whether to find out if jobs block.
    asks: bool,
    /// How often the thread had blocked at the last look, if that was asked.
    blocked: Option<u64>,
}

impl TimeSlice {
    /// Begins one. If it `asks`, it finds out whether jobs block.
    pub(super) fn begin(asks: bool) -> TimeSlice {
        let now = Instant::now();
        let left = if MODEL { MODEL_SLICE } else { 1 };
        TimeSlice { begun: now, looked: now, stride: 1, left, asks, blocked: None }
    }

    /// Whether it is time to look at the clock; to be asked after each job.
    #[inline]
    pub(super) fn is_due(&mut self) -> bool {
        // A checker's turn does not begin again.
        self.left = if MODEL { self.left.saturating_sub(1) } else { self.left - 1 };
        self.left == 0
    }

    /// Looks at the clock, and tells `pace` what it learns. Whether that may be anything new.
    pub(super) fn look(&mut self, pace: &Pace) -> bool {
        if MODEL {
            return false;
        }
        let now = Instant::now();
        let (spent, jobs) = (now - self.looked, self.stride);
        if spent < LOOK {
            self.stride = (self.stride * 2).min(STRIDE);
        } else if spent > 2 * LOOK {
            self.stride = 1;
        }
        (self.looked, self.left) = (now, self.stride);
        if spent < LOOK && pace.is_short() {
            return false;
        }
        pace.note(spent / jobs);
        let before = self.blocked;
        self.count_blocked(pace);
        if let (Some(before), Some(after)) = (before, self.blocked) {
            pace.note_blocked(after > before);
        }
        true
    }

    /// Asks the system, where the jobs take long enough for that.
    fn count_blocked(&mut self, pace: &Pace) {
        self.blocked = if self.asks && pace.is_long() { switches::voluntary() } else { None };
    }

    /// After a wait for jobs, which is not to count as a job's time.
    pub(super) fn resume(&mut self, pace: &Pace) {
        if MODEL {
            return;
        }
        if self.left > 0 {
            // Fewer jobs come at a time than are looked at together.
            self.stride = (self.stride / 2).max(1);
        }
        (self.looked, self.left) = (Instant::now(), self.stride);
        self.count_blocked(pace);
    }

    /// Whether all who take turns on this worker have waited long enough. They may all be queues that use up theirs.
    pub(super) fn is_over(&self, worker: &Worker) -> bool {
        worker.is_wanted() && (MODEL || (self.looked - self.begun).saturating_mul(worker.waiting()) >= ROUND)
    }
}
