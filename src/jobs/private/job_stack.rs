//! The private stack of jobs that a worker keeps in front of its deque: what it executes and spawns.
//!
//! The owner pushes and pops without a fence and without a read-modify-write. Two words tell what is there:
//! `top`, which only the owner moves, and `bottom`, which moves under the lock. Jobs leave at the bottom, oldest
//! first, in two ways:
//!
//! * **Exposed by the owner, on demand.** A worker that has nothing to do stores 0 into each peer's `limit`, which the
//!   owner reads after each push anyway, to see whether there is room for another job. The owner then moves jobs to its
//!   deque, where they are stolen in the ordinary way.
//! * **Raided.** An owner that is inside a long closure pushes nothing and so sees no demand. A thief that found
//!   nothing elsewhere takes the lock and the oldest job itself.
//!
//! | word | written by | read by |
//! |---|---|---|
//! | `top` | owner | owner; raiders, after `heavy` |
//! | `bottom` | owner and raiders, with the lock | owner, after `light`; raiders |
//! | `limit` | owner, with the lock; 0 by anyone | owner, after `light` |
//! | slots `bottom..top` | owner | owner; raiders, with the lock |
//!
//! # The race for the oldest job
//!
//! The owner lowers `top`, then reads `bottom`; the raider raises `bottom`, then reads `top`: the pattern of
//! [`super::fork_list`]. The owner that sees the raider waits for the lock, after which the raid has happened or was given up.
//! The raider that sees the owner gives up. If both see each other, the owner has the job: it waits until the raider has
//! given up.
//!
//! A raider that claimed slot `b` may find a newer job in it than was there when it came. That is no harm: it
//! reads the slot only after it has seen `top` above `b`, which orders it after that job's push, and from the moment
//! the heavy fence is over the owner cannot pop `b` without seeing the claim. Nor can the owner write over `b` from
//! the other end: it counts room from a bottom that it read under the lock, not from one that a raider may take back.
//! Nor does it take itself for empty because of one: it would sleep on the job that the raider leaves there (the models
//! `scope_nested` and `scope_two_thieves` found that).

use std::cell::Cell;
use std::ops::Range;

use crossbeam_utils::CachePadded;

use super::buffer::{Buffer, View};
use crate::jobs::job::Job;
use crate::sync::site::*;
use crate::sync::{AtomicUsize, MODEL, Mutex, MutexGuard, defect, light_fence, lock, try_lock, yield_now};
use crate::system::membarrier;

/// Slots at first; a power of two, as it stays. One slot is always free.
const SLOTS: usize = if MODEL { 4 } else { 64 };

/// A buffer of more slots than this is given back when it has become empty.
const KEEP: usize = 1 << 14;

/// What owner and thieves share.
pub(super) struct Jobs {
    own: CachePadded<Own>,
    edge: CachePadded<Edge>,
    buffer: Mutex<Buffer>,
}

/// What the owner writes with each job. The cells are the owner's alone.
struct Own {
    /// One above the newest private job.
    top: AtomicUsize,
    /// The buffer behind the lock, which only the owner replaces.
    view: Cell<View>,
    /// Where the bottom was when the owner last had the lock: it is no lower now.
    settled: Cell<usize>,
}

/// What the owner reads with each job and fork, and others seldom write.
struct Edge {
    /// The oldest private job.
    bottom: AtomicUsize,
    /// A top at or above it needs the owner's [attention](Jobs::push): there is no room for one more job, or a job is
    /// wanted, for which it is 0.
    limit: AtomicUsize,
}

// SAFETY: jobs are Send; slots are accessed by the protocol in the module's text, and the cells by the owner only, as each
// method that touches them demands.
unsafe impl Sync for Jobs {}
// SAFETY: as above.
unsafe impl Send for Jobs {}

impl Jobs {
    pub(super) fn new() -> Jobs {
        let buffer = Buffer::new(SLOTS);
        let own = Own { top: AtomicUsize::new(0), view: Cell::new(buffer.view()), settled: Cell::new(0) };
        let edge = Edge { bottom: AtomicUsize::new(0), limit: AtomicUsize::new(0) };
        Jobs { own: CachePadded::new(own), edge: CachePadded::new(edge), buffer: Mutex::new(buffer) }
    }

    // --- anybody ---

    /// Asks the owner for a job. The caller counts as idle, and fenced since.
    #[inline]
    pub(super) fn demand(&self) {
        if !self.is_wanted() {
            self.edge.limit.store(0, STACK_LIMIT_POISON.get());
        }
    }

    /// Whether there are private jobs, about.
    #[inline]
    pub(super) fn has_some(&self) -> bool {
        let bottom = self.edge.bottom.load(STACK_BOTTOM.get());
        self.own.top.load(STACK_TOP_HINT.get()) > bottom
    }

    /// How many private jobs there are, about.
    #[inline]
    pub(super) fn len(&self) -> usize {
        let bottom = self.edge.bottom.load(STACK_BOTTOM.get());
        self.own.top.load(STACK_TOP_HINT.get()).saturating_sub(bottom)
    }

    /// Takes the oldest private job, unless another thread has the lock.
    pub(super) fn raid(&self) -> Option<Job> {
        if !self.has_some() || !membarrier::available() {
            return None;
        }
        let Some(buffer) = try_lock(&self.buffer) else {
            if MODEL {
                // The checker would try for ever before it lets the holder go on.
                yield_now();
            }
            return None;
        };
        let at = self.edge.bottom.load(STACK_BOTTOM.get());
        self.edge.bottom.store(at + 1, STACK_BOTTOM_MOVE.get());
        membarrier::heavy();
        if self.own.top.load(STACK_TOP_RAID.get()) <= at {
            self.edge.bottom.store(at, STACK_BOTTOM_MOVE.get());
            return None;
        }
        // SAFETY: position `at` is claimed: see the module's text.
        Some(unsafe { buffer.view().read(at) })
    }

    /// Whether the owner has not answered the last demand.
    #[inline(always)]
    pub(super) fn is_wanted(&self) -> bool {
        self.edge.limit.load(STACK_LIMIT.get()) == 0
    }

    // --- the owner: each of these is to be called by it alone ---

    #[inline(always)]
    fn top(&self) -> usize {
        self.own.top.load(STACK_TOP_OWN.get())
    }

    #[inline(always)]
    fn bottom(&self) -> usize {
        self.edge.bottom.load(STACK_BOTTOM.get())
    }

    /// Whether there is no job.
    ///
    /// # Safety
    /// By the owner.
    #[inline(always)]
    pub(super) unsafe fn is_empty(&self) -> bool {
        let top = self.top();
        // No lower than where it was settled: nothing to look for.
        top <= self.bottom()
            && (top <= self.own.settled.get() || defect("claim_believed") || self.is_empty_now())
    }

    /// As [`is_empty`](Self::is_empty) once no raid is under way: one that gives up leaves the job to the owner,
    /// which would otherwise sleep on it.
    #[cold]
    #[inline(never)]
    fn is_empty_now(&self) -> bool {
        let _buffer = lock(&self.buffer);
        let bottom = self.bottom();
        self.own.settled.set(bottom);
        self.top() <= bottom
    }

    /// Pushes a job. If the answer is yes, the caller must attend to the stack before the next push, by
    /// [`open`](Self::open): somebody wants a job, or there is no room for another.
    ///
    /// # Safety
    /// By the owner.
    #[inline(always)]
    pub(super) unsafe fn push(&self, job: Job) -> bool {
        let at = self.top();
        // SAFETY: there is always a free slot at the top, which belongs to the owner.
        unsafe { self.own.view.get().write(at, job) };
        self.own.top.store(at + 1, STACK_PUSH.get());
        light_fence(STACK_PUSH_LIGHT);
        at + 1 >= self.edge.limit.load(STACK_LIMIT.get())
    }

    /// Pops the newest job.
    ///
    /// # Safety
    /// By the owner.
    #[inline]
    pub(super) unsafe fn pop(&self) -> Option<Job> {
        // SAFETY: by the caller's promise.
        if unsafe { self.is_empty() } {
            return None;
        }
        let at = self.top() - 1;
        self.own.top.store(at, STACK_POP.get());
        light_fence(STACK_POP_LIGHT);
        if self.bottom() > at && !defect("bottom_unlooked") && !self.settle(at) {
            return None;
        }
        // SAFETY: it was pushed, and no raider has a claim: see the module's text.
        Some(unsafe { self.own.view.get().read(at) })
    }

    /// The top was lowered to `at`, which a raider may have claimed: whether the job is the owner's.
    #[cold]
    fn settle(&self, at: usize) -> bool {
        // With the lock no raid is under way: it has happened or was given up.
        let buffer = lock(&self.buffer);
        if self.bottom() <= at {
            return true;
        }
        let Edge { bottom, limit } = &*self.edge;
        bottom.store(at, STACK_BOTTOM_MOVE.get());
        self.own.settled.set(at);
        // With the bottom goes the place up to which there is room. Not by a store: that could take a demand back.
        let seen = limit.load(STACK_LIMIT.get());
        if seen != 0 {
            let lower = at + buffer.len() - 1;
            let _ = limit.compare_exchange(seen, lower, STACK_LIMIT_SET.get(), STACK_LIMIT.get());
        }
        false
    }

    /// Locks the stack for the owner, to hand out jobs.
    ///
    /// # Safety
    /// By the owner.
    pub(super) unsafe fn open(&self) -> Opened<'_> {
        let mut buffer = lock(&self.buffer);
        let bottom = self.bottom();
        self.make_room(&mut buffer, bottom, self.top());
        self.own.settled.set(bottom);
        Opened { jobs: self, buffer }
    }

    /// Sees to it that the slots up to `top`, and one more, are there.
    fn make_room(&self, buffer: &mut Buffer, bottom: usize, top: usize) {
        if top - bottom + 1 >= buffer.len() {
            let slots = buffer.len() * 2;
            self.move_to(buffer, slots, bottom..top);
        } else if top == bottom && buffer.len() > KEEP {
            self.move_to(buffer, SLOTS, bottom..top);
        }
    }

    fn move_to(&self, buffer: &mut Buffer, slots: usize, live: Range<usize>) {
        let new = Buffer::new(slots);
        for at in live {
            // SAFETY: live, and moved once: the old slots go, and jobs have no destructor.
            let job = unsafe { buffer.view().read(at) };
            // SAFETY: nobody else has the new buffer yet.
            unsafe { new.view().write(at, job) };
        }
        *buffer = new;
        self.own.view.set(buffer.view());
    }
}

/// The stack, with its lock, by its owner.
pub(super) struct Opened<'j> {
    jobs: &'j Jobs,
    buffer: MutexGuard<'j, Buffer>,
}

impl Opened<'_> {
    /// How many private jobs there are.
    pub(super) fn len(&self) -> usize {
        self.jobs.top() - self.jobs.bottom()
    }

    /// Nothing is wanted any more.
    pub(super) fn answered(&self) {
        let limit = self.jobs.bottom() + self.buffer.len() - 1;
        self.jobs.edge.limit.store(limit, STACK_LIMIT_SET.get());
    }

    /// Something is still wanted.
    pub(super) fn unanswered(&self) {
        self.jobs.edge.limit.store(0, STACK_LIMIT_POISON.get());
    }

    /// Hands the `count` oldest jobs to `expose`, which must take them all.
    pub(super) fn take_oldest(
        &self,
        count: usize,
        expose: impl FnOnce(&mut dyn ExactSizeIterator<Item = Job>),
    ) {
        let oldest = self.jobs.bottom()..self.jobs.bottom() + count;
        let bottom = oldest.end;
        // SAFETY: live, with the lock held; the bottom goes up before it is let go.
        expose(&mut oldest.map(|at| unsafe { self.buffer.view().read(at) }));
        self.jobs.edge.bottom.store(bottom, STACK_BOTTOM_MOVE.get());
        self.jobs.own.settled.set(bottom);
    }
}
