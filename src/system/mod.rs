//! What the machine and the system give: cores, fences, threads that sleep, spins, processes, panics.

pub(crate) mod affinity;
pub(crate) mod membarrier;
pub(crate) mod parker;
pub(crate) mod process;
pub(crate) mod spin;
pub(crate) mod switches;
pub(crate) mod unwind;
