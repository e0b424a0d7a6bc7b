//! The threads that workers run on: started by std or by the host, waited for, joined.

use std::fmt;
use std::io;
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use crate::affinity;
use crate::latch::CountLatch;
use crate::registry::Registry;
use crate::sync::Arc;
use crate::worker::{Current, Seat, Worker, with_current};

#[cfg(not(all(loom, feature = "loom")))]
type Handle = std::thread::JoinHandle<()>;
#[cfg(all(loom, feature = "loom"))]
type Handle = loom::thread::JoinHandle<()>;

/// Who starts threads.
pub(crate) enum Starter<'f> {
    Std,
    Host {
        f: &'f mut dyn FnMut(WorkerThread) -> io::Result<()>,
        /// Whether the pool is ready when its threads are, or when they have been asked for.
        wait: bool,
    },
}

impl Starter<'_> {
    pub(crate) fn waits(&self) -> bool {
        !matches!(self, Starter::Host { wait: false, .. })
    }
}

/// A worker that waits for a thread: what the closure of
/// [`PoolBuilder::spawn_with`](crate::PoolBuilder::spawn_with) gets.
///
/// If it is dropped without having [run](Self::run), the pool goes on without this worker; within the
/// closure, return an error instead.
#[must_use = "a worker without a thread runs no jobs"]
pub struct WorkerThread {
    /// `None` once it runs.
    seat: Option<Seat>,
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
    /// shut down.
    ///
    /// # Panics
    /// If the calling thread is a worker already.
    pub fn run(mut self) {
        // Before the seat is taken: if this panics, the pool is told that it has to do without the worker.
        assert!(with_current(|worker| worker.is_none()), "the thread is a worker already");
        let Some(seat) = self.seat.take() else { return };
        let registry = Arc::clone(&seat.registry);
        let worker = Worker::new(seat, false);
        let me = &registry.peers[worker.index];
        {
            let _current = Current::set(&worker);
            if let Some(core) = me.asked
                && affinity::pin(core)
            {
                registry.sleep.set_home(worker.index, core);
            }
            self.started.count_down();
            registry.call_hook(&registry.hooks.on_start, worker.index);
            worker.main_loop();
            registry.call_hook(&registry.hooks.on_exit, worker.index);
        }
        // Its deque is empty and stays so; whoever waits for `running` may free everything but our `Arc`.
        drop(worker);
        me.running.count_down();
    }
}

impl Drop for WorkerThread {
    fn drop(&mut self) {
        if let Some(seat) = self.seat.take() {
            seat.registry.lose(seat.index);
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
    /// Blocks until each worker has left its main loop; after `deadline`, the names of those that have not.
    pub(crate) fn wait_left(&self, deadline: Option<Instant>) -> Result<(), Vec<String>> {
        let all_left = self.peers.iter().all(|peer| peer.running.wait_until(deadline));
        if all_left {
            return Ok(());
        }
        let stuck = self.peers.iter().filter(|peer| peer.running.count() > 0);
        let stuck: Vec<String> = stuck.map(|peer| peer.name.clone()).collect();
        if stuck.is_empty() { Ok(()) } else { Err(stuck) }
    }
}

/// The threads of one pool, as far as they are ours to join.
pub(crate) struct Threads {
    handles: Vec<Handle>,
    ids: Vec<ThreadId>,
    started: Arc<CountLatch>,
}

impl Threads {
    /// None yet, of `expected`.
    pub(crate) fn new(expected: usize) -> Threads {
        Threads {
            handles: Vec::with_capacity(expected),
            ids: Vec::new(),
            started: Arc::new(CountLatch::new(expected)),
        }
    }

    /// Starts the thread of one worker. After an error the worker is [lost](Registry::lose), unless the host
    /// kept it in spite of the error that it returned.
    pub(crate) fn start(
        &mut self,
        starter: &mut Starter<'_>,
        seat: Seat,
        stack_size: Option<usize>,
    ) -> io::Result<()> {
        let index = seat.index;
        let name = seat.registry.peers[index].name.clone();
        let thread = WorkerThread {
            seat: Some(seat),
            stack_size,
            started: Arc::clone(&self.started),
            index,
            name: name.clone(),
        };
        match starter {
            Starter::Std => {
                let handle = spawn_thread(name, stack_size, || thread.run())?;
                #[cfg(not(all(loom, feature = "loom")))]
                self.ids.push(handle.thread().id());
                self.handles.push(handle);
                Ok(())
            }
            Starter::Host { f, .. } => f(thread),
        }
    }

    /// Blocks until each worker runs, or is lost.
    pub(crate) fn wait_started(&self) {
        self.started.wait();
    }

    /// Which threads they are.
    pub(crate) fn ids(&self) -> Vec<ThreadId> {
        self.ids.clone()
    }

    /// Joins the threads, all of whose workers have [left](Registry::wait_left). What is left of a thread then are
    /// the destructors of its thread-locals; after `deadline`, the threads back with the names of those that
    /// still run.
    pub(crate) fn join(self, deadline: Option<Instant>) -> Result<(), (Threads, Vec<String>)> {
        while let Some(deadline) = deadline {
            let running: Vec<String> = self.running();
            if running.is_empty() {
                break;
            }
            if deadline <= Instant::now() {
                return Err((self, running));
            }
            // There is nothing to wait on for the end of a thread but its join, which has no time limit.
            std::thread::sleep(Duration::from_micros(200));
        }
        for handle in self.handles {
            // The worker caught all that jobs and hooks panicked with.
            let _ = handle.join();
        }
        Ok(())
    }

    #[cfg(not(all(loom, feature = "loom")))]
    fn running(&self) -> Vec<String> {
        let running = self.handles.iter().filter(|handle| !handle.is_finished());
        running.map(|handle| handle.thread().name().unwrap_or_default().to_owned()).collect()
    }

    #[cfg(all(loom, feature = "loom"))]
    fn running(&self) -> Vec<String> {
        Vec::new()
    }

    /// Forgets the handles of threads that exist in another process only.
    pub(crate) fn forget(self) {
        for handle in self.handles {
            std::mem::forget(handle);
        }
    }
}

#[cfg(not(all(loom, feature = "loom")))]
fn spawn_thread(
    name: String,
    stack_size: Option<usize>,
    run: impl FnOnce() + Send + 'static,
) -> io::Result<Handle> {
    let mut builder = std::thread::Builder::new().name(name);
    if let Some(bytes) = stack_size {
        builder = builder.stack_size(bytes);
    }
    builder.spawn(run)
}

#[cfg(all(loom, feature = "loom"))]
fn spawn_thread(name: String, _: Option<usize>, run: impl FnOnce() + Send + 'static) -> io::Result<Handle> {
    loom::thread::Builder::new().name(name).spawn(run)
}
