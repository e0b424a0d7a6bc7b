//! A peer, which is a worker as the other workers see it, and the parts that a worker is made of.

use crossbeam_utils::CachePadded;

use crate::jobs::deque::{Deque, Stealer};
use crate::jobs::inbox::Inbox;
use crate::jobs::job::Job;
use crate::jobs::private;
use crate::scheduler::stats::Counters;
use crate::sync::site::ISOLATED;
use crate::sync::{Arc, AtomicBool, EXHAUSTIVE};
use crate::system::parker::Parker;
use crate::waiting::latch::CountLatch;

/// The parts of a worker, before its thread takes them.
pub(crate) struct WorkerParts {
    pub(crate) deque: Deque<Job>,
    pub(crate) stack: private::Stack,
    pub(crate) parker: Parker,
}

impl WorkerParts {
    /// Creates the parts. `may_use_heavy`: whether thieves may use the system's fence.
    pub(crate) fn new(may_use_heavy: bool) -> WorkerParts {
        let stack = private::Stack::new(may_use_heavy);
        if !EXHAUSTIVE {
            stack.rest();
        }
        WorkerParts { deque: Deque::new_lifo(), stack, parker: Parker::new() }
    }
}

/// A worker as the other workers see it.
pub(crate) struct Peer {
    pub(crate) stealer: Stealer<Job>,
    /// The jobs and forks that the worker keeps in front of its deque.
    pub(crate) private: Arc<private::Shared>,
    /// Jobs that only this worker may run.
    pub(super) inbox: Inbox,
    isolated: AtomicBool,
    /// The worker writes these with each job, so they lie on cache lines apart from what thieves read.
    pub(crate) counters: CachePadded<Counters>,
    pub(crate) name: String,
    /// Reaches zero when the worker has left its main loop for good. Zero from the start for a worker without a
    /// main loop and for a spare.
    pub(crate) running: CountLatch,
}

impl Peer {
    pub(crate) fn new(parts: &WorkerParts, name: String, running: bool) -> Peer {
        Peer {
            stealer: parts.deque.stealer(),
            private: parts.stack.shared(),
            inbox: Inbox::new(),
            isolated: AtomicBool::new(false),
            counters: CachePadded::new(Counters::new()),
            name,
            running: CountLatch::new(usize::from(running)),
        }
    }

    /// Notes whether the worker is in an isolated call. To be called by the worker.
    pub(super) fn set_isolated(&self, isolated: bool) {
        self.isolated.store(isolated, ISOLATED.get());
    }

    /// Whether the worker is in an isolated call. True for certain, if the caller has stolen a job that such a call
    /// waits for: the call cannot end before that job.
    pub(super) fn is_isolated(&self) -> bool {
        self.isolated.load(ISOLATED.get())
    }
}
