//! The Chase–Lev deque and the injector, with the orderings of crossbeam-deque 0.8, for the checker.
//!
//! Sources: Chase and Lev, "Dynamic circular work-stealing deque", 2005; Lê, Pop, Cohen, Zappa Nardelli, "Correct and
//! efficient work-stealing for weak memory models", 2013. Only the LIFO flavour is here, because the workers use no
//! other. A slot is an atomic pointer, because a thief reads the slot before it knows whether it gets the job. The
//! pointer leads to a checked cell, so the checker reports a race if a job was published without the right ordering.

use crossbeam_utils::CachePadded;

use crate::sync::site::*;
use crate::sync::{Arc, AtomicUsize, EXHAUSTIVE, UnsafeCell, defect, fence};
use crate::system::spin::Backoff;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// The number of slots of a deque and of an injector. A model that fills one has a bug of its own. Under shuttle the
/// number has no limit in practice.
const CAPACITY: usize = if EXHAUSTIVE { 4 } else { usize::MAX / 4 };

/// The first index of a deque: `back - 1` must not wrap when the owner pops from an empty deque.
const FIRST: usize = 4;

/// A fixed number of words, used in turn.
#[cfg(all(loom, feature = "loom"))]
struct Slots([AtomicUsize; CAPACITY]);

#[cfg(all(loom, feature = "loom"))]
impl Slots {
    fn new() -> Self {
        Slots(std::array::from_fn(|_| AtomicUsize::new(0)))
    }

    fn at(&self, index: usize) -> &AtomicUsize {
        &self.0[index % CAPACITY]
    }
}

/// A word for each index, never used again. loom finds the races that the reuse of a slot may cause.
#[cfg(not(all(loom, feature = "loom")))]
struct Slots(Mutex<Vec<Arc<AtomicUsize>>>);

#[cfg(not(all(loom, feature = "loom")))]
impl Slots {
    fn new() -> Self {
        Slots(Mutex::new(Vec::new()))
    }

    /// The lock is `std`'s, and no step of the checker happens while it is held.
    fn at(&self, index: usize) -> Arc<AtomicUsize> {
        let mut slots = self.0.lock().unwrap();
        while slots.len() <= index {
            slots.push(Arc::new(AtomicUsize::new(0)));
        }
        Arc::clone(&slots[index])
    }
}

/// The result of a steal, as in crossbeam.
pub(crate) enum Steal<T> {
    Empty,
    Success(T),
    Retry,
}

struct Node<T> {
    value: UnsafeCell<Option<T>>,
    /// Not an atomic of the checker: a second claim is to be reported, not explored.
    taken: AtomicBool,
}

/// Owns the published values, so that a slot that is claimed twice causes an assertion and not a double free.
struct Nodes<T>(Mutex<Vec<Box<Node<T>>>>);

impl<T> Nodes<T> {
    fn new() -> Self {
        Nodes(Mutex::new(Vec::new()))
    }

    fn publish(&self, value: T) -> usize {
        let node = Box::new(Node { value: UnsafeCell::new(Some(value)), taken: AtomicBool::new(false) });
        let address = (&raw const *node).expose_provenance();
        self.0.lock().unwrap().push(node);
        address
    }

    fn take(&self, address: usize) -> T {
        assert_ne!(address, 0, "model: a claimed slot holds no job");
        let node: *const Node<T> = std::ptr::with_exposed_provenance(address);
        // SAFETY: the address came from `publish`; the nodes live as long as the deque.
        let node = unsafe { &*node };
        assert!(!node.taken.swap(true, Ordering::Relaxed), "model: a job was taken twice");
        node.value.with_mut(|value| {
            // SAFETY: the value is taken once; the checked cell reports a race if the write is not ordered before.
            let value = unsafe { &mut *value };
            value.take().expect("a job is taken once")
        })
    }
}

struct Inner<T> {
    nodes: Nodes<T>,
    front: AtomicUsize,
    back: AtomicUsize,
    slots: Slots,
}

/// The owner's end of a deque.
pub(crate) struct Deque<T> {
    inner: Arc<Inner<T>>,
    marker: std::marker::PhantomData<std::cell::Cell<T>>,
}

/// The thieves' end of a deque.
pub(crate) struct Stealer<T> {
    inner: Arc<Inner<T>>,
}

impl<T> Deque<T> {
    pub(crate) fn new_lifo() -> Deque<T> {
        let inner = Inner {
            nodes: Nodes::new(),
            front: AtomicUsize::new(FIRST),
            back: AtomicUsize::new(FIRST),
            slots: Slots::new(),
        };
        Deque { inner: Arc::new(inner), marker: std::marker::PhantomData }
    }

    pub(crate) fn stealer(&self) -> Stealer<T> {
        Stealer { inner: Arc::clone(&self.inner) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn len(&self) -> usize {
        let back = self.inner.back.load(DEQUE_OWNER_BACK.get());
        let front = self.inner.front.load(DEQUE_POP_FRONT.get());
        back.saturating_sub(front)
    }

    pub(crate) fn push(&self, value: T) {
        let inner = &*self.inner;
        let back = inner.back.load(DEQUE_OWNER_BACK.get());
        let front = inner.front.load(DEQUE_PUSH_FRONT.get());
        assert!(back - front < CAPACITY, "model: the stand-in does not grow");
        inner.slots.at(back).store(inner.nodes.publish(value), DEQUE_SLOT.get());
        fence(DEQUE_PUSH_FENCE);
        inner.back.store(back + 1, DEQUE_PUSH_BACK.get());
    }

    pub(crate) fn pop(&self) -> Option<T> {
        let inner = &*self.inner;
        let back = inner.back.load(DEQUE_OWNER_BACK.get());
        let front = inner.front.load(DEQUE_POP_FRONT.get());
        if back <= front {
            return None;
        }
        let back = back - 1;
        inner.back.store(back, DEQUE_POP_BACK.get());
        fence(DEQUE_POP_FENCE);
        let front = inner.front.load(DEQUE_POP_FRONT.get());
        if back < front {
            inner.back.store(back + 1, DEQUE_POP_BACK.get());
            return None;
        }
        let address = inner.slots.at(back).load(DEQUE_SLOT.get());
        if back > front {
            return Some(inner.nodes.take(address));
        }
        // This is the last job: the thread that moves the front first has it.
        let won =
            inner.front.compare_exchange(front, front + 1, DEQUE_POP_CAS.get(), DEQUE_CAS_FAIL.get()).is_ok();
        inner.back.store(back + 1, DEQUE_POP_BACK.get());
        won.then(|| inner.nodes.take(address))
    }
}

impl<T> Drop for Deque<T> {
    fn drop(&mut self) {
        while self.pop().is_some() {}
    }
}

impl<T> Stealer<T> {
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn len(&self) -> usize {
        let front = self.inner.front.load(DEQUE_STEAL_FRONT.get());
        fence(DEQUE_STEAL_FENCE);
        let back = self.inner.back.load(DEQUE_STEAL_BACK.get());
        back.saturating_sub(front)
    }

    pub(crate) fn steal(&self) -> Steal<T> {
        let inner = &*self.inner;
        let front = inner.front.load(DEQUE_STEAL_FRONT.get());
        fence(DEQUE_STEAL_FENCE);
        let back = inner.back.load(DEQUE_STEAL_BACK.get());
        if back <= front {
            return Steal::Empty;
        }
        let address = inner.slots.at(front).load(DEQUE_SLOT.get());
        if defect("theft_unclaimed") {
            inner.front.store(front + 1, DEQUE_STEAL_CAS.get());
            return Steal::Success(inner.nodes.take(address));
        }
        match inner.front.compare_exchange(front, front + 1, DEQUE_STEAL_CAS.get(), DEQUE_CAS_FAIL.get()) {
            Ok(_) => Steal::Success(inner.nodes.take(address)),
            Err(_) => Steal::Retry,
        }
    }
}

/// The queue for jobs from outside. It never reuses a slot: a model pushes at most [`CAPACITY`] jobs from outside.
pub(crate) struct Injector<T> {
    nodes: Nodes<T>,
    head: CachePadded<AtomicUsize>,
    tail: CachePadded<AtomicUsize>,
    addresses: Slots,
    written: Slots,
}

impl<T> Injector<T> {
    pub(crate) fn new() -> Injector<T> {
        Injector {
            nodes: Nodes::new(),
            head: CachePadded::new(AtomicUsize::new(0)),
            tail: CachePadded::new(AtomicUsize::new(0)),
            addresses: Slots::new(),
            written: Slots::new(),
        }
    }

    pub(crate) fn push(&self, value: T) {
        let mut tail = self.tail.load(INJECTOR_PUSH_TAIL.get());
        loop {
            assert!(tail < CAPACITY, "model: the stand-in does not grow");
            match self.tail.compare_exchange(tail, tail + 1, INJECTOR_PUSH_CAS.get(), INJECTOR_CAS_FAIL.get()) {
                Ok(_) => break,
                Err(seen) => tail = seen,
            }
        }
        self.addresses.at(tail).store(self.nodes.publish(value), DEQUE_SLOT.get());
        self.written.at(tail).fetch_or(1, INJECTOR_PUBLISH.get());
    }

    pub(crate) fn steal(&self) -> Steal<T> {
        match self.claim(1) {
            Steal::Success(claimed) => Steal::Success(self.take(claimed.start)),
            Steal::Empty => Steal::Empty,
            Steal::Retry => Steal::Retry,
        }
    }

    /// Takes the oldest job, and moves the jobs claimed with it to `dest`. It claims half of all jobs, rounded up,
    /// but at most `limit`, in one step. Nobody sees the moved jobs until `dest` shows them at the end. How many jobs
    /// crossbeam moves is unspecified; under loom this moves none.
    pub(crate) fn steal_batch_with_limit_and_pop(&self, dest: &Deque<T>, limit: usize) -> Steal<T> {
        if EXHAUSTIVE {
            return self.steal();
        }
        let claimed = match self.claim(limit) {
            Steal::Success(claimed) => claimed,
            Steal::Empty => return Steal::Empty,
            Steal::Retry => return Steal::Retry,
        };
        let first = self.take(claimed.start);
        if claimed.len() > 1 {
            let target = &*dest.inner;
            let mut back = target.back.load(DEQUE_OWNER_BACK.get());
            for at in claimed.skip(1) {
                target.slots.at(back).store(target.nodes.publish(self.take(at)), DEQUE_SLOT.get());
                back += 1;
            }
            fence(DEQUE_PUSH_FENCE);
            target.back.store(back, DEQUE_PUSH_BACK.get());
        }
        Steal::Success(first)
    }

    /// Claims half of the jobs, rounded up, but at most `limit`.
    fn claim(&self, limit: usize) -> Steal<Range<usize>> {
        let head = self.head.load(INJECTOR_STEAL_HEAD.get());
        fence(INJECTOR_STEAL_FENCE);
        let tail = self.tail.load(INJECTOR_STEAL_TAIL.get());
        if head >= tail {
            return Steal::Empty;
        }
        let end = head + (tail - head).div_ceil(2).min(limit);
        match self.head.compare_exchange(head, end, INJECTOR_STEAL_CAS.get(), INJECTOR_CAS_FAIL.get()) {
            Ok(_) => Steal::Success(head..end),
            Err(_) => Steal::Retry,
        }
    }

    /// Takes the job of a claimed slot, as soon as it is written.
    fn take(&self, at: usize) -> T {
        let written = self.written.at(at);
        let mut backoff = Backoff::new();
        while written.load(INJECTOR_WRITTEN.get()) == 0 {
            backoff.pause();
        }
        self.nodes.take(self.addresses.at(at).load(DEQUE_SLOT.get()))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn len(&self) -> usize {
        let head = self.head.load(INJECTOR_LEN.get());
        let tail = self.tail.load(INJECTOR_LEN.get());
        tail.saturating_sub(head)
    }
}
