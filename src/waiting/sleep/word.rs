//! The packed word of a pool: how many workers are in which state, and whether the pool is open.
//!
//! | bits | field | counts |
//! |---|---|---|
//! | 0–11 | `searching` | workers that look for jobs in the queues of others |
//! | 12–23 | `asleep` | workers that announced their sleep and were not claimed by a waker |
//! | 24–35 | `waiting` | workers that fell asleep in a wait inside a job and have not gone on with it |
//! | 36–58 | `entered` | entries and holds: outside threads that submit or drain, and spares that stand in |
//! | 61 | `NAPPING` | one of the searching workers is the napping searcher |
//! | 62 | `CLOSED` | no outside thread may enter any more |
//! | 63 | `ENDED` | the drain is over, workers leave |
//!
//! No field can bleed into the next. A pool has at most [`MAX_WORKERS`] workers, and each worker is counted at most
//! once in each field. `entered` holds 2^23 threads, twice what Linux can number. No field goes below zero: `asleep`
//! is lowered only by exchanges that see it above zero. Every other decrement is made by the thread that made the
//! increment, or to which the increment was handed.

use std::fmt;

use crate::sync::site::*;
use crate::sync::{AtomicU64, defect};

/// The most workers that a pool may have, spares included: 4,095.
///
/// # Examples
/// ```
/// // A number of workers from a configuration may be too large for a pool.
/// let refused = filch::Pool::builder().workers(filch::MAX_WORKERS + 1).build();
/// assert!(matches!(refused, Err(filch::BuildError::TooManyWorkers { max: filch::MAX_WORKERS, .. })));
/// ```
pub const MAX_WORKERS: usize = WORKER_FIELD as usize;

const SEARCHING: u64 = 1;
const ASLEEP: u64 = 1 << 12;
const WAITING: u64 = 1 << 24;
const ENTERED: u64 = 1 << 36;
const NAPPING: u64 = 1 << 61;
const CLOSED: u64 = 1 << 62;
const ENDED: u64 = 1 << 63;

const WORKER_FIELD: u64 = (1 << 12) - 1;
const ENTERED_FIELD: u64 = (1 << 23) - 1;

/// One value of the word. The methods decode its fields.
#[derive(Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) struct Snapshot(u64);

impl Snapshot {
    pub(crate) fn searching(self) -> usize {
        ((self.0 / SEARCHING) & WORKER_FIELD) as usize
    }

    pub(crate) fn asleep(self) -> usize {
        ((self.0 / ASLEEP) & WORKER_FIELD) as usize
    }

    pub(crate) fn waiting(self) -> usize {
        ((self.0 / WAITING) & WORKER_FIELD) as usize
    }

    pub(crate) fn entered(self) -> usize {
        ((self.0 / ENTERED) & ENTERED_FIELD) as usize
    }

    pub(crate) fn closed(self) -> bool {
        self.0 & CLOSED != 0
    }

    pub(crate) fn ended(self) -> bool {
        self.0 & ENDED != 0
    }

    /// Returns how many workers have nothing to do.
    #[inline(always)]
    pub(crate) fn idle(self) -> usize {
        self.searching() + self.asleep()
    }

    /// Returns whether the only searching worker is the napping searcher.
    pub(in crate::waiting) fn only_searcher_naps(self) -> bool {
        self.0 & NAPPING != 0 && self.searching() == 1
    }

    /// Returns whether a job that was just published may be overlooked: a worker sleeps, and none searches.
    #[inline(always)]
    pub(in crate::waiting) fn wants_wake(self) -> bool {
        self.asleep() > 0 && self.searching() == 0
    }

    /// Returns whether the pool is closed, all `workers` sleep in their main loops, and no thread is about to submit.
    /// If the queues are empty too, they stay empty.
    pub(crate) fn at_rest(self, workers: usize) -> bool {
        let entered = self.entered() > 0 && !defect("entered_ignored");
        self.closed() && !entered && self.waiting() == 0 && self.asleep() == workers
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("searching", &self.searching())
            .field("asleep", &self.asleep())
            .field("waiting", &self.waiting())
            .field("entered", &self.entered())
            .field("napping", &(self.0 & NAPPING != 0))
            .field("closed", &self.closed())
            .field("ended", &self.ended())
            .finish()
    }
}

/// The word and its transitions. Each transition is one read-modify-write.
pub(in crate::waiting) struct Word(AtomicU64);

impl Word {
    pub(crate) fn new() -> Word {
        Word(AtomicU64::new(0))
    }

    #[inline(always)]
    pub(in crate::waiting) fn load(&self) -> Snapshot {
        Snapshot(self.0.load(SLEEP_LOAD.get()))
    }

    /// As [`load`](Self::load), for callers that do not rely on what other threads did before.
    #[inline(always)]
    pub(in crate::waiting) fn peek(&self) -> Snapshot {
        Snapshot(self.0.load(SLEEP_HINT.get()))
    }

    /// Counts an outside thread that is about to submit. Returns the value *before*. If the pool was closed then, the
    /// thread must only [`leave`](Self::leave) again.
    #[inline]
    pub(crate) fn enter(&self) -> Snapshot {
        Snapshot(self.0.fetch_add(ENTERED, SLEEP_ENTER.get()))
    }

    /// Ends the count of an outside thread that has submitted, or found the pool closed. Returns the value after.
    #[inline]
    pub(crate) fn leave(&self) -> Snapshot {
        Snapshot(self.0.fetch_sub(ENTERED, SLEEP_LEAVE.get()) - ENTERED)
    }

    /// Counts a worker as searching, unless `cap` workers search already. Returns whether it does; `false` also if
    /// another thread changed the word meanwhile.
    pub(crate) fn start_search(&self, cap: usize) -> bool {
        let state = self.peek();
        if state.searching() >= cap {
            return false;
        }
        self.0.compare_exchange(state.0, state.0 + SEARCHING, SLEEP_SEARCH.get(), SLEEP_HINT.get()).is_ok()
    }

    /// Ends the search of a worker that found something. Returns the value after.
    pub(crate) fn end_search(&self) -> Snapshot {
        let previous = Snapshot(self.0.fetch_sub(SEARCHING, SLEEP_END_SEARCH.get()));
        debug_assert!(previous.searching() > 0, "somebody ends a search who does not count as searching");
        Snapshot(previous.0.wrapping_sub(SEARCHING))
    }

    /// Announces a worker's sleep. Returns the value after.
    pub(crate) fn fall_asleep(&self, was_searching: bool, in_job: bool) -> Snapshot {
        let mut delta = ASLEEP;
        if was_searching {
            delta -= SEARCHING;
        }
        if in_job {
            delta += WAITING;
        }
        // `delta` is positive in any case: ASLEEP outweighs SEARCHING.
        let previous = Snapshot(self.0.fetch_add(delta, SLEEP_PREPARE.get()));
        debug_assert!(
            previous.searching() > 0 || !was_searching,
            "somebody falls asleep who does not count as searching"
        );
        Snapshot(previous.0 + delta)
    }

    /// Reserves a sleeper for a waker, if a worker sleeps and none searches. From now on the sleeper counts as
    /// searching.
    pub(in crate::waiting) fn reserve(&self) -> bool {
        let mut state = self.peek();
        while state.wants_wake() {
            let next = state.0 - ASLEEP + SEARCHING;
            match self.0.compare_exchange(state.0, next, SLEEP_RESERVE.get(), SLEEP_HINT.get()) {
                Ok(_) => return true,
                Err(now) => state = Snapshot(now),
            }
        }
        false
    }

    /// Reserves a sleeper for itself, so that it counts as searching. Returns the value after; `None` if wakers have
    /// reserved all sleepers.
    pub(in crate::waiting) fn reserve_self(&self) -> Option<Snapshot> {
        let mut state = self.peek();
        while state.asleep() > 0 {
            let next = state.0 - ASLEEP + SEARCHING;
            match self.0.compare_exchange(state.0, next, SLEEP_RESERVE_SELF.get(), SLEEP_HINT.get()) {
                Ok(_) => return Some(Snapshot(next)),
                Err(now) => state = Snapshot(now),
            }
        }
        None
    }

    /// Gives a sleeper's reservation of itself back, because a waker's reservation was for this sleeper.
    pub(in crate::waiting) fn unreserve(&self) {
        self.0.fetch_add(ASLEEP - SEARCHING, SLEEP_CANCEL.get());
    }

    /// Notes that a worker that slept inside a job goes on with the job.
    pub(in crate::waiting) fn resume_job(&self) {
        self.0.fetch_sub(WAITING, SLEEP_CANCEL.get());
    }

    /// Makes a searching worker the napping searcher. Returns `false` if another worker is.
    pub(crate) fn start_napping(&self) -> bool {
        self.0.fetch_or(NAPPING, SLEEP_WATCH.get()) & NAPPING == 0
    }

    /// Ends the time of the napping searcher: it searches without naps again, or is about to do something else.
    pub(crate) fn stop_napping(&self) {
        self.0.fetch_and(!NAPPING, SLEEP_UNWATCH.get());
    }

    /// Closes the pool to outside threads. Returns the value after.
    pub(crate) fn close(&self) -> Snapshot {
        Snapshot(self.0.fetch_or(CLOSED, SLEEP_CLOSE.get()) | CLOSED)
    }

    /// Notes that the drain is over.
    pub(crate) fn end(&self) {
        self.0.fetch_or(ENDED, SLEEP_CLOSE.get());
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn full_fields_do_not_bleed() {
        let word = Word::new();
        for _ in 0..MAX_WORKERS {
            let _ = word.fall_asleep(false, true);
        }
        for _ in 0..3 {
            let _ = word.enter();
        }
        let full = word.load();
        assert_eq!((full.asleep(), full.waiting(), full.entered()), (MAX_WORKERS, MAX_WORKERS, 3));
        assert_eq!((full.searching(), full.closed()), (0, false));
        assert!(word.reserve());
        assert!(!word.reserve(), "somebody searches already");
        for _ in 1..MAX_WORKERS {
            assert!(word.reserve_self().is_some());
        }
        assert!(word.reserve_self().is_none());
        let awake = word.load();
        assert_eq!((awake.asleep(), awake.searching(), awake.waiting()), (0, MAX_WORKERS, MAX_WORKERS));
        for _ in 0..MAX_WORKERS {
            word.resume_job();
            let _ = word.end_search();
        }
        for _ in 0..3 {
            let _ = word.leave();
        }
        assert_eq!(word.load(), Snapshot(0));
    }
}
