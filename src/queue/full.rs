//! A full queue: how producers wait for room, and how they learn of it.
//!
//! A thread outside any pool waits awake for a moment and then sleeps. A worker of the pool must not hold up others
//! that can go on, nor wait for something that only this worker can do. While there is no room, it does the first of
//! these that is possible (where the jobs take long enough, after a nap):
//!
//! 1. Run one job of the queue, if the queue may have one more runner.
//! 2. Run any job of the pool, unless too many of these waits are on its stack already.
//! 3. Make room by an overflow, if every worker that may make room waits for room, this one included
//!    ([`crate::waiting::wait_graph`]): it takes the oldest job out of a queue that is part of the cycle and whose
//!    handler it is in. That queue's runners run this job before any job in the ring.
//! 4. Sleep until there is room, or the queue may have one more runner.
//!
//! A worker that may lend its place to a spare skips the first two, because a job on top of this one might wait for
//! it. The spare takes other jobs, and a runner elsewhere takes those of the queue.
//!
//! So the limit of a queue always holds, a job of the overflow runs in its turn, and a queue holds more than its
//! capacity only where otherwise a whole cycle would wait for ever. No clock decides that. Jobs of the first kind
//! nest at most as deep as the concurrency of the queues, jobs of the second kind as deep as
//! [`Worker::wait_for_room`] allows.
//!
//! No producer sleeps while it could go on. It sets `BLOCKED` in the ring's head and, as a worker, `room_wanted` in
//! the runners' word, and then looks once more before it sleeps. A thread that makes room or frees a place among the
//! runners changes the same word. So its change comes before that look, or it sees the flag. The exception is a *nap*:
//! where the jobs take long enough, a producer first sleeps until much of the queue is free, with the hint `PATIENT` in
//! the head, and looks each half a millisecond. It does all this once jobs do not go on, or after four naps. For each
//! pop that sees `BLOCKED` wakes a producer, which would come back for each single slot, on a core that a runner needs.
//!
//! *Rejected*: to run a job of the cycle's queue inside the handler that waits. That breaks the order of a serial
//! queue and its promise of one job at a time, meets locks that the handler holds, and nests without bound where
//! others keep the queue full. Also rejected: to keep the new room for the workers of the cycle. One of them may wait
//! for a thread that is not part of the cycle, and that thread would then be refused.

use std::time::Duration;

use super::core::{CoreRef, TO_OUTSIDE, TO_OWN, TO_WORKERS};
use super::error::Refusal;
use super::parcel::Parcel;
use super::room_waiters::{Outlook, Woken};
use crate::jobs::ring::{BLOCKED, PATIENT, READY};
use crate::scheduler::waiter::{in_naps, on_signal};
use crate::scheduler::worker::{UntilMuchLater, UntilSignal, Worker, with_current};
use crate::sync::{Arc, MODEL, yield_now};
use crate::system::clock::Instant;
use crate::system::spin::{Spin, offer};
use crate::waiting::latch::{Signal, Wake};
use crate::waiting::wait_graph::Wait;

/// The longest nap of a producer, after which it looks.
const LONGEST_NAP: Duration = Duration::from_micros(500);

/// How many naps follow each other at most.
const NAPS: u32 = 4;

impl<J: Send + 'static> CoreRef<J> {
    /// Waits for room until `deadline`; returns [`Full`](Refusal::Full) after that.
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

    /// Tries once more. `None` if the queue is full and the deadline has not passed.
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
        // With a spare, jobs of the queue are left to a runner elsewhere, and other jobs to the spare: a job run on
        // top of this one might wait for it.
        let mut lends = worker.may_lend_place();
        // Its own handler may be the only runner: nobody would make room during a nap.
        let mut nap = if lends && !self.is_own(worker) { self.nap_inside(deadline) } else { None };
        loop {
            if let Some(done) = self.retry(job, Some(worker), deadline) {
                return done;
            }
            if let Some(end) = nap.take() {
                let signal = Signal::new(worker.unparker());
                let wake = Wake::Worker(Arc::clone(&signal));
                if let Some(ticket) = self.room.enter_napper(self.words(), wake, self.much(), TO_WORKERS) {
                    let until = UntilSignal { signal: &signal, deadline: Some(end) };
                    lends = worker.lend_place(&UntilMuchLater(until), || None);
                    self.room.leave_napper(self.words(), ticket);
                }
                continue;
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

    /// Waits for room with a spare in the worker's place; `false` if there is no spare.
    fn wait_aside(&self, worker: &Worker, signal: &Arc<Signal>, deadline: Option<Instant>) -> bool {
        let waited = worker.lend_place(&UntilSignal { signal, deadline }, || None);
        self.room.leave_worker(worker.key());
        waited
    }

    /// `worker` announces that it waits for room. With `lends` it waits while a spare has its place, and a runner
    /// elsewhere makes the room. It does not wait if the queue refuses its job, by one of the tail's flags `refuse`.
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

    /// `worker` is the calling thread as a worker of another pool, if it is one, with whether it may run jobs of that
    /// pool meanwhile.
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
            // The runners may take all jobs that there are before they offer the core back.
            spin.expecting(2 * self.pace.time_for(self.ring.capacity() as u64))
        };
        let mut awake = spin();
        // A worker of another pool may serve a queue that in turn waits for this one, so it does not nap.
        let mut may_nap = worker.is_none();
        loop {
            if let Some(done) = self.retry(job, None, deadline) {
                return done;
            }
            // Whoever has a core for itself, and is to nap, has no need to look around before.
            let naps = |may_nap| may_nap && self.nap(deadline).is_some();
            let offers = awake.offers();
            let naps_at_once = !offers && naps(may_nap);
            if naps_at_once || !self.await_some_room(&mut awake) {
                match worker {
                    None if naps_at_once || offers && naps(may_nap) => may_nap = self.nap_for_room(deadline),
                    Some((worker, _)) if self.wait_abroad(worker, deadline) => {}
                    Some((worker, false)) => self.sleep_for_room(deadline, Some(worker)),
                    _ => self.sleep_for_room(deadline, None),
                }
                awake = spin();
            }
        }
    }

    /// Waits awake until the queue is half free; `false` if the spin ends before. A producer that came back for each
    /// single slot would go in step with the consumers, all of them at the same few cache lines. For the same reason
    /// it looks at a slot and not at the consumers' position.
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
        // A producer that has offered its core runs again when others have left the core, and goes on with any room.
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

    /// When the nap of a thread outside the pool is to end, if there is to be one.
    pub(crate) fn nap(&self, deadline: Option<Instant>) -> Option<Instant> {
        // With fewer runners than are of use, others may be waiting for jobs already.
        let served = self.runners.load().active() >= self.size().useful;
        if served { self.nap_worth(Duration::ZERO, deadline) } else { None }
    }

    /// The same for a worker that lends its place: a runner is active, or about to be. To lend a place costs as much as
    /// some jobs of a few microseconds.
    fn nap_inside(&self, deadline: Option<Instant>) -> Option<Instant> {
        self.nap_worth(Duration::from_micros(50), deadline)
    }

    /// When a nap is to end, if the jobs that leave much room take `worth` together. There is none in a queue of one
    /// place, nor where the jobs take so little time that their number says nothing, or so much that not two of them end
    /// meanwhile.
    fn nap_worth(&self, worth: Duration, deadline: Option<Instant>) -> Option<Instant> {
        let much = self.much();
        let (some, all) = (self.pace.time_for(2), self.pace.time_for(much));
        if much < 2 || !self.is_coarse() || all < worth || some > LONGEST_NAP {
            return None;
        }
        // Under a checker, where no time passes, the nap is over at once.
        let end = Instant::now() + if MODEL { Duration::ZERO } else { LONGEST_NAP };
        Some(deadline.map_or(end, |deadline| deadline.min(end)))
    }

    /// Naps until there is much room, or a few times as long as the queue is full and jobs go on. Returns whether the
    /// thread may nap again after this: not if that would leave it to itself. Others that wait by `BLOCKED`, as the
    /// queue's own handlers do, may fill each place at once.
    fn nap_for_room(&self, deadline: Option<Instant>) -> bool {
        let enter = |wake| self.room.enter_napper(self.words(), wake, self.much(), TO_OUTSIDE);
        let (mut seen, mut left) = (None, NAPS);
        let nap_on = || {
            let moved = left > 0 && seen.replace(self.ring.head_position()) != seen;
            left -= u32::from(moved);
            let waits = moved && !self.ring.has_room(1) && self.ring.tail_flags() & TO_OUTSIDE == 0;
            let late = || deadline.is_some_and(|deadline| deadline <= Instant::now());
            if waits && !late() { self.nap(deadline) } else { None }
        };
        in_naps(enter, nap_on, |ticket| self.room.leave_napper(self.words(), ticket))
    }

    /// Wakes producers, for a pop that found `flags` in the head.
    pub(crate) fn note_room(&self, flags: u64) -> Woken {
        let mut woken = Woken::default();
        if flags & BLOCKED != 0 {
            woken = self.slot_freed();
        }
        if flags & PATIENT != 0 && self.ring.has_room(self.much()) {
            woken = woken.and(self.room.much_freed(self.words()));
        }
        woken
    }

    /// Wakes producers, for a runner on `worker` that has taken a job and found `flags` in the head. A woken producer
    /// may have this core to run on, and no other: if there is room worth its turn, it gets the core before the job runs.
    #[cold]
    #[inline(never)]
    pub(super) fn wake_producers(&self, flags: u64, worker: &Worker) {
        let woken = self.note_room(flags);
        if MODEL || !self.ring.has_room(self.share()) {
            return;
        }
        // The woken worker may be the one in whose place this spare stands, and waits for this core in any case. So this
        // does not ask how long the last offers took.
        if woken.rested && worker.is_spare() {
            yield_now();
        } else if woken.outside && self.registry.sleep.is_crowded(0, 1) || flags & READY != 0 {
            offer(Duration::ZERO);
        }
    }

    /// How much room a producer that naps waits for: three quarters of the queue.
    fn much(&self) -> u64 {
        let capacity = self.ring.capacity() as u64;
        capacity - capacity / 4
    }

    /// How much room is worth a producer's turn on a core that a runner needs as well: three quarters of the queue,
    /// but no more than fills again within a fifth of a millisecond.
    fn share(&self) -> u64 {
        let capacity = self.ring.capacity() as u64;
        (capacity - capacity / 4).min(self.pace.jobs_in(Duration::from_micros(200)))
    }

    /// Waits on a worker of another pool, as a worker of this pool would. That worker may serve a queue that in turn
    /// waits for this one. `false` if it has no spare to lend its place to.
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

    /// Sleeps until there is room or `deadline` is past. A `deep` worker may run no jobs meanwhile.
    fn sleep_for_room(&self, deadline: Option<Instant>, deep: Option<&Worker>) {
        let enter = |wake| self.room.enter_thread(self.words(), wake, TO_OUTSIDE);
        let leave = |ticket| self.room.leave_thread(ticket);
        let Some(worker) = deep else {
            on_signal(deadline, None, enter, leave);
            return;
        };
        let signal = Signal::new(worker.unparker());
        if let Some(ticket) = enter(Wake::Thread(Arc::clone(&signal))) {
            worker.sleep_until(&signal, deadline);
            leave(ticket);
        }
    }
}
