//! Soft pinning: a worker is bound to its core for as long as the core is its own.
//!
//! | state | to | when |
//! |---|---|---|
//! | bound | loose | twice in a short time it had to wait for its core: somebody else keeps the core |
//! | loose | bound, to the same core | it did not have to wait, and has been loose for long enough |
//!
//! A *stint* is what a worker does between two sleeps, or for ten milliseconds in its main loop or in a queue's runner. Of a
//! stint's time, the worker has waited for its core when it
//! neither ran nor paused by itself. The stint begins when the worker is woken, so the way from the wake to the first
//! instruction counts, too. Where a job has blocked the stint tells nothing: the system does not say for how long.
//!
//! A worker in one long job ends no stint: a thread that waits for the job looks after it, see
//! [`watch`](crate::scheduler::watch).
//!
//! A worker that may find another of its pool awake on each other core stays bound.
//!
//! A loose worker runs where the system finds a core for it. How long it stays loose doubles each time that its core
//! turns out taken, and begins anew when the core has been its own for long.

use std::time::Duration;

use super::Worker;
use super::binding::{Binding, State};
use crate::system::clock::Instant;
use crate::system::{spin, switches};

/// A worker that waits this long for its core, and for this share of its stint, shares the core. An idle core takes up
/// to some hundred microseconds to wake, a busy one lets go at the end of a slice, milliseconds.
const LAG: Duration = Duration::from_micros(700);
const SHARE: u32 = 4;

/// A core is shared if this has happened twice within this time. Once may be the host of a virtual machine.
const AGAIN: Duration = Duration::from_millis(200);

/// After this time a stint ends, and another begins.
const STINT: Duration = Duration::from_millis(10);

/// The most finds between two looks at the clock.
const STRIDE: u32 = 16;

/// A park that takes less has found its token there, and has not blocked.
const BLOCKED: Duration = Duration::from_micros(2);

impl Worker {
    /// Ends the stint: the worker is about to sleep. Lets it loose, or binds it again, as its stint says.
    pub(super) fn end_stint(&self) {
        let binding = &self.binding;
        // In a forked child nobody moves: a thread of the parent may have held a lock at the fork.
        if !binding.is_soft() || self.registry.forked() {
            return;
        }
        // What this stint tells, another thread knew.
        let is_told = self.note_moved();
        let (now, Some(usage)) = (Instant::now(), switches::usage()) else { return };
        if let Some((took, waited)) = binding.wait(now, usage).filter(|_| !is_told) {
            let shared = waited >= LAG && waited * SHARE >= took;
            if self.judge(shared.then_some(waited), took) {
                // A move to another core counts as a block.
                binding.asleep.set(switches::usage().map(|usage| (Instant::now(), usage)));
                return;
            }
        }
        binding.asleep.set(Some((now, usage)));
    }

    /// The worker has found jobs in the injector, or some dozens of its own. Outside any job, looks now and then whether
    /// to [renew the stint](Self::renew_stint). Not at each job: the count alone would cost a near-empty job 5 %.
    #[inline]
    pub(super) fn note_find(&self) {
        if self.depth.get() > 0 {
            return;
        }
        let left = self.binding.unlooked.get() - 1;
        self.binding.unlooked.set(left);
        if left == 0 {
            self.look_at_stint();
        }
    }

    #[cold]
    #[inline(never)]
    fn look_at_stint(&self) {
        let Binding { stride, unlooked, looked, .. } = &self.binding;
        if !self.binding.is_soft() {
            unlooked.set(STRIDE);
            return;
        }
        let now = Instant::now();
        let took = looked.replace(Some(now)).map_or(Duration::ZERO, |before| now - before);
        let last = stride.get();
        stride.set(match () {
            () if took > STINT => 1,
            () if took < STINT / 8 => (last * 2).min(STRIDE),
            () => last,
        });
        unlooked.set(stride.get());
        self.renew_stint(now);
    }

    /// Ends the stint here if it has lasted for long, and begins another, as if the worker had slept: a worker that
    /// always has a job never sleeps.
    pub(crate) fn renew_stint(&self, now: Instant) {
        let binding = &self.binding;
        if !binding.is_soft() || self.registry.forked() {
            return;
        }
        match binding.begun.get() {
            Some((begun, _)) if now.saturating_duration_since(begun) < STINT => return,
            Some(_) => {
                self.end_stint();
                // A worker asks for that when it comes to rest, which this one may never do.
                self.registry.tell_of_heavy();
            }
            None => binding.asleep.set(switches::usage().map(|usage| (now, usage))),
        }
        binding.begun.set(binding.asleep.get().map(|(now, _)| (now, Duration::ZERO)));
        binding.pauses.take();
        spin::take_lost();
    }

    /// The worker has searched, and may have offered its core meanwhile. A thread that never waits then keeps the core
    /// for a whole slice. That matters if the search has found a job which only this worker may run.
    pub(super) fn note_offers(&self) {
        let lost = spin::take_lost();
        if self.binding.summoned.take() && lost >= LAG && self.binding.is_soft() && !self.registry.forked() {
            // This stint is told.
            self.binding.begun.take();
            self.judge(Some(lost), lost);
        }
    }

    /// Lets the worker loose, or binds it again. Returns whether it did. `waited`: how long it waited for a core that it
    /// shares. `took`: the time of which that tells.
    fn judge(&self, waited: Option<Duration>, took: Duration) -> bool {
        let (binding, shared) = (&self.binding, waited.is_some());
        if let Some(waited) = waited {
            self.me().counters.kept_waiting.add(waited.as_nanos() as u64);
        }
        match binding.state.get() {
            State::Bound { core, since } if shared && self.registry.sleep.finds_another_core() => {
                let now = Instant::now();
                let last = binding.waited.replace(Some(now));
                if last.is_none_or(|last| now - last > AGAIN.max(2 * took)) {
                    return false;
                }
                self.let_loose(core, since);
            }
            State::Loose { core, since } if !shared && since.elapsed() >= binding.pause.get() => {
                self.bind_again(core);
            }
            _ => return false,
        }
        true
    }

    /// The worker has slept.
    pub(super) fn begin_stint(&self) {
        if !self.binding.is_soft() {
            return;
        }
        let Some((asleep, _)) = self.binding.asleep.get() else { return };
        let (now, woken) = (Instant::now(), self.registry.sleep.since_woken(self.index));
        // It may have come back by itself.
        let lag = if woken < now - asleep { woken } else { Duration::ZERO };
        self.binding.begun.set(Some((now, lag)));
        self.binding.pauses.set((u64::from(now - asleep >= BLOCKED), Duration::ZERO));
        // What was lost before is told.
        spin::take_lost();
    }

    /// Calls `park`, in which the worker pauses, and counts that as no wait for a core.
    pub(super) fn noting_pause<R>(&self, park: impl FnOnce() -> R) -> R {
        if !self.binding.is_soft() {
            return park();
        }
        let begun = Instant::now();
        let result = park();
        let (pauses, paused) = self.binding.pauses.get();
        let took = begun.elapsed();
        self.binding.pauses.set((pauses + u64::from(took >= BLOCKED), paused + took));
        result
    }
}
