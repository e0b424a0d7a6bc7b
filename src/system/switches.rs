//! What the system has counted of a thread: how often it has blocked, how long it has run, how long it had to wait.

use std::time::Duration;

/// Whether the system tells how often a thread has blocked.
pub(crate) const KNOWN: bool = cfg!(target_os = "linux");

/// A reading of the calling thread's counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// How often it has given up its core because it had to wait: for a lock, a file, a timer. It leaves out how often
    /// the system took the core away, or the thread offered it to others.
    pub(crate) voluntary: u64,
    /// How long it has run.
    pub(crate) run: Duration,
}

/// Reads the calling thread's counts. `None` where the system does not tell. Costs two system calls.
pub(crate) fn usage() -> Option<Usage> {
    Some(Usage { voluntary: voluntary()?, run: run()? })
}

/// Returns how often the calling thread has blocked, as [`usage`] does. Costs one system call.
#[cfg(target_os = "linux")]
pub(crate) fn voluntary() -> Option<u64> {
    if crate::sync::MODEL || cfg!(all(lab, feature = "lab")) {
        return None;
    }
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer is valid for writes of a `rusage`, and the call writes no more than that.
    let code = unsafe { libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr()) };
    // SAFETY: all fields are integers, zero until the system writes them; so every bit pattern is valid.
    let usage = unsafe { usage.assume_init() };
    if code == 0 { u64::try_from(usage.ru_nvcsw).ok() } else { None }
}

/// How long the calling thread has run. `getrusage` may leave out what it has run since the last tick.
#[cfg(target_os = "linux")]
fn run() -> Option<Duration> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is valid for the write of a `timespec`.
    let code = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    let (seconds, nanos) = (u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?);
    (code == 0).then(|| Duration::new(seconds, nanos))
}

/// The number by which the system knows the calling thread, if it tells other threads how this one fares.
#[cfg(target_os = "linux")]
pub(crate) fn thread_number() -> Option<u32> {
    // SAFETY: the call takes no arguments and cannot fail.
    let thread = unsafe { libc::syscall(libc::SYS_gettid) };
    u32::try_from(thread).ok()
}

/// Returns for how long another thread of this process could have run and had to wait for its core, since it began.
/// A wait that lasts does not count yet. `None` where the system does not tell. Reads a file.
#[cfg(target_os = "linux")]
pub(crate) fn run_delay(thread: u32) -> Option<Duration> {
    let text = std::fs::read_to_string(format!("/proc/self/task/{thread}/schedstat")).ok()?;
    text.split_ascii_whitespace().nth(1)?.parse().ok().map(Duration::from_nanos)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn thread_number() -> Option<u32> {
    None
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn run_delay(_thread: u32) -> Option<Duration> {
    None
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn voluntary() -> Option<u64> {
    None
}

#[cfg(not(target_os = "linux"))]
fn run() -> Option<Duration> {
    None
}

/// Whether the system tells a thread how long it has run.
pub(crate) const RUN_KNOWN: bool = KNOWN && !cfg!(all(lab, feature = "lab"));

#[cfg(all(test, target_os = "linux", not(any(loom, shuttle))))]
mod tests {
    use super::{usage, voluntary};
    use std::thread;
    use std::time::{Duration, Instant};

    #[test]
    fn work_counts_as_run_and_a_sleep_does_not() {
        let before = usage().unwrap().run;
        thread::sleep(Duration::from_millis(30));
        let slept = usage().unwrap().run - before;
        assert!(slept < Duration::from_millis(20), "{slept:?}");
        let start = Instant::now();
        while usage().unwrap().run - before < Duration::from_millis(5) {}
        assert!(start.elapsed() >= Duration::from_millis(4));
        // Also what was run since the last tick.
        let before = usage().unwrap().run;
        (0..1000).for_each(|_| std::hint::spin_loop());
        assert!(usage().unwrap().run > before);
    }

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
