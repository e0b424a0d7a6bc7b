//! One worker: its private stack and deque, how it finds the next job, how it waits, its main loop.
//!
//! Order of search: the private stack and the deque (newest first), now and then others before them so that a worker
//! which feeds itself starves nobody ([`fairness`]), then its inbox, then a batch from the injector, then the other
//! workers from a random start. A worker that finds nothing searches for about the price of one wake
//! and then sleeps; see [`crate::waiting::sleep`].

mod current;
mod fairness;
mod find;
mod host;
mod idle;
mod nesting;
mod run;
mod share;
pub(super) mod standin;
mod steal_backoff;
mod wait_in_job;
mod wait_mode;

pub(crate) use current::{Current, with_current, with_private, with_private_again};
pub(crate) use host::{lend_host, return_host, return_host_of_dropped_pool};
pub(crate) use idle::{Until, UntilSignal};
pub use wait_mode::Wait;
pub(crate) use wait_mode::{Help, Isolation, Nested};

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use crate::jobs::deque::Deque;
use crate::jobs::job::Job;
use crate::jobs::private::Stack;
use crate::scheduler::peer::{Peer, WorkerParts};
use crate::scheduler::registry::Shared;
use crate::scheduler::rng::Rng;
use crate::sync::{Arc, Mutex};
use crate::system::parker::{Parker, Unparker};
use crate::waiting::latch::TaskOwner;
use fairness::Fairness;
use steal_backoff::StealBackoff;

/// Jobs that run in the order in which they were submitted, whoever runs them.
pub(super) type Fifo = Mutex<VecDeque<Job>>;

/// What becomes a [`Worker`] on the thread that is to be it.
pub(crate) struct WorkerStart {
    pub(crate) index: usize,
    pub(crate) registry: Shared,
    pub(crate) parts: WorkerParts,
}

/// About where the calling thread's stack ends. It grows downwards on all systems that std's threads run on.
#[inline(never)]
fn stack_position() -> usize {
    let here = 0u8;
    (&raw const here).addr()
}

/// What a worker thread owns. Never leaves its thread.
pub(crate) struct Worker {
    pub(crate) stack: Stack,
    /// Which peer it is.
    pub(crate) index: usize,
    /// Which worker of the pool it is, as users know it: of a spare, the one that it stands in for.
    pub(crate) number: Cell<usize>,
    pub(crate) registry: Shared,
    deque: Deque<Job>,
    /// Jobs pushed onto the deque less jobs popped: how far its near end has moved. Thieves do not change it.
    height: Cell<isize>,
    parker: Parker,
    rng: Rng,
    tick: Cell<u32>,
    fairness: Fairness,
    /// Jobs of this pool that are on this thread's stack.
    depth: Cell<usize>,
    steal_backoff: StealBackoff,
    /// A thread that the host lent: it has no main loop.
    lent: bool,
    /// Whether this thread is outside the pool when it is in none of its jobs: it was lent, or has left its main
    /// loop for good.
    outside: Cell<bool>,
    /// Where this thread's stack was when it became a worker.
    base: usize,
    /// Whether it is in a call of [`blocking`](fn@crate::blocking).
    blocked: Cell<bool>,
    /// What is on this thread's stack that restricts what may be run on top of it.
    isolation: Cell<Option<Isolation>>,
    /// What its forks are told of it: who it is, and whether `isolation` is set.
    as_owner: Cell<TaskOwner>,
    /// Queues whose jobs are on this thread's stack, outermost first.
    nested: RefCell<Vec<Rc<dyn Nested>>>,
    /// How many of these are beneath a job that is not related to them.
    nested_floor: Cell<usize>,
    /// Waits for room in a queue that are on this thread's stack.
    room_waits: Cell<usize>,
    /// Jobs of this worker that run in the order in which it submitted them. Not a local of the thread: a lent thread
    /// runs what is left when those are gone.
    fifo: OnceCell<Arc<Fifo>>,
}

impl Worker {
    /// The worker of the calling thread, which for a `host` has been lent.
    pub(crate) fn new(start: WorkerStart, lent: bool) -> Worker {
        let WorkerStart { index, registry, parts: WorkerParts { deque, stack, parker } } = start;
        parker.adopt();
        let owner = TaskOwner::new(index, false);
        stack.set_owner(owner);
        Worker {
            stack,
            index,
            number: Cell::new(index),
            registry,
            deque,
            height: Cell::new(0),
            parker,
            // Any seed does; neighbours should not start alike.
            rng: Rng::new((index as u64 + 1).wrapping_mul(0xA076_1D64_78BD_642F)),
            tick: Cell::new(0),
            fairness: Fairness::default(),
            depth: Cell::new(0),
            steal_backoff: StealBackoff::default(),
            lent,
            outside: Cell::new(lent),
            base: stack_position(),
            blocked: Cell::new(false),
            isolation: Cell::new(None),
            as_owner: Cell::new(owner),
            nested: RefCell::default(),
            nested_floor: Cell::new(0),
            room_waits: Cell::new(0),
            fifo: OnceCell::new(),
        }
    }

    /// What it was made of, for the next thread that becomes this worker.
    pub(super) fn into_parts(self) -> WorkerParts {
        WorkerParts { deque: self.deque, stack: self.stack, parker: self.parker }
    }

    pub(crate) fn me(&self) -> &Peer {
        self.registry.peer(self.index)
    }

    /// Whether it is a spare.
    pub(super) fn is_spare(&self) -> bool {
        self.index >= self.registry.peers.len()
    }

    /// The worker that it is or stands in for, as the others see it.
    fn slot(&self) -> &Peer {
        &self.registry.peers[self.number.get()]
    }

    /// Its jobs that run in the order in which it submitted them.
    pub(crate) fn fifo(&self) -> Arc<Fifo> {
        Arc::clone(self.fifo.get_or_init(Arc::default))
    }

    pub(crate) fn unparker(&self) -> Unparker {
        self.parker.unparker()
    }

    /// Whether this thread is inside a job of its pool, or always is, having nothing else to do.
    /// A lent thread outside any job submits as an outside thread does; so does a worker at its end, whose deque
    /// nobody will look at again.
    #[inline]
    pub(crate) fn inside(&self) -> bool {
        !self.outside.get() || self.depth.get() > 0
    }

    /// Whether it is a thread that the host lent.
    pub(crate) fn is_lent(&self) -> bool {
        self.lent
    }

    /// Whether it has jobs of its own.
    pub(crate) fn has_own(&self) -> bool {
        !self.stack.is_empty() || !self.deque.is_empty()
    }
}
