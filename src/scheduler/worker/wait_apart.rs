//! A wait that is *apart*: the caller wants no unrelated job on top of its own, because it may hold a lock that other
//! jobs want. It is apart by [`Wait::OwnScope`] or [`Wait::Park`], or because it is in an isolated call.
//!
//! | while it waits | it runs on top |
//! |---|---|
//! | first | related jobs, as any wait does; see [`super::wait_in_job`] |
//! | a spare has its place | none: a job of its isolated call that nobody has taken within [`POLL`] goes to a spare by itself |
//! | no spare is left | the jobs of its isolated call |
//! | no spare is left, and no worker of the pool goes on | any job |
//!
//! A job of the isolated call need not be related: it may wait for what the caller does after this wait. So it does not
//! run on top if there is a spare. All others may be blocked on what the caller holds; a spare that is called for this
//! job runs it before any other.
//!
//! In the last row there is no right way, only a better one. The pool stands still, unless an outside thread does
//! something. The job that is run may want what the caller holds, or wait for the caller, and then nothing is lost;
//! in all other cases the pool goes on.

use std::time::Duration;

use super::until::Until;
use super::{Wait, Worker};
use crate::jobs::job::Job;
use crate::scheduler::registry::Registry;
use crate::sync::site::STUCK;
use crate::sync::{EXHAUSTIVE, MODEL};
use crate::system::clock::Instant;

/// How long a wait leaves the jobs of its isolated call to others, and how often a wait without a spare looks for
/// one.
pub(super) const POLL: Duration = Duration::from_millis(1);

/// Says that the calling thread has a worker's place, waits without a spare, and runs none but its own jobs.
pub(super) struct Stuck<'w>(&'w Worker);

impl<'w> Stuck<'w> {
    pub(super) fn new(worker: &'w Worker) -> Stuck<'w> {
        worker.registry.stuck.fetch_add(1, STUCK.get());
        Stuck(worker)
    }

    /// Whether no worker of the pool goes on: each is stuck, or asleep because it finds nothing. A lent thread counts as
    /// one that goes on, unless it is stuck.
    fn is_pool(&self) -> bool {
        let registry = &self.0.registry;
        let asleep = registry.sleep.snapshot().asleep();
        registry.stuck.load(STUCK.get()) + asleep >= registry.threads() + usize::from(registry.lent)
    }
}

impl Registry {
    /// Whether some thread that has a worker's place runs none but its own jobs.
    pub(super) fn is_any_stuck(&self) -> bool {
        self.stuck.load(STUCK.get()) > 0
    }
}

impl Drop for Stuck<'_> {
    fn drop(&mut self) {
        self.0.registry.stuck.fetch_sub(1, STUCK.get());
    }
}

impl Worker {
    /// Whether a wait that was asked to wait as `wait` says is apart.
    pub(crate) fn is_apart(&self, wait: Option<Wait>) -> bool {
        matches!(wait, Some(Wait::OwnScope | Wait::Park)) || wait.is_none() && self.is_isolated()
    }

    /// Waits apart until `until` is done. Runs the jobs that `related` finds.
    pub(crate) fn wait_apart<U: Until>(&self, until: &U, mut related: impl FnMut() -> Option<Job>) {
        // A lent thread outside any job does not hold up the pool's end by itself.
        let _hold = (!self.inside()).then(|| self.registry.hold());
        loop {
            if self.may_lend_place() && self.lend_place(until, &mut related) {
                return;
            }
            self.expose_all();
            if until.done(&self.registry) {
                return;
            }
            if let Some(job) = related() {
                self.run(job);
                continue;
            }
            if let Some(job) = self.own_if_isolated() {
                self.run_on_top(job);
                continue;
            }
            if !until.arm() {
                // Over. The look above makes visible what led to that.
                continue;
            }
            if let Some(job) = self.park_stuck(until) {
                self.run_on_top(job);
            }
        }
    }

    /// Sleeps without a spare, until a token comes or it is time to look for a spare again. If the pool has stood still
    /// meanwhile, although there is work, returns a job, however little is left of the stack.
    pub(super) fn park_stuck<U: Until>(&self, until: &U) -> Option<Job> {
        self.me().counters.parked.add(1);
        if EXHAUSTIVE {
            self.park(until.deadline());
            return None;
        }
        if self.is_relieved() {
            // The worker is back in its place.
            self.park(poll_until(until.deadline()));
            return None;
        }
        let stuck = Stuck::new(self);
        // Work that came a moment ago is left to the sleeper that is about to be woken for it.
        let stands_still = || stuck.is_pool() && (self.registry.has_work() || !self.inbox_is_empty());
        let before = stands_still();
        let token = self.park(poll_until(until.deadline()));
        let help = !token && before && stands_still() && !until.done(&self.registry);
        drop(stuck);
        help.then(|| self.own().or_else(|| self.find_elsewhere(None))).flatten()
    }
}

/// The end of a sleep that is to last for [`POLL`] at most. Under a checker it has no end.
pub(super) fn poll_until(deadline: Option<Instant>) -> Option<Instant> {
    if MODEL {
        return deadline;
    }
    let poll = Instant::now() + POLL;
    Some(deadline.map_or(poll, |deadline| deadline.min(poll)))
}
