//! The forks that a worker has open: a list through their frames, newest first.
//!
//! A fork lies in the frame of the call that made it. The owner pushes a frame at the new end and pops it there, without
//! a fence, a read-modify-write or an address that depends on what it has to read first. Forks leave at the old end,
//! in two ways: the owner hands them out on demand, or a *raider* takes one without the owner's help.
//!
//! | word | written by | read by |
//! |---|---|---|
//! | `newest` | owner | owner; raiders, after `heavy` |
//! | `left`: the newest fork that has left | owner and raiders, with the lock | anyone |
//! | `frozen` | raiders, with the lock | owner, after `light` |
//! | link of a frame, with its state | owner; then who has the lock | owner, after `light`; who has the lock |
//!
//! | state | meaning | next |
//! |---|---|---|
//! | private | the frame is in the list, and nowhere else | popped; indexed; left |
//! | indexed | it is also in the index: see below | popped, with the lock; left |
//! | left | the job is in a deque, or somebody has it | the latch is set |
//!
//! From old to new the list holds forks that have left, then indexed ones, then private ones.
//!
//! # The index
//!
//! The list leads from new to old, and forks leave oldest first. Who takes one walks from the newest to the first that is
//! indexed or has left, and enters what it came by into the index, a queue behind the lock. So each fork is walked over
//! once, however deep the recursion is, and most never are.
//!
//! # The race for a fork
//!
//! The owner moves `newest` on, then reads `frozen` and the frame's state; the raider sets `frozen`, then reads `newest`:
//! Dekker's pattern, and the protocol that Cilk-5 calls THE (Frigo, Leiserson, Randall, 1998), with an [asymmetric
//! fence](crate::system::membarrier) so that the owner pays nothing. At least one of the two sees the other.
//!
//! The owner that sees `frozen` comes for the lock, and so stands still, within the fork that it was about to take back,
//! until the raid is over. Then the state of that fork tells who has it. The raider that still sees the owner's fork, in
//! the list or in the index, may take it: the owner looks at the state again, with the lock. A fork that the raider does
//! not see any more is the owner's. All others are older than that one, and cannot be popped before it. What the owner
//! pushes meanwhile is newer than all that the raider walks over.
//!
//! # The race between demand and push
//!
//! The owner pushes, then looks whether a job is wanted; who is about to sleep says that it wants one, then compares
//! `newest` with `left`, with `light` and `heavy` in between. So either the fork is seen, or the demand.
//!
//! # Why not
//!
//! *An array of pointers to the frames.* The place in the array depends on a counter that was stored a moment ago; each
//! fork waits for that store, and what is read behind it with it. *The order of the frames' addresses* to tell which
//! have left: a recursion may go on on another stack.

use std::collections::VecDeque;
use std::ptr;

use crossbeam_utils::CachePadded;

use super::frame::{FROZEN, Frame, stateless};
use crate::jobs::job::Job;
use crate::sync::site::*;
use crate::sync::{
    AtomicPtr, AtomicUsize, MODEL, Mutex, MutexGuard, defect, light_fence, lock, try_lock, yield_now,
};
use crate::system::membarrier;
use crate::waiting::latch::TaskOwner;

/// The list and its index.
pub(super) struct ForkList {
    newest: CachePadded<AtomicPtr<Frame>>,
    edge: CachePadded<Edge>,
    index: Mutex<Index>,
}

/// What the owner reads with each fork and others seldom write.
struct Edge {
    /// 0, or [`FROZEN`].
    frozen: AtomicUsize,
    left: AtomicPtr<Frame>,
}

/// What comes with the lock.
struct Index {
    /// Forks in the state `indexed`, oldest first. Invariant: their frames live, and stay while the lock is held.
    forks: VecDeque<*const Frame>,
    /// The owner, as who waits for forks that leave: the bits of a [`TaskOwner`]. Not a word beside the lock: the owner takes a fork for gone as soon
    /// as it reads `left`, while the raid that takes it may still be under way.
    owner: u64,
}

// SAFETY: the pointers are used with the lock, by the invariant.
unsafe impl Send for Index {}

/// Who has a fork whose frame is no longer in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Settled {
    /// It is the owner's.
    Private,
    /// It has left.
    Left,
}

impl ForkList {
    pub(super) fn new() -> ForkList {
        let edge = Edge { frozen: AtomicUsize::new(0), left: AtomicPtr::new(ptr::null_mut()) };
        ForkList {
            newest: CachePadded::new(AtomicPtr::new(ptr::null_mut())),
            edge: CachePadded::new(edge),
            index: Mutex::new(Index { forks: VecDeque::new(), owner: 0 }),
        }
    }

    // --- the owner ---

    /// The newest fork.
    #[inline(always)]
    pub(super) fn newest(&self) -> *mut Frame {
        self.newest.load(FORK_NEWEST_OWN.get())
    }

    /// Appends a fork.
    ///
    /// # Safety
    /// By the owner. The frame's older one is the newest. It stays where it is until it was popped, and its job, if it
    /// left, has ended or is back. The pointer is good for all of what the frame begins.
    #[inline(always)]
    pub(super) unsafe fn push(&self, frame: *const Frame) {
        self.newest.store(frame.cast_mut(), FORK_PUSH.get());
        light_fence(FORK_PUSH_LIGHT);
    }

    /// Pops the newest fork. `true`: it is the owner's. If not, [`settle`](Self::settle) tells who has it.
    ///
    /// # Safety
    /// By the owner; `frame` is the newest.
    #[inline(always)]
    pub(super) unsafe fn pop(&self, frame: &Frame) -> bool {
        self.newest.store(frame.link().raw(), FORK_POP.get());
        light_fence(FORK_POP_LIGHT);
        let frozen = if defect("freeze_unheeded") { 0 } else { self.edge.frozen.load(FORK_FROZEN.get()) };
        frame.link().is_private_and(frozen)
    }

    /// Who has the fork that was just popped.
    ///
    /// # Safety
    /// By the owner, right after [`pop`](Self::pop).
    #[cold]
    pub(super) unsafe fn settle(&self, frame: &Frame) -> Settled {
        // With the lock no raid is under way.
        let mut index = lock(&self.index);
        let link = frame.link();
        // Without the state that came with it.
        self.newest.store(frame.older(), FORK_POP.get());
        if link.is_left() {
            // It was the newest of those that have left: all that are older left before.
            self.edge.left.store(frame.older(), FORK_LEFT.get());
            return Settled::Left;
        }
        if !link.is_private() && !defect("index_kept") {
            let newest = index.forks.pop_back();
            debug_assert!(newest.is_some_and(|newest| ptr::eq(newest, frame)));
        }
        Settled::Private
    }

    /// From now on forks that leave are waited for by `owner`. To be called while no fork is private.
    pub(super) fn set_owner(&self, owner: TaskOwner) {
        lock(&self.index).owner = owner.bits();
    }

    /// Locks the list for the owner, to hand out forks.
    pub(super) fn open(&self) -> Opened<'_> {
        let mut opened = Opened { chain: self, index: lock(&self.index) };
        opened.enter_private();
        opened
    }

    // --- anybody ---

    /// Whether there are forks that have not left, about. Exact for what was pushed before a `heavy` that precedes it.
    #[inline]
    pub(super) fn has_some(&self) -> bool {
        let left = self.edge.left.load(FORK_LEFT.get());
        !ptr::eq(stateless(self.newest.load(FORK_NEWEST_HINT.get())), left)
    }

    /// Takes the oldest fork, unless another thread has the lock.
    pub(super) fn raid(&self) -> Option<Job> {
        if !self.has_some() || !membarrier::available() {
            return None;
        }
        let Some(index) = try_lock(&self.index) else {
            if MODEL {
                // The checker would try for ever before it lets the holder go on.
                yield_now();
            }
            return None;
        };
        let mut opened = Opened { chain: self, index };
        self.edge.frozen.store(FROZEN, FORK_FREEZE.get());
        membarrier::heavy();
        opened.enter_private();
        let job = opened.pop_oldest();
        self.edge.frozen.store(0, FORK_THAW.get());
        if MODEL && job.is_none() {
            // As above, before it lets the owner come for what it has popped: until then there seems to be a fork.
            yield_now();
        }
        job
    }
}

/// The list, with its lock; its owner is the caller or stands still.
pub(super) struct Opened<'c> {
    chain: &'c ForkList,
    index: MutexGuard<'c, Index>,
}

impl Opened<'_> {
    /// Enters the private forks into the index.
    fn enter_private(&mut self) {
        let index = &mut self.index.forks;
        let known = index.len();
        let mut frame = stateless(self.chain.newest.load(FORK_NEWEST_TAKE.get()));
        // SAFETY: frames in the list live, and none that is walked over goes before the lock is free: see the module's
        // text.
        while let Some(this) = unsafe { frame.as_ref() }.filter(|this| this.link().is_private()) {
            this.note_indexed();
            index.push_back(frame);
            frame = this.older();
        }
        index.make_contiguous()[known..].reverse();
    }

    /// How many forks there are to take.
    pub(super) fn len(&self) -> usize {
        self.index.forks.len()
    }

    /// Hands the `count` oldest forks to `expose`, which must take them all.
    pub(super) fn take_oldest(
        &mut self,
        count: usize,
        expose: &mut impl FnMut(&mut dyn ExactSizeIterator<Item = Job>),
    ) {
        expose(&mut (0..count).map(|_| match self.pop_oldest() {
            Some(job) => job,
            None => unreachable!("more forks were asked for than there are"),
        }));
    }

    /// Takes the oldest fork; from now on its latch tells of its end.
    fn pop_oldest(&mut self) -> Option<Job> {
        let frame = self.index.forks.pop_front()?;
        self.chain.edge.left.store(frame.cast_mut(), FORK_LEFT.get());
        // SAFETY: with the lock; the frame lives by the index's invariant, and stays until the latch is set.
        Some(unsafe { Frame::leave(frame, TaskOwner::from_bits(self.index.owner)) })
    }
}
