//! What is still to be done when a pool has nothing left to do, before it ends: the ends of its queues' states.
//!
//! A finisher is called once, by whoever takes it off the list: the one that finds the pool at its end, or its owner,
//! which comes earlier. The owner [holds](super::registry::Registry::hold) the pool before it looks, so that it either comes before
//! the pool is at its end, which then waits for what the owner gets under way, or finds that its finisher was taken.

use std::collections::BTreeMap;

use crate::sync::{Mutex, StdArc, lock};

/// Something that has jobs for a pool that is about to end.
pub(crate) trait Finish: Send + Sync {
    /// Its owner takes no jobs any more.
    fn closed(&self);

    /// The pool has run all that it accepted. Gets under way what is still to be run.
    fn finish(&self);
}

#[derive(Default)]
struct List {
    next: u64,
    waiting: BTreeMap<u64, StdArc<dyn Finish>>,
    /// Those who are calling what they took.
    calling: usize,
}

/// The finishers of one pool.
#[derive(Default)]
pub(crate) struct Finishers(Mutex<List>);

/// What there is to do at the end of a pool.
pub(super) enum Last {
    Nothing,
    /// Somebody else is at it, and will look again.
    Wait,
    Call(BTreeMap<u64, StdArc<dyn Finish>>),
}

impl Finishers {
    /// Adds one; its number.
    pub(crate) fn add(&self, finisher: StdArc<dyn Finish>) -> u64 {
        let mut list = lock(&self.0);
        let number = list.next;
        list.next += 1;
        list.waiting.insert(number, finisher);
        number
    }

    pub(crate) fn find(&self, number: u64) -> Option<StdArc<dyn Finish>> {
        lock(&self.0).waiting.get(&number).cloned()
    }

    /// Takes it off the list. `None` if somebody else did.
    pub(crate) fn claim(&self, number: u64) -> Option<StdArc<dyn Finish>> {
        lock(&self.0).waiting.remove(&number)
    }

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

    pub(super) fn call(&self, finishers: BTreeMap<u64, StdArc<dyn Finish>>) {
        finishers.values().for_each(|finisher| finisher.finish());
        lock(&self.0).calling -= 1;
    }
}
