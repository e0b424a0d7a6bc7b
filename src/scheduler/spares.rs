//! The spares of a pool as all see them: which were made, which rest, whose thread is where. What they are for, and their
//! states: [`super::worker::standin`].

use std::sync::OnceLock;
use std::time::Instant;

use crossbeam_utils::CachePadded;

use super::peer::{Peer, WorkerParts};
use super::thread::{Handle, Trace};
use crate::sync::site::SPARES_MADE;
use crate::sync::{AtomicU32, AtomicUsize, MODEL, Mutex, lock};
use crate::waiting::sleep::MAX_WORKERS;

/// How many spares a pool has at most, if its builder does not say. Under a checker none: each is a thread more to
/// explore.
const DEFAULT: usize = 64;

/// The same beside so many workers.
pub(crate) fn default_beside(workers: usize) -> usize {
    if MODEL { 0 } else { DEFAULT.min(MAX_WORKERS - workers) }
}

pub(super) const RESTING: u32 = 0;
pub(super) const CALLED: u32 = 1;
pub(super) const TAKEN: u32 = 2;
pub(super) const RELIEVED: u32 = 3;

/// A spare as all see it.
pub(super) struct Spare {
    pub(super) peer: CachePadded<Peer>,
    pub(super) role: AtomicU32,
    /// The worker that it stands in for.
    pub(super) slot: AtomicUsize,
}

/// The spares of a pool. The numbers of their peers follow those of the workers.
pub(crate) struct Spares {
    /// The number of the first.
    pub(super) first: usize,
    pub(super) all: Box<[OnceLock<Box<Spare>>]>,
    /// How many of them were ever made.
    pub(super) made: AtomicUsize,
    pub(super) threads: Mutex<Threads>,
    /// What their threads are to be like.
    pub(super) name: String,
    pub(super) stack_size: Option<usize>,
}

#[derive(Default)]
pub(super) struct Threads {
    /// Spares that rest.
    pub(super) resting: Vec<usize>,
    /// Spares without a thread, with what they are made of.
    pub(super) vacant: Vec<(usize, WorkerParts)>,
    pub(super) handles: Vec<(Handle, Option<Trace>)>,
    /// Calls that found no spare.
    pub(super) refused: u64,
    /// Calls that found one.
    pub(super) called: u64,
}

/// What happened so far, for [`Stats`](crate::Stats).
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

    /// How many there may be.
    pub(super) fn max(&self) -> usize {
        self.all.len()
    }

    /// How many were ever made.
    #[inline]
    pub(super) fn made(&self) -> usize {
        self.made.load(SPARES_MADE.get())
    }

    /// Those that were ever made, as others see them.
    pub(crate) fn peers(&self) -> impl Iterator<Item = &Peer> {
        (0..self.made()).map(|number| &*self.spare(number).peer)
    }

    /// The one with that number, which was made.
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

    /// Joins the threads, which are about to end because the pool has ended; the names of those that still run at
    /// `deadline`.
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
            // What jobs and hooks panicked with was caught.
            let _ = handle.join();
        }
        Ok(())
    }

    /// Forgets threads that exist in another process only.
    pub(crate) fn forget(&self) {
        let handles = std::mem::take(&mut lock(&self.threads).handles);
        handles.into_iter().for_each(std::mem::forget);
    }
}
