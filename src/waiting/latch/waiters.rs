//! A list of waiters, for events that several threads or tasks may wait for.
//!
//! It is a list behind a mutex. Both sides use it only when a waiter really has to block, which costs microseconds
//! anyway. The owner of the list keeps a bit in another word, which says whether the list is worth locking.
//!
//! A task's waker is cloned, woken and dropped without the lock. Each of these may run foreign code, which may use
//! the same list.

use std::task::Waker;

use crate::sync::site::{SIGNAL_FIRE, SIGNAL_PROBE};
use crate::sync::{Arc, AtomicBool, Mutex, MutexGuard, lock};
use crate::system::parker::Unparker;
use crate::waiting::numbered::{Number, Numbered};

/// One thread's wait. The thread that takes it off the list fires it, once.
#[derive(Debug)]
pub(crate) struct Signal {
    fired: AtomicBool,
    waiter: Unparker,
}

impl Signal {
    /// Creates a signal that wakes the owner of `waiter`.
    pub(crate) fn new(waiter: Unparker) -> Arc<Signal> {
        Arc::new(Signal { fired: AtomicBool::new(false), waiter })
    }

    /// Returns whether it fired. If so, all that happened before is visible.
    pub(crate) fn fired(&self) -> bool {
        self.fired.load(SIGNAL_PROBE.get())
    }
}

/// How to wake one waiter.
#[derive(Debug)]
pub(crate) enum Wake {
    /// A thread that does nothing but wait.
    Thread(Arc<Signal>),
    /// A worker, which may be running a job meanwhile.
    Worker(Arc<Signal>),
    /// A task.
    Task(Waker),
}

impl Wake {
    /// Wakes the waiter. Runs foreign code if the waiter is a task, so the caller must hold no lock.
    pub(crate) fn wake(self) {
        match self {
            Wake::Thread(signal) | Wake::Worker(signal) => {
                signal.fired.store(true, SIGNAL_FIRE.get());
                signal.waiter.unpark();
            }
            Wake::Task(waker) => waker.wake(),
        }
    }
}

/// A place on the list.
pub(crate) type Ticket = Number;

/// The event for which a waiter came, where a list serves one event after another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::waiting) struct Round(pub(crate) u64);

/// The waiters, longest wait first, and so ordered by round.
#[derive(Debug, Default)]
pub(crate) struct Entries(Numbered<(Round, Wake)>);

impl Entries {
    /// Appends a waiter and returns its ticket.
    pub(crate) fn push(&mut self, wake: Wake) -> Ticket {
        self.push_in(Round::default(), wake)
    }

    /// Appends a waiter that came in `round`, which is the newest round. Returns its ticket.
    pub(in crate::waiting) fn push_in(&mut self, round: Round, wake: Wake) -> Ticket {
        self.0.push((round, wake))
    }

    /// Returns the waker of the task behind `ticket`; `None` if the task was taken off the list.
    fn waker(&mut self, ticket: Ticket) -> Option<&mut Waker> {
        match self.0.get_mut(ticket) {
            Some((_, Wake::Task(waker))) => Some(waker),
            _ => None,
        }
    }

    /// Removes and returns the waiters that wait longest, up to and including the first for which `last` is `true`.
    pub(crate) fn pop_through(&mut self, last: impl Fn(&Wake) -> bool) -> Vec<Wake> {
        let mut found = false;
        self.pop_while(|_, wake| !std::mem::replace(&mut found, last(wake)))
    }

    /// Removes and returns the waiters that came before `round`, which is the newest round.
    pub(in crate::waiting) fn take_before(&mut self, round: Round) -> Vec<Wake> {
        self.pop_while(|came, _| came != round)
    }

    fn pop_while(&mut self, mut wanted: impl FnMut(Round, &Wake) -> bool) -> Vec<Wake> {
        let pop = || self.0.pop_if(|(round, wake)| wanted(*round, wake)).map(|(_, wake)| wake);
        std::iter::from_fn(pop).collect()
    }

    /// Removes and returns all waiters.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = Wake> + use<> {
        self.0.take().map(|(_, wake)| wake)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The list behind its lock.
#[derive(Debug)]
pub(crate) struct WaitList(Mutex<Entries>);

impl WaitList {
    pub(crate) fn new() -> WaitList {
        WaitList(Mutex::new(Entries::default()))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Entries> {
        lock(&self.0)
    }

    /// Takes the waiter off the list. Returns `false` if another thread did so before: that thread has woken the
    /// waiter, or will.
    pub(crate) fn remove(&self, ticket: Ticket) -> bool {
        // What was removed is dropped without the lock.
        let removed = self.lock().0.remove(ticket);
        removed.is_some()
    }

    /// Makes `waker` wake the task behind `ticket` from now on. The wait must be the caller's. Returns `false` if the
    /// task was taken off the list.
    pub(in crate::waiting) fn renew(&self, ticket: Ticket, waker: &Waker) -> bool {
        match self.lock().waker(ticket) {
            None => return false,
            Some(held) if held.will_wake(waker) => return true,
            Some(_) => {}
        }
        let mut fresh = waker.clone();
        // A thread that takes the task off the list between the two looks wakes the old waker. The caller then sees
        // that the task is gone.
        let still_there = self.lock().waker(ticket).is_some_and(|held| {
            std::mem::swap(held, &mut fresh);
            true
        });
        drop(fresh);
        still_there
    }
}
