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

/// The most jobs between two looks while other jobs want the worker. If the jobs before were short, this many long ones
/// may pass before the runner notices.
const STRIDE: u32 = 16;

/// So many strides pass between two looks while nobody wants the worker, if the jobs are so short that a look would be
/// a good part of their price.
const STRIDES: u32 = 4;

/// A job below this is tiny: to take it out of the ring costs about as much as to run it.
const TINY: Duration = Duration::from_nanos(100);

/// How long a job takes at most that spends its time on the way out of the ring, where two runners contend for it.
/// With more of them it grows with the square of their number: each waits for all others, and loses more races.
const CONTENDED: Duration = Duration::from_nanos(400);

/// So many looks at the clock pass from one job that is timed by itself to the next.
const SAMPLED: u32 = 4;

/// So many looks at the clock pass until a runner that could not go tries again.
const PATIENCE: u32 = 100;

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
    /// The jobs from one look to the next, or to the next question whether somebody wants the worker; and how many of
    /// them are left.
    stride: u32,
    left: u32,
    /// How many strides may still pass without a look, and how many have passed since the last.
    skips: u32,
    skipped: u32,
    /// How long the handler took for the last job that was timed by itself.
    sample: Duration,
    /// How many looks pass before the next such job, and whether the next job is one.
    unsampled: u32,
    samples: bool,
    /// Whether the jobs before the last look took no longer than runners that contend for the ring can.
    contended: bool,
    /// Whether these jobs took longer, each with its way out of the ring, than one that is timed by itself.
    slow: bool,
    /// How many jobs this runner has run, and how many all runners had popped at the last look that asked, if any did.
    own: u64,
    popped: Option<u64>,
    /// How many more looks at the clock must find the runner one too many.
    patience: u32,
    /// Whether to find out if jobs block.
    asks: bool,
    /// How often the thread had blocked at the last look. `None` if the system was not asked.
    blocked: Option<u64>,
}

impl TimeSlice {
    /// Begins a slice. With `asks`, the slice finds out whether jobs block. After `patience` looks at the clock a
    /// runner of tiny jobs that is one too many goes.
    pub(super) fn begin(asks: bool, patience: u32) -> TimeSlice {
        let now = Instant::now();
        let left = if MODEL { MODEL_SLICE } else { 1 };
        TimeSlice {
            begun: now,
            looked: now,
            stride: 1,
            left,
            skips: 0,
            skipped: 0,
            sample: Duration::MAX,
            unsampled: 0,
            samples: false,
            contended: false,
            slow: false,
            own: 0,
            popped: None,
            patience,
            asks,
            blocked: None,
        }
    }

    /// Whether it is time to look at the clock. Called after each job of `worker`.
    #[inline]
    pub(super) fn is_due(&mut self, worker: &Worker) -> bool {
        // Under a checker a slice does not begin again.
        self.left = if MODEL { self.left.saturating_sub(1) } else { self.left - 1 };
        self.left == 0 && !self.skips(worker)
    }

    /// Lets the look at the clock wait for one more stride, if that costs nobody anything.
    fn skips(&mut self, worker: &Worker) -> bool {
        if self.skips == 0 || self.samples || worker.is_wanted() {
            return false;
        }
        self.skips -= 1;
        self.skipped += 1;
        self.left = self.stride;
        true
    }

    /// Looks at the clock and tells `pace` what it learns, where `runners` are active. Returns whether there may be
    /// news.
    pub(super) fn look(&mut self, pace: &Pace, runners: usize) -> bool {
        if MODEL {
            return false;
        }
        let now = Instant::now();
        let (spent, jobs) = (now - self.looked, self.stride * (self.skipped + 1));
        self.own += u64::from(jobs);
        (self.skips, self.skipped) = (0, 0);
        if spent > 2 * LOOK {
            self.stride = 1;
        } else if spent < LOOK {
            if self.stride == STRIDE {
                self.skips = STRIDES - 1;
            }
            self.stride = (self.stride * 2).min(STRIDE);
        }
        (self.looked, self.left) = (now, self.stride);
        if self.unsampled == 0 {
            (self.unsampled, self.samples, self.left) = (SAMPLED, true, 1);
        }
        self.unsampled -= 1;
        let each = spent / jobs;
        self.slow = each > self.sample;
        self.contended = each < CONTENDED * (runners * runners).div_ceil(4) as u32;
        if spent < LOOK && pace.is_short() {
            return false;
        }
        // Jobs of nanoseconds that several runners take in turn seem to take microseconds.
        pace.note(if self.contended { each.min(self.sample.saturating_mul(2)) } else { each });
        let before = self.blocked;
        self.count_blocked(pace);
        if let (Some(before), Some(after)) = (before, self.blocked) {
            pace.note_blocked(after > before);
        }
        true
    }

    /// A job is about to begin.
    #[inline(always)]
    pub(super) fn begin_job(&mut self) {
        if self.samples {
            self.begin_sample();
        }
    }

    // Not inlined: the call's code would make each job slower.
    #[cold]
    #[inline(never)]
    fn begin_sample(&mut self) {
        self.looked = Instant::now();
    }

    /// If the job that has ended is to be timed by itself, does so and returns `true`.
    pub(super) fn end_job(&mut self) -> bool {
        let samples = std::mem::take(&mut self.samples);
        if samples {
            let now = Instant::now();
            self.own += 1;
            (self.sample, self.looked, self.left) = (now - self.looked, now, self.stride);
        }
        samples
    }

    /// Whether the jobs are tiny: more runners may only be in each other's way.
    pub(super) fn is_tiny(&self) -> bool {
        self.contended && self.sample < TINY
    }

    /// Whether the runner and the producer fight for the same cache lines, as they do if the runner is close behind.
    pub(super) fn is_in_step(&self) -> bool {
        self.is_tiny() && self.slow
    }

    /// Whether other runners have popped jobs since the last call. `popped`: how many all have popped.
    pub(super) fn others_took(&mut self, popped: u64) -> bool {
        let own = std::mem::take(&mut self.own);
        let before = self.popped.replace(popped);
        before.is_some_and(|before| popped - before > own)
    }

    /// Begins to count a job's time now.
    pub(super) fn leave_out(&mut self) {
        self.looked = Instant::now();
    }

    /// Notes that the runner is one too many. Returns whether it is to go.
    pub(super) fn note_surplus(&mut self) -> bool {
        let goes = self.patience == 0;
        // If it cannot go now, the next try comes later.
        self.patience = if goes { PATIENCE } else { self.patience - 1 };
        goes
    }

    /// When the runner last looked at the clock.
    pub(super) fn looked(&self) -> Instant {
        self.looked
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
        (self.skips, self.skipped) = (0, 0);
        // The jobs since the last look are not counted.
        (self.own, self.popped) = (0, None);
        self.count_blocked(pace);
    }

    /// Whether the jobs that wait for this worker have waited long enough. Each of them may be a runner that uses a
    /// slice of the same length before the next gets its turn, so the time of this slice counts once for each.
    pub(super) fn is_over(&self, worker: &Worker) -> bool {
        worker.is_wanted() && (MODEL || (self.looked - self.begun).saturating_mul(worker.waiting()) >= ROUND)
    }
}
