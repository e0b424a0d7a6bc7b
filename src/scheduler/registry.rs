//! What all workers of a pool share: the injector, the deques' far ends, who sleeps, what was counted.

use crossbeam_utils::CachePadded;

use super::finish::Finishers;
use super::hooks::{HeldHooks, Hooks};
use super::panic_at::PanicAt;
use super::peer::Peer;
use super::sources::Sources;
use super::spares::Spares;
use crate::jobs::deque::Injector;
use crate::jobs::job::Job;
use crate::sync::site::THREADS;
use crate::sync::{Arc, AtomicBool, AtomicUsize, Mutex, StdArc, defect};
use crate::system::unwind::Payload;
use crate::system::{membarrier, process};
use crate::waiting::latch::CountLatch;
use crate::waiting::numbered::Numbered;
use crate::waiting::sleep::Sleep;
use crate::waiting::wait_graph::WaitGraph;

/// The shared half of a pool.
pub(crate) struct Registry {
    pub(crate) peers: Box<[CachePadded<Peer>]>,
    pub(crate) injector: Injector<Job>,
    pub(crate) sleep: Sleep,
    pub(crate) hooks: HeldHooks,
    /// How much of its stack a worker may have used and still begin a job that is not its own while it waits in a
    /// join or a scope.
    pub(super) help_stack: usize,
    /// Workers that wait for room in a queue.
    pub(crate) wait_graph: StdArc<WaitGraph>,
    /// Threads that stand in for workers that wait.
    pub(crate) spares: Spares,
    pub(crate) finishers: Finishers,
    /// Workers that have a main loop: all but a thread that the host lent.
    pub(super) threads: AtomicUsize,
    /// Those of them whose thread has not come to its end.
    pub(super) staying: AtomicUsize,
    /// Whether there is such a thread.
    pub(super) lent: bool,
    /// Whether the last owner has let go of the pool.
    pub(super) owner_dropped: AtomicBool,
    /// At zero when a pool without a thread of its own has closed and run all that it accepted.
    pub(super) drained: CountLatch,
    pub(super) sources: Mutex<Sources>,
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
            wait_graph: WaitGraph::shared(),
            spares,
            finishers: Finishers::default(),
            threads: AtomicUsize::new(threads),
            staying: AtomicUsize::new(threads),
            lent,
            owner_dropped: AtomicBool::new(false),
            drained: CountLatch::new(1),
            sources: Mutex::new(Sources { members: Numbered::default(), closed: false, drained: false }),
            generation: process::generation(),
        }
    }

    /// How many workers have a main loop.
    pub(crate) fn threads(&self) -> usize {
        self.threads.load(THREADS.get())
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

    /// A worker or a spare, as the others see it.
    #[inline]
    pub(super) fn peer(&self, index: usize) -> &Peer {
        match self.peers.get(index) {
            Some(peer) => peer,
            None => self.spares.peer(index),
        }
    }

    /// How many workers and spares there are. Some spares may rest, and have nothing.
    #[inline]
    pub(super) fn all(&self) -> usize {
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
    pub(super) fn others_keep_jobs(&self, idle: usize) -> bool {
        self.all_peers().for_each(|peer| peer.private.demand());
        // Spares that are relieved and on their way to rest are idle beside as many workers as the pool has.
        let all_idle = idle >= self.peers.len() && self.spares.made() == 0;
        if all_idle || !membarrier::available() {
            return false;
        }
        membarrier::heavy();
        self.all_peers().any(|peer| peer.private.has_some())
    }

    /// Whether no job is left, those included that only one worker may run, and those that a lent thread kept for
    /// itself in a job and left there. To be asked with all asleep.
    pub(super) fn is_drained(&self) -> bool {
        let keeps = |peer: &Peer| peer.private.has_some() && !defect("private_forgotten");
        !self.has_work() && self.all_peers().all(|peer| peer.inbox.is_empty() && !keeps(peer))
    }

    /// Whether the pool takes nothing more and no queue holds a job. Some worker may still be in one that submits others.
    pub(crate) fn closed_and_drained(&self) -> bool {
        self.sleep.snapshot().closed() && self.is_drained()
    }

    /// Takes what a job panicked with to the handler.
    pub(super) fn handle_panic(&self, payload: Payload, at: &PanicAt<'_>) {
        self.hooks.handle_panic(payload, at);
    }
}

/// The registry and everything in it, held by each worker, handle and queue.
pub(crate) type Shared = Arc<Registry>;
