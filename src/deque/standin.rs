//! Chase–Lev and the injector as crossbeam-deque 0.8 orders them, for the checker.
//!
//! Chase and Lev: "Dynamic circular work-stealing deque", 2005; Lê, Pop, Cohen, Zappa Nardelli:
//! "Correct and efficient work-stealing for weak memory models", 2013. Only the LIFO flavour, which
//! is the one the workers use. A slot is an atomic pointer, because a thief reads it before it knows
//! whether the job is its own; what it points to is a checked cell, so a job that was published
//! without the right ordering is reported as a race.

use crate::sync::site::*;
use crate::sync::{Arc, AtomicUsize, UnsafeCell, fence, yield_now};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// Slots of a deque and of an injector. A model that fills one has a bug of its own.
const CAPACITY: usize = 4;

/// As crossbeam's.
pub(crate) enum Steal<T> {
    Empty,
    Success(T),
    Retry,
}

struct Node<T> {
    value: UnsafeCell<Option<T>>,
    /// Not the checker's: a second claim is to be reported, not explored.
    taken: AtomicBool,
}

/// Owns what was published, so that a slot that is claimed twice is an assertion and not a double free.
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
            // SAFETY: taken once; the checked cell reports it if the writer is not ordered before.
            let value = unsafe { &mut *value };
            value.take().expect("a job is taken once")
        })
    }
}

struct Inner<T> {
    nodes: Nodes<T>,
    front: AtomicUsize,
    back: AtomicUsize,
    slots: [AtomicUsize; CAPACITY],
}

impl<T> Inner<T> {
    fn slot(&self, index: usize) -> &AtomicUsize {
        &self.slots[index % CAPACITY]
    }
}

/// The owner's end.
pub(crate) struct Deque<T> {
    inner: Arc<Inner<T>>,
    marker: std::marker::PhantomData<std::cell::Cell<T>>,
}

/// The thieves' end.
pub(crate) struct Stealer<T> {
    inner: Arc<Inner<T>>,
}

impl<T> Deque<T> {
    pub(crate) fn new_lifo() -> Deque<T> {
        // Positions start above zero: `back - 1` must not wrap when the owner pops an empty deque.
        let inner = Inner {
            nodes: Nodes::new(),
            front: AtomicUsize::new(CAPACITY),
            back: AtomicUsize::new(CAPACITY),
            slots: std::array::from_fn(|_| AtomicUsize::new(0)),
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
        inner.slot(back).store(inner.nodes.publish(value), DEQUE_SLOT.get());
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
        let address = inner.slot(back).load(DEQUE_SLOT.get());
        if back > front {
            return Some(inner.nodes.take(address));
        }
        // The last one: whoever moves the front first has it.
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
        let address = inner.slot(front).load(DEQUE_SLOT.get());
        match inner.front.compare_exchange(front, front + 1, DEQUE_STEAL_CAS.get(), DEQUE_CAS_FAIL.get()) {
            Ok(_) => Steal::Success(inner.nodes.take(address)),
            Err(_) => Steal::Retry,
        }
    }
}

impl<T> Stealer<T> {
    /// The oldest item, and of what is left up to half, and fewer than `limit`, to `dest`. From a LIFO deque each
    /// is claimed by an exchange of its own, and `dest` shows them all at the end.
    pub(crate) fn steal_batch_with_limit_and_pop(&self, dest: &Deque<T>, limit: usize) -> Steal<T> {
        assert!(limit > 0);
        let source = &*self.inner;
        let mut front = source.front.load(DEQUE_STEAL_FRONT.get());
        fence(DEQUE_STEAL_FENCE);
        let back = source.back.load(DEQUE_STEAL_BACK.get());
        if back <= front {
            return Steal::Empty;
        }
        let batch = ((back - front - 1) / 2).min(limit - 1);
        let claim = |front: usize| {
            let address = source.slot(front).load(DEQUE_SLOT.get());
            let claimed =
                source.front.compare_exchange(front, front + 1, DEQUE_STEAL_CAS.get(), DEQUE_CAS_FAIL.get());
            claimed.ok().map(|_| source.nodes.take(address))
        };
        let Some(first) = claim(front) else { return Steal::Retry };
        let target = &*dest.inner;
        let mut dest_back = target.back.load(DEQUE_OWNER_BACK.get());
        assert!(
            dest_back + batch - target.front.load(DEQUE_PUSH_FRONT.get()) <= CAPACITY,
            "model: the stand-in does not grow"
        );
        for _ in 0..batch {
            front += 1;
            // The owner pops at the other end and only exchanges for what it takes for the last one.
            fence(DEQUE_BATCH_FENCE);
            if source.back.load(DEQUE_STEAL_BACK.get()) <= front {
                break;
            }
            let Some(item) = claim(front) else { break };
            target.slot(dest_back).store(target.nodes.publish(item), DEQUE_SLOT.get());
            dest_back += 1;
        }
        fence(DEQUE_PUSH_FENCE);
        target.back.store(dest_back, DEQUE_PUSH_BACK.get());
        Steal::Success(first)
    }
}

struct Slot {
    address: AtomicUsize,
    written: AtomicUsize,
}

/// The shared entry queue. It never reuses a slot: a model pushes at most [`CAPACITY`] jobs from outside.
pub(crate) struct Injector<T> {
    nodes: Nodes<T>,
    head: AtomicUsize,
    tail: AtomicUsize,
    slots: [Slot; CAPACITY],
}

impl<T> Injector<T> {
    pub(crate) fn new() -> Injector<T> {
        Injector {
            nodes: Nodes::new(),
            head: AtomicUsize::new(0),
            tail: AtomicUsize::new(0),
            slots: std::array::from_fn(|_| Slot { address: AtomicUsize::new(0), written: AtomicUsize::new(0) }),
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
        self.slots[tail].address.store(self.nodes.publish(value), DEQUE_SLOT.get());
        self.slots[tail].written.fetch_or(1, INJECTOR_PUBLISH.get());
    }

    pub(crate) fn steal(&self) -> Steal<T> {
        let head = self.head.load(INJECTOR_STEAL_HEAD.get());
        fence(INJECTOR_STEAL_FENCE);
        let tail = self.tail.load(INJECTOR_STEAL_TAIL.get());
        if head >= tail {
            return Steal::Empty;
        }
        if self
            .head
            .compare_exchange(head, head + 1, INJECTOR_STEAL_CAS.get(), INJECTOR_CAS_FAIL.get())
            .is_err()
        {
            return Steal::Retry;
        }
        while self.slots[head].written.load(INJECTOR_WRITTEN.get()) == 0 {
            yield_now();
        }
        Steal::Success(self.nodes.take(self.slots[head].address.load(DEQUE_SLOT.get())))
    }

    /// One job is a batch: how many crossbeam moves at once is unspecified.
    pub(crate) fn steal_batch_with_limit_and_pop(&self, _dest: &Deque<T>, _limit: usize) -> Steal<T> {
        self.steal()
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
