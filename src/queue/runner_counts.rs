//! The runners' word: how many workers serve a queue, and what they do.
//!
//! | bits | field | counts |
//! |---|---|---|
//! | 0–15 | `attached` | runners: activations of the queue, and workers that help, while they run |
//! | 16–31 | `polling` | the attached runners that wait awake for a job |
//! | 32–47 | `called` | activations that lie somewhere in the pool and have not begun |
//! | 48 | `standby` | a worker naps and looks now and then whether the runners keep up |
//! | 49 | `awaited` | a thread waits for the queue to be idle |
//! | 50 | `overflow` | jobs were taken out of the ring to make room and have not run yet |
//! | 51 | `room_wanted` | a worker waits for room, and would rather help if there may be one more runner |
//!
//! An attached runner that does not poll is *active*: it may hold a job. A runner becomes active before it takes a
//! job. So if the ring is empty, and after that no runner is active and `overflow` is clear, then all jobs taken have
//! ended.
//!
//! A *call* reserves no place. The first that comes takes the place, and an activation that finds none when it begins
//! ends at once. So a worker that waits for room is kept out only by workers that really run jobs of the queue, never
//! by an activation that lies behind other jobs.
//!
//! No field can overflow into the next: there are never more attached runners than the pool has workers, and never
//! more calls than that either, and a pool has at most 4,095 workers.

use crate::jobs::ring::Ring;
use crate::sync::site::{
    RUNNERS_AWAIT, RUNNERS_CALL, RUNNERS_COME, RUNNERS_GO, RUNNERS_HINT, RUNNERS_LOAD, RUNNERS_NOTE, Site,
};
use crate::sync::{AtomicU64, defect};

const ATTACHED: u64 = 1;
const POLLING: u64 = 1 << 16;
const CALLED: u64 = 1 << 32;
const STANDBY: u64 = 1 << 48;
const AWAITED: u64 = 1 << 49;
const OVERFLOW: u64 = 1 << 50;
const ROOM_WANTED: u64 = 1 << 51;
const FIELD: u64 = (1 << 16) - 1;

/// How many runners a queue may have and can use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// The most runners.
    pub(crate) limit: usize,
    /// How many runners, at least one, are started at once where jobs wait. When there are this many, a worker on
    /// standby watches whether more are needed.
    pub(crate) useful: usize,
}

/// One value of the word.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub(crate) struct RunnerCounts(u64);

impl RunnerCounts {
    pub(super) fn attached(self) -> usize {
        ((self.0 / ATTACHED) & FIELD) as usize
    }

    pub(super) fn polling(self) -> usize {
        ((self.0 / POLLING) & FIELD) as usize
    }

    fn called(self) -> usize {
        ((self.0 / CALLED) & FIELD) as usize
    }

    /// The attached runners and the called ones.
    pub(super) fn expected(self) -> usize {
        self.attached() + self.called()
    }

    pub(crate) fn active(self) -> usize {
        self.attached() - self.polling()
    }

    fn standby(self) -> bool {
        self.0 & STANDBY != 0
    }

    pub(crate) fn awaited(self) -> bool {
        self.0 & AWAITED != 0
    }

    #[inline]
    pub(super) fn overflow(self) -> bool {
        self.0 & OVERFLOW != 0
    }

    pub(super) fn room_wanted(self) -> bool {
        self.0 & ROOM_WANTED != 0
    }

    /// Whether a push must start a runner: no runner polls, the limit allows one more, and no worker on standby
    /// watches as many runners as are of use.
    pub(super) fn lacks(self, size: Size) -> bool {
        self.polling() == 0
            && self.expected() < size.limit
            && !(self.standby() && self.expected() >= size.useful)
    }
}

/// The word and its transitions.
pub(crate) struct Runners(AtomicU64);

impl Runners {
    pub(crate) fn new() -> Runners {
        Runners(AtomicU64::new(0))
    }

    /// A recent value of the word.
    #[inline]
    pub(super) fn load(&self) -> RunnerCounts {
        RunnerCounts(self.0.load(RUNNERS_HINT.get()))
    }

    /// Whether all jobs taken out of `ring` have ended, and none is left.
    pub(crate) fn have_ended<T, N>(&self, ring: &Ring<T, N>) -> bool {
        if defect("crew_before_ring") {
            let counts = RunnerCounts(self.0.load(RUNNERS_LOAD.get()));
            return counts.active() == 0 && !counts.overflow() && ring.is_empty();
        }
        // The order matters: the jobs popped before the look at the ring were popped by runners that were active
        // then. These runners note their overflow in the word that is read second.
        ring.is_empty() && {
            let counts = RunnerCounts(self.0.load(RUNNERS_LOAD.get()));
            counts.active() == 0 && !counts.overflow()
        }
    }

    fn change(&self, site: Site, mut change: impl FnMut(RunnerCounts) -> Option<u64>) -> Option<RunnerCounts> {
        let mut seen = self.load();
        loop {
            let next = change(seen)?;
            match self.0.compare_exchange(seen.0, next, site.get(), RUNNERS_HINT.get()) {
                Ok(_) => return Some(RunnerCounts(next)),
                Err(now) => seen = RunnerCounts(now),
            }
        }
    }

    /// Calls one more runner, if one is lacking. Returns the value after.
    pub(crate) fn call(&self, size: Size) -> Option<RunnerCounts> {
        self.change(RUNNERS_CALL, |counts| counts.lacks(size).then_some(counts.0 + CALLED))
    }

    /// A called runner begins. Returns whether there is a place for it.
    pub(crate) fn begin(&self, limit: usize) -> bool {
        let mut has_place = false;
        self.change(RUNNERS_COME, |counts| {
            has_place = counts.attached() < limit;
            Some(counts.0 - CALLED + if has_place { ATTACHED } else { 0 })
        });
        has_place
    }

    /// Attaches a runner that was not called, unless `limit` runners are attached.
    pub(crate) fn attach(&self, limit: usize) -> bool {
        self.change(RUNNERS_COME, |counts| (counts.attached() < limit).then_some(counts.0 + ATTACHED)).is_some()
    }

    /// An active runner goes and is called again in the same step. Returns the value after.
    pub(super) fn call_back(&self) -> RunnerCounts {
        let delta = CALLED - ATTACHED;
        RunnerCounts(self.0.fetch_add(delta, RUNNERS_GO.get()) + delta)
    }

    /// An active runner begins to poll, unless `cap` runners poll. Returns the value after.
    pub(super) fn start_polling(&self, cap: usize) -> Option<RunnerCounts> {
        self.change(RUNNERS_GO, |counts| (counts.polling() < cap).then_some(counts.0 + POLLING))
    }

    /// A polling runner is active again. Returns the value after.
    pub(super) fn stop_polling(&self) -> RunnerCounts {
        RunnerCounts(self.0.fetch_sub(POLLING, RUNNERS_NOTE.get()) - POLLING)
    }

    /// A runner goes. Returns the value after.
    pub(crate) fn detach(&self, polling: bool) -> RunnerCounts {
        let delta = ATTACHED + if polling { POLLING } else { 0 };
        RunnerCounts(self.0.fetch_sub(delta, RUNNERS_GO.get()) - delta)
    }

    /// A runner goes on standby, if at least `useful` other runners are active and nobody is on standby. Returns the
    /// value after.
    pub(super) fn start_standby(&self, polling: bool, useful: usize) -> Option<RunnerCounts> {
        let delta = ATTACHED + if polling { POLLING } else { 0 };
        self.change(RUNNERS_GO, |counts| {
            let after = RunnerCounts(counts.0 - delta);
            (after.active() >= useful && !counts.standby()).then_some(after.0 + STANDBY)
        })
    }

    /// A runner goes, if at least `useful` other runners are active and a worker on standby watches them. Returns the
    /// value after.
    pub(super) fn leave(&self, useful: usize) -> Option<RunnerCounts> {
        self.change(RUNNERS_GO, |counts| {
            let after = RunnerCounts(counts.0 - ATTACHED);
            (after.active() >= useful && counts.standby()).then_some(after.0)
        })
    }

    /// The worker on standby becomes a runner again, if the limit allows one more. Returns the value after.
    pub(super) fn standby_becomes_runner(&self, limit: usize) -> Option<RunnerCounts> {
        self.change(RUNNERS_COME, |counts| (counts.attached() < limit).then_some(counts.0 - STANDBY + ATTACHED))
    }

    /// The worker on standby goes. Returns the value after.
    pub(super) fn end_standby(&self) -> RunnerCounts {
        RunnerCounts(self.0.fetch_sub(STANDBY, RUNNERS_NOTE.get()) - STANDBY)
    }

    pub(crate) fn note_awaited(&self) {
        self.0.fetch_or(AWAITED, RUNNERS_AWAIT.get());
    }

    /// Returns the value after.
    pub(super) fn note_overflow(&self) -> RunnerCounts {
        RunnerCounts(self.0.fetch_or(OVERFLOW, RUNNERS_NOTE.get()) | OVERFLOW)
    }

    pub(super) fn clear_overflow(&self) {
        self.0.fetch_and(!OVERFLOW, RUNNERS_NOTE.get());
    }

    /// Returns the value after.
    pub(super) fn note_room_wanted(&self) -> RunnerCounts {
        RunnerCounts(self.0.fetch_or(ROOM_WANTED, RUNNERS_NOTE.get()) | ROOM_WANTED)
    }

    pub(super) fn clear_room_wanted(&self) {
        self.0.fetch_and(!ROOM_WANTED, RUNNERS_NOTE.get());
    }

    pub(super) fn clear_awaited(&self) {
        self.0.fetch_and(!AWAITED, RUNNERS_NOTE.get());
    }
}
