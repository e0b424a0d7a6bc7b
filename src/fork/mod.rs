//! Fork and join on a worker: the engine of [`crate::join()`].
//!
//! A fork pushes its second side onto the worker's [private stack](stack), calls the first, and pops. If the job is
//! still there, it is called as a function: no latch, no result slot, nothing caught. Only if it left, on demand or by
//! a raid, does the slow path look for it, run what was pushed above it, and wait.
//!
//! Both sides always end before anything unwinds. A drop guard sees to that, instead of catching and resuming: a
//! result that may be a payload goes through memory and makes each level's frame larger.

mod buffer;
mod job;
mod stack;

pub(crate) use stack::{Settled, Shared, Stack};

use std::mem::forget;

use crate::sync::defect;
use crate::unwind;
use crate::worker::{Help, Worker};
use job::ForkJob;

/// Runs `a` and `b`, maybe at the same time; `b` is told whether it runs on another worker than this.
#[inline(always)]
pub(crate) fn fork<A, B, RA, RB>(worker: &Worker, a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA,
    B: FnOnce(bool) -> RB + Send,
    RB: Send,
{
    let here = 0u8;
    let here = (&raw const here).addr();
    match worker.stack.room_for_fork(here) {
        None => both(a, b),
        Some(at) => push_and_run(worker, at, here, a, b),
    }
}

/// Pushes `b` at `at`, runs `a`, then `b` if nobody else has.
#[inline(never)]
fn push_and_run<A, B, RA, RB>(worker: &Worker, at: usize, here: usize, a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA,
    B: FnOnce(bool) -> RB + Send,
    RB: Send,
{
    let job = ForkJob::new(worker, b);
    // SAFETY: this frame stays until `Joining` has the job back or has seen its latch set, also if `a` unwinds.
    let erased = unsafe { job.erase() };
    let joining = Joining { worker, job: &job, at, reach: worker.stack.begin_reach(here) };
    if worker.stack.place(at, erased) {
        worker.answer_lazily();
    }
    let left = a();
    worker.stack.end_reach(joining.reach);
    forget(joining);
    if worker.stack.unfork(at) || worker.rejoin(at, &job.latch, &job.id(), Help::Near) {
        // SAFETY: the job did not leave, or came back; it is taken here only.
        let b = unsafe { job.take_body() };
        return (left, b(false));
    }
    // SAFETY: the latch is set; the result is taken here only.
    match unsafe { job.take_result() } {
        Ok(right) => (left, right),
        Err(payload) => unwind::resume(payload),
    }
}

/// Calls both sides, also if the first panics.
#[inline(always)]
fn both<A, B, RA, RB>(a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA,
    B: FnOnce(bool) -> RB,
{
    struct Second<B: FnOnce(bool) -> RB, RB>(Option<B>);

    impl<B: FnOnce(bool) -> RB, RB> Drop for Second<B, RB> {
        #[cold]
        fn drop(&mut self) {
            if let Some(b) = self.0.take() {
                end_unwinding(b);
            }
        }
    }

    let mut second = Second(Some(b));
    let left = a();
    let b = second.0.take();
    forget(second);
    let Some(b) = b else { unreachable!("nobody else takes it") };
    (left, b(false))
}

/// Runs the second side while the first one's panic is on its way: that one wins.
#[cold]
fn end_unwinding<R>(b: impl FnOnce(bool) -> R) {
    match unwind::catch(|| b(false)) {
        Ok(right) => unwind::discard(right),
        Err(payload) => unwind::discard(payload),
    }
}

/// While the first side runs: if it panics, the second one's end is awaited before the frame goes.
struct Joining<'f, F: FnOnce(bool) -> R + Send, R: Send> {
    worker: &'f Worker,
    job: &'f ForkJob<F, R>,
    at: usize,
    reach: usize,
}

impl<F: FnOnce(bool) -> R + Send, R: Send> Drop for Joining<'_, F, R> {
    #[cold]
    fn drop(&mut self) {
        let Joining { worker, job, at, reach } = *self;
        worker.stack.end_reach(reach);
        if defect("unwound_unjoined") {
            return;
        }
        // No job of others: it would run while this thread counts as panicking.
        if worker.stack.unfork(at) || worker.rejoin(at, &job.latch, &job.id(), Help::Own) {
            // SAFETY: the job did not leave, or came back; it is taken here only.
            let b = unsafe { job.take_body() };
            end_unwinding(b);
        } else {
            // SAFETY: the latch is set; the result is taken here only.
            match unsafe { job.take_result() } {
                Ok(right) => unwind::discard(right),
                Err(payload) => unwind::discard(payload),
            }
        }
    }
}
