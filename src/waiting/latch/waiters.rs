//! A list of those who wait, for events that several threads or tasks may wait for.
//!
//! A mutex and a list: both sides come here only when somebody really has to block, which costs
//! microseconds anyway; the owner of the list keeps a bit in its own word that says whether the list
//! is worth locking. A task's waker is cloned, woken and dropped without the lock, because each of these
//! may run foreign code, which may come back for the same list.

use std::task::Waker;

use crate::sync::site::{SIGNAL_FIRE, SIGNAL_PROBE};
use crate::sync::{Arc, AtomicBool, Mutex, MutexGuard, lock};
use crate::system::parker::Unparker;
use crate::waiting::numbered::{Number, Numbered};

/// One thread's wait: fired once, by whoever took it off the list.
#[derive(Debug)]
pub(crate) struct Signal {
    fired: AtomicBool,
    waiter: Unparker,
}

impl Signal {
    pub(crate) fn new(waiter: Unparker) -> Arc<Signal> {
        Arc::new(Signal { fired: AtomicBool::new(false), waiter })
    }

    /// Whether it fired; if so, all that happened before is visible.
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
    Task(Waker),
}

impl Wake {
    /// Wakes it. Runs foreign code if it is a task: hold no lock.
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

/// What a waiter came for, where the owner of a list lets one event after another be waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::waiting) struct Round(pub(crate) u64);

/// The waiters, longest wait first, and so by round.
#[derive(Debug, Default)]
pub(crate) struct Entries(Numbered<(Round, Wake)>);

impl Entries {
    /// Appends a waiter.
    pub(crate) fn push(&mut self, wake: Wake) -> Ticket {
        self.push_in(Round::default(), wake)
    }

    /// Appends a waiter that came in `round`, the newest.
    pub(in crate::waiting) fn push_in(&mut self, round: Round, wake: Wake) -> Ticket {
        self.0.push((round, wake))
    }

    /// The waker of the task behind `ticket`; `None` if that was taken off the list.
    fn waker(&mut self, ticket: Ticket) -> Option<&mut Waker> {
        match self.0.get_mut(ticket) {
            Some((_, Wake::Task(waker))) => Some(waker),
            _ => None,
        }
    }

    /// Those that wait longest, up to the first that is `last`.
    pub(crate) fn pop_through(&mut self, last: impl Fn(&Wake) -> bool) -> Vec<Wake> {
        let mut found = false;
        self.pop_while(|_, wake| !std::mem::replace(&mut found, last(wake)))
    }

    /// Those that came before `round`, the newest.
    pub(in crate::waiting) fn take_before(&mut self, round: Round) -> Vec<Wake> {
        self.pop_while(|came, _| came != round)
    }

    fn pop_while(&mut self, mut wanted: impl FnMut(Round, &Wake) -> bool) -> Vec<Wake> {
        let pop = || self.0.pop_if(|(round, wake)| wanted(*round, wake)).map(|(_, wake)| wake);
        std::iter::from_fn(pop).collect()
    }

    /// All of them.
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

    /// Takes the waiter off the list; `false` if somebody did so before, and so woke it or will.
    pub(crate) fn remove(&self, ticket: Ticket) -> bool {
        // Dropped without the lock.
        let removed = self.lock().0.remove(ticket);
        removed.is_some()
    }

    /// Has the task behind `ticket`, whose wait is the caller's, woken by `waker` from now on; `false` if it was
    /// taken off the list.
    pub(in crate::waiting) fn renew(&self, ticket: Ticket, waker: &Waker) -> bool {
        match self.lock().waker(ticket) {
            None => return false,
            Some(held) if held.will_wake(waker) => return true,
            Some(_) => {}
        }
        let mut fresh = waker.clone();
        // Who takes it off the list between the two looks wakes the old waker, and the caller sees that it is gone.
        let still_there = self.lock().waker(ticket).is_some_and(|held| {
            std::mem::swap(held, &mut fresh);
            true
        });
        drop(fresh);
        still_there
    }
}
