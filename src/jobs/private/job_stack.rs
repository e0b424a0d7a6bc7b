//! The private stack of jobs in front of a worker's deque: the jobs that the worker submits and spawns itself.
//!
//! The owner pushes and pops without a fence and without a read-modify-write. Two words tell what is there: `top`,
//! which only the owner moves, and `bottom`, which moves under the lock. Jobs leave at the bottom, oldest first, in
//! two ways:
//!
//! * **Exposed by the owner, on demand.** A worker that has nothing to do writes 0 into each peer's `limit`. The
//!   owner reads `limit` after each push anyway, to see whether there is room for another job. It then exposes jobs:
//!   it moves them to its deque, where they are stolen in the ordinary way.
//! * **Raided.** An owner that is inside a long closure pushes nothing, and so sees no demand. A thief that found
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
//! The owner lowers `top`, then reads `bottom`. The raider raises `bottom`, then reads `top`. This is the pattern of
//! [`super::fork_list`]. An owner that sees the raider waits for the lock; then the raid has happened, or the raider
//! has given up. A raider that sees the owner gives up. If both see each other, the owner has the job: it waits until
//! the raider has given up.
//!
//! A raider that claimed slot `b` may find a newer job in it than the job that was there when the raider came. That
//! is no harm. The raider reads the slot only after it has seen `top` above `b`, which orders the read after that
//! job's push. And from the end of the heavy fence on, the owner cannot pop `b` without seeing the claim.
//!
//! Two more rules hold for the owner, because a raider may take its claim back:
//!
//! * The owner counts room from a bottom that it read under the lock. So it cannot write over `b` from the other end.
//! * The owner does not take itself for empty because of a claim. Otherwise it would sleep while the raider leaves it
//!   the job (the models `scope_nested` and `scope_two_thieves` cover this).

use std::cell::Cell;
use std::ops::Range;

use crossbeam_utils::CachePadded;

use super::buffer::{Buffer, View};
use super::fencing::Fencing;
use crate::jobs::job::Job;
use crate::sync::site::*;
use crate::sync::{
    AtomicUsize, MODEL, Mutex, MutexGuard, defect, fence, light_fence, lock, try_lock, yield_now,
};

/// The number of slots at first. One slot is always free.
const SLOTS: usize = if MODEL { 4 } else { 64 };

/// A buffer with more slots than this is given back when it has become empty.
const KEEP: usize = 1 << 14;

/// What the owner and the thieves share.
pub(super) struct Jobs {
    own: CachePadded<Own>,
    edge: CachePadded<Edge>,
    locked: Mutex<Locked>,
}

/// What the lock protects.
struct Locked {
    buffer: Buffer,
    fencing: Fencing,
}

/// What the owner writes with each job. Only the owner accesses the cells.
struct Own {
    /// One above the position of the newest private job.
    top: AtomicUsize,
    /// The slots of the buffer behind the lock. Only the owner replaces that buffer.
    view: Cell<View>,
    /// Where the bottom was when the owner last had the lock. The bottom is no lower now.
    settled: Cell<usize>,
    /// Whether the owner fences, too: as `fencing` behind the lock.
    fences: Cell<bool>,
}

/// What the owner reads with each job and fork, and other threads seldom write.
struct Edge {
    /// The position of the oldest private job.
    bottom: AtomicUsize,
    /// A top at or above the limit needs the owner's [attention](Jobs::push): there is no room for one more job, or
    /// another worker wants a job and has set the limit to 0.
    limit: AtomicUsize,
}

// SAFETY: jobs are `Send`. Slots are accessed by the protocol in the module's text. Cells are accessed by the owner
// only, as each method that touches them demands.
unsafe impl Sync for Jobs {}
// SAFETY: jobs are `Send`, and the views in the cells point into the buffer that moves along.
unsafe impl Send for Jobs {}

impl Jobs {
    pub(super) fn new(fencing: Fencing) -> Jobs {
        let buffer = Buffer::new(SLOTS);
        let own = Own {
            top: AtomicUsize::new(0),
            view: Cell::new(buffer.view()),
            settled: Cell::new(0),
            fences: Cell::new(fencing == Fencing::Both),
        };
        let edge = Edge { bottom: AtomicUsize::new(0), limit: AtomicUsize::new(0) };
        let locked = Mutex::new(Locked { buffer, fencing });
        Jobs { own: CachePadded::new(own), edge: CachePadded::new(edge), locked }
    }

    // --- anybody ---

    /// Asks the owner for a job. The caller must count as idle, and must have fenced since then.
    #[inline]
    pub(super) fn demand(&self) {
        if !self.is_wanted() {
            self.edge.limit.store(0, STACK_LIMIT_POISON.get());
        }
    }

    /// Whether there seem to be private jobs.
    #[inline]
    pub(super) fn has_some(&self) -> bool {
        let bottom = self.edge.bottom.load(STACK_BOTTOM.get());
        self.own.top.load(STACK_TOP_HINT.get()) > bottom
    }

    /// About how many private jobs there are.
    #[inline]
    pub(super) fn len(&self) -> usize {
        let bottom = self.edge.bottom.load(STACK_BOTTOM.get());
        self.own.top.load(STACK_TOP_HINT.get()).saturating_sub(bottom)
    }

    /// Takes the oldest private job, unless another thread has the lock.
    pub(super) fn raid(&self) -> Option<Job> {
        if !self.has_some() {
            return None;
        }
        let Some(locked) = try_lock(&self.locked) else {
            if MODEL {
                // The checker would otherwise try for ever before it lets the holder of the lock go on.
                yield_now();
            }
            return None;
        };
        let at = self.edge.bottom.load(STACK_BOTTOM.get());
        self.edge.bottom.store(at + 1, STACK_BOTTOM_MOVE.get());
        if !locked.fencing.fence() || self.own.top.load(STACK_TOP_RAID.get()) <= at {
            self.edge.bottom.store(at, STACK_BOTTOM_MOVE.get());
            return None;
        }
        // SAFETY: position `at` is claimed and holds a job: see the module's text.
        Some(unsafe { locked.buffer.view().read(at) })
    }

    /// Whether the owner has not yet answered the last demand.
    #[inline(always)]
    pub(super) fn is_wanted(&self) -> bool {
        self.edge.limit.load(STACK_LIMIT.get()) == 0
    }

    // --- the owner: only the owner may call these ---

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
    /// The caller must be the owner.
    #[inline(always)]
    pub(super) unsafe fn is_empty(&self) -> bool {
        let top = self.top();
        // The bottom is never below `settled`, so a top that is not above `settled` means empty, without a look under
        // the lock.
        top <= self.bottom()
            && (top <= self.own.settled.get() || defect("claim_believed") || self.is_empty_now())
    }

    /// Decides [`is_empty`](Self::is_empty) under the lock, when no raid is under way. A raider that gives up leaves
    /// the job to the owner, which must not sleep on it.
    #[cold]
    #[inline(never)]
    fn is_empty_now(&self) -> bool {
        let _locked = lock(&self.locked);
        let bottom = self.bottom();
        self.own.settled.set(bottom);
        self.top() <= bottom
    }

    /// Pushes a job. Returns `true` if another worker wants a job, or if there is no room for another job: the caller
    /// must then attend to the stack, by [`open`](Self::open), before the next push.
    ///
    /// # Safety
    /// The caller must be the owner.
    #[inline(always)]
    pub(super) unsafe fn push(&self, job: Job) -> bool {
        let at = self.top();
        // SAFETY: there is always a free slot at the top, and it belongs to the owner.
        unsafe { self.own.view.get().write(at, job) };
        self.own.top.store(at + 1, STACK_PUSH.get());
        light_fence(STACK_PUSH_LIGHT);
        at + 1 >= self.edge.limit.load(STACK_LIMIT.get())
    }

    /// Pops the newest job.
    ///
    /// # Safety
    /// The caller must be the owner.
    #[inline]
    pub(super) unsafe fn pop(&self) -> Option<Job> {
        // SAFETY: the caller is the owner, by its promise.
        if unsafe { self.is_empty() } {
            return None;
        }
        let at = self.top() - 1;
        self.own.top.store(at, STACK_POP.get());
        light_fence(STACK_POP_LIGHT);
        if self.own.fences.get() {
            fence(STACK_POP_FENCE);
        }
        if self.bottom() > at && !defect("bottom_unlooked") && !self.settle(at) {
            return None;
        }
        // SAFETY: the job was pushed, and no raider has a claim on it: see the module's text.
        Some(unsafe { self.own.view.get().read(at) })
    }

    /// Whether the job at `at` is the owner's, after the top was lowered to `at` and a raider seemed to claim the
    /// job.
    #[cold]
    fn settle(&self, at: usize) -> bool {
        // While the owner holds the lock, no raid is under way: it has happened, or the raider has given up.
        let locked = lock(&self.locked);
        if self.bottom() <= at {
            return true;
        }
        let Edge { bottom, limit } = &*self.edge;
        bottom.store(at, STACK_BOTTOM_MOVE.get());
        self.own.settled.set(at);
        // The bottom goes down, so the limit must go down with it. A plain store could take a demand back.
        let seen = limit.load(STACK_LIMIT.get());
        if seen != 0 {
            let lower = locked.buffer.limit(at..at);
            let _ = limit.compare_exchange(seen, lower, STACK_LIMIT_SET.get(), STACK_LIMIT.get());
        }
        false
    }

    /// Locks the stack for the owner, which is about to hand out jobs.
    ///
    /// # Safety
    /// The caller must be the owner.
    pub(super) unsafe fn open(&self) -> Opened<'_> {
        let mut locked = lock(&self.locked);
        let bottom = self.bottom();
        // SAFETY: no raid is under way, so the positions from the bottom to the top hold the private jobs.
        unsafe { self.make_room(&mut locked.buffer, bottom..self.top()) };
        self.own.settled.set(bottom);
        Opened { jobs: self, locked }
    }

    /// Makes room in the buffer for one more job; gives a large buffer back if it is empty.
    ///
    /// # Safety
    /// The positions `live` hold the private jobs, and the caller is the owner.
    unsafe fn make_room(&self, buffer: &mut Buffer, live: Range<usize>) {
        if live.is_empty() && buffer.len() > KEEP {
            *buffer = Buffer::new(SLOTS);
        } else {
            // SAFETY: by the caller's promise; the lock, of which `buffer` is proof, keeps raiders off.
            unsafe { buffer.make_room(live) };
        }
        self.own.view.set(buffer.view());
    }

    /// Gives a large buffer back if there is no job.
    ///
    /// # Safety
    /// The caller must be the owner.
    pub(super) unsafe fn shrink(&self) {
        if self.own.view.get().may_exceed(KEEP) {
            // SAFETY: by the caller's promise.
            let opened = unsafe { self.open() };
            if !self.own.view.get().may_exceed(KEEP) {
                // The limit was the old buffer's. As if a job were wanted, so that a demand that comes now is not lost.
                opened.unanswered();
            }
        }
    }
}

/// The stack with its lock, held by the owner.
pub(super) struct Opened<'j> {
    jobs: &'j Jobs,
    locked: MutexGuard<'j, Locked>,
}

impl Opened<'_> {
    /// The number of private jobs.
    pub(super) fn len(&self) -> usize {
        self.jobs.top() - self.jobs.bottom()
    }

    /// Has the owner, who is the caller, pay for fences from now on, or not.
    pub(super) fn set_fencing(&mut self, fencing: Fencing) {
        self.locked.fencing = fencing;
        self.jobs.own.fences.set(fencing == Fencing::Both);
    }

    /// Notes that no job is wanted any more.
    pub(super) fn answered(&self) {
        let limit = self.locked.buffer.limit(self.jobs.bottom()..self.jobs.top());
        self.jobs.edge.limit.store(limit, STACK_LIMIT_SET.get());
    }

    /// Notes that a job is still wanted.
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
        // SAFETY: the positions hold jobs, and the lock is held. The bottom moves past them before the lock is
        // released.
        expose(&mut oldest.map(|at| unsafe { self.locked.buffer.view().read(at) }));
        self.jobs.edge.bottom.store(bottom, STACK_BOTTOM_MOVE.get());
        self.jobs.own.settled.set(bottom);
    }
}
