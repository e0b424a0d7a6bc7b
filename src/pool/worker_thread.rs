//! The threads that workers run on: started by std or by the host, waited for, joined.

use std::fmt;
use std::io;
use std::time::Instant;

use crate::scheduler::registry::Registry;
use crate::scheduler::thread::{Handle, Trace, spawn_thread};
use crate::scheduler::worker::{Current, Worker, WorkerStart, with_current};
use crate::sync::Arc;
use crate::system::affinity;
use crate::waiting::latch::CountLatch;

/// Who starts threads.
pub(super) enum Starter<'f> {
    Std,
    Host(&'f mut dyn FnMut(WorkerThread) -> io::Result<()>),
}

/// A worker that waits for a thread: what the closure of
/// [`PoolBuilder::spawn_with`](crate::PoolBuilder::spawn_with) gets.
///
/// If it is dropped without having [run](Self::run), the pool goes on without this worker, and is closed if it has
/// no other; within the closure, return an error instead.
#[must_use = "a worker without a thread runs no jobs"]
pub struct WorkerThread {
    /// `None` once it runs.
    start: Option<WorkerStart>,
    stack_size: Option<usize>,
    started: Arc<CountLatch>,
    index: usize,
    name: String,
}

impl WorkerThread {
    /// The worker's number.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// What its thread should be called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What stack the pool's builder asked for, in bytes.
    #[must_use]
    pub fn stack_size(&self) -> Option<usize> {
        self.stack_size
    }

    /// Runs the worker on the calling thread, binds that to the worker's core, and returns when the pool has
    /// shut down; in a forked child, at once.
    ///
    /// # Panics
    /// If the calling thread is a worker already.
    pub fn run(mut self) {
        // Before the seat is taken: if this panics, the pool is told that it has to do without the worker.
        assert!(with_current(|worker| worker.is_none()), "the thread is a worker already");
        let Some(start) = self.start.take_if(|start| !start.registry.forked()) else { return };
        let registry = Arc::clone(&start.registry);
        let worker = Worker::new(start, false);
        let me = &registry.peers[worker.index];
        {
            let _current = Current::set(&worker);
            let bind = || {
                if let Some(core) = me.asked
                    && affinity::pin(core)
                {
                    registry.sleep.set_home(worker.index, core);
                }
            };
            // To go to another core takes longer than all the rest of a pool that was dropped before this thread ran.
            let in_vain = registry.closed_and_drained() && !registry.hooks.has_start();
            if !in_vain {
                bind();
            }
            self.started.count_down();
            registry.hooks.call(|hooks| &hooks.on_start, worker.index);
            worker.main_loop(|| {
                if in_vain {
                    bind();
                }
            });
            worker.leave_pool();
            registry.hooks.call(|hooks| &hooks.on_exit, worker.index);
            // While this thread is the worker still: what is dropped may shut the pool down.
            registry.worker_left(worker.index);
        }
        // Its deque is empty and stays so; whoever waits for `running` may free everything but our `Arc`.
        drop(worker);
        me.running.count_down();
    }
}

impl Drop for WorkerThread {
    fn drop(&mut self) {
        if let Some(start) = self.start.take() {
            start.registry.worker_lost(start.index);
            self.started.count_down();
        }
    }
}

impl fmt::Debug for WorkerThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerThread").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Registry {
    /// Blocks until each worker has left its main loop, and a pool that has none has run what it accepted; after
    /// `deadline`, the names of those that are to blame.
    pub(super) fn wait_left(&self, deadline: Option<Instant>) -> Result<(), Vec<String>> {
        if !self.wait_drained(deadline) {
            return Err(vec![self.peers[0].name.clone()]);
        }
        let all_left = self.peers.iter().all(|peer| peer.running.wait_until(deadline, None));
        if all_left {
            return Ok(());
        }
        let stuck = self.peers.iter().filter(|peer| peer.running.count() > 0);
        let stuck: Vec<String> = stuck.map(|peer| peer.name.clone()).collect();
        if stuck.is_empty() { Ok(()) } else { Err(stuck) }
    }
}

/// The threads of one pool, as far as they are ours to join.
pub(super) struct Threads {
    handles: Vec<Handle>,
    traces: Vec<Trace>,
    started: Arc<CountLatch>,
}

impl Threads {
    /// None yet, of `expected`.
    pub(crate) fn new(expected: usize) -> Threads {
        Threads {
            handles: Vec::with_capacity(expected),
            traces: Vec::new(),
            started: Arc::new(CountLatch::new(expected)),
        }
    }

    /// Starts the thread of one worker. After an error the worker is [lost](Registry::worker_lost), unless the host
    /// kept it in spite of the error that it returned.
    pub(super) fn start(
        &mut self,
        starter: &mut Starter<'_>,
        start: WorkerStart,
        stack_size: Option<usize>,
    ) -> io::Result<()> {
        let index = start.index;
        let name = start.registry.peers[index].name.clone();
        let thread = WorkerThread {
            start: Some(start),
            stack_size,
            started: Arc::clone(&self.started),
            index,
            name: name.clone(),
        };
        match starter {
            Starter::Std => {
                let (handle, trace) = spawn_thread(name, stack_size, || thread.run())?;
                self.traces.extend(trace);
                self.handles.push(handle);
                Ok(())
            }
            Starter::Host(f) => f(thread),
        }
    }

    /// Opens when each worker runs, or is lost.
    pub(super) fn started(&self) -> Arc<CountLatch> {
        Arc::clone(&self.started)
    }

    /// Which threads they are.
    pub(super) fn traces(&self) -> Vec<Trace> {
        self.traces.clone()
    }

    /// Joins the threads, all of whose workers have [left](Registry::wait_left).
    pub(crate) fn join(self) {
        for handle in self.handles {
            // The worker caught all that jobs and hooks panicked with.
            let _ = handle.join();
        }
    }

    /// Forgets the handles of threads that exist in another process only.
    pub(crate) fn forget(self) {
        for handle in self.handles {
            std::mem::forget(handle);
        }
    }
}
