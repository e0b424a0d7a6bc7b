//! What a worker does when it has no job: it searches, then it sleeps, as [`crate::waiting::sleep`] demands.
//!
//! | step | counted as searching | ends, if not by a job or the end of the wait, by |
//! |---|---|---|
//! | brief look-about, in a wait inside a job | no | [`BRIEF`] |
//! | search awake, unless enough workers search; then one raid | yes | about the price of one wake |
//! | nap and look in turn, as the napping searcher | yes | [`NAPS`] naps, or nobody is busy |
//! | sleep: announce, look once more, park | no; afterwards yes | a token, or the last look |

use std::time::Duration;

use super::until::{Until, UntilEnd, UntilSignal, UntilTime};
use super::{Help, Worker};
use crate::jobs::job::Job;
use crate::scheduler::registry::Keep;
use crate::sync::site::FORK_DEMAND_FENCE;
use crate::sync::{EXHAUSTIVE, MODEL, defect, fence};
use crate::system::clock::Instant;
use crate::system::parker;
use crate::system::spin::{Spin, WAKE, offer};
use crate::system::spin_history::SpinHistory;
use crate::waiting::latch::Signal;
use crate::waiting::sleep::{Snapshot, Woken};

/// How long the napping searcher sleeps between two looks. While the machine has a free core, a fork waits at most
/// this long until a worker sees it, plus what the system's timers add.
const NAP: Duration = Duration::from_micros(50);

/// After this many naps in vain, or fewer where naps were in vain lately, it sleeps until it is woken: a system call for
/// the worker that forks next.
const NAPS: u32 = 100;

/// How long a worker that waits inside a job looks about without being counted as idle. Most of these waits end
/// within this time. It is no longer, because owners expose as many jobs as there are idle workers: a worker that is
/// not counted gets none.
pub(super) const BRIEF: Duration = Duration::from_micros(1);

/// The result of [`Worker::next`]: a job, or the news that the wait is over.
pub(super) enum Next {
    Job(Job),
    Done,
}

impl Worker {
    /// Runs jobs of the pool, those that `help` allows, until `until` is done. Sleeps while there are none.
    pub(crate) fn wait_until(&self, until: &impl Until, help: Help) {
        // The hold delays the pool's end while a lent thread outside any job works for the pool.
        let _hold = (!self.inside()).then(|| self.registry.hold());
        self.expose_all();
        while let Next::Job(job) = self.next(until, help) {
            self.run_on_top(job);
        }
    }

    /// Waits until `signal` has fired, `deadline` is past, or there is a job. Returns that job, which has not run.
    pub(crate) fn signal_or_job(&self, signal: &Signal, deadline: Option<Instant>) -> Option<Job> {
        self.expose_all();
        match self.next(&UntilSignal { signal, deadline }, Help::Any) {
            Next::Job(job) => Some(job),
            Next::Done => None,
        }
    }

    /// Waits until `signal`, which was made with this worker's unparker, has fired or `deadline` is past. Looks for
    /// no jobs: the pool takes this worker for busy.
    pub(crate) fn sleep_until(&self, signal: &Signal, deadline: Option<Instant>) {
        let until = UntilSignal { signal, deadline };
        self.expose_all();
        self.registry.as_waiting(self.index, || {
            while !until.done(&self.registry) {
                self.park(deadline);
            }
        });
    }

    /// Sleeps for `time`, but only until there is a job for this worker. Returns `false` if there is one: it then
    /// lies in the worker's deque or in its inbox. Under a checker, where no time passes, it does not sleep at all.
    pub(crate) fn nap(&self, time: Duration) -> bool {
        if MODEL {
            return true;
        }
        self.expose_all();
        match self.next(&UntilTime { moment: Instant::now() + time, worker: self }, Help::Any) {
            Next::Done => self.inbox_is_empty(),
            Next::Job(job) => {
                self.push_deque(job);
                // For a moment the job lay in no queue, and this worker may run another job before it.
                self.registry.sleep.published();
                false
            }
        }
    }

    /// Returns the next job, or that `until` is done. Sleeps while there is neither.
    pub(super) fn next<U: Until>(&self, until: &U, help: Help) -> Next {
        self.next_from(until, help, false)
    }

    /// As [`next`](Self::next). `searching`: the worker counts as searching already.
    pub(super) fn next_from<U: Until>(&self, until: &U, help: Help, searching: bool) -> Next {
        if !self.may_take(help) {
            return self.next_own(until, help);
        }
        let next = self.next_of_any(until, help, searching);
        if !U::IN_JOB && matches!(next, Next::Job(_)) {
            self.note_work();
        }
        next
    }

    fn next_of_any<U: Until>(&self, until: &U, help: Help, mut searching: bool) -> Next {
        let sleep = &self.registry.sleep;
        loop {
            if let Some(next) = self.look(until, || until.find(self, help)) {
                if searching {
                    self.stop_searching(true);
                    self.waits.searches.note_over();
                    self.waits.naps.note_over_within(NAP * NAPS);
                }
                return next;
            }
            if !U::IN_JOB {
                self.tell_ends();
                self.note_rest();
            }
            if U::SEARCH && U::IN_JOB && !searching {
                // Not counted as searching, so that no worker with nothing else to do loses its place as a searcher.
                if let Some(next) = self.search(until, Spin::new(BRIEF)) {
                    return next;
                }
            }
            if U::SEARCH && (searching || sleep.start_search()) {
                searching = true;
                fence(FORK_DEMAND_FENCE);
                if !MODEL && parker::has_woken() {
                    // The thread that this worker has just woken may have no other core to run on.
                    offer(Duration::ZERO);
                }
                // After the search: by then a peer that forks has answered the demand, and needs no raid.
                let raid = || self.look(until, || self.raid());
                // A busy worker may produce the job that this worker looks for, and needs a core for that.
                let crowded = sleep.is_too_crowded_to_search();
                let searches = &self.waits.searches;
                let spin = if crowded { Spin::offering() } else { searches.shorten(Spin::new(WAKE)) };
                let nap = || if crowded { None } else { self.nap_and_search(until) };
                self.binding.summoned.set(false);
                let found = self.search_noted(until, spin, searches);
                self.note_offers();
                if let Some(next) = found.or_else(raid).or_else(nap) {
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

    /// Sleeps until a token wakes this worker, unless the look after the announcement finds something to do.
    /// `searching`: whether the worker counts as searching at the call. It does when this returns.
    fn sleep<U: Until>(&self, until: &U, searching: bool) {
        let sleep = &self.registry.sleep;
        let counters = &self.me().counters;
        let state = sleep.fall_asleep(self.index, searching, U::IN_JOB);
        if !U::IN_JOB && state.closed() {
            self.registry.end_if(state);
            self.expose_all();
            self.note_rest();
        }
        let keep = if until.done(&self.registry)
            || self.registry.has_work() && !defect("sleeps_unlooked")
            || !self.inbox_is_empty()
        {
            Keep::Some
        } else {
            self.registry.others_keep_jobs(self.index, state.idle())
        };
        if keep != Keep::Some {
            counters.parked.add(1);
        }
        if keep == Keep::Nothing || keep == Keep::Unsure && self.is_sure_after_nap(until, state) {
            self.end_stint();
            self.parker.park(until.deadline());
            self.begin_stint();
        }
        if sleep.get_up(self.index, U::IN_JOB) == Woken::Claimed {
            counters.woken.add(1);
        }
    }

    /// The second look before a sleep, a nap after the first: whether there is nothing to do, for sure. A token that
    /// came meanwhile is something to do.
    #[cold]
    fn is_sure_after_nap<U: Until>(&self, until: &U, state: Snapshot) -> bool {
        let nap = Instant::now() + NAP;
        let token = self.park(Some(until.deadline().map_or(nap, |deadline| deadline.min(nap))));
        !token
            && !until.done(&self.registry)
            && !self.registry.has_work()
            && self.inbox_is_empty()
            && self.registry.others_keep_jobs(self.index, state.idle()) != Keep::Some
    }

    /// Notes that this worker is at rest, unless something is private. To be called outside any job.
    pub(super) fn note_rest(&self) {
        if !EXHAUSTIVE && !self.at_rest.get() && self.stack.is_empty() {
            self.at_rest.set(true);
            self.stack.rest();
            self.registry.prepare();
        }
    }

    /// Notes that this worker is about to run a job, or anything else that may submit one.
    #[inline]
    pub(crate) fn note_work(&self) {
        if self.at_rest.replace(false) {
            self.stack.work();
        }
    }

    /// Returns the first job of the main loop. A worker that finds none sleeps without a search: nobody has forked
    /// yet.
    pub(super) fn first(&self, until: &UntilEnd) -> Next {
        if let Some(next) = self.look(until, || self.find(Help::Any)) {
            if matches!(next, Next::Job(_)) {
                self.note_work();
            }
            return next;
        }
        self.note_rest();
        self.sleep(until, false);
        self.next_from(until, Help::Any, true)
    }

    /// As [`next`](Self::next), for a wait that takes no jobs of other workers. The worker does not count as asleep:
    /// a waker might otherwise choose it for a job that it does not take.
    fn next_own<U: Until>(&self, until: &U, help: Help) -> Next {
        loop {
            let own = || match help {
                // The thief that this worker waits for may itself wait for this worker's turn of a broadcast.
                Help::Near | Help::Own if !self.is_isolated() => self.own().or_else(|| self.take_from_inbox()),
                _ => self.own(),
            };
            if let Some(next) = self.look(until, own) {
                return next;
            }
            self.expose_all();
            if until.arm() && !until.done(&self.registry) {
                let last_resort = self.park_stuck(until);
                if let Some(job) = last_resort {
                    return Next::Job(job);
                }
            }
        }
    }

    fn look<U: Until>(&self, until: &U, find: impl Fn() -> Option<Job>) -> Option<Next> {
        if until.done(&self.registry) {
            return Some(Next::Done);
        }
        find().map(Next::Job)
    }

    /// Looks again and again for as long as `spin` lasts: about the price of one wake, or less.
    fn search<U: Until>(&self, until: &U, spin: Spin) -> Option<Next> {
        self.search_noted(until, spin, &SpinHistory::new())
    }

    /// As [`search`](Self::search), and notes in `history` whether the spin paid.
    fn search_noted<U: Until>(&self, until: &U, mut spin: Spin, history: &SpinHistory) -> Option<Next> {
        while spin.again() {
            let next = self.look(until, || self.find_elsewhere(until.hint()));
            if next.is_some() {
                spin.end();
                history.note_paid();
                return next;
            }
        }
        history.note_vain(&spin);
        None
    }

    /// Naps and looks in turn while other workers are busy: a worker that forks need wake nobody. One worker at a
    /// time.
    fn nap_and_search<U: Until>(&self, until: &U) -> Option<Next> {
        let sleep = &self.registry.sleep;
        if MODEL || !sleep.start_napping(self.index) {
            return None;
        }
        let mut found = None;
        let begun = Instant::now();
        for _ in 0..self.waits.naps.tries(NAPS) {
            // A peer that forks answers the demand during this spin; a raid would interrupt it.
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
            self.park(Some(until.deadline().map_or(nap, |deadline| deadline.min(nap))));
        }
        sleep.stop_napping();
        match found {
            Some(_) => self.waits.naps.note_paid(),
            None => self.waits.naps.note_vain_since(Some(begun)),
        }
        found
    }

    /// Ends the worker's search, if it counts as `searching`. Wakes another worker if a job might be overlooked.
    pub(super) fn stop_searching(&self, searching: bool) {
        if searching {
            let sleep = &self.registry.sleep;
            // An owner may have answered the sleepers' demand with jobs that this worker and others took.
            sleep.end_search(|state| {
                self.registry.has_work() || self.registry.others_have_jobs(self.index, state.idle() + 1)
            });
        }
    }
}
