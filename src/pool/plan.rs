//! Checks the options of a builder, before anything is allocated or started, and says which cores the workers may have.

use std::collections::BTreeSet;

use super::builder::PoolBuilder;
use super::placement::Placement;
use crate::error::BuildError;
use crate::sync::MODEL;
use crate::system::affinity;
use crate::system::core_choice::CoreChoice;
use crate::waiting::sleep::MAX_WORKERS;

/// The largest stack that is asked of the system, in bytes: rounding it up to whole pages cannot overflow.
const MAX_STACK: usize = isize::MAX as usize / 2;

impl PoolBuilder {
    /// Returns the number of workers, and the cores that they are to be bound to.
    pub(super) fn plan(&self) -> Result<(usize, CoreChoice), BuildError> {
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
        let by_default = || snapshot.parallelism().min(MAX_WORKERS);
        let (cores, listed): (&[usize], Option<usize>) = match &self.placement {
            Placement::Cores => (&snapshot.cores, None),
            Placement::Unpinned => (&[], None),
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
                (list, Some(list.len().min(MAX_WORKERS)))
            }
        };
        let workers = self.workers.or(listed).unwrap_or_else(by_default);
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
        let choice = match self.placement {
            Placement::List(_) => CoreChoice::by_number(cores, workers),
            Placement::Cores | Placement::Unpinned => CoreChoice::free(cores, workers),
        };
        Ok((workers, choice))
    }
}
