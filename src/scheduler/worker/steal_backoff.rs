//! A thief's back-off: when it may leave its next demand.
//!
//! A theft costs the thief a microsecond or two, and sends the owner through its slow path. A job that takes less
//! time is done faster where it is. Only the thief can tell, and only afterwards. So after each job that was not
//! worth its theft, the thief doubles the time between two demands. After a job that was worth it, the thief demands
//! at once again.
//!
//! The back-off delays demands only. A thief steals a job that lies in a deque at once: its owner has given it away
//! already.

use std::cell::Cell;
use std::time::Duration;

use crate::sync::MODEL;
use crate::system::clock::Instant;

/// A job that takes less time is not worth its theft: about the price of one theft.
const WORTH: Duration = Duration::from_micros(2);

/// How often the time between demands doubles at most: up to 32 µs, which is less than the napping searcher's nap.
const DOUBLINGS: u32 = 4;

/// A bundle whose jobs together take less time is not worth its way to another core.
const BUNDLE_WORTH: Duration = Duration::from_micros(10);

/// What a worker remembers about its thefts.
#[derive(Default)]
pub(super) struct StealBackoff {
    /// When the last theft was; `None` once its delay is over.
    theft: Cell<Option<Instant>>,
    /// Whether the worker has not asked since that theft. If so, the time since the theft is about what the job took.
    fresh: Cell<bool>,
    /// About how many stolen jobs in a row were not worth their theft; at most [`DOUBLINGS`].
    short_steals: Cell<u32>,
    /// When the last bundle began; `None` once its delay is over.
    bundle: Cell<Option<Instant>>,
}

impl StealBackoff {
    /// Notes that a job was stolen and is about to run.
    #[inline]
    pub(super) fn note_theft(&self) {
        if !MODEL {
            self.theft.set(Some(Instant::now()));
            self.fresh.set(true);
        }
    }

    /// Notes that a bundle is about to run.
    pub(super) fn note_bundle(&self) {
        self.bundle.set(Some(Instant::now()));
    }

    /// Whether the worker may leave demands now.
    pub(super) fn may_demand(&self) -> bool {
        self.is_past_theft() && self.is_past_bundle()
    }

    fn is_past_theft(&self) -> bool {
        let Some(theft) = self.theft.get() else { return true };
        let spent = theft.elapsed();
        if self.fresh.take() {
            self.short_steals.set(if spent < WORTH { (self.short_steals.get() + 1).min(DOUBLINGS) } else { 0 });
        }
        let past = self.short_steals.get() == 0 || spent >= WORTH * (1 << self.short_steals.get());
        if past {
            self.theft.set(None);
        }
        past
    }

    fn is_past_bundle(&self) -> bool {
        let past = self.bundle.get().is_none_or(|begun| begun.elapsed() >= BUNDLE_WORTH);
        if past {
            self.bundle.set(None);
        }
        past
    }
}
