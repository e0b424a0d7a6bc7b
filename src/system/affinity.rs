//! Finds which cores the process may use, and binds threads to them.
//!
//! On Linux each build of a pool reads the mask of the process anew, so a pool follows a cpuset that has changed.
//!
//! * It reads the mask of the process's main thread. The building thread may be bound: it may be a worker, or its
//!   host bound it.
//! * If a pool binds the main thread, this module notes that thread's mask first. From then on the noted mask counts.
//! * It reads the CPU quota when the number of workers depends on it, or when a worker has run its first job, and
//!   again only if the mask has changed.
//! * A forked child keeps what its parent knew, because the child's main thread may be a worker of the parent.
//!
//! On other systems only the first pool reads the cores, with `core_affinity`. That crate indexes out of bounds for a
//! core id of 1,024 or more, so this module gives the crate only ids that came from it.

use std::io;
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use core_affinity::CoreId;

use crate::sync::{MODEL, StdArc};
use crate::system::process;

/// The cores and the threads that the process may use.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// The cores that the mask allows, ascending. Empty where the system does not tell.
    pub(crate) cores: Vec<usize>,
    /// How many threads can run at once, once somebody has asked.
    parallelism: std::sync::OnceLock<usize>,
}

impl Snapshot {
    /// How many threads can run at once: the lower of the mask's number of cores and the cgroup's CPU quota. The first
    /// call reads files, which takes as long as the start of a pool.
    pub(crate) fn parallelism(&self) -> usize {
        if let Some(&known) = self.parallelism.get() {
            return known;
        }
        let found = parallelism(&self.cores);
        SINGLE.store(found == 1, Relaxed);
        // In a forked child a thread of the parent may have been storing the same, and that thread does not exist there.
        if process::generation() == 0 {
            let _ = self.parallelism.set(found);
        }
        found
    }

    /// As [`parallelism`](Self::parallelism), but does not read the quota if nobody has done so.
    pub(crate) fn parallelism_so_far(&self) -> usize {
        match (self.parallelism.get(), self.cores.len()) {
            (Some(&known), _) => known,
            (None, 0) => self.parallelism(),
            (None, cores) => cores,
        }
    }
}

/// Whether only one thread of the process can run at once, as the last look has it. Relaxed: it decides nothing but whether
/// a thread spins.
static SINGLE: AtomicBool = AtomicBool::new(false);

/// Whether only one thread of the process can run at once, as far as some pool of the process has found.
#[inline]
pub(crate) fn is_single_core() -> bool {
    SINGLE.load(Relaxed)
}

/// The last snapshot that was taken.
static LAST: std::sync::Mutex<Option<StdArc<Snapshot>>> = std::sync::Mutex::new(None);

/// Replaces the last snapshot by `new`, if given, and returns the last snapshot. In a forked child a thread of the
/// parent may have held the lock, and that thread does not exist there. So the child does without the snapshot if the
/// lock is taken.
fn last(new: Option<&StdArc<Snapshot>>) -> Option<StdArc<Snapshot>> {
    let mut last = if process::generation() > 0 {
        LAST.try_lock().ok()?
    } else {
        LAST.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    };
    if let Some(new) = new {
        *last = Some(StdArc::clone(new));
    }
    last.clone()
}

/// Returns the last snapshot. The first call takes one.
pub(crate) fn snapshot() -> StdArc<Snapshot> {
    let seen = last(None);
    seen.unwrap_or_else(refresh)
}

/// Takes a snapshot and returns it, or the last snapshot if the mask has not changed.
pub(crate) fn refresh() -> StdArc<Snapshot> {
    let seen = last(None);
    let cores = allowed_cores(seen.as_ref().map(|seen| &seen.cores[..]));
    // With a new mask, the quota will be read anew.
    if let Some(seen) = seen.filter(|seen| seen.cores == cores) {
        return seen;
    }
    SINGLE.store(cores.len() == 1, Relaxed);
    let fresh = StdArc::new(Snapshot { cores, parallelism: std::sync::OnceLock::new() });
    last(Some(&fresh));
    fresh
}

/// Returns how many threads can run at once on `cores`. std reads the calling thread's mask and, on Linux, cgroup v1
/// and v2 quotas; it tolerates malformed files. If the calling thread is bound, a new thread with the mask of `cores`
/// asks std instead.
fn parallelism(cores: &[usize]) -> usize {
    // Windows reports all cores to a process that is bound to some.
    let most = if cores.is_empty() { usize::MAX } else { cores.len() };
    let available = move || std::thread::available_parallelism().map_or(1, usize::from).min(most);
    let Some(mask) = Mask::of(cores).filter(|_| !MODEL && is_bound(cores)) else { return available() };
    let ask = move || mask.apply().map(|()| available());
    let asked = std::thread::Builder::new().spawn(ask).ok().and_then(|thread| thread.join().ok());
    asked.and_then(Result::ok).unwrap_or(cores.len())
}

#[cfg(target_os = "linux")]
fn is_bound(cores: &[usize]) -> bool {
    Mask::read(0).is_some_and(|mask| mask.cores() != cores)
}

#[cfg(not(target_os = "linux"))]
fn is_bound(_cores: &[usize]) -> bool {
    false
}

/// The mask that the main thread had before a pool bound it.
#[cfg(target_os = "linux")]
static BEFORE: std::sync::OnceLock<Mask> = std::sync::OnceLock::new();

/// Returns the cores of the process, ascending.
#[cfg(target_os = "linux")]
fn allowed_cores(seen: Option<&[usize]>) -> Vec<usize> {
    let is_child = process::generation() > 0;
    if let Some(seen) = seen.filter(|_| is_child) {
        return seen.to_vec();
    }
    // The order matters. If the read finds the main thread bound, the thread noted its old mask before that, so the
    // second look finds the note.
    let now = Mask::read(process::id());
    BEFORE.get().copied().or(now).map_or_else(Vec::new, |mask| mask.cores())
}

#[cfg(not(target_os = "linux"))]
fn allowed_cores(seen: Option<&[usize]>) -> Vec<usize> {
    if let Some(seen) = seen {
        return seen.to_vec();
    }
    let mut cores: Vec<usize> =
        core_affinity::get_core_ids().unwrap_or_default().into_iter().map(|core| core.id).collect();
    cores.sort_unstable();
    cores
}

/// Notes the calling thread's mask if this is the main thread, which is about to be bound.
#[cfg(target_os = "linux")]
fn before_binding() {
    // SAFETY: the call takes no arguments and cannot fail.
    let thread = unsafe { libc::syscall(libc::SYS_gettid) };
    if thread == libc::c_long::from(process::id())
        && let Some(mask) = Mask::read(0)
    {
        let _ = BEFORE.set(mask);
    }
}

#[cfg(not(target_os = "linux"))]
fn before_binding() {}

/// Binds the calling thread to `core`, which must come from the [`snapshot`]. Returns whether the system agreed.
pub(crate) fn pin(core: usize) -> bool {
    before_binding();
    core_affinity::set_for_current(CoreId { id: core })
}

/// Returns the core that the calling thread is on now, or `None` if the system has no cheap way to tell.
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

/// Lets the calling thread run on every core that the process may use, as the last pool that was built found it.
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

/// Lets the processes that `command` starts run on every core that this process may use, as the last pool that was
/// built found it.
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
    /// Makes a mask of `cores`. Returns `None` if there are no cores.
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

    /// Reads the mask of a thread. 0 is the calling thread, and the process's number is its main thread.
    fn read(thread: libc::pid_t) -> Option<Mask> {
        let mut mask = Mask([0; 1024 / BITS]);
        let (size, words) = (size_of_val(&mask.0), mask.0.as_mut_ptr());
        // SAFETY: the pointer and the size describe the array, which the call fills.
        let code = unsafe { libc::sched_getaffinity(thread, size, words.cast()) };
        (code == 0).then_some(mask)
    }

    /// Returns the cores of the mask, ascending.
    fn cores(&self) -> Vec<usize> {
        (0..1024).filter(|core| self.0[core / BITS] & (1 << (core % BITS)) != 0).collect()
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

/// A type without values: this crate does not set masks on this system.
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
