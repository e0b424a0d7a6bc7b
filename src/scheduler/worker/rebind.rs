//! Changes of a worker's binding. [`super::soft_pinning`] says when they come.

use std::time::Duration;

use super::Worker;
use super::binding::{Binding, LOOSE, State};
use crate::system::affinity;
use crate::system::clock::Instant;

/// For how long a worker stays loose at most.
const LOOSE_MOST: Duration = Duration::from_secs(20);

/// A core that was the worker's own for this long counts as quiet again.
const QUIET: Duration = Duration::from_secs(10);

impl Worker {
    /// Binds the calling thread, the worker's, to the core that the pool has for it, if any.
    pub(crate) fn bind(&self) {
        let (registry, index) = (&self.registry, self.index);
        let Some(core) = registry.cores.choose(index) else { return };
        // No other thread changes the mask meanwhile.
        let readings = registry.cores.are_soft().then(|| registry.run_delays.lock());
        if !affinity::pin(core) {
            registry.cores.left(index);
            return;
        }
        registry.sleep.set_home(index, core);
        if let Some(mut readings) = readings {
            registry.run_delays.note_bound(&mut readings, index, true);
            self.binding.state.set(State::Bound { core, since: Instant::now() });
        }
    }

    /// Ends what [`bind`](Self::bind) began: others may have the core.
    pub(crate) fn leave_core(&self) {
        let registry = &self.registry;
        if registry.cores.are_soft() && !registry.forked() {
            registry.run_delays.note_bound(&mut registry.run_delays.lock(), self.index, false);
        }
        // The pool's report still tells which core it was.
        if registry.sleep.home(self.index).is_some() {
            registry.cores.left(self.index);
        }
    }

    /// Lets the worker loose, which was bound to `core` since then.
    #[cold]
    pub(super) fn let_loose(&self, core: usize, since: Instant) {
        let delays = &self.registry.run_delays;
        let mut readings = delays.lock();
        if delays.is_moved(self.index) {
            // Another thread was faster.
            drop(readings);
            self.note_moved();
            return;
        }
        // Somebody outside the process may have bound the thread elsewhere, and is to be left in peace.
        let done = affinity::is_on(&[core]) && affinity::leave(core).is_ok();
        delays.note_bound(&mut readings, self.index, false);
        if done {
            self.registry.leave_home(self.index, core);
            drop(readings);
            self.note_loose(core, since, Instant::now());
        } else {
            self.binding.state.set(State::Fixed);
        }
    }

    /// Another thread may have let this worker loose while it was in a long job. Notes that, and returns whether it is so.
    pub(super) fn note_moved(&self) -> bool {
        let State::Bound { core, since } = self.binding.state.get() else { return false };
        let Some((when, waited)) = self.registry.run_delays.take_moved(self.index) else { return false };
        self.me().counters.kept_waiting.add(waited.as_nanos() as u64);
        self.note_loose(core, since, when);
        true
    }

    /// Notes that the worker is loose since `when`, and was bound `since` then.
    fn note_loose(&self, core: usize, since: Instant, when: Instant) {
        let Binding { state, pause, .. } = &self.binding;
        self.me().counters.let_loose.add(1);
        if when.saturating_duration_since(since) >= QUIET {
            pause.set(LOOSE);
        }
        state.set(State::Loose { core, since: when });
    }

    /// Binds the worker to the core that it left.
    #[cold]
    pub(super) fn bind_again(&self, core: usize) {
        let Binding { state, pause, .. } = &self.binding;
        if !affinity::is_on_all() {
            state.set(State::Fixed);
            return;
        }
        // If the core is still taken, the next try comes later.
        pause.set((pause.get() * 2).min(LOOSE_MOST));
        state.set(State::Loose { core, since: Instant::now() });
        self.bind();
    }
}
