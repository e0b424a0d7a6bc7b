//! How often the calling thread has blocked.

/// Whether the system says so.
pub(crate) const KNOWN: bool = cfg!(target_os = "linux");

/// How often the calling thread has given up its core because it had to wait, for a lock, a file, a timer; `None` where the
/// system does not say. That it was made to give it up, or offered it to others, does not count. A system call, of 0.2 µs.
#[cfg(target_os = "linux")]
pub(crate) fn voluntary() -> Option<u64> {
    if crate::sync::MODEL {
        return None;
    }
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer is to a `rusage`, which the call writes.
    let code = unsafe { libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr()) };
    // SAFETY: all of it are integers, zero until the system wrote them.
    let usage = unsafe { usage.assume_init() };
    if code == 0 { u64::try_from(usage.ru_nvcsw).ok() } else { None }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn voluntary() -> Option<u64> {
    None
}

#[cfg(all(test, target_os = "linux", not(any(loom, shuttle))))]
mod tests {
    use super::voluntary;
    use std::thread;
    use std::time::Duration;

    #[test]
    fn a_sleep_counts_and_work_does_not() {
        let before = voluntary().unwrap();
        (0..5).for_each(|_| thread::sleep(Duration::from_micros(10)));
        let slept = voluntary().unwrap();
        assert!(slept >= before + 5, "{before} and then {slept}");
        (0..5).for_each(|_| thread::yield_now());
        assert_eq!(voluntary().unwrap(), slept);
    }
}
