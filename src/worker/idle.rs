//! What a worker does when it has nothing to do: search, then sleep, in the order that [`crate::sleep`]
//! demands.

use std::time::{Duration, Instant};

use super::Worker;
use crate::job::Job;
use crate::latch::{Latch, Signal};
use crate::registry::Registry;
use crate::sleep::Woken;
use crate::spin::{Spin, WAKE};
use crate::sync::MODEL;

/// What a worker runs jobs, searches and sleeps for.
pub(crate) trait Until {
    /// Whether it is reached. If so, all that led to it is visible.
    fn done(&self, registry: &Registry) -> bool;

    /// Announces that the worker is about to park; whoever makes it done must then leave a token with
    /// the worker's parker. `false` if it is done already.
    fn arm(&self) -> bool {
        true
    }

    /// When to give up.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// Whether this is a wait inside a job, whose end the pool's end must wait for.
    const IN_JOB: bool = true;

    /// Whether to search awake before sleeping.
    const SEARCH: bool = true;
}

/// The pool's end: what the main loop runs until.
pub(super) struct UntilEnd;

impl Until for UntilEnd {
    fn done(&self, registry: &Registry) -> bool {
        registry.sleep.snapshot().ended()
    }

    const IN_JOB: bool = false;
}

impl Until for Latch {
    fn done(&self, _: &Registry) -> bool {
        self.probe()
    }

    fn arm(&self) -> bool {
        Latch::arm(self)
    }
}

/// A signal, which wakes unasked, or a moment in time.
pub(crate) struct UntilSignal<'s> {
    pub(crate) signal: &'s Signal,
    pub(crate) deadline: Option<Instant>,
}

impl Until for UntilSignal<'_> {
    fn done(&self, _: &Registry) -> bool {
        self.signal.fired() || self.deadline.is_some_and(|deadline| deadline <= Instant::now())
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadline
    }
}

/// A moment in time.
struct UntilTime(Instant);

impl Until for UntilTime {
    fn done(&self, _: &Registry) -> bool {
        self.0 <= Instant::now()
    }

    fn deadline(&self) -> Option<Instant> {
        Some(self.0)
    }

    const SEARCH: bool = false;
}

/// What [`Worker::next`] found.
pub(super) enum Next {
    Job(Job),
    Done,
}

impl Worker {
    /// Runs jobs of the pool until `until` is done, sleeping where there are none.
    pub(crate) fn wait_until(&self, until: &impl Until) {
        // A lent thread outside any job delays the end of the pool while it works for it.
        let _hold = (!self.inside()).then(|| self.registry.hold());
        while let Next::Job(job) = self.next(until) {
            self.run(job);
        }
    }

    /// Waits until `signal` has fired or `deadline` is past, or until there is a job, which it returns.
    pub(crate) fn signal_or_job(&self, signal: &Signal, deadline: Option<Instant>) -> Option<Job> {
        match self.next(&UntilSignal { signal, deadline }) {
            Next::Job(job) => Some(job),
            Next::Done => None,
        }
    }

    /// Waits until `signal`, made with this worker's unparker, has fired or `deadline` is past, and looks for no
    /// jobs. The pool takes this worker for one that is busy.
    pub(crate) fn sleep_until(&self, signal: &Signal, deadline: Option<Instant>) {
        let until = UntilSignal { signal, deadline };
        while !until.done(&self.registry) {
            self.parker.park(deadline);
        }
    }

    /// Sleeps for `time`, but not longer than until there is a job for this worker: `false` then, with the job on
    /// its deque. Under the checker, where no time passes, not at all.
    pub(crate) fn nap(&self, time: Duration) -> bool {
        if MODEL {
            return true;
        }
        match self.next(&UntilTime(Instant::now() + time)) {
            Next::Done => true,
            Next::Job(job) => {
                self.deque.push(job);
                false
            }
        }
    }

    /// The next job, or the news that `until` is done. Sleeps as long as there is neither.
    pub(super) fn next<U: Until>(&self, until: &U) -> Next {
        let sleep = &self.registry.sleep;
        let counters = &self.me().counters;
        let mut searching = false;
        loop {
            if let Some(next) = self.look(until, Self::find) {
                self.stop_searching(searching);
                return next;
            }
            searching = searching || U::SEARCH && sleep.start_search();
            if U::SEARCH
                && searching
                && let Some(next) = self.search(until)
            {
                self.stop_searching(true);
                return next;
            }
            if !until.arm() {
                continue;
            }
            let after = sleep.fall_asleep(self.index, searching, U::IN_JOB);
            if !U::IN_JOB && after.at_rest(self.registry.threads()) && !self.registry.has_work() {
                sleep.end();
            }
            if !until.done(&self.registry) && !self.registry.has_work() {
                counters.parked.add(1);
                self.parker.park(until.deadline());
            }
            if sleep.get_up(self.index, U::IN_JOB) == Woken::Claimed {
                counters.woken.add(1);
            }
            searching = true;
        }
    }

    fn look<U: Until>(&self, until: &U, find: impl Fn(&Self) -> Option<Job>) -> Option<Next> {
        if until.done(&self.registry) {
            return Some(Next::Done);
        }
        find(self).map(Next::Job)
    }

    /// Looks again and again for about the price of one wake.
    fn search<U: Until>(&self, until: &U) -> Option<Next> {
        let mut spin = Spin::new(WAKE);
        while spin.again() {
            let next = self.look(until, Self::find_elsewhere);
            if next.is_some() {
                return next;
            }
        }
        None
    }

    fn stop_searching(&self, searching: bool) {
        if searching {
            self.registry.sleep.end_search(|| self.registry.has_work());
        }
    }
}
