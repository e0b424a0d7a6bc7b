//! One worker: its private stack and deque, how it finds the next job, how it waits, its main loop.
//!
//! Order of search: the private stack and the deque (newest first), now and then others before them so that a worker
//! which feeds itself starves nobody ([`turns`]), then its inbox, then a batch from the injector, then the other
//! workers from a random start. A worker that finds nothing searches for about the price of one wake
//! and then sleeps; see [`crate::sleep`].

mod appetite;
mod blocked;
mod current;
mod find;
mod idle;
mod nested;
mod turns;

pub(crate) use current::{
    Current, lend_host, return_abandoned_host, return_host, with_current, with_private, with_private_again,
};
pub(crate) use idle::{Until, UntilSignal};
pub use nested::Wait;
pub(crate) use nested::{Help, Isolation, Nested};

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Instant;

use crate::deque::Deque;
use crate::fork::{Available, Stack};
use crate::job::Job;
use crate::latch::TaskOwner;
use crate::panic_at::PanicAt;
use crate::parker::{Parker, Unparker};
use crate::registry::{Kit, Peer, Shared};
use crate::rng::Rng;
use crate::sync::{Arc, Mutex, defect};
use crate::unwind::{self, Payload};
use appetite::Appetite;
use turns::Turns;

/// So many jobs go to the deque as one, where there are many times as many: flat spawns of small closures, for which
/// a theft each would cost more than they.
const BUNDLE: usize = 48;

/// A job that keeps `jobs` for the worker that runs it.
fn bundle(jobs: Vec<Job>) -> Job {
    Job::new(move || {
        with_current(|worker| {
            let Some(worker) = worker else { unreachable!("a bundle outside a worker") };
            // Nobody submitted the bundle.
            worker.me().counters.activations.add(1);
            worker.appetite.note_bundle();
            worker.tick.set(0);
            jobs.into_iter().for_each(|job| worker.push_lazily(job));
        });
    })
}

/// Jobs that run in the order in which they were submitted, whoever runs them.
pub(crate) type Fifo = Mutex<VecDeque<Job>>;

/// What becomes a [`Worker`] on the thread that is to be it.
pub(crate) struct Seat {
    pub(crate) index: usize,
    pub(crate) registry: Shared,
    pub(crate) kit: Kit,
}

/// What a worker thread owns. Never leaves its thread.
pub(crate) struct Worker {
    pub(crate) stack: Stack,
    /// Which peer it is.
    pub(crate) index: usize,
    /// Which worker of the pool it is, as users know it: of a spare, the one that it stands in for.
    pub(crate) number: Cell<usize>,
    pub(crate) registry: Shared,
    deque: Deque<Job>,
    /// Jobs pushed onto the deque less jobs popped: how far its near end has moved. Thieves do not change it.
    height: Cell<isize>,
    parker: Parker,
    rng: Rng,
    tick: Cell<u32>,
    turns: Turns,
    /// Jobs of this pool that are on this thread's stack.
    depth: Cell<usize>,
    appetite: Appetite,
    /// A thread that the host lent: it has no main loop.
    lent: bool,
    /// Whether this thread is outside the pool when it is in none of its jobs: it was lent, or has left its main
    /// loop for good.
    outside: Cell<bool>,
    /// Where this thread's stack was when it became a worker.
    base: usize,
    /// Whether it is in a call of [`blocking`](fn@crate::blocking).
    blocked: Cell<bool>,
    /// What is on this thread's stack that restricts what may be run on top of it.
    isolation: Cell<Option<Isolation>>,
    /// What its forks are told of it: who it is, and whether `isolation` is set.
    as_owner: Cell<TaskOwner>,
    /// Queues whose jobs are on this thread's stack, outermost first.
    nested: RefCell<Vec<Rc<dyn Nested>>>,
    /// How many of these are beneath a job that is not related to them.
    nested_floor: Cell<usize>,
    /// Waits for room in a queue that are on this thread's stack.
    room_waits: Cell<usize>,
    /// Jobs of this worker that run in the order in which it submitted them. Not a local of the thread: a lent thread
    /// runs what is left when those are gone.
    fifo: OnceCell<Arc<Fifo>>,
}

impl Worker {
    /// The worker of the calling thread, which for a `host` has been lent.
    pub(crate) fn new(seat: Seat, lent: bool) -> Worker {
        let Seat { index, registry, kit: Kit { deque, stack, parker } } = seat;
        parker.adopt();
        let owner = TaskOwner::new(index, false);
        stack.set_owner(owner);
        Worker {
            stack,
            index,
            number: Cell::new(index),
            registry,
            deque,
            height: Cell::new(0),
            parker,
            // Any seed does; neighbours should not start alike.
            rng: Rng::new((index as u64 + 1).wrapping_mul(0xA076_1D64_78BD_642F)),
            tick: Cell::new(0),
            turns: Turns::default(),
            depth: Cell::new(0),
            appetite: Appetite::default(),
            lent,
            outside: Cell::new(lent),
            base: nested::stack_position(),
            blocked: Cell::new(false),
            isolation: Cell::new(None),
            as_owner: Cell::new(owner),
            nested: RefCell::default(),
            nested_floor: Cell::new(0),
            room_waits: Cell::new(0),
            fifo: OnceCell::new(),
        }
    }

    /// What it was made of, for the next thread that becomes this worker.
    pub(crate) fn into_kit(self) -> Kit {
        Kit { deque: self.deque, stack: self.stack, parker: self.parker }
    }

    pub(crate) fn me(&self) -> &Peer {
        self.registry.peer(self.index)
    }

    /// Whether it is a spare.
    pub(crate) fn is_spare(&self) -> bool {
        self.index >= self.registry.peers.len()
    }

    /// The worker that it is or stands in for, as the others see it.
    fn slot(&self) -> &Peer {
        &self.registry.peers[self.number.get()]
    }

    /// Its jobs that run in the order in which it submitted them.
    pub(crate) fn fifo(&self) -> Arc<Fifo> {
        Arc::clone(self.fifo.get_or_init(Arc::default))
    }

    pub(crate) fn unparker(&self) -> Unparker {
        self.parker.unparker()
    }

    /// Whether this thread is inside a job of its pool, or always is, having nothing else to do.
    /// A lent thread outside any job submits as an outside thread does; so does a worker at its end, whose deque
    /// nobody will look at again.
    #[inline]
    pub(crate) fn inside(&self) -> bool {
        !self.outside.get() || self.depth.get() > 0
    }

    /// Whether it is a thread that the host lent.
    pub(crate) fn is_lent(&self) -> bool {
        self.lent
    }

    /// The main loop is over: what the thread still does, it does outside the pool.
    pub(crate) fn leave(&self) {
        self.outside.set(true);
        current::let_fork(self, false);
    }

    // --- giving work away ---

    /// Keeps a job for itself, unless somebody wants one, who is woken if need be.
    #[inline]
    pub(crate) fn push(&self, job: Job) {
        if self.stack.push(job) {
            self.answer(true);
        }
    }

    /// As [`push`](Self::push), but a worker that watches is left to see it within a nap.
    #[inline]
    pub(crate) fn push_lazily(&self, job: Job) {
        if self.stack.push(job) {
            self.answer(false);
        }
    }

    /// After a push that found a job wanted: hands out private jobs. Wakes a sleeper only if nobody watches.
    #[cold]
    pub(crate) fn answer_lazily(&self) {
        self.answer(false);
    }

    #[cold]
    fn answer(&self, at_once: bool) {
        let sleep = &self.registry.sleep;
        let bundled = Cell::new(false);
        let wanted = |available: Available| {
            let missing = sleep.snapshot().idle().saturating_sub(self.deque.len());
            // The oldest forks are the largest jobs there are.
            bundled.set(available.len >= 4 * BUNDLE && missing > 0 && available.forks == 0);
            if bundled.get() { BUNDLE } else { missing }
        };
        let exposed = self.stack.expose(wanted, |jobs| {
            if bundled.get() { self.push_deque(bundle(jobs.collect())) } else { self.push_each(jobs) }
        });
        if exposed > 0 {
            if at_once { sleep.published() } else { sleep.published_lazily() }
        }
    }

    /// Puts a job where others find it too, whatever this thread does next.
    pub(crate) fn push_shown(&self, job: Job) {
        self.stack.push(job);
        self.expose_all();
    }

    /// Hands out all private jobs: before this thread sleeps on something else, or takes jobs that are not above the
    /// fork that it is in the midst of. That fork may be the job it gets, which only the latch of one that left
    /// tells; and what is pushed then must not take the place that the fork believes to be its own.
    pub(crate) fn expose_all(&self) {
        if !self.stack.is_empty() {
            self.stack.expose(|available| available.len, |jobs| self.push_each(jobs));
            self.registry.sleep.published();
        }
    }

    fn push_each(&self, jobs: &mut dyn ExactSizeIterator<Item = Job>) {
        jobs.for_each(|job| self.push_deque(job));
    }

    pub(super) fn push_deque(&self, job: Job) {
        self.deque.push(job);
        self.height.set(self.height.get() + 1);
    }

    // --- running ---

    /// Runs a job. What it panics with goes to the panic handler.
    #[inline]
    pub(crate) fn run(&self, job: Job) {
        self.counted(|| job.run());
    }

    /// Runs `f` as one job of this worker.
    #[inline]
    pub(crate) fn counted(&self, f: impl FnOnce()) {
        self.counted_with(&mut (), |()| f(), |(), payload| self.unheard(payload, None));
    }

    /// As [`counted`](Self::counted), with `panicked` to see to what `f` panics with. It must not panic itself.
    #[inline]
    pub(crate) fn counted_with<S>(
        &self,
        state: &mut S,
        f: impl FnOnce(&mut S),
        panicked: impl FnOnce(&mut S, Payload),
    ) {
        self.deepen();
        let result = unwind::catch(|| f(state));
        self.me().counters.run.add(1);
        if let Err(payload) = result {
            // Foreign code, so still inside: a lent thread must not be returned with this frame on its stack.
            panicked(state, payload);
        }
        self.come_up();
    }

    /// One more job is on this thread's stack.
    #[inline]
    fn deepen(&self) {
        self.depth.set(self.depth.get() + 1);
        if self.outside.get() {
            current::let_fork(self, true);
        }
    }

    /// One job less.
    #[inline]
    fn come_up(&self) {
        self.depth.set(self.depth.get() - 1);
        if self.outside.get() {
            current::let_fork(self, self.inside());
        }
    }

    /// Takes to the panic handler what something panicked with on this worker, of `queue` if that has a name.
    #[cold]
    pub(crate) fn unheard(&self, payload: Payload, queue: Option<&str>) {
        self.me().counters.panicked.add(1);
        self.registry.handle_panic(payload, &PanicAt::new(queue, Some(self.index)));
    }

    /// Runs `f` inside a job that is counted already, panics included.
    pub(crate) fn within<R>(&self, f: impl FnOnce() -> R) -> R {
        struct Leave<'w>(&'w Worker);
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                self.0.come_up();
            }
        }
        self.deepen();
        let _leave = Leave(self);
        f()
    }

    /// Runs one job, if there is one. It may be called anywhere inside a job.
    pub(crate) fn run_one(&self) -> bool {
        self.expose_all();
        self.find(Help::Any).map(|job| self.run_on_top(job)).is_some()
    }

    /// Runs one job of its own, if there is one: a newer one than the fork that it is in the midst of.
    pub(crate) fn run_own(&self) -> bool {
        self.own().map(|job| self.run(job)).is_some()
    }

    /// Runs one job of its own or of its inbox, if there is one.
    pub(crate) fn run_local(&self) -> bool {
        self.expose_all();
        self.own().or_else(|| self.take_errand()).map(|job| self.run(job)).is_some()
    }

    /// Runs what only this worker may run.
    pub(crate) fn empty_inbox(&self) {
        while let Some(job) = self.me().inbox.pop() {
            self.run(job);
        }
    }

    /// For a lent thread that goes: what it kept, and what only it was to run, is for the others; if there are none it
    /// has seen to all of that.
    pub(crate) fn leave_to_others(&self) {
        self.expose_all();
        // So that the pool does not end while the jobs are in neither place.
        let entry = self.registry.hold();
        for job in self.me().inbox.close() {
            entry.inject(job);
        }
    }

    /// Whether it has jobs of its own.
    pub(crate) fn has_own(&self) -> bool {
        !self.stack.is_empty() || !self.deque.is_empty()
    }

    /// Runs jobs until the pool has ended; `begins` is called before the first.
    pub(crate) fn main_loop(&self, begins: impl FnOnce()) {
        let mut next = self.first(&idle::UntilEnd);
        if matches!(next, idle::Next::Job(_)) {
            begins();
        }
        while let idle::Next::Job(job) = next {
            self.run(job);
            next = self.next(&idle::UntilEnd, Help::Any);
        }
    }

    /// For a lent thread, once its pool is closed: runs what it finds. Jobs that appear later are found by
    /// the other workers, which also empty this one's deque; if there are none, no later job can appear
    /// once no outside thread is left that had begun to submit. Begins no job after `deadline`.
    pub(crate) fn drain(&self, deadline: Option<Instant>) {
        let _hold = self.registry.hold();
        let due = || deadline.is_some_and(|deadline| deadline <= Instant::now());
        loop {
            while !due() && self.run_one() {}
            let alone = self.registry.threads() == 0;
            let nobody_comes = || self.registry.sleep.snapshot().entered() == 1 || defect("entered_ignored");
            let at_end = alone && nobody_comes() && !self.registry.has_work();
            if at_end && !due() && self.registry.finish_alone() {
                continue;
            }
            if due() || !alone || at_end {
                self.expose_all();
                return;
            }
            crate::sync::yield_now();
        }
    }
}
