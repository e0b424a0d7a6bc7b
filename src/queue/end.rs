//! Finds out when a queue is idle, closes a draining queue then, and ends the states of its workers.
//!
//! A queue is *idle* when every accepted job has ended: the ring and the overflow are empty, and no runner is active.
//!
//! | the queue | refuses | being idle |
//! |---|---|---|
//! | open | nobody | lasts for a moment |
//! | draining, after `close_when_idle` | all but its own handlers | is final: the queue closes |
//! | closed | all | is final: the states end |
//!
//! *Invariant*: a draining queue closes with no accepted job left, and refuses no job of its own handlers before. A
//! handler submits while its runner is active. Once only handlers may submit, a queue that is idle stays idle. The
//! look reads the tail, then sees that the queue is idle, and closes by an exchange of the tail that succeeds only if
//! nothing was pushed since the read.
//!
//! *The race from both sides.* The thread that asks for the close, or waits for the queue, sets `awaited` in the
//! runners' word ([`RunnerCounts`]) and then looks. The runner that leaves the queue idle changes the same word, and
//! looks if it finds `awaited` there. So at least one of the two sees the queue idle.
//!
//! *The end of the states.* When the queue is closed and idle, each worker that has states gets a job that hands its
//! states to the user's `end`. The last of these jobs wakes the waiters. A runner may still be on its way out with
//! its state when the job comes. If both have the same thread, the job runs after the runner. If one of them is on
//! the worker's spare, the job comes again after the runner. If a queue whose states are to be ended is still open
//! when its pool has run everything that the pool accepted, the pool closes the queue then
//! ([`crate::scheduler::finish`]).

use super::core::{Core, CoreRef};
use super::idle::Phase;
use super::runner_counts::RunnerCounts;
use super::start::NestedQueue;
use crate::jobs::job::Job;
use crate::jobs::ring::{CLOSED, DRAINING};
use crate::scheduler::finish::Finish;
use crate::scheduler::registry::Registry;
use crate::scheduler::worker::with_current;
use crate::sync::{StdArc, defect};
use crate::waiting::latch::{Ticket, Wake};
use std::rc::Rc;

/// The result of a look whether a queue is idle.
enum Outlook {
    /// The queue is not idle, or was idle only for a moment while it drains.
    Busy,
    /// The queue is closed and idle, and its states must be ended now, or are being ended (`begun`).
    Ending { begun: bool },
    /// Nothing is left to wait for.
    Idle,
}

impl<J: Send + 'static> CoreRef<J> {
    /// Looks whether the queue is idle, and closes it if it drains. The caller holds the lock of the list of waiters.
    /// A caller that goes on to wait has set `awaited` in the runners' word before.
    fn look(&self) -> Outlook {
        if !self.is_idle() || !self.ring.close_drained(|| self.is_idle()) {
            return Outlook::Busy;
        }
        match self.idle.phase() {
            Phase::Due(_) if self.ring.tail_flags() & CLOSED != 0 => Outlook::Ending { begun: false },
            Phase::UnderWay(_) if !defect("ends_unawaited") => Outlook::Ending { begun: true },
            Phase::Over | Phase::Due(_) | Phase::UnderWay(_) => Outlook::Idle,
        }
    }

    /// Enters a waiter for the moment at which the queue is idle and, if it is closed, its states have ended. `None`
    /// if there is nothing to wait for.
    pub(super) fn enter_idle(&self, wake: Wake) -> Option<Ticket> {
        let (ticket, outlook) = {
            let mut entries = self.idle.waiters.lock();
            self.runners.note_awaited();
            let outlook = self.look();
            if let Outlook::Idle = outlook {
                if entries.is_empty() {
                    self.runners.clear_awaited();
                }
                return None;
            }
            (entries.push(wake), outlook)
        };
        self.go_on(&outlook);
        Some(ticket)
    }

    /// Whether a waiter that [enters](Self::enter_idle) now would have nothing to wait for.
    pub(super) fn is_at_rest(&self) -> bool {
        let outlook = {
            let _entries = self.idle.waiters.lock();
            self.look()
        };
        self.go_on(&outlook);
        matches!(outlook, Outlook::Idle)
    }

    /// Wakes the waiters if the runners' word, which has just become `counts`, leaves the queue idle.
    #[inline]
    pub(super) fn note_idle(&self, counts: RunnerCounts) {
        if counts.awaited() && counts.active() == 0 {
            self.tell_idle();
        }
    }

    #[cold]
    fn tell_idle(&self) {
        if defect("idle_looked_at_unlocked") && !self.is_idle() {
            return;
        }
        let (waiters, outlook) = {
            let mut entries = self.idle.waiters.lock();
            // The caller's `counts` may be out of date: another runner may hold a job that the ring no longer holds.
            // And only a look under the lock counts: a waiter that entered after an earlier look waits for jobs that
            // were accepted after that look.
            let outlook = if defect("idle_looked_at_unlocked") { Outlook::Idle } else { self.look() };
            let waiters = match outlook {
                Outlook::Idle => {
                    self.runners.clear_awaited();
                    Some(entries.take())
                }
                Outlook::Busy | Outlook::Ending { .. } => None,
            };
            (waiters, outlook)
        };
        self.go_on(&outlook);
        waiters.into_iter().flatten().for_each(Wake::wake);
    }

    /// Closes a draining queue, or begins the end of a closed queue's states, if the queue is idle now. Otherwise its
    /// last runner does. The queue already refuses all jobs, or all but those of its own handlers.
    fn await_idle(&self) {
        let waits = {
            let _entries = self.idle.waiters.lock();
            self.runners.note_awaited();
            self.runners.load()
        };
        self.note_idle(waits);
    }

    pub(super) fn close_when_idle(&self) {
        self.refuse(DRAINING);
        self.await_idle();
    }

    // --- states ---

    /// Registers the end of the states, due as soon as the queue is closed and idle, or the pool comes to its end.
    pub(super) fn end_states_at_end(&self) {
        let number = self.registry.finishers.add(StdArc::new(Ending(self.clone())));
        self.idle.set_phase(Phase::Due(number));
    }

    /// Begins the end of the states, if `outlook` asks for it. The caller holds no lock: when the entry is dropped
    /// here, the pool may come to its end, and then calls back into this queue.
    fn go_on(&self, outlook: &Outlook) {
        let Outlook::Ending { begun: false } = outlook else { return };
        let Phase::Due(number) = self.idle.phase() else { return };
        if self.registry.forked() {
            return;
        }
        let entry = self.registry.hold();
        let claimed = self.registry.finishers.claim(number);
        if claimed.is_some() {
            self.begin_end();
        }
        drop(entry);
    }

    /// Gives each worker that has states the job to end them. The caller has taken the finisher off the pool's list.
    fn begin_end(&self) {
        let owners = self.service.owners();
        {
            let _entries = self.idle.waiters.lock();
            self.idle.set_phase(Phase::UnderWay(owners.len().max(1)));
        }
        if owners.is_empty() {
            self.one_has_ended();
        }
        for &owner in &owners {
            self.hand_end_to(owner);
        }
        self.registry.sleep.published_to_all();
    }

    /// Gives a worker the job to end its states. The caller must then wake the worker.
    fn hand_end_to(&self, owner: usize) {
        let core = self.clone();
        Registry::hand_to(&self.registry, owner, Job::new(move || core.end_states_of(owner)));
    }

    fn end_states_of(&self, owner: usize) {
        let core = self.clone();
        let again = Box::new(move || {
            core.hand_end_to(owner);
            core.registry.sleep.published_to_all();
        });
        let all = with_current(|worker| {
            let Some(worker) = worker else { unreachable!("a job outside a worker") };
            // Counted like an activation, because no user submitted this job.
            worker.me().counters.activations.add(1);
            let report_panic = |payload| worker.report_panic(payload, self.name());
            // Makes `end` a job of this queue: a wait for the queue inside `end` panics instead of waiting for ever.
            let nested = Rc::new(NestedQueue(self.clone()));
            worker.with_nested(nested, || self.service.end_states(owner, &report_panic, again))
        });
        if all {
            self.one_has_ended();
        }
    }

    fn one_has_ended(&self) {
        let waiters = {
            let mut entries = self.idle.waiters.lock();
            if !self.idle.one_has_ended() {
                return;
            }
            self.runners.clear_awaited();
            entries.take()
        };
        waiters.for_each(Wake::wake);
    }
}

impl<J> Core<J> {
    /// Refuses all jobs from now on, and sees to it that the states end.
    pub(super) fn close(&self) {
        self.refuse(CLOSED);
        if let Phase::Due(number) = self.idle.phase()
            && let Some(ending) = self.registry.finishers.find(number)
        {
            ending.closed();
        }
    }
}

/// A queue's finisher: it ends the states before the pool ends.
struct Ending<J>(CoreRef<J>);

impl<J: Send + 'static> Finish for Ending<J> {
    fn closed(&self) {
        self.0.await_idle();
    }

    fn finish(&self) {
        self.0.refuse(CLOSED);
        self.0.begin_end();
    }
}
