//! A fork's frame: its place in the list of open forks, and the latch that tells of its end if it has left.
//!
//! The second side and the place for its result lie behind it: [`crate::fork_join::fork_job`].
//!
//! Who touches what: the owner until the job has left; then whoever has the job, until the latch is set; then the owner
//! again. The latch's set (Release) and probe (Acquire) order the two.

use std::mem::MaybeUninit;

use crate::jobs::job::{Home, Job, Kind};
use crate::sync::site::{FORK_LEAVE, FORK_STATE};
use crate::sync::{AtomicPtr, Life, UnsafeCell};
use crate::waiting::latch::{TaskLatch, TaskOwner};

/// What a fork's frame begins with, whatever its types.
///
/// | link | meaning | set by |
/// |---|---|---|
/// | bit 0 | the fork is indexed | who has the lock of the list |
/// | bit 1 | the fork has left, and its latch was made | the same |
/// | others | the fork that was newest before | the owner, before the frame is in the list |
///
/// One word, because what limits a fork is how many it has to write. For that reason the latch is made only when the fork
/// leaves, by who takes it, under the lock of the list. The owner learns under the same lock that the fork has left, and
/// does not look at the latch before.
#[repr(C, align(8))]
pub(crate) struct Frame {
    kind: &'static Kind,
    link: AtomicPtr<Frame>,
    latch: UnsafeCell<MaybeUninit<TaskLatch>>,
    life: Life,
}

/// What a frame says of the fork, and where the next older one is.
#[derive(Clone, Copy)]
pub(super) struct Link(*mut Frame);

const INDEXED: usize = 1;
const LEFT: usize = 2;
const STATE: usize = INDEXED | LEFT;

/// The value of a word that says that a list is frozen; see [`Link::is_private_and`].
pub(super) const FROZEN: usize = 1;

impl Link {
    /// Whether the fork is its owner's alone.
    #[inline(always)]
    pub(super) fn is_private(self) -> bool {
        self.is_private_and(0)
    }

    /// Whether it is, and `frozen` is 0.
    #[inline(always)]
    pub(super) fn is_private_and(self, frozen: usize) -> bool {
        (self.0.addr() | frozen) & STATE == 0
    }

    pub(super) fn is_left(self) -> bool {
        self.0.addr() & LEFT != 0
    }

    /// The next older fork, maybe with the state of this one.
    #[inline(always)]
    pub(super) fn raw(self) -> *mut Frame {
        self.0
    }
}

/// The frame that a pointer from a list of forks is to, whatever state comes with it.
#[inline(always)]
pub(super) fn stateless(frame: *mut Frame) -> *mut Frame {
    frame.map_addr(|address| address & !STATE)
}

impl Frame {
    /// Of a fork that is about to be put into a list in which `older` is the newest, and whose job is of that kind.
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

    /// The fork, which was private, is indexed.
    pub(super) fn note_indexed(&self) {
        self.link.store(self.older().map_addr(|address| address | INDEXED), FORK_LEAVE.get());
    }

    /// The fork, which was indexed, leaves: its job. `owner` will wait for it.
    ///
    /// # Safety
    /// By who has the lock of the list that the frame is in, with the pointer that was pushed. It stays until the latch is
    /// set, or the owner has the job back.
    pub(super) unsafe fn leave(frame: *const Frame, owner: TaskOwner) -> Job {
        // SAFETY: by the caller's promise.
        let this = unsafe { &*frame };
        this.latch.with_mut(|latch| {
            // SAFETY: nobody else looks at the latch before the lock is free again.
            let latch = unsafe { &mut *latch };
            latch.write(TaskLatch::new(owner));
        });
        this.link.store(this.older().map_addr(|address| address | LEFT), FORK_LEAVE.get());
        // SAFETY: by the caller's promise; a fork leaves once, and jobs run once. A frame is its own home.
        unsafe { Job::at(this.kind, frame.cast()) }
    }

    /// Its latch.
    pub(crate) fn latch(&self) -> *const TaskLatch {
        self.latch.with(|latch| latch.cast())
    }

    /// The end of a latch that is set.
    ///
    /// # Safety
    /// By the owner, once, of a fork that left.
    pub(crate) unsafe fn end_latch(&self) {
        self.latch.with_mut(|latch| {
            // SAFETY: whoever had the job has let go of it.
            let latch = unsafe { &mut *latch };
            // SAFETY: it was made when the fork left, and nobody looks at it any more.
            unsafe { latch.assume_init_drop() };
        });
    }

    /// What tells the job from others.
    pub(crate) fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }
}

/// Which worker has the frame of a fork that has left on its stack.
pub(crate) fn owner_of(job: &Job) -> Option<usize> {
    let (Home::Fork, address) = job.home() else { return None };
    let frame: *const Frame = std::ptr::with_exposed_provenance(address);
    // SAFETY: a fork's home is its frame, which stays until the job, which the caller has, was run.
    let latch = unsafe { (*frame).latch() };
    // SAFETY: a fork that is a job has left, so its latch was made.
    Some(unsafe { (*latch).owner() }.worker())
}
