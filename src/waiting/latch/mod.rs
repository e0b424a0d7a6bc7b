//! Latches: one waiter waits for one event, which happens once.
//!
//! A [`Latch`] lies on the stack of the thread that waits for it. (A [`CountLatch`] has any number of waiters.)
//!
//! | state | meaning | next |
//! |---|---|---|
//! | `UNSET` | nobody sleeps on the latch | `ARMED` by the waiter, `SET` by the setter |
//! | `ARMED` | the waiter sleeps or is about to; the setter must wake it | `SET` by the setter |
//! | `SET` | the event happened | – |
//!
//! # The race between setter and waiter
//!
//! The setter: once `SET` is visible, the waiter may return, and its stack frame with the latch is gone. So the
//! setter copies the handle that wakes the waiter *before* it sets the latch, and touches nothing of the latch
//! afterwards.
//!
//! The waiter: each of its probes may find `SET`, also a probe between arming and parking. Then a token is still on
//! its way to the waiter's parker, and ends a later park early. Every user of a parker allows for that.

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

/// The owner of a [`TaskLatch`]: the number of the worker that waits, and whether its wait is isolated.
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

    /// Returns whether the owner's wait is isolated. A worker that runs the job may then run, in its waits, only what
    /// the job itself spawned.
    pub(crate) fn is_isolated(self) -> bool {
        self.0 & TASK_ISOLATED != 0
    }
}

/// As [`Latch`], for a waiter and a setter that are workers of one pool. It holds a worker's number instead of a
/// handle, so that it costs little to make.
///
/// | bits | content | changed by |
/// |---|---|---|
/// | 0 | set | the setter, last |
/// | 1 | armed: the waiter sleeps or is about to | the waiter |
/// | 16–31 | the number of the worker that runs the job, plus one | that worker, before it begins |
/// | 32–47 | the number of the worker that waits | – |
/// | 48 | the wait is isolated: see [`Wait::OwnScope`](crate::Wait::OwnScope) | – |
#[derive(Debug)]
pub(crate) struct TaskLatch {
    word: AtomicU64,
    /// The stack address at which the worker that runs the job began; 0 before it begins.
    begun: AtomicUsize,
    life: Life,
}

impl TaskLatch {
    /// Creates a latch on which `owner` will wait.
    #[inline(always)]
    pub(crate) fn new(owner: TaskOwner) -> TaskLatch {
        TaskLatch { word: AtomicU64::new(owner.0), begun: AtomicUsize::new(0), life: Life::new() }
    }

    /// Returns whether the latch is set. If so, all that the setter did before is visible.
    #[inline]
    pub(crate) fn probe(&self) -> bool {
        self.word.load(TASK_PROBE.get()) & TASK_IS_SET != 0
    }

    /// Announces that the waiter is about to park. Returns `false` if the latch is set already, so that there is no
    /// reason to.
    #[must_use]
    pub(crate) fn arm(&self) -> bool {
        self.word.fetch_or(TASK_ARMED, TASK_ARM.get()) & TASK_IS_SET == 0
    }

    /// Notes that `worker` runs the job, and begins at the stack address `at`. Returns the owner of the latch.
    pub(crate) fn begun_by(&self, worker: usize, at: usize) -> TaskOwner {
        self.begun.store(at, TASK_THIEF.get());
        TaskOwner(self.word.fetch_or((worker as u64 + 1) << TASK_THIEF_SHIFT, TASK_THIEF.get()))
    }

    /// Returns the owner of the latch.
    pub(crate) fn owner(&self) -> TaskOwner {
        TaskOwner(self.word.load(TASK_THIEF.get()))
    }

    /// Returns which worker runs the job, and the stack address at which it began; `None` if no worker does.
    pub(crate) fn thief_and_place(&self) -> Option<(usize, usize)> {
        let begun = self.begun.load(TASK_THIEF.get());
        self.thief().filter(|_| begun != 0).map(|thief| (thief, begun))
    }

    /// Returns which worker runs the job, if one does.
    pub(crate) fn thief(&self) -> Option<usize> {
        let number = self.word.load(TASK_THIEF.get()) >> TASK_THIEF_SHIFT & TASK_NUMBER;
        (number as usize).checked_sub(1)
    }

    /// Sets the latch. Calls `wake` with the owner's number if the owner sleeps or is about to.
    ///
    /// # Safety
    /// `this` is alive at the call. It need not be alive any more when the call returns.
    pub(crate) unsafe fn set(this: *const TaskLatch, wake: impl FnOnce(usize)) {
        // SAFETY: by the caller's promise the latch is alive until the exchange below.
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
    /// Creates a latch on which the owner of `waiter` will wait.
    pub(crate) fn new(waiter: Unparker) -> Latch {
        Latch { state: AtomicU32::new(UNSET), waiter, life: Life::new() }
    }

    /// Returns whether the latch is set. If so, all that the setter did before is visible.
    #[inline]
    pub(crate) fn probe(&self) -> bool {
        self.state.load(LATCH_PROBE.get()) == SET
    }

    /// Announces that the waiter is about to park. Returns `false` if the latch is set already, so that there is no
    /// reason to.
    #[must_use]
    pub(crate) fn arm(&self) -> bool {
        match self.state.compare_exchange(UNSET, ARMED, LATCH_ARM.get(), LATCH_ARM_FAIL.get()) {
            Ok(_) => true,
            Err(state) => state == ARMED,
        }
    }

    /// Sets the latch, and wakes the waiter if it sleeps or is about to.
    ///
    /// # Safety
    /// `this` is alive at the call. It need not be alive any more when the call returns.
    pub(crate) unsafe fn set(this: *const Latch) {
        // SAFETY: by the caller's promise the latch is alive until the swap below.
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
