//! The part of a queue that its handles and its runners share: the ring, the runners' word, and one part for each
//! mechanism around them.
//!
//! | part | is about | changed by |
//! |---|---|---|
//! | [`Ring`] | jobs that wait | producers push, runners pop |
//! | [`Runners`] | the runners, and what they do | [`super::start`], [`super::runner`], [`super::standby`] |
//! | [`Overflow`] | jobs beyond the capacity | [`super::start`], runners |
//! | [`RoomWaiters`] | the producers that wait for room | [`super::full`], runners |
//! | [`Idle`] | waits for the queue to be idle, and the end of its states | [`super::end`] |
//! | [`Pace`] | how long jobs take | runners |
//! | [`Service`] | the handler and its states | [`super::states`] |

use std::ops::Deref;

use crossbeam_utils::CachePadded;

use super::counts::{QueueCounts, Tallies};
use super::idle::Idle;
use super::overflow::Overflow;
use super::pace::Pace;
use super::parcel::Note;
use super::room_waiters::{RoomWaiters, Woken, Words};
use super::runner_counts::Runners;
use super::trial::Trials;
use crate::jobs::ring::{CLOSED, DRAINING, OUTSIDE_CLOSED, Ring};
use crate::scheduler::registry::Shared;
use crate::scheduler::worker::Worker;
use crate::sync::{Arc, StdArc};
use crate::system::unwind::Payload;

/// The tail's flags that refuse a job from outside the pool, a job from a worker of the pool, and a job from a
/// handler of this queue.
pub(super) const TO_OUTSIDE: u64 = CLOSED | OUTSIDE_CLOSED | DRAINING;
pub(super) const TO_WORKERS: u64 = CLOSED | DRAINING;
pub(super) const TO_OWN: u64 = CLOSED;

/// How a job runs: the handler and its state, behind one virtual call per activation.
pub(crate) trait Service<J>: Send + Sync {
    /// Serves the queue as a runner, until [`CoreRef::serve`] returns.
    fn activate(&self, core: &CoreRef<J>, worker: &Worker);

    /// Pops one job and runs it. `false` if there is none.
    fn run_one(&self, core: &CoreRef<J>, worker: &Worker) -> bool;

    /// Drops the handler and its states. The pool has ended, and its last runner with it.
    fn drop_user_code(&self);

    /// The workers that have a state to be ended.
    fn owners(&self) -> Vec<usize>;

    /// Ends the states of the worker `owner`, on that worker's thread if the thread still runs. Passes each panic to
    /// `report_panic`. `true` if these were all states of that worker. `false` if another thread still uses one: that
    /// thread calls `again` when it brings the last state back.
    fn end_states(&self, owner: usize, report_panic: &dyn Fn(Payload), again: Again) -> bool;
}

/// Requests the end of a worker's states once more.
pub(crate) type Again = Box<dyn FnOnce() + Send>;

/// The shared part of a queue.
pub(crate) struct Core<J> {
    pub(crate) ring: Ring<J, Note>,
    /// On a cache line of its own, away from the words that producers read with each job.
    pub(crate) runners: CachePadded<Runners>,
    /// The most runners that may serve at once.
    pub(crate) limit: usize,
    pub(crate) registry: Shared,
    pub(super) room: RoomWaiters,
    pub(super) idle: Idle,
    pub(crate) service: Box<dyn Service<J>>,
    pub(super) overflow: Overflow<J>,
    /// The counts that each worker keeps.
    pub(super) tallies: Tallies,
    pub(super) name: Option<Box<str>>,
    /// How long jobs take. On a cache line of its own, because runners write it and producers read the rest.
    pub(crate) pace: CachePadded<Pace>,
    pub(super) trials: CachePadded<Trials>,
}

/// The given parts of a queue. [`CoreRef::new`] makes the others.
pub(crate) struct Parts<J> {
    pub(crate) ring: Ring<J, Note>,
    pub(crate) limit: usize,
    pub(crate) registry: Shared,
    pub(crate) service: Box<dyn Service<J>>,
    pub(crate) name: Option<Box<str>>,
}

impl<J> Core<J> {
    /// How many jobs wait.
    pub(super) fn len(&self) -> usize {
        self.ring.len() + self.overflow.len(&self.runners)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ring.is_empty() && !self.runners.load().overflow()
    }

    /// Whether all accepted jobs have ended.
    pub(crate) fn is_idle(&self) -> bool {
        self.runners.have_ended(&self.ring)
    }

    pub(super) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The address that tells this queue from others.
    pub(super) fn address(&self) -> usize {
        (&raw const *self).addr()
    }

    /// The words that announce a waiter for room.
    pub(super) fn words(&self) -> Words<'_, J> {
        Words { ring: &self.ring, runners: &self.runners, address: self.address() }
    }

    /// Wakes waiters, for a pop that saw `BLOCKED`.
    pub(crate) fn slot_freed(&self) -> Woken {
        self.room.slot_freed(self.words())
    }

    /// Refuses jobs from now on, as `flag` says: all jobs, those from outside the pool, or those from outside the
    /// queue. Wakes the producers that wait. Returns whether the ring holds jobs.
    pub(super) fn refuse(&self, flag: u64) -> bool {
        let left = self.ring.flag_tail(flag);
        self.room.refused(self.words());
        left
    }

    /// Whether `worker` belongs to this queue's pool and may submit as one of its workers.
    pub(super) fn is_inside(&self, worker: &Worker) -> bool {
        Arc::ptr_eq(&worker.registry, &self.registry) && worker.inside()
    }

    /// Whether a job of this queue is on the stack of `worker`. If so, the queue treats what `worker` submits as its
    /// own.
    pub(super) fn is_own(&self, worker: &Worker) -> bool {
        worker.serves().contains(&self.address())
    }

    pub(super) fn counts(&self) -> QueueCounts {
        let ended = self.tallies.read();
        let (pushed, popped) = self.ring.totals();
        let overflow = self.overflow.len(&self.runners) as u64;
        ended.with(pushed.saturating_sub(popped) + overflow, popped.saturating_sub(overflow), self.limit as u64)
    }
}

/// A counted reference to the shared part. Handles and runners hold one. (A method on `Arc<Core>` is not possible
/// under loom, whose `Arc` cannot be a receiver.)
pub(crate) struct CoreRef<J>(Arc<Core<J>>);

impl<J> CoreRef<J> {
    pub(crate) fn new(Parts { ring, limit, registry, service, name }: Parts<J>) -> Self {
        let tallies = Tallies::new(registry.peers.len());
        let room = RoomWaiters::new(StdArc::clone(&registry.wait_graph));
        CoreRef(Arc::new(Core {
            ring,
            runners: CachePadded::new(Runners::new()),
            limit,
            registry,
            room,
            idle: Idle::new(),
            service,
            overflow: Overflow::new(),
            tallies,
            name,
            pace: CachePadded::new(Pace::new()),
            trials: CachePadded::new(Trials::new()),
        }))
    }
}

impl<J> Clone for CoreRef<J> {
    fn clone(&self) -> Self {
        CoreRef(Arc::clone(&self.0))
    }
}

impl<J> Deref for CoreRef<J> {
    type Target = Core<J>;

    #[inline(always)]
    fn deref(&self) -> &Core<J> {
        &self.0
    }
}
