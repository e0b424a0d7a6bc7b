//! The thread of a spare. [`super::standin`] says what spares are for, and has their roles and races.

use std::time::Duration;

use super::idle::Next;
use super::until::Until;
use super::{Current, Help, Worker, WorkerStart};
use crate::scheduler::registry::Registry;
use crate::scheduler::spares::{CALLED, RELIEVED, RESTING, TAKEN};
use crate::sync::site::{SPARE_LOOK, SPARE_REST, SPARE_SLOT, SPARE_TAKE};
use crate::sync::{Arc, MODEL, defect, lock};
use crate::system::affinity;
use crate::system::clock::Instant;
use crate::system::unwind::AbortOnUnwind;

/// A spare's thread ends when nobody has called the spare for this long.
const REST: Duration = Duration::from_secs(10);

/// The body of a spare's thread: waits to be called, stands in, rests, and so on until the spare retires or the pool
/// ends.
pub(super) fn stand_by(start: WorkerStart) {
    let guard = AbortOnUnwind("the code of a spare itself panicked");
    let registry = Arc::clone(&start.registry);
    let number = start.index - registry.spares.first;
    let spare = registry.spares.spare(number);
    let worker = Worker::new(start, false);
    let mut hooked = None;
    let mut bound = None;
    {
        let _current = Current::set(&worker);
        let mut since = Instant::now();
        loop {
            let role = spare.role.compare_exchange(CALLED, TAKEN, SPARE_TAKE.get(), SPARE_LOOK.get());
            if role.is_err() {
                if registry.sleep.snapshot().ended() || since.elapsed() >= REST && retire(&registry, number) {
                    break;
                }
                worker.park((!MODEL).then(|| since + REST));
                continue;
            }
            let slot = spare.slot.load(SPARE_SLOT.get());
            worker.number.set(slot);
            bind(&mut bound, &registry, worker.index, slot);
            assert!(!defect("spare_faults"), "a fault of the spare");
            if hooked.is_none() {
                hooked = Some(slot);
                worker.note_work();
                registry.hooks.call(|hooks| &hooks.on_start, slot);
            }
            worker.stand_in(true, &|| spare.role.load(SPARE_LOOK.get()) == RELIEVED);
            loop {
                let rests = spare.role.compare_exchange(RELIEVED, RESTING, SPARE_REST.get(), SPARE_LOOK.get());
                if rests.is_ok() {
                    registry.sleep.note_left();
                    break;
                }
                if registry.sleep.snapshot().ended() || defect("recall_unheard") {
                    // Nobody relieves it any more.
                    spare.role.swap(RESTING, SPARE_REST.get());
                    break;
                }
                // Recalled on the way to its rest.
                worker.stand_in(false, &|| spare.role.load(SPARE_LOOK.get()) == RELIEVED);
            }
            registry.rests(number);
            since = Instant::now();
        }
        worker.leave_pool();
        if let Some(slot) = hooked {
            registry.hooks.call(|hooks| &hooks.on_exit, slot);
        }
        registry.spare_left(worker.number.get());
    }
    let parts = worker.into_parts();
    lock(&registry.spares.threads).vacant.push((number, parts));
    std::mem::forget(guard);
}

/// Takes a spare off the list of those that rest. Returns `false` if the spare was called meanwhile.
fn retire(registry: &Registry, number: usize) -> bool {
    let resting = &mut lock(&registry.spares.threads).resting;
    let place = resting.iter().position(|&resting| resting == number);
    place.map(|place| resting.swap_remove(place)).is_some()
}

/// Binds the calling thread, the spare `index`, to the core of the worker `slot`, for which it stands in, or to none. Does
/// nothing if `bound` says that it is so already, or if the pool binds no thread.
fn bind(bound: &mut Option<Option<usize>>, registry: &Registry, index: usize, slot: usize) {
    let core = registry.sleep.home(slot);
    if *bound == Some(core) || MODEL || !registry.cores.binds() {
        return;
    }
    *bound = Some(core);
    registry.sleep.lodge(index, core);
    match core {
        Some(core) => _ = affinity::pin(core),
        // The thread inherits its binding from the thread that started it, which may have been bound.
        None => _ = affinity::unpin_current_thread(),
    }
}

/// The end of a spare's main loop: it is relieved, or the pool has ended.
struct UntilRelieved<'f>(&'f dyn Fn() -> bool);

impl Until for UntilRelieved<'_> {
    fn done(&self, registry: &Registry) -> bool {
        (self.0)() || registry.sleep.snapshot().ended()
    }

    const IN_JOB: bool = false;
}

impl Worker {
    /// Stands in for a worker: runs the main loop until it is `relieved` or the pool has ended. `woken`: this spare was
    /// just woken, and counts as searching. Hands the jobs that are left in its deque over to the injector. But what a
    /// job of an isolated call has left it runs itself: in the injector that might come after jobs that are blocked on
    /// what the call's caller holds.
    fn stand_in(&self, woken: bool, relieved: &dyn Fn() -> bool) {
        if woken {
            let _ = self.registry.sleep.get_up(self.index, false);
        }
        let until = UntilRelieved(relieved);
        let mut next = self.next_from(&until, Help::Any, woken);
        while let Next::Job(job) = next {
            self.run_in_row(job);
            next = self.next(&until, Help::Any);
        }
        self.tell_ends();
        if self.has_loot.take() {
            while self.run_own() {}
        }
        self.expose_all();
        let mut left = false;
        while let Some(job) = self.pop_deque() {
            self.registry.injector.push(job);
            left = true;
        }
        if left {
            self.registry.sleep.published();
        }
        self.note_rest();
    }

    /// Whether this is a spare that was relieved: the worker that it stood in for is back in its place.
    pub(super) fn is_relieved(&self) -> bool {
        let spares = &self.registry.spares;
        let spare = self.is_spare().then(|| spares.spare(self.index - spares.first));
        spare.is_some_and(|spare| spare.role.load(SPARE_LOOK.get()) == RELIEVED)
    }
}
