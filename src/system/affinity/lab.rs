//! The cores of the lab's machine.

use std::io;
use std::process::Command;

use filch_lab_machine::thread;

pub(super) fn parallelism(cores: &[usize]) -> usize {
    cores.len().max(1)
}

pub(super) fn allowed_cores(_seen: Option<&[usize]>) -> Vec<usize> {
    (0..thread::cores()).collect()
}

pub(super) fn pin(core: usize) -> bool {
    thread::bind(Some(core));
    true
}

#[expect(clippy::unnecessary_wraps, reason = "other systems refuse")]
pub(super) fn unpin(_cores: &[usize]) -> io::Result<()> {
    thread::bind(None);
    Ok(())
}

pub(super) fn unpin_child(_cores: &[usize], _command: &mut Command) {}

/// Nobody asks.
pub(super) fn is_on(_: &[usize]) -> bool {
    true
}

pub(super) fn current_core() -> Option<usize> {
    thread::core()
}

/// Nobody asks.
pub(super) fn is_other_on(_: u32, _: &[usize]) -> bool {
    false
}

pub(super) fn unpin_other(_: u32, _: &[usize]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
