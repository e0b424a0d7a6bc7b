//! Systems without code of their own: what `core_affinity` knows of them. macOS binds no thread, so it has no cores
//! here.

use std::io;
use std::process::Command;

/// Returns how many threads can run at once on `cores`.
pub(super) fn parallelism(cores: &[usize]) -> usize {
    let most = if cores.is_empty() { usize::MAX } else { cores.len() };
    std::thread::available_parallelism().map_or(1, usize::from).min(most)
}

/// Returns the cores of the process, ascending. Only the first call reads them.
pub(super) fn allowed_cores(seen: Option<&[usize]>) -> Vec<usize> {
    if let Some(seen) = seen {
        return seen.to_vec();
    }
    if cfg!(target_vendor = "apple") {
        return Vec::new();
    }
    // `core_affinity` indexes out of bounds for a core id of 1,024 or more. It gets only ids that came from it.
    let ids = core_affinity::get_core_ids().unwrap_or_default();
    let mut cores: Vec<usize> = ids.into_iter().map(|core| core.id).collect();
    cores.sort_unstable();
    cores
}

pub(super) fn pin(core: usize) -> bool {
    core_affinity::set_for_current(core_affinity::CoreId { id: core })
}

pub(super) fn unpin(_cores: &[usize]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn unpin_child(_cores: &[usize], _command: &mut Command) {}

/// Nobody asks.
pub(super) fn is_on(_: &[usize]) -> bool {
    true
}

pub(super) fn current_core() -> Option<usize> {
    None
}

/// Nobody asks.
pub(super) fn is_other_on(_: u32, _: &[usize]) -> bool {
    false
}

pub(super) fn unpin_other(_: u32, _: &[usize]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
