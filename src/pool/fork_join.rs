//! Fork-join as methods of a pool. Each method does what the free function of its name does, on the given pool.

use crate::error::Closed;
use crate::fork_join::broadcast::{broadcast_on, spawn_broadcast_on};
use crate::fork_join::join::{FnContext, join_context_on, join_on};
use crate::fork_join::scope::{self, BroadcastContext, Scope, ScopeFifo};
use crate::pool::Pool;
use crate::scheduler::worker::Wait;
use crate::tasks::yields::{self, Yield};

impl Pool {
    /// Runs two closures as [`join`](crate::join()) does, on this pool, and returns both results.
    ///
    /// If the caller is not a worker of this pool, both closures run on workers and the caller waits.
    ///
    /// # Panics
    /// As [`join`](crate::join()). Called from outside, it also panics if the pool is shut down or this process is a
    /// forked child.
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

    /// Runs two closures as [`join_context`](crate::join_context) does, on this pool, and returns both results.
    ///
    /// # Panics
    /// As [`join`](Self::join).
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// let (a, b) = pool.join_context(|a| a.migrated(), |b| b.migrated());
    /// assert!(a && b, "the caller is no worker of the pool");
    /// # Ok::<(), filch::BuildError>(())
    /// ```
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

    /// Runs `f` on a worker of this pool, and waits until everything that was spawned in the scope has ended: see
    /// [`scope`](crate::scope()).
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

    /// Runs `f` as [`scope`](Self::scope) does, but its worker waits as `wait` says: see [`Wait`].
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
    ///             // With `scope`, a worker that finds no spare runs another of these jobs here: it wants the lock.
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

    /// Runs `f` on the calling thread with a scope of this pool: see [`in_place_scope`](crate::in_place_scope).
    ///
    /// # Panics
    /// As [`scope`](crate::scope()).
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::new()?;
    /// let spawned = std::cell::Cell::new(0);
    /// let mut squares = [0; 4];
    /// pool.in_place_scope(|s| {
    ///     for (n, square) in squares.iter_mut().enumerate() {
    ///         s.spawn(move |_| *square = n * n);
    ///         // This closure stays on this thread, so it may use what cannot be shared.
    ///         spawned.set(n + 1);
    ///     }
    /// });
    /// assert_eq!((squares, spawned.get()), ([0, 1, 4, 9], 4));
    /// # Ok::<(), filch::BuildError>(())
    /// ```
    pub fn in_place_scope<'scope, F, R>(&self, f: F) -> R
    where
        F: FnOnce(&Scope<'scope>) -> R,
    {
        scope::in_place_on(self.registry(), f)
    }

    /// Runs `f` on a worker of this pool with a scope whose closures begin in order: see
    /// [`scope_fifo`](crate::scope_fifo).
    ///
    /// # Panics
    /// As [`scope`](crate::scope()).
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// let order = std::sync::Mutex::new(Vec::new());
    /// pool.scope_fifo(|s| {
    ///     for name in ["a", "b", "c"] {
    ///         let order = &order;
    ///         s.spawn_fifo(move |_| order.lock().unwrap().push(name));
    ///     }
    /// });
    /// assert_eq!(order.into_inner().unwrap(), ["a", "b", "c"]);
    /// # Ok::<(), filch::BuildError>(())
    /// ```
    pub fn scope_fifo<'scope, F, R>(&self, f: F) -> R
    where
        F: FnOnce(&ScopeFifo<'scope>) -> R + Send,
        R: Send,
    {
        scope::scope_fifo_on(self.registry(), f)
    }

    /// Runs `f` on the calling thread with a scope of this pool whose closures begin in order: see
    /// [`in_place_scope_fifo`](crate::in_place_scope_fifo).
    ///
    /// # Panics
    /// As [`scope`](crate::scope()).
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// let order = std::sync::Mutex::new(Vec::new());
    /// pool.in_place_scope_fifo(|s| {
    ///     for n in 0..3 {
    ///         let order = &order;
    ///         s.spawn_fifo(move |_| order.lock().unwrap().push(n));
    ///     }
    /// });
    /// assert_eq!(order.into_inner().unwrap(), [0, 1, 2]);
    /// # Ok::<(), filch::BuildError>(())
    /// ```
    pub fn in_place_scope_fifo<'scope, F, R>(&self, f: F) -> R
    where
        F: FnOnce(&ScopeFifo<'scope>) -> R,
    {
        scope::in_place_fifo_on(self.registry(), f)
    }

    /// Runs `f` once on every worker, waits, and returns the results by worker number.
    ///
    /// `f` gets the number of the worker that runs it. Sleeping workers wake for it. Each worker runs its turn when
    /// it has no more jobs of its own. A worker of this pool that calls this runs its own turn at once. While it
    /// waits for the other turns, a [spare](crate::PoolBuilder::spares) has its place; where there is no spare, it
    /// runs other jobs. Any other thread sleeps.
    ///
    /// # Panics
    /// Panics with the first panic of `f`, after all turns have ended. Also panics if the pool is shut down or this
    /// process is a forked child.
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

    /// Runs `f` as [`broadcast`](Self::broadcast) does, and tells each call the number of workers as well.
    ///
    /// # Panics
    /// As [`broadcast`](Self::broadcast).
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(2).build()?;
    /// let told = pool.broadcast_context(|context| (context.index(), context.num_threads()));
    /// assert_eq!(told, [(0, 2), (1, 2)]);
    /// # Ok::<(), filch::BuildError>(())
    /// ```
    pub fn broadcast_context<F, R>(&self, f: F) -> Vec<R>
    where
        F: Fn(BroadcastContext<'_>) -> R + Sync,
        R: Send,
    {
        broadcast_on(self.registry(), f)
    }

    /// Has every worker run `f` once. Does not block.
    ///
    /// Sleeping workers wake for it. Each worker runs `f` when it has no more jobs of its own. A panic of `f` goes to
    /// the panic handler.
    ///
    /// # Errors
    /// Returns `f` in [`Closed`] if the pool is shut down or this process is a forked child.
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

    /// Runs one job as [`yield_now`](crate::yield_now) does, if the calling thread is a worker of this pool.
    ///
    /// Returns `None` on any other thread.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// assert_eq!(pool.yield_now(), None, "this thread is no worker of the pool");
    /// pool.install(|| {
    ///     pool.execute(|| ()).unwrap();
    ///     assert_eq!(pool.yield_now(), Some(filch::Yield::Executed));
    ///     assert_eq!(pool.yield_now(), Some(filch::Yield::Idle));
    /// });
    /// # Ok::<(), filch::BuildError>(())
    /// ```
    pub fn yield_now(&self) -> Option<Yield> {
        yields::on(self.registry(), crate::scheduler::worker::Worker::run_one)
    }

    /// Runs one job as [`yield_local`](crate::yield_local) does, if the calling thread is a worker of this pool.
    ///
    /// Returns `None` on any other thread.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// assert_eq!(pool.yield_local(), None, "this thread is no worker of the pool");
    /// pool.install(|| {
    ///     // A job that this worker pushed itself.
    ///     pool.execute(|| ()).unwrap();
    ///     assert_eq!(pool.yield_local(), Some(filch::Yield::Executed));
    /// });
    /// # Ok::<(), filch::BuildError>(())
    /// ```
    pub fn yield_local(&self) -> Option<Yield> {
        yields::on(self.registry(), crate::scheduler::worker::Worker::run_local)
    }
}
