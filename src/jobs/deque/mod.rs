//! The deques and the injector of crossbeam, or under a checker and in the lab a stand-in with the same orderings.
//!
//! crossbeam-deque names `std`'s atomics directly, so loom and shuttle cannot see into it. The stand-in repeats its
//! algorithm, step by step and fence by fence, over a fixed number of slots. A mutex in its place would hide exactly
//! the races that a model must find. The stand-in leaves out growth, epochs and the blocks of the injector; stress
//! tests cover these.

#[cfg(not(any(
    all(loom, feature = "loom"),
    all(shuttle, feature = "shuttle"),
    all(lab, feature = "lab")
)))]
pub(crate) use crossbeam_deque::{Injector, Steal, Stealer, Worker as Deque};

#[cfg(any(all(loom, feature = "loom"), all(shuttle, feature = "shuttle"), all(lab, feature = "lab")))]
mod standin;
#[cfg(any(all(loom, feature = "loom"), all(shuttle, feature = "shuttle"), all(lab, feature = "lab")))]
pub(crate) use standin::{Deque, Injector, Steal, Stealer};
