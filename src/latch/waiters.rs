//! A list of those who wait, for events that several threads or tasks may wait for.
//!
//! A mutex and a list: both sides come here only when somebody really has to block, which costs
//! microseconds anyway; the owner of the list keeps a bit in its own word that says whether the list
//! is worth locking. Wakes happen after the lock is released, because a waker may run foreign code.

use std::collections::VecDeque;
use std::task::Waker;

use crate::parker::Unparker;
use crate::sync::site::{SIGNAL_FIRE, SIGNAL_PROBE};
use crate::sync::{Arc, AtomicBool, Mutex, MutexGuard, lock};

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

/// A place on the list. Numbers are never used twice within a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

#[derive(Debug, Default)]
pub(crate) struct Entries {
    next: u64,
    queue: VecDeque<(Ticket, Wake)>,
}

impl Entries {
    /// Appends a waiter.
    pub(crate) fn push(&mut self, wake: Wake) -> Ticket {
        let ticket = Ticket(self.next);
        self.next += 1;
        self.queue.push_back((ticket, wake));
        ticket
    }

    /// Puts `waker` in the place of the task behind `ticket`; `false` if that was taken off the list.
    pub(crate) fn renew(&mut self, ticket: Ticket, waker: &Waker) -> bool {
        match self.queue.iter_mut().find(|(held, _)| *held == ticket) {
            Some((_, Wake::Task(held))) => {
                held.clone_from(waker);
                true
            }
            _ => false,
        }
    }

    /// Takes the waiter off the list; `false` if somebody did so before, and so woke it or will.
    pub(crate) fn remove(&mut self, ticket: Ticket) -> bool {
        let place = self.queue.iter().position(|(held, _)| *held == ticket);
        place.and_then(|place| self.queue.remove(place)).is_some()
    }

    /// Those that wait longest, up to the first that is `last`.
    pub(crate) fn pop_through(&mut self, last: impl Fn(&Wake) -> bool) -> Vec<Wake> {
        let count =
            self.queue.iter().position(|(_, wake)| last(wake)).map_or(self.queue.len(), |place| place + 1);
        self.queue.drain(..count).map(|(_, wake)| wake).collect()
    }

    /// All of them.
    pub(crate) fn take(&mut self) -> VecDeque<(Ticket, Wake)> {
        std::mem::take(&mut self.queue)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
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
}
