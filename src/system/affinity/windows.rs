//! Windows: processor groups. A core's number is its place in its group, plus the size of a group (64; 32 on 32-bit
//! systems) times the group's number.
//!
//! A process has the cores of its mask, if it is in one group; if it is in several, as is the rule since Windows 11,
//! all cores of these groups. A thread is bound by a mask within one group. Processes that a thread starts do not
//! inherit its mask. Of these cores a pool takes those that the process prefers, by its [CPU sets](super::cpu_sets).

use std::io;
use std::process::Command;
use std::ptr;

use super::cpu_sets::{self, GROUP, Handle};

/// `GROUP_AFFINITY`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct GroupAffinity {
    mask: usize,
    group: u16,
    reserved: [u16; 3],
}

/// `PROCESSOR_NUMBER`.
#[repr(C)]
#[derive(Default)]
struct ProcessorNumber {
    group: u16,
    number: u8,
    reserved: u8,
}

#[link(name = "kernel32")]
unsafe extern "system" {
    // Those that are safe have no preconditions.
    safe fn GetActiveProcessorCount(group: u16) -> u32;
    safe fn GetCurrentProcess() -> Handle;
    fn GetCurrentProcessorNumberEx(number: *mut ProcessorNumber);
    safe fn GetCurrentThread() -> Handle;
    fn GetProcessAffinityMask(process: Handle, of_process: *mut usize, of_system: *mut usize) -> i32;
    fn GetProcessGroupAffinity(process: Handle, count: *mut u16, groups: *mut u16) -> i32;
    fn GetThreadGroupAffinity(thread: Handle, affinity: *mut GroupAffinity) -> i32;
    fn SetThreadGroupAffinity(
        thread: Handle,
        affinity: *const GroupAffinity,
        before: *mut GroupAffinity,
    ) -> i32;
}

/// Returns how many threads can run at once on `cores`. std counts the cores of one group only, and not by the
/// process's mask.
pub(super) fn parallelism(cores: &[usize]) -> usize {
    if cores.is_empty() { std::thread::available_parallelism().map_or(1, usize::from) } else { cores.len() }
}

/// Returns the cores of the process, ascending. Each call reads them.
pub(super) fn allowed_cores(_seen: Option<&[usize]>) -> Vec<usize> {
    let cores: Vec<usize> = match groups()[..] {
        [group] => numbered(group, mask_of_process()),
        ref several => several.iter().flat_map(|&group| numbered(group, all_of(group))).collect(),
    };
    let preferred = cpu_sets::preferred();
    let both: Vec<usize> = cores.iter().copied().filter(|core| preferred.contains(core)).collect();
    // Where the two contradict each other the mask counts.
    if both.is_empty() { cores } else { both }
}

/// Returns the groups that the process has threads in, ascending; at least one.
fn groups() -> Vec<u16> {
    let mut groups = vec![0; 64];
    let mut count = groups.len() as u16;
    // SAFETY: the handle is this process's, and the array has room for `count` numbers.
    let done = unsafe { GetProcessGroupAffinity(GetCurrentProcess(), &raw mut count, groups.as_mut_ptr()) };
    if done == 0 || count == 0 {
        // Wine has no such call.
        return vec![affinity_of_thread().map_or(0, |now| now.group)];
    }
    groups.truncate(usize::from(count));
    groups.sort_unstable();
    groups
}

fn affinity_of_thread() -> Option<GroupAffinity> {
    let mut now = GroupAffinity::default();
    // SAFETY: the handle is this thread's, and the place is valid for a write.
    let done = unsafe { GetThreadGroupAffinity(GetCurrentThread(), &raw mut now) };
    (done != 0).then_some(now)
}

fn mask_of_process() -> usize {
    let (mut of_process, mut of_system) = (0, 0);
    // SAFETY: the handle is this process's, and both places are valid for a write.
    let done = unsafe { GetProcessAffinityMask(GetCurrentProcess(), &raw mut of_process, &raw mut of_system) };
    if done == 0 { 0 } else { of_process }
}

fn all_of(group: u16) -> usize {
    // For a group that does not exist it returns 0.
    let count = GetActiveProcessorCount(group) as usize;
    if count >= GROUP { usize::MAX } else { (1 << count) - 1 }
}

/// The numbers of the cores of `group` in `mask`, ascending.
fn numbered(group: u16, mask: usize) -> Vec<usize> {
    (0..GROUP).filter(|place| mask >> place & 1 == 1).map(|place| usize::from(group) * GROUP + place).collect()
}

/// Lets the calling thread run on the cores of `group` in `mask`.
fn bind(group: usize, mask: usize) -> io::Result<()> {
    let group = u16::try_from(group).map_err(io::Error::other)?;
    let affinity = GroupAffinity { mask, group, ..GroupAffinity::default() };
    // SAFETY: the handle is this thread's, the affinity is valid for a read, and null means that the old one is not
    // wanted.
    let done = unsafe { SetThreadGroupAffinity(GetCurrentThread(), &raw const affinity, ptr::null_mut()) };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

pub(super) fn pin(core: usize) -> bool {
    bind(core / GROUP, 1 << (core % GROUP)).is_ok()
}

/// Lets the calling thread run on those of `cores` that are in its group; if there are none, on those of the first
/// core's group.
pub(super) fn unpin(cores: &[usize]) -> io::Result<()> {
    let Some(first) = cores.first() else { return Err(io::ErrorKind::Unsupported.into()) };
    let mask_in = |group: usize| {
        cores.iter().filter(|&core| core / GROUP == group).fold(0, |mask, core| mask | 1 << (core % GROUP))
    };
    let here = affinity_of_thread().map(|now| usize::from(now.group));
    let group = here.filter(|&group| mask_in(group) != 0).unwrap_or(first / GROUP);
    bind(group, mask_in(group))
}

pub(super) fn unpin_child(_cores: &[usize], _command: &mut Command) {}

/// Nobody asks.
pub(super) fn is_on(_: &[usize]) -> bool {
    true
}

/// Nobody asks.
pub(super) fn is_other_on(_: u32, _: &[usize]) -> bool {
    false
}

pub(super) fn unpin_other(_: u32, _: &[usize]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn current_core() -> Option<usize> {
    let mut number = ProcessorNumber::default();
    // SAFETY: the place is valid for a write, and the call cannot fail.
    unsafe { GetCurrentProcessorNumberEx(&raw mut number) };
    Some(usize::from(number.group) * GROUP + usize::from(number.number))
}
