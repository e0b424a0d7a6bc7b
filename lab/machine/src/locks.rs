//! Blocking: a word to sleep on, and a lock, in the shapes of a futex and of `std::sync::Mutex`.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::Ordering;
use std::sync::{LockResult, PoisonError, TryLockError, TryLockResult};
use std::time::Duration;

use crate::atomics::{AtomicU32, pay, spin_loop};
use crate::clock::to_time;
use crate::lines::Access;
use crate::machine::current;

/// Blocks while `word` is `expected`, until a [`wake`] or the end of `time`.
pub fn wait(word: &AtomicU32, expected: u32, time: Option<Duration>) {
    let Some(machine) = current() else { return };
    machine.turn();
    {
        let mut state = machine.state.borrow_mut();
        let price = state.costs.call;
        state.spend(price);
    }
    if word.load(Ordering::SeqCst) == expected {
        machine.block(Some(std::ptr::from_ref(word).addr()), time.map(to_time));
    }
}

/// Wakes a thread that blocks on `word`.
pub fn wake(word: &AtomicU32) {
    wake_at(std::ptr::from_ref(word).addr());
}

fn wake_at(address: usize) {
    let Some(machine) = current() else { return };
    machine.turn();
    let mut state = machine.state.borrow_mut();
    let price = state.costs.call;
    state.spend(price);
    state.wake(address);
}

/// How often a thread looks at a lock that is held before it blocks.
const LOOKS: u32 = 100;

/// A lock.
#[derive(Debug, Default)]
pub struct Mutex<T: ?Sized> {
    /// How many threads block.
    sleepers: std::sync::atomic::AtomicUsize,
    inner: std::sync::Mutex<T>,
}

/// A lock that is held, and its value.
#[derive(Debug)]
pub struct MutexGuard<'m, T: ?Sized> {
    mutex: &'m Mutex<T>,
    /// `None` only while it is dropped.
    inner: Option<std::sync::MutexGuard<'m, T>>,
}

impl<T> Mutex<T> {
    /// Creates a lock that is free.
    pub const fn new(value: T) -> Mutex<T> {
        Mutex { sleepers: std::sync::atomic::AtomicUsize::new(0), inner: std::sync::Mutex::new(value) }
    }

    /// Returns the value.
    ///
    /// # Errors
    /// The value, if a holder panicked.
    pub fn into_inner(self) -> LockResult<T> {
        self.inner.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    fn address(&self) -> usize {
        std::ptr::from_ref(&self.sleepers).addr()
    }

    fn guard<'m>(&'m self, inner: std::sync::MutexGuard<'m, T>) -> MutexGuard<'m, T> {
        MutexGuard { mutex: self, inner: Some(inner) }
    }

    /// Takes the lock if it is free.
    ///
    /// # Errors
    /// If the lock is held, or a holder panicked.
    pub fn try_lock(&self) -> TryLockResult<MutexGuard<'_, T>> {
        pay(&raw const self.sleepers, Access::ReadModifyWrite);
        match self.inner.try_lock() {
            Ok(inner) => Ok(self.guard(inner)),
            Err(TryLockError::WouldBlock) => Err(TryLockError::WouldBlock),
            Err(TryLockError::Poisoned(poisoned)) => {
                let guard = self.guard(poisoned.into_inner());
                Err(TryLockError::Poisoned(PoisonError::new(guard)))
            }
        }
    }

    /// Takes the lock, and blocks until it is free.
    ///
    /// # Errors
    /// If a holder panicked.
    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        let mut looks = 0;
        loop {
            match self.try_lock() {
                Ok(guard) => return Ok(guard),
                Err(TryLockError::Poisoned(poisoned)) => return Err(poisoned),
                Err(TryLockError::WouldBlock) if looks < LOOKS => {
                    looks += 1;
                    spin_loop();
                }
                Err(TryLockError::WouldBlock) => {
                    let machine = current().expect("only threads of a machine hold a lock for long");
                    self.sleepers.fetch_add(1, Ordering::Relaxed);
                    machine.block(Some(self.address()), None);
                    self.sleepers.fetch_sub(1, Ordering::Relaxed);
                }
            }
        }
    }

    /// Returns the value.
    ///
    /// # Errors
    /// If a holder panicked.
    pub fn get_mut(&mut self) -> LockResult<&mut T> {
        self.inner.get_mut()
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.inner.as_ref().expect("it is not being dropped")
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.inner.as_mut().expect("it is not being dropped")
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        pay(&raw const self.mutex.sleepers, Access::ReadModifyWrite);
        self.inner = None;
        if self.mutex.sleepers.load(Ordering::Relaxed) > 0 {
            wake_at(self.mutex.address());
        }
    }
}
