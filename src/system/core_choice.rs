//! Which core each worker of a pool is bound to.
//!
//! A list of cores decides by the worker's number. Without a list, each worker chooses when its thread starts: a core
//! of the pool's that no worker of this process is bound to, if there is one; among those, the core that its thread
//! is on already. So pools that are smaller than the machine spread over it: the system starts a thread on a core
//! with little to do, also if it is another process that is busy. And a thread that stays where it is loses no time:
//! a move to another core takes longer than all the rest of its start.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::affinity::current_core;
use super::{process, switches};

/// How many workers of this process are bound to each core, by the number of the core.
static BOUND: Mutex<Vec<usize>> = Mutex::new(Vec::new());

/// The cores of one pool.
pub(crate) struct CoreChoice {
    cores: Mutex<Cores>,
    /// The fork generation of the process that built the pool.
    generation: u32,
    /// Whether a worker may leave its core when somebody else keeps it.
    soft: bool,
}

struct Cores {
    /// The cores among which workers still choose.
    free: Vec<usize>,
    /// The core of each worker; of a worker that has still to choose, or is not to be bound, `None`.
    chosen: Vec<Option<usize>>,
    /// How many workers, from the first, may choose.
    choosers: usize,
}

/// Counts a worker as bound to `core`, or no more. A forked child does not count: it may have inherited a held lock, and
/// the counts of its parent.
fn count(core: usize, more: bool) {
    if process::generation() > 0 {
        return;
    }
    let mut bound = BOUND.lock().unwrap_or_else(PoisonError::into_inner);
    let least = bound.len().max(core + 1);
    bound.resize(least, 0);
    bound[core] = if more { bound[core] + 1 } else { bound[core].saturating_sub(1) };
}

/// Returns how many workers of this process are bound to each of `cores`.
fn counts(cores: &[usize]) -> Vec<usize> {
    if process::generation() > 0 {
        return vec![0; cores.len()];
    }
    let bound = BOUND.lock().unwrap_or_else(PoisonError::into_inner);
    cores.iter().map(|&core| bound.get(core).copied().unwrap_or(0)).collect()
}

impl CoreChoice {
    fn new(cores: Cores) -> CoreChoice {
        // Without another core there is nowhere to go.
        let soft = switches::RUN_KNOWN && cores.choosers > 0 && cores.free.len() > 1;
        CoreChoice { cores: Mutex::new(cores), generation: process::generation(), soft }
    }

    /// Takes the lock. Returns `None` in a forked child of the process that built the pool: a thread of the parent may
    /// have held the lock, and that thread does not exist there.
    fn lock(&self) -> Option<MutexGuard<'_, Cores>> {
        let built_here = self.generation == process::generation();
        built_here.then(|| self.cores.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Binds worker *i* to the *i*-th core of the list, and workers beyond the list to none.
    pub(crate) fn by_number(cores: &[usize], workers: usize) -> CoreChoice {
        let chosen = (0..workers).map(|index| cores.get(index).copied()).collect();
        CoreChoice::new(Cores { free: Vec::new(), chosen, choosers: 0 })
    }

    /// Lets each worker choose one of `cores`. Workers beyond the number of cores are not bound.
    pub(crate) fn free(cores: &[usize], workers: usize) -> CoreChoice {
        let chosen = vec![None; workers];
        CoreChoice::new(Cores { free: cores.to_vec(), chosen, choosers: cores.len().min(workers) })
    }

    /// Notes that worker 0 is the calling thread, which stays unbound: leaves it the core that it is on.
    pub(crate) fn spare_the_caller(&self) {
        if let Some(mut cores) = self.lock() {
            cores.chosen[0] = None;
            let here = current_core();
            let place = cores.free.iter().position(|&core| Some(core) == here).unwrap_or(0);
            if place < cores.free.len() {
                cores.free.swap_remove(place);
            }
        }
    }

    /// Returns the core that the calling thread, which is about to become worker `index`, is to be bound to. Each
    /// call is to be followed by one of [`left`](Self::left).
    pub(crate) fn choose(&self, index: usize) -> Option<usize> {
        let mut cores = self.lock()?;
        if index < cores.choosers && cores.chosen[index].is_none() {
            let (here, counts) = (current_core(), counts(&cores.free));
            let order = |&place: &usize| (counts[place], Some(cores.free[place]) != here, cores.free[place]);
            let place = (0..cores.free.len()).min_by_key(order)?;
            let core = cores.free.swap_remove(place);
            cores.chosen[index] = Some(core);
        }
        let chosen = cores.chosen[index];
        if let Some(core) = chosen {
            count(core, true);
        }
        chosen
    }

    /// Notes that worker `index` is not bound to its core, or no more.
    pub(crate) fn left(&self, index: usize) {
        if let Some(core) = self.of(index) {
            count(core, false);
        }
    }

    /// Whether a worker may leave its core when somebody else keeps it: unless a list has given it that core.
    pub(crate) fn are_soft(&self) -> bool {
        self.soft
    }

    /// Whether some worker may be bound.
    pub(crate) fn binds(&self) -> bool {
        self.lock().is_none_or(|cores| cores.choosers > 0 || cores.chosen.iter().any(Option::is_some))
    }

    /// Returns the core that worker `index` has chosen, or was given.
    pub(crate) fn of(&self, index: usize) -> Option<usize> {
        self.lock().and_then(|cores| cores.chosen[index])
    }
}

#[cfg(all(test, not(loom), not(shuttle)))]
mod tests {
    use super::CoreChoice;

    /// Cores that no machine has, so that no pool of another test is bound to one of them.
    const CORES: [usize; 3] = [4001, 4002, 4003];

    #[test]
    fn two_small_pools_do_not_share_a_core() {
        let pools: Vec<CoreChoice> = (0..3).map(|_| CoreChoice::free(&CORES, 1)).collect();
        let mut chosen: Vec<usize> = pools.iter().map(|pool| pool.choose(0).unwrap()).collect();
        chosen.sort_unstable();
        assert_eq!(chosen, CORES);
        let fourth = CoreChoice::free(&CORES, 1);
        assert!(fourth.choose(0).is_some(), "a full machine is shared");
        fourth.left(0);
        pools[1].left(0);
        let fifth = CoreChoice::free(&CORES, 1);
        assert_eq!(fifth.choose(0), pools[1].of(0), "what a pool left is free again");
        fifth.left(0);
        pools[0].left(0);
        pools[2].left(0);
    }

    #[test]
    fn workers_beyond_the_cores_are_not_bound() {
        let pool = CoreChoice::free(&[5001, 5002], 4);
        assert_eq!((pool.choose(3), pool.choose(2)), (None, None));
        let both = [pool.choose(1).unwrap(), pool.choose(0).unwrap()];
        assert!(both == [5001, 5002] || both == [5002, 5001], "{both:?}");
        (0..4).for_each(|index| pool.left(index));
    }

    #[test]
    fn a_list_decides_by_number() {
        let pool = CoreChoice::by_number(&[6002, 6001], 3);
        assert_eq!([0, 1, 2].map(|index| pool.of(index)), [Some(6002), Some(6001), None]);
        assert_eq!([2, 1, 0].map(|index| pool.choose(index)), [None, Some(6001), Some(6002)]);
        (0..3).for_each(|index| pool.left(index));
    }

    #[test]
    fn a_lent_thread_keeps_a_core_to_itself() {
        let pool = CoreChoice::free(&[7001, 7002], 2);
        pool.spare_the_caller();
        assert!(pool.choose(1).is_some());
        assert_eq!(pool.of(0), None);
        pool.left(1);
    }
}
