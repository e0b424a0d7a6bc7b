//! Waiting for one thing to happen, once.
//!
//! A [`Latch`] lies on the stack of the one thread that waits for it:
//!
//! | state | meaning | next |
//! |---|---|---|
//! | `UNSET` | nobody sleeps on it | `ARMED` by the waiter, `SET` by the setter |
//! | `ARMED` | the waiter sleeps or is about to; the setter must wake it | `SET` by the setter |
//! | `SET` | it happened | – |
//!
//! The race that matters, from both sides. The setter: the moment `SET` is visible, the waiter may
//! return and its stack frame with the latch is gone, so the setter copies the handle that wakes the
//! waiter *before* it sets, and touches nothing of the latch afterwards. The waiter: it may find `SET`
//! at any of its probes, also between arming and parking; then a token is still on its way to its
//! parker, and ends some later park early, which every user of a parker allows for.

mod count;
mod waiters;

pub(crate) use count::Seen;
pub use count::{CountLatch, CountWait};
pub(crate) use waiters::{Signal, Ticket, WaitList, Wake};

use crate::sync::site::{
    LATCH_ARM, LATCH_ARM_FAIL, LATCH_PROBE, LATCH_SET, TASK_ARM, TASK_PROBE, TASK_SET, TASK_THIEF,
};
use crate::sync::{AtomicU32, AtomicU64, AtomicUsize, Life, defect};
use crate::system::parker::Unparker;

const UNSET: u32 = 0;
const ARMED: u32 = 1;
const SET: u32 = 2;

const TASK_IS_SET: u64 = 1;
const TASK_ARMED: u64 = 2;
const TASK_THIEF_SHIFT: u32 = 16;
const TASK_OWNER_SHIFT: u32 = 32;
const TASK_ISOLATED: u64 = 1 << 48;
const TASK_NUMBER: u64 = 0xFFFF;

/// Whose a [`TaskLatch`] is: the number of a worker, and whether that waits apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TaskOwner(u64);

impl TaskOwner {
    pub(crate) fn new(worker: usize, apart: bool) -> TaskOwner {
        TaskOwner((worker as u64) << TASK_OWNER_SHIFT | if apart { TASK_ISOLATED } else { 0 })
    }

    pub(crate) fn from_bits(bits: u64) -> TaskOwner {
        TaskOwner(bits)
    }

    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    pub(crate) fn worker(self) -> usize {
        (self.0 >> TASK_OWNER_SHIFT & TASK_NUMBER) as usize
    }

    /// Whether whoever runs the job must wait for nothing but what is the job's own.
    pub(crate) fn is_isolated(self) -> bool {
        self.0 & TASK_ISOLATED != 0
    }
}

/// As [`Latch`], for a waiter and a setter that are workers of one pool: a number instead of a handle, which
/// costs one store to make.
///
/// | bits | content | changed by |
/// |---|---|---|
/// | 0 | set | the setter, last |
/// | 1 | armed: the waiter sleeps or is about to | the waiter |
/// | 16–31 | who runs it, plus one | that worker, before it begins |
/// | 32–47 | who waits | – |
/// | 48 | the waiter is apart: see [`Wait`](crate::Wait) | – |
#[derive(Debug)]
pub(crate) struct TaskLatch {
    word: AtomicU64,
    /// Where on its stack the worker that runs it began; 0 before.
    begun: AtomicUsize,
    life: Life,
}

impl TaskLatch {
    /// A latch on which `owner` will wait.
    #[inline(always)]
    pub(crate) fn new(owner: TaskOwner) -> TaskLatch {
        TaskLatch { word: AtomicU64::new(owner.0), begun: AtomicUsize::new(0), life: Life::new() }
    }

    /// Whether it is set; if so, all that the setter did before is visible.
    #[inline]
    pub(crate) fn probe(&self) -> bool {
        self.word.load(TASK_PROBE.get()) & TASK_IS_SET != 0
    }

    /// Announces that the waiter is about to park. Returns `false` if there is no reason to.
    #[must_use]
    pub(crate) fn arm(&self) -> bool {
        self.word.fetch_or(TASK_ARMED, TASK_ARM.get()) & TASK_IS_SET == 0
    }

    /// Notes who runs it, and where on its stack that one begins. Returns whose it is.
    pub(crate) fn begun_by(&self, worker: usize, at: usize) -> TaskOwner {
        self.begun.store(at, TASK_THIEF.get());
        TaskOwner(self.word.fetch_or((worker as u64 + 1) << TASK_THIEF_SHIFT, TASK_THIEF.get()))
    }

    /// Whose it is.
    pub(crate) fn owner(&self) -> TaskOwner {
        TaskOwner(self.word.load(TASK_THIEF.get()))
    }

    /// Who runs it, and where on its stack that one began, if somebody does.
    pub(crate) fn thief_and_place(&self) -> Option<(usize, usize)> {
        let begun = self.begun.load(TASK_THIEF.get());
        self.thief().filter(|_| begun != 0).map(|thief| (thief, begun))
    }

    /// Who runs it, if somebody does.
    pub(crate) fn thief(&self) -> Option<usize> {
        let number = self.word.load(TASK_THIEF.get()) >> TASK_THIEF_SHIFT & TASK_NUMBER;
        (number as usize).checked_sub(1)
    }

    /// Sets it and has `wake` wake the owner if that sleeps.
    ///
    /// # Safety
    /// `this` is alive at the call. It need not be when the call returns.
    pub(crate) unsafe fn set(this: *const TaskLatch, wake: impl FnOnce(usize)) {
        // SAFETY: alive by the caller's promise until the exchange below.
        let latch = unsafe { &*this };
        latch.life.touch();
        let previous = latch.word.fetch_or(TASK_IS_SET, TASK_SET.get());
        if defect("task_touched_after_set") {
            latch.life.touch();
        }
        if previous & TASK_ARMED != 0 {
            wake(TaskOwner(previous).worker());
        }
    }
}

/// A one-shot event with one waiter.
#[derive(Debug)]
pub(crate) struct Latch {
    state: AtomicU32,
    waiter: Unparker,
    life: Life,
}

impl Latch {
    /// A latch on which the owner of `waiter` will wait.
    pub(crate) fn new(waiter: Unparker) -> Latch {
        Latch { state: AtomicU32::new(UNSET), waiter, life: Life::new() }
    }

    /// Whether it is set; if so, all that the setter did before is visible.
    #[inline]
    pub(crate) fn probe(&self) -> bool {
        self.state.load(LATCH_PROBE.get()) == SET
    }

    /// Announces that the waiter is about to park. Returns `false` if there is no reason to.
    #[must_use]
    pub(crate) fn arm(&self) -> bool {
        match self.state.compare_exchange(UNSET, ARMED, LATCH_ARM.get(), LATCH_ARM_FAIL.get()) {
            Ok(_) => true,
            Err(state) => state == ARMED,
        }
    }

    /// Sets it and wakes the waiter if that sleeps.
    ///
    /// # Safety
    /// `this` is alive at the call. It need not be when the call returns.
    pub(crate) unsafe fn set(this: *const Latch) {
        // SAFETY: alive by the caller's promise until the swap below.
        let latch = unsafe { &*this };
        let waiter = latch.waiter.clone();
        latch.life.touch();
        let previous = latch.state.swap(SET, LATCH_SET.get());
        if defect("latch_touched_after_set") {
            latch.life.touch();
        }
        if previous == ARMED {
            waiter.unpark();
        }
    }
}
