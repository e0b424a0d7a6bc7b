//! The life of a runner: run jobs, wait for more, make way for others.
//!
//! Serving | to | when
//! ---|---|---
//! active | active | it popped a job and ran it
//! active | back in the injector | others wait for its worker and its [`Turn`] is over
//! active | polling | the ring is empty and not too many poll already
//! polling | active | there is a job
//! polling, active | on standby | its time is up, others are active, and nobody is on standby yet
//! polling, active | gone | otherwise
//! on standby | active | jobs wait that the others do not get to
//! on standby | gone | nothing moved for [`NAPS`] naps

use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::spin::{Spin, WAKE};
use crate::sync::{MODEL, spin_loop};
use crate::worker::Worker;

use super::core::{CoreRef, Parcel};
use super::room::NestedQueue;
use super::runners::Crew;

/// For how long all who take turns on a worker may keep one of them waiting, beside a job of each that is under way.
const ROUND: Duration = Duration::from_millis(1);

/// Under a checker, where no time passes, a turn is so many jobs.
const MODEL_TURN: u32 = 8;

/// How many jobs a runner that had to wait for the first one lets come, and for how long at most.
const GATHERED: u64 = DEEP as u64;
const GATHER: Duration = Duration::from_micros(1);

/// How often one side of a shallow queue looks whether the other is done with a slot, before it goes about waiting.
/// About half a microsecond where a pause takes 8 ns: some cache lines' way from core to core.
const LINGER: u32 = 64;

/// From this capacity on a queue is deep enough that one side can let the other get ahead.
const DEEP: usize = 64;

/// How long a worker on standby sleeps between looks, and so for how long a job may wait behind one that turns
/// out to be long while a worker is free.
const NAP: Duration = Duration::from_micros(100);

/// After so many looks at which nothing had moved it leaves the watch to the next push.
const NAPS: u32 = if MODEL { 1 } else { 10 };

/// A runner looks whether others want its worker after each job that takes so long, and after several shorter ones: a look
/// after each job of some nanoseconds made each cost 40 more.
const LOOK: Duration = Duration::from_micros(2);

/// At most so many jobs between two looks: that many may be long if those before were short.
const STRIDE: u32 = 16;

/// A runner's time on its worker. While nobody else wants the worker it does not end. Otherwise the clock is read after
/// each job, so that a long one is the last of its turn; jobs that take less than [`LOOK`] are looked at a few at a time.
///
/// Rejected: turns of so many jobs. A quick job waited for that many long ones.
struct Turn {
    begun: Instant,
    looked: Instant,
    /// Jobs from one look to the next, and how many of them are left.
    stride: u32,
    left: u32,
    /// Under a checker: jobs so far.
    jobs: u32,
}

impl Turn {
    fn begin() -> Turn {
        let now = Instant::now();
        Turn { begun: now, looked: now, stride: 1, left: 1, jobs: 0 }
    }

    /// Whether the runner must make way; to be asked after each job.
    #[inline]
    fn is_over(&mut self, worker: &Worker) -> bool {
        if MODEL {
            self.jobs += 1;
            return self.jobs >= MODEL_TURN && worker.is_wanted();
        }
        self.left -= 1;
        self.left == 0 && self.look(worker)
    }

    #[cold]
    #[inline(never)]
    fn look(&mut self, worker: &Worker) -> bool {
        let now = Instant::now();
        let spent = now - self.looked;
        if spent < LOOK / 2 {
            self.stride = (self.stride * 2).min(STRIDE);
        } else if spent > 2 * LOOK {
            self.stride = 1;
        }
        (self.looked, self.left) = (now, self.stride);
        // All that wait may be queues that use up their turns.
        worker.is_wanted() && (now - self.begun).saturating_mul(worker.waiting()) >= ROUND
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
    /// The life of a runner: calls `run` for jobs, as long as there are some.
    pub(crate) fn serve(&self, worker: &Worker, mut run: impl FnMut(&mut Parcel<J>)) {
        if self.work_off(worker, &mut run) == Left::Requeue {
            let crew = self.runners.call_back();
            self.note_gone(crew);
            self.registry.injector.push(self.activation());
            self.registry.sleep.published();
        }
    }

    fn work_off(&self, worker: &Worker, run: &mut impl FnMut(&mut Parcel<J>)) -> Left {
        // Whoever started this runner may have seen several jobs that no later push will speak for: each runner
        // brings the next.
        self.recruit(self.runners.load(), 1);
        let mut turn = Turn::begin();
        loop {
            loop {
                self.linger(|| self.ring.has(1));
                if !self.pop_and_run(worker, run) {
                    break;
                }
                if turn.is_over(worker) {
                    return Left::Requeue;
                }
            }
            if !self.poll(worker) {
                return Left::Detached;
            }
        }
    }

    /// Pops a job and runs it. `false` if there is none.
    #[inline]
    pub(crate) fn pop_and_run(&self, worker: &Worker, run: &mut impl FnMut(&mut Parcel<J>)) -> bool {
        let mut job = Parcel::empty();
        if !self.take_aside(&mut job) {
            let Some(flags) = self.ring.pop(&mut job) else { return false };
            if flags != 0 {
                self.room_made();
            }
        }
        self.run_taken(worker, &mut job, run);
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

    /// Where the queue is shallow, gives the other side a moment to be done with the slot that the caller would go
    /// for: all it looks at is that slot. To find the ring empty or full instead, it would fetch the other side's
    /// position, which the other side then has to fetch back.
    #[inline]
    pub(super) fn linger(&self, ready: impl Fn() -> bool) {
        if MODEL || self.is_deep() {
            return;
        }
        for _ in 0..LINGER {
            if ready() {
                return;
            }
            spin_loop();
        }
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
    ///
    /// Kept out of the loop that serves: with the nap inside, each job of a queue of 10 cost 8 ns more.
    #[cold]
    #[inline(never)]
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
    pub(crate) fn detach(&self, polling: bool) {
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
}
