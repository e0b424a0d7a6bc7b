//! Which cores the process may use, and binding threads to them.
//!
//! The mask is read once, by the first pool: a worker's own mask holds one core, and a pool built
//! from a worker would otherwise believe that the machine has one. `core_affinity` reads and sets
//! masks; it indexes out of bounds for a core id of 1,024 or more, so no id goes to it that did not
//! come from it.

use std::io;
use std::process::Command;
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
/// would unpin the worker. For a process that a job starts there is [`unpin_child`].
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
    Mask::of(&snapshot().cores).map_or(Err(io::Error::from(io::ErrorKind::Unsupported)), |mask| mask.apply())
}

/// Lets the processes that `command` starts run on every core that this process had when its first pool was built.
///
/// A process inherits the mask of the thread that starts it, so one that a job starts is bound to the core of its worker,
/// with all its threads. A program that counts its cores then finds one. Call this before `spawn`, `status` or `output`,
/// on any thread; it holds for each process that `command` starts. The calling thread stays bound.
///
/// It does not block. The mask is made here; the child sets it with one system call before it becomes the other program. If
/// the system refuses the mask, the program starts with the worker's. As with any
/// `pre_exec` closure, std then forks instead of the cheaper `posix_spawn`.
///
/// On Linux. On other systems it does nothing, as [`unpin_current_thread`] does; where a child inherits a thread's mask there,
/// [`Placement::Unpinned`](crate::Placement::Unpinned) is for pools whose jobs start processes.
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

/// A set of cores, as the system takes it. Plain data, so that a child may set it between `fork` and `exec`.
#[cfg(target_os = "linux")]
#[derive(Clone, Copy)]
struct Mask([libc::c_ulong; 1024 / BITS]);

#[cfg(target_os = "linux")]
impl Mask {
    /// `None` if there is no core.
    fn of(cores: &[usize]) -> Option<Mask> {
        let mut mask = Mask([0; 1024 / BITS]);
        for &core in cores {
            // The snapshot's reader cannot return more than 1,024 cores; `get_mut` keeps that assumption honest.
            if let Some(word) = mask.0.get_mut(core / BITS) {
                *word |= 1 << (core % BITS);
            }
        }
        (!cores.is_empty()).then_some(mask)
    }

    /// Sets the calling thread's.
    fn apply(&self) -> io::Result<()> {
        // SAFETY: the pointer and the size describe the array, which the call only reads; thread 0 is the
        // calling one.
        let code = unsafe { libc::sched_setaffinity(0, size_of_val(&self.0), self.0.as_ptr().cast()) };
        if code == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Has each child of `command` set it.
    fn give_to(self, command: &mut Command) {
        use std::os::unix::process::CommandExt;

        let set = move || {
            // A refusal is no reason not to start: the child keeps the mask that it has.
            let _ = self.apply();
            Ok(())
        };
        // SAFETY: between `fork` and `exec` the closure makes one system call and reads `errno`. It reads memory of its own
        // only, takes no lock, and neither allocates nor frees: an error of the system's is a number.
        unsafe { command.pre_exec(set) };
    }
}

/// Not known how to set.
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
