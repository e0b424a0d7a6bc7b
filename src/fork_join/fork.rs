//! Fork and join on a worker: the engine of [`crate::join()`].
//!
//! A fork appends its frame to the worker's [list of open forks](crate::jobs::private), calls the first side, and takes the frame out
//! again. If the second side did not leave, it is called as a function: no result slot, nothing caught. Only if it left,
//! on demand or by a raid, does the slow path look for it and wait.
//!
//! Both sides always end before anything unwinds. A drop guard sees to that, instead of catching and resuming: a
//! result that may be a payload goes through memory and makes each level's frame larger.

use std::mem::{MaybeUninit, forget};
use std::ptr;

use super::fork_job::ForkJob;
use crate::jobs::private::{Frame, Private, Settled};
use crate::scheduler::worker::{Help, Worker, with_current, with_private_again};
use crate::sync::defect;
use crate::system::unwind;

/// Runs `a` and `b`, maybe at the same time; `b` is told whether it runs on another worker than this one, which keeps what
/// it has in `private` and may fork.
#[inline(always)]
pub(crate) fn fork<A, B, RA, RB>(private: &Private, a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA,
    B: FnOnce(bool) -> RB + Send,
    RB: Send,
{
    // The caller's own copy: the other one's address gets about, so that the compiler would have to read it back from
    // memory, and the caller's variables that it refers to as well.
    let own = Twin::of(&b);
    let job = ForkJob::new(private.newest_fork(), b);
    // SAFETY: this frame stays until `Joining` has the job back or has seen its latch set, also if `a` unwinds. Who runs the
    // job elsewhere has no other pointer: this one is to all of it.
    let attend = unsafe { private.push_fork(ptr::from_ref(&job).cast()) };
    let joining = Joining(&job);
    if attend {
        on_worker(Worker::answer_lazily);
    }
    let left = a();
    forget(joining);
    if pop(&job.frame) || has_back(&job) {
        // SAFETY: the job did not leave, or came back; it is taken here only, in one of its copies.
        let own = unsafe { own.take() };
        let b = match own {
            Some(b) => b,
            // SAFETY: as above.
            None => unsafe { job.take_body() },
        };
        return (left, b(false));
    }
    (left, result(&job))
}

/// Pops the newest fork, which is `frame`, as [`Private::pop_fork`]. It asks again where the calling worker keeps what it
/// has: that is cheaper than to remember it in every frame.
#[inline(always)]
fn pop(frame: &Frame) -> bool {
    let pop = |private: &Private| {
        // SAFETY: what the first side forked was popped again before it ended.
        unsafe { private.pop_fork(frame) }
    };
    // SAFETY: this thread is the worker that pushed the frame, which is in a job.
    unsafe { with_private_again(pop) }
}

/// Calls `f` with the calling worker. Out of line, so that a fork keeps nothing at hand but what it always needs.
#[cold]
#[inline(never)]
fn on_worker<R>(f: impl FnOnce(&Worker) -> R) -> R {
    with_current(|worker| {
        let Some(worker) = worker else { unreachable!("a fork outside a worker") };
        f(worker)
    })
}

/// The job may have left: waits until the caller has it back (`true`), or it has ended elsewhere.
#[cold]
#[inline(never)]
fn has_back<F, R>(job: &ForkJob<F, R>) -> bool
where
    F: FnOnce(bool) -> R + Send,
    R: Send,
{
    join(&job.frame, Help::Near)
}

/// Has the fork that was just popped back, or waits for its end.
fn join(frame: &Frame, help: Help) -> bool {
    on_worker(|worker| {
        // SAFETY: it was popped just now.
        match unsafe { worker.stack.settle(frame) } {
            Settled::Private => true,
            Settled::Left => {
                // SAFETY: it was made when the job left.
                let latch = unsafe { &*frame.latch() };
                worker.await_fork(latch, frame.address(), help)
            }
        }
    })
}

/// What came of a job that has ended elsewhere.
#[cold]
#[inline(never)]
fn result<F: FnOnce(bool) -> R + Send, R: Send>(job: &ForkJob<F, R>) -> R {
    // SAFETY: the latch is set; the result is taken here only.
    match unsafe { job.take_result() } {
        Ok(right) => right,
        Err(payload) => unwind::resume(payload),
    }
}

/// A copy of a closure, if that is small, of which only one will be used.
struct Twin<F>(MaybeUninit<F>);

impl<F> Twin<F> {
    /// Four words are a usual closure's captures; larger copies would make the frame of each fork larger.
    const SMALL: bool = size_of::<F>() <= 4 * size_of::<usize>();

    #[inline(always)]
    fn of(f: &F) -> Twin<F> {
        let mut copy = MaybeUninit::uninit();
        if Self::SMALL {
            // SAFETY: both are valid for a read and a write of an `F`, and do not overlap.
            unsafe { ptr::copy_nonoverlapping(f, copy.as_mut_ptr(), 1) };
        }
        Twin(copy)
    }

    /// # Safety
    /// The original is not used any more, nor any other copy.
    #[inline(always)]
    unsafe fn take(self) -> Option<F> {
        // SAFETY: it was written if it is small, and stands for the original by the caller's promise.
        if Self::SMALL { Some(unsafe { self.0.assume_init() }) } else { None }
    }
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
struct Joining<'f, F: FnOnce(bool) -> R + Send, R: Send>(&'f ForkJob<F, R>);

impl<F: FnOnce(bool) -> R + Send, R: Send> Drop for Joining<'_, F, R> {
    // Inlined, so that the guard needs no memory.
    #[inline(always)]
    fn drop(&mut self) {
        end_both(self.0);
    }
}

/// The first side has panicked: sees to the end of the second.
#[cold]
#[inline(never)]
fn end_both<F: FnOnce(bool) -> R + Send, R: Send>(job: &ForkJob<F, R>) {
    if defect("unwound_unjoined") {
        return;
    }
    // No job of others, but its turn of a broadcast: they would run while this thread counts as panicking.
    if pop(&job.frame) || join(&job.frame, Help::Own) {
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
