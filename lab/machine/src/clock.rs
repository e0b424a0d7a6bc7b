//! The machine's clock, in the shape of `std::time::Instant`.

use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

use crate::costs::{Time, nanos};
use crate::machine::current;
use crate::state::START;

/// A moment of virtual time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(Time);

/// Returns a duration as virtual time, at most the last moment that there is.
pub(crate) fn to_time(time: Duration) -> Time {
    u64::try_from(time.as_nanos()).map_or(Time::MAX, |time| time.saturating_mul(nanos(1)))
}

/// Returns a span of virtual time as a duration, in whole nanoseconds.
fn from_time(time: Time) -> Duration {
    Duration::from_nanos(time / nanos(1))
}

/// Returns the time since the start of the machine's first thread, as the calling thread has it, or 0 if that is no thread
/// of a machine. Costs nothing: for measurements that must not change what they measure.
#[must_use]
pub fn moment() -> Time {
    current().map_or(0, |machine| machine.state.borrow().now - START)
}

impl Instant {
    /// Returns the calling thread's time, or 0 if it is no thread of a machine.
    #[must_use]
    pub fn now() -> Instant {
        let Some(machine) = current() else { return Instant(0) };
        machine.turn();
        let mut state = machine.state.borrow_mut();
        let price = state.costs.clock;
        state.spend(price);
        Instant(state.now)
    }

    /// Returns the time since this moment.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Instant::now() - *self
    }

    /// Returns the time from `earlier` to this moment, or zero if that is later.
    #[must_use]
    pub fn duration_since(&self, earlier: Instant) -> Duration {
        *self - earlier
    }

    /// Returns the time from `earlier` to this moment, or zero if that is later.
    #[must_use]
    pub fn saturating_duration_since(&self, earlier: Instant) -> Duration {
        *self - earlier
    }

    /// Returns the moment `time` later, or `None` if there is none.
    #[must_use]
    pub fn checked_add(&self, time: Duration) -> Option<Instant> {
        self.0.checked_add(to_time(time)).map(Instant)
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;

    fn add(self, time: Duration) -> Instant {
        Instant(self.0.saturating_add(to_time(time)))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, time: Duration) {
        *self = *self + time;
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Instant) -> Duration {
        from_time(self.0.saturating_sub(earlier.0))
    }
}
