//! The standby: one worker that watches whether the runners keep up.
//!
//! With jobs that take nanoseconds one runner is enough: a second one would contend with the first and with the
//! producer for the ring and the cores. With longer jobs each core should have a runner. More runners than cores only
//! take the cores from each other, unless the jobs block: on a lock, a file, a timer. [`super::pace`] knows what the
//! last jobs were like. The worker on standby finds out when the jobs change.

use std::time::Duration;

use super::core::CoreRef;
use super::runner_counts::Size;
use super::trial::{Advice, Trial};
use crate::scheduler::worker::Worker;
use crate::sync::MODEL;
use crate::system::clock::Instant;

/// How long a worker on standby sleeps between two looks. So a job may wait this long behind a job that turns out to
/// be long, although a worker and a core are free.
const NAP: Duration = Duration::from_micros(100);

/// The longest nap where all cores have runners. There a job waits for a core and not for a worker, unless jobs begin
/// to block; and each look costs the runners some microseconds.
const LONG_NAP: Duration = Duration::from_millis(2);

/// The longest nap where trials say that tiny jobs need no runner more.
const SATED_NAP: Duration = Duration::from_micros(800);

/// After this many looks without any progress the worker leaves, and the next push starts a runner instead.
const NAPS: u32 = if MODEL { 1 } else { 10 };

/// So many times a worker on standby takes it from the last trial that one more runner would not help.
const PATIENCE: u32 = 100;

impl<J: Send + 'static> super::core::Core<J> {
    /// How many runners the queue may have and can use. Jobs of some nanoseconds keep one runner and a producer busy,
    /// and more runners would be in each other's way. Jobs that take longer keep all cores busy. Jobs that block need
    /// no core.
    pub(super) fn size(&self) -> Size {
        let useful = match () {
            () if !self.is_coarse() => self.trials.useful().min(self.limit),
            () if self.pace.blocks() => self.limit,
            () => self.limit.min(self.registry.sleep.cores()),
        };
        Size { limit: self.limit, useful }
    }

    /// Whether the waiting jobs are worth one more runner: the jobs take long enough, and enough of them fit into the
    /// queue.
    pub(super) fn is_coarse(&self) -> bool {
        self.pace.is_coarse(self.ring.capacity())
    }

    /// Whether more runners are active than there are cores, and more than the queue can use.
    pub(super) fn has_surplus(&self) -> bool {
        let cores = self.registry.sleep.cores().max(2);
        !MODEL && self.limit > cores && self.run_more_than(cores.max(self.size().useful))
    }

    /// Whether more than `count` runners are active, and more than `count` workers are busy. Both, because an active
    /// runner need not be busy: its handler may wait for room, or for another job.
    fn run_more_than(&self, count: usize) -> bool {
        self.runners.load().active() > count && self.registry.sleep.busy() > count
    }
}

impl<J: Send + 'static> CoreRef<J> {
    /// A runner that is not needed now goes on standby, if nobody is. Returns whether it became a runner again
    /// (`true`), then perhaps on `trial`, or has gone (`false`). `None` if it remained what it was.
    #[cold]
    #[inline(never)]
    pub(super) fn go_on_standby<'t>(
        &'t self,
        worker: &Worker,
        polls: bool,
        trial: &mut Option<Trial<'t>>,
    ) -> Option<bool> {
        if worker.is_wanted() {
            return None;
        }
        let counts = self.runners.start_standby(polls, self.size().useful)?;
        self.note_gone(counts);
        Some(self.nap_on_standby(worker, trial))
    }

    /// Looks now and then whether the other runners keep up.
    ///
    /// Not inlined into the loop that serves: the nap's code there makes each job slower.
    #[cold]
    #[inline(never)]
    fn nap_on_standby<'t>(&'t self, worker: &Worker, trial: &mut Option<Trial<'t>>) -> bool {
        let mut quiet = 0;
        let mut patience = PATIENCE;
        *trial = None;
        let mut nap = if self.is_sated() { SATED_NAP } else { NAP };
        let mut moved = Instant::now();
        while quiet < NAPS {
            let (before, begun) = (self.ring.totals().1, Instant::now());
            if !worker.nap(nap) {
                break;
            }
            let taken = self.ring.totals().1 - before;
            if taken > 0 {
                (quiet, moved) = (0, Instant::now());
            } else {
                quiet += 1;
            }
            if self.runners.load().expected() == 0 {
                break;
            }
            if self.falls_behind(taken, begun, moved) {
                let advice = self.advise(taken, begun, &mut patience);
                if advice != Advice::Stay {
                    let Some(counts) = self.runners.standby_becomes_runner(self.limit) else { break };
                    worker.polls().note_over();
                    if advice == Advice::Try {
                        *trial = Some(self.trials.begin(self.ring.totals().1));
                    }
                    self.start_if_lacking(counts, 1);
                    return true;
                }
            }
            // Each nap's end takes some microseconds of a core that the others may need.
            nap = match () {
                () if !MODEL && self.has_all_cores() => LONG_NAP.min(nap * 2),
                () if self.is_sated() && taken > 0 => SATED_NAP,
                () => NAP,
            };
        }
        self.start_if_lacking(self.runners.end_standby(), 0);
        false
    }

    /// Whether to join the runners, which took `taken` jobs since `begun` and leave some. Jobs that are worth a runner
    /// need no trial. A trial's result counts until it has been of use so often that `patience` is at its end.
    fn advise(&self, taken: u64, begun: Instant, patience: &mut u32) -> Advice {
        let runners = self.runners.load().active();
        if MODEL || self.is_coarse() || !self.may_be_vain() || runners < self.size().useful {
            return Advice::Join;
        }
        let advice = self.trials.advise(runners, taken, begun.elapsed(), *patience == 0);
        *patience = if advice == Advice::Stay { patience.saturating_sub(1) } else { PATIENCE };
        advice
    }

    /// Whether the jobs are short, and trials say that they need no runner more.
    fn is_sated(&self) -> bool {
        self.pace.is_short() && self.may_be_vain() && self.trials.are_sated()
    }

    /// Whether jobs wait that one more runner would get to. The other runners took `taken` jobs since `begun`, the
    /// start of the last nap; `moved` is when they last took one. While a core is without a runner, the number of
    /// waiting jobs is compared with `taken`, so that no job waits for longer than about a nap.
    fn falls_behind(&self, taken: u64, begun: Instant, moved: Instant) -> bool {
        let waiting = self.ring.len() as u64;
        if waiting == 0 {
            return false;
        }
        if !MODEL && self.has_all_cores() {
            // The waiting jobs need a core, like those that run, unless a running job blocks. A blocked job shows in
            // one of two ways: the runners took fewer jobs than all cores get through, or none for long.
            let (runners, time) = (self.runners.load().active(), begun.elapsed());
            let running = runners.min(self.registry.sleep.cores()) as u32;
            let due = time.saturating_mul(running).saturating_sub(time / 2);
            let short = self.pace.time_for(taken + runners as u64) < due;
            let stuck = short || moved.elapsed() > NAP + self.pace.time_for(4).min(LONG_NAP);
            if stuck {
                // Jobs that block are only known as such when they end. Until then this lets the queue have as many
                // runners as the limit allows.
                self.pace.note_blocked(true);
            }
            return stuck;
        }
        let too_few = || self.runners.load().expected() < self.size().useful;
        waiting > taken || self.ring.is_blocked() || too_few()
    }

    /// Whether as many runners are active as there are cores, or as are of use, if that is more.
    fn has_all_cores(&self) -> bool {
        self.run_more_than(self.registry.sleep.cores().max(self.size().useful) - 1)
    }
}
