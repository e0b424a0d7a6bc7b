//! Fork and join on a worker: the engine of [`crate::join()`].
//!
//! [`fork`] appends the frame of the second side to the worker's [list of open forks](crate::jobs::private), calls
//! the first side, and pops the frame again. The pop has one of two results:
//!
//! | the fork | what the worker does next |
//! |---|---|
//! | did not leave | it calls the second side as a function: no slot for the result, nothing is caught |
//! | left, on demand or by a raid | the slow path: it takes the fork back out of its deque, or waits for its end |
//!
//! Invariant: both sides have ended before anything unwinds out of the frame. A drop guard sees to that.
//!
//! Why not catch the first side's panic and resume it: a result that may be a payload goes through memory, and makes
//! the frame of each level larger.

use std::mem::{MaybeUninit, forget};
use std::ptr;

use super::fork_job::ForkJob;
use crate::jobs::private::{Frame, Private, Settled};
use crate::scheduler::worker::{Help, Worker, with_current, with_private_again};
use crate::sync::defect;
use crate::system::unwind;

/// Runs `a` and `b`, maybe at the same time, and returns both results. `b` is told whether it runs on another worker
/// than the caller. The caller is the worker whose private forks and jobs are in `private`, and it may fork.
#[inline(always)]
pub(crate) fn fork<A, B, RA, RB>(private: &Private, a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA,
    B: FnOnce(bool) -> RB + Send,
    RB: Send,
{
    // A second copy of the closure, whose address stays here. The address of the copy in `job` gets about: after `a`
    // the compiler would have to read that copy, and the caller's variables that it refers to, back from memory.
    let twin = Twin::of(&b);
    let job = ForkJob::new(private.newest_fork(), b);
    // SAFETY: the frame was made for the newest fork. `job` stays in place until this function has it back or has
    // seen its latch set; if `a` unwinds, `Joining` sees to that. The pointer comes from a reference to the whole
    // `ForkJob`, so it is good for all that begins with the frame. A worker that runs the fork elsewhere has no other
    // pointer.
    let attend = unsafe { private.push_fork(ptr::from_ref(&job).cast()) };
    let joining = Joining(&job);
    if attend {
        on_worker(Worker::answer_lazily);
    }
    let left = a();
    forget(joining);
    // SAFETY: the frame is the newest: each fork of the first side was popped before the first side ended.
    let own = if DEAR_LOCALS { unsafe { private.pop_fork(&job.frame) } } else { pop(&job.frame) };
    if own || has_back(&job) {
        // SAFETY: the fork did not leave, or came back, so nobody else takes its closure. Only one of the two copies
        // is taken.
        let twin = unsafe { twin.take() };
        let b = match twin {
            Some(b) => b,
            // SAFETY: as above; there is no second copy.
            None => unsafe { job.take_body() },
        };
        return (left, b(false));
    }
    (left, result(&job))
}

/// Whether a look at a thread-local is a call. On this target each one calls `TlsGetValue`, at the price of a whole
/// fork elsewhere. The compiler's own thread-locals are two loads.
const DEAR_LOCALS: bool = cfg!(all(windows, target_env = "gnu", not(target_abi = "llvm")));

/// Pops `frame`, which is the newest fork: see [`Private::pop_fork`]. The calling worker's [`Private`] is looked up
/// once more, which is cheaper than to keep a pointer to it in every frame.
#[inline(always)]
fn pop(frame: &Frame) -> bool {
    let pop = |private: &Private| {
        // SAFETY: `frame` is the newest: each fork of the first side was popped before the first side ended.
        unsafe { private.pop_fork(frame) }
    };
    // SAFETY: this thread is the worker that pushed the frame. It is still inside the same job, so it may fork.
    unsafe { with_private_again(pop) }
}

/// Calls `f` with the calling worker. Out of line, so that [`fork`] keeps nothing in registers but what it always
/// needs.
#[cold]
#[inline(never)]
fn on_worker<R>(f: impl FnOnce(&Worker) -> R) -> R {
    with_current(|worker| {
        let Some(worker) = worker else { unreachable!("a fork outside a worker") };
        f(worker)
    })
}

/// For a fork that may have left: returns `true` as soon as the caller has it back, or `false` once it has ended
/// elsewhere.
#[cold]
#[inline(never)]
fn has_back<F, R>(job: &ForkJob<F, R>) -> bool
where
    F: FnOnce(bool) -> R + Send,
    R: Send,
{
    join(&job.frame, Help::Near)
}

/// For the fork that was just popped: returns `true` as soon as the caller has it back, or `false` once it has ended
/// elsewhere. Until then, the worker may run the jobs that `help` allows.
fn join(frame: &Frame, help: Help) -> bool {
    on_worker(|worker| {
        // SAFETY: the caller popped `frame` just now.
        match unsafe { worker.stack.settle(frame) } {
            Settled::Private => true,
            Settled::Left => {
                // SAFETY: the latch was made when the fork left, and lies in `frame`.
                let latch = unsafe { &*frame.latch() };
                worker.await_fork(latch, frame.address(), help)
            }
        }
    })
}

/// Returns the result of a fork that has ended elsewhere, or resumes its panic.
#[cold]
#[inline(never)]
fn result<F: FnOnce(bool) -> R + Send, R: Send>(job: &ForkJob<F, R>) -> R {
    // SAFETY: the latch is set, because the fork has ended elsewhere. The result is taken here only.
    match unsafe { job.take_result() } {
        Ok(right) => right,
        Err(payload) => unwind::resume(payload),
    }
}

/// A second copy of a closure, made if the closure is small. Only one of the two copies is used.
struct Twin<F>(MaybeUninit<F>);

impl<F> Twin<F> {
    /// Four words hold the captures of a usual closure. Larger copies would make the frame of each fork larger.
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

    /// Returns the copy, if there is one.
    ///
    /// # Safety
    /// Neither the original nor any other copy of the closure is used any more.
    #[inline(always)]
    unsafe fn take(self) -> Option<F> {
        // SAFETY: `of` wrote the copy, since the closure is small. By the caller's promise the copy is the only one
        // in use.
        if Self::SMALL { Some(unsafe { self.0.assume_init() }) } else { None }
    }
}

/// Runs the second side while the first side's panic is on its way. That panic wins: the second side's result or
/// payload is dropped.
#[cold]
fn end_unwinding<R>(b: impl FnOnce(bool) -> R) {
    match unwind::catch(|| b(false)) {
        Ok(right) => unwind::discard(right),
        Err(payload) => unwind::discard(payload),
    }
}

/// The guard while the first side runs: if the first side panics, the second side ends before the frame goes.
struct Joining<'f, F: FnOnce(bool) -> R + Send, R: Send>(&'f ForkJob<F, R>);

impl<F: FnOnce(bool) -> R + Send, R: Send> Drop for Joining<'_, F, R> {
    // Inlined, so that the guard needs no memory.
    #[inline(always)]
    fn drop(&mut self) {
        end_both(self.0);
    }
}

/// Runs the second side, or waits for its end, after the first side has panicked.
#[cold]
#[inline(never)]
fn end_both<F: FnOnce(bool) -> R + Send, R: Send>(job: &ForkJob<F, R>) {
    if defect("unwound_unjoined") {
        return;
    }
    // `Help::Own`: a job of another worker would run while this thread counts as panicking. The exception is a turn
    // of a broadcast, which no other worker may run.
    if pop(&job.frame) || join(&job.frame, Help::Own) {
        // SAFETY: the fork did not leave, or came back, so nobody else takes its closure. It is taken here only.
        let b = unsafe { job.take_body() };
        end_unwinding(b);
    } else {
        // SAFETY: the latch is set, because the fork has ended elsewhere. The result is taken here only.
        match unsafe { job.take_result() } {
            Ok(right) => unwind::discard(right),
            Err(payload) => unwind::discard(payload),
        }
    }
}
