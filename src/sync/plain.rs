//! Types for builds without loom: `std`'s cell in the shape of loom's, and an empty [`Life`].

/// `std::cell::UnsafeCell` with access through closures, as loom's cell has it.
#[derive(Debug)]
#[repr(transparent)]
#[cfg_attr(lab, allow(dead_code, reason = "the lab has one that costs time"))]
pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

#[cfg_attr(lab, allow(dead_code, reason = "the lab has one that costs time"))]
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

/// Tells loom of each use of an object, so that loom reports a use that is not ordered before the drop. Does nothing
/// in this build.
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
