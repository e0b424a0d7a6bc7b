//! What all workers of a pool share: the injector, the deques' far ends, who sleeps, what was counted.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use crossbeam_utils::CachePadded;

use crate::deque::{Deque, Injector, Stealer};
use crate::error::ClosedReason;
use crate::finish::Finishers;
use crate::fork;
use crate::inbox::Inbox;
use crate::job::Job;
use crate::latch::CountLatch;
use crate::panic_at::PanicAt;
use crate::parker::Parker;
use crate::process;
use crate::room::Rooms;
use crate::sleep::{Sleep, Snapshot};
use crate::stats::Counters;
use crate::sync::site::{ABANDONED, THREADS};
use crate::sync::{Arc, AtomicBool, AtomicUsize, MODEL, Mutex, defect, lock};
use crate::unwind::{self, AbortOnUnwind, Payload};

/// Called with a worker's number.
pub(crate) type Hook = Box<dyn Fn(usize) + Send + Sync>;
/// Called with the payload of a panic that has no other place to go, and where that was.
pub(crate) type PanicHandler = Box<dyn Fn(Payload, &PanicAt<'_>) + Send + Sync>;

/// What the embedder wants to be called for.
#[derive(Default)]
pub(crate) struct Hooks {
    pub(crate) on_start: Option<Hook>,
    pub(crate) on_exit: Option<Hook>,
    pub(crate) panic_handler: Option<PanicHandler>,
}

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
}

/// Sources by number; `None` once the pool is closed.
struct Sources {
    next: u64,
    open: Option<Vec<(u64, Box<dyn Source>)>>,
    /// Whether `over` was counted down.
    over: bool,
}

/// The shared half of a pool.
pub(crate) struct Registry {
    pub(crate) peers: Box<[CachePadded<Peer>]>,
    pub(crate) injector: Injector<Job>,
    pub(crate) sleep: Sleep,
    pub(crate) hooks: Hooks,
    /// How much of its stack a worker may have used and still begin a job that is not its own while it waits in a
    /// join or a scope.
    pub(crate) help_stack: usize,
    /// Workers that wait for room in a queue.
    pub(crate) rooms: Rooms,
    pub(crate) finishers: Finishers,
    /// Workers that have a main loop: all but a thread that the host lent.
    threads: AtomicUsize,
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
    ) -> Registry {
        let lent = threads < peers.len();
        Registry {
            peers,
            injector: Injector::new(),
            sleep,
            hooks,
            help_stack,
            rooms: Rooms::default(),
            finishers: Finishers::default(),
            threads: AtomicUsize::new(threads),
            lent,
            abandoned: AtomicBool::new(false),
            over: CountLatch::new(1),
            sources: Mutex::new(Sources { next: 0, open: Some(Vec::new()), over: false }),
            generation: process::generation(),
        }
    }

    /// How many workers have a main loop.
    pub(crate) fn threads(&self) -> usize {
        self.threads.load(THREADS.get())
    }

    /// Goes on without a worker that never ran. Without any worker, the pool is closed.
    pub(crate) fn lose(&self, index: usize) {
        let left = self.threads.fetch_sub(1, THREADS.get()) - 1;
        self.peers[index].running.count_down();
        if left == 0 && !self.lent {
            self.close();
        }
        // The others may all be asleep already, and the pool closed.
        self.sleep.nudge_all();
        self.look_for_end();
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
            }
        }
    }

    /// For a pool without a thread of its own: blocks until all that was accepted has run, or until `deadline`:
    /// `false` then.
    pub(crate) fn wait_over(&self, deadline: Option<Instant>) -> bool {
        self.threads() > 0 || self.over.wait_until(deadline)
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
        // For a moment we may have looked like somebody about to submit.
        self.look_for_end();
        Err(ClosedReason::Shutdown)
    }

    /// As [`enter`](Self::enter), even if the pool is closed: for a thread that works off what the pool
    /// holds, and that delays its end in that time.
    pub(crate) fn hold(&self) -> Entry<'_> {
        self.sleep.hold();
        Entry { registry: self }
    }

    /// Gives a job to one worker, or, if that was lent and has gone, to whoever comes first.
    pub(crate) fn hand_to(&self, peer: &Peer, job: Job) {
        if let Err(job) = peer.inbox.push(job) {
            self.hold().inject(job);
        }
    }

    /// By a worker, counted as asleep, the last as far as it saw: if all are, and nothing is left, lets them leave.
    pub(crate) fn end_at_rest(&self) {
        if self.conclude(|now| now.at_rest(self.threads()) && self.is_drained()) {
            self.sleep.end();
        }
    }

    /// Whether any queue holds a job. Exact for jobs published before a SeqCst fence that precedes it.
    pub(crate) fn has_work(&self) -> bool {
        !self.injector.is_empty() || self.peers.iter().any(|peer| !peer.stealer.is_empty())
    }

    /// Whether no job is left, those included that only one worker may run, and those that a lent thread kept for
    /// itself in a job and left there. To be asked with all asleep.
    pub(crate) fn is_drained(&self) -> bool {
        let keeps = |peer: &Peer| peer.private.len() > 0 && !defect("private_forgotten");
        !self.has_work() && self.peers.iter().all(|peer| peer.inbox.is_empty() && !keeps(peer))
    }

    /// Takes what a job panicked with to the handler. A handler that panics itself ends the process.
    pub(crate) fn handle_panic(&self, payload: Payload, at: &PanicAt<'_>) {
        match &self.hooks.panic_handler {
            // A check that goes on would pass: nobody hears of what a job asserted.
            None if MODEL => unwind::unheard(),
            // The panic hook has reported it by now; a pool keeps its worker.
            None => unwind::discard(payload),
            Some(handler) => {
                let guard = AbortOnUnwind("the panic handler panicked");
                handler(payload, at);
                std::mem::forget(guard);
            }
        }
    }

    /// Calls a hook; what it panics with goes to the panic handler.
    pub(crate) fn call_hook(&self, hook: &Option<Hook>, index: usize) {
        if let Some(hook) = hook
            && let Err(payload) = unwind::catch(AssertUnwindSafe(|| hook(index)))
        {
            self.handle_panic(payload, &PanicAt::new(None, index));
        }
    }

    /// Registers a source. `None` if the pool is closed.
    pub(crate) fn add_source(&self, source: Box<dyn Source>) -> Option<u64> {
        let mut sources = lock(&self.sources);
        let number = sources.next;
        sources.next += 1;
        sources.open.as_mut()?.push((number, source));
        Some(number)
    }

    /// Forgets a source.
    pub(crate) fn remove_source(&self, number: u64) {
        let removed = {
            let mut sources = lock(&self.sources);
            let Some(open) = sources.open.as_mut() else { return };
            let place = open.iter().position(|(held, _)| *held == number);
            place.map(|place| open.swap_remove(place))
        };
        // Dropped without the lock: the source may be the last to hold something of the user's.
        drop(removed);
    }

    /// Closes the pool to the outside: first the sources, so that all they took has jobs under way,
    /// then the injector.
    pub(crate) fn close(&self) {
        let closed = {
            // Under the lock, so that a second caller cannot close the injector before the first is
            // through: a source needs it to get jobs under way. No foreign code runs in there.
            let mut sources = lock(&self.sources);
            let open = sources.open.take();
            for (_, source) in open.iter().flatten() {
                source.close_outside();
            }
            open
        };
        self.sleep.close();
        self.look_for_end();
        drop(closed);
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
        self.registry.sleep.leave();
        self.registry.look_for_end();
    }
}

/// The registry and everything in it, held by each worker, handle and queue.
pub(crate) type Shared = Arc<Registry>;
