//! The life of a runner: it runs jobs, waits for more, and gives way to others.
//!
//! Serving | to | when
//! ---|---|---
//! active | active | it popped a job and ran it
//! active | back in the injector | other jobs wait for its worker and its [`TimeSlice`] is over
//! active | polling | the ring is empty and few enough runners poll already
//! polling | active | there is a job
//! polling, active | on standby | it waited in vain or is one too many; others are active, and nobody is on standby
//! active | gone | the jobs are tiny and it is one too many; somebody is on standby
//! polling, active | gone | otherwise
//! on standby | active | jobs wait that the other runners do not get to
//! on standby | gone | nothing moved for some naps: [`super::standby`]

use std::rc::Rc;
use std::time::Duration;

use crate::scheduler::worker::Worker;
use crate::sync::{MODEL, spin_loop};
use crate::system::affinity;
use crate::system::clock::Instant;
use crate::system::spin::{Spin, WAKE};

use super::core::CoreRef;
use super::pace::DEEP;
use super::parcel::Parcel;
use super::runner_counts::RunnerCounts;
use super::start::NestedQueue;
use super::time_slice::TimeSlice;
use super::trial::Trial;

/// How many jobs a runner lets come after it had to wait for the first one, and for how long it waits for them at
/// most.
const GATHERED: u64 = DEEP as u64;
const GATHER: Duration = Duration::from_micros(1);

/// From this capacity on, a second runner of tiny jobs may be in the way on two cores, too.
const LARGE: usize = 4096;

/// For so many looks at the clock a runner that has a core to itself lets others go that are one too many as well.
const BOUND: u32 = 8;

/// How many pauses pass from one look at that job's slot to the next. Each look takes the slot's cache line from the
/// producer, which is about to write it.
const GLANCES: u32 = 32;

/// How often one side of a shallow queue looks whether the other side is done with a slot, before it begins to wait.
/// About half a microsecond where a pause takes 8 ns: the time that a few cache lines take from core to core.
const LINGER: u32 = 64;

/// After this many looks, the side that looks asks whether it keeps the other side from the core.
const GLANCE: u32 = 8;

/// Why a runner stops taking jobs.
#[derive(Clone, Copy)]
enum Pause {
    /// There is no job.
    Empty,
    /// Other jobs want its worker, and its time slice is over.
    Over,
    /// More runners are active than are of use.
    Surplus,
    /// The same, and the jobs are tiny.
    Vain,
}

impl<J: Send + 'static> CoreRef<J> {
    /// The life of a runner: calls `run` for each job, as long as there are jobs.
    pub(crate) fn serve(&self, worker: &Worker, mut run: impl FnMut(&mut Parcel<J>)) {
        // The thread that started this runner may have seen several jobs, for which no later push starts one. So each
        // runner starts the next.
        self.start_if_lacking(self.runners.load(), 1);
        worker.polls().note_over();
        // Workers that share their core with others go first.
        let patience = if self.registry.sleep.home(worker.number.get()).is_some() { BOUND } else { 0 };
        let mut slice = TimeSlice::begin(self.limit > self.registry.sleep.cores(), patience);
        let mut pause = self.has_surplus().then_some(Pause::Surplus);
        let mut trial = None;
        loop {
            let stays = match pause.unwrap_or_else(|| self.work_off(worker, &mut slice, &mut trial, &mut run)) {
                Pause::Over => {
                    // It goes on as another job.
                    let counts = self.runners.call_back();
                    self.note_gone(counts);
                    self.registry.injector.push(self.activation());
                    self.registry.sleep.published();
                    false
                }
                // If another worker is on standby already, one more runner does no harm.
                Pause::Surplus => self.go_on_standby(worker, false, &mut trial).unwrap_or(true),
                Pause::Vain => self.go_on_standby(worker, false, &mut trial).unwrap_or_else(|| !self.leave()),
                Pause::Empty => {
                    trial = None;
                    self.trials.forget();
                    self.poll(worker, &mut trial)
                }
            };
            if !stays {
                return;
            }
            pause = None;
            slice.resume(&self.pace);
        }
    }

    /// Runs jobs until the runner must pause.
    #[inline(always)]
    fn work_off<'t>(
        &'t self,
        worker: &Worker,
        slice: &mut TimeSlice,
        trial: &mut Option<Trial<'t>>,
        run: &mut impl FnMut(&mut Parcel<J>),
    ) -> Pause {
        loop {
            self.spin_for_slot(|| self.ring.has(1));
            let mut job = Parcel::empty();
            if !self.pop(worker, &mut job) {
                return Pause::Empty;
            }
            slice.begin_job();
            self.run_taken(worker, &mut job, run);
            if slice.is_due(worker)
                && let Some(pause) = self.look_at_clock(slice, trial, worker)
            {
                return pause;
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn look_at_clock<'t>(
        &'t self,
        slice: &mut TimeSlice,
        trial: &mut Option<Trial<'t>>,
        worker: &Worker,
    ) -> Option<Pause> {
        if slice.end_job() {
            return None;
        }
        let runners = self.runners.load().active();
        let news = slice.look(&self.pace, runners);
        worker.renew_stint(slice.looked());
        if slice.is_over(worker) {
            return Some(Pause::Over);
        }
        if slice.is_tiny() {
            if runners > 1 && self.is_vain(slice, trial, runners) {
                return Some(Pause::Vain);
            }
            if slice.is_in_step() {
                self.wait_for_batch(GLANCES);
                slice.leave_out();
            }
        }
        if (runners == 1 || !slice.is_tiny())
            && trial.as_ref().is_some_and(|trial| trial.is_over(slice.looked()))
        {
            *trial = None;
        }
        if !news {
            return None;
        }
        // There may be fewer runners than are of use now, or more.
        self.start_if_lacking(self.runners.load(), 0);
        self.has_surplus().then_some(Pause::Surplus)
    }

    /// Whether this runner of tiny jobs, one of `runners`, may be in the others' way: its trial is over, or it is one
    /// too many. But not if it is the only one that takes jobs: the others may be blocked.
    fn is_vain<'t>(&'t self, slice: &mut TimeSlice, trial: &mut Option<Trial<'t>>, runners: usize) -> bool {
        let popped = self.ring.totals().1;
        let others_work = slice.others_took(popped);
        match trial.take_if(|trial| trial.is_over(slice.looked())) {
            Some(over) => {
                if others_work {
                    over.end(slice.looked(), popped);
                }
                others_work
            }
            None => {
                let surplus = self.may_be_vain() && runners > self.size().useful;
                others_work && surplus && !self.trials.is_running() && slice.note_surplus()
            }
        }
    }

    /// Pops a job and runs it. `false` if there is none.
    #[inline]
    pub(crate) fn pop_and_run(&self, worker: &Worker, run: &mut impl FnMut(&mut Parcel<J>)) -> bool {
        let mut job = Parcel::empty();
        let some = self.pop(worker, &mut job);
        if some {
            self.run_taken(worker, &mut job, run);
        }
        some
    }

    #[inline(always)]
    fn pop(&self, worker: &Worker, job: &mut Parcel<J>) -> bool {
        if !self.overflow.take(job, &self.runners) {
            let Some(flags) = self.ring.pop(job) else { return false };
            if flags != 0 {
                self.wake_producers(flags, worker);
            }
        }
        true
    }

    /// A runner leaves that is one too many, if a worker is on standby. Returns whether it has left.
    fn leave(&self) -> bool {
        let counts = self.runners.leave(self.size().useful);
        counts.map(|counts| self.note_gone(counts)).is_some()
    }

    /// Waits for a job: first awake, then in naps as long as other runners are active. `true` with the runner active
    /// if there is a job; `false` if the runner has gone.
    #[cold]
    #[inline(never)]
    fn poll<'t>(&'t self, worker: &Worker, trial: &mut Option<Trial<'t>>) -> bool {
        let polls = self.runners.start_polling((self.limit / 2).max(1));
        if let Some(counts) = polls {
            self.note_idle(counts);
            // In a race the producer goes on soon. It would have to wake a runner that sleeps.
            let mut spin = if self.is_race() { Spin::new(WAKE).close() } else { self.spin() };
            if !self.is_race() {
                spin = worker.polls().shorten(spin);
                spin = self.registry.sleep.spin_inside(spin, || self.runners.load().polling());
            }
            // Where a spin would take a core from the producer, a runner that is not needed leaves it that core.
            if spin.offers()
                && self.is_empty()
                && let Some(back) = self.go_on_standby(worker, true, trial)
            {
                return back;
            }
            loop {
                if self.ring.has(1) || self.runners.load().overflow() {
                    worker.polls().note_paid();
                    self.start_if_lacking(self.runners.stop_polling(), 1);
                    self.wait_for_batch(1);
                    return true;
                }
                if worker.is_wanted() {
                    break;
                }
                if !spin.again() {
                    worker.polls().note_vain(&spin);
                    break;
                }
            }
        }
        if let Some(back) = self.go_on_standby(worker, polls.is_some(), trial) {
            return back;
        }
        self.detach(polls.is_some());
        false
    }

    /// In a shallow queue, gives the other side a moment to be done with the next slot. The caller looks at nothing
    /// but that slot: to find the ring empty or full instead, it would fetch the cache line of the other side's
    /// position, and the other side would have to fetch it back.
    #[inline]
    pub(super) fn spin_for_slot(&self, ready: impl Fn() -> bool) {
        if MODEL || self.is_deep() {
            return;
        }
        let glance = if affinity::is_single_core() { 0 } else { GLANCE };
        for look in 0..LINGER {
            if ready() || look == glance && self.is_crowded() {
                return;
            }
            spin_loop();
        }
    }

    /// Whether the caller would take the core that the other side needs.
    #[cold]
    #[inline(never)]
    fn is_crowded(&self) -> bool {
        self.registry.sleep.is_crowded(0, 1)
    }

    /// Whether a second runner of tiny jobs may only be in the first one's way. On two cores it shares one with the
    /// producer. If the ring is small besides, each of the three soon waits for another, and they get in each other's
    /// way less.
    pub(super) fn may_be_vain(&self) -> bool {
        self.registry.sleep.cores() > 2 || self.ring.capacity() >= LARGE
    }

    /// Whether the two sides of the queue race each other: on several cores, with jobs of some nanoseconds and much
    /// room between the two sides. The side that is ahead then waits for some microseconds at most, and room for a
    /// single job is no reason to go on.
    pub(super) fn is_race(&self) -> bool {
        self.is_deep() && !self.is_coarse() && self.registry.sleep.cores() > 1
    }

    pub(super) fn is_deep(&self) -> bool {
        self.ring.capacity() >= DEEP
    }

    /// The spin that waits for the other side. In a shallow queue the two sides must go in step, and a sleep for
    /// every few jobs would cost more than the jobs.
    pub(super) fn spin(&self) -> Spin {
        let spin = if self.is_deep() { Spin::brisk() } else { Spin::new(WAKE) };
        spin.close()
    }

    /// Lets the producer of a deep queue get ahead by a few jobs, after a wait for the first one. A consumer that
    /// took each job at once would go in step with the producer, and both would fight for the same few cache lines.
    fn wait_for_batch(&self, pauses: u32) {
        if !MODEL && self.is_race() {
            let start = Instant::now();
            while !self.ring.has(GATHERED) && start.elapsed() < GATHER {
                (0..pauses).for_each(|_| spin_loop());
            }
        }
    }

    /// A runner leaves.
    pub(crate) fn detach(&self, polling: bool) {
        let counts = self.runners.detach(polling);
        self.note_gone(counts);
        self.start_if_lacking(counts, 0);
    }

    /// A runner has gone, and the runners' word is `counts` now.
    pub(super) fn note_gone(&self, counts: RunnerCounts) {
        self.note_idle(counts);
        if counts.room_wanted() {
            self.room.place_freed(self.words());
        }
    }

    /// Serves one job, on a worker that waits for room, if the limit allows one more runner.
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
