//! What all handles and runners of a queue share: the ring, the runners' word, and one part for each mechanism around them.
//!
//! | part | is about | changed by |
//! |---|---|---|
//! | [`Ring`] | jobs that wait | producers push, runners pop |
//! | [`Runners`] | how many runners there are, and what they are at | [`super::start`], [`super::runner`], [`super::standby`] |
//! | [`Overflow`] | jobs beyond the capacity | [`super::start`], runners |
//! | [`RoomWaiters`] | who waits for room | [`super::full`], runners |
//! | [`Idle`] | who waits for the queue to be idle, and the end of its states | [`super::end`] |
//! | [`Pace`] | how long jobs take | runners |
//! | [`Service`] | the handler and its states | [`super::states`] |

use std::ops::Deref;

use crossbeam_utils::CachePadded;

use super::counts::{QueueCounts, Tallies};
use super::idle::Idle;
use super::overflow::Overflow;
use super::pace::Pace;
use super::parcel::Note;
use super::room_waiters::{RoomWaiters, Words};
use super::runner_counts::Runners;
use crate::jobs::ring::{CLOSED, DRAINING, OUTSIDE_CLOSED, Ring};
use crate::scheduler::registry::Shared;
use crate::scheduler::worker::Worker;
use crate::sync::{Arc, StdArc};
use crate::system::unwind::Payload;

/// What refuses a job from outside the pool, one from another job of the pool, and one from a handler of the queue.
pub(super) const TO_OUTSIDE: u64 = CLOSED | OUTSIDE_CLOSED | DRAINING;
pub(super) const TO_WORKERS: u64 = CLOSED | DRAINING;
pub(super) const TO_OWN: u64 = CLOSED;

/// How a job is run: the handler and what state it has, behind one virtual call an activation.
pub(crate) trait Service<J>: Send + Sync {
    /// Serves as a runner until [`CoreRef::serve`] is through.
    fn activate(&self, core: &CoreRef<J>, worker: &Worker);

    /// Pops and runs one job. `false` if there is none.
    fn run_one(&self, core: &CoreRef<J>, worker: &Worker) -> bool;

    /// Drops the handler and its states: the pool has ended, and with it the last runner.
    fn drop_user_code(&self);

    /// The workers that have a state which is to be ended.
    fn owners(&self) -> Vec<usize>;

    /// Ends the states of one of them, on its thread if that still runs; what that panics with is `report_panic`. Whether it was
    /// all of them: if not, another thread is about to bring one back, and then calls `again`.
    fn end_states(&self, owner: usize, report_panic: &dyn Fn(Payload), again: Again) -> bool;
}

/// Asks for the end of a worker's states once more.
pub(crate) type Again = Box<dyn FnOnce() + Send>;

/// The shared part of a queue.
pub(crate) struct Core<J> {
    pub(crate) ring: Ring<J, Note>,
    /// Apart from what producers read with each job.
    pub(crate) runners: CachePadded<Runners>,
    /// At most so many runners.
    pub(crate) limit: usize,
    pub(crate) registry: Shared,
    pub(super) room: RoomWaiters,
    pub(super) idle: Idle,
    pub(crate) service: Box<dyn Service<J>>,
    pub(super) overflow: Overflow<J>,
    /// What each worker has counted.
    pub(super) tallies: Tallies,
    pub(super) name: Option<Box<str>>,
    /// How long jobs take. Apart from what producers read, because runners write it.
    pub(crate) pace: CachePadded<Pace>,
}

/// What a queue is made of, apart from what each begins with.
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

    /// Whether all that was accepted has ended.
    pub(crate) fn is_idle(&self) -> bool {
        self.runners.have_ended(&self.ring)
    }

    pub(super) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// What tells this queue from others.
    pub(super) fn address(&self) -> usize {
        (&raw const *self).addr()
    }

    /// The words that tell of those who wait for room.
    pub(super) fn words(&self) -> Words<'_, J> {
        Words { ring: &self.ring, runners: &self.runners, address: self.address() }
    }

    /// A pop saw that somebody waits for room. Whether that was a thread from outside.
    pub(crate) fn slot_freed(&self) -> bool {
        self.room.slot_freed(self.words())
    }

    /// Refuses jobs from now on: all, those from outside the pool, or those from outside the queue. Producers that wait get
    /// to know. Whether there are jobs.
    pub(super) fn refuse(&self, flag: u64) -> bool {
        let left = self.ring.flag_tail(flag);
        self.room.refused(self.words());
        left
    }

    /// Whether `worker` belongs to this queue's pool and may submit as such.
    pub(super) fn is_inside(&self, worker: &Worker) -> bool {
        Arc::ptr_eq(&worker.registry, &self.registry) && worker.inside()
    }

    /// Whether a job of this queue is on the stack of `worker`: what it submits is the queue's own.
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

/// A counted reference to the shared part: what handles and runners hold. (A method on `Arc<Core>` would not do under the
/// checker, whose `Arc` cannot be a receiver.)
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
