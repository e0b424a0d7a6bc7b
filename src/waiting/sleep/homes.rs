//! Records which worker is bound to which core.

use crate::sync::site::PLACED;
use crate::sync::{AtomicUsize, MODEL};
use crate::system::affinity::{self, current_core};

/// The cores of the workers, and the workers of the cores. Written when workers are bound, and read as a hint.
pub(super) struct Homes {
    /// The core that each worker, or spare, is bound to, plus one; 0 for none.
    homes: Box<[AtomicUsize]>,
    /// The worker that is bound to each core, plus one; 0 for none. Of several workers on a core, the last that was
    /// bound.
    residents: Box<[AtomicUsize]>,
}

impl Homes {
    pub(super) fn new(workers: usize) -> Homes {
        let last_core = if MODEL { 0 } else { affinity::snapshot().cores.last().copied().unwrap_or(0) };
        Homes {
            homes: (0..workers).map(|_| AtomicUsize::new(0)).collect(),
            residents: (0..=last_core).map(|_| AtomicUsize::new(0)).collect(),
        }
    }

    /// Notes that a worker is bound to `core`.
    pub(super) fn set(&self, index: usize, core: usize) {
        self.homes[index].store(core + 1, PLACED.get());
        if let Some(resident) = self.residents.get(core) {
            resident.store(index + 1, PLACED.get());
        }
    }

    /// Notes that a worker is not bound to `core` any more.
    pub(super) fn unset(&self, index: usize, core: usize) {
        self.homes[index].store(0, PLACED.get());
        if let Some(resident) = self.residents.get(core)
            && resident.load(PLACED.get()) == index + 1
        {
            resident.store(0, PLACED.get());
        }
    }

    /// Notes that a spare is bound to the core of the worker for which it stands in, or to none. That worker stays the
    /// core's.
    pub(super) fn lodge(&self, index: usize, core: Option<usize>) {
        self.homes[index].store(core.map_or(0, |core| core + 1), PLACED.get());
    }

    /// Returns the core that a worker is bound to.
    pub(super) fn of(&self, index: usize) -> Option<usize> {
        self.homes[index].load(PLACED.get()).checked_sub(1)
    }

    /// Returns the worker that is bound to the calling thread's core.
    pub(super) fn resident_here(&self) -> Option<usize> {
        let here = current_core().and_then(|core| self.residents.get(core));
        here.and_then(|resident| resident.load(PLACED.get()).checked_sub(1))
    }
}
