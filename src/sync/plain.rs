//! What needs no checker's help: a cell of `std`'s in the checker's shape, and an object whose life nobody follows.

/// `std::cell::UnsafeCell` with the closure-shaped access of loom's.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    #[inline(always)]
    pub(crate) const fn new(value: T) -> Self {
        UnsafeCell(std::cell::UnsafeCell::new(value))
    }

    #[inline(always)]
    pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        f(self.0.get())
    }

    #[inline(always)]
    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }
}

/// Where loom is told that an object is alive: a touch that is not ordered before the drop is reported.
/// Nothing here.
#[derive(Debug)]
pub(crate) struct Life;

impl Life {
    #[inline(always)]
    pub(crate) const fn new() -> Life {
        Life
    }

    #[inline(always)]
    pub(crate) const fn touch(&self) {}
}
