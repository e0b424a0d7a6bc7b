//! Chooses the sleeper to wake, and wakes it.

use super::Sleep;
use crate::sync::defect;
use crate::sync::site::{ASLEEP_CLAIM, ASLEEP_LOOK, ASLEEP_SCAN, SLEEP_WATCHER, SPARE_CLAIMED};
use crate::system::affinity::current_core;
use crate::system::parker::Unparker;
use crate::system::spin::Backoff;

impl Sleep {
    /// Leaves a token with one worker, which then looks at what it waits for.
    pub(crate) fn nudge(&self, index: usize) {
        if let Some(unparker) = self.unparkers[index].get() {
            if let Some(lags) = &self.lags {
                lags.note_woken(index);
            }
            unparker.unpark();
        }
    }

    /// Adds a spare that was made, which `unparker` wakes.
    pub(crate) fn add_spare(&self, index: usize, unparker: Unparker) {
        let added = self.unparkers[index].set(unparker);
        debug_assert!(added.is_ok(), "a spare is made once");
    }

    /// Leaves a token with the napping searcher. Its number may be stale: see the module's text.
    #[cold]
    pub(super) fn nudge_napper(&self) {
        // Without a note of when: a nap is no sleep, and publishers come here often.
        if let Some(unparker) = self.unparkers[self.napper.load(SLEEP_WATCHER.get())].get() {
            unparker.unpark();
        }
    }

    /// Returns whether a waker has claimed the sleep that the calling thread announced for a spare.
    pub(crate) fn was_claimed(&self, index: usize) -> bool {
        self.bits[index / 64].fetch_or(0, SPARE_CLAIMED.get()) & 1 << (index % 64) == 0
    }

    /// Returns whether a worker's bit is set: it may be chosen to be woken.
    pub(super) fn is_set(&self, index: usize) -> bool {
        self.bits[index / 64].load(ASLEEP_LOOK.get()) & 1 << (index % 64) != 0
    }

    /// Clears a worker's bit. Returns `true` to the one caller that cleared it.
    pub(super) fn claim(&self, index: usize) -> bool {
        let bit = 1 << (index % 64);
        self.bits[index / 64].fetch_and(!bit, ASLEEP_CLAIM.get()) & bit != 0
    }

    /// Wakes a sleeper: that with the lowest number, so that the same workers stay warm. It prefers sleepers that are
    /// not bound to this thread's core, where they could not run before this thread makes way. If the pool has more
    /// workers than there are cores, it takes those that are bound to no core last: they would run beside others.
    #[cold]
    pub(super) fn wake_one(&self) {
        self.wake(false);
    }

    /// Wakes a sleeper. With `near` it prefers a sleeper that is bound to this thread's core, and otherwise the
    /// others. Returns `true` if `near` was given and the sleeper is bound to this thread's core.
    pub(super) fn wake(&self, near: bool) -> bool {
        if defect("claimed_before_counted") {
            return self.wake_where(|_| true) && self.word.reserve() && near;
        }
        if !self.word.reserve() {
            return false;
        }
        // There are at least as many set bits as reservations, so one is left for this reservation.
        let here = current_core();
        let mut backoff = Backoff::new();
        loop {
            if near && here.is_some() && self.wake_where(|index| self.home(index) == here) {
                return true;
            }
            if near && defect("near_or_nobody") {
                self.word.unreserve();
                return true;
            }
            let shares = self.workers > self.cores();
            let elsewhere = |index| self.home(index).map_or(!shares, |home| Some(home) != here);
            if self.wake_where(elsewhere)
                || shares && self.wake_where(|index| self.home(index).is_some())
                || self.wake_where(|_| true)
            {
                return false;
            }
            // A bit goes up before its count. So the bit of a pool's only worker is there; of several sleepers
            // another waker may have claimed the one that this scan saw.
            debug_assert!(
                self.bits.len() > 1 || self.unparkers.len() > 1,
                "the only worker was reserved, and its bit is not there"
            );
            backoff.pause();
        }
    }

    /// Claims and wakes the first sleeper that `will_do` accepts. Returns whether there was one.
    fn wake_where(&self, will_do: impl Fn(usize) -> bool) -> bool {
        for (number, bits) in self.bits.iter().enumerate() {
            let mut seen = bits.load(ASLEEP_SCAN.get());
            while seen != 0 {
                let index = number * 64 + seen.trailing_zeros() as usize;
                if will_do(index) && self.claim(index) {
                    self.nudge(index);
                    return true;
                }
                seen &= seen - 1;
            }
        }
        false
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;
    use crate::system::affinity;
    use crate::system::parker::Parker;
    use crate::waiting::sleep::Woken;

    /// Wakes three of `workers` sleepers, of which the second is bound to this thread's core and the third to another.
    /// Returns whom it woke.
    fn woken(workers: usize) -> Option<[usize; 3]> {
        // Bound, so that this thread's core stays the same. Where that is not possible all sleepers are alike.
        let core = *affinity::snapshot().cores.first()?;
        let run = move || {
            if !affinity::pin(core) || current_core() != Some(core) {
                return None;
            }
            let parkers: Vec<_> = (0..workers).map(|_| Parker::new()).collect();
            let sleep = Sleep::new(parkers.iter().map(Parker::unparker).collect(), 0);
            sleep.set_home(1, core);
            sleep.set_home(2, core + 1);
            for index in 0..workers {
                assert_eq!(sleep.fall_asleep(index, false, false).idle(), index + 1);
            }
            let mut asleep: Vec<_> = (0..workers).collect();
            Some([(); 3].map(|()| {
                sleep.wake_one();
                let place = asleep.iter().position(|&index| !sleep.is_set(index)).expect("one is woken");
                let woken = asleep.remove(place);
                assert_eq!(sleep.get_up(woken, false), Woken::Claimed);
                sleep.end_search(|_| false);
                woken
            }))
        };
        std::thread::spawn(run).join().expect("the sleepers are woken one by one")
    }

    #[test]
    fn a_sleeper_of_this_core_is_woken_last() {
        let cores = affinity::snapshot().parallelism();
        if cores >= 3 {
            assert!(woken(3).is_none_or(|woken| woken == [0, 2, 1]));
        }
        // With more workers than cores those that have none come last.
        assert!(
            woken(3.max(cores + 1)).is_none_or(|woken| woken == [2, 1, 0]),
            "{:?}",
            woken(3.max(cores + 1))
        );
    }
}
