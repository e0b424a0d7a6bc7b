//! A fork's second side, and the place for its result, behind its [frame](Frame).

use std::mem::ManuallyDrop;

use crate::jobs::job::{Home, Kind, Words, address_of};
use crate::jobs::private::Frame;
use crate::scheduler::worker::with_current;
use crate::sync::UnsafeCell;
use crate::system::unwind::{self, Payload};
use crate::waiting::latch::TaskLatch;

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
            if migrated && owner.is_isolated() { worker.run_isolated(finish) } else { finish() }
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
