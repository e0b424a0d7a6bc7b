//! The options that concern threads: what is called on them, and who starts them.

use std::any::Any;
use std::io;

use super::builder::PoolBuilder;
use super::worker_thread::WorkerThread;
use crate::scheduler::panic_at::PanicAt;

impl PoolBuilder {
    /// Called on each worker's thread with its number, before its first job, and on a spare's with the number of the first
    /// worker that it stands in for. What it panics with goes to the panic handler. Not called for a thread that was lent
    /// with `use_current_thread`. Dropped when the pool has ended, so it may hold a handle of the pool.
    pub fn on_start(mut self, f: impl Fn(usize) + Send + Sync + 'static) -> Self {
        self.hooks.on_start = Some(Box::new(f));
        self
    }

    /// Called on each worker's thread with its number, after its last job: what it submits to its pool is refused.
    /// Otherwise as [`on_start`](Self::on_start).
    pub fn on_exit(mut self, f: impl Fn(usize) + Send + Sync + 'static) -> Self {
        self.hooks.on_exit = Some(Box::new(f));
        self
    }

    /// Called, on the worker, with what a job panicked with that has nobody to tell: those of `execute`, of
    /// queues, of detached `spawn`s, and of hooks. If not given, the payload is dropped: by then std's panic
    /// hook has reported it. A handler that panics ends the process. Dropped as [`on_start`](Self::on_start).
    pub fn panic_handler(self, f: impl Fn(Box<dyn Any + Send>) + Send + Sync + 'static) -> Self {
        self.on_panic(move |payload, _| f(payload))
    }

    /// As [`panic_handler`](Self::panic_handler), with where the panic was. The later of the two calls counts.
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

    /// Has the host start the threads: `f` is called once for each and must see to it that
    /// [`WorkerThread::run`] is called on a thread of its own. The host joins its threads itself; `shutdown`
    /// waits until `run` has returned on all of them. If `f` returns an error or panics, the build ends the workers
    /// before, and waits for them, before it does the same.
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

    /// Makes the calling thread worker 0 of the pool, instead of a new one. It runs jobs whenever it waits for
    /// something, and only then: with no other worker, nothing runs until it does. It is not bound to a core.
    ///
    /// It stays a worker until the pool is dropped, by any thread, or it shuts it down itself, or ends. If it is the
    /// only worker, its end closes the pool, and runs what that holds. A shutdown by another thread runs nothing
    /// in its place: jobs that are left wait for it, and so does the shutdown, whose timeout names it as stuck. Of a
    /// broadcast that comes when it is a worker no more, another worker runs its turn.
    pub fn use_current_thread(mut self) -> Self {
        self.use_current_thread = true;
        self
    }
}
