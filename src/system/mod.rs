//! What the machine and the operating system give: cores, fences, parking, spinning, processes, panics.

pub(crate) mod affinity;
pub(crate) mod clock;
pub(crate) mod core_choice;
pub(crate) mod heavy_fence;
pub(crate) mod huge_pages;
pub(crate) mod loader_lock;
pub(crate) mod parker;
pub(crate) mod process;
pub(crate) mod spin;
pub(crate) mod spin_history;
pub(crate) mod switches;
pub(crate) mod thread_id;
pub(crate) mod unwind;
