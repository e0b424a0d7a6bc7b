//! Where spares come from: one that rests is taken, or another thread is started. [`super::standin`] says what spares are
//! for.

use crossbeam_utils::CachePadded;

use super::WorkerStart;
use super::spare_thread::stand_by;
use crate::scheduler::peer::{Peer, WorkerParts};
use crate::scheduler::registry::{Registry, Shared};
use crate::scheduler::spares::{RESTING, Spare};
use crate::scheduler::thread::{Trace, spawn_thread};
use crate::sync::site::{SPARE_SLOT, SPARES_MADE};
use crate::sync::{Arc, AtomicU32, AtomicUsize, Mutex, lock};
use crate::system::loader_lock;

impl Registry {
    /// Takes a resting spare, or starts one, for a call on behalf of the worker `slot`. Returns its number. Only a call for
    /// a wait is counted in the pool's statistics.
    pub(super) fn engage(this: &Shared, slot: usize, is_wait: bool) -> Option<usize> {
        // Under the loader's lock the spare's thread could not start.
        if this.forked() || loader_lock::is_held() {
            return None;
        }
        let number = Registry::take_spare(this, is_wait)?;
        // The spare counts as entered from here on, so that the pool does not end while the spare is in no list.
        // `rests` ends that.
        std::mem::forget(this.hold());
        let spare = this.spares.spare(number);
        spare.slot.store(slot, SPARE_SLOT.get());
        Some(number)
    }

    /// Takes a spare off the list of those that rest, or makes one and starts its thread. Counts calls
    /// and refusals of waits.
    fn take_spare(this: &Shared, is_wait: bool) -> Option<usize> {
        let spares = &this.spares;
        let mut threads = lock(&spares.threads);
        if let Some(number) = threads.resting.pop() {
            threads.called += u64::from(is_wait);
            return Some(number);
        }
        let (number, parts) = match threads.vacant.pop() {
            Some(vacant) => vacant,
            None => {
                let number = spares.made();
                if number == spares.all.len() {
                    threads.refused += u64::from(is_wait);
                    return None;
                }
                let parts = WorkerParts::new(this.may_use_heavy);
                let name = format!("{}-spare-{number}", spares.name);
                let peer = CachePadded::new(Peer::new(&parts, name, false));
                let (role, slot) = (AtomicU32::new(RESTING), AtomicUsize::new(0));
                let spare = Spare { peer, role, slot, wait: Mutex::default() };
                this.sleep.add_spare(spares.first + number, parts.parker.unparker());
                let set = spares.all[number].set(Box::new(spare));
                debug_assert!(set.is_ok(), "made once, with the lock");
                spares.made.store(number + 1, SPARES_MADE.get());
                (number, parts)
            }
        };
        let shared = Arc::clone(this);
        let name = spares.spare(number).peer.name.clone();
        // The parts go through a shared slot, so that this thread gets them back if the new thread does not start.
        let start =
            Arc::new(Mutex::new(Some(WorkerStart { index: spares.first + number, registry: shared, parts })));
        let taken = Arc::clone(&start);
        let started = spawn_thread(name, spares.stack_size, move || {
            let start = lock(&taken).take();
            drop(taken);
            if let Some(start) = start {
                stand_by(start);
            }
        });
        match started {
            Ok(started) => {
                this.spare_stays();
                threads.called += u64::from(is_wait);
                // The handles of threads that have ended are not needed any more.
                let runs = |trace: &Trace| trace.gone.count() > 0;
                threads.handles.retain(|(_, trace)| trace.as_ref().is_none_or(runs));
                threads.handles.push(started);
                Some(number)
            }
            Err(_) => {
                threads.refused += u64::from(is_wait);
                if let Some(WorkerStart { parts, .. }) = lock(&start).take() {
                    threads.vacant.push((number, parts));
                }
                None
            }
        }
    }

    /// Puts a spare whose role is `RESTING` on the list of those that may be called.
    pub(super) fn rests(&self, number: usize) {
        lock(&self.spares.threads).resting.push(number);
        self.end_hold();
    }
}
