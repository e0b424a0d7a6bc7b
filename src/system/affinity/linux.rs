//! Linux: masks, and the CPU quota of a cgroup. std reads the quotas, of cgroup v1 and v2; it tolerates malformed files.

use std::io;
use std::process::Command;

use core_affinity::CoreId;

use crate::sync::MODEL;
use crate::system::{process, switches};

/// The mask that the main thread had before a pool bound it.
static BEFORE: std::sync::OnceLock<Mask> = std::sync::OnceLock::new();

/// Returns how many threads can run at once on `cores`. std reads the calling thread's mask. If the calling thread is
/// bound, a new thread with the mask of `cores` asks std instead.
pub(super) fn parallelism(cores: &[usize]) -> usize {
    let most = if cores.is_empty() { usize::MAX } else { cores.len() };
    let available = move || std::thread::available_parallelism().map_or(1, usize::from).min(most);
    let is_bound = || Mask::read(0).is_some_and(|mask| mask.cores() != cores);
    let Some(mask) = Mask::of(cores).filter(|_| !MODEL && is_bound()) else { return available() };
    let ask = move || mask.apply().map(|()| available());
    let asked = std::thread::Builder::new().spawn(ask).ok().and_then(|thread| thread.join().ok());
    asked.and_then(Result::ok).unwrap_or(cores.len())
}

/// Returns the cores of the process, ascending.
pub(super) fn allowed_cores(seen: Option<&[usize]>) -> Vec<usize> {
    let is_child = process::generation() > 0;
    if let Some(seen) = seen.filter(|_| is_child) {
        return seen.to_vec();
    }
    // The order matters. If the read finds the main thread bound, the thread noted its old mask before that, so the
    // second look finds the note.
    let now = Mask::read(process::id());
    BEFORE.get().copied().or(now).map_or_else(Vec::new, |mask| mask.cores())
}

/// Notes the calling thread's mask if this is the main thread, which is about to be bound.
fn before_binding() {
    if switches::thread_number() == u32::try_from(process::id()).ok()
        && let Some(mask) = Mask::read(0)
    {
        let _ = BEFORE.set(mask);
    }
}

pub(super) fn pin(core: usize) -> bool {
    before_binding();
    core_affinity::set_for_current(CoreId { id: core })
}

/// Lets the calling thread run on each of `cores`.
pub(super) fn unpin(cores: &[usize]) -> io::Result<()> {
    Mask::of(cores).map_or(Err(io::ErrorKind::Unsupported.into()), |mask| mask.apply())
}

/// Lets the children of `command` run on each of `cores`.
pub(super) fn unpin_child(cores: &[usize], command: &mut Command) {
    if let Some(mask) = Mask::of(cores) {
        mask.give_to(command);
    }
}

/// Lets another thread of this process run on each of `cores`.
pub(super) fn unpin_other(thread: u32, cores: &[usize]) -> io::Result<()> {
    let thread = number(thread).ok_or(io::ErrorKind::InvalidInput)?;
    Mask::of(cores).map_or(Err(io::ErrorKind::Unsupported.into()), |mask| mask.apply_to(thread))
}

/// Whether the calling thread may run on just these cores.
pub(super) fn is_on(cores: &[usize]) -> bool {
    Mask::read(0).is_some_and(|mask| mask.cores() == cores)
}

/// Whether another thread of this process may run on just these cores.
pub(super) fn is_other_on(thread: u32, cores: &[usize]) -> bool {
    number(thread).and_then(Mask::read).is_some_and(|mask| mask.cores() == cores)
}

/// The number of another thread as the system's calls take it. There, 0 is the calling thread.
fn number(thread: u32) -> Option<libc::pid_t> {
    libc::pid_t::try_from(thread).ok().filter(|&thread| thread > 0)
}

pub(super) fn current_core() -> Option<usize> {
    if MODEL {
        // Under a checker all threads are on core 0. Only a model binds workers to that core.
        return Some(0);
    }
    // SAFETY: the call takes no arguments and has no preconditions. A negative number means an error.
    let core = unsafe { libc::sched_getcpu() };
    usize::try_from(core).ok()
}

const BITS: usize = libc::c_ulong::BITS as usize;

/// A set of cores in the form that the system takes. Plain data, so that a child can set it between `fork` and
/// `exec`.
#[derive(Clone, Copy)]
struct Mask([libc::c_ulong; 1024 / BITS]);

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
        self.apply_to(0)
    }

    /// Sets the mask of a thread. 0 is the calling thread.
    fn apply_to(&self, thread: libc::pid_t) -> io::Result<()> {
        // SAFETY: the pointer and the size describe the array, which the call only reads.
        let code = unsafe { libc::sched_setaffinity(thread, size_of_val(&self.0), self.0.as_ptr().cast()) };
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
