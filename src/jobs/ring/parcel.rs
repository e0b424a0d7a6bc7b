//! The place where a value lies before it is in a ring, and after it has left the ring.

use std::mem::{MaybeUninit, take};

/// A place for a value and its note: for a value that is to be pushed, until the push; for a value that was popped,
/// until the parcel is [opened](Self::open).
///
/// A parcel stays where it was made and is passed by reference. So a value is copied into a parcel, into a slot, into
/// another parcel, and out. Each further copy of a large value would cost time, and room on a stack. An error that
/// carried the value up through several calls would need room for it in each of their frames.
///
/// Invariant: `value` is initialised while `filled`.
pub(crate) struct Parcel<T, N = ()> {
    pub(super) value: MaybeUninit<T>,
    pub(super) filled: bool,
    pub(crate) note: Option<N>,
}

impl<T, N> Parcel<T, N> {
    #[inline(always)]
    pub(crate) fn empty() -> Self {
        Parcel { value: MaybeUninit::uninit(), filled: false, note: None }
    }

    #[inline(always)]
    pub(crate) fn new(value: T, note: Option<N>) -> Self {
        Parcel { value: MaybeUninit::new(value), filled: true, note }
    }

    /// Takes the value out.
    ///
    /// # Panics
    /// If the parcel is empty.
    #[inline(always)]
    pub(crate) fn open(&mut self) -> T {
        assert!(take(&mut self.filled), "an empty parcel");
        // SAFETY: the parcel was filled, and does not count as filled any more.
        unsafe { self.value.assume_init_read() }
    }
}

impl<T, N> Drop for Parcel<T, N> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.filled {
            // SAFETY: the parcel is filled, and nothing accesses the value after the drop.
            unsafe { self.value.assume_init_drop() };
        }
    }
}
