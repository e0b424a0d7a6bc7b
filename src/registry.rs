//! What all workers of a pool share: the injector, the deques' far ends, who sleeps, what was counted.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use crossbeam_utils::CachePadded;

use crate::barrier;
use crate::deque::{Deque, Injector, Stealer};
use crate::error::ClosedReason;
use crate::finish::Finishers;
use crate::fork;
use crate::hooks::{HeldHooks, Hooks};
use crate::inbox::Inbox;
use crate::job::Job;
use crate::latch::CountLatch;
use crate::numbered::{Number, Numbered};
use crate::panic_at::PanicAt;
use crate::parker::Parker;
use crate::process;
use crate::room::Rooms;
use crate::sleep::{Sleep, Snapshot};
use crate::spares::Spares;
use crate::stats::Counters;
use crate::sync::site::{ABANDONED, STAYING, THREADS};
use crate::sync::{Arc, AtomicBool, AtomicUsize, Mutex, StdArc, defect, lock};
use crate::unwind::{self, Payload};

/// What a worker is made of, before its thread has it.
pub(crate) struct Kit {
    pub(crate) deque: Deque<Job>,
    pub(crate) stack: fork::Stack,
    pub(crate) parker: Parker,
}

impl Kit {
    pub(crate) fn new() -> Kit {
        Kit { deque: Deque::new_lifo(), stack: fork::Stack::new(), parker: Parker::new() }
    }
}

/// One worker as the others see it.
pub(crate) struct Peer {
    pub(crate) stealer: Stealer<Job>,
    /// What the worker keeps in front of its deque.
    pub(crate) private: Arc<fork::Shared>,
    /// Jobs that only this worker may run.
    pub(crate) inbox: Inbox,
    /// Written with each job, apart from what thieves read.
    pub(crate) counters: CachePadded<Counters>,
    pub(crate) name: String,
    /// The core that the placement asks for.
    pub(crate) asked: Option<usize>,
    /// At zero when the worker has left its main loop for good.
    pub(crate) running: CountLatch,
}

impl Peer {
    pub(crate) fn new(kit: &Kit, name: String, asked: Option<usize>, running: bool) -> Peer {
        Peer {
            stealer: kit.deque.stealer(),
            private: kit.stack.shared(),
            inbox: Inbox::new(),
            counters: CachePadded::new(Counters::new()),
            name,
            asked,
            running: CountLatch::new(usize::from(running)),
        }
    }
}

/// Something that feeds a pool with jobs of its own and must be told when the pool closes. Once
/// [`close_outside`](Source::close_outside) has returned, it takes nothing from outside any more and
/// has jobs under way in the pool for all that it has taken.
pub(crate) trait Source: Send + Sync {
    fn close_outside(&self);

    /// The pool has ended, and no job of this source is left: drops what is the user's. To be called without a lock.
    fn let_go(&self);

    /// What its panics are told with.
    fn name(&self) -> Option<&str>;
}

/// The sources.
struct Sources {
    /// Until the pool has ended.
    members: Numbered<Box<dyn Source>>,
    /// Whether the pool is closed: no more are taken.
    closed: bool,
    /// Whether `over` was counted down.
    over: bool,
}

/// The shared half of a pool.
pub(crate) struct Registry {
    pub(crate) peers: Box<[CachePadded<Peer>]>,
    pub(crate) injector: Injector<Job>,
    pub(crate) sleep: Sleep,
    pub(crate) hooks: HeldHooks,
    /// How much of its stack a worker may have used and still begin a job that is not its own while it waits in a
    /// join or a scope.
    pub(crate) help_stack: usize,
    /// Workers that wait for room in a queue.
    pub(crate) rooms: StdArc<Rooms>,
    /// Threads that stand in for workers that wait.
    pub(crate) spares: Spares,
    pub(crate) finishers: Finishers,
    /// Workers that have a main loop: all but a thread that the host lent.
    threads: AtomicUsize,
    /// Those of them whose thread has not come to its end.
    staying: AtomicUsize,
    /// Whether there is such a thread.
    lent: bool,
    /// Whether the last owner has let go of the pool.
    abandoned: AtomicBool,
    /// At zero when a pool without a thread of its own has closed and run all that it accepted.
    over: CountLatch,
    sources: Mutex<Sources>,
    generation: u32,
}

impl Registry {
    pub(crate) fn new(
        peers: Box<[CachePadded<Peer>]>,
        sleep: Sleep,
        hooks: Hooks,
        help_stack: usize,
        threads: usize,
        spares: Spares,
    ) -> Registry {
        let lent = threads < peers.len();
        Registry {
            peers,
            injector: Injector::new(),
            sleep,
            hooks: HeldHooks::new(hooks),
            help_stack,
            rooms: Rooms::shared(),
            spares,
            finishers: Finishers::default(),
            threads: AtomicUsize::new(threads),
            staying: AtomicUsize::new(threads),
            lent,
            abandoned: AtomicBool::new(false),
            over: CountLatch::new(1),
            sources: Mutex::new(Sources { members: Numbered::default(), closed: false, over: false }),
            generation: process::generation(),
        }
    }

    /// How many workers have a main loop.
    pub(crate) fn threads(&self) -> usize {
        self.threads.load(THREADS.get())
    }

    /// Goes on without a worker that never ran. Without any worker, the pool is closed.
    pub(crate) fn lose(&self, index: usize) {
        let last = self.staying.fetch_sub(1, STAYING.get()) == 1;
        let left = self.threads.fetch_sub(1, THREADS.get()) - 1;
        self.peers[index].running.count_down();
        if left == 0 && !self.lent {
            self.close();
        }
        // The others may all be asleep already, and the pool closed.
        self.sleep.nudge_all();
        self.look_for_end();
        if last && left > 0 {
            // The others have left meanwhile, and took this one for one that stays.
            self.let_go(None);
        }
    }

    /// Whether nobody owns the pool any more.
    pub(crate) fn abandoned(&self) -> bool {
        self.abandoned.load(ABANDONED.get())
    }

    /// Nobody owns the pool any more.
    pub(crate) fn abandon(&self) {
        self.abandoned.store(true, ABANDONED.get());
    }

    /// In a pool without a thread of its own there is no main loop that notices the end: whoever may have brought it
    /// about looks. Once closed, nobody about to submit, the lent thread in no job and nothing left, it stays so.
    fn look_for_end(&self) {
        if self.threads() > 0 {
            return;
        }
        let is_over = |now: Snapshot| now.closed() && now.entered() == 0 && self.is_drained();
        if self.sleep.snapshot().closed() && self.conclude(is_over) {
            let before = std::mem::replace(&mut lock(&self.sources).over, true);
            if !before {
                self.over.count_down();
                // For the threads of spares.
                self.sleep.end();
            }
        }
    }

    /// For a pool without a thread of its own: blocks until all that was accepted has run, or until `deadline`:
    /// `false` then.
    pub(crate) fn wait_over(&self, deadline: Option<Instant>) -> bool {
        self.threads() > 0 || self.over.wait_until(deadline, None)
    }

    /// Which process built the pool.
    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    /// Whether this process is a forked child of the one that built the pool.
    #[inline(always)]
    pub(crate) fn forked(&self) -> bool {
        self.generation != process::current()
    }

    /// Lets the calling outside thread submit, for as long as the entry lives.
    #[inline]
    pub(crate) fn enter(&self) -> Result<Entry<'_>, ClosedReason> {
        if self.forked() {
            return Err(ClosedReason::ForkedProcess);
        }
        if self.sleep.enter() {
            return Ok(Entry { registry: self });
        }
        // For a moment we looked like somebody about to submit.
        drop(Entry { registry: self });
        Err(ClosedReason::Shutdown)
    }

    /// As [`enter`](Self::enter), even if the pool is closed: for a thread that works off what the pool
    /// holds, and that delays its end in that time.
    pub(crate) fn hold(&self) -> Entry<'_> {
        self.sleep.hold();
        Entry { registry: self }
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

    /// Ends a [`hold`](Self::hold) whose entry was forgotten.
    pub(crate) fn leave_held(&self) {
        drop(Entry { registry: self });
    }

    /// By whoever may have brought the pool to rest: its last change of the word left `after`. If all are at rest and
    /// nothing is left, lets the workers leave.
    pub(crate) fn end_if(&self, after: Snapshot) {
        let threads = self.threads();
        if threads == 0 {
            self.look_for_end();
        } else if after.at_rest(threads) && self.conclude(|now| now.at_rest(threads) && self.is_drained()) {
            self.sleep.end();
        }
    }

    /// A worker or a spare, as the others see it.
    #[inline]
    pub(crate) fn peer(&self, index: usize) -> &Peer {
        match self.peers.get(index) {
            Some(peer) => peer,
            None => self.spares.peer(index),
        }
    }

    /// How many workers and spares there are. Some spares may rest, and have nothing.
    #[inline]
    pub(crate) fn all(&self) -> usize {
        self.peers.len() + self.spares.made()
    }

    /// The workers, and all spares that were ever made.
    pub(crate) fn all_peers(&self) -> impl Iterator<Item = &Peer> {
        self.peers.iter().map(|peer| &**peer).chain(self.spares.peers())
    }

    /// Whether any queue holds a job. Exact for jobs published before a SeqCst fence that precedes it.
    pub(crate) fn has_work(&self) -> bool {
        !self.injector.is_empty() || self.all_peers().any(|peer| !peer.stealer.is_empty())
    }

    /// The last look before a sleep, or before a search ends while others sleep: whether somebody has private jobs. If
    /// not, whoever pushes next sees that jobs are wanted. `idle` workers have none.
    pub(crate) fn others_keep_jobs(&self, idle: usize) -> bool {
        self.all_peers().for_each(|peer| peer.private.demand());
        // Spares that are relieved and on their way to rest are idle beside as many workers as the pool has.
        let all_idle = idle >= self.peers.len() && self.spares.made() == 0;
        if all_idle || !barrier::available() {
            return false;
        }
        barrier::heavy();
        self.all_peers().any(|peer| peer.private.has_some())
    }

    /// Whether no job is left, those included that only one worker may run, and those that a lent thread kept for
    /// itself in a job and left there. To be asked with all asleep.
    pub(crate) fn is_drained(&self) -> bool {
        let keeps = |peer: &Peer| peer.private.has_some() && !defect("private_forgotten");
        !self.has_work() && self.all_peers().all(|peer| peer.inbox.is_empty() && !keeps(peer))
    }

    /// Whether the pool takes nothing more and no queue holds a job. Some worker may still be in one that submits others.
    pub(crate) fn closed_and_drained(&self) -> bool {
        self.sleep.snapshot().closed() && self.is_drained()
    }

    /// Takes what a job panicked with to the handler.
    pub(crate) fn handle_panic(&self, payload: Payload, at: &PanicAt<'_>) {
        self.hooks.handle_panic(payload, at);
    }

    /// Registers a source. `None` if the pool is closed.
    pub(crate) fn add_source(&self, source: Box<dyn Source>) -> Option<Number> {
        let mut sources = lock(&self.sources);
        if sources.closed {
            return None;
        }
        Some(sources.members.push(source))
    }

    /// Forgets a source.
    pub(crate) fn remove_source(&self, number: Number) {
        let removed = lock(&self.sources).members.remove(number);
        // Dropped without the lock: the source may be the last to hold something of the user's.
        drop(removed);
    }

    /// Closes the pool to the outside: first the sources, so that all they took has jobs under way,
    /// then the injector.
    pub(crate) fn close(&self) {
        {
            // Under the lock, so that a second caller cannot close the injector before the first is
            // through: a source needs it to get jobs under way. No foreign code runs in there.
            let mut sources = lock(&self.sources);
            if !std::mem::replace(&mut sources.closed, true) {
                sources.members.iter().for_each(|source| source.close_outside());
            }
        }
        self.end_if(self.sleep.close());
    }

    /// The calling worker, with this number, has left its main loop and called its hook. The last one lets go of what is the
    /// user's.
    pub(crate) fn worker_left(&self, index: usize) {
        if self.staying.fetch_sub(1, STAYING.get()) == 1 && !defect("kept_for_ever") {
            self.let_go(Some(index));
        }
    }

    /// A spare's thread was started, whose hooks are still to be called.
    pub(crate) fn spare_stays(&self) {
        self.staying.fetch_add(1, STAYING.get());
    }

    /// As [`worker_left`](Self::worker_left), by a spare that stood in for `worker` last. In a pool without a thread of its
    /// own somebody else sees to the end.
    pub(crate) fn spare_left(&self, worker: usize) {
        if self.staying.fetch_sub(1, STAYING.get()) == 1 && self.threads() > 0 {
            self.let_go(Some(worker));
        }
    }

    /// As [`let_go`](Self::let_go), for a pool without a thread of its own, which would see to it. The pool is closed and has
    /// run what it accepted; who is still about to find it closed is waited for.
    pub(crate) fn let_go_alone(&self) {
        if self.threads() == 0 {
            if !defect("end_unawaited") {
                self.over.wait();
            } else if self.over.count() > 0 {
                return;
            }
            self.let_go(None);
        }
    }

    /// The pool has ended: drops the handlers of its queues and its hooks, on the calling thread, that of `worker` if it
    /// is one. It must hold no lock and have no frame below that goes on as a worker. A handler or a hook that holds a handle
    /// of its own pool would keep it for ever, and itself.
    fn let_go(&self, worker: Option<usize>) {
        let sources = lock(&self.sources).members.take();
        for source in sources {
            if let Err(payload) = unwind::catch(AssertUnwindSafe(|| source.let_go())) {
                self.handle_panic(payload, &PanicAt::new(source.name(), worker));
            }
            if let Err(payload) = unwind::catch(AssertUnwindSafe(|| drop(source))) {
                self.handle_panic(payload, &PanicAt::new(None, worker));
            }
        }
        self.hooks.let_go();
    }
}

/// The right of an outside thread to submit. While one lives the pool does not end.
pub(crate) struct Entry<'r> {
    registry: &'r Registry,
}

impl Entry<'_> {
    /// Puts a job where workers look, and wakes one if need be.
    #[inline]
    pub(crate) fn inject(&self, job: Job) {
        self.registry.injector.push(job);
        self.registry.sleep.published();
    }
}

impl Entry<'_> {
    /// As [`inject`](Self::inject), for a thread that then waits for the job: whether it should sleep at once, on a
    /// core that a worker is waiting for.
    pub(crate) fn inject_and_wait(&self, job: Job) -> bool {
        self.registry.injector.push(job);
        self.registry.sleep.published_by_waiter()
    }
}

impl Drop for Entry<'_> {
    #[inline]
    fn drop(&mut self) {
        let after = self.registry.sleep.leave();
        if after.closed() && after.entered() == 0 && !defect("last_to_leave_silent") {
            self.registry.end_if(after);
        }
    }
}

/// The registry and everything in it, held by each worker, handle and queue.
pub(crate) type Shared = Arc<Registry>;
