//! A fork's frame: its place in the list of open forks, its second side, and the place for that one's result.
//!
//! Who touches what: the owner until the job has left; then whoever has the job, until the latch is set; then the owner
//! again. The latch's set (Release) and probe (Acquire) order the two.

use std::mem::{ManuallyDrop, MaybeUninit};

use crate::job::{Home, Job, Kind, Words, address_of};
use crate::latch::{TaskLatch, TaskOwner};
use crate::sync::site::{FORK_LEAVE, FORK_STATE};
use crate::sync::{AtomicPtr, Life, UnsafeCell};
use crate::unwind::{self, Payload};
use crate::worker::with_current;

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

/// A closure that is told whether it runs elsewhere than it was forked, and the place for its result.
#[repr(C)]
pub(super) struct ForkJob<F, R> {
    pub(super) frame: Frame,
    cell: UnsafeCell<Content<F, R>>,
}

/// First the closure, until it is taken, once; then, if it ran elsewhere, its result, written before the latch is set.
union Content<F, R> {
    body: ManuallyDrop<F>,
    result: ManuallyDrop<Result<R, Payload>>,
}

impl<F: FnOnce(bool) -> R + Send, R: Send> ForkJob<F, R> {
    const KIND: &'static Kind = &Kind::at(Home::Fork, Self::run);

    /// Of a fork that is about to be put into a list in which `older` is the newest.
    #[inline(always)]
    pub(super) fn new(older: *mut Frame, body: F) -> Self {
        ForkJob {
            frame: Frame::new(Self::KIND, older),
            cell: UnsafeCell::new(Content { body: ManuallyDrop::new(body) }),
        }
    }

    /// Runs the body on a worker of the pool, stores what came of it, and sets the latch, after which the job may
    /// be gone.
    ///
    /// # Safety
    /// The words are those of a job of such a frame, which has left; this is the one call.
    unsafe fn run(words: *mut Words) {
        with_current(|worker| {
            let Some(worker) = worker else { unreachable!("a fork outside a worker") };
            // SAFETY: the address is that of a frame, with which a `ForkJob` begins.
            let this: *const Self = unsafe { address_of(words) };
            // SAFETY: alive until its latch is set.
            let job = unsafe { &*this };
            let latch = job.frame.latch();
            // SAFETY: the job has left, so its latch was made.
            let owner = unsafe { (*latch).begun_by(worker.index, words.addr()) };
            let migrated = owner.worker() != worker.index;
            // A fork is no job that anybody submitted.
            worker.me().counters.activations.add(1);
            let finish = || {
                // SAFETY: this is the one call, and the owner does not take the body of a job that left.
                let body = unsafe { job.take_body() };
                let result = unwind::catch(|| body(migrated));
                job.cell.with_mut(|content| {
                    // SAFETY: the owner reads it only after the latch is set.
                    let content = unsafe { &mut *content };
                    content.result = ManuallyDrop::new(result);
                });
                // SAFETY: alive until it is set, and nothing here is touched afterwards.
                unsafe { TaskLatch::set(latch, |owner| worker.registry.sleep.nudge(owner)) };
            };
            if migrated && owner.is_apart() { worker.run_apart(finish) } else { finish() }
        });
    }

    /// # Safety
    /// To be called once, by the owner of a job that did not leave or by who runs one that did.
    #[inline(always)]
    pub(super) unsafe fn take_body(&self) -> F {
        self.cell.with_mut(|content| {
            // SAFETY: by the caller's promise nobody else is here.
            let content = unsafe { &mut *content };
            // SAFETY: likewise, and this is the first time, so the content is the body.
            unsafe { ManuallyDrop::take(&mut content.body) }
        })
    }

    /// What the body returned elsewhere, or the payload of its panic.
    ///
    /// # Safety
    /// The latch is set, and this is called once.
    pub(super) unsafe fn take_result(&self) -> Result<R, Payload> {
        // SAFETY: it is set, and this is called once, by the owner.
        unsafe { self.frame.end_latch() };
        self.cell.with_mut(|content| {
            // SAFETY: the latch is set, so whoever ran it has let go.
            let content = unsafe { &mut *content };
            // SAFETY: it was written before the latch was set, and is read once.
            unsafe { ManuallyDrop::take(&mut content.result) }
        })
    }
}
