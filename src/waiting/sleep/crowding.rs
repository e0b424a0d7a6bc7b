//! Decides whether there is a free core on which to wait awake.
//!
//! A thread that waits awake may occupy the core that the awaited thread needs. So a spin first asks here how many
//! threads have something to do, and how many cores there are.

use std::time::Duration;

use super::Sleep;
use crate::sync::MODEL;
use crate::sync::site::{GUESTS, LEAVING};
use crate::system::process;
use crate::system::spin::Spin;

/// How long an outside thread waits awake at most on the core of a worker that is awake. The worker may be about to
/// sleep.
const BESIDE: Duration = Duration::from_micros(2);

impl Sleep {
    /// Returns how many threads can run at once, as far as is known: a CPU quota is known once a worker has run a
    /// job.
    #[inline]
    pub(crate) fn cores(&self) -> usize {
        self.machine.as_ref().map_or(usize::MAX, |machine| machine.parallelism_so_far())
    }

    /// Reads the CPU quota, if nobody has done so. Not in a forked child, which could not keep what it learns.
    pub(crate) fn learn_cores(&self) {
        if let Some(machine) = &self.machine
            && process::generation() == 0
        {
            machine.parallelism();
        }
    }

    /// Returns the spin of an outside thread before it sleeps: `spin`, if there is a core for it. On the core of a
    /// worker that is awake, the spin would keep the worker from what the thread waits for. A thread that sleeps does
    /// not do that, and wakes up on another core if one is free.
    ///
    /// `waiting` returns how many of the workers that count as busy are known to wait awake themselves.
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

    /// Returns the spin of a worker before it sleeps or goes: `spin`, if there is a core for the worker and one for
    /// the thread that brings what it waits for. `waiting` returns how many of the workers that count as busy, this
    /// worker included, are known to wait awake.
    pub(crate) fn spin_inside(&self, spin: Spin, waiting: impl FnOnce() -> usize) -> Spin {
        if !MODEL && self.is_crowded(waiting(), 2) { Spin::offering() } else { spin }
    }

    /// Returns whether a worker that searches would take a core from a busy worker, or from an outside thread that
    /// waits awake.
    pub(crate) fn is_too_crowded_to_search(&self) -> bool {
        !MODEL && self.is_crowded(0, 1 + self.outside_spinners.load(GUESTS.get()))
    }

    /// Returns the spin of a worker that searches: `spin`, if there is a core for it.
    pub(crate) fn spin_to_search(&self, spin: Spin) -> Spin {
        if self.is_too_crowded_to_search() { Spin::offering() } else { spin }
    }

    /// Calls `f`, in which the calling outside thread waits awake, and counts that thread meanwhile.
    pub(crate) fn as_outside_spinner<R>(&self, f: impl FnOnce() -> R) -> R {
        if MODEL {
            return f();
        }
        self.outside_spinners.fetch_add(1, GUESTS.get());
        let value = f();
        self.outside_spinners.fetch_sub(1, GUESTS.get());
        value
    }

    /// Returns whether the worker that is bound to the calling thread's core is awake.
    pub(crate) fn is_beside_a_worker(&self) -> bool {
        self.homes.resident_here().is_some_and(|index| !self.is_set(index))
    }

    /// Returns whether there is no core for `more` threads beside the busy workers. Of these, `waiting` do not count,
    /// because they wait awake. Always `true` on a single core, where a thread that waits awake occupies the core
    /// that the awaited thread needs.
    #[inline]
    pub(crate) fn is_crowded(&self, waiting: usize, more: usize) -> bool {
        let cores = self.cores();
        cores == 1 || self.busy().saturating_sub(waiting) + more > cores
    }

    /// Returns whether the worker is awake.
    pub(crate) fn is_awake(&self, index: usize) -> bool {
        !self.is_set(index)
    }

    /// Returns whether there is surely a core on which no other worker of the pool is awake. A worker that looks for a
    /// core elsewhere would otherwise be in their way.
    pub(crate) fn finds_another_core(&self) -> bool {
        self.awake() <= 1 && self.cores() > 1 || self.awake() < self.cores() / 2
    }

    /// Returns how many workers do not sleep.
    pub(crate) fn awake(&self) -> usize {
        self.workers.saturating_sub(self.word.peek().asleep())
    }

    /// Returns how many threads of the pool have something to do. A worker whose place a spare has counts if the spare
    /// has something to do, and a spare that was relieved counts until it has left.
    pub(crate) fn busy(&self) -> usize {
        let leaving = if MODEL { 0 } else { self.leaving.load(LEAVING.get()) };
        // A spare may have left before the note that it leaves is seen.
        let leaving = leaving.cast_signed().max(0).cast_unsigned();
        self.workers.saturating_sub(self.word.peek().idle()) + leaving
    }

    /// Notes that a spare that was relieved runs its last job beside the worker that is back.
    pub(crate) fn note_leaving(&self) {
        if !MODEL {
            self.leaving.fetch_add(1, LEAVING.get());
        }
    }

    /// Notes that a spare that was relieved has ended its job, or waits in it, or was recalled.
    pub(crate) fn note_left(&self) {
        if !MODEL {
            self.leaving.fetch_sub(1, LEAVING.get());
        }
    }
}
