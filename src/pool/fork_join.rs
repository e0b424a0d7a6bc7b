//! Fork-join as methods of a pool: the free functions, on this pool.

use crate::error::Closed;
use crate::fork_join::broadcast::{broadcast_on, spawn_broadcast_on};
use crate::fork_join::join::{FnContext, join_context_on, join_on};
use crate::fork_join::scope::{self, BroadcastContext, Scope, ScopeFifo};
use crate::pool::Pool;
use crate::scheduler::worker::Wait;
use crate::tasks::yields::{self, Yield};

impl Pool {
    /// [`join`](crate::join()) on this pool. From another thread than its workers', both closures run on workers and
    /// the caller waits.
    ///
    /// # Panics
    /// As [`join`](crate::join()); from outside also if the pool is shut down or this is a forked child.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::new()?;
    /// assert_eq!(pool.join(|| 6 * 7, || "steal".len()), (42, 5));
    /// # Ok::<(), filch::BuildError>(())
    /// ```
    #[inline]
    pub fn join<A, B, RA, RB>(&self, a: A, b: B) -> (RA, RB)
    where
        A: FnOnce() -> RA + Send,
        B: FnOnce() -> RB + Send,
        RA: Send,
        RB: Send,
    {
        join_on(self.registry(), a, b)
    }

    /// [`join_context`](crate::join_context) on this pool.
    ///
    /// # Panics
    /// As [`join`](Self::join).
    #[inline]
    pub fn join_context<A, B, RA, RB>(&self, a: A, b: B) -> (RA, RB)
    where
        A: FnOnce(FnContext) -> RA + Send,
        B: FnOnce(FnContext) -> RB + Send,
        RA: Send,
        RB: Send,
    {
        join_context_on(self.registry(), a, b)
    }

    /// [`scope`](crate::scope()) on this pool.
    ///
    /// # Panics
    /// As [`scope`](crate::scope()).
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::new()?;
    /// let mut squares = [0; 10];
    /// pool.scope(|s| {
    ///     for (n, square) in squares.iter_mut().enumerate() {
    ///         s.spawn(move |_| *square = n * n);
    ///     }
    /// });
    /// assert_eq!(squares[9], 81);
    /// # Ok::<(), filch::BuildError>(())
    /// ```
    pub fn scope<'scope, F, R>(&self, f: F) -> R
    where
        F: FnOnce(&Scope<'scope>) -> R + Send,
        R: Send,
    {
        scope::scope_on(self.registry(), None, f)
    }

    /// As [`scope`](Self::scope), with a say in what its worker does meanwhile: see [`Wait`].
    ///
    /// # Panics
    /// As [`scope`](crate::scope()).
    ///
    /// # Examples
    /// ```
    /// use std::sync::Mutex;
    ///
    /// let pool = filch::Pool::new()?;
    /// let total = Mutex::new(0);
    /// pool.scope(|s| {
    ///     for _ in 0..100 {
    ///         let (pool, total) = (&pool, &total);
    ///         s.spawn(move |_| {
    ///             let mut total = total.lock().unwrap();
    ///             // With `scope`, the worker might run another of these jobs here, which wants the lock.
    ///             *total += pool.scope_with(filch::Wait::OwnScope, |_| pool.join(|| 1, || 2)).1;
    ///         });
    ///     }
    /// });
    /// assert_eq!(total.into_inner().unwrap(), 200);
    /// # Ok::<(), filch::BuildError>(())
    /// ```
    pub fn scope_with<'scope, F, R>(&self, wait: Wait, f: F) -> R
    where
        F: FnOnce(&Scope<'scope>) -> R + Send,
        R: Send,
    {
        scope::scope_on(self.registry(), Some(wait), f)
    }

    /// [`in_place_scope`](crate::in_place_scope) on this pool.
    ///
    /// # Panics
    /// As [`scope`](crate::scope()).
    pub fn in_place_scope<'scope, F, R>(&self, f: F) -> R
    where
        F: FnOnce(&Scope<'scope>) -> R,
    {
        scope::in_place_on(self.registry(), f)
    }

    /// [`scope_fifo`](crate::scope_fifo) on this pool.
    ///
    /// # Panics
    /// As [`scope`](crate::scope()).
    pub fn scope_fifo<'scope, F, R>(&self, f: F) -> R
    where
        F: FnOnce(&ScopeFifo<'scope>) -> R + Send,
        R: Send,
    {
        scope::scope_fifo_on(self.registry(), f)
    }

    /// [`in_place_scope_fifo`](crate::in_place_scope_fifo) on this pool.
    ///
    /// # Panics
    /// As [`scope`](crate::scope()).
    pub fn in_place_scope_fifo<'scope, F, R>(&self, f: F) -> R
    where
        F: FnOnce(&ScopeFifo<'scope>) -> R,
    {
        scope::in_place_fifo_on(self.registry(), f)
    }

    /// Runs `f` once on every worker, also on those asleep, with the worker's number; returns the results by number.
    ///
    /// Each worker comes to it when it has no more jobs of its own. A worker that calls this runs its own turn at
    /// once and other jobs while it waits; any other thread sleeps.
    ///
    /// # Panics
    /// With the first panic of `f`, after all have ended. If the pool is shut down or this is a forked child.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(2).name("b").build()?;
    /// let names = pool.broadcast(|_| std::thread::current().name().map(str::to_owned));
    /// assert_eq!(names, [Some("b-0".to_owned()), Some("b-1".to_owned())]);
    /// # Ok::<(), filch::BuildError>(())
    /// ```
    pub fn broadcast<F, R>(&self, f: F) -> Vec<R>
    where
        F: Fn(usize) -> R + Sync,
        R: Send,
    {
        broadcast_on(self.registry(), |context| f(context.index()))
    }

    /// As [`broadcast`](Self::broadcast), and tells each call more about it.
    ///
    /// # Panics
    /// As [`broadcast`](Self::broadcast).
    pub fn broadcast_context<F, R>(&self, f: F) -> Vec<R>
    where
        F: Fn(BroadcastContext<'_>) -> R + Sync,
        R: Send,
    {
        broadcast_on(self.registry(), f)
    }

    /// Has every worker run `f` once, also those asleep, each when it has no more jobs of its own. Does not block. What
    /// `f` panics with goes to the panic handler.
    ///
    /// # Errors
    /// `f` back, if the pool is shut down or this is a forked child.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(3).build()?;
    /// pool.spawn_broadcast(|context| println!("{} of {}", context.index(), context.num_threads()))
    ///     .map_err(|closed| closed.reason().to_string())?;
    /// assert_eq!(pool.shutdown()?.run, 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn spawn_broadcast<F>(&self, f: F) -> Result<(), Closed<F>>
    where
        F: Fn(BroadcastContext<'_>) + Send + Sync + 'static,
    {
        spawn_broadcast_on(self.registry(), f)
    }

    /// [`yield_now`](crate::yield_now), if the calling thread is a worker of this pool.
    pub fn yield_now(&self) -> Option<Yield> {
        yields::on(self.registry(), crate::scheduler::worker::Worker::run_one)
    }

    /// [`yield_local`](crate::yield_local), if the calling thread is a worker of this pool.
    pub fn yield_local(&self) -> Option<Yield> {
        yields::on(self.registry(), crate::scheduler::worker::Worker::run_local)
    }
}
