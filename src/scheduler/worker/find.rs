//! Where a worker looks for its next job: its own private stack and deque, its inbox, the injector, its peers.
//!
//! A job that moves from one queue to another lies in neither for a moment. So the worker that moves it publishes it
//! afterwards: another worker may have looked just then, found nothing, and gone to sleep. A thief that takes a job
//! from a peer's deque leaves a new demand if workers sleep: the job may have been exposed for them.

use std::cell::Cell;

use super::fairness::TICK;
use super::{Help, Worker};
use crate::jobs::deque::Steal;
use crate::jobs::job::{Home, Job};
use crate::scheduler::peer::Peer;
use crate::scheduler::registry::Registry;
use crate::sync::{EXHAUSTIVE, spin_loop};
use crate::waiting::latch::TaskLatch;

/// The most jobs that one look at the injector takes, all but one into the worker's deque. Enough to spread the cost
/// of the injector's two contended words, and below the 48 at which crossbeam's deque would grow.
const BATCH: usize = 32;

impl Worker {
    /// Finds the next job, in the places that `help` allows.
    pub(crate) fn find(&self, help: Help) -> Option<Job> {
        self.find_by(help, || self.out_of_turn(), || self.find_elsewhere(None))
    }

    /// As [`find`](Self::find), but only a job that another worker may run as well: none from the inbox.
    pub(super) fn find_shared(&self, help: Help) -> Option<Job> {
        self.find_by(help, || self.take_injected(), || self.take_injected().or_else(|| self.steal(None)))
    }

    /// Takes the worker's newest job, or else calls `elsewhere`. Every [`TICK`]-th call asks `out_of_turn` first.
    #[inline]
    fn find_by(
        &self,
        help: Help,
        out_of_turn: impl FnOnce() -> Option<Job>,
        elsewhere: impl FnOnce() -> Option<Job>,
    ) -> Option<Job> {
        let may_take = self.may_take(help);
        let tick = self.tick.get().wrapping_add(1);
        self.tick.set(tick);
        if may_take
            && tick.is_multiple_of(TICK)
            && let Some(job) = out_of_turn()
        {
            return Some(job);
        }
        self.own().or_else(|| if may_take { elsewhere() } else { None })
    }

    /// Takes the newest of this worker's own jobs. Answers demand first.
    pub(crate) fn own(&self) -> Option<Job> {
        if self.stack.is_wanted() && self.stack.seems_filled() {
            self.answer_lazily();
        }
        self.stack.pop().or_else(|| self.pop_deque())
    }

    /// Pops the newest job of the deque. In an isolated call, only a job that was pushed since the call began.
    pub(super) fn pop_deque(&self) -> Option<Job> {
        let height = self.height.get();
        if self.isolation.get().is_some_and(|isolation| height <= isolation.floor) {
            return None;
        }
        let job = self.deque.pop()?;
        self.height.set(height - 1);
        Some(job)
    }

    /// Takes a job from the inbox, the injector or a peer, and asks the peer `first` before the others.
    pub(super) fn find_elsewhere(&self, first: Option<usize>) -> Option<Job> {
        self.take_from_inbox().or_else(|| self.take_injected()).or_else(|| self.steal(first))
    }

    /// Takes the oldest job of the injector; outside any job, moves a batch of the next ones to the deque as well.
    pub(super) fn take_injected(&self) -> Option<Job> {
        let injector = &self.registry.injector;
        // This look saves a fence and a CAS where the injector is empty. It costs two loads, of lines that change
        // only when the injector does.
        if injector.is_empty() {
            return None;
        }
        // Inside a job one at a time: a job that lands in the deque above this job's own jobs would count as one of
        // them.
        let limit = if self.depth.get() == 0 { BATCH } else { 1 };
        let before = self.deque.len();
        loop {
            match injector.steal_batch_with_limit_and_pop(&self.deque, limit) {
                Steal::Success(job) => {
                    // Thieves may have taken some of the batch since. So the count may be too low, never too high.
                    let moved = self.deque.len().saturating_sub(before);
                    self.me().counters.taken.add(1 + moved as u64);
                    self.binding.summoned.set(true);
                    self.note_find();
                    self.has_loot.set(self.depth.get() > 0 && self.has_loot.get());
                    if moved > 0 {
                        // Nobody saw these jobs while they moved, and their publisher may have relied on a searcher
                        // that looked just then.
                        self.registry.sleep.published();
                    }
                    return Some(job);
                }
                Steal::Empty => return None,
                Steal::Retry => spin_loop(),
            }
        }
    }

    /// Steals the oldest job of some peer's deque. Leaves a demand with each peer whose deque is empty.
    fn steal(&self, first: Option<usize>) -> Option<Job> {
        let all = self.registry.all();
        let start = first.unwrap_or_else(|| if EXHAUSTIVE { self.index } else { self.rng.below(all) });
        let may_demand = self.steal_backoff.may_demand();
        loop {
            let mut lost_a_race = false;
            for offset in 0..all {
                let victim = (start + offset) % all;
                if victim == self.index {
                    continue;
                }
                match self.steal_from(victim) {
                    Steal::Success(job) => return Some(job),
                    Steal::Empty if may_demand => self.registry.peer(victim).private.demand(),
                    Steal::Empty => {}
                    Steal::Retry => lost_a_race = true,
                }
            }
            if !lost_a_race {
                return None;
            }
            spin_loop();
        }
    }

    /// Steals the oldest job of the deque of `victim`.
    fn steal_from(&self, victim: usize) -> Steal<Job> {
        let peer = self.registry.peer(victim);
        let stealer = &peer.stealer;
        // The theft itself pins an epoch before it looks, which this look saves.
        if stealer.is_empty() {
            return Steal::Empty;
        }
        // Only the oldest job. Of a stolen batch the newest job would run first. The oldest one, which among forks is
        // by far the largest, would wait in this deque until then.
        let stolen = stealer.steal();
        if let Steal::Success(_) = stolen {
            self.steal_backoff.note_theft();
            self.note_loot(peer);
            self.renew_demand(peer);
        }
        stolen
    }

    /// Raids the peers: takes the oldest private fork or job of one of them, without its help.
    pub(super) fn raid(&self) -> Option<Job> {
        let others = self.registry.all_peers().enumerate().filter(|&(index, _)| index != self.index);
        for (_, peer) in others {
            // An owner that answers demands needs no raid: a raid would interrupt it.
            if peer.private.is_unanswered()
                && let Some(job) = peer.private.raid()
            {
                self.note_loot(peer);
                return Some(job);
            }
        }
        None
    }

    /// Notes that this worker has a job of `peer` and is about to run it. That job, and what it pushes, comes before
    /// injected jobs: the owner may wait for it in an isolated call and hold a lock that an injected job wants.
    fn note_loot(&self, peer: &Peer) {
        self.me().counters.stolen.add(1);
        self.tick.set(0);
        let loot = self.is_spare() && peer.is_isolated();
        self.has_loot.set(loot || self.depth.get() > 0 && self.has_loot.get());
    }

    /// Takes a job from the inbox. A spare also takes one from the inbox of the worker that it stands in for.
    pub(super) fn take_from_inbox(&self) -> Option<Job> {
        let own = &self.me().inbox;
        let job = own.pop().or_else(|| if self.is_spare() { self.slot().inbox.pop() } else { None });
        if job.is_some() {
            self.binding.summoned.set(true);
        }
        job
    }

    /// Whether [`take_from_inbox`](Self::take_from_inbox) would find none.
    pub(super) fn inbox_is_empty(&self) -> bool {
        self.me().inbox.is_empty() && (!self.is_spare() || self.slot().inbox.is_empty())
    }

    /// Leaves a new demand with `peer`, from which a job was just stolen, if workers sleep and its deque is empty
    /// now: the job may have been exposed for a sleeper, which still wants one.
    fn renew_demand(&self, peer: &Peer) {
        if self.registry.sleep.snapshot().asleep() > 0 && peer.stealer.is_empty() {
            peer.private.demand();
        }
    }

    /// Steals the oldest job of the deque of `victim`, and returns it if `will_do` accepts it. Leaves a demand if the
    /// deque is empty. A job that `will_do` refuses goes to this worker's deque, where others find it, or to a spare.
    /// `missed` notes that: once it is set, this function takes no job any more.
    pub(super) fn steal_if(
        &self,
        victim: usize,
        missed: &Cell<bool>,
        will_do: impl FnOnce(&Job) -> bool,
    ) -> Option<Job> {
        if missed.get() || victim == self.index {
            return None;
        }
        let peer = self.registry.peer(victim);
        if peer.stealer.is_empty() {
            peer.private.demand();
            return None;
        }
        let Steal::Success(job) = peer.stealer.steal() else { return None };
        self.me().counters.stolen.add(1);
        self.renew_demand(peer);
        if will_do(&job) {
            return Some(job);
        }
        missed.set(true);
        // An isolated call looks for its jobs in its own deque only, and all who would find this one in here may be
        // blocked on what that call holds.
        let left = if peer.is_isolated() {
            Registry::run_on_spare(&self.registry, self.number.get(), job)
        } else {
            Err(job)
        };
        if let Err(job) = left {
            self.push_deque(job);
            self.registry.sleep.published();
        }
        None
    }

    /// Waits for a fork that has left, whose frame is at `address`. Returns `true` if this worker has the fork back:
    /// the caller must then run it.
    pub(crate) fn await_fork(&self, latch: &TaskLatch, address: usize, help: Help) -> bool {
        if self.may_lend_place() {
            return self.wait_for_fork(latch, address, help);
        }
        while !latch.probe() {
            match self.own() {
                Some(job) if job.home() == (Home::Fork, address) => return true,
                Some(job) => self.run(job),
                None => {
                    self.wait_until(latch, help);
                    return false;
                }
            }
        }
        false
    }

    /// Takes a job whose turn comes before the worker's newest job: see [`super::fairness`].
    #[cold]
    pub(super) fn out_of_turn(&self) -> Option<Job> {
        let inside = self.depth.get() > 0;
        self.note_find();
        let oldest =
            if !inside && self.has_own() && self.fairness.is_due() { self.take_oldest() } else { None };
        oldest.or_else(|| self.me().inbox.pop()).or_else(|| self.take_injected())
    }

    /// Takes the oldest of this worker's own jobs, unless a thief is faster.
    fn take_oldest(&self) -> Option<Job> {
        if self.deque.is_empty() {
            // One job for this worker, beside the jobs that idle workers want: exposing answers their demand as well.
            let sleep = &self.registry.sleep;
            let wanted = |_| (1 + sleep.snapshot().idle()).saturating_sub(self.deque.len());
            if self.stack.expose(wanted, |jobs| self.push_each(jobs)) > 1 {
                sleep.published_lazily();
            }
        }
        match self.me().stealer.steal() {
            Steal::Success(job) => Some(job),
            Steal::Empty | Steal::Retry => None,
        }
    }
}
