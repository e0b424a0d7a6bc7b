//! Counts how often the calling thread has blocked.

/// Whether the system tells how often a thread has blocked.
pub(crate) const KNOWN: bool = cfg!(target_os = "linux");

/// Returns how often the calling thread has given up its core because it had to wait: for a lock, a file, a timer.
/// `None` where the system does not tell. The number leaves out how often the system took the core away, or the
/// thread offered it to others. Costs one system call.
#[cfg(target_os = "linux")]
pub(crate) fn voluntary() -> Option<u64> {
    if crate::sync::MODEL {
        return None;
    }
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer is valid for writes of a `rusage`, and the call writes no more than that.
    let code = unsafe { libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr()) };
    // SAFETY: all fields are integers, zero until the system writes them; so every bit pattern is valid.
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
