//! A fork's closure and the place for its result, which lie behind the fork's [frame](Frame).
//!
//! The owner is the worker that forked. The runner below is the worker that runs a fork which has left.
//!
//! | the fork | content of `cell` | accessed by |
//! |---|---|---|
//! | has not left, or came back | the closure, until the owner takes it | owner |
//! | has left, its latch is not set | the closure, then its result | runner |
//! | has left, its latch is set | the result, until the owner takes it | owner |

use std::mem::ManuallyDrop;

use crate::jobs::job::{Home, Kind, Words, address_of};
use crate::jobs::private::Frame;
use crate::scheduler::worker::with_current;
use crate::sync::UnsafeCell;
use crate::system::unwind::{self, Payload};
use crate::waiting::latch::TaskLatch;

/// A fork: its frame, and a closure that is told whether it runs on another worker than the owner, or its result.
#[repr(C)]
pub(super) struct ForkJob<F, R> {
    pub(super) frame: Frame,
    cell: UnsafeCell<Content<F, R>>,
}

/// At first the closure, which is taken once. If the fork has left, then the result, written before the latch is set.
union Content<F, R> {
    body: ManuallyDrop<F>,
    result: ManuallyDrop<Result<R, Payload>>,
}

impl<F: FnOnce(bool) -> R + Send, R: Send> ForkJob<F, R> {
    const KIND: &'static Kind = &Kind::at(Home::Fork, Self::run);

    /// Makes a fork that is about to be put into a list in which `older` is the newest fork.
    #[inline(always)]
    pub(super) fn new(older: *mut Frame, body: F) -> Self {
        ForkJob {
            frame: Frame::new(Self::KIND, older),
            cell: UnsafeCell::new(Content { body: ManuallyDrop::new(body) }),
        }
    }

    /// Runs the body on a worker of the pool, stores its result or the payload of its panic, and sets the latch.
    /// After that the frame may be gone.
    ///
    /// # Safety
    /// `words` are those of the job of a fork of this type, which has left. This is the only call for that job.
    unsafe fn run(words: *mut Words) {
        with_current(|worker| {
            let Some(worker) = worker else { unreachable!("a fork outside a worker") };
            // SAFETY: the job was made at the address of its frame, and a `ForkJob` begins with its frame.
            let this: *const Self = unsafe { address_of(words) };
            // SAFETY: the owner keeps the frame alive until the latch is set, which happens last in here.
            let job = unsafe { &*this };
            let latch = job.frame.latch();
            // SAFETY: the latch was made when the fork left.
            let owner = unsafe { (*latch).begun_by(worker.index, words.addr()) };
            let migrated = owner.worker() != worker.index;
            // Nobody submitted the fork as a job, so it does not count as one.
            worker.me().counters.activations.add(1);
            let finish = || {
                // SAFETY: this is the only call, and the owner does not take the body while another thread has the
                // job.
                let body = unsafe { job.take_body() };
                let result = unwind::catch(|| body(migrated));
                job.cell.with_mut(|content| {
                    // SAFETY: the owner accesses the cell only after the latch is set.
                    let content = unsafe { &mut *content };
                    content.result = ManuallyDrop::new(result);
                });
                // SAFETY: the latch is alive until it is set, and nothing of the frame is touched afterwards.
                unsafe { TaskLatch::set(latch, |owner| worker.registry.sleep.nudge(owner)) };
            };
            worker.run_of(owner, finish);
        });
    }

    /// Takes the closure.
    ///
    /// # Safety
    /// Called once: by the owner if the fork did not leave or came back, or by the worker that runs the fork if it
    /// left.
    #[inline(always)]
    pub(super) unsafe fn take_body(&self) -> F {
        self.cell.with_mut(|content| {
            // SAFETY: by the caller's promise nobody else accesses the cell now.
            let content = unsafe { &mut *content };
            // SAFETY: by the caller's promise this is the first and only take, so the content is the body.
            unsafe { ManuallyDrop::take(&mut content.body) }
        })
    }

    /// Takes what the body returned elsewhere, or the payload of its panic.
    ///
    /// # Safety
    /// The fork left, its latch is set, and the owner calls this once.
    pub(super) unsafe fn take_result(&self) -> Result<R, Payload> {
        // SAFETY: the fork left, and the owner calls this once.
        unsafe { self.frame.end_latch() };
        self.cell.with_mut(|content| {
            // SAFETY: the latch is set, so the worker that ran the fork has let go of the cell.
            let content = unsafe { &mut *content };
            // SAFETY: the result was written before the latch was set, and is read once.
            unsafe { ManuallyDrop::take(&mut content.result) }
        })
    }
}
