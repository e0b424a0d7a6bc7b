//! Records what the threads of a round did, at the cost of two plain additions a piece of work.
//!
//! Each thread adds up in a cell of its own, and the bench reads the cells. A counter that all jobs share would cost
//! more than a good pool does, and make all contenders alike.

use std::cell::Cell;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// The sum of ids and the number of jobs of one thread. The alignment keeps two threads from writing to the same
/// cache line, or to the same pair of lines.
#[repr(align(128))]
struct Tally {
    sum: AtomicU64,
    jobs: AtomicU64,
}

/// The tallies of the threads that enter something in a round, in the order in which the threads come.
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

/// Clears all tallies, and takes the calling thread's tally away from it. Other threads keep their tallies, so make
/// the pool of the round after this call.
pub fn begin() {
    TALLY.set(None);
    TAKEN.store(0, Ordering::Relaxed);
    for Tally { sum, jobs } in &TALLIES {
        sum.store(0, Ordering::Relaxed);
        jobs.store(0, Ordering::Relaxed);
    }
}

/// The body of a job, or a mark on a piece of work: as little work as shows that the job ran.
#[inline]
pub fn enter(id: u64) {
    let tally = TALLY.get().unwrap_or_else(take_tally);
    // Each cell has one writer, so no read-modify-write is needed. Release pairs with Acquire in `entries`.
    tally.sum.store(tally.sum.load(Ordering::Relaxed).wrapping_add(black_box(id)), Ordering::Relaxed);
    tally.jobs.store(tally.jobs.load(Ordering::Relaxed) + 1, Ordering::Release);
}

/// Returns the sum of ids and the number of jobs of each thread.
#[must_use]
pub fn entries() -> Vec<(u64, u64)> {
    let read = |tally: &Tally| {
        let jobs = tally.jobs.load(Ordering::Acquire);
        (tally.sum.load(Ordering::Relaxed), jobs)
    };
    TALLIES.iter().map(read).collect()
}

/// Returns how many jobs have run up to now.
#[must_use]
pub fn done() -> u64 {
    entries().iter().map(|entry| entry.1).sum()
}

/// Checks that `jobs` jobs ran in all, and returns the number of jobs of each thread that ran any.
///
/// # Panics
/// Panics if more or fewer jobs ran.
#[must_use]
pub fn shares(jobs: u64) -> Vec<u64> {
    let shares: Vec<u64> = entries().iter().map(|entry| entry.1).filter(|&jobs| jobs > 0).collect();
    assert_eq!(shares.iter().sum::<u64>(), jobs, "number of jobs");
    shares
}
