//! What a worker does when it has nothing to do: search, then sleep, in the order that [`crate::waiting::sleep`]
//! demands.

use std::time::{Duration, Instant};

use super::{Help, Worker};
use crate::jobs::job::Job;
use crate::scheduler::registry::Registry;
use crate::sync::site::FORK_DEMAND_FENCE;
use crate::sync::{MODEL, defect, fence};
use crate::system::parker;
use crate::system::spin::{Spin, WAKE, offer};
use crate::waiting::latch::{Latch, Signal, TaskLatch};
use crate::waiting::sleep::Woken;

/// How long a worker that watches sleeps between its looks: the longest that a fork waits to be seen while the
/// machine has a core for it, beside what the system's timers add.
const NAP: Duration = Duration::from_micros(50);

/// After so many looks in vain it sleeps until it is woken, which costs whoever forks next a system call.
const NAPS: u32 = 100;

/// For how long a worker that waits inside a job looks about without being counted as idle. Longer than most such waits
/// last; but owners hand out as many jobs as there are idle workers, so that who is not counted gets none: with the
/// price of a wake instead, a scope's owner lost 40 µs each time that all of its jobs were elsewhere.
pub(super) const BRIEF: Duration = Duration::from_micros(1);

/// What a worker runs jobs, searches and sleeps for.
pub(crate) trait Until {
    /// Whether it is reached. If so, all that led to it is visible.
    fn done(&self, registry: &Registry) -> bool;

    /// Announces that the worker is about to park; whoever makes it done must then leave a token with
    /// the worker's parker. `false` if it is done already.
    fn arm(&self) -> bool {
        true
    }

    /// Looks for a job.
    fn find(&self, worker: &Worker, help: Help) -> Option<Job> {
        worker.find(help)
    }

    /// Whose deque to look into first.
    fn hint(&self) -> Option<usize> {
        None
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

impl Until for TaskLatch {
    fn done(&self, _: &Registry) -> bool {
        self.probe()
    }

    fn arm(&self) -> bool {
        TaskLatch::arm(self)
    }

    fn hint(&self) -> Option<usize> {
        self.thief()
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

/// A moment in time, or until `worker` has something in its inbox.
struct UntilTime<'w> {
    moment: Instant,
    worker: &'w Worker,
}

impl Until for UntilTime<'_> {
    fn done(&self, _: &Registry) -> bool {
        self.moment <= Instant::now() || !self.worker.inbox_is_empty()
    }

    fn deadline(&self) -> Option<Instant> {
        Some(self.moment)
    }

    /// Nothing out of the inbox, which only this worker may run: what is found goes where others may take it.
    fn find(&self, worker: &Worker, help: Help) -> Option<Job> {
        worker.find_shared(help)
    }

    const SEARCH: bool = false;
}

/// What [`Worker::next`] found.
pub(super) enum Next {
    Job(Job),
    Done,
}

impl Worker {
    /// Runs jobs of the pool, as far as `help` goes, until `until` is done, sleeping where there are none.
    pub(crate) fn wait_until(&self, until: &impl Until, help: Help) {
        // A lent thread outside any job delays the end of the pool while it works for it.
        let _hold = (!self.inside()).then(|| self.registry.hold());
        self.expose_all();
        while let Next::Job(job) = self.next(until, help) {
            self.run_on_top(job);
        }
    }

    /// Waits until `signal` has fired or `deadline` is past, or until there is a job, which it returns.
    pub(crate) fn signal_or_job(&self, signal: &Signal, deadline: Option<Instant>) -> Option<Job> {
        self.expose_all();
        match self.next(&UntilSignal { signal, deadline }, Help::Any) {
            Next::Job(job) => Some(job),
            Next::Done => None,
        }
    }

    /// Waits until `signal`, made with this worker's unparker, has fired or `deadline` is past, and looks for no
    /// jobs. The pool takes this worker for one that is busy.
    pub(crate) fn sleep_until(&self, signal: &Signal, deadline: Option<Instant>) {
        let until = UntilSignal { signal, deadline };
        self.expose_all();
        while !until.done(&self.registry) {
            self.parker.park(deadline);
        }
    }

    /// Sleeps for `time`, but not longer than until there is a job for this worker: `false` then, with the job on
    /// its deque, or in its inbox. Under the checker, where no time passes, not at all.
    pub(crate) fn nap(&self, time: Duration) -> bool {
        if MODEL {
            return true;
        }
        self.expose_all();
        match self.next(&UntilTime { moment: Instant::now() + time, worker: self }, Help::Any) {
            Next::Done => self.inbox_is_empty(),
            Next::Job(job) => {
                self.push_deque(job);
                // It was in no queue for a moment, and this worker may come to another job before it.
                self.registry.sleep.published();
                false
            }
        }
    }

    /// The next job, or the news that `until` is done. Sleeps as long as there is neither.
    pub(super) fn next<U: Until>(&self, until: &U, help: Help) -> Next {
        self.next_from(until, help, false)
    }

    /// As [`next`](Self::next), by a worker that counts as searching already or not.
    pub(super) fn next_from<U: Until>(&self, until: &U, help: Help, mut searching: bool) -> Next {
        if !self.may_take(help) {
            return self.next_own(until, help);
        }
        let sleep = &self.registry.sleep;
        loop {
            if let Some(next) = self.look(until, || until.find(self, help)) {
                self.stop_searching(searching);
                return next;
            }
            if U::SEARCH && U::IN_JOB && !searching {
                // Nobody counts on this worker meanwhile, so that it takes no place from one that has nothing else to do.
                if let Some(next) = self.search(until, Spin::new(BRIEF)) {
                    return next;
                }
            }
            if U::SEARCH && (searching || sleep.start_search()) {
                searching = true;
                fence(FORK_DEMAND_FENCE);
                if !MODEL && parker::has_woken() {
                    // It may be the thread that this worker has just answered, and have no other core.
                    offer(Duration::ZERO);
                }
                // A peer that forks has answered the demand by the end of the search.
                let raid = || self.look(until, || self.raid());
                // Whoever is busy may bring what this worker looks for, and needs its own core for that.
                let crowded = sleep.is_too_crowded_to_search();
                let spin = if crowded { Spin::offering() } else { Spin::new(WAKE) };
                let nap = || if crowded { None } else { self.nap_and_search(until) };
                if let Some(next) = self.search(until, spin).or_else(raid).or_else(nap) {
                    self.stop_searching(true);
                    return next;
                }
            }
            if until.arm() {
                self.sleep(until, searching);
                searching = true;
            }
        }
    }

    /// Sleeps until somebody wakes this worker, which counts as searching or not and does so afterwards; not at all if
    /// there is something to do.
    fn sleep<U: Until>(&self, until: &U, searching: bool) {
        let sleep = &self.registry.sleep;
        let counters = &self.me().counters;
        let state = sleep.fall_asleep(self.index, searching, U::IN_JOB);
        if !U::IN_JOB && state.closed() {
            self.registry.end_if(state);
        }
        if !until.done(&self.registry)
            && (!self.registry.has_work() || defect("sleeps_unlooked"))
            && self.inbox_is_empty()
            && !self.registry.others_keep_jobs(state.idle())
        {
            counters.parked.add(1);
            self.parker.park(until.deadline());
        }
        if sleep.get_up(self.index, U::IN_JOB) == Woken::Claimed {
            counters.woken.add(1);
        }
    }

    /// The first job of the main loop. A worker that finds none does not search before it sleeps: nobody has forked yet.
    pub(super) fn first(&self, until: &UntilEnd) -> Next {
        if let Some(next) = self.look(until, || self.find(Help::Any)) {
            return next;
        }
        self.sleep(until, false);
        self.next_from(until, Help::Any, true)
    }

    /// As [`next`](Self::next) for a wait that takes no job of others. It is not counted as asleep, for then it
    /// might be chosen to be woken for one.
    fn next_own<U: Until>(&self, until: &U, help: Help) -> Next {
        loop {
            let own = || match help {
                Help::Nothing => None,
                // A broadcast may be what the thief waits for that this worker waits for.
                Help::Near | Help::Own if !self.is_isolated() => self.own().or_else(|| self.take_from_inbox()),
                _ => self.own(),
            };
            if let Some(next) = self.look(until, own) {
                return next;
            }
            self.expose_all();
            if until.arm() && !until.done(&self.registry) {
                self.me().counters.parked.add(1);
                self.parker.park(until.deadline());
            }
        }
    }

    fn look<U: Until>(&self, until: &U, find: impl Fn() -> Option<Job>) -> Option<Next> {
        if until.done(&self.registry) {
            return Some(Next::Done);
        }
        find().map(Next::Job)
    }

    /// Looks again and again for about the price of one wake.
    fn search<U: Until>(&self, until: &U, mut spin: Spin) -> Option<Next> {
        while spin.again() {
            let next = self.look(until, || self.find_elsewhere(until.hint()));
            if next.is_some() {
                return next;
            }
        }
        None
    }

    /// Naps and looks in turn, as long as other workers are busy: whoever forks need not wake anybody. One worker
    /// of a pool at a time.
    fn nap_and_search<U: Until>(&self, until: &U) -> Option<Next> {
        let sleep = &self.registry.sleep;
        if MODEL || !sleep.start_napping(self.index) {
            return None;
        }
        let mut found = None;
        for _ in 0..NAPS {
            // A peer that forks answers the demand in that time; a raid would interrupt it.
            found = self.look(until, || self.find_elsewhere(until.hint()));
            let mut spin = Spin::brisk();
            while found.is_none() && spin.again() {
                found = self.look(until, || self.find_elsewhere(until.hint()));
            }
            found = found.or_else(|| self.look(until, || self.raid()));
            if found.is_some() || sleep.all_idle() || !until.arm() {
                break;
            }
            let nap = Instant::now() + NAP;
            self.parker.park(Some(until.deadline().map_or(nap, |deadline| deadline.min(nap))));
        }
        sleep.stop_napping();
        found
    }

    pub(super) fn stop_searching(&self, searching: bool) {
        if searching {
            let sleep = &self.registry.sleep;
            // The sleepers' demand may have been met with jobs that this worker and others took.
            sleep.end_search(|state| {
                self.registry.has_work() || self.registry.others_keep_jobs(state.idle() + 1)
            });
        }
    }
}
