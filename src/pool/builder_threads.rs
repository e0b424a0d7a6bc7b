//! The options of a pool that concern its threads: the hooks that they call, and who starts the threads.

use std::any::Any;
use std::io;

use super::builder::PoolBuilder;
use super::worker_thread::WorkerThread;
use crate::scheduler::panic_at::PanicAt;

impl PoolBuilder {
    /// Sets a hook that each worker's thread calls before its first job, with the worker's number.
    ///
    /// The thread of a spare calls it with the number of the first worker that the spare stands in for. A thread that
    /// was lent with [`use_current_thread`](Self::use_current_thread) does not call it. If the hook panics, the
    /// payload goes to the panic handler. The pool drops the hook when it has ended, so the hook may hold a handle of
    /// the pool. If not given, nothing is called.
    ///
    /// # Examples
    /// ```
    /// // Prepare each thread: its priority, its log, its entry in a profiler.
    /// let (tell, told) = std::sync::mpsc::channel();
    /// let _pool = filch::Pool::builder().workers(2).on_start(move |worker| tell.send(worker).unwrap()).build()?;
    /// let mut started = [told.recv()?, told.recv()?];
    /// started.sort_unstable();
    /// assert_eq!(started, [0, 1]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_start(mut self, f: impl Fn(usize) + Send + Sync + 'static) -> Self {
        self.hooks.on_start = Some(Box::new(f));
        self
    }

    /// Sets a hook that each worker's thread calls after its last job, with the worker's number.
    ///
    /// The pool refuses what the hook submits to it. Otherwise all that holds for [`on_start`](Self::on_start) holds
    /// here.
    ///
    /// # Examples
    /// ```
    /// // Flush or give back what `on_start` prepared.
    /// let (tell, told) = std::sync::mpsc::channel();
    /// let pool = filch::Pool::builder().workers(2).on_exit(move |worker| tell.send(worker).unwrap()).build()?;
    /// pool.shutdown()?;
    /// let mut left: Vec<usize> = told.try_iter().collect();
    /// left.sort_unstable();
    /// assert_eq!(left, [0, 1]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_exit(mut self, f: impl Fn(usize) + Send + Sync + 'static) -> Self {
        self.hooks.on_exit = Some(Box::new(f));
        self
    }

    /// Sets the handler of panics that no caller hears of.
    ///
    /// These are the panics of `execute`d jobs, of queues, of detached `spawn`s, and of hooks. The worker on which
    /// the panic was calls the handler with the payload. A thread outside the pool calls it if that thread drops what
    /// the pool left at its end, and the drop panics.
    ///
    /// If not given, the payload is dropped: std's panic hook has reported the panic by then. A handler that panics
    /// ends the process. The pool drops the handler when it has ended, so the handler may hold a handle of the pool.
    ///
    /// # Examples
    /// ```
    /// // Log what jobs panicked with, or count the panics.
    /// let (tell, told) = std::sync::mpsc::channel();
    /// let pool = filch::Pool::builder()
    ///     .workers(1)
    ///     .panic_handler(move |payload| tell.send(payload).unwrap())
    ///     .build()?;
    /// pool.execute(|| panic!("lost"))?;
    /// assert_eq!(told.recv()?.downcast_ref::<&str>(), Some(&"lost"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn panic_handler(self, f: impl Fn(Box<dyn Any + Send>) + Send + Sync + 'static) -> Self {
        self.on_panic(move |payload, _| f(payload))
    }

    /// Sets the [panic handler](Self::panic_handler), which is also told where the panic was.
    ///
    /// Of calls of this and of `panic_handler`, the last one counts.
    ///
    /// # Examples
    /// ```
    /// let (tell, told) = std::sync::mpsc::channel();
    /// let pool = filch::Pool::builder()
    ///     .workers(1)
    ///     .on_panic(move |_, at| tell.send((at.queue().map(str::to_owned), at.worker())).unwrap())
    ///     .build()?;
    /// let queue = pool.queue().name("mail").build(|_: u8| panic!("lost"))?;
    /// queue.submit(1)?;
    /// assert_eq!(told.recv()?, (Some("mail".to_owned()), Some(0)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_panic(mut self, f: impl Fn(Box<dyn Any + Send>, &PanicAt<'_>) + Send + Sync + 'static) -> Self {
        self.hooks.panic_handler = Some(Box::new(f));
        self
    }

    /// Sets a closure that starts the workers' threads in place of the pool.
    ///
    /// The build calls `f` once for each worker. `f` must see to it that [`WorkerThread::run`] is called, on a
    /// separate thread for each worker. The host joins its threads itself; `shutdown` waits until `run` has returned
    /// on all of them. If `f` returns an error or panics, the build ends the workers that were started, waits for
    /// them, and then returns the error or resumes the panic. If not given, the pool starts threads of std.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder()
    ///     .workers(2)
    ///     .spawn_with(|worker| {
    ///         std::thread::Builder::new().name(worker.name().to_owned()).spawn(|| worker.run()).map(drop)
    ///     })
    ///     .build()?;
    /// assert_eq!(pool.install(|| 1 + 1), 2);
    /// # Ok::<(), filch::BuildError>(())
    /// ```
    pub fn spawn_with(mut self, f: impl FnMut(WorkerThread) -> io::Result<()> + Send + Sync + 'static) -> Self {
        self.spawn = Some(Box::new(f));
        self
    }

    /// Makes the thread that builds the pool its worker 0, in place of a new thread.
    ///
    /// This lent thread runs jobs whenever it waits for something, and only then. If it is the only worker, nothing
    /// runs until it waits. It is not bound to a core. If not given, all workers have threads that are started for
    /// them.
    ///
    /// The thread stays a worker until any thread drops the pool, until it shuts the pool down itself, or until it
    /// ends. If it is the only worker, its end closes the pool and runs what the pool still holds. A shutdown by
    /// another thread runs nothing in its place: the jobs that are left wait for the lent thread, and so does the
    /// shutdown, whose timeout names that thread as stuck. Another worker runs its turn of a broadcast that comes
    /// when it is no longer a worker.
    ///
    /// # Examples
    /// ```
    /// // A main thread that only waits for its jobs may as well run them.
    /// let pool = filch::Pool::builder().workers(1).use_current_thread().build()?;
    /// let job = pool.spawn(|| std::thread::current().id());
    /// // Nothing runs before this thread waits.
    /// assert_eq!(job.join()?, std::thread::current().id());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn use_current_thread(mut self) -> Self {
        self.use_current_thread = true;
        self
    }
}
