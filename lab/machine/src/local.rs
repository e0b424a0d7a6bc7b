//! Thread-locals of the machine's threads.

use std::any::Any;
use std::cell::Cell;
use std::rc::Rc;

use crate::machine::current;

/// A variable that each thread has for itself. Made by [`thread_local!`](crate::thread_local).
pub struct LocalKey<T: 'static> {
    init: fn() -> T,
}

/// The thread's variables have been dropped, or it is no thread of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessError;

impl<T: 'static> LocalKey<T> {
    #[doc(hidden)]
    #[must_use]
    pub const fn new(init: fn() -> T) -> LocalKey<T> {
        LocalKey { init }
    }

    /// Calls `f` with the calling thread's value, which is made if there is none yet.
    ///
    /// # Panics
    /// If the thread's variables have been dropped, or it is no thread of a machine.
    pub fn with<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        self.try_with(f).expect("a thread of a machine that has not ended")
    }

    /// As [`with`](Self::with).
    ///
    /// # Errors
    /// If the thread's variables have been dropped, or it is no thread of a machine.
    pub fn try_with<R>(&'static self, f: impl FnOnce(&T) -> R) -> Result<R, AccessError> {
        let machine = current().ok_or(AccessError)?;
        let key = std::ptr::from_ref(self).addr();
        let found = {
            let mut state = machine.state.borrow_mut();
            let me = state.me();
            if me.locals_gone {
                return Err(AccessError);
            }
            me.locals.iter().find(|(own, _)| *own == key).map(|(_, value)| Rc::clone(value))
        };
        let value = found.unwrap_or_else(|| {
            let value: Rc<dyn Any> = Rc::new((self.init)());
            machine.state.borrow_mut().me().locals.push((key, Rc::clone(&value)));
            value
        });
        let value = value.downcast_ref::<T>().expect("each variable has a key of its own");
        Ok(f(value))
    }
}

impl<T: 'static> LocalKey<Cell<T>> {
    /// Sets the calling thread's value. Panics as [`with`](Self::with).
    pub fn set(&'static self, value: T) {
        self.with(|cell| cell.set(value));
    }

    /// Sets the calling thread's value, and returns the one before. Panics as [`with`](Self::with).
    pub fn replace(&'static self, value: T) -> T {
        self.with(|cell| cell.replace(value))
    }

    /// Returns the calling thread's value. Panics as [`with`](Self::with).
    pub fn get(&'static self) -> T
    where
        T: Copy,
    {
        self.with(Cell::get)
    }
}

/// Declares variables that each thread of a machine has for itself, as `std::thread_local!` does.
///
/// # Examples
/// ```
/// use std::cell::Cell;
///
/// filch_lab_machine::thread_local! {
///     static OWN: Cell<u32> = Cell::new(1);
/// }
/// filch_lab_machine::run(1, filch_lab_machine::Costs::default(), 1, || {
///     OWN.set(2);
///     let other = filch_lab_machine::thread::Builder::new().spawn(|| OWN.get());
///     assert_eq!(other.expect("threads cost nothing").join().expect("it does not panic"), 1);
///     assert_eq!(OWN.get(), 2);
/// });
/// ```
#[macro_export]
macro_rules! thread_local {
    () => {};
    ($(#[$meta:meta])* $vis:vis static $name:ident: $ty:ty = const $init:block $(; $($rest:tt)*)?) => {
        $(#[$meta])* $vis static $name: $crate::LocalKey<$ty> = $crate::LocalKey::new(|| $init);
        $($crate::thread_local! { $($rest)* })?
    };
    ($(#[$meta:meta])* $vis:vis static $name:ident: $ty:ty = $init:expr $(; $($rest:tt)*)?) => {
        $(#[$meta])* $vis static $name: $crate::LocalKey<$ty> = $crate::LocalKey::new(|| $init);
        $($crate::thread_local! { $($rest)* })?
    };
}
