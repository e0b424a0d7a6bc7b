//! The slots of a private stack.

use std::mem::MaybeUninit;

use crate::job::Job;
use crate::sync::UnsafeCell;

type Slot = UnsafeCell<MaybeUninit<Job>>;

/// From this size on, in bytes, a buffer is worth large pages: it is filled from one end to the other, and with 4 KiB
/// each page costs a fault, which was half of the price of a million spawned jobs.
const LARGE: usize = 4 << 20;

/// Asks the system to back `slots` with large pages. It may not, and nothing depends on it.
#[cfg(all(target_os = "linux", not(all(loom, feature = "loom"))))]
fn ask_for_large_pages(slots: &[Slot]) {
    const PAGE: usize = 2 << 20;
    let (from, to) = (slots.as_ptr().addr(), slots.as_ptr().addr() + size_of_val(slots));
    let (from, to) = (from.next_multiple_of(PAGE), to / PAGE * PAGE);
    if from < to {
        let first = slots.as_ptr().with_addr(from).cast_mut().cast();
        // SAFETY: the range lies within an allocation of ours, and the advice changes nothing that is in it.
        unsafe { libc::madvise(first, to - from, libc::MADV_HUGEPAGE) };
    }
}

#[cfg(not(all(target_os = "linux", not(all(loom, feature = "loom")))))]
fn ask_for_large_pages(_slots: &[Slot]) {}

/// Slots by position modulo their number, a power of two.
pub(super) struct Buffer(Box<[Slot]>);

impl Buffer {
    pub(super) fn new(slots: usize) -> Buffer {
        debug_assert!(slots.is_power_of_two());
        let slots: Box<[Slot]> = (0..slots).map(|_| UnsafeCell::new(MaybeUninit::uninit())).collect();
        if size_of_val(&*slots) >= LARGE {
            ask_for_large_pages(&slots);
        }
        Buffer(slots)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn view(&self) -> View {
        View { first: self.0.as_ptr(), mask: self.0.len() - 1 }
    }
}

/// Where the slots of a buffer are. Invariant: that buffer lives for as long as the view is used.
#[derive(Clone, Copy)]
pub(super) struct View {
    first: *const Slot,
    mask: usize,
}

impl View {
    /// One less than the number of slots.
    #[inline(always)]
    pub(super) fn mask(&self) -> usize {
        self.mask
    }

    #[inline(always)]
    fn slot(&self, at: usize) -> &Slot {
        // SAFETY: the mask keeps the offset below the number of slots.
        let slot = unsafe { self.first.add(at & self.mask) };
        // SAFETY: by the invariant.
        unsafe { &*slot }
    }

    /// # Safety
    /// Nobody else may access the slot now.
    #[inline(always)]
    pub(super) unsafe fn write(&self, at: usize, job: Job) {
        self.slot(at).with_mut(|slot| {
            // SAFETY: by the caller's promise.
            let slot = unsafe { &mut *slot };
            slot.write(job);
        });
    }

    /// # Safety
    /// The slot was written, is read once, and nobody writes it now.
    #[inline(always)]
    pub(super) unsafe fn read(&self, at: usize) -> Job {
        self.slot(at).with_mut(|slot| {
            // SAFETY: by the caller's promise.
            let slot = unsafe { &*slot };
            // SAFETY: likewise.
            unsafe { slot.assume_init_read() }
        })
    }
}
