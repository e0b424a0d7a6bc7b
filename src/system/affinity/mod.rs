//! Finds which cores the process may use, and binds threads to them.
//!
//! On Linux and Windows each build of a pool reads the mask of the process anew, so a pool follows a cpuset that has
//! changed. On Linux:
//!
//! * It reads the mask of the process's main thread. The building thread may be bound: it may be a worker, or its
//!   host bound it.
//! * If a pool binds the main thread, this module notes that thread's mask first. From then on the noted mask counts.
//! * It reads the CPU quota when the number of workers depends on it, or when a worker has run its first job, and
//!   again only if the mask has changed.
//! * A forked child keeps what its parent knew, because the child's main thread may be a worker of the parent.
//!
//! On other systems only the first pool reads the cores.

use std::io;
use std::process::Command;
use std::sync::atomic::AtomicBool;

use crate::sync::StdArc;
use crate::sync::site::SINGLE_CORE;
use crate::system::process;

#[cfg(all(lab, feature = "lab"))]
#[path = "lab.rs"]
mod imp;
#[cfg(not(any(target_os = "linux", target_os = "windows", all(lab, feature = "lab"))))]
#[path = "elsewhere.rs"]
mod imp;
#[cfg(all(target_os = "linux", not(all(lab, feature = "lab"))))]
#[path = "linux.rs"]
mod imp;
#[cfg(all(target_os = "windows", not(all(lab, feature = "lab"))))]
use windows as imp;

#[cfg(target_os = "windows")]
mod cpu_sets;
#[cfg(target_os = "windows")]
mod windows;

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
        let found = imp::parallelism(&self.cores);
        SINGLE.store(found == 1, SINGLE_CORE.get());
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

/// Whether only one thread of the process can run at once, as the last look has it. Relaxed: it decides nothing but
/// whether a thread spins.
static SINGLE: AtomicBool = AtomicBool::new(false);

/// Whether only one thread of the process can run at once, as far as some pool of the process has found.
#[inline]
pub(crate) fn is_single_core() -> bool {
    SINGLE.load(SINGLE_CORE.get())
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
    let cores = imp::allowed_cores(seen.as_ref().map(|seen| &seen.cores[..]));
    // With a new mask, the quota will be read anew.
    if let Some(seen) = seen.filter(|seen| seen.cores == cores) {
        return seen;
    }
    SINGLE.store(cores.len() == 1, SINGLE_CORE.get());
    let fresh = StdArc::new(Snapshot { cores, parallelism: std::sync::OnceLock::new() });
    last(Some(&fresh));
    fresh
}

/// Binds the calling thread to `core`, which must come from the [`snapshot`]. Returns whether the system agreed.
pub(crate) fn pin(core: usize) -> bool {
    imp::pin(core)
}

/// Whether the calling thread may run on just these cores now. Somebody outside the process may have changed that.
pub(crate) fn is_on(cores: &[usize]) -> bool {
    imp::is_on(cores)
}

/// Whether the calling thread may run on every core that the process may use, and no other.
pub(crate) fn is_on_all() -> bool {
    is_on(&snapshot().cores)
}

/// Lets the calling thread run on every core that the process may use, and moves it away from `core` if there is
/// another.
pub(crate) fn leave(core: usize) -> io::Result<()> {
    let cores = &snapshot().cores;
    let others: Vec<usize> = cores.iter().copied().filter(|&other| other != core).collect();
    if !others.is_empty() {
        // A thread that may stay where it is does so until it sleeps.
        imp::unpin(&others)?;
    }
    imp::unpin(cores)
}

/// As [`leave`], for another thread of this process, if it may run on just `core` now. Returns whether it is done.
pub(crate) fn make_leave(thread: u32, core: usize) -> bool {
    let cores = &snapshot().cores;
    let others: Vec<usize> = cores.iter().copied().filter(|&other| other != core).collect();
    imp::is_other_on(thread, &[core])
        && (others.is_empty() || imp::unpin_other(thread, &others).is_ok())
        && imp::unpin_other(thread, cores).is_ok()
}

/// Returns the core that the calling thread is on now, or `None` if the system has no cheap way to tell.
pub(crate) fn current_core() -> Option<usize> {
    imp::current_core()
}

/// Lets the calling thread run on every core that the process may use, as the last pool that was built found it.
///
/// On Linux a thread inherits the mask of the thread that starts it. So a thread that a job starts is bound to the core
/// of the job's worker. Call this function first thing in the new thread. A job must not call it on its worker: that
/// would unpin the worker. For a process that a job starts there is [`unpin_child`].
///
/// On Windows a new thread has the mask of the process, so there it needs no call. Where the process has several
/// processor groups, the call lets the thread run on the cores of one.
///
/// # Errors
/// The system's error. `Unsupported` on systems other than Linux and Windows.
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
    imp::unpin(&snapshot().cores)
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
/// This works on Linux. Windows gives a child the mask of the process, so there is nothing to do. On other systems the
/// function does nothing; if a child inherits a thread's mask there, use
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
    imp::unpin_child(&snapshot().cores, command);
}
