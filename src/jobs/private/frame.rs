//! The frame of a fork: its place in the list of open forks, and the latch that tells of the end of a fork that has
//! left.
//!
//! The second side and the place for its result lie behind the frame: [`crate::fork_join::fork_job`].
//!
//! Access to both goes in turns: the owner, until the job has left; then the thread that has the job, until it sets
//! the latch; then the owner again. The latch's set (Release) and probe (Acquire) order the last two. The `link`
//! follows other rules: see [`Frame`].

use std::mem::MaybeUninit;

use crate::jobs::job::{Home, Job, Kind};
use crate::sync::site::{FORK_LEAVE, FORK_STATE};
use crate::sync::{AtomicPtr, Life, UnsafeCell};
use crate::waiting::latch::{TaskLatch, TaskOwner};

/// The frame: the first part of every fork, whatever the types of its second side.
///
/// | link | meaning | set by |
/// |---|---|---|
/// | bit 0 | the fork is indexed | the holder of the list's lock |
/// | bit 1 | the fork has left, and its latch was made | the holder of the list's lock |
/// | others | the next older fork in the list | the owner, before the frame is in the list |
///
/// State and pointer share one word, because the number of words that a fork writes is what limits its speed. For the
/// same reason the latch is made only when the fork leaves: the thread that takes the fork makes it, under the lock
/// of the list. The owner learns under the same lock that the fork has left, and does not look at the latch before.
#[repr(C, align(8))]
pub(crate) struct Frame {
    kind: &'static Kind,
    link: AtomicPtr<Frame>,
    latch: UnsafeCell<MaybeUninit<TaskLatch>>,
    life: Life,
}

/// One value of a frame's link: the state of the fork, and the next older fork.
#[derive(Clone, Copy)]
pub(super) struct Link(*mut Frame);

const INDEXED: usize = 1;
const LEFT: usize = 2;
const STATE: usize = INDEXED | LEFT;

/// The value of a word that says that a list is frozen; see [`Link::is_private_and`].
pub(super) const FROZEN: usize = 1;

/// The value of such a word that says that the owner fences, too: see [`super::fencing`]. It makes the fast path fail.
pub(super) const FENCED: usize = 2;

impl Link {
    /// Whether the fork is private.
    #[inline(always)]
    pub(super) fn is_private(self) -> bool {
        self.is_private_and(0)
    }

    /// Whether the fork is private and `frozen` is 0.
    #[inline(always)]
    pub(super) fn is_private_and(self, frozen: usize) -> bool {
        (self.0.addr() | frozen) & STATE == 0
    }

    pub(super) fn is_left(self) -> bool {
        self.0.addr() & LEFT != 0
    }

    /// The next older fork, maybe with the state of this fork in the low bits.
    #[inline(always)]
    pub(super) fn raw(self) -> *mut Frame {
        self.0
    }
}

/// The frame that a pointer from a list of forks points to, without the state in the pointer's low bits.
#[inline(always)]
pub(super) fn stateless(frame: *mut Frame) -> *mut Frame {
    frame.map_addr(|address| address & !STATE)
}

impl Frame {
    /// Creates the frame of a fork whose job is of kind `kind`, and whose next older fork is `older`: the newest in
    /// the list that the frame is about to enter.
    #[inline(always)]
    pub(crate) fn new(kind: &'static Kind, older: *mut Frame) -> Frame {
        Frame {
            kind,
            link: AtomicPtr::new(older),
            latch: UnsafeCell::new(MaybeUninit::uninit()),
            life: Life::new(),
        }
    }

    #[inline(always)]
    pub(super) fn link(&self) -> Link {
        self.life.touch();
        Link(self.link.load(FORK_STATE.get()))
    }

    /// The next older fork.
    pub(super) fn older(&self) -> *mut Frame {
        stateless(self.link().0)
    }

    /// Marks the fork, which is private, as indexed.
    pub(super) fn note_indexed(&self) {
        self.link.store(self.older().map_addr(|address| address | INDEXED), FORK_LEAVE.get());
    }

    /// Lets the fork, which is indexed, leave: makes the latch, on which `owner` will wait, and returns the fork's
    /// job.
    ///
    /// # Safety
    /// * The caller holds the lock of the list that the frame is in.
    /// * `frame` is the pointer that was pushed, and the fork has not left yet.
    /// * The frame stays until the latch is set, or until the owner has the job back.
    pub(super) unsafe fn leave(frame: *const Frame, owner: TaskOwner) -> Job {
        // SAFETY: the frame is alive by the caller's promise.
        let this = unsafe { &*frame };
        this.latch.with_mut(|latch| {
            // SAFETY: no other thread looks at the latch before the lock is free again.
            let latch = unsafe { &mut *latch };
            latch.write(TaskLatch::new(owner));
        });
        this.link.store(this.older().map_addr(|address| address | LEFT), FORK_LEAVE.get());
        // SAFETY: a fork leaves once, and jobs run once. The address is the home's: the frame is the home. The frame
        // stays until then by the caller's promise.
        unsafe { Job::at(this.kind, frame.cast()) }
    }

    /// The address of the latch, which is made only when the fork leaves.
    pub(crate) fn latch(&self) -> *const TaskLatch {
        self.latch.with(|latch| latch.cast())
    }

    /// Drops the latch, which is set.
    ///
    /// # Safety
    /// The caller must be the owner of a fork that left and whose latch is set, and must call this once.
    pub(crate) unsafe fn end_latch(&self) {
        self.latch.with_mut(|latch| {
            // SAFETY: the latch is set, so the thread that had the job no longer accesses the latch.
            let latch = unsafe { &mut *latch };
            // SAFETY: the latch was made when the fork left, and no thread looks at it any more.
            unsafe { latch.assume_init_drop() };
        });
    }

    /// The frame's address as a number, which tells the fork's job from other jobs.
    pub(crate) fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }
}

/// The number of the worker on whose stack the frame of `job` lies, or `None` if `job` is no fork.
pub(crate) fn owner_of(job: &Job) -> Option<usize> {
    let (Home::Fork, address) = job.home() else { return None };
    let frame: *const Frame = std::ptr::with_exposed_provenance(address);
    // SAFETY: a fork's home is its frame. The frame stays until the job, which the caller has, was run.
    let latch = unsafe { (*frame).latch() };
    // SAFETY: a fork that is a job has left, so its latch was made.
    Some(unsafe { (*latch).owner() }.worker())
}
