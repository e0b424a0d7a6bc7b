//! A full queue: how producers wait for room, and how they learn of it.
//!
//! A thread from outside waits awake for a moment and then sleeps. A worker of the pool must not keep others waiting
//! that can go on, nor wait for what only it can do. While there is no room it does the first of these that can be
//! done:
//!
//! 1. run one job of the queue, if that may have one more at a time;
//! 2. run any job of the pool, unless too many such waits are on its stack already;
//! 3. if all who may make room wait for each other, itself among them ([`crate::waiting::wait_graph`]): take the oldest job out of a
//!    queue that the circle goes through and whose handler it is in, and *set it aside*, to be run by that queue's
//!    runners before anything that is in the ring;
//! 4. sleep until there is room, or the queue may be served by one more.
//!
//! So the limit of a queue holds always, a job that was set aside is run in its turn, and a queue holds more than its
//! capacity only where otherwise all of a circle would wait for ever. No clock has a say in that. Jobs of the first
//! kind nest at most as deep as queues allow jobs at once, those of the second as [`Worker::wait_for_room`] allows.
//!
//! *Rejected*: to run a job of the circle's queue inside the handler that waits. It broke the order of a serial queue
//! and its promise of one at a time, met locks that the handler held, and nested without bound where others kept the
//! queue full. Also: to keep the room that was made for those of the circle. One of them may wait for somebody who is
//! not, and would then be refused.
//!
//! Nobody sleeps while there is something to do, but for the nap of a thread from outside that is the first to wait, at whose end
//! it does what follows: the one that is about to sleep sets `BLOCKED` in the ring's head and
//! `crowded` in the counts's word, then looks once more; the one that makes room or frees a place changes the same word
//! and so either comes before that look or sees the flag.

use std::time::{Duration, Instant};

use super::core::{CoreRef, TO_OUTSIDE, TO_OWN, TO_WORKERS};
use super::error::Refusal;
use super::parcel::Parcel;
use super::room_waiters::Outlook;
use crate::jobs::ring::{BLOCKED, READY};
use crate::scheduler::waiter::on_signal_after_nap;
use crate::scheduler::worker::{UntilSignal, Worker, with_current};
use crate::sync::{Arc, MODEL};
use crate::system::spin::{Spin, offer};
use crate::waiting::latch::{Signal, Wake};
use crate::waiting::wait_graph::Wait;

/// By how much later than asked for a sleeper comes: the system's slack for timers, and a wake.
const LATE: Duration = Duration::from_micros(60);

/// How long a producer naps before it has the runners wake it.
const SHORTEST_NAP: Duration = Duration::from_micros(10);
const LONGEST_NAP: Duration = Duration::from_micros(500);

impl<J: Send + 'static> CoreRef<J> {
    /// Waits for room, until `deadline`: [`Full`](Refusal::Full) then.
    #[cold]
    pub(super) fn submit_patiently(
        &self,
        job: &mut Parcel<J>,
        deadline: Option<Instant>,
    ) -> Result<(), Refusal> {
        with_current(|worker| match worker {
            Some(worker) => worker.wait_for_room(|may_run| {
                if self.is_inside(worker) {
                    self.submit_inside(job, deadline, worker, may_run)
                } else {
                    self.submit_outside(job, deadline, Some((worker, may_run)))
                }
            }),
            None => self.submit_outside(job, deadline, None),
        })
    }

    /// Tries once more. `None`: the queue is full, and there is time.
    fn retry(
        &self,
        job: &mut Parcel<J>,
        inside: Option<&Worker>,
        deadline: Option<Instant>,
    ) -> Option<Result<(), Refusal>> {
        match self.push(job, inside) {
            Err(Refusal::Full) if deadline.is_none_or(|deadline| deadline > Instant::now()) => None,
            done => Some(done),
        }
    }

    // --- a worker of this pool ---

    fn submit_inside(
        &self,
        job: &mut Parcel<J>,
        deadline: Option<Instant>,
        worker: &Worker,
        may_run: bool,
    ) -> Result<(), Refusal> {
        // With a spare, what is in the queue is for a runner elsewhere, and other jobs for whoever comes: what ran on top of
        // this one might wait for it.
        let mut lends = worker.may_lend_place();
        loop {
            if let Some(done) = self.retry(job, Some(worker), deadline) {
                return done;
            }
            if !lends && (self.help(worker) || may_run && worker.run_one()) {
                continue;
            }
            let refuse = if self.is_own(worker) { TO_OWN } else { TO_WORKERS };
            match self.enter(worker, lends, refuse) {
                Outlook::Changed => {}
                Outlook::Cycle(queue) => worker.overflow_oldest(queue),
                Outlook::Wait(signal) if lends => lends = self.wait_aside(worker, &signal, deadline),
                Outlook::Wait(signal) => {
                    let found = if may_run {
                        worker.signal_or_job(&signal, deadline)
                    } else {
                        worker.sleep_until(&signal, deadline);
                        None
                    };
                    self.room.leave_worker(worker.key());
                    if let Some(found) = found {
                        worker.run_on_top(found);
                    }
                }
            }
        }
    }

    /// Waits for room with a spare in the worker's place; `false` if there is none.
    fn wait_aside(&self, worker: &Worker, signal: &Arc<Signal>, deadline: Option<Instant>) -> bool {
        let waited = worker.lend_place(&UntilSignal { signal, deadline }, || None);
        self.room.leave_worker(worker.key());
        waited
    }

    /// `worker` announces that it waits for room. If it `lends` its place, a runner elsewhere makes that. It is told at
    /// once if the queue refuses its job.
    fn enter(&self, worker: &Worker, lends: bool, refuse: u64) -> Outlook {
        let wait = Wait {
            worker: worker.key(),
            queue: self.address(),
            limit: self.limit,
            serves: worker.serves(),
            signal: Signal::new(worker.unparker()),
            rests: lends,
        };
        self.room.enter_worker(self.words(), wait, refuse)
    }

    // --- any other thread ---

    /// `worker` is the one that the calling thread is, if any, with whether it may run jobs of its own pool meanwhile.
    fn submit_outside(
        &self,
        job: &mut Parcel<J>,
        deadline: Option<Instant>,
        worker: Option<(&Worker, bool)>,
    ) -> Result<(), Refusal> {
        let spin = || {
            if self.is_race() {
                return self.spin();
            }
            let polling = || self.runners.load().polling();
            let spin = self.registry.sleep.spin_outside(self.spin().keeping(), polling);
            // The runners may work off all that there is before they offer the core back.
            spin.expecting(2 * self.pace.time_for(self.ring.capacity() as u64))
        };
        let mut awake = spin();
        loop {
            if let Some(done) = self.retry(job, None, deadline) {
                return done;
            }
            let nap = if worker.is_none() && !awake.offers() { self.nap(deadline) } else { None };
            if nap.is_some() || !self.await_some_room(&mut awake) {
                match worker {
                    Some((worker, _)) if self.wait_abroad(worker, deadline) => {}
                    Some((worker, false)) => self.sleep_for_room(None, deadline, Some(worker)),
                    _ => self.sleep_for_room(nap, deadline, None),
                }
                awake = spin();
            }
        }
    }

    /// Waits awake until the queue is half free, or the time for that is up: `false` then. A producer that came back for
    /// each single slot would go in step with the consumers, with all of them at the same few cache lines; for the same
    /// reason the look is at a slot and not at the consumers' position. Both together halved the price of a job in a
    /// queue of 10.
    fn await_some_room(&self, spin: &mut Spin) -> bool {
        let offers = spin.offers();
        let mut look = |enough| {
            while spin.again() {
                if self.ring.has_room(enough) || self.ring.tail_flags() & TO_OUTSIDE != 0 {
                    return true;
                }
            }
            false
        };
        if !offers {
            return look(self.ring.capacity().div_ceil(2) as u64);
        }
        // One that has offered its core runs again when others have left it, and goes on with any room.
        let told = self.registry.sleep.cores() > 1;
        if told {
            self.ring.flag_head(READY);
        }
        let found = look(1);
        if told {
            self.ring.unflag_head(READY);
        }
        found
    }

    /// Where it will take long until there is much room: until when to sleep before runners are to wake the producer, in its
    /// slice. Each runner that takes a job wakes one that waits for room: so that would come back for each single slot. If the
    /// jobs turn out to take longer than the last ones did, it may be as late as the nap is long, and no later.
    fn nap(&self, deadline: Option<Instant>) -> Option<Instant> {
        if self.is_race() {
            return None;
        }
        let share = self.pace.time_for(self.share());
        if share < SHORTEST_NAP {
            return None;
        }
        let runners = self.runners.load().active();
        let time = (share / (runners.max(1) as u32)).saturating_sub(LATE).min(LONGEST_NAP);
        // With fewer runners than are of use, others may wait for jobs already.
        if time < SHORTEST_NAP || runners < self.size().useful {
            return None;
        }
        // Under a checker, where no time passes, it is over at once.
        let end = Instant::now() + if MODEL { Duration::ZERO } else { time };
        Some(deadline.map_or(end, |deadline| deadline.min(end)))
    }

    /// By a runner that has taken a job, and found the head with `flags`.
    #[cold]
    #[inline(never)]
    pub(super) fn wake_producers(&self, flags: u64) {
        let woke = flags & BLOCKED != 0 && self.slot_freed();
        let ready = || flags & READY != 0 && self.ring.has_room(self.share());
        if !MODEL && (woke && self.registry.sleep.is_crowded(0, 1) || ready()) {
            // It may have this core to run on, and no other.
            offer(Duration::ZERO);
        }
    }

    /// How much room is worth a producer's turn on a core that a runner needs as well: three quarters, but no more than takes
    /// a fifth of a millisecond to fill again.
    fn share(&self) -> u64 {
        let capacity = self.ring.capacity() as u64;
        (capacity - capacity / 4).min(self.pace.jobs_in(Duration::from_micros(200)))
    }

    /// On a worker of another pool, which may serve a queue that in turn waits for this one: as in the own pool. `false` if
    /// it has no spare to lend its place to.
    fn wait_abroad(&self, worker: &Worker, deadline: Option<Instant>) -> bool {
        if !worker.may_lend_place() {
            return false;
        }
        match self.enter(worker, true, TO_OUTSIDE) {
            Outlook::Changed => true,
            Outlook::Cycle(queue) => {
                worker.overflow_oldest(queue);
                true
            }
            Outlook::Wait(signal) => self.wait_aside(worker, &signal, deadline),
        }
    }

    /// Until the end of the `nap` no runner needs to wake it.
    fn sleep_for_room(&self, nap: Option<Instant>, deadline: Option<Instant>, deep: Option<&Worker>) {
        let enter = |wake| self.room.enter_thread(self.words(), wake, nap, TO_OUTSIDE);
        let must_wait = || self.room.end_nap(self.words(), TO_OUTSIDE);
        let leave = |ticket| self.room.leave_thread(ticket);
        let Some(worker) = deep else {
            on_signal_after_nap(deadline, None, enter, must_wait, leave);
            return;
        };
        let signal = Signal::new(worker.unparker());
        if let Some((ticket, _)) = enter(Wake::Thread(Arc::clone(&signal))) {
            worker.sleep_until(&signal, deadline);
            leave(ticket);
        }
    }
}
