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
use std::time::{Duration, Instant};

use crossbeam_utils::CachePadded;

use crate::job::Job;
use crate::latch::WaitList;
use crate::registry::{Shared, Source};
use crate::ring::{KICK, OUTSIDE_CLOSED, Ring};
use crate::spin::{Spin, WAKE};
use crate::sync::{Arc, MODEL, Mutex, defect, spin_loop};
use crate::worker::{Worker, with_current};

use super::room::NestedQueue;
use super::runners::{Crew, Runners};

/// Jobs run before a runner looks whether others wait for its worker.
const STRETCH: u32 = 8;

/// How many jobs a runner that had to wait for the first one lets come, and for how long at most.
const GATHERED: u64 = DEEP as u64;
const GATHER: Duration = Duration::from_micros(1);

/// From this capacity on a queue is deep enough that one side can let the other get ahead.
const DEEP: usize = 64;

/// How long a worker on standby sleeps between looks, and so for how long a job may wait behind one that turns
/// out to be long while a worker is free.
const NAP: Duration = Duration::from_micros(100);

/// After so many looks at which nothing had moved it leaves the watch to the next push.
const NAPS: u32 = if MODEL { 1 } else { 10 };

/// How a job is run: the handler and what state it has, behind one virtual call an activation.
pub(super) trait Service<J>: Send + Sync {
    /// Serves as a runner until [`CoreRef::serve`] is through.
    fn activate(&self, core: &CoreRef<J>, worker: &Worker);

    /// Pops and runs one job. `false` if there is none.
    fn run_one(&self, core: &CoreRef<J>, worker: &Worker) -> bool;
}

/// The shared part of a queue.
pub(super) struct Core<J> {
    pub(super) ring: Ring<J>,
    /// Apart from what producers read with each job.
    pub(super) runners: CachePadded<Runners>,
    /// At most so many runners.
    pub(super) limit: usize,
    pub(super) registry: Shared,
    /// Threads that wait for room, but for this pool's workers.
    pub(super) room: WaitList,
    /// Those who wait for the queue to be idle.
    pub(super) idle: WaitList,
    pub(super) service: Box<dyn Service<J>>,
    /// Jobs that were in the ring and are to be run before those that still are.
    pub(super) aside: Mutex<VecDeque<J>>,
}

/// What a queue is made of, apart from what each begins with.
pub(super) struct Parts<J> {
    pub(super) ring: Ring<J>,
    pub(super) limit: usize,
    pub(super) registry: Shared,
    pub(super) service: Box<dyn Service<J>>,
}

/// A counted reference to the shared part: what handles and runners hold, and what has the methods. (A
/// method on `Arc<Core>` would not do under the checker, whose `Arc` cannot be a receiver.)
pub(super) struct CoreRef<J>(Arc<Core<J>>);

impl<J> CoreRef<J> {
    pub(super) fn new(Parts { ring, limit, registry, service }: Parts<J>) -> Self {
        CoreRef(Arc::new(Core {
            ring,
            runners: CachePadded::new(Runners::new()),
            limit,
            registry,
            room: WaitList::new(),
            idle: WaitList::new(),
            service,
            aside: Mutex::default(),
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

/// What became of a runner.
#[derive(PartialEq, Eq)]
enum Left {
    /// Its worker is wanted elsewhere; it goes on as another job.
    Requeue,
    /// For good.
    Detached,
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

    fn call(&self, start: impl Fn(Job)) {
        loop {
            if let Some(crew) = self.runners.call(self.limit) {
                start(self.activation());
                if crew.lacks(self.limit) {
                    // `KICK` stays set: the next push starts the next runner.
                    return;
                }
            }
            // Enough for now: pushes need not come here. But a runner may have left since the look above,
            // and the flag cleared here may be the one that it set.
            self.ring.unflag_tail(KICK);
            let crew = self.runners.load();
            if !crew.lacks(self.limit) || !(self.ring.flag_tail(KICK) | crew.aside()) {
                return;
            }
        }
    }

    /// The crew has become `crew`: if runners are lacking now, sees to it that the next push starts one, or does
    /// so itself if more jobs wait than the `own` that the caller is about to take.
    fn recruit(&self, crew: Crew, own: usize) {
        if crew.lacks(self.limit)
            && self.ring.flag_tail(KICK) | crew.aside()
            && self.len() > own
            && !defect("runner_leaves_unlooked")
        {
            self.kick();
        }
    }

    /// The job that is a runner.
    fn activation(&self) -> Job {
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

    // --- runners work ---

    /// The life of a runner: calls `run` for jobs, as long as there are some.
    pub(super) fn serve(&self, worker: &Worker, mut run: impl FnMut(J)) {
        if self.work_off(worker, &mut run) == Left::Requeue {
            let crew = self.runners.call_back();
            self.note_gone(crew);
            self.registry.injector.push(self.activation());
            self.registry.sleep.published();
        }
    }

    fn work_off(&self, worker: &Worker, run: &mut impl FnMut(J)) -> Left {
        // Whoever started this runner may have seen several jobs that no later push will speak for: each runner
        // brings the next.
        self.recruit(self.runners.load(), 1);
        let mut stretch = 0;
        loop {
            while self.pop_and_run(worker, run) {
                stretch += 1;
                if stretch == STRETCH {
                    stretch = 0;
                    if worker.is_wanted() {
                        return Left::Requeue;
                    }
                }
            }
            if !self.poll(worker) {
                return Left::Detached;
            }
        }
    }

    /// Pops a job and runs it. `false` if there is none.
    #[inline]
    pub(super) fn pop_and_run(&self, worker: &Worker, run: &mut impl FnMut(J)) -> bool {
        let job = match self.take_aside() {
            Some(job) => job,
            None => {
                let Some((job, flags)) = self.ring.pop() else { return false };
                if flags != 0 {
                    self.room_made();
                }
                job
            }
        };
        worker.counted(|| run(job));
        true
    }

    /// Waits for a job, first awake, then napping as long as others run some: `true` with the runner active if
    /// there is one; `false` with it gone.
    fn poll(&self, worker: &Worker) -> bool {
        let polls = self.runners.start_polling((self.limit / 2).max(1));
        if let Some(crew) = polls {
            self.note_idle(crew);
            let mut spin = self.spin();
            loop {
                if self.ring.has(1) || self.runners.load().aside() {
                    self.recruit(self.runners.stop_polling(), 1);
                    self.gather();
                    return true;
                }
                if !spin.again() || worker.is_wanted() {
                    break;
                }
            }
        }
        if !worker.is_wanted()
            && let Some(crew) = self.runners.stand_by(polls.is_some())
        {
            self.note_gone(crew);
            return self.watch(worker);
        }
        self.detach(polls.is_some());
        false
    }

    pub(super) fn is_deep(&self) -> bool {
        self.ring.capacity() >= DEEP
    }

    /// For how long to wait awake for the other side. Where the queue is shallow, the two must go in step, and a
    /// sleep for each few jobs would cost more than they.
    pub(super) fn spin(&self) -> Spin {
        if self.is_deep() { Spin::brisk() } else { Spin::new(WAKE) }.close()
    }

    /// After a wait for the first job of a deep queue: lets the producer get ahead by a few. A consumer that took each
    /// job the moment it came would go in step with the producer, with both at the same few cache lines.
    fn gather(&self) {
        if !MODEL && self.is_deep() {
            let start = Instant::now();
            while !self.ring.has(GATHERED) && start.elapsed() < GATHER {
                spin_loop();
            }
        }
    }

    /// Looks now and then whether the other runners keep up. With jobs that take nanoseconds one runner does,
    /// and another would only contend with it and with the producer for the ring and the cores; with long ones
    /// each waiting job wants a worker. What waits is compared with what was taken since the last look, so a
    /// job that would wait for longer than a nap does not.
    fn watch(&self, worker: &Worker) -> bool {
        let mut quiet = 0;
        while quiet < NAPS {
            let before = self.ring.head_position();
            if !worker.nap(NAP) {
                break;
            }
            let taken = self.ring.head_position() - before;
            let waiting = self.ring.len() as u64;
            if self.runners.load().expected() == 0 {
                break;
            }
            if waiting > taken || waiting > 0 && self.ring.is_blocked() {
                match self.runners.step_in(self.limit) {
                    Some(crew) => {
                        self.recruit(crew, 1);
                        return true;
                    }
                    None => break,
                }
            }
            quiet = if taken == 0 { quiet + 1 } else { 0 };
        }
        self.recruit(self.runners.stand_down(), 0);
        false
    }

    /// A runner leaves.
    fn detach(&self, polling: bool) {
        let crew = self.runners.detach(polling);
        self.note_gone(crew);
        self.recruit(crew, 0);
    }

    /// A runner has gone, and the crew is `crew` now.
    fn note_gone(&self, crew: Crew) {
        self.note_idle(crew);
        if crew.crowded() {
            self.place_free();
        }
    }

    /// On a worker that waits for room: serves for one job, if that does not exceed the limit.
    pub(super) fn help(&self, worker: &Worker) -> bool {
        if self.is_empty() || !self.runners.attach(self.limit) {
            return false;
        }
        let nested = Rc::new(NestedQueue(self.clone()));
        let ran = worker.with_nested(nested, || self.service.run_one(self, worker));
        self.detach(false);
        ran
    }

    // --- idle ---

    /// Whether all that was accepted has ended.
    pub(super) fn is_idle(&self) -> bool {
        self.runners.have_ended(&self.ring)
    }

    fn note_idle(&self, crew: Crew) {
        if !crew.awaited() || crew.active() > 0 {
            return;
        }
        if defect("idle_looked_at_unlocked") && !self.is_idle() {
            return;
        }
        let waiters = {
            let mut entries = self.idle.lock();
            // The crew may have changed since: another runner may hold what the ring no longer does. And only now
            // that the list is ours: whoever came to it after an earlier look waits for jobs that came after it.
            if !defect("idle_looked_at_unlocked") && !self.is_idle() {
                return;
            }
            self.runners.clear_awaited();
            entries.take()
        };
        for (_, wake) in waiters {
            wake.wake();
        }
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
}
