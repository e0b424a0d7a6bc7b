//! Who waits for room in a queue, and how they are told.
//!
//! Threads from outside, and workers of other pools, wait in a list of the queue. Workers of its pool wait in the
//! [graph](crate::waiting::wait_graph) of all that wait for room, where a cycle of them is seen.
//!
//! | who | announces | by | is told by |
//! |---|---|---|---|
//! | a thread that waits | `BLOCKED` in the ring's head | [`enter_thread`](RoomWaiters::enter_thread) | the next pop: [`slot_freed`](RoomWaiters::slot_freed) |
//! | a worker that waits | that, and `room_wanted` in the runners' word | [`enter_worker`](RoomWaiters::enter_worker) | the next pop; a runner that goes: [`place_freed`](RoomWaiters::place_freed) |
//!
//! Both flags are set and cleared under the lock of the list. Nobody is overlooked: who waits sets a flag, then looks once
//! more; who makes room, or frees a place among the runners, changes the same word, and so either comes before that look
//! or sees the flag.

use std::time::Instant;

use super::parcel::Note;
use super::runner_counts::Runners;
use crate::jobs::ring::{BLOCKED, Ring};
use crate::sync::{Arc, StdArc, defect};
use crate::waiting::latch::{Signal, Ticket, WaitList, Wake};
use crate::waiting::wait_graph::{Wait, WaitGraph};

/// What a worker finds when it is about to sleep for room.
pub(super) enum Outlook {
    /// Something has changed already.
    Changed,
    /// It would sleep for ever, unless room is made in the queue at this address.
    Cycle(usize),
    /// It will be told by this signal.
    Wait(Arc<Signal>),
}

/// The words of a queue that tell of those who wait.
pub(super) struct Words<'q, J> {
    pub(super) ring: &'q Ring<J, Note>,
    pub(super) runners: &'q Runners,
    /// What tells the queue from others.
    pub(super) address: usize,
}

impl<J> Clone for Words<'_, J> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<J> Copy for Words<'_, J> {}

/// Those who wait for room in one queue.
pub(super) struct RoomWaiters {
    /// Threads that wait, but for this pool's workers.
    threads: WaitList,
    /// The workers of all pools that wait.
    workers: StdArc<WaitGraph>,
}

impl RoomWaiters {
    pub(super) fn new(workers: StdArc<WaitGraph>) -> RoomWaiters {
        RoomWaiters { threads: WaitList::new(), workers }
    }

    // --- those who wait ---

    /// Enters a thread, until room is made or the tail has one of the flags `refuse`; `None` if there is nothing to wait for.
    /// Until the end of the `nap` no runner needs to wake it, if it is the first in the list: it is no later than those
    /// behind it. Whether it is so comes back.
    pub(super) fn enter_thread<J>(
        &self,
        at: Words<'_, J>,
        wake: Wake,
        nap: Option<Instant>,
        refuse: u64,
    ) -> Option<(Ticket, Option<Instant>)> {
        let mut threads = self.threads.lock();
        let nap = nap.filter(|_| threads.is_empty());
        let waits = match nap {
            Some(_) => at.ring.tail_flags() & refuse == 0,
            None => at.ring.flag_blocked(refuse),
        };
        waits.then(|| (threads.push(wake), nap))
    }

    /// At the end of the nap of a thread that was entered: has the runners wake it. `false` if there is nothing to wait
    /// for any more.
    pub(super) fn end_nap<J>(&self, at: Words<'_, J>, refuse: u64) -> bool {
        let _threads = self.threads.lock();
        defect("nap_ends_unflagged") || at.ring.flag_blocked(refuse)
    }

    /// Takes a thread back, if nobody has taken it; whether that was so.
    pub(super) fn leave_thread(&self, ticket: Ticket) -> bool {
        self.threads.remove(ticket)
    }

    /// Enters a worker, for which `signal` was made. It is told at once if the tail has one of the flags `refuse`, and if
    /// the queue may have one more runner, unless it [rests](Wait::rests): then a runner elsewhere makes the room.
    pub(super) fn enter_worker<J>(&self, at: Words<'_, J>, wait: Wait, refuse: u64) -> Outlook {
        let (worker, rests, limit) = (wait.worker, wait.rests, wait.limit);
        let signal = Arc::clone(&wait.signal);
        let threads = self.threads.lock();
        let mut workers = self.workers.lock();
        workers.push(wait);
        let may_serve = at.runners.note_room_wanted().attached() < limit;
        let may_wait = at.ring.flag_blocked(refuse);
        if defect("room_unasked") {
            at.runners.clear_room_wanted();
            at.ring.unflag_head(BLOCKED);
        }
        let outlook = if may_serve && !rests || !may_wait {
            Outlook::Changed
        } else if may_serve {
            return Outlook::Wait(signal);
        } else if let Some(queue) = workers.cycle(worker) {
            Outlook::Cycle(queue)
        } else {
            return Outlook::Wait(signal);
        };
        // The flags may stay, for the next that looks.
        workers.remove(worker);
        drop((workers, threads));
        outlook
    }

    /// Takes a worker back, if nobody has taken it.
    pub(super) fn leave_worker(&self, worker: usize) {
        self.workers.lock().remove(worker);
    }

    // --- those who make room ---

    /// A pop saw that somebody waits: there is room for one of them. Workers may be beaten to it, and those of other pools be
    /// busy with another job while they wait, so all of them are told, and the first other thread as well. Whether
    /// there was one of these.
    #[cold]
    pub(super) fn slot_freed<J>(&self, at: Words<'_, J>) -> bool {
        let mut threads = self.threads.lock();
        let woken = threads.pop_through(|wake| !matches!(wake, Wake::Worker(_)));
        let (workers, some_left) = self.take_workers(at, 1);
        if threads.is_empty() && !some_left || defect("one_waiter_at_most") {
            at.ring.unflag_head(BLOCKED);
        }
        drop(threads);
        let outside = !woken.is_empty();
        workers.into_iter().chain(woken).for_each(Wake::wake);
        outside
    }

    /// A place among the runners is free: a worker that waits for room may take it.
    #[cold]
    pub(super) fn place_freed<J>(&self, at: Words<'_, J>) {
        let threads = self.threads.lock();
        let (workers, _) = self.take_workers(at, 0);
        drop(threads);
        workers.into_iter().for_each(Wake::wake);
    }

    /// The queue refuses jobs from now on, at least some: all who wait are told.
    pub(super) fn refused<J>(&self, at: Words<'_, J>) {
        let mut threads = self.threads.lock();
        let woken = threads.take();
        let (workers, _) = self.take_workers(at, usize::MAX);
        at.ring.unflag_head(BLOCKED);
        drop(threads);
        workers.into_iter().chain(woken).for_each(Wake::wake);
    }

    /// Takes the workers that wait, and no more than `resting` of those that rest; and whether some are left. By who holds
    /// the lock of `threads`, under which `room_wanted` is set and cleared.
    fn take_workers<J>(&self, at: Words<'_, J>, resting: usize) -> (Vec<Wake>, bool) {
        if !at.runners.load().room_wanted() {
            return (Vec::new(), false);
        }
        let mut workers = self.workers.lock();
        let (taken, some_left) = workers.take(at.address, resting);
        if !some_left {
            at.runners.clear_room_wanted();
        }
        (taken.into_iter().map(|wait| Wake::Worker(wait.signal)).collect(), some_left)
    }
}
