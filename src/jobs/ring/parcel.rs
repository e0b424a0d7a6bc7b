//! Where a value lies before it is in a ring, and after.

use std::mem::{MaybeUninit, take};

/// A place for a value and its note: for one that is to be pushed, until it is, and for one that was popped, until it is
/// [opened](Self::open).
///
/// It stays where it was made and is passed by reference, so that a value is copied into it, from there to a slot, from
/// there to another, and out: with large ones each further copy counts, on somebody's stack. An error that carries the
/// value up through several calls would have room for one in each of their frames.
///
/// Invariant: `value` is one while `filled`.
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
    /// If there is none.
    #[inline(always)]
    pub(crate) fn open(&mut self) -> T {
        assert!(take(&mut self.filled), "an empty parcel");
        // SAFETY: it was filled, and is not from here on.
        unsafe { self.value.assume_init_read() }
    }
}

impl<T, N> Drop for Parcel<T, N> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.filled {
            // SAFETY: it is filled, and nobody looks again.
            unsafe { self.value.assume_init_drop() };
        }
    }
}
