//! One unit of work, erased to four words.
//!
//! | words | content |
//! |---|---|
//! | 1 | the function that knows the closure's type |
//! | 3 | the closure itself if it fits, else a box of it, or a pointer to a [`StackJob`] |
//!
//! A boxed closure that is freed on another thread than the one that made it costs 200–250 ns; four
//! words in a deque slot cost a copy. Rejected: a fat `Box<dyn FnOnce>` (that cost), a trait object
//! pointer with the closure elsewhere (an arena and its reclamation, for the same copy).
//!
//! A job has no destructor: whoever holds one runs it. That is what *exactly once* rests on, and why
//! nothing is accepted that might not be run.

use std::mem::{MaybeUninit, align_of, size_of};
use std::ptr;

use crate::latch::Latch;
use crate::sync::UnsafeCell;
use crate::unwind::{self, Payload};

/// Bytes of captures that fit without allocation.
const INLINE: usize = 24;

type Words = [MaybeUninit<usize>; INLINE / size_of::<usize>()];

/// An erased job. Invariant: `run` may be called once with `words`, on any thread.
#[must_use = "a job that is dropped leaks what it captured and never runs"]
pub(crate) struct Job {
    run: unsafe fn(*mut Words),
    words: Words,
}

// SAFETY: both constructors demand a closure that may be sent to another thread.
unsafe impl Send for Job {}

impl Job {
    /// Erases `f`. Allocates only if the captures exceed 24 bytes or a word's alignment.
    #[inline]
    pub(crate) fn new<F: FnOnce() + Send + 'static>(f: F) -> Job {
        if size_of::<F>() <= INLINE && align_of::<F>() <= align_of::<Words>() {
            Job::inline(f)
        } else {
            let boxed = Box::new(f);
            Job::inline(move || (*boxed)())
        }
    }

    #[inline(always)]
    fn inline<F: FnOnce() + Send + 'static>(f: F) -> Job {
        assert!(size_of::<F>() <= INLINE && align_of::<F>() <= align_of::<Words>());
        let mut words: Words = [MaybeUninit::uninit(); INLINE / size_of::<usize>()];
        let place = words.as_mut_ptr().cast::<F>();
        // SAFETY: size and alignment were checked; the words are uninitialised and ours.
        unsafe { place.write(f) };
        Job { run: run_inline::<F>, words }
    }

    /// A job that runs `stack` where it lies.
    ///
    /// # Safety
    /// `stack` must stay where it is and alive until its latch is set, and this must be called at
    /// most once for each `StackJob`.
    pub(crate) unsafe fn borrowed<F, R>(stack: &StackJob<F, R>) -> Job
    where
        F: FnOnce() -> R + Send,
        R: Send,
    {
        let mut words: Words = [MaybeUninit::uninit(); INLINE / size_of::<usize>()];
        words[0] = MaybeUninit::new(ptr::from_ref(stack).expose_provenance());
        Job { run: run_borrowed::<F, R>, words }
    }

    /// Runs it. Whatever the closure panics with goes on.
    #[inline]
    pub(crate) fn run(mut self) {
        // SAFETY: `self` is taken by value and jobs are neither cloned nor built elsewhere, so this
        // is the one call.
        unsafe { (self.run)(&mut self.words) }
    }
}

/// # Safety
/// `words` holds an `F` that nobody else will read.
unsafe fn run_inline<F: FnOnce()>(words: *mut Words) {
    // SAFETY: by the caller's promise; after this read the words count as uninitialised.
    let f = unsafe { words.cast::<F>().read() };
    f();
}

/// # Safety
/// The first word is the address of a live `StackJob<F, R>` that was not run.
unsafe fn run_borrowed<F: FnOnce() -> R + Send, R: Send>(words: *mut Words) {
    // SAFETY: the words are those of the job that is being run.
    let [address, ..] = unsafe { *words };
    // SAFETY: `Job::borrowed` wrote the first word.
    let address = unsafe { address.assume_init() };
    let stack: *const StackJob<F, R> = ptr::with_exposed_provenance(address);
    // SAFETY: the maker keeps it alive until the latch is set, which `run` does last.
    unsafe { StackJob::run(stack) };
}

/// A closure and the place for its result on the stack of a thread that waits for it.
///
/// Who touches what: before the job is published, its maker. From then until the latch is set, the
/// thread that runs it. Afterwards, the maker again; the latch's set (Release) and probe (Acquire)
/// order the two.
pub(crate) struct StackJob<F, R> {
    latch: Latch,
    closure: UnsafeCell<Option<F>>,
    result: UnsafeCell<Option<Result<R, Payload>>>,
}

impl<F: FnOnce() -> R + Send, R: Send> StackJob<F, R> {
    /// A job that sets `latch` when it has ended.
    pub(crate) fn new(latch: Latch, f: F) -> Self {
        StackJob { latch, closure: UnsafeCell::new(Some(f)), result: UnsafeCell::new(None) }
    }

    /// What the maker waits on.
    pub(crate) fn latch(&self) -> &Latch {
        &self.latch
    }

    /// Runs the closure, stores what came of it, and sets the latch, after which `this` may be gone.
    ///
    /// # Safety
    /// `this` is alive until its latch is set, and this is the one call.
    unsafe fn run(this: *const Self) {
        // SAFETY: alive by the caller's promise, for as long as this reference is used: until `set`.
        let job = unsafe { &*this };
        let closure = job.closure.with_mut(|place| {
            // SAFETY: this is the one call, so nobody else looks at the cell now.
            let place = unsafe { &mut *place };
            place.take()
        });
        let Some(closure) = closure else { unreachable!("a stack job ran twice") };
        let result = unwind::catch(closure);
        job.result.with_mut(|place| {
            // SAFETY: the maker reads this only after the latch is set.
            unsafe { *place = Some(result) };
        });
        let latch = &raw const job.latch;
        // SAFETY: the latch is alive until it is set, and nothing here is touched afterwards.
        unsafe { Latch::set(latch) };
    }

    /// What the closure returned, or the payload of its panic.
    ///
    /// # Panics
    /// If the latch was not set.
    pub(crate) fn into_result(self) -> Result<R, Payload> {
        assert!(self.latch.probe(), "the job has not ended");
        self.result
            .with_mut(|place| {
                // SAFETY: the latch is set, so the thread that ran the job has let go of it.
                let place = unsafe { &mut *place };
                place.take()
            })
            .unwrap_or_else(|| unreachable!("the latch was set without a result"))
    }
}

#[cfg(all(test, not(all(loom, feature = "loom"))))]
mod tests {
    use super::Job;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn runs<const N: usize>() {
        let total = Arc::new(AtomicUsize::new(0));
        let ballast = [1u8; N];
        let job = Job::new({
            let total = Arc::clone(&total);
            move || {
                total.fetch_add(ballast.iter().map(|&b| usize::from(b)).sum(), Ordering::Relaxed);
            }
        });
        job.run();
        assert_eq!(total.load(Ordering::Relaxed), N);
        assert_eq!(Arc::strong_count(&total), 1, "the capture was dropped once");
    }

    #[test]
    fn closures_of_each_size_run_and_drop_what_they_captured() {
        runs::<0>();
        runs::<16>();
        runs::<17>();
        runs::<4096>();
    }

    #[test]
    fn a_job_is_four_words() {
        assert_eq!(size_of::<Job>(), 4 * size_of::<usize>());
    }

    #[test]
    fn an_overaligned_capture_is_boxed() {
        #[repr(align(64))]
        struct Wide(u8);
        let wide = Wide(7);
        Job::new(move || {
            let wide = &wide;
            assert_eq!((&raw const *wide).addr() % 64, 0);
            assert_eq!(wide.0, 7);
        })
        .run();
    }
}
