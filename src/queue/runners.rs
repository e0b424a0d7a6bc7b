//! How many workers serve a queue, and what they are at.
//!
//! | bits | field | counts |
//! |---|---|---|
//! | 0–15 | `attached` | runners: activations of the queue that were injected and have not detached |
//! | 16–31 | `polling` | those of them that wait awake for a job |
//! | 32 | `standby` | a worker that naps and looks now and then whether the runners keep up |
//! | 33 | `awaited` | somebody waits for the queue to be idle |
//!
//! An attached runner that does not poll is *active*: it may hold a job. It says so before it takes one,
//! so "the ring is empty, and then nobody is active" means that all jobs taken have ended.
//!
//! A queue never has more runners than its pool has workers, at most 4,095, so no field can bleed.

use crate::sync::AtomicU64;
use crate::sync::site::{RUNNERS_CHANGE, RUNNERS_LOAD};

const ATTACHED: u64 = 1;
const POLLING: u64 = 1 << 16;
const STANDBY: u64 = 1 << 32;
const AWAITED: u64 = 1 << 33;
const FIELD: u64 = (1 << 16) - 1;

/// One value of the word.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub(crate) struct Crew(u64);

impl Crew {
    pub(crate) fn attached(self) -> usize {
        ((self.0 / ATTACHED) & FIELD) as usize
    }

    pub(crate) fn polling(self) -> usize {
        ((self.0 / POLLING) & FIELD) as usize
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

    /// Whether a push must start a runner, of which there may be `limit`: nobody polls, there may be more, and
    /// nobody watches those that there are.
    pub(crate) fn lacks(self, limit: usize) -> bool {
        self.polling() == 0 && self.attached() < limit && !(self.standby() && self.attached() > 0)
    }
}

/// The word and its transitions.
pub(crate) struct Runners(AtomicU64);

impl Runners {
    pub(crate) fn new() -> Runners {
        Runners(AtomicU64::new(0))
    }

    pub(crate) fn load(&self) -> Crew {
        Crew(self.0.load(RUNNERS_LOAD.get()))
    }

    fn change(&self, change: impl Fn(Crew) -> Option<u64>) -> Option<Crew> {
        let mut seen = self.load();
        loop {
            let next = change(seen)?;
            match self.0.compare_exchange(seen.0, next, RUNNERS_CHANGE.get(), RUNNERS_LOAD.get()) {
                Ok(_) => return Some(Crew(next)),
                Err(now) => seen = Crew(now),
            }
        }
    }

    /// One more runner, if one is lacking. The value after.
    pub(crate) fn attach(&self, limit: usize) -> Option<Crew> {
        self.change(|crew| crew.lacks(limit).then_some(crew.0 + ATTACHED))
    }

    /// One more runner for one job that its worker needs out of the way, unless there are `limit`.
    pub(crate) fn attach_helper(&self, limit: usize) -> bool {
        self.change(|crew| (crew.attached() < limit).then_some(crew.0 + ATTACHED)).is_some()
    }

    /// An active runner polls, unless `cap` do. The value after.
    pub(crate) fn start_polling(&self, cap: usize) -> Option<Crew> {
        self.change(|crew| (crew.polling() < cap).then_some(crew.0 + POLLING))
    }

    /// A polling runner is active again. The value after.
    pub(crate) fn stop_polling(&self) -> Crew {
        Crew(self.0.fetch_sub(POLLING, RUNNERS_CHANGE.get()) - POLLING)
    }

    /// A runner goes. The value after.
    pub(crate) fn detach(&self, polling: bool) -> Crew {
        let delta = ATTACHED + if polling { POLLING } else { 0 };
        Crew(self.0.fetch_sub(delta, RUNNERS_CHANGE.get()) - delta)
    }

    /// A runner steps back and watches, if others run jobs and nobody watches yet. The value after.
    pub(crate) fn stand_by(&self, polling: bool) -> Option<Crew> {
        let delta = ATTACHED + if polling { POLLING } else { 0 };
        self.change(|crew| {
            let after = Crew(crew.0 - delta);
            (after.active() > 0 && !crew.standby()).then_some(after.0 + STANDBY)
        })
    }

    /// The one that watched is a runner again, if there may be one more. The value after.
    pub(crate) fn step_in(&self, limit: usize) -> Option<Crew> {
        self.change(|crew| (crew.attached() < limit).then_some(crew.0 - STANDBY + ATTACHED))
    }

    /// The one that watched goes. The value after.
    pub(crate) fn stand_down(&self) -> Crew {
        Crew(self.0.fetch_sub(STANDBY, RUNNERS_CHANGE.get()) - STANDBY)
    }

    pub(crate) fn set_awaited(&self) {
        self.0.fetch_or(AWAITED, RUNNERS_CHANGE.get());
    }

    pub(crate) fn clear_awaited(&self) {
        self.0.fetch_and(!AWAITED, RUNNERS_CHANGE.get());
    }
}
