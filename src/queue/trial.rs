//! Finds out whether one more runner helps a queue of tiny jobs.
//!
//! Where a job takes less time than its way out of the ring, a second runner may double the pace or halve it: that
//! depends on the jobs, the machine, and where the threads run. So the worker on standby first joins the others on
//! trial, for a moment, and goes back. In its next nap it sees the pace without it. If it was of help, it joins for
//! good. If not, it stays where it is for as long as the others keep that pace.

// Plain atomics and not the facade's: nothing relies on what they hold, so a checker need not explore them.
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::time::Duration;

use crate::sync::site::QUEUE_PACE;
use crate::system::clock::Instant;

/// How long a trial takes.
const LENGTH: Duration = Duration::from_micros(100);

/// What is known of the use of runners beyond the first. All runners share it. Paces are in jobs a millisecond; 0 stands
/// for none.
pub(crate) struct Trials {
    /// How many runners help each other.
    useful: AtomicU32,
    /// The pace at which one more was of no help.
    sated: AtomicU32,
    /// The pace with the one more of the last trial, until its worker has seen the pace without it.
    tried: AtomicU32,
    /// Whether a trial is under way.
    running: AtomicBool,
}

/// A trial of one more runner. It has no result if it is dropped before its end.
pub(super) struct Trial<'t> {
    trials: &'t Trials,
    begun: Instant,
    /// How many jobs had been taken.
    popped: u64,
}

/// What the worker on standby does where jobs wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Advice {
    /// Stay on standby.
    Stay,
    /// Join the runners.
    Join,
    /// Join them on trial.
    Try,
}

/// Returns the pace of `jobs` in `time`.
fn pace(jobs: u64, time: Duration) -> u32 {
    let nanos = time.as_nanos().max(1);
    u32::try_from(u128::from(jobs) * 1_000_000 / nanos).unwrap_or(u32::MAX)
}

impl Trials {
    pub(super) fn new() -> Trials {
        let none = || AtomicU32::new(0);
        Trials { useful: AtomicU32::new(1), sated: none(), tried: none(), running: AtomicBool::new(false) }
    }

    /// How many runners tiny jobs keep busy.
    pub(super) fn useful(&self) -> usize {
        self.useful.load(QUEUE_PACE.get()) as usize
    }

    /// Forgets how many runners were of use: the ring is empty, or that was long ago.
    pub(super) fn forget(&self) {
        if self.useful() != 1 {
            self.useful.store(1, QUEUE_PACE.get());
        }
        if self.tried.load(QUEUE_PACE.get()) != 0 {
            self.tried.store(0, QUEUE_PACE.get());
        }
    }

    /// Whether a trial is under way.
    pub(super) fn is_running(&self) -> bool {
        self.running.load(QUEUE_PACE.get())
    }

    /// Whether the last trial's runner was of no help.
    pub(super) fn are_sated(&self) -> bool {
        self.sated.load(QUEUE_PACE.get()) > 0
    }

    /// Advises the worker on standby, while `runners` took `jobs` in `time`. With `again`, what earlier trials told
    /// does not count.
    pub(super) fn advise(&self, runners: usize, jobs: u64, time: Duration, again: bool) -> Advice {
        if jobs == 0 {
            // The runners may be blocked.
            return Advice::Join;
        }
        if again && self.useful() > 1 {
            // So that a runner that came by mistake does not stay for good: all that are beyond the first try anew.
            self.forget();
        }
        if self.is_running() || runners > self.useful() {
            // One trial at a time, and none before those that are too many have gone.
            return Advice::Stay;
        }
        let (now, sated) = (pace(jobs, time), self.sated.load(QUEUE_PACE.get()));
        let tried = self.tried.swap(0, QUEUE_PACE.get());
        if tried > 0 {
            // It must bring a third of what one more runner brings at best.
            let thirds = 3 * runners.max(1) as u64;
            let helped = u64::from(tried) * thirds >= u64::from(now) * (thirds + 1);
            self.useful.store((runners + usize::from(helped)) as u32, QUEUE_PACE.get());
            self.sated.store(if helped { 0 } else { now }, QUEUE_PACE.get());
            return if helped { Advice::Join } else { Advice::Stay };
        }
        if sated > 0 && now >= sated - sated / 4 && !again { Advice::Stay } else { Advice::Try }
    }

    /// Begins a trial. So far `popped` jobs have been taken.
    pub(super) fn begin(&self, popped: u64) -> Trial<'_> {
        self.tried.store(0, QUEUE_PACE.get());
        self.running.store(true, QUEUE_PACE.get());
        Trial { trials: self, begun: Instant::now(), popped }
    }
}

impl Trial<'_> {
    /// Whether the trial has taken long enough at the time `now`.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        now - self.begun >= LENGTH
    }

    /// Ends the trial at the time `now`, after `popped` jobs.
    pub(super) fn end(self, now: Instant, popped: u64) {
        let pace = pace(popped - self.popped, now - self.begun);
        self.trials.tried.store(pace, QUEUE_PACE.get());
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        self.trials.running.store(false, QUEUE_PACE.get());
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::{Advice, LENGTH, Trials};
    use crate::system::clock::Instant;
    use std::time::Duration;

    const MS: Duration = Duration::from_millis(1);

    /// A trial in which the runners take about `jobs` a millisecond.
    fn run(trials: &Trials, jobs: u64) {
        let trial = trials.begin(7);
        assert_eq!(trials.advise(1, 10, MS, false), Advice::Stay, "one trial at a time");
        let now = Instant::now() + MS;
        assert!(trial.is_over(now) && LENGTH < MS);
        // The time since the beginning is a little more than a millisecond.
        trial.end(now, 7 + jobs + jobs / 50);
    }

    #[test]
    fn a_runner_joins_if_it_helped() {
        let trials = Trials::new();
        assert_eq!(trials.advise(1, 1000, MS, false), Advice::Try);
        run(&trials, 1500);
        assert_eq!(trials.advise(1, 1000, MS, false), Advice::Join);
        assert_eq!(trials.useful(), 2);
        assert_eq!(trials.advise(2, 1500, MS, false), Advice::Try);
        run(&trials, 1600);
        assert_eq!(trials.advise(2, 1500, MS, false), Advice::Stay);
        assert_eq!(trials.useful(), 2);
        trials.forget();
        assert_eq!(trials.useful(), 1);
    }

    #[test]
    fn a_pace_that_was_enough_is_enough_again() {
        let trials = Trials::new();
        run(&trials, 500);
        assert_eq!(trials.advise(1, 1000, MS, false), Advice::Stay);
        assert_eq!(trials.useful(), 1);
        assert_eq!(trials.advise(1, 800, MS, false), Advice::Stay);
        assert_eq!(trials.advise(1, 800, MS, true), Advice::Try, "it is long ago");
        assert_eq!(trials.advise(1, 700, MS, false), Advice::Try, "slower");
        // The runner had lost its core, and has it back.
        run(&trials, 900);
        assert_eq!(trials.advise(1, 1000, MS, false), Advice::Stay);
    }

    #[test]
    fn a_stuck_runner_is_helped_at_once_and_for_good() {
        let trials = Trials::new();
        run(&trials, 500);
        assert_eq!(trials.advise(1, 1000, MS, false), Advice::Stay);
        let _trial = trials.begin(0);
        assert_eq!(trials.advise(1, 0, MS, false), Advice::Join);
    }

    #[test]
    fn runners_try_anew_after_a_while() {
        let trials = Trials::new();
        run(&trials, 1500);
        assert_eq!(trials.advise(1, 1000, MS, false), Advice::Join);
        assert_eq!(trials.advise(2, 1000, MS, true), Advice::Stay, "two are too many again");
        assert_eq!(trials.advise(1, 1000, MS, false), Advice::Try);
    }

    #[test]
    fn a_trial_without_an_end_is_none() {
        let trials = Trials::new();
        drop(trials.begin(0));
        assert_eq!(trials.advise(1, 10, MS, false), Advice::Try);
    }
}
