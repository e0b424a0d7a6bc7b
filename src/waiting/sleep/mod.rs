#![doc = include_str!("README.md")]

mod crowding;
mod homes;
mod wake;
mod word;

pub use word::MAX_WORKERS;
pub(crate) use word::Snapshot;

use std::sync::OnceLock;

use crossbeam_utils::CachePadded;

use crate::sync::site::{
    ASLEEP_BIT, SLEEP_LAZY_FENCE, SLEEP_PRODUCER_FENCE, SLEEP_RECHECK_FENCE, SLEEP_SEARCH_FENCE,
    SLEEP_WAITER_FENCE, SLEEP_WATCH_FENCE, SLEEP_WATCHER,
};
use crate::sync::{AtomicU64, AtomicUsize, MODEL, Mutex, defect, fence, lock};
use crate::system::affinity;
use crate::system::parker::Unparker;
use crate::system::spin::Backoff;
use homes::Homes;
use word::Word;

/// Who sleeps, who searches, and who is to be woken. See the module's text for the protocol.
pub(crate) struct Sleep {
    word: CachePadded<Word>,
    /// One bit a worker: set by it when it falls asleep, cleared by whoever wakes it.
    bits: Box<[CachePadded<AtomicU64>]>,
    /// What wakes each worker and, behind them, each spare that was ever made.
    unparkers: Box<[OnceLock<Unparker>]>,
    /// How many workers the pool has, spares not counted.
    workers: usize,
    homes: Homes,
    /// Who watches, if anybody does.
    napper: AtomicUsize,
    /// How many may search at once.
    cap: usize,
    /// How many threads may run at once, as far as the system says.
    cores: usize,
    /// Threads from outside that wait awake for an answer.
    outside_spinners: CachePadded<AtomicUsize>,
    /// Held by who decides whether a closed pool is at its end.
    ending: Mutex<()>,
}

/// How a sleep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Woken {
    /// By a publisher's claim.
    Claimed,
    /// It got up by itself.
    ByItself,
}

impl Sleep {
    /// For workers that are woken by `unparkers`, with places for up to `spares` more. Half of the workers may search at
    /// once.
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
            napper: AtomicUsize::new(0),
            cap: (workers / 2).max(1),
            // Under a checker a spin takes no time.
            outside_spinners: CachePadded::new(AtomicUsize::new(0)),
            cores: if MODEL { usize::MAX } else { affinity::snapshot().parallelism },
            ending: Mutex::new(()),
        }
    }

    /// Lets so many workers search at once, if that is given.
    pub(crate) fn with_searchers(mut self, searchers: Option<usize>) -> Sleep {
        self.cap = searchers.unwrap_or(self.cap).clamp(1, self.workers);
        self
    }

    /// The state of the pool at some moment not long ago.
    #[inline(always)]
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.word.load()
    }

    // --- those who publish jobs ---

    /// Lets an outside thread submit: `false` once the pool is closed. Each call must be followed by
    /// one [`leave`](Self::leave), and each submission in between by one [`published`](Self::published).
    #[inline]
    pub(crate) fn enter(&self) -> bool {
        !self.word.enter().closed() || defect("closing_unheeded")
    }

    /// As [`enter`](Self::enter) for a thread that helps to drain the pool: closed or not.
    pub(crate) fn hold(&self) {
        if self.word.enter().closed() {
            self.let_decide();
        }
    }

    /// Ends what [`enter`](Self::enter) or [`hold`](Self::hold) began. The last sleeper may have put off ending the pool
    /// because of the caller: if all are at rest now, the caller has to see to it.
    #[inline]
    pub(crate) fn leave(&self) -> Snapshot {
        self.word.leave()
    }

    /// To be called after a job became visible in a queue: wakes a worker if otherwise none might look.
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

    /// As [`published`](Self::published), for a thread that is about to wait for that job. If it must wake somebody, it
    /// makes way: rather a worker of its own core, which then begins as soon as this thread sleeps (`true`), than
    /// one whose core may have to be brought back from idle.
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

    /// As [`published`](Self::published), but leaves the job to a worker that watches: it looks within a nap.
    pub(crate) fn published_lazily(&self) {
        fence(SLEEP_LAZY_FENCE);
        if self.word.peek().wants_wake() {
            self.wake_one();
        }
    }

    /// To be called after each worker may have got a job that only it may run: has all of them look. No fence: who
    /// takes the token sees what was done before it was left, and nobody sleeps past one.
    pub(crate) fn published_to_all(&self) {
        self.nudge_all();
    }

    // --- those who look for jobs ---

    /// Whether the calling worker may search; it then counts as searching until it calls
    /// [`end_search`](Self::end_search) or [`fall_asleep`](Self::fall_asleep).
    pub(crate) fn start_search(&self) -> bool {
        self.word.start_search(self.cap)
    }

    /// The calling worker, which counts as searching, found a job or has another reason to stop.
    /// If it was the only one, whoever published meanwhile relied on it: `work_left` is asked, and if
    /// there is some, another worker is woken.
    pub(crate) fn end_search(&self, work_left: impl FnOnce(Snapshot) -> bool) {
        let state = self.word.end_search();
        if state.wants_wake() || state.only_searcher_naps() {
            fence(SLEEP_SEARCH_FENCE);
            if work_left(state) && !defect("search_ends_unlooked") {
                self.published();
            }
        }
    }

    /// Whether the calling worker, which searches, is to watch: to nap between its looks, while others are busy
    /// and may come to have jobs to give away. The caller must then look once more before its first nap.
    pub(crate) fn start_napping(&self, index: usize) -> bool {
        if self.all_idle() || !self.word.start_napping() {
            return false;
        }
        self.napper.store(index, SLEEP_WATCHER.get());
        fence(SLEEP_WATCH_FENCE);
        true
    }

    /// The watch is over. The caller still counts as searching.
    pub(crate) fn stop_napping(&self) {
        self.word.stop_napping();
    }

    /// Whether nobody is busy, so that nobody comes to have a job but from outside.
    pub(crate) fn all_idle(&self) -> bool {
        self.word.load().idle() >= self.workers
    }

    /// First half of going to sleep: announces it. The caller must then look at every queue and at its
    /// own condition once more, and either park or [`get_up`](Self::get_up).
    pub(crate) fn fall_asleep(&self, index: usize, was_searching: bool, in_job: bool) -> Snapshot {
        self.bits[index / 64].fetch_or(1 << (index % 64), ASLEEP_BIT.get());
        let state = self.word.fall_asleep(was_searching, in_job);
        fence(SLEEP_RECHECK_FENCE);
        state
    }

    /// Second half: awake again, for whatever reason, and counted as searching: whoever published since the
    /// announcement may rely on this worker, and there may be more than the one job that it finds.
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
                // A waker was faster, by a reservation of its own: ours is some other sleeper's.
                if !defect("reservation_kept") {
                    self.word.unreserve();
                }
                break Woken::Claimed;
            }
            // Wakers have reserved every sleeper, us among them, and are about to clear our bit.
            backoff.pause();
        };
        if in_job {
            self.word.resume_job();
        }
        woken
    }

    // --- the end ---

    /// Closes the pool to the outside. If all are at rest, the caller has to see to its end: no sleeper looks again.
    pub(crate) fn close(&self) -> Snapshot {
        self.word.close()
    }

    /// Asks `is_over` whether the pool, closed, is at its end. What it looks at stands still if it is: whoever comes to
    /// work waits before its first look.
    pub(crate) fn decide(&self, is_over: impl FnOnce(Snapshot) -> bool) -> bool {
        let _deciding = lock(&self.ending);
        is_over(self.word.load())
    }

    /// By who has just come to work in a closed pool and is counted: whoever looks for its end at this moment may not
    /// have seen that, and is not to find a queue empty because of what the caller takes. Who is woken by another's
    /// claim need not: it is that other's coming which matters.
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

    /// Leaves a token with every worker, without claiming any: they look at the word and their queues.
    pub(crate) fn nudge_all(&self) {
        self.unparkers.iter().filter_map(OnceLock::get).for_each(Unparker::unpark);
    }

    // --- where workers are ---

    /// Notes that a worker is bound to `core`.
    pub(crate) fn set_home(&self, index: usize, core: usize) {
        self.homes.set(index, core);
    }

    /// The core that a worker is bound to.
    pub(crate) fn home(&self, index: usize) -> Option<usize> {
        self.homes.of(index)
    }
}
