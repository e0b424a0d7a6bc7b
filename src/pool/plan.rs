//! Checks the options of a builder, before anything is allocated or started, and assigns cores to workers.

use std::collections::BTreeSet;

use super::builder::PoolBuilder;
use super::placement::Placement;
use crate::error::BuildError;
use crate::sync::MODEL;
use crate::system::affinity;
use crate::waiting::sleep::MAX_WORKERS;

/// The largest stack that is asked of the system, in bytes: rounding it up to whole pages cannot overflow.
const MAX_STACK: usize = isize::MAX as usize / 2;

impl PoolBuilder {
    /// Returns the core of each worker, by number; `None` for a worker that is not to be bound.
    pub(super) fn plan(&self) -> Result<Vec<Option<usize>>, BuildError> {
        let snapshot = affinity::refresh();
        if self.name.contains('\0') {
            return Err(BuildError::NameContainsNul { name: self.name.clone() });
        }
        match self.stack_size {
            Some(0) => return Err(BuildError::ZeroStackSize),
            Some(given) if given > MAX_STACK => {
                return Err(BuildError::StackSizeTooLarge { given, max: MAX_STACK });
            }
            _ => {}
        }
        let (cores, default): (&[usize], usize) = match &self.placement {
            Placement::Cores => (&snapshot.cores, snapshot.parallelism),
            Placement::Unpinned => (&[], snapshot.parallelism),
            Placement::List(list) => {
                if list.is_empty() {
                    return Err(BuildError::EmptyPlacement);
                }
                let mut seen = BTreeSet::new();
                for &core in list {
                    if !snapshot.cores.contains(&core) {
                        return Err(BuildError::CoreNotAllowed { core, allowed: snapshot.cores.clone() });
                    }
                    if !seen.insert(core) {
                        return Err(BuildError::CoreListedTwice { core });
                    }
                }
                (list, list.len())
            }
        };
        let workers = self.workers.unwrap_or(default.min(MAX_WORKERS));
        match workers {
            0 => return Err(BuildError::ZeroWorkers),
            given if given > MAX_WORKERS => {
                return Err(BuildError::TooManyWorkers { given, max: MAX_WORKERS });
            }
            _ => {}
        }
        if let Some(spares) = self.spares
            && workers.saturating_add(spares) > MAX_WORKERS
        {
            return Err(BuildError::TooManySpares { workers, spares, max: MAX_WORKERS });
        }
        let cores = if MODEL { &[] } else { cores };
        Ok((0..workers).map(|index| cores.get(index).copied()).collect())
    }
}
