//! Whether there is a core to wait on awake.
//!
//! Whoever waits awake may have the core that is needed by the one that it waits for. So a spin asks here first how many
//! threads have something to do, and how many cores there are.

use std::time::Duration;

use super::Sleep;
use crate::sync::MODEL;
use crate::sync::site::GUESTS;
use crate::system::spin::Spin;

/// How long a thread from outside waits awake at most on the core of a worker that is awake: that one may be about to sleep.
const BESIDE: Duration = Duration::from_micros(2);

impl Sleep {
    /// How many threads may run at once.
    pub(crate) fn cores(&self) -> usize {
        self.cores
    }

    /// The spin of a thread from outside before it sleeps: `spin`, if there is a core for it. On the core of a worker that is
    /// awake it keeps that one from what it waits for. Asleep it does not, and if another core is free, it is there that it
    /// wakes up.
    ///
    /// `waiting` of the workers that count as busy are known to wait awake themselves.
    pub(crate) fn spin_outside(&self, spin: Spin, waiting: impl FnOnce() -> usize) -> Spin {
        if MODEL {
            spin
        } else if self.is_crowded(waiting(), 1) {
            Spin::offering()
        } else if self.is_beside_a_worker() {
            spin.at_most(BESIDE)
        } else {
            spin
        }
    }

    /// The spin of a worker before it sleeps or goes: `spin`, if there is a core for it and for whoever is to bring what it
    /// waits for. `waiting`, itself among them, of the workers that count as busy are known to wait awake.
    pub(crate) fn spin_inside(&self, spin: Spin, waiting: impl FnOnce() -> usize) -> Spin {
        if !MODEL && self.is_crowded(waiting(), 2) { Spin::offering() } else { spin }
    }

    /// Whether a worker that looks for work would take a core from those who are busy, or from a thread that waits awake.
    pub(crate) fn is_too_crowded_to_search(&self) -> bool {
        !MODEL && self.is_crowded(0, 1 + self.outside_spinners.load(GUESTS.get()))
    }

    /// Calls `f`, in which the calling thread, from outside, waits awake.
    pub(crate) fn as_outside_spinner<R>(&self, f: impl FnOnce() -> R) -> R {
        if MODEL {
            return f();
        }
        self.outside_spinners.fetch_add(1, GUESTS.get());
        let value = f();
        self.outside_spinners.fetch_sub(1, GUESTS.get());
        value
    }

    /// Whether the worker that is bound to the core of the calling thread is awake.
    pub(crate) fn is_beside_a_worker(&self) -> bool {
        self.homes.resident_here().is_some_and(|index| !self.is_set(index))
    }

    /// Whether there is no core for `more` threads beside the workers that are busy, `waiting` of which do not count: whoever
    /// waits awake may have the core that is needed by the one that it waits for.
    #[inline]
    pub(crate) fn is_crowded(&self, waiting: usize, more: usize) -> bool {
        self.cores == 1 || self.busy().saturating_sub(waiting) + more > self.cores
    }

    /// How many workers have something to do. One that has lent its place to a spare counts if that has.
    pub(crate) fn busy(&self) -> usize {
        self.workers.saturating_sub(self.word.peek().idle())
    }
}
