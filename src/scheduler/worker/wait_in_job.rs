//! A wait inside a job: the worker runs only *related* jobs, which the wait needs anyway, or lends its place to a spare.
//!
//! | the wait is for | related jobs | found in |
//! |---|---|---|
//! | a handle | its job, if that has not begun | the handle, before the wait begins |
//! | a fork that has left | the fork itself | the worker's own deque |
//! | | forks that the fork's thief has made since (leap-frogging: Wagner and Calder, 1993) | the thief's deque |
//! | a scope | the jobs of that scope | the worker's own deque, its peers' deques |
//!
//! The invariant: a related job adds no edge to the wait-for graph. The wait cannot end before that job has ended.
//!
//! A job that is not related may come to wait for the job beneath it, and then neither goes on. For those jobs a
//! [spare](crate::scheduler::spares) has the worker's place until the wait is over.
//!
//! Before it calls a spare, the worker looks for related jobs for about the price of a wake: most waits are over then.

use std::cell::Cell;

use super::idle::Next;
use super::standin::{Call, Standin};
use super::until::Until;
use super::wait_apart::poll_until;
use super::{Help, Worker};
use crate::jobs::job::{Home, Job};
use crate::jobs::private;
use crate::scheduler::registry::Registry;
use crate::system::clock::Instant;
use crate::system::loader_lock;
use crate::waiting::latch::TaskLatch;

/// How a sleep inside a job ended, while another thread has the worker's place.
enum Asleep {
    Done,
    /// With a job of the isolated call around it that nobody has taken for a while; no spare is left.
    Left(Job),
    /// Work waits, and a thread that has a worker's place runs no job but its own. It may be the very thread that has
    /// this worker's place.
    NobodyActive,
}

impl Worker {
    /// Parks the thread until it gets a token, or until `deadline`. Returns whether there was a token.
    pub(crate) fn park(&self, deadline: Option<Instant>) -> bool {
        self.noting_pause(|| self.parker.park(deadline))
    }

    /// Whether a wait lends this worker's place to a spare: if the worker is inside its pool, and the pool may have
    /// spares. Under Windows' loader lock a spare's thread could not start.
    pub(crate) fn may_lend_place(&self) -> bool {
        self.registry.spares.max() > 0 && self.inside() && !self.registry.forked() && !loader_lock::is_held()
    }

    /// Waits until `until` is done. Runs the jobs that `related` finds. When it finds none, a spare takes this
    /// worker's place. If there is no spare, runs the jobs that `otherwise` allows; in an isolated call, waits
    /// [apart](super::wait_apart).
    pub(crate) fn wait_related<U: Until>(
        &self,
        until: &U,
        otherwise: Help,
        mut related: impl FnMut() -> Option<Job>,
    ) {
        if self.is_isolated() {
            return self.wait_apart(until, related);
        }
        // After each job another look for a spare: one may rest by now.
        while !self.lend_place(until, &mut related) {
            if self.may_take(otherwise) {
                match self.next(until, otherwise) {
                    Next::Job(job) => self.run_on_top(job),
                    Next::Done => return,
                }
            } else if let Some(job) = self.own().or_else(|| self.take_from_inbox()) {
                // Of the inbox too: whoever has the awaited job may wait for this worker's turn of a broadcast.
                self.run_on_top(job);
            } else if until.arm()
                && let Some(job) = self.park_stuck(until)
            {
                self.run_on_top(job);
            }
        }
    }

    /// As [`wait_related`](Self::wait_related), but returns `false` if there is no spare, and `until` may then not be
    /// done.
    pub(crate) fn lend_place<U: Until>(&self, until: &U, mut related: impl FnMut() -> Option<Job>) -> bool {
        let mut look = || {
            if until.done(&self.registry) {
                return Some(Next::Done);
            }
            related().map(Next::Job)
        };
        let mut anyway = false;
        loop {
            // The jobs that were run meanwhile may have pushed others.
            self.expose_all();
            let found = look().map_or_else(|| self.search_related(U::SEARCH, &mut look), Ok);
            let searching = match found {
                Ok(Next::Done) => return true,
                Ok(Next::Job(job)) => {
                    self.run(job);
                    continue;
                }
                Err(searching) => searching,
            };
            if !until.arm() {
                // Over. The look above makes visible what led to that.
                self.stop_searching(searching);
                continue;
            }
            let standin = match self.call_spare(searching, anyway, false) {
                Call::Standin(standin) => Some(standin),
                Call::Relieved => None,
                Call::Refused => return false,
            };
            let asleep = self.sleep_in_job(until, standin.is_some());
            self.waits.related.note_over();
            self.end_lending(standin);
            match asleep {
                Asleep::Done => return true,
                Asleep::Left(job) => self.run_on_top(job),
                Asleep::NobodyActive => anyway = true,
            }
        }
    }

    /// Calls a spare, unless one has this worker's place already. The one that was relieved last, if it is still there.
    fn call_spare(&self, searching: bool, anyway: bool, blocks: bool) -> Call {
        let call = if self.place_lent.get() {
            Call::Relieved
        } else {
            let (slot, last) = (self.number.get(), self.last_standin.take());
            Registry::call_spare(&self.registry, self.index, slot, searching, anyway, last, blocks)
        };
        if !matches!(&call, Call::Standin(standin) if !standin.recalled) {
            self.stop_searching(searching);
        }
        call
    }

    /// Ends what [`call_spare`](Self::call_spare) has begun.
    fn end_lending(&self, standin: Option<Standin>) {
        match standin {
            Some(standin) => self.last_standin.set(self.registry.relieve(standin)),
            None if !self.place_lent.get() => self.registry.wait_is_over(self.index),
            None => {}
        }
    }

    /// Sleeps until `until` is done, while another thread has this worker's place: a spare of its own, if it
    /// `has_standin`. A job of the isolated call that nobody takes goes to a spare by itself: see
    /// [`super::wait_apart`].
    fn sleep_in_job<U: Until>(&self, until: &U, has_standin: bool) -> Asleep {
        while !until.done(&self.registry) {
            self.me().counters.parked.add(1);
            let relieved = !has_standin || self.is_relieved();
            if !relieved && !self.is_isolated() {
                self.park(until.deadline());
                continue;
            }
            let token = self.park(poll_until(until.deadline()));
            if token || until.done(&self.registry) {
                continue;
            }
            if let Some(job) = self.own_if_isolated()
                && let Err(job) = Registry::run_on_spare(&self.registry, self.number.get(), job)
            {
                return Asleep::Left(job);
            }
            if relieved && self.registry.is_any_stuck() && self.registry.has_work() {
                return Asleep::NobodyActive;
            }
        }
        Asleep::Done
    }

    /// Runs `f`, which blocks the thread, while a spare has this worker's place, if there is one.
    pub(crate) fn blocking<R>(&self, f: impl FnOnce() -> R) -> R {
        struct Relieve<'w>(&'w Worker, Option<Standin>);
        impl Drop for Relieve<'_> {
            fn drop(&mut self) {
                self.0.blocked.set(false);
                self.0.place_lent.set(false);
                self.0.end_lending(self.1.take());
            }
        }
        if self.blocked.get() {
            return f();
        }
        if !self.may_lend_place() {
            return self.registry.as_waiting(self.index, f);
        }
        self.expose_all();
        self.blocked.set(true);
        let standin = self.call_spare(false, false, true).standin();
        self.place_lent.set(standin.is_some());
        let _relieve = Relieve(self, standin);
        f()
    }

    // --- related jobs ---

    /// Waits for a fork that has left, with the frame at `address`, until it has ended. Returns `true` if this worker
    /// took it back instead: the caller must then run it.
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
            // The caller runs the fork's second side itself, from the frame.
            job.forget();
            return true;
        }
        let missed = Cell::new(false);
        self.wait_related(latch, otherwise, || self.take_leap(latch, &missed));
        false
    }

    /// Runs this worker's own jobs that belong to the scope with the base at `base`, for as long as `more` agrees.
    pub(crate) fn run_own_of_scope(&self, base: usize, more: impl Fn() -> bool) {
        while more() {
            match self.take_own_of_scope(base) {
                Some(job) => self.run(job),
                None => break,
            }
        }
    }

    /// Waits for the end of the scope with the base at `base`. If it finds no spare, runs the jobs that `otherwise`
    /// allows; if there is none such, waits [apart](super::wait_apart).
    pub(crate) fn wait_for_scope(&self, latch: &TaskLatch, base: usize, otherwise: Option<Help>) {
        let missed = Cell::new(false);
        let related = || self.take_own_of_scope(base).or_else(|| self.steal_of_scope(base, &missed));
        match otherwise {
            Some(help) => self.wait_related(latch, help, related),
            None => self.wait_apart(latch, related),
        }
    }

    /// Takes the newest of this worker's own jobs that belongs to the scope with the base at `base`.
    fn take_own_of_scope(&self, base: usize) -> Option<Job> {
        self.take_own_if(|job| job.home() == (Home::Scope, base))
    }

    /// Takes one of this worker's own jobs, if the worker is in an isolated call: a caller that holds a lock runs the
    /// jobs that it spawned itself.
    pub(in crate::scheduler) fn own_if_isolated(&self) -> Option<Job> {
        if self.is_isolated() { self.own() } else { None }
    }

    /// Takes the newest of this worker's own jobs that is `wanted`. The newer jobs above it go where others find
    /// them: a job that no frame waits for goes to the injector, a job that a frame of this stack waits for back to
    /// the own deque.
    fn take_own_if(&self, wanted: impl Fn(&Job) -> bool) -> Option<Job> {
        let mut above = Vec::new();
        let found = loop {
            match self.own() {
                None => break None,
                Some(job) if wanted(&job) => break Some(job),
                Some(job) => {
                    // With no job private, the remaining jobs lie in one place and keep their order.
                    self.expose_all();
                    match job.home().0 {
                        Home::None if !self.is_isolated() => self.registry.hold().inject(job),
                        Home::None | Home::Scope => above.push(job),
                        Home::Fork => {
                            // A fork of a frame further down this stack. All older jobs belong to such frames as
                            // well.
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

    /// Whether the worker may take a job from a peer, to see whether it is related. Not in an isolated call: a job
    /// that is not related would go to this worker's deque, where it would count as the call's own.
    fn may_look_elsewhere(&self) -> bool {
        self.may_begin() && !self.is_isolated()
    }

    /// Steals a job of the scope with the base at `base` from a peer's deque. At most one job that is not of the
    /// scope moves to this worker's deque on the way; `missed` notes that.
    fn steal_of_scope(&self, base: usize, missed: &Cell<bool>) -> Option<Job> {
        if !self.may_look_elsewhere() {
            return None;
        }
        (0..self.registry.all())
            .filter(|&victim| victim != self.index)
            .find_map(|victim| self.steal_if(victim, missed, |job| job.home() == (Home::Scope, base)))
    }

    /// Leap-frogging: steals a fork that the thief has made since it began the fork of `latch`. The stolen fork ends
    /// before the thief's fork does.
    fn take_leap(&self, latch: &TaskLatch, missed: &Cell<bool>) -> Option<Job> {
        if !self.may_look_elsewhere() {
            return None;
        }
        let (thief, begun) = latch.thief_and_place()?;
        self.steal_if(thief, missed, |job| {
            let (Home::Fork, address) = job.home() else { return false };
            // Related: the frame lies on the thief's own stack, deeper than the place where the thief began the
            // awaited fork, and the awaited fork has not ended yet. Stacks grow downwards.
            address < begun && private::owner_of(job) == Some(thief) && !latch.probe()
        })
    }
}
