//! The slots of a worker's private stack of jobs.

use std::mem::MaybeUninit;

use crate::jobs::job::Job;
use crate::sync::UnsafeCell;

type Slot = UnsafeCell<MaybeUninit<Job>>;

/// The slots. A job's slot is its position modulo the number of slots, which is a power of two.
pub(super) struct Buffer(Box<[Slot]>);

impl Buffer {
    pub(super) fn new(slots: usize) -> Buffer {
        debug_assert!(slots.is_power_of_two());
        Buffer((0..slots).map(|_| UnsafeCell::new(MaybeUninit::uninit())).collect())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn view(&self) -> View {
        View { first: self.0.as_ptr(), mask: self.0.len() - 1 }
    }
}

/// Where the slots of a buffer are. Invariant: the buffer lives for as long as the view is used.
#[derive(Clone, Copy)]
pub(super) struct View {
    first: *const Slot,
    mask: usize,
}

impl View {
    #[inline(always)]
    fn slot(&self, at: usize) -> &Slot {
        // SAFETY: the mask keeps the offset below the number of slots.
        let slot = unsafe { self.first.add(at & self.mask) };
        // SAFETY: by the invariant, the buffer is alive.
        unsafe { &*slot }
    }

    /// Writes `job` into the slot of position `at`.
    ///
    /// # Safety
    /// No other thread may access the slot now.
    #[inline(always)]
    pub(super) unsafe fn write(&self, at: usize, job: Job) {
        self.slot(at).with_mut(|slot| {
            // SAFETY: by the caller's promise.
            let slot = unsafe { &mut *slot };
            slot.write(job);
        });
    }

    /// Takes the job out of the slot of position `at`.
    ///
    /// # Safety
    /// The slot must have been written, must be read only once, and must not be written now.
    #[inline(always)]
    pub(super) unsafe fn read(&self, at: usize) -> Job {
        self.slot(at).with_mut(|slot| {
            // SAFETY: by the caller's promise, no thread writes the slot now.
            let slot = unsafe { &*slot };
            // SAFETY: by the caller's promise, the slot was written and is read once.
            unsafe { slot.assume_init_read() }
        })
    }
}
