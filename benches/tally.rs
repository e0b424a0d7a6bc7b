//! Records what the threads of a round did, at the cost of two plain additions a piece of work.
//!
//! Each thread adds up in a cell of its own, and the bench reads the cells. A counter that all jobs share would cost
//! more than a good pool does, and make all contenders alike.

use std::cell::Cell;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// What one thread did. Aligned so that no two threads write to one cache line, or to a pair of them.
#[repr(align(128))]
struct Tally {
    sum: AtomicU64,
    jobs: AtomicU64,
}

/// For the threads that do something in a round, in the order in which they come.
static TALLIES: [Tally; 64] = [const { Tally { sum: AtomicU64::new(0), jobs: AtomicU64::new(0) } }; 64];
static TAKEN: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static TALLY: Cell<Option<&'static Tally>> = const { Cell::new(None) };
}

#[cold]
fn take_tally() -> &'static Tally {
    let tally = &TALLIES[TAKEN.fetch_add(1, Ordering::Relaxed)];
    TALLY.set(Some(tally));
    tally
}

/// Clears all tallies. The pool of the round is to be made after that, since its threads keep theirs; the
/// calling thread gives its own back.
pub fn begin() {
    TALLY.set(None);
    TAKEN.store(0, Ordering::Relaxed);
    for Tally { sum, jobs } in &TALLIES {
        sum.store(0, Ordering::Relaxed);
        jobs.store(0, Ordering::Relaxed);
    }
}

/// The body of a job, or a mark on a piece of work: as little as will show that it was done.
#[inline]
pub fn enter(id: u64) {
    let tally = TALLY.get().unwrap_or_else(take_tally);
    // One writer each, so no read-modify-write. Release pairs with Acquire in `entries`.
    tally.sum.store(tally.sum.load(Ordering::Relaxed).wrapping_add(black_box(id)), Ordering::Relaxed);
    tally.jobs.store(tally.jobs.load(Ordering::Relaxed) + 1, Ordering::Release);
}

/// The sum of ids and the number of jobs of each thread.
#[must_use]
pub fn entries() -> Vec<(u64, u64)> {
    let read = |tally: &Tally| {
        let jobs = tally.jobs.load(Ordering::Acquire);
        (tally.sum.load(Ordering::Relaxed), jobs)
    };
    TALLIES.iter().map(read).collect()
}

/// How many jobs were done up to now.
#[must_use]
pub fn done() -> u64 {
    entries().iter().map(|entry| entry.1).sum()
}

/// The jobs of each thread that did any, `jobs` of them in all.
///
/// # Panics
/// If there were more or fewer.
#[must_use]
pub fn shares(jobs: u64) -> Vec<u64> {
    let shares: Vec<u64> = entries().iter().map(|entry| entry.1).filter(|&jobs| jobs > 0).collect();
    assert_eq!(shares.iter().sum::<u64>(), jobs, "number of jobs");
    shares
}
