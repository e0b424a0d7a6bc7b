//! A machine with any number of cores in virtual time.
//!
//! [`run`] runs a program whose threads, atomics, locks and clock are those of this crate. All its threads run on one
//! thread of the host, in turn: each step is one of the thread whose clock is lowest. A step costs what [`Costs`] says:
//! an access by where its cache line is, a wake, a switch of threads, an interrupt. So a program that runs for a
//! millisecond on a thousand cores can be looked at on one, and again exactly so.
//!
//! What it leaves out: memory that is not accessed by this crate's types costs nothing, caches have no size, all cores
//! are equally far from each other, and accesses have one order, whatever their orderings say.
//!
//! # Examples
//! ```
//! use filch_lab_machine::{AtomicUsize, Costs, run, thread};
//! use std::sync::{Arc, atomic::Ordering};
//!
//! // Sixteen threads that all change one word take turns at its line.
//! let report = run(16, Costs::default(), 1, || {
//!     let word = Arc::new(AtomicUsize::new(0));
//!     let threads: Vec<_> = (0..16)
//!         .map(|_| {
//!             let word = Arc::clone(&word);
//!             let change = move || (0..10_000).for_each(|_| drop(word.fetch_add(1, Ordering::Relaxed)));
//!             thread::Builder::new().spawn(change).expect("threads cost nothing")
//!         })
//!         .collect();
//!     threads.into_iter().for_each(|thread| thread.join().expect("it does not panic"));
//!     assert_eq!(word.load(Ordering::Relaxed), 160_000);
//! });
//! assert!(report.counts.transfers > 80_000);
//! ```

mod atomics;
mod clock;
mod cores;
mod costs;
mod lines;
mod local;
mod locks;
mod machine;
mod routine;
mod state;
pub mod thread;

pub use atomics::{
    AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, barrier, change, fence, read, spin_loop,
};
pub use clock::{Instant, moment};
pub use costs::{Costs, Time, micros, nanos};
pub use local::{AccessError, LocalKey};
pub use locks::{Mutex, MutexGuard, wait, wake};
pub use machine::{Report, run};
pub use state::{Counts, Span, Spent};

/// Spends `time` at work: computing, without a word that other threads use.
pub fn work(time: Time) {
    if let Some(machine) = machine::current() {
        machine.work(time);
    }
}
