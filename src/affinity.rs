//! Which cores the process may use, and binding threads to them.
//!
//! The mask is read once, by the first pool: a worker's own mask holds one core, and a pool built
//! from a worker would otherwise believe that the machine has one. `core_affinity` reads and sets
//! masks; it indexes out of bounds for a core id of 1,024 or more, so no id goes to it that did not
//! come from it.

use std::io;
use std::sync::OnceLock;

use core_affinity::CoreId;

use crate::sync::MODEL;

/// What the process had when the first pool asked.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// Cores the mask allowed, ascending. Empty where the system does not say.
    pub(crate) cores: Vec<usize>,
    /// How many threads can run at once: the mask and the cgroup's CPU quota, whichever is less.
    pub(crate) parallelism: usize,
}

/// The snapshot; taken at the first call.
pub(crate) fn snapshot() -> &'static Snapshot {
    static SNAPSHOT: OnceLock<Snapshot> = OnceLock::new();
    SNAPSHOT.get_or_init(|| {
        let mut cores: Vec<usize> =
            core_affinity::get_core_ids().unwrap_or_default().into_iter().map(|core| core.id).collect();
        cores.sort_unstable();
        // std reads the same mask and, on Linux, cgroup v1 and v2 quotas; it tolerates malformed files.
        let parallelism = std::thread::available_parallelism().map_or(1, usize::from);
        Snapshot { cores, parallelism }
    })
}

/// Binds the calling thread to `core`, which must come from the [`snapshot`]. Says whether the
/// system agreed.
pub(crate) fn pin(core: usize) -> bool {
    debug_assert!(snapshot().cores.contains(&core));
    core_affinity::set_for_current(CoreId { id: core })
}

/// The core that the calling thread is on at this moment, where the system says so cheaply.
#[cfg(target_os = "linux")]
pub(crate) fn current_core() -> Option<usize> {
    if MODEL {
        // Under a checker all threads are on core 0, where no worker is bound but those that a model binds there.
        return Some(0);
    }
    // SAFETY: no arguments, no preconditions; a negative number is an error.
    let core = unsafe { libc::sched_getcpu() };
    usize::try_from(core).ok()
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn current_core() -> Option<usize> {
    None
}

/// Lets the calling thread run on every core that the process had when its first pool was built.
///
/// A thread inherits the mask of the thread that starts it, so one started from a job is bound to the
/// core of its worker. Call this first thing in such a thread. Not to be called by a job itself: it
/// would unpin the worker.
///
/// # Errors
/// The system's, or `Unsupported` where it has no such call.
///
/// # Examples
/// ```
/// let pool = filch::Pool::new()?;
/// let cores = pool.install(|| {
///     std::thread::spawn(|| {
///         filch::unpin_current_thread()?;
///         std::thread::available_parallelism()
///     })
///     .join()
///     .expect("no panic")
/// })?;
/// assert_eq!(cores, std::thread::available_parallelism()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn unpin_current_thread() -> io::Result<()> {
    set_mask(&snapshot().cores)
}

#[cfg(target_os = "linux")]
fn set_mask(cores: &[usize]) -> io::Result<()> {
    const BITS: usize = libc::c_ulong::BITS as usize;
    if cores.is_empty() {
        return Err(io::Error::from(io::ErrorKind::Unsupported));
    }
    let mut mask: [libc::c_ulong; 1024 / BITS] = [0; 1024 / BITS];
    for &core in cores {
        // The snapshot's reader cannot return more than 1,024 cores; `get_mut` keeps that assumption honest.
        if let Some(word) = mask.get_mut(core / BITS) {
            *word |= 1 << (core % BITS);
        }
    }
    // SAFETY: the pointer and the size describe `mask`, which the call only reads; thread 0 is the
    // calling one.
    let code = unsafe { libc::sched_setaffinity(0, size_of_val(&mask), mask.as_ptr().cast()) };
    if code == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(not(target_os = "linux"))]
fn set_mask(_cores: &[usize]) -> io::Result<()> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}
