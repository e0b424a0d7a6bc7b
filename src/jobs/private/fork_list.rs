//! The open forks of a worker: a list through their frames, newest first.
//!
//! A fork lies in the stack frame of the call that made it. The owner pushes a frame at the new end and pops it
//! there. It needs no read-modify-write and no address that it has to load first, and no fence where the system has a
//! fence for all cores ([`super::fencing`]). Forks leave at the old
//! end in two ways: the owner hands them out on demand, or a *raider* takes one without the owner's help.
//!
//! | word | written by | read by |
//! |---|---|---|
//! | `newest` | owner | owner; raiders, after `heavy` |
//! | `left`: the newest fork that has left | owner and raiders, with the lock | anyone |
//! | `frozen` | raiders and owner, with the lock | owner, after `light` |
//! | link of a frame, with its state | owner; later the lock's holder | owner, after `light`; the lock's holder |
//!
//! | state | meaning | next |
//! |---|---|---|
//! | private | the frame is in the list, and nowhere else | popped; indexed; left |
//! | indexed | the frame is in the list and in the index (see below) | popped, with the lock; left |
//! | left | the job is in a deque, or a thread has it | the latch is set |
//!
//! Invariant: from old to new, the list holds forks that have left, then indexed forks, then private forks.
//!
//! # The index
//!
//! The list leads from new to old, but the oldest fork leaves first. The thread that takes forks therefore walks from
//! the newest fork to the first fork that is indexed or has left. It enters each fork on its way into the index, a
//! queue behind the lock. So each fork is walked over at most once, however deep the recursion is, and most forks
//! never are.
//!
//! # The race for a fork
//!
//! The owner moves `newest` on, then reads `frozen` and the frame's state. The raider sets `frozen`, then reads
//! `newest`. This is Dekker's pattern, and the protocol that Cilk-5 calls THE (Frigo, Leiserson, Randall, 1998), with
//! an [asymmetric fence](crate::system::heavy_fence) so that the owner pays nothing, where the system has one. At least one of the two sees the
//! other.
//!
//! * An owner that sees `frozen` comes for the lock. So it stands still, within the fork that it is about to take
//!   back, until the raid is over. Then the fork's state tells who has the fork.
//! * A raider that still sees the owner's fork, in the list or in the index, may take it: the owner looks at the
//!   state again, with the lock.
//! * A fork that the raider no longer sees is the owner's. All forks that the raider sees are older, and the owner
//!   pops them only after this fork.
//! * Forks that the owner pushes meanwhile are newer than all forks that the raider walks over.
//!
//! # The race between demand and push
//!
//! The owner pushes, then looks whether a job is wanted. A worker that is about to sleep leaves its demand, then
//! compares `newest` with `left`. A `light` lies between the owner's two steps, a `heavy` between the sleeper's. So
//! either the sleeper sees the fork, or the owner sees the demand. Without a `heavy` both may miss: the sleeper then looks a
//! second time, see [`super::fencing`].
//!
//! # Why not
//!
//! *An array of pointers to the frames*: the place in the array depends on a counter that was stored a moment ago.
//! Each fork waits for that store, and so does each read that depends on the counter. *The order of the frames'
//! addresses* to tell which forks have left: a recursion may continue on another stack.

use std::collections::VecDeque;
use std::ptr;

use crossbeam_utils::CachePadded;

use super::fencing::Fencing;
use super::frame::{FENCED, FROZEN, Frame, stateless};
use crate::jobs::job::Job;
use crate::sync::site::*;
use crate::sync::{
    AtomicPtr, AtomicUsize, MODEL, Mutex, MutexGuard, defect, fence, light_fence, lock, try_lock, yield_now,
};
use crate::waiting::latch::TaskOwner;

/// The list of open forks, and its index.
pub(super) struct ForkList {
    newest: CachePadded<AtomicPtr<Frame>>,
    edge: CachePadded<Edge>,
    index: Mutex<Index>,
}

/// What the owner reads with each fork, and other threads seldom write.
struct Edge {
    /// [`FROZEN`], [`FENCED`], both or neither.
    frozen: AtomicUsize,
    left: AtomicPtr<Frame>,
}

/// What the lock protects.
struct Index {
    /// The frames of the forks in the state `indexed`, oldest first. Invariant: the frames live, and stay while the
    /// lock is held.
    forks: VecDeque<*const Frame>,
    /// The owner that waits for forks that leave: the bits of a [`TaskOwner`]. The field is behind the lock, not
    /// beside it: the owner takes a fork for gone as soon as it reads `left`, while the raid that takes the fork may
    /// still be under way.
    owner: u64,
    fencing: Fencing,
}

impl Index {
    /// The part of `frozen` that stays.
    fn fenced(&self) -> usize {
        if self.fencing == Fencing::Both { FENCED } else { 0 }
    }
}

// SAFETY: the pointers are used only with the lock held, and then the frames live by the invariant.
unsafe impl Send for Index {}

/// Who has a fork whose frame is no longer in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Settled {
    /// The owner has the fork.
    Private,
    /// The fork has left.
    Left,
}

impl ForkList {
    pub(super) fn new(fencing: Fencing) -> ForkList {
        let index = Index { forks: VecDeque::new(), owner: 0, fencing };
        let edge = Edge { frozen: AtomicUsize::new(index.fenced()), left: AtomicPtr::new(ptr::null_mut()) };
        ForkList {
            newest: CachePadded::new(AtomicPtr::new(ptr::null_mut())),
            edge: CachePadded::new(edge),
            index: Mutex::new(index),
        }
    }

    // --- the owner ---

    /// The frame of the newest fork.
    #[inline(always)]
    pub(super) fn newest(&self) -> *mut Frame {
        self.newest.load(FORK_NEWEST_OWN.get())
    }

    /// Appends a fork.
    ///
    /// # Safety
    /// * The caller is the owner.
    /// * The frame's older fork is the newest fork.
    /// * `frame` stays in place until it is popped and, if its job left, until that job has ended or is back.
    /// * The pointer is valid for the whole object that begins with the frame.
    #[inline(always)]
    pub(super) unsafe fn push(&self, frame: *const Frame) {
        self.newest.store(frame.cast_mut(), FORK_PUSH.get());
        light_fence(FORK_PUSH_LIGHT);
    }

    /// Pops the newest fork. Returns `true` if the fork is the owner's. Otherwise [`settle`](Self::settle) tells who
    /// has it.
    ///
    /// # Safety
    /// The caller must be the owner, and `frame` must be the newest fork's.
    #[inline(always)]
    pub(super) unsafe fn pop(&self, frame: &Frame) -> bool {
        self.newest.store(frame.link().raw(), FORK_POP.get());
        light_fence(FORK_POP_LIGHT);
        let frozen = if defect("freeze_unheeded") { 0 } else { self.edge.frozen.load(FORK_FROZEN.get()) };
        frame.link().is_private_and(frozen) || frozen & FENCED != 0 && self.fence_and_look(frame)
    }

    /// The rest of a [`pop`](Self::pop) by an owner that fences.
    #[cold]
    #[inline(never)]
    fn fence_and_look(&self, frame: &Frame) -> bool {
        fence(FORK_POP_FENCE);
        let frozen = self.edge.frozen.load(FORK_FROZEN.get());
        frame.link().is_private_and(frozen & FROZEN)
    }

    /// Tells who has the fork that was just popped.
    ///
    /// # Safety
    /// The caller must be the owner, and must have just called [`pop`](Self::pop) for the same frame.
    #[cold]
    pub(super) unsafe fn settle(&self, frame: &Frame) -> Settled {
        // While the owner holds the lock, no raid is under way.
        let mut index = lock(&self.index);
        let link = frame.link();
        // `pop` may have stored the state of `frame` with the pointer; this store leaves the state out.
        self.newest.store(frame.older(), FORK_POP.get());
        if link.is_left() {
            // This fork was the newest fork that has left: all older forks left before it.
            self.edge.left.store(frame.older(), FORK_LEFT.get());
            return Settled::Left;
        }
        if !link.is_private() && !defect("index_kept") {
            let newest = index.forks.pop_back();
            debug_assert!(newest.is_some_and(|newest| ptr::eq(newest, frame)));
        }
        Settled::Private
    }

    /// Sets the owner that waits for the forks that leave from now on. To be called while no fork is private.
    pub(super) fn set_owner(&self, owner: TaskOwner) {
        lock(&self.index).owner = owner.bits();
    }

    /// Locks the list for the owner, which is about to hand out forks.
    pub(super) fn open(&self) -> Opened<'_> {
        let mut opened = Opened { list: self, index: lock(&self.index) };
        opened.enter_private();
        opened
    }

    // --- anybody ---

    /// Whether there seem to be forks that have not left. The answer is exact for forks that were pushed before a
    /// `heavy` that precedes the call.
    #[inline]
    pub(super) fn has_some(&self) -> bool {
        let left = self.edge.left.load(FORK_LEFT.get());
        !ptr::eq(stateless(self.newest.load(FORK_NEWEST_HINT.get())), left)
    }

    /// Whether the owner fences, at some moment not long ago.
    pub(super) fn is_fenced(&self) -> bool {
        self.edge.frozen.load(FORK_FROZEN.get()) & FENCED != 0
    }

    /// Takes the oldest fork, unless another thread has the lock.
    pub(super) fn raid(&self) -> Option<Job> {
        if !self.has_some() {
            return None;
        }
        let Some(index) = try_lock(&self.index) else {
            if MODEL {
                // The checker would otherwise try for ever before it lets the holder of the lock go on.
                yield_now();
            }
            return None;
        };
        let mut opened = Opened { list: self, index };
        let fenced = opened.index.fenced();
        self.edge.frozen.store(FROZEN | fenced, FORK_FREEZE.get());
        let job = if opened.index.fencing.fence() {
            opened.enter_private();
            opened.pop_oldest()
        } else {
            None
        };
        self.edge.frozen.store(fenced, FORK_THAW.get());
        if MODEL && job.is_none() {
            // The checker would otherwise try for ever before it lets the owner come for the fork that it has popped:
            // until then the list seems to hold a fork.
            yield_now();
        }
        job
    }
}

/// The list with its lock. Its owner is the caller, or stands still if it comes for the lock.
pub(super) struct Opened<'c> {
    list: &'c ForkList,
    index: MutexGuard<'c, Index>,
}

impl Opened<'_> {
    /// Enters the private forks into the index.
    fn enter_private(&mut self) {
        let index = &mut self.index.forks;
        let known = index.len();
        let mut frame = stateless(self.list.newest.load(FORK_NEWEST_TAKE.get()));
        // SAFETY: frames in the list live, and no frame that is walked over goes before the lock is free: see the
        // module's text.
        while let Some(this) = unsafe { frame.as_ref() }.filter(|this| this.link().is_private()) {
            this.note_indexed();
            index.push_back(frame);
            frame = this.older();
        }
        index.make_contiguous()[known..].reverse();
    }

    /// The number of forks that can be taken.
    pub(super) fn len(&self) -> usize {
        self.index.forks.len()
    }

    /// Has the owner, who is the caller, pay for fences from now on, or not.
    pub(super) fn set_fencing(&mut self, fencing: Fencing) {
        if self.index.fencing != fencing {
            self.index.fencing = fencing;
            self.list.edge.frozen.store(self.index.fenced(), FORK_THAW.get());
        }
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

    /// Takes the oldest fork. From now on the fork's latch tells of its end.
    fn pop_oldest(&mut self) -> Option<Job> {
        let frame = self.index.forks.pop_front()?;
        self.list.edge.left.store(frame.cast_mut(), FORK_LEFT.get());
        // SAFETY: the lock is held, and the index has the pointer that was pushed. The frame lives by the index's
        // invariant, and stays until its latch is set, or until the owner has the job back. A fork leaves the index
        // only once.
        Some(unsafe { Frame::leave(frame, TaskOwner::from_bits(self.index.owner)) })
    }
}
