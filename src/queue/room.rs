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
//! `crowded` in the crew's word, then looks once more; the one that makes room or frees a place changes the same word
//! and so either comes before that look or sees the flag.

use std::time::{Duration, Instant};

use crate::jobs::ring::{BLOCKED, READY};
use crate::scheduler::waiter::on_signal_after_nap;
use crate::scheduler::worker::{Nested, UntilSignal, Worker, with_current};
use crate::sync::{Arc, MODEL, defect, lock};
use crate::system::spin::{Spin, offer};
use crate::waiting::latch::{Signal, Wake};
use crate::waiting::wait_graph::Wait;

use super::core::{Core, CoreRef, Parcel, TO_OUTSIDE, TO_OWN, TO_WORKERS};
use super::error::Refusal;

/// By how much later than asked for a sleeper comes: the system's slack for timers, and a wake.
const LATE: Duration = Duration::from_micros(60);

/// How long a producer naps before it has the runners wake it.
const SHORTEST_NAP: Duration = Duration::from_micros(10);
const LONGEST_NAP: Duration = Duration::from_micros(500);

/// What a worker finds when it is about to sleep for room.
enum Outlook {
    /// Something has changed already.
    Changed,
    /// It would sleep for ever, unless there is made room in the queue at this address.
    Circle(usize),
    /// It will be told by this signal.
    Wait(Arc<Signal>),
}

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
                Outlook::Circle(queue) => worker.set_aside(queue),
                Outlook::Wait(signal) if lends => lends = self.wait_aside(worker, &signal, deadline),
                Outlook::Wait(signal) => {
                    let found = if may_run {
                        worker.signal_or_job(&signal, deadline)
                    } else {
                        worker.sleep_until(&signal, deadline);
                        None
                    };
                    self.registry.rooms.lock().remove(worker.key());
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
        self.registry.rooms.lock().remove(worker.key());
        waited
    }

    /// `worker` announces that it waits for room. If it `lends` its place, a runner elsewhere makes that. It is told at
    /// once if the queue refuses its job.
    fn enter(&self, worker: &Worker, lends: bool, refuse: u64) -> Outlook {
        let signal = Signal::new(worker.unparker());
        let entries = self.room.lock();
        let mut waits = self.registry.rooms.lock();
        waits.push(Wait {
            worker: worker.key(),
            queue: self.address(),
            limit: self.limit,
            serves: worker.serves(),
            signal: Arc::clone(&signal),
            rests: lends,
        });
        let may_serve = self.runners.set_crowded().attached() < self.limit;
        let may_wait = self.ring.flag_blocked(refuse);
        if defect("room_unasked") {
            self.runners.clear_crowded();
            self.ring.unflag_head(BLOCKED);
        }
        let outlook = if may_serve && !lends || !may_wait {
            Outlook::Changed
        } else if may_serve {
            return Outlook::Wait(signal);
        } else if let Some(queue) = waits.circle(worker.key()) {
            Outlook::Circle(queue)
        } else {
            return Outlook::Wait(signal);
        };
        // The flags may stay, for the next that looks.
        waits.remove(worker.key());
        drop((waits, entries));
        outlook
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
    /// turn. Each runner that takes a job wakes one that waits for room: so that would come back for each single slot. If the
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
    pub(super) fn heed(&self, flags: u64) {
        let woke = flags & BLOCKED != 0 && self.room_made();
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
            Outlook::Circle(queue) => {
                worker.set_aside(queue);
                true
            }
            Outlook::Wait(signal) => self.wait_aside(worker, &signal, deadline),
        }
    }

    /// Until the end of the `nap` no runner needs to wake it.
    fn sleep_for_room(&self, nap: Option<Instant>, deadline: Option<Instant>, deep: Option<&Worker>) {
        let enter = |wake| {
            let mut entries = self.room.lock();
            // The first in the list alone: it is no later than those behind it.
            let nap = nap.filter(|_| entries.is_empty());
            let waits = match nap {
                Some(_) => self.ring.tail_flags() & TO_OUTSIDE == 0,
                None => self.ring.flag_blocked(TO_OUTSIDE),
            };
            waits.then(|| (entries.push(wake), nap))
        };
        let must_wait = || {
            let _entries = self.room.lock();
            defect("nap_ends_unflagged") || self.ring.flag_blocked(TO_OUTSIDE)
        };
        let leave = |ticket| self.room.remove(ticket);
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

impl<J> CoreRef<J> {
    /// A pop saw that producers wait: there is room for one of them. Workers may be beaten to it and those of other
    /// pools be busy with another job while they wait, so all of them are told and the first other thread as well. Whether there was one
    /// of these.
    #[cold]
    pub(crate) fn room_made(&self) -> bool {
        let mut entries = self.room.lock();
        let woken = entries.pop_through(|wake| !matches!(wake, Wake::Worker(_)));
        let (waits, some_left) = self.take_workers(1);
        if entries.is_empty() && !some_left || defect("one_waiter_at_most") {
            self.ring.unflag_head(BLOCKED);
        }
        drop(entries);
        let outside = !woken.is_empty();
        waits.into_iter().chain(woken).for_each(Wake::wake);
        outside
    }

    /// A place among the runners is free: a worker that waits for room may take it.
    #[cold]
    pub(super) fn place_free(&self) {
        let entries = self.room.lock();
        let (waits, _) = self.take_workers(0);
        drop(entries);
        waits.into_iter().for_each(Wake::wake);
    }
}

impl<J> Core<J> {
    /// Takes the workers that wait for room, and no more than `resting` of those that rest; and whether some are left. By
    /// who holds the lock of `room`, under which `crowded` is set and cleared.
    fn take_workers(&self, resting: usize) -> (Vec<Wake>, bool) {
        if !self.runners.load().crowded() {
            return (Vec::new(), false);
        }
        let address = (&raw const *self).addr();
        let mut waits = self.registry.rooms.lock();
        let (taken, some_left) = waits.take(address, resting);
        if !some_left {
            self.runners.clear_crowded();
        }
        (taken.into_iter().map(|wait| Wake::Worker(wait.signal)).collect(), some_left)
    }

    /// Refuses jobs from now on: all, those from outside the pool, or those from outside the queue. Producers that wait get to know. Whether there are jobs.
    pub(super) fn refuse(&self, flag: u64) -> bool {
        let left = self.ring.flag_tail(flag);
        let mut entries = self.room.lock();
        let woken = entries.take();
        let (waits, _) = self.take_workers(usize::MAX);
        self.ring.unflag_head(BLOCKED);
        drop(entries);
        waits.into_iter().chain(woken).for_each(Wake::wake);
        left
    }
}

// --- jobs beside the ring ---

impl<J> Core<J> {
    /// How many jobs wait.
    pub(super) fn len(&self) -> usize {
        self.ring.len() + self.aside_len()
    }

    pub(super) fn aside_len(&self) -> usize {
        if self.runners.load().aside() { lock(&self.aside).len() } else { 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ring.is_empty() && !self.runners.load().aside()
    }

    /// Puts the oldest of them `into` an empty place. `false` if there is none.
    #[inline]
    pub(super) fn take_aside(&self, into: &mut Parcel<J>) -> bool {
        self.runners.load().aside() && self.take_oldest_aside(into)
    }

    #[cold]
    #[inline(never)]
    fn take_oldest_aside(&self, into: &mut Parcel<J>) -> bool {
        let mut aside = lock(&self.aside);
        let job = aside.pop_front();
        if aside.is_empty() {
            self.runners.clear_aside();
        }
        drop(aside);
        job.map(|job| *into = job).is_some()
    }
}

impl<J: Send + 'static> CoreRef<J> {
    /// By a runner whose job waits in vain: takes the oldest job out of the ring without running it.
    #[cold]
    pub(crate) fn set_aside(&self) {
        let mut job = Parcel::empty();
        let Some(flags) = self.ring.pop(&mut job) else { return };
        let crew = {
            let mut aside = lock(&self.aside);
            aside.push_back(job);
            if defect("aside_unnoted") { self.runners.load() } else { self.runners.set_aside() }
        };
        if !defect("aside_unlooked") {
            // Another runner may have gone while the job was neither in the ring nor noted.
            self.recruit(crew, 0);
        }
        if flags & BLOCKED != 0 {
            self.room_made();
        }
    }
}

/// A queue as a worker knows it that runs its jobs.
pub(super) struct NestedQueue<J>(pub(super) CoreRef<J>);

impl<J: Send + 'static> Nested for NestedQueue<J> {
    fn set_aside(&self) {
        self.0.set_aside();
    }

    fn address(&self) -> usize {
        self.0.address()
    }
}
