//! One unit of work, erased to five words.
//!
//! | words | content |
//! |---|---|
//! | 1 | its [`Kind`]: the function that knows the closure's type, and whose end waits for the job |
//! | 4 | the closure itself if it fits, else a box of it; a job with a [`Home`] has that one's address in the first word |
//!
//! Four, so that a closure with 24 bytes of captures still fits beside the pointer to its scope.
//!
//! A boxed closure that is freed on another thread than the one that made it costs 200–250 ns; five
//! words in a deque slot cost a copy. Rejected: a fat `Box<dyn FnOnce>` (that cost), a trait object
//! pointer with the closure elsewhere (an arena and its reclamation, for the same copy).
//!
//! A job has no destructor: whoever holds one runs it. That is what *exactly once* rests on, and why
//! nothing is accepted that might not be run.

use std::marker::PhantomData;
use std::mem::{MaybeUninit, align_of, size_of};
use std::ptr;

use crate::sync::UnsafeCell;
use crate::system::unwind::{self, Payload};
use crate::waiting::latch::Latch;

/// Bytes of captures that fit without allocation.
const INLINE: usize = 32;

/// What a job calls.
type Run = unsafe fn(*mut Words);

pub(crate) type Words = [MaybeUninit<usize>; WORDS];

const WORDS: usize = INLINE / size_of::<usize>();

/// Who waits for a job's end: a frame on the stack of the worker that made the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Home {
    /// Nobody, as far as the job tells.
    None,
    /// The fork whose second side it is. The first word is the address of that fork's frame.
    Fork,
    /// A scope. The first word is the address of the scope's base.
    Scope,
}

/// What all jobs that were made of one type of closure have in common.
pub(crate) struct Kind {
    run: Run,
    home: Home,
}

impl Kind {
    /// Of jobs whose first word is an address; see [`Job::at`].
    pub(crate) const fn at(home: Home, run: Run) -> Kind {
        Kind { run, home }
    }
}

/// An erased job. Invariant: its kind's `run` may be called once with `words`, on any thread.
#[must_use = "a job that is dropped leaks what it captured and never runs"]
pub(crate) struct Job {
    kind: &'static Kind,
    words: Words,
}

/// The kind of jobs that hold a closure in their words.
struct Inline<F>(PhantomData<F>);

impl<F: FnOnce()> Inline<F> {
    const KIND: &'static Kind = &Kind { run: run_inline::<F>, home: Home::None };
}

/// The kind of jobs that hold the address of a [`StackJob`].
struct Borrowed<F, R>(PhantomData<(F, R)>);

impl<F: FnOnce() -> R + Send, R: Send> Borrowed<F, R> {
    const KIND: &'static Kind = &Kind::at(Home::None, run_borrowed::<F, R>);
}

/// The kind of a scope's jobs: the address of its base, then a closure that is told it.
struct Scoped<F>(PhantomData<F>);

impl<F: FnOnce(*const ())> Scoped<F> {
    const KIND: &'static Kind = &Kind { run: run_scoped::<F>, home: Home::Scope };
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
    pub(super) unsafe fn unbounded<F: FnOnce() + Send>(f: F) -> Job {
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
        let mut words: Words = [MaybeUninit::uninit(); WORDS];
        let place = words.as_mut_ptr().cast::<F>();
        // SAFETY: size and alignment were checked; the words are uninitialised and ours.
        unsafe { place.write(f) };
        Job { kind: Inline::<F>::KIND, words }
    }

    /// A job of the scope whose base is at `base`, which `f` is told. Allocates only if the captures exceed 24 bytes or
    /// a word's alignment.
    ///
    /// # Safety
    /// What `f` borrows must live until it has run.
    #[inline]
    pub(crate) unsafe fn of_scope<F: FnOnce(*const ()) + Send>(base: *const (), f: F) -> Job {
        if size_of::<F>() <= INLINE - size_of::<usize>() && align_of::<F>() <= align_of::<Words>() {
            Job::scoped(base, f)
        } else {
            let boxed = Box::new(f);
            Job::scoped(base, move |base| (*boxed)(base))
        }
    }

    #[inline(always)]
    fn scoped<F: FnOnce(*const ()) + Send>(base: *const (), f: F) -> Job {
        assert!(size_of::<F>() <= INLINE - size_of::<usize>() && align_of::<F>() <= align_of::<Words>());
        let mut words: Words = [MaybeUninit::uninit(); WORDS];
        words[0] = MaybeUninit::new(base.expose_provenance());
        let place = words[1..].as_mut_ptr().cast::<F>();
        // SAFETY: size and alignment were checked; the words are uninitialised and ours.
        unsafe { place.write(f) };
        Job { kind: Scoped::<F>::KIND, words }
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
        unsafe { Job::at(Borrowed::<F, R>::KIND, ptr::from_ref(stack).cast()) }
    }

    /// A job that calls what `kind` says with words of which the first is `address`; see [`address_of`].
    ///
    /// # Safety
    /// That call must be allowed, once, on any thread; and `address` is where the kind's home is, if it has one.
    #[inline(always)]
    pub(crate) unsafe fn at(kind: &'static Kind, address: *const ()) -> Job {
        let mut words: Words = [MaybeUninit::uninit(); WORDS];
        words[0] = MaybeUninit::new(address.expose_provenance());
        Job { kind, words }
    }

    /// The frame that waits for the job's end: of what kind, and where. The address is 0 if there is none.
    #[inline]
    pub(crate) fn home(&self) -> (Home, usize) {
        match self.kind.home {
            Home::None => (Home::None, 0),
            home => {
                // SAFETY: jobs of a kind that has a home have its address in the first word.
                (home, unsafe { self.words[0].assume_init() })
            }
        }
    }

    /// Has nobody run it: for who owns what it would run, and does that itself.
    pub(crate) fn forget(self) {}

    /// Runs it. Whatever the closure panics with goes on.
    #[inline]
    pub(crate) fn run(mut self) {
        // SAFETY: `self` is taken by value and jobs are neither cloned nor built elsewhere, so this
        // is the one call.
        unsafe { (self.kind.run)(&mut self.words) }
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
/// `words` hold an address and, behind it, an `F` that nobody else will read.
unsafe fn run_scoped<F: FnOnce(*const ())>(words: *mut Words) {
    // SAFETY: by the caller's promise.
    let base: *const () = unsafe { address_of(words) };
    // SAFETY: within the words.
    let place = unsafe { words.cast::<usize>().add(1) };
    // SAFETY: by the caller's promise; after this read the words count as uninitialised.
    let f = unsafe { place.cast::<F>().read() };
    f(base);
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
