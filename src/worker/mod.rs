//! One worker: its deque, how it finds the next job, how it waits, its main loop.
//!
//! Order of search: the own deque (newest first), now and then the injector before it so that a
//! worker which feeds itself starves nobody outside, then a batch from the injector, then the other
//! workers from a random start. A worker that finds nothing searches for about the price of one wake
//! and then sleeps; see [`crate::sleep`].

mod current;
mod idle;

pub(crate) use current::{Current, lend_host, return_host, with_current};
pub(crate) use idle::UntilSignal;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::deque::{Deque, Steal};
use crate::job::Job;
use crate::parker::{Parker, Unparker};
use crate::registry::{Peer, Shared};
use crate::rng::Rng;
use crate::sync::MODEL;
use crate::unwind;

/// Each so-many-th search looks at the injector first. A prime, so that it does not fall in step with
/// jobs that come in rounds; 61 as in Go's scheduler and tokio's.
const INJECTOR_TICK: u32 = 61;

/// The most jobs that one look at the injector moves to the own deque. Enough to spread the cost of
/// the injector's two contended words, and below the 48 at which crossbeam's deque would grow.
const BATCH: usize = 32;

/// So many waits for room in a queue may run other jobs on one stack.
const ROOM_WAITS: usize = if MODEL { 1 } else { 16 };

/// A queue some of whose jobs are on this thread's stack.
pub(crate) trait Nested {
    /// Makes room in it, by a worker that runs one of its jobs and cannot run another.
    fn set_aside(&self);

    /// What tells the queue from others.
    fn address(&self) -> usize;
}

/// What becomes a [`Worker`] on the thread that is to be it.
pub(crate) struct Seat {
    pub(crate) index: usize,
    pub(crate) registry: Shared,
    pub(crate) deque: Deque<Job>,
    pub(crate) parker: Parker,
}

/// What a worker thread owns. Never leaves its thread.
pub(crate) struct Worker {
    pub(crate) index: usize,
    pub(crate) registry: Shared,
    deque: Deque<Job>,
    parker: Parker,
    rng: Rng,
    tick: Cell<u32>,
    /// Jobs of this pool that are on this thread's stack.
    depth: Cell<usize>,
    /// A thread that the host lent: it has no main loop.
    host: bool,
    /// Queues whose jobs are on this thread's stack, outermost first.
    nested: RefCell<Vec<Rc<dyn Nested>>>,
    /// Waits for room in a queue that are on this thread's stack.
    room_waits: Cell<usize>,
}

impl Worker {
    /// The worker of the calling thread, which for a `host` has been lent.
    pub(crate) fn new(seat: Seat, host: bool) -> Worker {
        let Seat { index, registry, deque, parker } = seat;
        parker.adopt();
        // Any seed does; neighbours should not start alike.
        let rng = Rng::new((index as u64 + 1).wrapping_mul(0xA076_1D64_78BD_642F));
        let (tick, depth, room_waits) = (Cell::new(0), Cell::new(0), Cell::new(0));
        Worker {
            index,
            registry,
            deque,
            parker,
            rng,
            tick,
            depth,
            host,
            nested: RefCell::default(),
            room_waits,
        }
    }

    pub(crate) fn me(&self) -> &Peer {
        &self.registry.peers[self.index]
    }

    pub(crate) fn unparker(&self) -> Unparker {
        self.parker.unparker()
    }

    /// Whether this thread is inside a job of its pool, or always is, having nothing else to do.
    /// A lent thread outside any job submits as an outside thread does.
    #[inline]
    pub(crate) fn inside(&self) -> bool {
        !self.host || self.depth.get() > 0
    }

    /// Puts a job into the own deque and wakes a thief if need be.
    #[inline]
    pub(crate) fn push(&self, job: Job) {
        self.deque.push(job);
        self.registry.sleep.published();
    }

    /// Runs a job. What it panics with goes to the panic handler.
    #[inline]
    pub(crate) fn run(&self, job: Job) {
        self.counted(|| job.run());
    }

    /// Runs `f` as one job of this worker.
    #[inline]
    pub(crate) fn counted(&self, f: impl FnOnce()) {
        self.depth.set(self.depth.get() + 1);
        let result = unwind::catch(f);
        self.depth.set(self.depth.get() - 1);
        let counters = &self.me().counters;
        counters.run.add(1);
        if let Err(payload) = result {
            counters.panicked.add(1);
            self.registry.handle_panic(payload);
        }
    }

    /// Runs `f` inside a job that is counted already, panics included.
    pub(crate) fn within<R>(&self, f: impl FnOnce() -> R) -> R {
        struct Leave<'w>(&'w Cell<usize>);
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                self.0.set(self.0.get() - 1);
            }
        }
        self.depth.set(self.depth.get() + 1);
        let _leave = Leave(&self.depth);
        f()
    }

    // --- finding work ---

    /// The next job, from wherever there is one.
    pub(crate) fn find(&self) -> Option<Job> {
        let tick = self.tick.get().wrapping_add(1);
        self.tick.set(tick);
        if tick.is_multiple_of(INJECTOR_TICK)
            && let Some(job) = self.take_injected()
        {
            return Some(job);
        }
        self.deque.pop().or_else(|| self.find_elsewhere())
    }

    /// A job from the injector or from a peer.
    fn find_elsewhere(&self) -> Option<Job> {
        self.take_injected().or_else(|| self.steal())
    }

    fn take_injected(&self) -> Option<Job> {
        let injector = &self.registry.injector;
        // Two loads on lines that are cold only when something happens, before a fence and a CAS.
        if injector.is_empty() {
            return None;
        }
        let before = self.deque.len();
        loop {
            match injector.steal_batch_with_limit_and_pop(&self.deque, BATCH) {
                Steal::Success(job) => {
                    // A thief may have taken some since: the count is then low, never high.
                    let moved = self.deque.len().saturating_sub(before);
                    self.me().counters.taken.add(1 + moved as u64);
                    if moved > 0 {
                        // While they were under way nobody saw them, and whoever published them may have
                        // relied on a searcher that looked just then.
                        self.registry.sleep.published();
                    }
                    return Some(job);
                }
                Steal::Empty => return None,
                Steal::Retry => crate::sync::spin_loop(),
            }
        }
    }

    /// Takes the oldest job of some peer, tried from a random start.
    fn steal(&self) -> Option<Job> {
        let peers = &self.registry.peers;
        let start = if MODEL { self.index } else { self.rng.below(peers.len()) };
        loop {
            let mut lost_a_race = false;
            for offset in 0..peers.len() {
                let victim = (start + offset) % peers.len();
                if victim == self.index {
                    continue;
                }
                match peers[victim].stealer.steal() {
                    Steal::Success(job) => {
                        self.me().counters.stolen.add(1);
                        return Some(job);
                    }
                    Steal::Empty => {}
                    Steal::Retry => lost_a_race = true,
                }
            }
            if !lost_a_race {
                return None;
            }
            crate::sync::spin_loop();
        }
    }

    // --- jobs that nest ---

    /// Runs `f` while jobs of `queue` may be on this thread's stack.
    pub(crate) fn with_nested<R>(&self, queue: Rc<dyn Nested>, f: impl FnOnce() -> R) -> R {
        struct Pop<'w>(&'w RefCell<Vec<Rc<dyn Nested>>>);
        impl Drop for Pop<'_> {
            fn drop(&mut self) {
                let popped = self.0.borrow_mut().pop();
                // Without the borrow: it may hold the last of something of the user's.
                drop(popped);
            }
        }
        self.nested.borrow_mut().push(queue);
        let _pop = Pop(&self.nested);
        f()
    }

    /// The addresses of the queues whose jobs are on this thread's stack, outermost first.
    pub(crate) fn serves(&self) -> Vec<usize> {
        self.nested.borrow().iter().map(|queue| queue.address()).collect()
    }

    /// Makes room in the queue at `address`, one of those that [`serves`](Self::serves) names.
    pub(crate) fn set_aside(&self, address: usize) {
        if let Some(queue) = self.nested.borrow().iter().find(|queue| queue.address() == address) {
            queue.set_aside();
        }
    }

    /// Calls `f` as a wait for room in a queue, and tells it whether it may run other jobs of the pool meanwhile.
    /// Each of those may come to wait for room as well, and so on, all on one stack: only so many do.
    pub(crate) fn wait_for_room<R>(&self, f: impl FnOnce(bool) -> R) -> R {
        struct Leave<'w>(&'w Cell<usize>);
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                self.0.set(self.0.get() - 1);
            }
        }
        let before = self.room_waits.get();
        self.room_waits.set(before + 1);
        let _leave = Leave(&self.room_waits);
        f(before < ROOM_WAITS)
    }

    /// Whether jobs wait that this worker would find next.
    pub(crate) fn is_wanted(&self) -> bool {
        !self.deque.is_empty() || !self.registry.injector.is_empty()
    }

    // --- main loop ---

    /// Runs jobs until the pool has ended.
    pub(crate) fn main_loop(&self) {
        while let idle::Next::Job(job) = self.next(&idle::UntilEnd) {
            self.run(job);
        }
    }

    /// For a lent thread, once its pool is closed: runs what it finds. Jobs that appear later are found by
    /// the other workers, which also empty this one's deque; if there are none, no later job can appear
    /// once no outside thread is left that had begun to submit.
    pub(crate) fn drain(&self) {
        let _hold = self.registry.hold();
        loop {
            while self.run_one() {}
            let alone = self.registry.threads() == 0;
            if !alone || self.registry.sleep.snapshot().entered() == 1 && !self.registry.has_work() {
                return;
            }
            crate::sync::yield_now();
        }
    }

    /// Runs one job, if there is one.
    pub(crate) fn run_one(&self) -> bool {
        self.find().map(|job| self.run(job)).is_some()
    }
}
