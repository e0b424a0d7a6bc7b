//! What all handles and runners of a queue share, and how its jobs are run.
//!
//! A *runner* is an activation of the queue on a worker: an ordinary job of the pool that pops values and
//! calls the handler until the ring is empty, then polls for about the price of one wake, then leaves, or
//! stands by: one worker naps for as long as others are busy, and steps in when they do not keep up.
//! The invariant that keeps jobs from being overlooked:
//!
//! > While nobody polls, nobody watches over busy runners, and there are fewer runners than allowed, the ring's
//! > `KICK` flag is set, or somebody is on the way to set it and will look into the ring afterwards.
//!
//! So each push is noticed by a runner that polls, by the one on standby within a nap, by the flag that comes
//! back from the push itself, or all the workers that may serve the queue do so already, and each of them
//! looks again before it leaves.

use std::collections::VecDeque;
use std::ops::Deref;
use std::rc::Rc;

use crossbeam_utils::CachePadded;

use crate::jobs::job::Job;
use crate::jobs::ring::{self, CLOSED, DRAINING, KICK, OUTSIDE_CLOSED, Ring};
use crate::scheduler::registry::Shared;
use crate::scheduler::sources::Source;
use crate::scheduler::worker::{Worker, with_current};
use crate::sync::{Arc, Mutex, defect};
use crate::system::unwind::Payload;
use crate::tasks::handle::Promise;
use crate::waiting::latch::WaitList;

use super::counts::Tallies;
use super::end::Phase;
use super::pace::Pace;
use super::room::NestedQueue;
use super::runners::{Crew, Runners};

/// What refuses a job from outside the pool, one from another job of the pool, and one from a handler of the queue.
pub(super) const TO_OUTSIDE: u64 = CLOSED | OUTSIDE_CLOSED | DRAINING;
pub(super) const TO_WORKERS: u64 = CLOSED | DRAINING;
pub(super) const TO_OWN: u64 = CLOSED;

/// What a job has with it on its way: whom to tell of its end, if somebody asked.
pub(crate) type Note = Promise<()>;
/// A job on its way in, or taken out and about to be run.
pub(crate) type Parcel<J> = ring::Parcel<J, Note>;

/// How a job is run: the handler and what state it has, behind one virtual call an activation.
pub(crate) trait Service<J>: Send + Sync {
    /// Serves as a runner until [`CoreRef::serve`] is through.
    fn activate(&self, core: &CoreRef<J>, worker: &Worker);

    /// Pops and runs one job. `false` if there is none.
    fn run_one(&self, core: &CoreRef<J>, worker: &Worker) -> bool;

    /// Drops the handler and its states: the pool has ended, and with it the last runner.
    fn let_go(&self);

    /// The workers that have a state which is to be ended.
    fn owners(&self) -> Vec<usize>;

    /// Ends the states of one of them, on its thread if that still runs; what that panics with is `unheard`. Whether it was
    /// all of them: if not, another thread is about to bring one back, and then calls `again`.
    fn end_states(&self, owner: usize, unheard: &dyn Fn(Payload), again: Again) -> bool;
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
    /// Threads that wait for room, but for this pool's workers.
    pub(super) room: WaitList,
    /// Those who wait for the queue to be idle.
    pub(super) idle: WaitList,
    pub(crate) service: Box<dyn Service<J>>,
    /// Jobs that were in the ring and are to be run before those that still are.
    pub(super) aside: Mutex<VecDeque<Parcel<J>>>,
    /// What each worker has counted.
    pub(super) tallies: Tallies,
    pub(super) name: Option<Box<str>>,
    pub(super) phase: Mutex<Phase>,
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

/// A counted reference to the shared part: what handles and runners hold, and what has the methods. (A
/// method on `Arc<Core>` would not do under the checker, whose `Arc` cannot be a receiver.)
pub(crate) struct CoreRef<J>(Arc<Core<J>>);

impl<J> CoreRef<J> {
    pub(crate) fn new(Parts { ring, limit, registry, service, name }: Parts<J>) -> Self {
        let tallies = Tallies::new(registry.peers.len());
        CoreRef(Arc::new(Core {
            ring,
            runners: CachePadded::new(Runners::new()),
            limit,
            registry,
            room: WaitList::new(),
            idle: WaitList::new(),
            service,
            aside: Mutex::default(),
            tallies,
            name,
            phase: Mutex::default(),
            pace: CachePadded::new(Pace::new()),
        }))
    }

    /// What tells this queue from others.
    pub(super) fn address(&self) -> usize {
        (&raw const *self.0).addr()
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

impl<J: Send + 'static> CoreRef<J> {
    // --- runners come ---

    /// A push found `KICK`, or a runner left jobs behind: starts a runner, unless there are enough.
    #[cold]
    pub(super) fn kick(&self) {
        with_current(|worker| match worker {
            Some(worker) if self.is_inside(worker) => self.call(|job| worker.push(job)),
            _ => {
                // If the pool is closed to us, whoever closed it saw our push and started a runner.
                if let Ok(entry) = self.registry.enter() {
                    self.call(|job| entry.inject(job));
                }
            }
        });
    }

    /// Whether `worker` belongs to this queue's pool and may submit as such.
    pub(super) fn is_inside(&self, worker: &Worker) -> bool {
        Arc::ptr_eq(&worker.registry, &self.registry) && worker.inside()
    }

    /// Whether a job of this queue is on the stack of `worker`: what it submits is the queue's own.
    pub(super) fn is_own(&self, worker: &Worker) -> bool {
        worker.serves().contains(&self.address())
    }

    fn call(&self, start: impl Fn(Job)) {
        loop {
            let size = self.size();
            if let Some(crew) = self.runners.call(size) {
                start(self.activation());
                if crew.lacks(size) {
                    // `KICK` stays set: the next push starts the next runner.
                    return;
                }
            }
            // Enough for now: pushes need not come here. But a runner may have left since the look above,
            // and the flag cleared here may be the one that it set.
            self.ring.unflag_tail(KICK);
            let crew = self.runners.load();
            if !crew.lacks(size) || !(self.ring.flag_tail(KICK) | crew.aside()) {
                return;
            }
        }
    }

    /// The crew has become `crew`: if runners are lacking now, sees to it that the next push starts one, or does
    /// so itself if more jobs wait than the `own` that the caller is about to take.
    pub(super) fn recruit(&self, crew: Crew, own: usize) {
        if crew.lacks(self.size())
            && self.ring.flag_tail(KICK) | crew.aside()
            && self.len() > own
            && !defect("runner_leaves_unlooked")
        {
            self.kick();
        }
    }

    /// The job that is a runner.
    pub(super) fn activation(&self) -> Job {
        let core = self.clone();
        Job::new(move || {
            with_current(|worker| {
                let Some(worker) = worker else { unreachable!("a runner outside a worker") };
                worker.me().counters.activations.add(1);
                if !core.runners.answer(core.limit) {
                    // Each of those that have the places will look again before it leaves.
                    return;
                }
                let nested = Rc::new(NestedQueue(core.clone()));
                worker.with_nested(nested, || core.service.activate(&core, worker));
            });
        })
    }
}

/// A queue as the registry knows it.
pub(super) struct QueueSource<J>(pub(super) CoreRef<J>);

impl<J: Send + 'static> Source for QueueSource<J> {
    fn close_outside(&self) {
        if self.0.refuse(OUTSIDE_CLOSED) && !defect("closed_unkicked") {
            // A producer that was faster may not have come to start a runner, and is about to find the
            // pool closed.
            self.0.kick();
        }
    }

    fn let_go(&self) {
        if self.0.is_idle() {
            self.0.service.let_go();
        }
    }

    fn name(&self) -> Option<&str> {
        self.0.name()
    }
}
