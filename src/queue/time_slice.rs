//! A runner's time slice on its worker, and what the runner learns of the jobs meanwhile.

use std::time::Duration;

use super::pace::Pace;
use crate::scheduler::worker::Worker;
use crate::sync::MODEL;
use crate::system::clock::Instant;
use crate::system::switches;

/// For how long the runners and jobs that take turns on a worker may together keep one of them waiting. The job that
/// each has under way comes on top.
const ROUND: Duration = Duration::from_millis(1);

/// A runner looks at the clock after each job that takes this long, and once after several shorter jobs, because a
/// look costs more than a job of some nanoseconds.
const LOOK: Duration = Duration::from_micros(2);

/// The most jobs between two looks. If the jobs before were short, this many long ones may pass before the runner
/// notices.
const STRIDE: u32 = 16;

/// Under a checker, where no time passes, a time slice is this many jobs.
const MODEL_SLICE: u32 = 8;

/// A runner's time on its worker. It does not end while nobody else wants the worker. Otherwise the runner reads the
/// clock after each job, so that a long job is the last of its slice. Of jobs that take less than [`LOOK`], several
/// pass between two looks.
///
/// Rejected: a slice of a fixed number of jobs. A quick job of another queue would wait for that many long ones.
pub(super) struct TimeSlice {
    begun: Instant,
    looked: Instant,
    /// The jobs from one look to the next, and how many of them are left.
    stride: u32,
    left: u32,
    /// Whether to find out if jobs block.
    asks: bool,
    /// How often the thread had blocked at the last look. `None` if the system was not asked.
    blocked: Option<u64>,
}

impl TimeSlice {
    /// Begins a slice. With `asks`, the slice finds out whether jobs block.
    pub(super) fn begin(asks: bool) -> TimeSlice {
        let now = Instant::now();
        let left = if MODEL { MODEL_SLICE } else { 1 };
        TimeSlice { begun: now, looked: now, stride: 1, left, asks, blocked: None }
    }

    /// Whether it is time to look at the clock. Called after each job.
    #[inline]
    pub(super) fn is_due(&mut self) -> bool {
        // Under a checker a slice does not begin again.
        self.left = if MODEL { self.left.saturating_sub(1) } else { self.left - 1 };
        self.left == 0
    }

    /// Looks at the clock and tells `pace` what it learns. Returns whether there may be news.
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

    /// Asks the system how often the thread has blocked, if the jobs take long enough for that.
    fn count_blocked(&mut self, pace: &Pace) {
        self.blocked = if self.asks && pace.is_long() { switches::voluntary() } else { None };
    }

    /// Goes on after a wait for jobs, which does not count as a job's time.
    pub(super) fn resume(&mut self, pace: &Pace) {
        if MODEL {
            return;
        }
        if self.left > 0 {
            // Fewer jobs came in a row than one look covers.
            self.stride = (self.stride / 2).max(1);
        }
        (self.looked, self.left) = (Instant::now(), self.stride);
        self.count_blocked(pace);
    }

    /// Whether the jobs that wait for this worker have waited long enough. Each of them may be a runner that uses a
    /// slice of the same length before the next gets its turn, so the time of this slice counts once for each.
    pub(super) fn is_over(&self, worker: &Worker) -> bool {
        worker.is_wanted() && (MODEL || (self.looked - self.begun).saturating_mul(worker.waiting()) >= ROUND)
    }
}
