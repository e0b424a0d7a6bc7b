//! How users give a pool something to run.

use super::Pool;
use crate::error::Closed;
use crate::queue::QueueBuilder;
use crate::scheduler::worker::Wait;
use crate::tasks::handle::JoinHandle;
use crate::tasks::{install, spawn as tasks};

impl Pool {
    /// Has a worker run `f`, and forgets it. Does not block.
    ///
    /// Closures with up to 24 bytes of captures are not allocated. Called by a job of this pool, `f` goes to
    /// the deque of its worker, whence the newest is run first and the oldest stolen first; called from
    /// elsewhere, through the injector, oldest first. What `f` panics with goes to the panic handler.
    ///
    /// # Errors
    /// `f` back, if the pool is shut down (the pool's own jobs may submit until the drain has ended) or this is
    /// a forked child.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::new()?;
    /// pool.execute(|| println!("done"))?;
    /// pool.shutdown()?;
    /// let refused = pool.execute(|| println!("not run")).unwrap_err();
    /// assert_eq!(refused.reason(), filch::ClosedReason::Shutdown);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn execute<F>(&self, f: F) -> Result<(), Closed<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        tasks::execute(&self.registry, f)
    }

    /// As [`execute`](Self::execute), but of what one worker submits so, the oldest runs first.
    ///
    /// # Errors
    /// As for [`execute`](Self::execute).
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// let (send, order) = std::sync::mpsc::channel();
    /// pool.install(|| {
    ///     for n in 0..3 {
    ///         let send = send.clone();
    ///         pool.execute_fifo(move || send.send(n).unwrap()).unwrap();
    ///     }
    /// });
    /// drop(send);
    /// assert_eq!(order.iter().collect::<Vec<_>>(), [0, 1, 2]);
    /// # Ok::<(), filch::BuildError>(())
    /// ```
    pub fn execute_fifo<F>(&self, f: F) -> Result<(), Closed<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        tasks::execute_fifo(&self.registry, f)
    }

    /// Has a worker run `f`, and returns a handle to wait for what it returns or panics with. Does not block.
    ///
    /// If the pool does not take it, the handle says so. Costs an allocation that job and handle share.
    pub fn spawn<F, T>(&self, f: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        tasks::spawn(&self.registry, f).0
    }

    /// Runs `f` on a worker of this pool, waits, and returns what it returned. `f` may borrow.
    ///
    /// A worker of this pool runs it on the spot. A worker of another pool leaves its place to a
    /// [spare](crate::PoolBuilder::spares) of its own pool while it waits; any other thread sleeps. No allocation.
    ///
    /// # Panics
    /// With what `f` panicked with; or if the pool is shut down or this is a forked child, for which there is
    /// [`try_install`](Self::try_install).
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::new()?;
    /// let words = vec!["steal", "something", "small"];
    /// let longest = pool.install(|| words.iter().max_by_key(|word| word.len()));
    /// assert_eq!(longest, Some(&"something"));
    /// # Ok::<(), filch::BuildError>(())
    /// ```
    pub fn install<F, R>(&self, f: F) -> R
    where
        F: FnOnce() -> R + Send,
        R: Send,
    {
        match self.try_install(f) {
            Ok(value) => value,
            Err(closed) => panic!("{closed}"),
        }
    }

    /// As [`install`](Self::install), but hands `f` back if the pool does not take it.
    ///
    /// # Errors
    /// `f` back, if the pool is shut down or this is a forked child.
    ///
    /// # Panics
    /// With what `f` panicked with.
    pub fn try_install<F, R>(&self, f: F) -> Result<R, Closed<F>>
    where
        F: FnOnce() -> R + Send,
        R: Send,
    {
        install::try_install(&self.registry, None, f)
    }

    /// As [`install`](Self::install), with a say in what a worker does meanwhile: see [`Wait`].
    ///
    /// # Panics
    /// As [`install`](Self::install).
    ///
    /// # Examples
    /// ```
    /// use std::sync::Mutex;
    ///
    /// let pool = filch::Pool::new()?;
    /// let other = filch::Pool::new()?;
    /// let total = Mutex::new(0);
    /// pool.scope(|s| {
    ///     for n in 0..100 {
    ///         let (other, total) = (&other, &total);
    ///         s.spawn(move |_| {
    ///             let mut total = total.lock().unwrap();
    ///             // With `install`, the worker might run another of these jobs here, which wants the lock.
    ///             *total += other.install_with(filch::Wait::Park, || n);
    ///         });
    ///     }
    /// });
    /// assert_eq!(total.into_inner().unwrap(), 4950);
    /// # Ok::<(), filch::BuildError>(())
    /// ```
    pub fn install_with<F, R>(&self, wait: Wait, f: F) -> R
    where
        F: FnOnce() -> R + Send,
        R: Send,
    {
        match install::try_install(&self.registry, Some(wait), f) {
            Ok(value) => value,
            Err(closed) => panic!("{closed}"),
        }
    }

    /// Starts to make a bounded [`Queue`](crate::Queue) of typed jobs on this pool.
    pub fn queue(&self) -> QueueBuilder<'_> {
        QueueBuilder::new(&self.registry)
    }
}
