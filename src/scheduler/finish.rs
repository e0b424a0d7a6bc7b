//! Finishers: what queues still have to do before their pool ends, which is to end the states of their workers.
//!
//! | a finisher | is | next |
//! |---|---|---|
//! | waiting | on the list | taken, by its owner or by the thread that finds the pool at its end |
//! | taken | off the list; the thread that took it does the work, once | – |
//!
//! The owner, a queue, takes its finisher when it is closed and idle; that is usually before the pool's end. The
//! race, from both sides:
//!
//! * The owner [holds](super::registry::Registry::hold) the pool before it looks at the list. If the hold comes
//!   before the pool is at its end, the pool waits for the jobs that the owner starts. Otherwise the owner finds
//!   its finisher taken, and does nothing.
//! * The thread that finds the pool at its end takes the whole list, and looks for the end again after it has
//!   called the finishers.

use std::collections::BTreeMap;

use crate::sync::{Mutex, StdArc, lock};

/// Something that still has jobs for a pool that is about to end.
pub(crate) trait Finish: Send + Sync {
    /// Called when the owner refuses all jobs from now on.
    fn closed(&self);

    /// Called when the pool has run all that it accepted: starts the jobs that are still to be run.
    fn finish(&self);
}

#[derive(Default)]
struct List {
    next: u64,
    waiting: BTreeMap<u64, StdArc<dyn Finish>>,
    /// How many threads are calling finishers that they took off the list.
    calling: usize,
}

/// The finishers of one pool.
#[derive(Default)]
pub(crate) struct Finishers(Mutex<List>);

/// What remains to be done at the end of a pool.
pub(super) enum Last {
    Nothing,
    /// Another thread is calling finishers. It looks for the end again afterwards.
    Wait,
    Call(BTreeMap<u64, StdArc<dyn Finish>>),
}

impl Finishers {
    /// Puts a finisher on the list and returns its number.
    pub(crate) fn add(&self, finisher: StdArc<dyn Finish>) -> u64 {
        let mut list = lock(&self.0);
        let number = list.next;
        list.next += 1;
        list.waiting.insert(number, finisher);
        number
    }

    /// Returns the finisher, if it is still on the list. It stays there.
    pub(crate) fn find(&self, number: u64) -> Option<StdArc<dyn Finish>> {
        lock(&self.0).waiting.get(&number).cloned()
    }

    /// Takes the finisher off the list. Returns `None` if another thread took it before.
    pub(crate) fn claim(&self, number: u64) -> Option<StdArc<dyn Finish>> {
        lock(&self.0).waiting.remove(&number)
    }

    /// Takes all finishers off the list, unless another thread is calling some. The caller must pass them to
    /// [`call`](Self::call).
    pub(super) fn last(&self) -> Last {
        let mut list = lock(&self.0);
        if list.calling > 0 {
            Last::Wait
        } else if list.waiting.is_empty() {
            Last::Nothing
        } else {
            list.calling += 1;
            Last::Call(std::mem::take(&mut list.waiting))
        }
    }

    /// Calls the finishers that [`last`](Self::last) took off the list.
    pub(super) fn call(&self, finishers: BTreeMap<u64, StdArc<dyn Finish>>) {
        finishers.values().for_each(|finisher| finisher.finish());
        lock(&self.0).calling -= 1;
    }
}
