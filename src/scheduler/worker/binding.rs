//! The binding of a worker to its core. [`super::soft_pinning`] says when it changes.

use std::cell::Cell;
use std::time::Duration;

use crate::system::clock::Instant;
use crate::system::switches::Usage;

/// For how long a worker stays loose, at first.
pub(super) const LOOSE: Duration = Duration::from_millis(200);

/// Where a worker may run.
#[derive(Clone, Copy)]
pub(super) enum State {
    /// On the cores that its thread's mask allows: it has not been bound, or for good.
    Fixed,
    Bound {
        core: usize,
        since: Instant,
    },
    Loose {
        core: usize,
        since: Instant,
    },
}

/// The binding of a worker to its core.
pub(super) struct Binding {
    pub(super) state: Cell<State>,
    /// For how long the worker stays loose, this time or the next.
    pub(super) pause: Cell<Duration>,
    /// Whether the worker has found a job that only it may run since it last asked.
    pub(super) summoned: Cell<bool>,
    /// When the worker last looked at the clock after it had found a job.
    pub(super) looked: Cell<Option<Instant>>,
    /// How often it finds one from one look to the next, and how many of these times are left.
    pub(super) stride: Cell<u32>,
    pub(super) unlooked: Cell<u32>,
    /// When the worker last had to wait for its core.
    pub(super) waited: Cell<Option<Instant>>,
    /// When the worker went to sleep before this stint, or this stint began without a sleep, and its thread's counts then.
    pub(super) asleep: Cell<Option<(Instant, Usage)>>,
    /// When the worker came back from that sleep, and how long before it was woken.
    pub(super) begun: Cell<Option<(Instant, Duration)>>,
    /// How often the worker has blocked by itself since it went to sleep, that sleep included, and for how long since it
    /// came back.
    pub(super) pauses: Cell<(u64, Duration)>,
}

impl Default for Binding {
    fn default() -> Binding {
        Binding {
            state: Cell::new(State::Fixed),
            pause: Cell::new(LOOSE),
            summoned: Cell::default(),
            looked: Cell::default(),
            stride: Cell::new(1),
            unlooked: Cell::new(1),
            waited: Cell::default(),
            asleep: Cell::default(),
            begun: Cell::default(),
            pauses: Cell::default(),
        }
    }
}

impl Binding {
    pub(super) fn is_soft(&self) -> bool {
        !matches!(self.state.get(), State::Fixed)
    }

    /// How long this stint has taken until `now`, and how long the worker has waited for its core meanwhile. `None` if
    /// that is not known.
    pub(super) fn wait(&self, now: Instant, usage: Usage) -> Option<(Duration, Duration)> {
        let ((_, before), begun) = (self.asleep.get()?, self.begun.take()?);
        let (pauses, paused) = self.pauses.take();
        // In a child that was forked in between, the counts begin anew.
        let blocked = usage.voluntary.checked_sub(before.voluntary)?;
        let run = usage.run.checked_sub(before.run)?;
        if blocked > pauses {
            return None;
        }
        let took = now - begun.0 + begun.1;
        Some((took, took.saturating_sub(run + paused)))
    }
}
