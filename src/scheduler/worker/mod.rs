//! One worker: its private stack and its deque, how it finds the next job, how it waits, and its main loop.
//!
//! A worker looks for its next job in this order:
//!
//! | order | source | which job |
//! |---|---|---|
//! | 1 | its private stack, then its deque | the newest |
//! | 2 | its inbox | the oldest |
//! | 3 | the injector | the oldest; outside any job, a batch |
//! | 4 | the other workers and the spares, from a random start | the oldest of the first that has one |
//!
//! Now and then a worker looks at a later source first, so that a worker which keeps submitting to itself starves
//! nobody ([`fairness`]). A worker that finds nothing searches for about the price of one wake, and then sleeps; see
//! [`crate::waiting::sleep`].

mod binding;
mod current;
mod ends;
mod fairness;
mod find;
mod host;
mod idle;
mod nesting;
mod rebind;
mod run;
mod search_related;
mod share;
mod soft_pinning;
mod spare_supply;
mod spare_thread;
pub(super) mod standin;
mod steal_backoff;
mod until;
mod wait_apart;
mod wait_in_job;
mod wait_mode;
mod waits;

pub(crate) use current::{Current, with_current, with_private, with_private_again};
pub(crate) use host::{can_lend, lend_host, return_host, return_host_of_dropped_pool};
pub(crate) use until::{Until, UntilMuchLater, UntilSignal};
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
use crate::sync::{Arc, EXHAUSTIVE, Mutex};
use crate::system::parker::{Parker, Unparker};
use crate::system::spin_history::SpinHistory;
use crate::waiting::latch::TaskOwner;
use binding::Binding;
use ends::Ends;
use fairness::Fairness;
use steal_backoff::StealBackoff;
use waits::Waits;

/// Jobs that run in the order in which they were submitted, on whichever worker.
pub(super) type Fifo = Mutex<VecDeque<Job>>;

/// The parts of a [`Worker`], on their way to the thread that becomes this worker.
pub(crate) struct WorkerStart {
    pub(crate) index: usize,
    pub(crate) registry: Shared,
    pub(crate) parts: WorkerParts,
}

/// Returns about the address at which the calling thread's stack ends now. The stack grows downwards on all systems
/// that std's threads run on.
#[inline(never)]
fn stack_position() -> usize {
    let here = 0u8;
    (&raw const here).addr()
}

/// The state that a worker's thread owns. It never leaves that thread.
pub(crate) struct Worker {
    pub(crate) stack: Stack,
    /// The number of its [`Peer`]. A spare's number is at least the number of workers.
    pub(crate) index: usize,
    /// The worker's number as users know it. A spare has the number of the worker that it stands in for.
    pub(crate) number: Cell<usize>,
    pub(crate) registry: Shared,
    deque: Deque<Job>,
    /// The number of jobs pushed onto the deque less the number popped: how far the deque's near end has moved.
    /// Neither thefts nor batches from the injector change it: only differences within one job matter.
    height: Cell<isize>,
    parker: Parker,
    binding: Binding,
    rng: Rng,
    tick: Cell<u32>,
    /// Of a spare: whether the job that it took last from elsewhere is one of an isolated call.
    has_loot: Cell<bool>,
    fairness: Fairness,
    /// What became of its last spins and naps.
    waits: Waits,
    /// The number of jobs of this pool that are on this thread's stack.
    depth: Cell<usize>,
    /// Ends of jobs of a scope that it has not told yet.
    ends: Ends,
    steal_backoff: StealBackoff,
    /// Whether this is a lent thread. It has no main loop.
    lent: bool,
    /// Whether this thread counts as outside the pool while it is in none of the pool's jobs. True for a lent thread,
    /// and for a worker that has left its main loop for good.
    outside: Cell<bool>,
    /// The [position](stack_position) of this thread's stack when the thread became a worker.
    base: usize,
    /// Whether the private stack says that this worker is at rest.
    at_rest: Cell<bool>,
    /// Whether the thread is in a call of [`blocking`](fn@crate::blocking).
    blocked: Cell<bool>,
    /// Whether a spare has this worker's place for the length of that call.
    place_lent: Cell<bool>,
    /// The spare that this thread has relieved last, if it has not looked for it since.
    last_standin: Cell<Option<usize>>,
    /// The isolated call that this thread is in, if any. It restricts which jobs may run on top.
    isolation: Cell<Option<Isolation>>,
    /// What its forks' latches say about their owner: this worker's `index`, and whether `isolation` is set.
    as_owner: Cell<TaskOwner>,
    /// The queues whose jobs are on this thread's stack, outermost first.
    nested: RefCell<Vec<Rc<dyn Nested>>>,
    /// How many entries at the front of `nested` belong to unrelated jobs: the current job only runs on top of them.
    nested_floor: Cell<usize>,
    /// The number of waits for room in a queue that are on this thread's stack.
    room_waits: Cell<usize>,
    /// The jobs of this worker that run in the order in which it submitted them. This is not a thread-local: a lent
    /// thread still runs the jobs that are left when its thread-locals are gone.
    fifo: OnceCell<Arc<Fifo>>,
}

impl Worker {
    /// Creates the worker of the calling thread. `lent`: the host lent this thread to the pool.
    pub(crate) fn new(start: WorkerStart, lent: bool) -> Worker {
        let WorkerStart { index, registry, parts: WorkerParts { deque, stack, parker } } = start;
        parker.adopt();
        let owner = TaskOwner::new(index, false);
        stack.set_owner(owner);
        if lent && !EXHAUSTIVE {
            // A lent thread has no main loop, and so never says that it rests.
            stack.work();
        }
        let at_rest = Cell::new(!EXHAUSTIVE && stack.is_at_rest());
        Worker {
            stack,
            index,
            number: Cell::new(index),
            registry,
            deque,
            height: Cell::new(0),
            parker,
            binding: Binding::default(),
            // Any seed does, but neighbours should start differently.
            rng: Rng::new((index as u64 + 1).wrapping_mul(0xA076_1D64_78BD_642F)),
            tick: Cell::new(0),
            has_loot: Cell::new(false),
            fairness: Fairness::default(),
            waits: Waits::default(),
            depth: Cell::new(0),
            ends: Ends::default(),
            steal_backoff: StealBackoff::default(),
            lent,
            outside: Cell::new(lent),
            base: stack_position(),
            at_rest,
            blocked: Cell::new(false),
            place_lent: Cell::new(false),
            last_standin: Cell::new(None),
            isolation: Cell::new(None),
            as_owner: Cell::new(owner),
            nested: RefCell::default(),
            nested_floor: Cell::new(0),
            room_waits: Cell::new(0),
            fifo: OnceCell::new(),
        }
    }

    /// Returns the parts that it was made of, for the next thread that becomes this worker.
    pub(super) fn into_parts(self) -> WorkerParts {
        WorkerParts { deque: self.deque, stack: self.stack, parker: self.parker }
    }

    /// This worker as the other workers see it.
    #[inline]
    pub(crate) fn me(&self) -> &Peer {
        self.registry.peer(self.index)
    }

    /// Whether this worker is a spare.
    pub(crate) fn is_spare(&self) -> bool {
        self.index >= self.registry.peers.len()
    }

    /// This worker as the other workers see it; for a spare, the worker that it stands in for.
    fn slot(&self) -> &Peer {
        &self.registry.peers[self.number.get()]
    }

    /// Its jobs that run in the order in which it submitted them.
    pub(crate) fn fifo(&self) -> Arc<Fifo> {
        Arc::clone(self.fifo.get_or_init(Arc::default))
    }

    /// What became of its last waits for a job of a queue that it serves.
    pub(crate) fn polls(&self) -> &SpinHistory {
        &self.waits.polls
    }

    pub(crate) fn unparker(&self) -> Unparker {
        self.parker.unparker()
    }

    /// Whether this thread counts as inside its pool: it is in a job of the pool, or in its main loop.
    ///
    /// A lent thread outside any job submits as an outside thread does. So does a worker that has left its main loop:
    /// nobody looks at its deque again.
    #[inline]
    pub(crate) fn inside(&self) -> bool {
        !self.outside.get() || self.depth.get() > 0
    }

    /// Whether this is a lent thread.
    pub(crate) fn is_lent(&self) -> bool {
        self.lent
    }

    /// Whether its private stack or its deque holds a job.
    pub(crate) fn has_own(&self) -> bool {
        !self.stack.is_empty() || !self.deque.is_empty()
    }
}
