//! One unit of work, erased to five words.
//!
//! | words | content |
//! |---|---|
//! | 1 | the [`Kind`]: the function that knows the closure's type, and what waits for the job's end |
//! | 4 | the closure if it fits, else a box of it; if the job has a [`Home`], the address of that home comes first |
//!
//! Four words, so that a closure with 24 bytes of captures still fits beside the pointer to its scope.
//!
//! Invariant: a job has no destructor, so the holder of a job must run it. The promise *exactly once* rests on this.
//! For the same reason the pool accepts no job that it might not run.
//!
//! *Rejected*: a fat `Box<dyn FnOnce>`, because a box that one thread makes and another thread frees costs far more
//! than a copy of five words into a deque slot. A pointer to a trait object with the closure elsewhere, because it
//! needs an arena and a way to reclaim its memory, for the same copy.

use std::marker::PhantomData;
use std::mem::{MaybeUninit, align_of, size_of};
use std::ptr;

use crate::sync::UnsafeCell;
use crate::system::unwind::{self, Payload};
use crate::waiting::latch::Latch;

/// Bytes of captures that fit without an allocation.
const INLINE: usize = 32;

/// The function that a job calls with its words.
type Run = unsafe fn(*mut Words);

pub(crate) type Words = [MaybeUninit<usize>; WORDS];

const WORDS: usize = INLINE / size_of::<usize>();

/// What waits for a job's end: a frame on the stack of the worker that made the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Home {
    /// Nothing, as far as the job tells.
    None,
    /// A fork, whose second side the job is. The first word is the address of the fork's frame.
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
    /// The kind of jobs whose first word is an address; see [`Job::at`].
    pub(crate) const fn at(home: Home, run: Run) -> Kind {
        Kind { run, home }
    }
}

/// An erased job. Invariant: the `run` function of its kind may be called once with `words`, on any thread.
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

/// The kind of a scope's jobs. The words hold the address of the scope's base, then a closure that takes this
/// address.
struct Scoped<F>(PhantomData<F>);

impl<F: FnOnce(*const ())> Scoped<F> {
    const KIND: &'static Kind = &Kind { run: run_scoped::<F>, home: Home::Scope };
}

// SAFETY: each constructor demands a `Send` closure, or the promise that the call is allowed on any thread.
unsafe impl Send for Job {}

impl Job {
    /// Erases `f`. Allocates only if the captures exceed 32 bytes or a word's alignment.
    #[inline]
    pub(crate) fn new<F: FnOnce() + Send + 'static>(f: F) -> Job {
        // SAFETY: a `'static` closure borrows nothing that could end.
        unsafe { Job::unbounded(f) }
    }

    /// Erases a closure that may borrow; otherwise like [`new`](Self::new).
    ///
    /// # Safety
    /// What `f` borrows must live until `f` has run.
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
        // SAFETY: size and alignment were checked; the words are uninitialised and belong to this call.
        unsafe { place.write(f) };
        Job { kind: Inline::<F>::KIND, words }
    }

    /// Creates a job of the scope whose base is at `base`. The job passes this address to `f`. Allocates only if the
    /// captures exceed 24 bytes or a word's alignment.
    ///
    /// # Safety
    /// What `f` borrows must live until `f` has run.
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
        // SAFETY: size and alignment were checked; the words are uninitialised and belong to this call.
        unsafe { place.write(f) };
        Job { kind: Scoped::<F>::KIND, words }
    }

    /// Creates a job that runs `stack` in place.
    ///
    /// # Safety
    /// `stack` must stay in place and alive until its latch is set. There must be at most one call for each
    /// `StackJob`.
    pub(crate) unsafe fn borrowed<F, R>(stack: &StackJob<F, R>) -> Job
    where
        F: FnOnce() -> R + Send,
        R: Send,
    {
        // SAFETY: the caller promises what `run_borrowed` needs: the `StackJob` is alive, and runs once.
        unsafe { Job::at(Borrowed::<F, R>::KIND, ptr::from_ref(stack).cast()) }
    }

    /// Creates a job that calls the `run` function of `kind`, with `address` as the first word; see [`address_of`].
    ///
    /// # Safety
    /// The call must be allowed, once, on any thread. If the kind has a home, `address` must be the home's address.
    #[inline(always)]
    pub(crate) unsafe fn at(kind: &'static Kind, address: *const ()) -> Job {
        let mut words: Words = [MaybeUninit::uninit(); WORDS];
        words[0] = MaybeUninit::new(address.expose_provenance());
        Job { kind, words }
    }

    /// The kind and the address of the frame that waits for the job's end. The address is 0 if no frame waits.
    #[inline]
    pub(crate) fn home(&self) -> (Home, usize) {
        match self.kind.home {
            Home::None => (Home::None, 0),
            home => {
                // SAFETY: a job of a kind that has a home has the home's address in the first word.
                (home, unsafe { self.words[0].assume_init() })
            }
        }
    }

    /// Ends the job without a call: for an owner of what the job would run, which runs that itself.
    pub(crate) fn forget(self) {}

    /// Runs the job. A panic of the closure continues in the caller.
    #[inline]
    pub(crate) fn run(mut self) {
        // SAFETY: `self` is taken by value, and jobs are neither cloned nor built elsewhere, so this is the only
        // call.
        unsafe { (self.kind.run)(&mut self.words) }
    }
}

/// # Safety
/// `words` must hold an `F` that no other call reads.
unsafe fn run_inline<F: FnOnce()>(words: *mut Words) {
    // SAFETY: by the caller's promise; after this read the words count as uninitialised.
    let f = unsafe { words.cast::<F>().read() };
    f();
}

/// # Safety
/// `words` must hold an address and, behind the address, an `F` that no other call reads.
unsafe fn run_scoped<F: FnOnce(*const ())>(words: *mut Words) {
    // SAFETY: by the caller's promise, the first word is an address.
    let base: *const () = unsafe { address_of(words) };
    // SAFETY: the second word lies within the words.
    let place = unsafe { words.cast::<usize>().add(1) };
    // SAFETY: by the caller's promise; after this read the words count as uninitialised.
    let f = unsafe { place.cast::<F>().read() };
    f(base);
}

/// The address in the first word of a job.
///
/// # Safety
/// `words` must be the words of a job whose first word is an address: see [`Job::at`] and [`Job::of_scope`].
#[inline(always)]
pub(crate) unsafe fn address_of<T>(words: *mut Words) -> *const T {
    // SAFETY: by the caller's promise these are the words of the job that is being run.
    let [address, ..] = unsafe { *words };
    // SAFETY: the job's constructor wrote an address into the first word.
    let address = unsafe { address.assume_init() };
    ptr::with_exposed_provenance(address)
}

/// # Safety
/// The first word must be the address of a live `StackJob<F, R>` that was not run.
unsafe fn run_borrowed<F: FnOnce() -> R + Send, R: Send>(words: *mut Words) {
    // SAFETY: `Job::borrowed` made these words, with an address.
    let stack: *const StackJob<F, R> = unsafe { address_of(words) };
    // SAFETY: the maker keeps the `StackJob` alive until the latch is set, which `run` does last.
    unsafe { StackJob::run(stack) };
}

/// A closure and the place for its result, on the stack of the thread that waits for it.
///
/// Access goes in turns: the maker, until it publishes the job; then the thread that runs the job, until it sets the
/// latch; then the maker again. The latch's set (Release) and probe (Acquire) order the last two.
pub(crate) struct StackJob<F, R> {
    latch: Latch,
    closure: UnsafeCell<Option<F>>,
    result: UnsafeCell<Option<Result<R, Payload>>>,
}

impl<F: FnOnce() -> R + Send, R: Send> StackJob<F, R> {
    /// Creates a job that sets `latch` when `f` has ended.
    pub(crate) fn new(latch: Latch, f: F) -> Self {
        StackJob { latch, closure: UnsafeCell::new(Some(f)), result: UnsafeCell::new(None) }
    }

    /// The latch on which the maker waits.
    pub(crate) fn latch(&self) -> &Latch {
        &self.latch
    }

    /// Runs the closure, stores its result or its panic, and sets the latch. `this` may be gone after that.
    ///
    /// # Safety
    /// `this` must be alive until its latch is set. This must be the only call.
    unsafe fn run(this: *const Self) {
        // SAFETY: alive by the caller's promise until `set`, and this reference is not used after `set`.
        let job = unsafe { &*this };
        let closure = job.closure.with_mut(|place| {
            // SAFETY: this is the only call, so no other thread accesses the cell now.
            let place = unsafe { &mut *place };
            place.take()
        });
        let Some(closure) = closure else { unreachable!("a stack job ran twice") };
        let result = unwind::catch(closure);
        job.result.with_mut(|place| {
            // SAFETY: the maker reads the cell only after the latch is set.
            unsafe { *place = Some(result) };
        });
        let latch = &raw const job.latch;
        // SAFETY: the latch is alive until it is set, and this call touches nothing of the job afterwards.
        unsafe { Latch::set(latch) };
    }

    /// Returns what the closure returned, or the payload of its panic.
    ///
    /// # Panics
    /// If the latch is not set.
    pub(crate) fn into_result(self) -> Result<R, Payload> {
        assert!(self.latch.probe(), "the job has not ended");
        self.result
            .with_mut(|place| {
                // SAFETY: the latch is set, so the thread that ran the job no longer accesses the cell.
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
