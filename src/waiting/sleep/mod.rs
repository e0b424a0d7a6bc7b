#![doc = include_str!("README.md")]

mod crowding;
mod homes;
mod lags;
mod wake;
mod word;

pub use word::MAX_WORKERS;
pub(crate) use word::Snapshot;

use std::sync::OnceLock;
use std::time::Duration;

use crossbeam_utils::CachePadded;

use crate::sync::site::{
    ASLEEP_BIT, SLEEP_LAZY_FENCE, SLEEP_PRODUCER_FENCE, SLEEP_RECHECK_FENCE, SLEEP_SEARCH_FENCE,
    SLEEP_WAITER_FENCE, SLEEP_WATCH_FENCE, SLEEP_WATCHER,
};
use crate::sync::{AtomicU64, AtomicUsize, MODEL, Mutex, StdArc, defect, fence, lock};
use crate::system::affinity;
use crate::system::parker::Unparker;
use crate::system::spin::Backoff;
use homes::Homes;
use lags::Lags;
use word::Word;

/// Records which workers sleep and search, and decides whom to wake. The module's text has the protocol.
pub(crate) struct Sleep {
    word: CachePadded<Word>,
    /// One bit for each worker. The worker sets it when it falls asleep. A waker clears it, or the worker itself when
    /// it gets up.
    bits: Box<[CachePadded<AtomicU64>]>,
    /// The unparkers of the workers and, behind them, of all spares that were ever made.
    unparkers: Box<[OnceLock<Unparker>]>,
    /// How many workers the pool has, spares not counted.
    workers: usize,
    homes: Homes,
    /// When the workers were woken, in a pool whose workers may leave their cores.
    lags: Option<Lags>,
    /// The number of the napping searcher, if there is one.
    napper: AtomicUsize,
    /// How many workers may search at once.
    cap: usize,
    /// Says how many threads can run at once. `None` under a checker, where that does not matter.
    machine: Option<StdArc<affinity::Snapshot>>,
    /// How many outside threads wait awake for an answer.
    outside_spinners: CachePadded<AtomicUsize>,
    /// How many spares run their last job beside the worker that is back in its place.
    leaving: CachePadded<AtomicUsize>,
    /// Held by the thread that decides whether a closed pool is at its end.
    ending: Mutex<()>,
}

/// How a sleep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Woken {
    /// A waker claimed the sleeper.
    Claimed,
    /// The sleeper got up by itself.
    ByItself,
}

impl Sleep {
    /// Creates the state for the workers that `unparkers` wake, with places for up to `spares` spares. Half of the
    /// workers may search at once.
    pub(crate) fn new(unparkers: Box<[Unparker]>, spares: usize) -> Sleep {
        let workers = unparkers.len();
        let all = workers + spares;
        let later = (0..spares).map(|_| OnceLock::new());
        Sleep {
            word: CachePadded::new(Word::new()),
            bits: (0..all.div_ceil(64)).map(|_| CachePadded::new(AtomicU64::new(0))).collect(),
            unparkers: unparkers.into_iter().map(OnceLock::from).chain(later).collect(),
            workers,
            homes: Homes::new(all),
            lags: None,
            napper: AtomicUsize::new(0),
            cap: (workers / 2).max(1),
            // Under a checker a spin takes no time.
            outside_spinners: CachePadded::new(AtomicUsize::new(0)),
            leaving: CachePadded::new(AtomicUsize::new(0)),
            machine: if MODEL { None } else { Some(affinity::snapshot()) },
            ending: Mutex::new(()),
        }
    }

    /// Lets `searchers` workers search at once, if a number is given.
    pub(crate) fn with_searchers(mut self, searchers: Option<usize>) -> Sleep {
        self.cap = searchers.unwrap_or(self.cap).clamp(1, self.workers);
        self
    }

    /// Notes when workers are woken, if `timed`.
    pub(crate) fn with_lags(mut self, timed: bool) -> Sleep {
        self.lags = timed.then(|| Lags::new(self.workers));
        self
    }

    /// Returns the state of the pool at a recent moment.
    #[inline(always)]
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.word.load()
    }

    // --- publishers ---

    /// Lets an outside thread submit; `false` once the pool is closed. Each call, whatever it returns, must be
    /// followed by one [`leave`](Self::leave), and each submission in between by one [`published`](Self::published).
    #[inline]
    pub(crate) fn enter(&self) -> bool {
        !self.word.enter().closed() || defect("closing_unheeded")
    }

    /// As [`enter`](Self::enter), but also in a closed pool: for a thread that helps to drain it.
    pub(crate) fn hold(&self) {
        if self.word.enter().closed() {
            self.let_decide();
        }
    }

    /// Ends what [`enter`](Self::enter) or [`hold`](Self::hold) began. Because of the caller, the last worker that
    /// fell asleep may not have ended the pool. So if the pool is at rest in the returned state, the caller must see
    /// to the pool's end.
    #[inline]
    pub(crate) fn leave(&self) -> Snapshot {
        self.word.leave()
    }

    /// Wakes a worker if otherwise no worker might look for the job that the caller has just published. Call it after
    /// the job became visible in a queue.
    #[inline]
    pub(crate) fn published(&self) {
        fence(SLEEP_PRODUCER_FENCE);
        let seen = self.word.peek();
        if seen.wants_wake() {
            self.wake_one();
        } else if seen.only_searcher_naps() {
            self.nudge_napper();
        }
    }

    /// As [`published`](Self::published), for a thread that is about to wait for the job. If it must wake a worker,
    /// it prefers a worker of its own core, which begins as soon as this thread sleeps. Another worker's core may
    /// have to be brought back from idle. Returns `true` if it woke a worker of its own core: the thread should then
    /// sleep at once.
    pub(crate) fn published_by_waiter(&self) -> bool {
        fence(SLEEP_WAITER_FENCE);
        let seen = self.word.peek();
        if seen.wants_wake() {
            return self.wake(true);
        }
        if seen.only_searcher_naps() {
            self.nudge_napper();
        }
        false
    }

    /// As [`published`](Self::published), but leaves the job to a napping searcher, which looks within a nap.
    pub(crate) fn published_lazily(&self) {
        fence(SLEEP_LAZY_FENCE);
        if self.word.peek().wants_wake() {
            self.wake_one();
        }
    }

    /// Makes all workers look, after each worker may have got a job that only this worker may run. No fence is
    /// needed: a worker that takes a token sees what was done before the token was left, and no worker sleeps past a
    /// token.
    pub(crate) fn published_to_all(&self) {
        self.nudge_all();
    }

    // --- workers ---

    /// Returns whether the calling worker may search. If so, it counts as searching until it calls
    /// [`end_search`](Self::end_search) or [`fall_asleep`](Self::fall_asleep).
    pub(crate) fn start_search(&self) -> bool {
        self.word.start_search(self.cap)
    }

    /// Ends the search of the calling worker, which found a job or has another reason to stop. If no searcher is
    /// left, or only the napping searcher, publishers may have relied on this worker. The function then asks
    /// `work_left` and, if there is work, wakes another worker.
    pub(crate) fn end_search(&self, work_left: impl FnOnce(Snapshot) -> bool) {
        let state = self.word.end_search();
        if state.wants_wake() || state.only_searcher_naps() {
            fence(SLEEP_SEARCH_FENCE);
            if work_left(state) && !defect("search_ends_unlooked") {
                self.published();
            }
        }
    }

    /// Makes the calling worker, which searches, the napping searcher: it naps between its looks while other workers
    /// are busy and may come to have jobs to give away. Returns whether it does; the caller must then look once more
    /// before its first nap.
    pub(crate) fn start_napping(&self, index: usize) -> bool {
        if self.all_idle() || !self.word.start_napping() {
            return false;
        }
        self.napper.store(index, SLEEP_WATCHER.get());
        fence(SLEEP_WATCH_FENCE);
        true
    }

    /// Ends the caller's time as the napping searcher. The caller still counts as searching.
    pub(crate) fn stop_napping(&self) {
        self.word.stop_napping();
    }

    /// Returns whether no worker is busy, so that new jobs can come only from outside.
    pub(crate) fn all_idle(&self) -> bool {
        self.word.load().idle() >= self.workers
    }

    /// Announces the sleep of worker `index`: the first half of going to sleep. The caller must then look once more
    /// at every queue and at the condition for which it waits, park if there is nothing to do, and in any case call
    /// [`get_up`](Self::get_up).
    pub(crate) fn fall_asleep(&self, index: usize, was_searching: bool, in_job: bool) -> Snapshot {
        self.bits[index / 64].fetch_or(1 << (index % 64), ASLEEP_BIT.get());
        let state = self.word.fall_asleep(was_searching, in_job);
        fence(SLEEP_RECHECK_FENCE);
        state
    }

    /// Ends the sleep of worker `index`, whatever the reason: the second half. The worker counts as searching
    /// afterwards. Publishers since the announcement may rely on this worker, and there may be more jobs than the one
    /// that it finds.
    pub(crate) fn get_up(&self, index: usize, in_job: bool) -> Woken {
        let mut backoff = Backoff::new();
        let woken = loop {
            if !self.is_set(index) {
                break Woken::Claimed;
            }
            if let Some(state) = self.word.reserve_self() {
                if self.claim(index) {
                    if state.closed() {
                        self.let_decide();
                    }
                    break Woken::ByItself;
                }
                // A waker was faster, and made a reservation for this worker. So this worker's own reservation is
                // another sleeper's.
                if !defect("reservation_kept") {
                    self.word.unreserve();
                }
                break Woken::Claimed;
            }
            // Wakers have reserved every sleeper, this worker included, and are about to clear its bit.
            backoff.pause();
        };
        if in_job {
            self.word.resume_job();
        }
        woken
    }

    // --- the end ---

    /// Closes the pool to outside threads. If the pool is at rest in the returned state, the caller must see to its
    /// end: no sleeper looks again.
    pub(crate) fn close(&self) -> Snapshot {
        self.word.close()
    }

    /// Returns what `is_over` says about the word, under the lock `ending`: whether the closed pool is at its end. If
    /// it is, nothing changes during the look: a thread that comes to work waits for the lock before its first look.
    pub(crate) fn decide(&self, is_over: impl FnOnce(Snapshot) -> bool) -> bool {
        let _deciding = lock(&self.ending);
        is_over(self.word.load())
    }

    /// Waits for a thread that may be deciding now whether the closed pool is at its end. Called by a thread that has
    /// just come to work in the pool and is counted. The deciding thread may not have seen the count, and must not
    /// find a queue empty because of what the caller takes. A worker that a waker claimed need not call it: the
    /// waker's coming matters, and that was counted.
    #[cold]
    fn let_decide(&self) {
        if !defect("end_undecided") {
            drop(lock(&self.ending));
        }
    }

    /// Lets all workers leave.
    pub(crate) fn end(&self) {
        self.word.end();
        self.nudge_all();
    }

    /// Leaves a token with every worker and spare, without claiming any. They look at the word and at their queues.
    pub(crate) fn nudge_all(&self) {
        (0..self.unparkers.len()).for_each(|index| self.nudge(index));
    }

    // --- where workers are ---

    /// Notes that a worker is bound to `core`.
    pub(crate) fn set_home(&self, index: usize, core: usize) {
        self.homes.set(index, core);
    }

    /// Notes that a worker is not bound to `core` any more.
    pub(crate) fn unset_home(&self, index: usize, core: usize) {
        self.homes.unset(index, core);
    }

    /// Returns how long ago a worker was woken. Zero if nobody notes it.
    pub(crate) fn since_woken(&self, index: usize) -> Duration {
        self.lags.as_ref().map_or(Duration::ZERO, |lags| lags.since_woken(index))
    }

    /// Notes that a spare is bound to `core`, or to none.
    pub(crate) fn lodge(&self, index: usize, core: Option<usize>) {
        self.homes.lodge(index, core);
    }

    /// Returns the core that a worker, or a spare, is bound to.
    pub(crate) fn home(&self, index: usize) -> Option<usize> {
        self.homes.of(index)
    }
}
