//! How long the next spin may last: as long as the last ones have paid.
//!
//! A spin pays if the wait is over before the thread would have slept and been woken again. Whether it does depends on
//! what the thread waits for, and the last waits of the same kind tell more about that than a constant (adaptive
//! spinning: Karlin, Li, Manasse, Owicki, 1991).
//!
//! | the last wait was over | the next spin may last |
//! |---|---|
//! | during the spin, or so soon after it that a full spin would have paid | its full time |
//! | later | half as long as the last one, but not less than a 32nd of its full time |

use std::cell::Cell;
use std::time::Duration;

use super::spin::{Spin, WAKE};
use crate::sync::MODEL;
use crate::system::clock::Instant;

/// How often the time of a spin is halved at most.
const HALVINGS: u32 = 5;

/// A wait that was over within this time would have been over, or nearly, in a full spin.
const SOON: Duration = WAKE.saturating_mul(5);

/// What became of the last waits of one kind. It belongs to one thread.
pub(crate) struct SpinHistory {
    /// How often the full time is halved.
    halvings: Cell<u32>,
    /// When the wait began whose spin was in vain, and which is not over.
    since: Cell<Option<Instant>>,
}

impl SpinHistory {
    pub(crate) const fn new() -> SpinHistory {
        SpinHistory { halvings: Cell::new(0), since: Cell::new(None) }
    }

    /// Returns `spin`, shortened to what has paid lately. An offering spin is as it was. Under a checker no time passes,
    /// and all spins are as they were.
    pub(crate) fn shorten(&self, spin: Spin) -> Spin {
        if MODEL { spin } else { spin.halved(self.halvings.get()) }
    }

    /// Returns how many of `most` tries are worth it.
    pub(crate) fn tries(&self, most: u32) -> u32 {
        most >> self.halvings.get()
    }

    /// Notes that a wait was over before its `spin` was.
    pub(crate) fn note_paid(&self) {
        self.halvings.set(0);
        self.since.set(None);
    }

    /// Notes that `spin` was in vain. The wait goes on, until [`note_over`](Self::note_over).
    pub(crate) fn note_vain(&self, spin: &Spin) {
        self.note_vain_since(spin.started());
    }

    /// As [`note_vain`](Self::note_vain), for a wait that began at `since`.
    pub(crate) fn note_vain_since(&self, since: Option<Instant>) {
        self.since.set(since);
    }

    /// Notes that the wait is over whose spin was in vain, if there is one.
    pub(crate) fn note_over(&self) {
        self.note_over_within(SOON);
    }

    /// As [`note_over`](Self::note_over), where a wait of up to `soon` would have been worth the full time.
    pub(crate) fn note_over_within(&self, soon: Duration) {
        let Some(since) = self.since.take() else { return };
        let longer = since.elapsed() > soon;
        self.halvings.set(if longer { HALVINGS.min(self.halvings.get() + 1) } else { 0 });
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    fn ago(time: Duration) -> Option<Instant> {
        Some(Instant::now().checked_sub(time).unwrap())
    }

    #[test]
    fn a_spin_gets_shorter_where_waits_are_long_and_full_again_after_one_short_wait() {
        let history = SpinHistory::new();
        let budget = || history.shorten(Spin::lasting(WAKE)).budget();
        assert_eq!(budget(), WAKE);
        for times in 1..=8 {
            history.note_vain_since(ago(Duration::from_millis(1)));
            assert_eq!(budget(), WAKE / (1 << (times - 1).min(HALVINGS)), "the wait is not over");
            history.note_over();
            assert_eq!(budget(), WAKE / (1 << times.min(HALVINGS)));
            // Not a wait of this kind, or one that began with no spin.
            history.note_over();
            assert_eq!(budget(), WAKE / (1 << times.min(HALVINGS)));
        }
        assert_eq!(history.tries(100), 3);
        history.note_paid();
        assert_eq!((budget(), history.tries(100)), (WAKE, 100));
        history.note_vain_since(ago(Duration::from_millis(1)));
        history.note_over();
        history.note_vain_since(ago(Duration::from_millis(1)));
        history.note_over_within(Duration::from_secs(3600));
        assert_eq!(budget(), WAKE, "soon enough");
    }
}
