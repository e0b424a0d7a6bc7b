//! The clock: std's, where the system has one. wasm without a host interface (`wasm32-unknown-unknown`) has none, and
//! std panics there. On that system each look moves the time on by a microsecond, so that every wait with a limit ends.

#[cfg(all(lab, feature = "lab"))]
pub(crate) use crate::sync::Instant;

#[cfg(not(any(all(lab, feature = "lab"), all(target_family = "wasm", target_os = "unknown"))))]
pub(crate) use std::time::Instant;

#[cfg(all(target_family = "wasm", target_os = "unknown"))]
pub(crate) use by_looks::Instant;

#[cfg(any(test, all(target_family = "wasm", target_os = "unknown")))]
mod by_looks {
    use std::cell::Cell;
    use std::ops::{Add, Sub};
    use std::time::Duration;

    /// A moment: the time since the first look.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    pub(crate) struct Instant(Duration);

    impl Instant {
        pub(crate) fn now() -> Instant {
            // Of this thread: a limit is compared on the thread that set it.
            std::thread_local!(static LOOKS: Cell<u64> = const { Cell::new(0) });
            LOOKS.set(LOOKS.get() + 1);
            Instant(Duration::from_micros(LOOKS.get()))
        }

        pub(crate) fn elapsed(&self) -> Duration {
            Instant::now() - *self
        }

        pub(crate) fn duration_since(&self, earlier: Instant) -> Duration {
            *self - earlier
        }

        pub(crate) fn saturating_duration_since(&self, earlier: Instant) -> Duration {
            *self - earlier
        }

        pub(crate) fn checked_add(&self, time: Duration) -> Option<Instant> {
            self.0.checked_add(time).map(Instant)
        }
    }

    impl Add<Duration> for Instant {
        type Output = Instant;

        fn add(self, time: Duration) -> Instant {
            Instant(self.0.saturating_add(time))
        }
    }

    impl Sub for Instant {
        type Output = Duration;

        fn sub(self, earlier: Instant) -> Duration {
            self.0.saturating_sub(earlier.0)
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_limit_is_reached_by_looking() {
            let start = Instant::now();
            let limit = start + Duration::from_millis(1);
            let looks = (1..).find(|_| Instant::now() >= limit);
            assert!(looks.is_some_and(|looks| looks <= 1000));
            assert!(start.elapsed() > Duration::from_millis(1) && limit.duration_since(start).as_millis() == 1);
            assert_eq!(start.saturating_duration_since(limit), Duration::ZERO);
            assert!(limit.checked_add(Duration::MAX).is_none());
        }
    }
}
