//! The methods that give a pool jobs: single closures, and queues of typed jobs.

use super::Pool;
use crate::error::Closed;
use crate::queue::QueueBuilder;
use crate::scheduler::worker::Wait;
use crate::tasks::handle::JoinHandle;
use crate::tasks::{install, spawn as tasks};

impl Pool {
    /// Submits `f` for a worker to run, without a handle to it. Does not block.
    ///
    /// Closures with up to 24 bytes of captures are not allocated. If a job of this pool calls this, `f` goes to the
    /// deque of the job's worker: the worker runs its newest job first, and thieves steal the oldest first. From
    /// elsewhere `f` goes through the injector, oldest first. If `f` panics, the payload goes to the panic handler.
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

    /// Submits `f` as [`execute`](Self::execute) does, but in order: of the jobs that one worker submits in this way,
    /// the oldest runs first.
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

    /// Submits `f` for a worker to run, and returns a handle to wait for what `f` returns or panics with. Does not
    /// block.
    ///
    /// If the pool does not take the job, the handle says so. The call costs one allocation, which job and handle
    /// share.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// let text = String::from("steal something small");
    /// let words = pool.spawn(move || text.split(' ').count());
    /// // This thread is free for other work until it needs the result.
    /// assert_eq!(words.join()?, 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn spawn<F, T>(&self, f: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        tasks::spawn(&self.registry, f).0
    }

    /// Runs `f` on a worker of this pool, waits for its end, and returns what `f` returned. `f` may borrow.
    ///
    /// A worker of this pool runs `f` on the spot. A worker of another pool leaves its place to a
    /// [spare](crate::PoolBuilder::spares) of that pool while it waits. Any other thread sleeps. The call does not
    /// allocate.
    ///
    /// # Panics
    /// With what `f` panicked with. Also if the pool is shut down or this is a forked child; then
    /// [`try_install`](Self::try_install) returns an error instead.
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

    /// Runs `f` as [`install`](Self::install) does, but hands `f` back if the pool does not take it.
    ///
    /// # Errors
    /// `f` back, if the pool is shut down or this is a forked child.
    ///
    /// # Panics
    /// With what `f` panicked with.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// assert_eq!(pool.try_install(|| 6 * 7).ok(), Some(42));
    /// pool.shutdown()?;
    /// let refused = pool.try_install(|| 6 * 7).unwrap_err();
    /// // The closure comes back: run it here instead.
    /// assert_eq!(refused.into_inner()(), 42);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_install<F, R>(&self, f: F) -> Result<R, Closed<F>>
    where
        F: FnOnce() -> R + Send,
        R: Send,
    {
        install::try_install(&self.registry, None, f)
    }

    /// Runs `f` as [`install`](Self::install) does; `wait` says which jobs a worker runs while it waits: see
    /// [`Wait`].
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
    ///             // With `install`, a worker that finds no spare might run another of these jobs here, which wants
    ///             // the lock.
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

    /// Returns a builder for a bounded [`Queue`](crate::Queue) of typed jobs on this pool.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// let (send, lengths) = std::sync::mpsc::channel();
    /// // Many jobs of one kind, and a producer that waits while 16 of them lie there.
    /// let queue = pool.queue().capacity(16).build(move |word: &'static str| send.send(word.len()).unwrap())?;
    /// queue.submit("steal")?;
    /// assert_eq!(lengths.recv()?, 5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn queue(&self) -> QueueBuilder<'_> {
        QueueBuilder::new(&self.registry)
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread;
    use std::time::Duration;

    use super::Pool;
    use crate::jobs::private::Fencing;
    use crate::scheduler::worker::with_current;
    use crate::system::heavy_fence;

    /// Calls `body` with a pool of one worker, unless the system has no fence for all cores. Panics if that takes long.
    fn with_one_worker(body: fn(&Pool)) {
        if !heavy_fence::prepare_and_wait() {
            println!("skipped: the system has no fence for all cores");
            return;
        }
        let (done, ended) = channel();
        thread::spawn(move || {
            body(&Pool::builder().workers(1).build().unwrap());
            done.send(()).unwrap();
        });
        ended.recv_timeout(Duration::from_secs(60)).expect("it ends");
    }

    /// As a worker does that has begun before the system granted its fence.
    fn fence_from_now_on() {
        with_current(|worker| {
            let worker = worker.unwrap();
            worker.stack.set_fencing(Fencing::Both);
            worker.registry.run_delays.forget_heavy_told();
        });
        assert!(is_fenced());
    }

    fn is_fenced() -> bool {
        with_current(|worker| worker.unwrap().stack.shared().is_fenced())
    }

    #[test]
    fn a_worker_in_a_long_job_learns_that_the_system_has_granted_its_fence() {
        with_one_worker(|pool| {
            if !pool.registry.cores.are_soft() {
                println!(
                    "skipped: where the fence is there from the start, only for the sake of cores somebody looks"
                );
                return;
            }
            let (tell, told) = channel();
            let job = move || {
                // Answers the demand that the worker left with itself before it slept.
                crate::join(|| (), || ());
                fence_from_now_on();
                tell.send(()).unwrap();
                while is_fenced() {
                    crate::join(|| (), || ());
                }
            };
            pool.execute(job).map_err(|closed| closed.reason()).unwrap();
            // The only thread that waits for the pool begins to wait when the worker fences.
            told.recv().unwrap();
            pool.install(|| ());
        });
    }

    #[test]
    fn a_worker_that_has_rested_learns_that_the_system_has_granted_its_fence() {
        with_one_worker(|pool| {
            pool.install(fence_from_now_on);
            while !pool.registry.all_peers().all(|peer| peer.private.is_at_rest()) {
                thread::yield_now();
            }
            assert!(!pool.install(is_fenced));
        });
    }
}
