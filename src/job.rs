//! One unit of work, erased to five words.
//!
//! | words | content |
//! |---|---|
//! | 1 | the function that knows the closure's type |
//! | 4 | the closure itself if it fits, else a box of it, or a pointer to a job on somebody's stack |
//!
//! Four, so that a closure with 24 bytes of captures still fits beside the pointer to its scope.
//!
//! A boxed closure that is freed on another thread than the one that made it costs 200–250 ns; five
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
const INLINE: usize = 32;

/// What a job calls.
type Run = unsafe fn(*mut Words);

/// A job that lies somewhere: where, and what runs it.
pub(crate) struct JobId {
    pub(crate) address: *const (),
    pub(crate) run: Run,
}

pub(crate) type Words = [MaybeUninit<usize>; INLINE / size_of::<usize>()];

/// An erased job. Invariant: `run` may be called once with `words`, on any thread.
#[must_use = "a job that is dropped leaks what it captured and never runs"]
pub(crate) struct Job {
    run: Run,
    words: Words,
}

// SAFETY: both constructors demand a closure that may be sent to another thread.
unsafe impl Send for Job {}

impl Job {
    /// Erases `f`. Allocates only if the captures exceed 32 bytes or a word's alignment.
    #[inline]
    pub(crate) fn new<F: FnOnce() + Send + 'static>(f: F) -> Job {
        // SAFETY: a `'static` closure borrows nothing that could end.
        unsafe { Job::unbounded(f) }
    }

    /// As [`new`](Self::new), for a closure that borrows.
    ///
    /// # Safety
    /// What `f` borrows must live until it has run.
    #[inline]
    pub(crate) unsafe fn unbounded<F: FnOnce() + Send>(f: F) -> Job {
        if size_of::<F>() <= INLINE && align_of::<F>() <= align_of::<Words>() {
            Job::inline(f)
        } else {
            let boxed = Box::new(f);
            Job::inline(move || (*boxed)())
        }
    }

    #[inline(always)]
    fn inline<F: FnOnce() + Send>(f: F) -> Job {
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
        // SAFETY: `run_borrowed` wants what the caller promises.
        unsafe { Job::at(JobId { address: ptr::from_ref(stack).cast(), run: run_borrowed::<F, R> }) }
    }

    /// A job that calls `id.run` with words of which the first is `id.address`; see [`address_of`].
    ///
    /// # Safety
    /// That call must be allowed, once, on any thread.
    #[inline(always)]
    pub(crate) unsafe fn at(id: JobId) -> Job {
        let mut words: Words = [MaybeUninit::uninit(); INLINE / size_of::<usize>()];
        words[0] = MaybeUninit::new(id.address.expose_provenance());
        Job { run: id.run, words }
    }

    /// Whether it was made [at](Self::at) `id`.
    pub(crate) fn is(&self, id: &JobId) -> bool {
        if !ptr::fn_addr_eq(self.run, id.run) {
            return false;
        }
        // SAFETY: functions that are given to `at` go with no other constructor, so the first word was written.
        let word = unsafe { self.words[0].assume_init() };
        word == id.address.addr()
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

/// The address that a job was made [at](Job::at).
///
/// # Safety
/// `words` are those of such a job.
#[inline(always)]
pub(crate) unsafe fn address_of<T>(words: *mut Words) -> *const T {
    // SAFETY: the words are those of the job that is being run.
    let [address, ..] = unsafe { *words };
    // SAFETY: `Job::at` wrote the first word.
    let address = unsafe { address.assume_init() };
    ptr::with_exposed_provenance(address)
}

/// # Safety
/// The first word is the address of a live `StackJob<F, R>` that was not run.
unsafe fn run_borrowed<F: FnOnce() -> R + Send, R: Send>(words: *mut Words) {
    // SAFETY: `Job::borrowed` made it.
    let stack: *const StackJob<F, R> = unsafe { address_of(words) };
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

#[cfg(all(test, not(any(loom, shuttle))))]
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
        runs::<24>();
        runs::<25>();
        runs::<4096>();
    }

    #[test]
    fn a_job_is_five_words() {
        assert_eq!(size_of::<Job>(), 5 * size_of::<usize>());
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
