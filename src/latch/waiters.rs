//! A list of those who wait, for events that several threads or tasks may wait for.
//!
//! A mutex and a list: both sides come here only when somebody really has to block, which costs
//! microseconds anyway; the owner of the list keeps a bit in its own word that says whether the list
//! is worth locking. A task's waker is cloned, woken and dropped without the lock, because each of these
//! may run foreign code, which may come back for the same list.

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

/// What a waiter came for, where the owner of a list lets one event after another be waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Round(pub(crate) u64);

#[derive(Debug)]
struct Entry {
    ticket: Ticket,
    round: Round,
    wake: Wake,
}

/// The waiters, longest wait first, and so by round.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    next: u64,
    queue: VecDeque<Entry>,
}

impl Entries {
    /// Appends a waiter.
    pub(crate) fn push(&mut self, wake: Wake) -> Ticket {
        self.push_in(Round::default(), wake)
    }

    /// Appends a waiter that came in `round`, the newest.
    pub(crate) fn push_in(&mut self, round: Round, wake: Wake) -> Ticket {
        let ticket = Ticket(self.next);
        self.next += 1;
        self.queue.push_back(Entry { ticket, round, wake });
        ticket
    }

    /// The waker of the task behind `ticket`; `None` if that was taken off the list.
    fn waker(&mut self, ticket: Ticket) -> Option<&mut Waker> {
        match self.queue.iter_mut().find(|entry| entry.ticket == ticket) {
            Some(Entry { wake: Wake::Task(waker), .. }) => Some(waker),
            _ => None,
        }
    }

    /// Those that wait longest, up to the first that is `last`.
    pub(crate) fn pop_through(&mut self, last: impl Fn(&Wake) -> bool) -> Vec<Wake> {
        let count =
            self.queue.iter().position(|entry| last(&entry.wake)).map_or(self.queue.len(), |place| place + 1);
        self.queue.drain(..count).map(|entry| entry.wake).collect()
    }

    /// Those that came before `round`, the newest.
    pub(crate) fn take_before(&mut self, round: Round) -> Vec<Wake> {
        let first = self.queue.iter().position(|entry| entry.round == round);
        self.queue.drain(..first.unwrap_or(self.queue.len())).map(|entry| entry.wake).collect()
    }

    /// All of them.
    pub(crate) fn take(&mut self) -> Vec<Wake> {
        self.queue.drain(..).map(|entry| entry.wake).collect()
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

    /// Takes the waiter off the list; `false` if somebody did so before, and so woke it or will.
    pub(crate) fn remove(&self, ticket: Ticket) -> bool {
        let removed = {
            let mut entries = self.lock();
            let place = entries.queue.iter().position(|entry| entry.ticket == ticket);
            place.and_then(|place| entries.queue.remove(place))
        };
        removed.is_some()
    }

    /// Has the task behind `ticket`, whose wait is the caller's, woken by `waker` from now on; `false` if it was
    /// taken off the list.
    pub(crate) fn renew(&self, ticket: Ticket, waker: &Waker) -> bool {
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
