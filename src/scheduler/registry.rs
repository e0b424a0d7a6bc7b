//! The state that all workers of a pool share: the injector, the far ends of the deques, the sleep protocol, the
//! counters.

use std::time::Duration;

use crossbeam_utils::CachePadded;

use super::finish::Finishers;
use super::hooks::{HeldHooks, Hooks};
use super::panic_at::PanicAt;
use super::peer::Peer;
use super::run_delays::RunDelays;
use super::sources::Sources;
use super::spares::Spares;
use crate::jobs::deque::Injector;
use crate::jobs::job::Job;
use crate::sync::site::{FORK_HEAVY, REST_LOOK_FENCE, THREADS};
use crate::sync::{Arc, AtomicBool, AtomicUsize, EXHAUSTIVE, MODEL, Mutex, StdArc, defect, fence, spin_loop};
use crate::system::clock::Instant;
use crate::system::core_choice::CoreChoice;
use crate::system::unwind::Payload;
use crate::system::{heavy_fence, process};
use crate::waiting::latch::CountLatch;
use crate::waiting::numbered::Numbered;
use crate::waiting::sleep::Sleep;
use crate::waiting::wait_graph::WaitGraph;

/// An upper bound for the time that a store takes to leave its core.
const DRAIN: Duration = Duration::from_micros(3);

/// The result of a look for private jobs of the peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    Some,
    /// No peer has private jobs, and each later push sees the demand.
    Nothing,
    /// The worker saw nothing that it can raid. It may have overlooked a job that was pushed at the same moment: see
    /// [`Fencing`](crate::jobs::private::Fencing).
    Unsure,
}

/// The shared half of a pool.
pub(crate) struct Registry {
    pub(crate) peers: Box<[CachePadded<Peer>]>,
    pub(crate) injector: Injector<Job>,
    pub(crate) sleep: Sleep,
    pub(crate) hooks: HeldHooks,
    /// How many bytes of its stack a worker may have used and still begin a job that is not its own, while it waits
    /// in a join or a scope.
    pub(super) help_stack: usize,
    /// The wait-for graph of the workers that wait for room in a queue.
    pub(crate) wait_graph: StdArc<WaitGraph>,
    /// Threads that stand in for workers that wait.
    pub(crate) spares: Spares,
    pub(crate) cores: CoreChoice,
    pub(crate) run_delays: RunDelays,
    /// Whether the pool may use the system's fence.
    pub(super) may_use_heavy: bool,
    pub(crate) finishers: Finishers,
    /// How many workers have a main loop: all but the thread that the host lent.
    pub(super) threads: AtomicUsize,
    /// How many threads of the pool, workers with a main loop and spares, have not come to their end.
    pub(super) staying: AtomicUsize,
    /// Whether the host lent a thread to the pool.
    pub(super) lent: bool,
    /// Whether the last owner has let go of the pool.
    pub(super) owner_dropped: AtomicBool,
    /// How many threads wait [apart](super::worker) without a spare.
    pub(super) stuck: AtomicUsize,
    /// Reaches zero when a pool without a thread of its own is closed and has run all that it accepted.
    pub(super) drained: CountLatch,
    pub(super) sources: Mutex<Sources>,
    generation: u32,
}

/// What the builder decided.
pub(crate) struct Settings {
    pub(crate) hooks: Hooks,
    pub(crate) help_stack: usize,
    pub(crate) cores: CoreChoice,
    pub(crate) may_use_heavy: bool,
}

impl Registry {
    pub(crate) fn new(
        peers: Box<[CachePadded<Peer>]>,
        sleep: Sleep,
        threads: usize,
        spares: Spares,
        settings: Settings,
    ) -> Registry {
        let Settings { hooks, help_stack, cores, may_use_heavy } = settings;
        let lent = threads < peers.len();
        let watched = if cores.are_soft() { peers.len() } else { 0 };
        Registry {
            peers,
            injector: Injector::new(),
            sleep,
            hooks: HeldHooks::new(hooks),
            help_stack,
            wait_graph: WaitGraph::shared(),
            spares,
            cores,
            run_delays: RunDelays::new(watched),
            may_use_heavy,
            finishers: Finishers::default(),
            threads: AtomicUsize::new(threads),
            staying: AtomicUsize::new(threads),
            lent,
            owner_dropped: AtomicBool::new(false),
            stuck: AtomicUsize::new(0),
            drained: CountLatch::new(1),
            sources: Mutex::new(Sources { members: Numbered::default(), closed: false, drained: false }),
            generation: process::generation(),
        }
    }

    /// How many workers have a main loop.
    pub(crate) fn threads(&self) -> usize {
        self.threads.load(THREADS.get())
    }

    /// The fork generation of the process that built the pool.
    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    /// Whether this process is a forked child of the process that built the pool.
    #[inline(always)]
    pub(crate) fn forked(&self) -> bool {
        self.generation != process::current()
    }

    /// The peer with this number, a worker or a spare.
    #[inline]
    pub(super) fn peer(&self, index: usize) -> &Peer {
        match self.peers.get(index) {
            Some(peer) => peer,
            None => self.spares.peer(index),
        }
    }

    /// How many workers and spares there are. Some of the spares may rest, and have no jobs.
    #[inline]
    pub(super) fn all(&self) -> usize {
        self.peers.len() + self.spares.made()
    }

    /// The peers of the workers, and of all spares that were ever made.
    pub(crate) fn all_peers(&self) -> impl Iterator<Item = &Peer> {
        self.peers.iter().map(|peer| &**peer).chain(self.spares.peers())
    }

    /// Whether the injector or any deque holds a job. Exact for jobs published before a SeqCst fence that precedes
    /// the call.
    pub(crate) fn has_work(&self) -> bool {
        !self.injector.is_empty() || self.all_peers().any(|peer| !peer.stealer.is_empty())
    }

    /// Returns whether the pool uses the system's fence now.
    pub(crate) fn uses_heavy(&self) -> bool {
        self.may_use_heavy && heavy_fence::available()
    }

    /// Does what must be done once in a process, and what a first answer need not wait for. A worker calls this when it
    /// has run a job and has nothing else to do.
    pub(super) fn prepare(&self) {
        if self.may_use_heavy {
            heavy_fence::prepare();
        }
        self.sleep.learn_cores();
    }

    /// Leaves a demand with every peer, and looks whether any peer has private jobs that can be raided. A worker
    /// calls this at its last look before it sleeps, or before it ends a search while others sleep.
    ///
    /// If the result is [`Keep::Nothing`], the next push of each peer sees the demand. `me` is the caller's number, and
    /// `idle` the number of workers that have nothing to do, and so have no private jobs.
    pub(super) fn others_keep_jobs(&self, me: usize, idle: usize) -> Keep {
        self.all_peers().for_each(|peer| peer.private.demand());
        // If all workers are idle, no peer has private jobs. A worker that ends its search has set its own limit to 0
        // as well, so its next push answers the demand. The count proves nothing once spares were made: a spare that
        // is relieved and on its way to rest counts as idle too, beside as many workers as the pool has.
        if idle >= self.peers.len() && self.spares.made() == 0 {
            return Keep::Nothing;
        }
        if !EXHAUSTIVE {
            fence(REST_LOOK_FENCE);
            let mut others = self.all_peers().enumerate().filter(|&(index, _)| index != me);
            if others.all(|(_, peer)| peer.private.is_at_rest()) {
                return Keep::Nothing;
            }
        }
        // Under a checker the light fence of a push is a real fence, so this fence is enough there.
        let sure = if self.uses_heavy() {
            heavy_fence::run()
        } else {
            fence(FORK_HEAVY);
            MODEL
        };
        match () {
            // Some jobs cannot be raided now. Their owner exposes them: it finds the demand at its next push.
            () if self
                .all_peers()
                .any(|peer| peer.private.has_some() && (sure || peer.private.is_fenced())) =>
            {
                Keep::Some
            }
            () if sure => Keep::Nothing,
            () => Keep::Unsure,
        }
    }

    /// Returns whether the peers have a job for another worker. Calls [`others_keep_jobs`](Self::others_keep_jobs),
    /// for a worker that goes on and would wake that other worker. If the first look is not sure, there is a second
    /// look a moment later, when the stores of the peers have left their cores.
    pub(super) fn others_have_jobs(&self, me: usize, idle: usize) -> bool {
        match self.others_keep_jobs(me, idle) {
            Keep::Some => true,
            Keep::Nothing => false,
            Keep::Unsure => {
                let start = Instant::now();
                while start.elapsed() < DRAIN {
                    spin_loop();
                }
                self.others_keep_jobs(me, idle) == Keep::Some
            }
        }
    }

    /// Whether no job is left anywhere. This includes jobs that only one worker may run, and private jobs that a
    /// lent thread left behind when its job ended. Meaningful only while all workers sleep.
    pub(super) fn is_drained(&self) -> bool {
        let keeps = |peer: &Peer| peer.private.has_some() && !defect("private_forgotten");
        !self.has_work() && self.all_peers().all(|peer| peer.inbox.is_empty() && !keeps(peer))
    }

    /// Whether the pool takes no more jobs from outside and no job waits. A worker may still run a job that submits
    /// others.
    pub(crate) fn closed_and_drained(&self) -> bool {
        self.sleep.snapshot().closed() && self.is_drained()
    }

    /// Passes the payload of a job's panic to the panic handler.
    pub(super) fn handle_panic(&self, payload: Payload, at: &PanicAt<'_>) {
        self.hooks.handle_panic(payload, at);
    }
}

/// A counted reference to the registry. Each worker, handle and queue holds one.
pub(crate) type Shared = Arc<Registry>;
