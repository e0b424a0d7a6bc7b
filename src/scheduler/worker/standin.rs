//! Spare workers: threads that stand in for workers which wait.
//!
//! A job that waits for another one keeps its thread, because its stack is there. Its worker must not run just any job on
//! top meanwhile: that one may come to wait for the job beneath, and neither would go on. So the worker lends its place to
//! a spare, which runs the main loop on a stack of its own until the wait is over.
//!
//! # A spare's states
//!
//! | role | meaning | counted in the pool's word as | next |
//! |---|---|---|---|
//! | `RESTING` | nobody waits; its thread sleeps | – | `CALLED` by who is about to wait |
//! | `CALLED` | it stands in for a worker, its thread still sleeps | asleep, and one that entered | `TAKEN` by its thread; `RESTING` by the one that waited |
//! | `TAKEN` | its thread runs the main loop | what its thread is at; one that entered | `RELIEVED` by the one that waited |
//! | `RELIEVED` | the wait is over; it goes to rest after the job that it is in | the same | `RESTING` by its thread |
//!
//! Who calls a spare announces its sleep for it, then calls it, and looks at the queues once more, as somebody does that falls
//! asleep itself. So a wait wakes no thread as long as there is nothing to do: the spare is a sleeper like others, which
//! whoever has a job may wake.
//!
//! The sleep comes before the call. The other way round the thread of a spare, which may have just been started, could take
//! the call before the sleep, find its bit down, believe that it was claimed and count as searching, which nobody gave it
//! (model `spare_relieved`). As it is, somebody may claim the sleep before the call, and the thread wake, see that it
//! rests, and sleep on: so who calls looks at the bit afterwards, and wakes the thread itself if that is down.
//!
//! # The race for a spare that was called
//!
//! Somebody claims it, and its thread wakes, while the wait ends. Both sides change the role by one exchange. If the thread
//! is first, it is counted as searching, as each worker that was woken, and will see that it is relieved. If the one that
//! waited is first, it takes the sleep back as the sleeper would: if that was claimed meanwhile, it is the one that was
//! woken, and passes on what there is to do. The thread finds that it rests, and sleeps on.
//!
//! # The end of a pool
//!
//! From the call until it rests a spare counts as one that has entered, as an outside thread that is about to submit. A
//! closed pool does not end before. Its threads leave when the pool has ended, or after [`REST`].

use std::time::{Duration, Instant};

use crossbeam_utils::CachePadded;

use super::idle::{Next, Until};
use super::{Current, Help, Worker, WorkerStart};
use crate::jobs::job::Job;
use crate::scheduler::peer::{Peer, WorkerParts};
use crate::scheduler::registry::{Registry, Shared};
use crate::scheduler::spares::{CALLED, RELIEVED, RESTING, Spare, TAKEN};
use crate::scheduler::thread::{Trace, spawn_thread};
use crate::sync::site::{
    SPARE_CALL, SPARE_LOOK, SPARE_RELIEVE, SPARE_REST, SPARE_SLOT, SPARE_TAKE, SPARES_MADE,
};
use crate::sync::{Arc, AtomicU32, AtomicUsize, MODEL, Mutex, defect, lock};
use crate::system::affinity;
use crate::waiting::sleep::Snapshot;

/// A spare that was not needed for so long ends.
const REST: Duration = Duration::from_secs(10);

/// A spare that stands in for somebody who waits.
#[must_use = "it stands in until it is relieved"]
pub(crate) struct Standin(usize);

impl Registry {
    /// Has a spare stand in for the worker `slot`, which is about to wait and counts as searching or not. `None` if there
    /// is none to be had.
    pub(crate) fn call_spare(this: &Shared, slot: usize, searching: bool) -> Option<Standin> {
        let number = Registry::engage(this, slot)?;
        let index = this.spares.first + number;
        let state = this.let_stand_in(number, searching);
        let left = this.has_work_for(slot) || this.others_keep_jobs(state.idle());
        if left && !defect("spare_called_unlooked") {
            this.sleep.published();
            if !this.peers[slot].inbox.is_empty() {
                // Which nobody but this one looks into.
                this.sleep.nudge(index);
            }
        }
        Some(Standin(number))
    }

    /// Gives a job to one worker; if that was lent and has gone, to a spare in its place, or, if there is none, to whoever
    /// comes first.
    pub(crate) fn hand_to(this: &Shared, worker: usize, job: Job) {
        if let Err(job) = this.peers[worker].inbox.push(job)
            && let Err(job) = Registry::run_on_spare(this, worker, job)
        {
            this.hold().inject(job);
        }
    }

    /// Has a spare run a job that is for the worker `slot`, which has gone. The job comes back if there is none.
    pub(in crate::scheduler) fn run_on_spare(this: &Shared, slot: usize, job: Job) -> Result<(), Job> {
        let Some(number) = Registry::engage(this, slot) else { return Err(job) };
        let index = this.spares.first + number;
        let shared = Arc::clone(this);
        let errand = Job::new(move || {
            job.run();
            shared.spares.spare(number).role.swap(RELIEVED, SPARE_RELIEVE.get());
        });
        let pushed = this.spares.peer(index).inbox.push(errand);
        debug_assert!(pushed.is_ok(), "the inbox of a spare is never closed");
        let _ = this.let_stand_in(number, false);
        this.sleep.nudge(index);
        Ok(())
    }

    /// Announces the sleep of a spare that was engaged, by somebody who counts as searching or not, and calls it.
    fn let_stand_in(&self, number: usize, searching: bool) -> Snapshot {
        let index = self.spares.first + number;
        let role = &self.spares.spare(number).role;
        if defect("spare_called_awake") {
            role.swap(CALLED, SPARE_CALL.get());
            return self.sleep.fall_asleep(index, searching, false);
        }
        let state = self.sleep.fall_asleep(index, searching, false);
        role.swap(CALLED, SPARE_CALL.get());
        if self.sleep.was_claimed(index) && !defect("spare_called_unheard") {
            self.sleep.nudge(index);
        }
        state
    }

    /// The wait is over.
    pub(crate) fn relieve(&self, standin: Standin) {
        let Standin(number) = standin;
        let index = self.spares.first + number;
        let role = &self.spares.spare(number).role;
        if role.compare_exchange(CALLED, RESTING, SPARE_RELIEVE.get(), SPARE_LOOK.get()).is_ok() {
            let _ = self.sleep.get_up(index, false);
            self.sleep.end_search(|state| self.has_work() || self.others_keep_jobs(state.idle() + 1));
            self.rests(number);
        } else {
            role.swap(RELIEVED, SPARE_RELIEVE.get());
            self.sleep.nudge(index);
        }
    }

    /// Takes a spare that rests, or starts one, to be called.
    fn engage(this: &Shared, slot: usize) -> Option<usize> {
        if this.forked() {
            return None;
        }
        let number = Registry::take_spare(this)?;
        // It counts from here on, so that the pool does not end while it is in no list.
        std::mem::forget(this.hold());
        let spare = this.spares.spare(number);
        spare.slot.store(slot, SPARE_SLOT.get());
        Some(number)
    }

    fn take_spare(this: &Shared) -> Option<usize> {
        let spares = &this.spares;
        let mut threads = lock(&spares.threads);
        if let Some(number) = threads.resting.pop() {
            threads.called += 1;
            return Some(number);
        }
        let (number, parts) = match threads.vacant.pop() {
            Some(vacant) => vacant,
            None => {
                let number = spares.made();
                if number == spares.all.len() {
                    threads.refused += 1;
                    return None;
                }
                let parts = WorkerParts::new();
                let name = format!("{}-spare-{number}", spares.name);
                let peer = CachePadded::new(Peer::new(&parts, name, None, false));
                let spare = Spare { peer, role: AtomicU32::new(RESTING), slot: AtomicUsize::new(0) };
                this.sleep.add_spare(spares.first + number, parts.parker.unparker());
                let set = spares.all[number].set(Box::new(spare));
                debug_assert!(set.is_ok(), "made once, with the lock");
                spares.made.store(number + 1, SPARES_MADE.get());
                (number, parts)
            }
        };
        let shared = Arc::clone(this);
        let name = spares.spare(number).peer.name.clone();
        // What the thread needs is handed over, so that it can be had back if there is no thread.
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
                threads.called += 1;
                // Those that have retired need nobody any more.
                let runs = |trace: &Trace| trace.gone.count() > 0;
                threads.handles.retain(|(_, trace)| trace.as_ref().is_none_or(runs));
                threads.handles.push(started);
                Some(number)
            }
            Err(_) => {
                threads.refused += 1;
                if let Some(WorkerStart { parts, .. }) = lock(&start).take() {
                    threads.vacant.push((number, parts));
                }
                None
            }
        }
    }

    /// A spare, whose role is `RESTING`, may be called again.
    fn rests(&self, number: usize) {
        lock(&self.spares.threads).resting.push(number);
        self.end_hold();
    }

    /// Whether some queue holds a job that the worker `slot` may run.
    fn has_work_for(&self, slot: usize) -> bool {
        self.has_work() || !self.peers[slot].inbox.is_empty()
    }
}

/// The life of a spare's thread.
fn stand_by(start: WorkerStart) {
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
            bind(&mut bound, registry.sleep.home(slot));
            if hooked.is_none() {
                hooked = Some(slot);
                registry.hooks.call(|hooks| &hooks.on_start, slot);
            }
            worker.stand_in(&|| spare.role.load(SPARE_LOOK.get()) == RELIEVED);
            spare.role.swap(RESTING, SPARE_REST.get());
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
}

/// Takes a spare off the list of those that rest, unless it was called meanwhile.
fn retire(registry: &Registry, number: usize) -> bool {
    let resting = &mut lock(&registry.spares.threads).resting;
    let place = resting.iter().position(|&resting| resting == number);
    place.map(|place| resting.swap_remove(place)).is_some()
}

/// Binds the calling thread to the core of the worker that it stands in for, if it is not.
fn bind(bound: &mut Option<Option<usize>>, core: Option<usize>) {
    if *bound == Some(core) || MODEL {
        return;
    }
    *bound = Some(core);
    match core {
        Some(core) => _ = affinity::pin(core),
        // The thread that started it may have been bound.
        None => _ = affinity::unpin_current_thread(),
    }
}

/// What the main loop of a spare runs until.
struct UntilRelieved<'f>(&'f dyn Fn() -> bool);

impl Until for UntilRelieved<'_> {
    fn done(&self, registry: &Registry) -> bool {
        (self.0)() || registry.sleep.snapshot().ended()
    }

    const IN_JOB: bool = false;
}

impl Worker {
    /// Stands in for a worker, from the moment on that somebody woke this spare, until it is `relieved` or the pool has
    /// ended. What it leaves is for others.
    pub(in crate::scheduler) fn stand_in(&self, relieved: &dyn Fn() -> bool) {
        let _ = self.registry.sleep.get_up(self.index, false);
        let until = UntilRelieved(relieved);
        let mut next = self.next_from(&until, Help::Any, true);
        while let Next::Job(job) = next {
            self.run(job);
            next = self.next(&until, Help::Any);
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
    }
}
