//! The spares of a pool as all threads see them: which spares exist, which of them rest, where their threads are.
//!
//! [`super::worker::standin`] says what spares are for, and has the table of their roles and the races.

use std::sync::OnceLock;

use crossbeam_utils::CachePadded;

use super::peer::{Peer, WorkerParts};
use super::thread::{Handle, Trace};
use crate::sync::site::SPARES_MADE;
use crate::sync::{AtomicU32, AtomicUsize, MODEL, Mutex, lock};
use crate::system::clock::Instant;
use crate::waiting::sleep::MAX_WORKERS;

/// The largest number of spares if the builder sets none. Under a checker a pool has no spares, because each is one
/// more thread to explore.
const DEFAULT: usize = 64;

/// The default number of spares in a pool with `workers` workers.
pub(crate) fn default_beside(workers: usize) -> usize {
    if MODEL { 0 } else { DEFAULT.min(MAX_WORKERS - workers) }
}

// The four roles of a spare: see [`super::worker::standin`].
pub(super) const RESTING: u32 = 0;
pub(super) const CALLED: u32 = 1;
pub(super) const TAKEN: u32 = 2;
pub(super) const RELIEVED: u32 = 3;

/// A spare as all threads see it.
pub(super) struct Spare {
    pub(super) peer: CachePadded<Peer>,
    pub(super) role: AtomicU32,
    /// The number of the worker that it stands in for.
    pub(super) slot: AtomicUsize,
    /// Its waits. Each change of its role to `RELIEVED` is made under this lock.
    pub(super) wait: Mutex<SpareWait>,
}

/// The waits of a spare in its current job.
#[derive(Default)]
pub(super) struct SpareWait {
    /// How many there are, one within the other. A spare that waits is not to be recalled, because nobody would be
    /// active in the place.
    pub(super) waits: u32,
    /// The spare that it has called.
    pub(super) standin: Option<usize>,
}

/// The spares of a pool. Their peers' numbers follow those of the workers.
pub(crate) struct Spares {
    /// The number of the first spare's peer.
    pub(super) first: usize,
    pub(super) all: Box<[OnceLock<Box<Spare>>]>,
    /// How many spares were ever made: the cells of `all` below this number are set.
    pub(super) made: AtomicUsize,
    pub(super) threads: Mutex<Threads>,
    /// The pool's name, which begins the names of the spares' threads.
    pub(super) name: String,
    /// The size of their stacks in bytes, if the builder sets one.
    pub(super) stack_size: Option<usize>,
}

#[derive(Default)]
pub(super) struct Threads {
    /// The numbers of the spares that rest.
    pub(super) resting: Vec<usize>,
    /// The spares without a thread, with their parts.
    pub(super) vacant: Vec<(usize, WorkerParts)>,
    pub(super) handles: Vec<(Handle, Option<Trace>)>,
    /// How many calls found no spare.
    pub(super) refused: u64,
    /// How many calls found a spare.
    pub(super) called: u64,
}

/// A reading of the counters, for [`Stats`](crate::Stats).
pub(crate) struct Counts {
    pub(crate) called: u64,
    pub(crate) refused: u64,
    pub(crate) now: usize,
}

impl Spares {
    pub(crate) fn new(first: usize, max: usize, name: String, stack_size: Option<usize>) -> Spares {
        Spares {
            first,
            all: (0..max).map(|_| OnceLock::new()).collect(),
            made: AtomicUsize::new(0),
            threads: Mutex::default(),
            name,
            stack_size,
        }
    }

    /// The largest number of spares.
    pub(super) fn max(&self) -> usize {
        self.all.len()
    }

    /// How many spares were ever made.
    #[inline]
    pub(super) fn made(&self) -> usize {
        self.made.load(SPARES_MADE.get())
    }

    /// The peers of all spares that were ever made.
    pub(crate) fn peers(&self) -> impl Iterator<Item = &Peer> {
        (0..self.made()).map(|number| &*self.spare(number).peer)
    }

    /// The peer with number `index`, which must be that of a spare that was made.
    pub(super) fn peer(&self, index: usize) -> &Peer {
        &self.spare(index - self.first).peer
    }

    pub(super) fn spare(&self, number: usize) -> &Spare {
        match self.all[number].get() {
            Some(spare) => spare,
            None => unreachable!("no such spare"),
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        let threads = lock(&self.threads);
        let now = self.made() - threads.resting.len() - threads.vacant.len();
        Counts { called: threads.called, refused: threads.refused, now }
    }

    /// Joins the threads, which are about to end because the pool has ended. After `deadline`, returns the names of
    /// the threads that still run.
    pub(crate) fn join(&self, deadline: Option<Instant>) -> Result<(), Vec<String>> {
        let traces = |threads: &Threads| -> Vec<Trace> {
            threads.handles.iter().filter_map(|(_, trace)| trace.clone()).collect()
        };
        let traces = traces(&lock(&self.threads));
        let late: Vec<String> = traces
            .into_iter()
            .filter(|trace| !trace.gone.wait_until(deadline, None))
            .map(|trace| trace.name)
            .collect();
        if !late.is_empty() {
            return Err(late);
        }
        let handles = std::mem::take(&mut lock(&self.threads).handles);
        for (handle, _) in handles {
            // Panics of jobs and hooks were caught on the thread.
            let _ = handle.join();
        }
        Ok(())
    }

    /// Forgets the handles in a forked child: the threads exist in the parent only.
    pub(crate) fn forget(&self) {
        let handles = std::mem::take(&mut lock(&self.threads).handles);
        handles.into_iter().for_each(std::mem::forget);
    }
}
