//! When a thief asks for more.
//!
//! A theft costs the thief a microsecond or two, and the owner the way through its slow path; a job that takes less is
//! done faster where it is. Only the thief can know, afterwards. So after each job that was not worth it, the thief
//! leaves twice as much time between two demands, and after one that was, none at all. What lies in a deque already it
//! takes at once: that is out of its owner's hands. Without this two workers took 870 µs for a hundred parallel loops of
//! a hundred numbers each, with it 95.

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::sync::MODEL;

/// A job that takes less is not worth a theft.
const WORTH: Duration = Duration::from_micros(2);

/// So often is the time between demands doubled, to 32 µs: less than the nap of a worker that watches.
const DOUBLINGS: u32 = 4;

/// A bundle whose jobs take less than this together is not worth its way to another core.
const BUNDLE_WORTH: Duration = Duration::from_micros(10);

/// What a worker remembers of its thefts.
#[derive(Default)]
pub(super) struct StealBackoff {
    /// When the last theft was, until that is long ago.
    theft: Cell<Option<Instant>>,
    /// Whether nothing was asked since, so that the time until now is about what the job took.
    fresh: Cell<bool>,
    /// How many jobs in a row were not worth it, about.
    short_steals: Cell<u32>,
    /// When the last bundle began, until that is long ago.
    bundle: Cell<Option<Instant>>,
}

impl StealBackoff {
    /// A job was stolen and is about to be run.
    #[inline]
    pub(super) fn note_theft(&self) {
        if !MODEL {
            self.theft.set(Some(Instant::now()));
            self.fresh.set(true);
        }
    }

    /// A bundle is about to be run.
    pub(super) fn note_bundle(&self) {
        self.bundle.set(Some(Instant::now()));
    }

    /// Whether to ask for a job now.
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
