//! Atomics and fences that cost virtual time, in the shape of `std::sync::atomic`.

use std::sync::atomic::{self as real, Ordering};

use crate::lines::{Access, LINE};
use crate::machine::current;

/// Pays for an access to a word, before it is made.
pub(crate) fn pay<T>(word: *const T, access: Access) {
    if let Some(machine) = current() {
        machine.access(word.addr(), access);
    }
}

/// Pays for each line of a value that is no atomic.
fn pay_all<T>(value: *const T, access: Access) {
    let Some(machine) = current() else { return };
    let (first, size) = (value.addr(), size_of::<T>());
    if size > 0 {
        (first / LINE..=(first + size - 1) / LINE).for_each(|line| machine.access(line * LINE, access));
    }
}

/// The calling thread reads the value at `place`, which is no atomic.
pub fn read<T>(place: *const T) {
    pay_all(place, Access::Load);
}

/// The calling thread reads and writes the value at `place`, which is no atomic.
pub fn change<T>(place: *const T) {
    pay_all(place, Access::Load);
    pay_all(place, Access::Store);
}

/// A store that is sequentially consistent is an exchange.
fn store(order: Ordering) -> Access {
    if order == Ordering::SeqCst { Access::ReadModifyWrite } else { Access::Store }
}

macro_rules! atomics {
    ($($(#[$meta:meta])* $name:ident($value:ty) { $($method:ident),* };)*) => {$(
        $(#[$meta])*
        #[derive(Debug, Default)]
        #[repr(transparent)]
        pub struct $name(real::$name);

        #[allow(missing_docs, reason = "the methods are those of std's type of the same name")]
        impl $name {
            #[must_use]
            pub const fn new(value: $value) -> $name {
                $name(real::$name::new(value))
            }

            pub fn load(&self, order: Ordering) -> $value {
                pay(self, Access::Load);
                self.0.load(order)
            }

            pub fn store(&self, value: $value, order: Ordering) {
                pay(self, store(order));
                self.0.store(value, order);
            }

            pub fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                pay(self, Access::ReadModifyWrite);
                self.0.compare_exchange(current, new, success, failure)
            }

            pub fn compare_exchange_weak(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.compare_exchange(current, new, success, failure)
            }

            pub fn get_mut(&mut self) -> &mut $value {
                self.0.get_mut()
            }

            pub fn into_inner(self) -> $value {
                self.0.into_inner()
            }

            pub const fn as_ptr(&self) -> *mut $value {
                self.0.as_ptr()
            }

            $(
                pub fn $method(&self, value: $value, order: Ordering) -> $value {
                    pay(self, Access::ReadModifyWrite);
                    self.0.$method(value, order)
                }
            )*
        }
    )*};
}

atomics! {
    /// `std::sync::atomic::AtomicBool`, at a price.
    AtomicBool(bool) { swap, fetch_and, fetch_or, fetch_xor };
    /// `std::sync::atomic::AtomicU32`, at a price.
    AtomicU32(u32) { swap, fetch_add, fetch_sub, fetch_and, fetch_or, fetch_xor, fetch_max, fetch_min };
    /// `std::sync::atomic::AtomicU64`, at a price.
    AtomicU64(u64) { swap, fetch_add, fetch_sub, fetch_and, fetch_or, fetch_xor, fetch_max, fetch_min };
    /// `std::sync::atomic::AtomicUsize`, at a price.
    AtomicUsize(usize) { swap, fetch_add, fetch_sub, fetch_and, fetch_or, fetch_xor, fetch_max, fetch_min };
}

/// `std::sync::atomic::AtomicPtr`, at a price.
#[derive(Debug)]
#[repr(transparent)]
pub struct AtomicPtr<T>(real::AtomicPtr<T>);

#[allow(missing_docs, reason = "the methods are those of std's type of the same name")]
impl<T> AtomicPtr<T> {
    #[must_use]
    pub const fn new(value: *mut T) -> AtomicPtr<T> {
        AtomicPtr(real::AtomicPtr::new(value))
    }

    pub fn load(&self, order: Ordering) -> *mut T {
        pay(self, Access::Load);
        self.0.load(order)
    }

    pub fn store(&self, value: *mut T, order: Ordering) {
        pay(self, store(order));
        self.0.store(value, order);
    }

    pub fn swap(&self, value: *mut T, order: Ordering) -> *mut T {
        pay(self, Access::ReadModifyWrite);
        self.0.swap(value, order)
    }

    /// # Errors
    /// The value, if it is not `current`.
    pub fn compare_exchange(
        &self,
        current: *mut T,
        new: *mut T,
        success: Ordering,
        failure: Ordering,
    ) -> Result<*mut T, *mut T> {
        pay(self, Access::ReadModifyWrite);
        self.0.compare_exchange(current, new, success, failure)
    }

    pub fn get_mut(&mut self) -> &mut *mut T {
        self.0.get_mut()
    }
}

/// A fence of the given strength. Only that of sequential consistency costs time, as on x86-64.
pub fn fence(order: Ordering) {
    real::compiler_fence(order);
    if order == Ordering::SeqCst
        && let Some(machine) = current()
    {
        machine.turn();
        machine.state.borrow_mut().fence();
    }
}

/// A fence on all cores that run a thread of the machine.
pub fn barrier() {
    if let Some(machine) = current() {
        machine.turn();
        machine.state.borrow_mut().barrier();
    }
}

/// One pause of a spin.
pub fn spin_loop() {
    if let Some(machine) = current() {
        machine.turn();
        let mut state = machine.state.borrow_mut();
        let price = state.costs.pause;
        state.spend(price);
    }
}
