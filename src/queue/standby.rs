//! One worker that watches whether the runners keep up.
//!
//! With jobs that take nanoseconds one runner does, and another would only contend with it and with the producer for the
//! ring and the cores. With longer ones each core is to have a runner. More of them than cores only take the cores from
//! each other, unless the jobs block: wait for a lock, a file, a timer. What the jobs are like is in [`super::pace`]; what
//! they turn out to be like is what this worker is for.

use std::time::{Duration, Instant};

use super::core::CoreRef;
use super::runner_counts::Size;
use crate::scheduler::worker::Worker;
use crate::sync::MODEL;

/// How long a worker on standby sleeps between looks, and so for how long a job may wait behind one that turns
/// out to be long while a worker and a core are free.
const NAP: Duration = Duration::from_micros(100);

/// The longest that it sleeps where there are runners for all cores. There a job waits for a core and not for a worker, but
/// for jobs that begin to block; and each look costs the others some microseconds.
const LONG_NAP: Duration = Duration::from_millis(2);

/// After so many looks at which nothing had moved it leaves the watch to the next push.
const NAPS: u32 = if MODEL { 1 } else { 10 };

impl<J: Send + 'static> super::core::Core<J> {
    /// How many runners the queue may have and can use. Jobs of some nanoseconds keep one runner and a producer busy, and
    /// more would only be in each other's way; jobs that take longer keep all cores busy; those that block need no core.
    pub(super) fn size(&self) -> Size {
        let useful = match () {
            () if !self.is_coarse() => 1,
            () if self.pace.blocks() => self.limit,
            () => self.limit.min(self.registry.sleep.cores()),
        };
        Size { limit: self.limit, useful }
    }

    /// Whether what waits is worth a runner more: the jobs take long enough, and enough of them fit in.
    pub(super) fn is_coarse(&self) -> bool {
        self.pace.is_coarse(self.ring.capacity())
    }

    /// Whether there are more runners than cores, and than the queue can use.
    pub(super) fn has_surplus(&self) -> bool {
        let cores = self.registry.sleep.cores().max(2);
        !MODEL && self.limit > cores && self.run_more_than(cores.max(self.size().useful))
    }

    /// Whether more than so many runners have jobs, and so many workers something to do: a handler may wait for room, or for
    /// another job.
    fn run_more_than(&self, count: usize) -> bool {
        self.runners.load().active() > count && self.registry.sleep.busy() > count
    }
}

impl<J: Send + 'static> CoreRef<J> {
    /// A runner that is not needed now watches, if nobody does: whether it is a runner again then, or has gone. `None` if it
    /// is still what it was.
    #[cold]
    #[inline(never)]
    pub(super) fn go_on_standby(&self, worker: &Worker, polls: bool) -> Option<bool> {
        if worker.is_wanted() {
            return None;
        }
        let counts = self.runners.start_standby(polls, self.size().useful)?;
        self.note_gone(counts);
        Some(self.nap_on_standby(worker))
    }

    /// Looks now and then whether the other runners keep up.
    ///
    /// Kept out of the loop that serves: with the nap inside, each job of a queue of 10 cost 8 ns more.
    #[cold]
    #[inline(never)]
    fn nap_on_standby(&self, worker: &Worker) -> bool {
        let mut quiet = 0;
        let mut nap = NAP;
        let mut moved = Instant::now();
        while quiet < NAPS {
            let (before, begun) = (self.ring.head_position(), Instant::now());
            if !worker.nap(nap) {
                break;
            }
            let taken = self.ring.head_position() - before;
            if taken > 0 {
                (quiet, moved) = (0, Instant::now());
            } else {
                quiet += 1;
            }
            if self.runners.load().expected() == 0 {
                break;
            }
            if self.falls_behind(taken, begun, moved) {
                match self.runners.standby_becomes_runner(self.limit) {
                    Some(counts) => {
                        self.start_if_lacking(counts, 1);
                        return true;
                    }
                    None => break,
                }
            }
            nap = if !MODEL && self.has_all_cores() { LONG_NAP.min(nap * 2) } else { NAP };
        }
        self.start_if_lacking(self.runners.end_standby(), 0);
        false
    }

    /// Whether jobs wait that one more runner would get to: the others took so many since the last nap `begun`, and the last
    /// one when something `moved`. While a core is without a runner, what waits is compared with what was taken, so that a
    /// job that would wait for longer than a nap does not.
    fn falls_behind(&self, taken: u64, begun: Instant, moved: Instant) -> bool {
        let waiting = self.ring.len() as u64;
        if waiting == 0 {
            return false;
        }
        if !MODEL && self.has_all_cores() {
            // They wait for a core like those that run, unless one of these does not run: then fewer jobs were taken than all
            // cores get through, or none for long.
            let (runners, time) = (self.runners.load().active(), begun.elapsed());
            let running = runners.min(self.registry.sleep.cores()) as u32;
            let due = time.saturating_mul(running).saturating_sub(time / 2);
            let short = self.pace.time_for(taken + runners as u64) < due;
            let stuck = short || moved.elapsed() > NAP + self.pace.time_for(4).min(LONG_NAP);
            if stuck {
                // Jobs that block are known by it when they end; there may be as many as runners.
                self.pace.note_blocked(true);
            }
            return stuck;
        }
        let too_few = || self.runners.load().expected() < self.size().useful;
        waiting > taken || self.ring.is_blocked() || too_few()
    }

    /// Whether as many run jobs as there are cores, or as are of use, if that is more.
    fn has_all_cores(&self) -> bool {
        self.run_more_than(self.registry.sleep.cores().max(self.size().useful) - 1)
    }
}
