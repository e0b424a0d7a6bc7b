//! Finds which cores the process may use, and binds threads to them.
//!
//! The first pool reads the process's mask, once. A worker is bound to one core, so a pool that a worker builds would
//! otherwise believe that the machine has one core.
//!
//! `core_affinity` reads and sets masks. It indexes out of bounds for a core id of 1,024 or more, so this module
//! gives it only ids that came from it.

use std::io;
use std::process::Command;
use std::sync::OnceLock;

use core_affinity::CoreId;

use crate::sync::MODEL;

/// What the process may use, as the first pool found it.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// The cores that the mask allows, ascending. Empty where the system does not tell.
    pub(crate) cores: Vec<usize>,
    /// How many threads can run at once: the lower of the mask's number of cores and the cgroup's CPU quota.
    pub(crate) parallelism: usize,
}

/// Returns the snapshot. The first call takes it.
pub(crate) fn snapshot() -> &'static Snapshot {
    static SNAPSHOT: OnceLock<Snapshot> = OnceLock::new();
    SNAPSHOT.get_or_init(|| {
        let mut cores: Vec<usize> =
            core_affinity::get_core_ids().unwrap_or_default().into_iter().map(|core| core.id).collect();
        cores.sort_unstable();
        // std reads the same mask and, on Linux, cgroup v1 and v2 quotas. It tolerates malformed files.
        let parallelism = std::thread::available_parallelism().map_or(1, usize::from);
        Snapshot { cores, parallelism }
    })
}

/// Binds the calling thread to `core`, which must come from the [`snapshot`]. Returns whether the system agreed.
pub(crate) fn pin(core: usize) -> bool {
    debug_assert!(snapshot().cores.contains(&core));
    core_affinity::set_for_current(CoreId { id: core })
}

/// Returns the core that the calling thread is on now, where the system tells so cheaply.
#[cfg(target_os = "linux")]
pub(crate) fn current_core() -> Option<usize> {
    if MODEL {
        // Under a checker all threads are on core 0. Only a model binds workers to that core.
        return Some(0);
    }
    // SAFETY: the call takes no arguments and has no preconditions. A negative number means an error.
    let core = unsafe { libc::sched_getcpu() };
    usize::try_from(core).ok()
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn current_core() -> Option<usize> {
    None
}

/// Lets the calling thread run on every core that the process had when its first pool was built.
///
/// A thread inherits the mask of the thread that starts it. So a thread that a job starts is bound to the core of the
/// job's worker. Call this function first thing in the new thread. A job must not call it on its worker: that would
/// unpin the worker. For a process that a job starts there is [`unpin_child`].
///
/// # Errors
/// The system's error, or `Unsupported` where the system has no such call.
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
    Mask::of(&snapshot().cores).map_or(Err(io::Error::from(io::ErrorKind::Unsupported)), |mask| mask.apply())
}

/// Lets the processes that `command` starts run on every core that this process had when its first pool was built.
///
/// A process inherits the mask of the thread that starts it. So a process that a job starts is bound, with all its
/// threads, to the core of the job's worker, and a program that counts its cores finds one. Call this function before
/// `spawn`, `status` or `output`, on any thread. It holds for each process that `command` starts. The calling thread
/// stays bound.
///
/// The function does not block. It makes the mask; the child sets the mask with one system call before it becomes the
/// other program. If the system refuses the mask, the program starts with the worker's mask. As with any `pre_exec`
/// closure, std then forks instead of using the cheaper `posix_spawn`.
///
/// This works on Linux. On other systems the function does nothing, just as [`unpin_current_thread`] changes nothing
/// there. If a child inherits a thread's mask on such a system, use
/// [`Placement::Unpinned`](crate::Placement::Unpinned) for pools whose jobs start processes.
///
/// # Examples
/// ```
/// use std::process::Command;
///
/// let pool = filch::Pool::new()?;
/// let output = pool.install(|| {
///     let mut command = Command::new("nproc");
///     filch::unpin_child(&mut command);
///     command.output()
/// });
/// if let Ok(output) = output {
///     print!("it counts {}", String::from_utf8_lossy(&output.stdout)); // all cores, and not 1
/// }
/// # Ok::<(), filch::BuildError>(())
/// ```
pub fn unpin_child(command: &mut Command) {
    if let Some(mask) = Mask::of(&snapshot().cores) {
        mask.give_to(command);
    }
}

#[cfg(target_os = "linux")]
const BITS: usize = libc::c_ulong::BITS as usize;

/// A set of cores in the form that the system takes. Plain data, so that a child can set it between `fork` and
/// `exec`.
#[cfg(target_os = "linux")]
#[derive(Clone, Copy)]
struct Mask([libc::c_ulong; 1024 / BITS]);

#[cfg(target_os = "linux")]
impl Mask {
    /// A mask of `cores`; `None` if there are none.
    fn of(cores: &[usize]) -> Option<Mask> {
        let mut mask = Mask([0; 1024 / BITS]);
        for &core in cores {
            // The reader of the snapshot returns no id above 1,023. `get_mut` does not rely on that.
            if let Some(word) = mask.0.get_mut(core / BITS) {
                *word |= 1 << (core % BITS);
            }
        }
        (!cores.is_empty()).then_some(mask)
    }

    /// Sets the mask of the calling thread.
    fn apply(&self) -> io::Result<()> {
        // SAFETY: the pointer and the size describe the array, which the call only reads. Thread 0 is the calling
        // thread.
        let code = unsafe { libc::sched_setaffinity(0, size_of_val(&self.0), self.0.as_ptr().cast()) };
        if code == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Makes each child of `command` set the mask.
    fn give_to(self, command: &mut Command) {
        use std::os::unix::process::CommandExt;

        let set = move || {
            // If the system refuses, the child starts all the same and keeps the mask that it has.
            let _ = self.apply();
            Ok(())
        };
        // SAFETY: between `fork` and `exec` the closure makes one system call and reads `errno`. It reads only the
        // mask, which it owns. It takes no lock, and neither allocates nor frees: a system error is a number.
        unsafe { command.pre_exec(set) };
    }
}

/// No mask exists: on this system it is not known how to set one.
#[cfg(not(target_os = "linux"))]
enum Mask {}

#[cfg(not(target_os = "linux"))]
impl Mask {
    fn of(_cores: &[usize]) -> Option<Mask> {
        None
    }

    fn apply(&self) -> io::Result<()> {
        match *self {}
    }

    fn give_to(self, _command: &mut Command) {
        match self {}
    }
}
