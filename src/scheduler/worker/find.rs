//! Where a worker looks for its next job.

use std::cell::Cell;

use super::fairness::TICK;
use super::{Help, Worker};
use crate::jobs::deque::Steal;
use crate::jobs::job::{Home, Job};
use crate::scheduler::peer::Peer;
use crate::sync::{EXHAUSTIVE, spin_loop};
use crate::waiting::latch::TaskLatch;

/// The most jobs that one look at the injector moves to the own deque. Enough to spread the cost of
/// the injector's two contended words, and below the 48 at which crossbeam's deque would grow.
const BATCH: usize = 32;

impl Worker {
    /// The next job, from wherever `help` allows.
    pub(crate) fn find(&self, help: Help) -> Option<Job> {
        self.find_by(help, || self.out_of_turn(), || self.find_elsewhere(None))
    }

    /// As [`find`](Self::find), of the jobs that another may run as well.
    pub(super) fn find_shared(&self, help: Help) -> Option<Job> {
        self.find_by(help, || self.take_injected(), || self.take_injected().or_else(|| self.steal(None)))
    }

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

    /// A job of its own: the newest.
    pub(crate) fn own(&self) -> Option<Job> {
        if self.stack.is_wanted() && self.stack.seems_filled() {
            self.answer_lazily();
        }
        self.stack.pop().or_else(|| self.pop_deque())
    }

    pub(super) fn pop_deque(&self) -> Option<Job> {
        let height = self.height.get();
        if self.isolation.get().is_some_and(|isolation| height <= isolation.floor) {
            return None;
        }
        let job = self.deque.pop()?;
        self.height.set(height - 1);
        Some(job)
    }

    /// A job from the inbox, the injector or a peer; of the peers, `first` before the others.
    pub(super) fn find_elsewhere(&self, first: Option<usize>) -> Option<Job> {
        self.take_from_inbox().or_else(|| self.take_injected()).or_else(|| self.steal(first))
    }

    pub(super) fn take_injected(&self) -> Option<Job> {
        let injector = &self.registry.injector;
        // Two loads on lines that are cold only when something happens, before a fence and a CAS.
        if injector.is_empty() {
            return None;
        }
        // Inside a job, one at a time: what lies above a job's own in the deque counts as its own.
        let limit = if self.depth.get() == 0 { BATCH } else { 1 };
        let before = self.deque.len();
        loop {
            match injector.steal_batch_with_limit_and_pop(&self.deque, limit) {
                Steal::Success(job) => {
                    // A thief may have taken some since: the count is then low, never high.
                    let moved = self.deque.len().saturating_sub(before);
                    self.me().counters.taken.add(1 + moved as u64);
                    if moved > 0 {
                        // While they were under way nobody saw them, and whoever published them may have
                        // relied on a searcher that looked just then.
                        self.registry.sleep.published();
                    }
                    return Some(job);
                }
                Steal::Empty => return None,
                Steal::Retry => spin_loop(),
            }
        }
    }

    /// Takes the oldest job of some peer, and asks those for one that have none to take.
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

    fn steal_from(&self, victim: usize) -> Steal<Job> {
        let peer = self.registry.peer(victim);
        let stealer = &peer.stealer;
        // A theft pins an epoch before it looks.
        if stealer.is_empty() {
            return Steal::Empty;
        }
        // The oldest, and no more: of several the newest would be run first, and the oldest, which of forks is the largest
        // by far, would lie in this deque for as long as that takes.
        let stolen = stealer.steal();
        if let Steal::Success(_) = stolen {
            self.me().counters.stolen.add(1);
            self.steal_backoff.note_theft();
            // What was taken comes before what is injected: its owner may wait for it apart, and hold a lock that
            // somebody wants who is injected.
            self.tick.set(0);
            self.renew_demand(peer);
        }
        stolen
    }

    /// Takes the oldest private job of some peer, without its help.
    pub(super) fn raid(&self) -> Option<Job> {
        let others = self.registry.all_peers().enumerate().filter(|&(index, _)| index != self.index);
        for (_, peer) in others {
            // An owner that answers demands needs no raid, which would interrupt it.
            if peer.private.is_unanswered()
                && let Some(job) = peer.private.raid()
            {
                self.me().counters.stolen.add(1);
                return Some(job);
            }
        }
        None
    }

    /// A job that only this worker may run, or, of a spare, the one that it stands in for.
    pub(super) fn take_from_inbox(&self) -> Option<Job> {
        let own = &self.me().inbox;
        own.pop().or_else(|| if self.is_spare() { self.slot().inbox.pop() } else { None })
    }

    /// Whether there is none.
    pub(super) fn inbox_is_empty(&self) -> bool {
        self.me().inbox.is_empty() && (!self.is_spare() || self.slot().inbox.is_empty())
    }

    /// A job of a peer was stolen: if it was meant for workers that sleep, they still want one.
    fn renew_demand(&self, peer: &Peer) {
        if self.registry.sleep.snapshot().asleep() > 0 && peer.stealer.is_empty() {
            peer.private.demand();
        }
    }

    /// Takes the oldest job of a peer's deque if it will `do`, and asks for one if there is none. A job that will not do
    /// goes to the own deque, where others find it, and `missed` notes it: no other is taken then.
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
        self.push_deque(job);
        self.registry.sleep.published();
        None
    }

    /// Waits for a fork that has left, whose frame is at `address`. `true`: it came back, and the caller is to run it.
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

    /// What comes before its own newest job this time.
    #[cold]
    pub(super) fn out_of_turn(&self) -> Option<Job> {
        let inside = self.depth.get() > 0;
        let oldest =
            if !inside && self.has_own() && self.fairness.is_due() { self.take_oldest() } else { None };
        oldest.or_else(|| self.me().inbox.pop()).or_else(|| self.take_injected())
    }

    /// The oldest of its own jobs, unless a thief is faster.
    fn take_oldest(&self) -> Option<Job> {
        if self.deque.is_empty() {
            // One, beside those that others want: the answer to their demand.
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
