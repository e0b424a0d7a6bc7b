//! When a queue is idle, when it is closed, and the end of its workers' states.
//!
//! | the queue | refuses | to be idle is |
//! |---|---|---|
//! | open | nobody | a moment |
//! | draining, by `close_when_idle` | all but its own handlers | final: it closes |
//! | closed | all | final: the states end |
//!
//! *Why draining closes at the right moment.* A handler of the queue submits while its runner is active. Once nobody else
//! may, a queue with nothing in it and no active runner stays so. Whoever looks for that takes the tail, then sees the ring
//! empty and the counts idle, and closes by an exchange that succeeds only if nothing was pushed since. So no job that was
//! accepted is left, and no handler's is refused before. There is somebody to look: who asks for the close says in the
//! counts's word that somebody waits, and then looks; who becomes idle changes that word, and looks if somebody waits.
//!
//! *The end of states.* When the queue is closed and idle, each worker that has states gets a job of its own that hands
//! them over; the last such job wakes those who wait. Until then a runner may still be on its way out with its state: the
//! job runs on the same thread, after it; or, if that is the worker's spare, comes again after it. A queue that is not closed when its pool has run all it took is closed then, by
//! the pool ([`crate::scheduler::finish`]).

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

/// What one finds who looks whether a queue is idle.
enum Outlook {
    /// It is not, or not for good.
    Busy,
    /// It is, and its states are to be ended now, or are being ended.
    Ending { begun: bool },
    /// Nothing is left to wait for.
    Idle,
}

impl<J: Send + 'static> CoreRef<J> {
    /// By who has locked the list of those who wait, and has said so in the counts's word or read it there.
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

    /// Enters one who waits for the queue to be idle, and, if it is closed, for its states to be ended; `None` if there is
    /// nothing to wait for.
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

    /// Whether one that [enters](Self::enter_idle) now would have nothing to wait for.
    pub(super) fn is_at_rest(&self) -> bool {
        let outlook = {
            let _entries = self.idle.waiters.lock();
            self.look()
        };
        self.go_on(&outlook);
        matches!(outlook, Outlook::Idle)
    }

    /// The counts has become `counts`: if that leaves the queue idle, tells those who wait.
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
            // The counts may have changed since: another runner may hold what the ring no longer does. And only now
            // that the list is ours: whoever came to it after an earlier look waits for jobs that came after it.
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

    /// Looks whether the queue, which takes no jobs any more, is idle; if not, its last runner does.
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

    /// The states are to be ended, as soon as the queue is closed and idle, or the pool at its end.
    pub(super) fn end_states_at_end(&self) {
        let number = self.registry.finishers.add(StdArc::new(Ending(self.clone())));
        self.idle.set_phase(Phase::Due(number));
    }

    /// Does what `outlook` asks for. Locks nothing of the caller's: a pool that is let go here may come to its end, and back.
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

    /// By who has claimed the finisher: gives each worker that has states the job to end them.
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

    /// Gives a worker the job to end its states; the caller must then wake it.
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
            // Nobody submitted it.
            worker.me().counters.activations.add(1);
            let report_panic = |payload| worker.report_panic(payload, self.name());
            // So that one who waits in there for this queue is told that it cannot.
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
    /// Refuses all jobs from now on.
    pub(super) fn close(&self) {
        self.refuse(CLOSED);
        if let Phase::Due(number) = self.idle.phase()
            && let Some(ending) = self.registry.finishers.find(number)
        {
            ending.closed();
        }
    }
}

/// What a queue has to do before its pool ends.
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
