//! The deques of crossbeam, or under a checker a stand-in with the same orderings.
//!
//! crossbeam-deque names `std`'s atomics directly, so loom and shuttle cannot see into it. The stand-in repeats
//! its algorithm, step by step and fence by fence, over a fixed number of slots: a mutex in its place
//! would hide exactly the races that a model is to find. What the stand-in leaves out (growth, epochs,
//! blocks of the injector) is for stress tests.

#[cfg(not(any(all(loom, feature = "loom"), all(shuttle, feature = "shuttle"))))]
pub(crate) use crossbeam_deque::{Injector, Steal, Stealer, Worker as Deque};

#[cfg(any(all(loom, feature = "loom"), all(shuttle, feature = "shuttle")))]
mod standin;
#[cfg(any(all(loom, feature = "loom"), all(shuttle, feature = "shuttle")))]
pub(crate) use standin::{Deque, Injector, Steal, Stealer};
