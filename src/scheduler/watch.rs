//! Looks after workers that cannot look themselves: a worker in a long job comes to no point at which it could notice
//! that somebody else keeps its core. A thread that waits for the pool in `install`, or in a scope or a fork from outside,
//! looks now and then, and lets the worker loose. [`super::worker`]'s soft pinning does the same for workers that come to
//! their main loop. Nobody looks after a long job that such a thread does not wait for.
//!
//! | who | does, with the lock of the readings |
//! |---|---|
//! | the waiting thread | reads how long the worker waited; changes its mask; takes its core off the lists; leaves a note |
//! | the worker that falls asleep, ends its stint, or is about to let itself loose | finds the note: it is loose |
//! | the worker that binds itself, or lets itself loose, or whose thread is about to end | changes its entry |
//!
//! It also tells workers in a first, long job that the system has granted its fence.
//!
//! So the mask that is changed is that of a thread which exists, and is the worker's, and is bound.

use std::time::Duration;

use super::peer::Peer;
use super::registry::Registry;
use crate::sync::MODEL;
use crate::system::clock::Instant;
use crate::system::{affinity, heavy_fence};

/// How long a thread waits before its first look; the next looks come after [`NEXT`] if a worker shares its core, and
/// otherwise after twice the time of before, up to [`LAST`].
const FIRST: Duration = Duration::from_millis(2);
const NEXT: Duration = Duration::from_millis(10);
const LAST: Duration = Duration::from_millis(80);

/// How long a thread waits before it looks whether the one that looks after the workers has gone.
const RELIEF: Duration = Duration::from_secs(1);

/// A thread that waits with a time limit, however far away, sleeps and wakes up later by as much as a short job takes: the
/// system sets a timer. So only threads look after workers that expect a wait of this length: the last was as long, or
/// is the pool's first.
const LONG: Duration = Duration::from_millis(10);

/// A thread that waits for a pool, as one that looks after the pool's workers.
pub(super) struct Watch<'r> {
    registry: &'r Registry,
    begun: Option<Instant>,
    pause: Option<Duration>,
    /// Whether this is the thread that looks.
    watches: bool,
}

impl<'r> Watch<'r> {
    pub(super) fn new(registry: &'r Registry) -> Watch<'r> {
        Watch { registry, begun: None, pause: None, watches: false }
    }

    /// The thread is about to sleep. Returns when it is to look after the workers, if ever.
    pub(super) fn next(&mut self) -> Option<Instant> {
        if MODEL || self.registry.forked() {
            return None;
        }
        let now = Instant::now();
        if self.begun.is_none() {
            self.begun = Some(now);
            let looks = self.registry.wants_heavy()
                || self.registry.cores.are_soft() && self.registry.run_delays.expects_long();
            self.pause = looks.then_some(FIRST);
        }
        self.pause.map(|pause| now + pause)
    }

    /// Looks after the workers.
    #[cold]
    pub(super) fn look(&mut self) {
        let Some(pause) = self.pause else { return };
        self.watches = self.watches || self.registry.run_delays.begin_watch();
        if !self.watches {
            self.pause = Some(RELIEF);
            return;
        }
        let (soft, wants_heavy) = (self.registry.cores.are_soft(), self.registry.tell_of_heavy());
        let is_shared = soft && self.registry.let_loose_who_waits();
        self.pause = match () {
            () if is_shared => Some(NEXT),
            () if soft || wants_heavy => Some((pause * 2).min(LAST)),
            () => None,
        };
        if self.pause.is_none() {
            self.end();
        }
    }

    /// From now on another thread may look after the workers.
    fn end(&mut self) {
        if std::mem::take(&mut self.watches) {
            self.registry.run_delays.end_watch();
        }
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if let Some(begun) = self.begun {
            self.registry.run_delays.note_wait(begun.elapsed() >= LONG);
            self.end();
        }
    }
}

impl Registry {
    /// Whether the system has not yet granted its fence, and has not refused it.
    fn wants_heavy(&self) -> bool {
        self.may_use_heavy && !self.run_delays.is_heavy_told() && !heavy_fence::available()
    }

    /// Asks the system for its fence, which a worker does when it comes to rest, and tells workers that it is there, which
    /// they learn when another worker wants a job. In a first, long job, or in one job after the other, neither may
    /// happen. Returns whether there is more to tell.
    pub(super) fn tell_of_heavy(&self) -> bool {
        if !self.may_use_heavy || self.run_delays.is_heavy_told() {
            return false;
        }
        heavy_fence::prepare();
        // A worker at rest looks by itself before it works.
        let is_outdated = |peer: &&Peer| peer.private.is_outdated() && !peer.private.is_at_rest();
        let mut outdated = self.all_peers().filter(is_outdated).peekable();
        if !heavy_fence::is_pending() && outdated.peek().is_none() {
            self.run_delays.note_heavy_told();
            return false;
        }
        // The owner answers at its next push, and finds that nobody wants a job.
        outdated.for_each(|peer| peer.private.demand());
        true
    }

    /// Lets workers loose that wait for their cores again and again. Returns whether any worker shares its core.
    fn let_loose_who_waits(&self) -> bool {
        let mut readings = self.run_delays.lock();
        if !self.sleep.finds_another_core() {
            readings.iter_mut().for_each(|worker| worker.forget());
            return false;
        }
        let now = Instant::now();
        for (index, worker) in readings.iter_mut().enumerate() {
            let home = self.sleep.home(index).filter(|_| self.sleep.is_awake(index));
            let (Some(core), Some(thread)) = (home, worker.thread) else {
                worker.forget();
                continue;
            };
            if let Some(waited) = worker.read(now)
                && self.sleep.finds_another_core()
                && affinity::make_leave(thread, core)
            {
                self.leave_home(index, core);
                self.run_delays.note_moved(worker, index, now, waited);
            }
        }
        readings.iter().any(|worker| worker.is_shared())
    }

    /// Takes the core of a worker off the lists: others may have it.
    pub(super) fn leave_home(&self, index: usize, core: usize) {
        self.sleep.unset_home(index, core);
        self.cores.left(index);
    }
}
