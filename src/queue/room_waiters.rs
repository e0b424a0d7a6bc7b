//! The waiters for room in a queue, and how they are woken.
//!
//! Two places hold them. The workers of the queue's pool, and workers of other pools that lend their place to a
//! spare, wait in the [wait-for graph](crate::waiting::wait_graph), which sees a cycle among them. All other threads,
//! and workers of other pools that have no spare, wait in a list of the queue.
//!
//! | waiter | announces itself by | with | is woken by |
//! |---|---|---|---|
//! | in the list | `BLOCKED` | [`enter_thread`] | the next pop: [`slot_freed`] |
//! | a napper | `PATIENT`, a hint | [`enter_napper`] | a pop that leaves much room: [`much_freed`]; the end of its nap |
//! | in the graph | `BLOCKED`, `room_wanted` | [`enter_worker`] | the next pop; a runner that goes: [`place_freed`] |
//!
//! `BLOCKED` and `PATIENT` are in the ring's head, `room_wanted` in the runners' word. Each is set and cleared under the
//! lock of a list. No waiter but a napper is overlooked: a waiter sets a flag, then looks once more. A thread that makes
//! room, or frees a place among the runners, changes the same word. So its change comes before that look, or it sees the
//! flag. A napper looks at slots, and may be overlooked until the end of its nap.
//!
//! [`enter_thread`]: RoomWaiters::enter_thread
//! [`enter_napper`]: RoomWaiters::enter_napper
//! [`much_freed`]: RoomWaiters::much_freed
//! [`enter_worker`]: RoomWaiters::enter_worker
//! [`slot_freed`]: RoomWaiters::slot_freed
//! [`place_freed`]: RoomWaiters::place_freed

use super::parcel::Note;
use super::runner_counts::Runners;
use crate::jobs::ring::{BLOCKED, PATIENT, Ring};
use crate::sync::{Arc, StdArc, defect};
use crate::waiting::latch::{Signal, Ticket, WaitList, Wake};
use crate::waiting::wait_graph::{Wait, WaitGraph};

/// What a worker finds when it is about to sleep for room.
pub(super) enum Outlook {
    /// Something has changed already: the worker tries again.
    Changed,
    /// The worker would sleep for ever, unless room is made in the queue at this address.
    Cycle(usize),
    /// This signal will wake the worker.
    Wait(Arc<Signal>),
}

/// Whom a thread that made room has woken.
#[derive(Clone, Copy, Default)]
pub(crate) struct Woken {
    /// A thread from outside, or a worker of another pool.
    pub(super) outside: bool,
    /// A worker that [rests](Wait::rests) or naps: a spare has its place.
    pub(super) rested: bool,
}

impl Woken {
    pub(super) fn and(self, other: Woken) -> Woken {
        Woken { outside: self.outside | other.outside, rested: self.rested | other.rested }
    }
}

/// The waits of workers that were taken out of the graph.
#[derive(Default)]
struct Taken {
    workers: Vec<Wake>,
    /// Whether one of them rests.
    rested: bool,
    /// Whether waits of workers for the queue remain.
    some_left: bool,
}

/// The words of a queue that announce its waiters.
pub(super) struct Words<'q, J> {
    pub(super) ring: &'q Ring<J, Note>,
    pub(super) runners: &'q Runners,
    /// The address that tells the queue from others.
    pub(super) address: usize,
}

impl<J> Clone for Words<'_, J> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<J> Copy for Words<'_, J> {}

/// The waiters for room in one queue.
pub(super) struct RoomWaiters {
    /// The waiters that are not in the wait-for graph: threads outside any pool, and workers of other pools that have
    /// no spare.
    threads: WaitList,
    /// The threads outside any pool, and workers of the pool that lend their place, that nap. To lock both lists, lock
    /// `threads` first.
    nappers: WaitList,
    /// The wait-for graph, with the waiting workers of all pools.
    workers: StdArc<WaitGraph>,
}

impl RoomWaiters {
    pub(super) fn new(workers: StdArc<WaitGraph>) -> RoomWaiters {
        RoomWaiters { threads: WaitList::new(), nappers: WaitList::new(), workers }
    }

    // --- the waiters ---

    /// Enters a thread into the list, until room is made or the tail has one of the flags `refuse`. `None` if there is
    /// nothing to wait for.
    pub(super) fn enter_thread<J>(&self, at: Words<'_, J>, wake: Wake, refuse: u64) -> Option<Ticket> {
        let mut threads = self.threads.lock();
        let waits = defect("unflagged_after_a_nap") || at.ring.flag_blocked(refuse);
        waits.then(|| threads.push(wake))
    }

    /// Enters a thread that naps until there is room for `enough` jobs, or the tail has one of the flags `refuse`.
    /// `None` if there is nothing to wait for. `PATIENT` is a hint: a napper looks by itself at the end of its nap.
    pub(super) fn enter_napper<J>(
        &self,
        at: Words<'_, J>,
        wake: Wake,
        enough: u64,
        refuse: u64,
    ) -> Option<Ticket> {
        let mut nappers = self.nappers.lock();
        at.ring.flag_head(PATIENT);
        let waits = !at.ring.has_room(enough) && at.ring.tail_flags() & refuse == 0;
        let ticket = waits.then(|| nappers.push(wake));
        if nappers.is_empty() {
            at.ring.unflag_head(PATIENT);
        }
        ticket
    }

    /// Takes a napper off its list. Returns whether it was still there.
    pub(super) fn leave_napper<J>(&self, at: Words<'_, J>, ticket: Ticket) -> bool {
        let was_there = self.nappers.remove(ticket);
        let nappers = self.nappers.lock();
        if nappers.is_empty() {
            at.ring.unflag_head(PATIENT);
        }
        was_there
    }

    /// Takes a thread off the list. Returns whether it was still there.
    pub(super) fn leave_thread(&self, ticket: Ticket) -> bool {
        self.threads.remove(ticket)
    }

    /// Enters a worker into the wait-for graph, with the signal made for it. [`Changed`](Outlook::Changed) at once if
    /// the ring has room or the tail has one of the flags `refuse`, and also if the queue may have one more runner.
    /// The last does not hold for a worker that [rests](Wait::rests): it waits until a runner elsewhere makes the
    /// room.
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
        // The flags may stay, for the next thread that looks.
        workers.remove(worker);
        drop((workers, threads));
        outlook
    }

    /// Takes a worker out of the graph, if it is still there.
    pub(super) fn leave_worker(&self, worker: usize) {
        self.workers.lock().remove(worker);
    }

    // --- the threads that make room ---

    /// Wakes waiters, for a pop that saw `BLOCKED` and made room for one of them. Others may be faster than a woken
    /// worker, and a worker of another pool may be busy with another job while it waits. So this wakes all workers in
    /// the graph that do not rest, one that rests, and from the list the first waiter that runs no jobs meanwhile,
    /// with all workers in front of it.
    #[cold]
    pub(super) fn slot_freed<J>(&self, at: Words<'_, J>) -> Woken {
        let mut threads = self.threads.lock();
        let woken = threads.pop_through(|wake| !matches!(wake, Wake::Worker(_)));
        let Taken { workers, rested, some_left } = self.take_workers(at, 1);
        if threads.is_empty() && !some_left || defect("one_waiter_at_most") {
            at.ring.unflag_head(BLOCKED);
        }
        drop(threads);
        let outside = !woken.is_empty();
        workers.into_iter().chain(woken).for_each(Wake::wake);
        Woken { outside, rested }
    }

    /// Wakes the napper that has waited for longest, for a pop that saw `PATIENT` and left much room.
    #[cold]
    pub(super) fn much_freed<J>(&self, at: Words<'_, J>) -> Woken {
        let mut nappers = self.nappers.lock();
        let woken = nappers.pop_through(|_| true);
        if nappers.is_empty() {
            at.ring.unflag_head(PATIENT);
        }
        drop(nappers);
        let rested = woken.iter().any(|wake| matches!(wake, Wake::Worker(_)));
        let outside = !woken.is_empty() && !rested;
        woken.into_iter().for_each(Wake::wake);
        Woken { outside, rested }
    }

    /// Wakes the workers that wait for room and do not rest: a place among the runners is free, and one of them may
    /// take it.
    #[cold]
    pub(super) fn place_freed<J>(&self, at: Words<'_, J>) {
        let threads = self.threads.lock();
        let workers = self.take_workers(at, 0).workers;
        drop(threads);
        workers.into_iter().for_each(Wake::wake);
    }

    /// Wakes all waiters: the queue refuses jobs from now on, at least some.
    pub(super) fn refused<J>(&self, at: Words<'_, J>) {
        let mut threads = self.threads.lock();
        let mut nappers = self.nappers.lock();
        let woken = threads.take().chain(nappers.take());
        let workers = self.take_workers(at, usize::MAX).workers;
        at.ring.unflag_head(BLOCKED | PATIENT);
        drop((threads, nappers));
        workers.into_iter().chain(woken).for_each(Wake::wake);
    }

    /// Removes and returns the waits of workers for this queue, at most `resting` of them from workers that rest. The
    /// caller holds the lock of `threads`, under which `room_wanted` is set and cleared.
    fn take_workers<J>(&self, at: Words<'_, J>, resting: usize) -> Taken {
        if !at.runners.load().room_wanted() {
            return Taken::default();
        }
        let mut workers = self.workers.lock();
        let (taken, some_left) = workers.take(at.address, resting);
        if !some_left {
            at.runners.clear_room_wanted();
        }
        let rested = taken.iter().any(|wait| wait.rests);
        let workers = taken.into_iter().map(|wait| Wake::Worker(wait.signal)).collect();
        Taken { workers, rested, some_left }
    }
}
