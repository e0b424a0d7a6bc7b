//! The packed word: how many workers do what, and whether the pool is open.
//!
//! | bits | field | counts |
//! |---|---|---|
//! | 0–11 | `searching` | workers that look for jobs in the queues of others |
//! | 12–23 | `asleep` | workers that announced their sleep and were not claimed by a waker |
//! | 24–35 | `waiting` | those of the asleep that sleep inside a job, in a wait |
//! | 36–58 | `entered` | outside threads between asking to submit and having submitted |
//! | 61 | `watched` | one of those that search naps between its looks |
//! | 62 | `closed` | no outside thread may enter any more |
//! | 63 | `ended` | the drain is over, workers leave |
//!
//! No field can bleed into the next. A pool has at most [`MAX_WORKERS`] workers and each is counted at
//! most once in each field. `entered` holds 2^23 threads, twice what Linux can number. Nothing goes below
//! zero: `asleep` is only lowered by exchanges that see it above zero, and every other decrement is made by
//! who made, or was handed before, the increment.

use std::fmt;

use crate::sync::site::*;
use crate::sync::{AtomicU64, defect};

/// The most workers that a pool may have.
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

/// One value of the word.
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

    /// Workers that have nothing to do.
    #[inline(always)]
    pub(crate) fn idle(self) -> usize {
        self.searching() + self.asleep()
    }

    /// Whether the only one that searches naps between its looks.
    pub(in crate::waiting) fn only_searcher_naps(self) -> bool {
        self.0 & NAPPING != 0 && self.searching() == 1
    }

    /// Whether a job that was just published may be overlooked: somebody sleeps and nobody searches.
    #[inline(always)]
    pub(in crate::waiting) fn wants_wake(self) -> bool {
        self.asleep() > 0 && self.searching() == 0
    }

    /// Whether all `workers` of a closed pool sleep in their main loops and nobody is about to submit:
    /// if their queues are empty too, they stay so.
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
            .field("watched", &(self.0 & NAPPING != 0))
            .field("closed", &self.closed())
            .field("ended", &self.ended())
            .finish()
    }
}

/// The word and its transitions. Each is one read-modify-write.
pub(in crate::waiting) struct Word(AtomicU64);

impl Word {
    pub(crate) fn new() -> Word {
        Word(AtomicU64::new(0))
    }

    #[inline(always)]
    pub(in crate::waiting) fn load(&self) -> Snapshot {
        Snapshot(self.0.load(SLEEP_LOAD.get()))
    }

    /// As [`load`](Self::load), for who does not rely on what others did before.
    #[inline(always)]
    pub(in crate::waiting) fn peek(&self) -> Snapshot {
        Snapshot(self.0.load(SLEEP_HINT.get()))
    }

    /// An outside thread is about to submit. The value *before*: if that was closed it must only
    /// [`leave`](Self::leave) again.
    #[inline]
    pub(crate) fn enter(&self) -> Snapshot {
        Snapshot(self.0.fetch_add(ENTERED, SLEEP_ENTER.get()))
    }

    /// It has submitted, or found the pool closed. The value after.
    #[inline]
    pub(crate) fn leave(&self) -> Snapshot {
        Snapshot(self.0.fetch_sub(ENTERED, SLEEP_LEAVE.get()) - ENTERED)
    }

    /// A worker starts to search, unless `cap` do so already.
    pub(crate) fn start_search(&self, cap: usize) -> bool {
        let state = self.peek();
        if state.searching() >= cap {
            return false;
        }
        self.0.compare_exchange(state.0, state.0 + SEARCHING, SLEEP_SEARCH.get(), SLEEP_HINT.get()).is_ok()
    }

    /// A worker stops to search because it found something. The value after.
    pub(crate) fn end_search(&self) -> Snapshot {
        let previous = Snapshot(self.0.fetch_sub(SEARCHING, SLEEP_END_SEARCH.get()));
        debug_assert!(previous.searching() > 0, "somebody ends a search who does not count as searching");
        Snapshot(previous.0.wrapping_sub(SEARCHING))
    }

    /// A worker announces its sleep. The value after.
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

    /// A waker reserves a sleeper, which from now on counts as searching, if there is one and nobody searches.
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

    /// A sleeper reserves itself and counts as searching, if wakers have not reserved all sleepers. The value after.
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

    /// It was not needed: somebody else's reservation was for this sleeper.
    pub(in crate::waiting) fn unreserve(&self) {
        self.0.fetch_add(ASLEEP - SEARCHING, SLEEP_CANCEL.get());
    }

    /// A worker that slept inside a job goes on with it.
    pub(in crate::waiting) fn resume_job(&self) {
        self.0.fetch_sub(WAITING, SLEEP_CANCEL.get());
    }

    /// A worker that searches begins to nap between its looks: `false` if another does.
    pub(crate) fn start_napping(&self) -> bool {
        self.0.fetch_or(NAPPING, SLEEP_WATCH.get()) & NAPPING == 0
    }

    /// It looks without naps again, or is about to do something else.
    pub(crate) fn stop_napping(&self) {
        self.0.fetch_and(!NAPPING, SLEEP_UNWATCH.get());
    }

    /// Nobody may enter any more. The value after.
    pub(crate) fn close(&self) -> Snapshot {
        Snapshot(self.0.fetch_or(CLOSED, SLEEP_CLOSE.get()) | CLOSED)
    }

    /// The drain is over.
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
