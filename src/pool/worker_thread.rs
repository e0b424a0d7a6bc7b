//! The threads that workers run on: std or the host starts them, a shutdown waits for them and joins them.
//!
//! The pool holds a handle and a trace of each thread that std started. The host joins its threads itself; the pool
//! notices only that their workers have left.

use std::fmt;
use std::io;

use crate::scheduler::registry::Registry;
use crate::scheduler::thread::{Handle, Trace, spawn_thread};
use crate::scheduler::worker::{Current, Worker, WorkerStart, with_current};
use crate::sync::{Arc, defect};
use crate::system::clock::Instant;
use crate::system::unwind::AbortOnUnwind;
use crate::waiting::latch::CountLatch;

/// Who starts the workers' threads.
pub(super) enum Starter<'f> {
    Std,
    Host(&'f mut dyn FnMut(WorkerThread) -> io::Result<()>),
}

/// A worker that waits for a thread: the argument of the closure of
/// [`PoolBuilder::spawn_with`](crate::PoolBuilder::spawn_with).
///
/// If it is dropped without having [run](Self::run), the pool goes on without this worker, and is closed if it has no
/// other. Within the closure, return an error instead.
///
/// # Examples
/// ```
/// // A program that starts all its threads itself.
/// let mut threads = Vec::new();
/// let pool = filch::Pool::builder().workers(2).build_with(|worker| {
///     threads.push(std::thread::Builder::new().spawn(|| worker.run())?);
///     Ok(())
/// })?;
/// assert_eq!(pool.install(|| 6 * 7), 42);
/// drop(pool);
/// threads.into_iter().for_each(|thread| thread.join().unwrap());
/// # Ok::<(), filch::BuildError>(())
/// ```
#[must_use = "a worker without a thread runs no jobs"]
pub struct WorkerThread {
    /// `None` once the worker runs.
    start: Option<WorkerStart>,
    stack_size: Option<usize>,
    started: Arc<CountLatch>,
    index: usize,
    name: String,
}

impl WorkerThread {
    /// Returns the worker's number.
    ///
    /// # Examples
    /// ```
    /// let mut numbers = Vec::new();
    /// let pool = filch::Pool::builder().workers(2).build_with(|worker| {
    ///     numbers.push(worker.index());
    ///     std::thread::Builder::new().spawn(|| worker.run()).map(drop)
    /// })?;
    /// assert_eq!(numbers, [0, 1]);
    /// # drop(pool);
    /// # Ok::<(), filch::BuildError>(())
    /// ```
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// Returns the name that the worker's thread should have.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).name("host").build_with(|worker| {
    ///     let thread = std::thread::Builder::new().name(worker.name().to_owned());
    ///     thread.spawn(|| worker.run()).map(drop)
    /// })?;
    /// assert_eq!(pool.install(|| std::thread::current().name().map(str::to_owned)).as_deref(), Some("host-0"));
    /// # Ok::<(), filch::BuildError>(())
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the [stack size](crate::PoolBuilder::stack_size) that the pool's builder was given, in bytes; `None`
    /// if it was given none.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).stack_size(1 << 20).build_with(|worker| {
    ///     assert_eq!(worker.stack_size(), Some(1 << 20));
    ///     let mut thread = std::thread::Builder::new();
    ///     if let Some(bytes) = worker.stack_size() {
    ///         thread = thread.stack_size(bytes);
    ///     }
    ///     thread.spawn(|| worker.run()).map(drop)
    /// })?;
    /// # drop(pool);
    /// # Ok::<(), filch::BuildError>(())
    /// ```
    #[must_use]
    pub fn stack_size(&self) -> Option<usize> {
        self.stack_size
    }

    /// Runs the worker on the calling thread, and returns when the pool has shut down.
    ///
    /// It binds the thread to the worker's core. In a forked child it returns at once.
    ///
    /// # Panics
    /// If the calling thread is a worker already.
    ///
    /// # Examples
    /// ```
    /// let count = std::thread::scope(|scope| {
    ///     let pool = filch::Pool::builder().workers(1).build_with(|worker| {
    ///         scope.spawn(|| worker.run());
    ///         Ok(())
    ///     })?;
    ///     Ok::<_, filch::BuildError>(pool.install(|| 6 * 7))
    ///     // The drop of the pool ends `run`, and the scope joins its thread.
    /// })?;
    /// assert_eq!(count, 42);
    /// # Ok::<(), filch::BuildError>(())
    /// ```
    pub fn run(mut self) {
        // Before `start` is taken: if this panics, the drop of `self` tells the pool to go on without the worker.
        assert!(with_current(|worker| worker.is_none()), "the thread is a worker already");
        let Some(start) = self.start.take_if(|start| !start.registry.forked()) else { return };
        // Jobs and hooks have their own boundaries. A fault of the worker itself would leave the pool without it, and
        // whoever waits for its jobs waiting for ever.
        let guard = AbortOnUnwind("the code of a worker itself panicked");
        let registry = Arc::clone(&start.registry);
        let worker = Worker::new(start, false);
        let me = &registry.peers[worker.index];
        {
            let _current = Current::set(&worker);
            // If the pool was dropped before this thread ran, a move to another core would take longer than all else
            // that the thread does. So the worker of a closed and drained pool goes to its core only if a job turns
            // up.
            let in_vain = registry.closed_and_drained() && !registry.hooks.has_start();
            if !in_vain {
                worker.bind();
            }
            self.started.count_down();
            if registry.hooks.has_start() {
                worker.note_work();
            }
            registry.hooks.call(|hooks| &hooks.on_start, worker.index);
            assert!(!defect("worker_faults"), "a fault of the worker");
            worker.main_loop(|| {
                if in_vain {
                    worker.bind();
                }
            });
            worker.leave_pool();
            worker.leave_core();
            registry.hooks.call(|hooks| &hooks.on_exit, worker.index);
            // While this thread still is the worker: a hook or handler that this drops may call a shutdown, which is
            // refused on a worker and would wait for ever elsewhere.
            registry.worker_left(worker.index);
        }
        // Before `running` opens: the shutdown that waits for it may then free everything but this thread's `Arc`.
        // The worker's deque is empty and stays empty.
        drop(worker);
        me.running.count_down();
        std::mem::forget(guard);
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
    /// Blocks until each worker has left its main loop, and, in a pool without main loops, until all that was
    /// accepted has run. After `deadline`: the names of the workers that this still waits for.
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

/// The threads of one pool, as far as the pool joins them: the threads that std started.
pub(super) struct Threads {
    handles: Vec<Handle>,
    traces: Vec<Trace>,
    started: Arc<CountLatch>,
}

impl Threads {
    /// No threads yet; the pool will have `expected` of them, the host's included.
    pub(crate) fn new(expected: usize) -> Threads {
        Threads {
            handles: Vec::with_capacity(expected),
            traces: Vec::new(),
            started: Arc::new(CountLatch::new(expected)),
        }
    }

    /// Starts the thread of one worker. After an error the worker is [lost](Registry::worker_lost), unless the host
    /// returned the error and kept the worker nevertheless.
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

    /// Returns the latch that opens when each worker runs, or is lost.
    pub(super) fn started(&self) -> Arc<CountLatch> {
        Arc::clone(&self.started)
    }

    /// Returns the traces of the threads that std started.
    pub(super) fn traces(&self) -> Vec<Trace> {
        self.traces.clone()
    }

    /// Joins the threads, each of which ends by itself once the pool is closed and drained.
    pub(crate) fn join(self) {
        for handle in self.handles {
            // The result is of no use: the worker caught all panics of jobs and hooks.
            let _ = handle.join();
        }
    }

    /// Forgets the handles, in a forked child: the threads exist in the parent only.
    pub(crate) fn forget(self) {
        for handle in self.handles {
            std::mem::forget(handle);
        }
    }
}

#[cfg(all(test, unix, not(any(loom, shuttle))))]
mod tests {
    use std::process::Command;

    use crate::Pool;

    const DEFECT: &str = "FILCH_DEFECT";

    /// Runs `test` again in a process in which the code has a defect, and checks that the process is ended with a
    /// message.
    fn ends_with(test: &str, defect: &str, message: &str) {
        let mut again = Command::new(std::env::current_exe().unwrap());
        let output = again.args(["--exact", test, "--nocapture"]).env(DEFECT, defect).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && stderr.contains(message), "{}: {stderr}", output.status);
    }

    /// Whoever waits for a job of a worker that is gone would wait for ever.
    #[test]
    fn a_fault_of_a_worker_ends_the_process() {
        if std::env::var_os(DEFECT).is_some() {
            let pool = Pool::builder().workers(1).build().unwrap();
            pool.install(|| ());
            return;
        }
        let name = "pool::worker_thread::tests::a_fault_of_a_worker_ends_the_process";
        ends_with(name, "worker_faults", "filch: the code of a worker itself panicked; aborting");
    }

    #[test]
    fn a_fault_of_a_spare_ends_the_process() {
        if std::env::var_os(DEFECT).is_some() {
            let pool = Pool::builder().workers(1).build().unwrap();
            pool.install(|| {
                let (tell, told) = std::sync::mpsc::channel();
                pool.execute(move || tell.send(()).unwrap()).map_err(|refused| refused.reason()).unwrap();
                crate::blocking(|| told.recv().unwrap());
            });
            return;
        }
        let name = "pool::worker_thread::tests::a_fault_of_a_spare_ends_the_process";
        ends_with(name, "spare_faults", "filch: the code of a spare itself panicked; aborting");
    }
}
