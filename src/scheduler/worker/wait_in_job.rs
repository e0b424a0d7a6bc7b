//! A worker that waits inside a job, and what runs on top of it: nothing but what its wait needs.
//!
//! A job that ran on top of a waiting one may come to wait for the one beneath, and then neither goes on. So a wait runs
//! only jobs that it waits for itself: the awaited job, if that has not begun; the jobs of the scope that is to end; what
//! the thief of a fork has forked, in turn, on the way to that fork's end (leap-frogging: Wagner and Calder, 1993). Such a
//! job adds no edge to the graph of who waits for whom. For all others a [spare](crate::scheduler::spares) has the worker's place.
//!
//! Before that the worker looks about for about the price of a wake: most waits are over by then.

use std::cell::Cell;
use std::time::Instant;

use super::idle::{BRIEF, Next, Until};
use super::standin::Standin;
use super::{Help, Worker};
use crate::jobs::job::{Home, Job};
use crate::jobs::private;
use crate::scheduler::registry::Registry;
use crate::sync::site::FORK_DEMAND_FENCE;
use crate::sync::{MODEL, fence};
use crate::system::spin::{Spin, WAKE};
use crate::waiting::latch::TaskLatch;

impl Worker {
    /// Sleeps until somebody leaves a token, or until `deadline`.
    pub(crate) fn park(&self, deadline: Option<Instant>) {
        self.parker.park(deadline);
    }

    /// Whether a wait is to leave this worker's place to a spare: it is in a job, and the pool has spares.
    pub(crate) fn may_lend_place(&self) -> bool {
        self.registry.spares.max() > 0 && self.inside() && !self.registry.forked()
    }

    /// Waits until `until` is done. Runs what `related` finds; when that is nothing, a spare has this worker's place.
    /// If there is no spare to be had, runs jobs as `otherwise` says.
    pub(crate) fn wait_related<U: Until>(
        &self,
        until: &U,
        otherwise: Help,
        related: impl FnMut() -> Option<Job>,
    ) {
        if !self.lend_place(until, related) {
            while let Next::Job(job) = self.next(until, otherwise) {
                self.run_on_top(job);
            }
        }
    }

    /// As [`wait_related`](Self::wait_related), but if there is no spare, returns `false` without having waited.
    pub(crate) fn lend_place<U: Until>(&self, until: &U, mut related: impl FnMut() -> Option<Job>) -> bool {
        let mut look = || {
            if until.done(&self.registry) {
                return Some(Next::Done);
            }
            related().map(Next::Job)
        };
        loop {
            // What was run meanwhile may have pushed.
            self.expose_all();
            let found = look().map_or_else(|| self.search_related(&mut look), Ok);
            let searching = match found {
                Ok(Next::Done) => return true,
                Ok(Next::Job(job)) => {
                    self.run(job);
                    continue;
                }
                Err(searching) => searching,
            };
            if !until.arm() {
                self.stop_searching(searching);
                return true;
            }
            let Some(standin) = Registry::call_spare(&self.registry, self.number.get(), searching) else {
                self.stop_searching(searching);
                return false;
            };
            while !until.done(&self.registry) {
                self.me().counters.parked.add(1);
                self.park(until.deadline());
            }
            self.registry.relieve(standin);
            return true;
        }
    }

    /// Looks again and again for about the price of one wake. Whether it counts as searching, if there was nothing.
    fn search_related(&self, look: &mut impl FnMut() -> Option<Next>) -> Result<Next, bool> {
        let mut spin = Spin::new(BRIEF);
        while spin.again() {
            if let Some(next) = look() {
                return Ok(next);
            }
        }
        // Counted, so that those who are asked for jobs have some to give.
        if MODEL || !self.registry.sleep.start_search() {
            return Err(false);
        }
        fence(FORK_DEMAND_FENCE);
        let mut spin = Spin::new(WAKE);
        // Others may rely on this worker now, and it takes nothing that is not related.
        while spin.again() && !self.registry.has_work() {
            if let Some(next) = look() {
                self.stop_searching(true);
                return Ok(next);
            }
        }
        match look() {
            Some(next) => {
                self.stop_searching(true);
                Ok(next)
            }
            None => Err(true),
        }
    }

    /// Runs `f`, which blocks the thread, with a spare in this worker's place.
    pub(crate) fn blocking<R>(&self, f: impl FnOnce() -> R) -> R {
        struct Relieve<'w>(&'w Worker, Option<Standin>);
        impl Drop for Relieve<'_> {
            fn drop(&mut self) {
                self.0.blocked.set(false);
                if let Some(standin) = self.1.take() {
                    self.0.registry.relieve(standin);
                }
            }
        }
        if self.blocked.get() || !self.may_lend_place() {
            return f();
        }
        self.expose_all();
        self.blocked.set(true);
        let _relieve = Relieve(self, Registry::call_spare(&self.registry, self.number.get(), false));
        f()
    }

    // --- what is related ---

    /// Waits until a fork has ended that has left, or was taken back (`true`).
    pub(in crate::scheduler) fn wait_for_fork(
        &self,
        latch: &TaskLatch,
        address: usize,
        otherwise: Help,
    ) -> bool {
        if latch.probe() {
            return false;
        }
        if let Some(job) = self.take_own_if(|job| job.home() == (Home::Fork, address)) {
            // The caller runs its second side itself.
            job.forget();
            return true;
        }
        let missed = Cell::new(false);
        self.wait_related(latch, otherwise, || {
            self.take_leap(latch, &missed).or_else(|| self.own_if_isolated())
        });
        false
    }

    /// Runs jobs of the scope whose base is at `base` that lie in this worker's own deque, as long as `more` says.
    pub(crate) fn run_own_of_scope(&self, base: usize, more: impl Fn() -> bool) {
        while more() {
            match self.take_own_of_scope(base) {
                Some(job) => self.run(job),
                None => break,
            }
        }
    }

    /// Waits for the end of the scope whose base is at `base`.
    pub(crate) fn wait_for_scope(&self, latch: &TaskLatch, base: usize, otherwise: Help) {
        let missed = Cell::new(false);
        self.wait_related(latch, otherwise, || {
            let own = self.take_own_of_scope(base).or_else(|| self.own_if_isolated());
            own.or_else(|| self.steal_of_scope(base, &missed))
        });
    }

    fn take_own_of_scope(&self, base: usize) -> Option<Job> {
        self.take_own_if(|job| job.home() == (Home::Scope, base))
    }

    /// A job of its own, if it waits apart: those who hold a lock run what they spawned themselves.
    pub(in crate::scheduler) fn own_if_isolated(&self) -> Option<Job> {
        if self.is_isolated() { self.own() } else { None }
    }

    /// Takes the newest of its own jobs that is `wanted`. Those above it stay where others find them: what nobody waits for
    /// in the injector, what some frame of this stack waits for in the own deque.
    fn take_own_if(&self, wanted: impl Fn(&Job) -> bool) -> Option<Job> {
        let mut above = Vec::new();
        let found = loop {
            match self.own() {
                None => break None,
                Some(job) if wanted(&job) => break Some(job),
                Some(job) => {
                    // So that what stays is in one place, and in its order.
                    self.expose_all();
                    match job.home().0 {
                        Home::None if !self.is_isolated() => self.registry.hold().inject(job),
                        Home::None | Home::Scope => above.push(job),
                        Home::Fork => {
                            // Of a frame below: all that is older is so, too.
                            above.push(job);
                            break None;
                        }
                    }
                }
            }
        };
        if !above.is_empty() {
            above.into_iter().rev().for_each(|job| self.push_deque(job));
            self.registry.sleep.published();
        }
        found
    }

    /// Whether it may take a job from others to see whether it is related: not if it waits apart, where all that is in its
    /// own deque counts as its own.
    fn may_look_elsewhere(&self) -> bool {
        self.may_begin() && !self.is_isolated()
    }

    /// A job of a scope from somebody else's deque. No more than one other job is moved on the way, which `missed` notes.
    fn steal_of_scope(&self, base: usize, missed: &Cell<bool>) -> Option<Job> {
        if !self.may_look_elsewhere() {
            return None;
        }
        (0..self.registry.all())
            .filter(|&victim| victim != self.index)
            .find_map(|victim| self.steal_if(victim, missed, |job| job.home() == (Home::Scope, base)))
    }

    /// A fork that whoever runs the fork of `latch` has made since, and so ends before that one.
    fn take_leap(&self, latch: &TaskLatch, missed: &Cell<bool>) -> Option<Job> {
        if !self.may_look_elsewhere() {
            return None;
        }
        let (thief, begun) = latch.thief_and_place()?;
        self.steal_if(thief, missed, |job| {
            let (Home::Fork, address) = job.home() else { return false };
            // It is the thief's own, deeper on its stack than where it began what has not ended yet.
            address < begun && private::owner_of(job) == Some(thief) && !latch.probe()
        })
    }
}
