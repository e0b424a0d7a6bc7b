//! Pools that a program makes.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use filch::{BroadcastContext, Pool, Scope, ScopeFifo, Yield};

use crate::error::accepted;

/// A pool of threads, made by [`ThreadPoolBuilder`](crate::ThreadPoolBuilder). Code that runs in the pool uses the
/// pool for everything that the free functions do.
///
/// Dropping the pool closes it and does not wait. The pool's threads end when they have run all spawned jobs.
pub struct ThreadPool {
    /// `Some` until the drop.
    pool: Option<Pool>,
    id: PoolId,
}

impl ThreadPool {
    pub(crate) fn new_in(pool: Pool, id: PoolId) -> ThreadPool {
        ThreadPool { pool: Some(pool), id }
    }

    #[inline]
    pub(crate) fn inner(&self) -> &Pool {
        match &self.pool {
            Some(pool) => pool,
            None => unreachable!("a pool is used after its drop"),
        }
    }

    /// Runs `op` on a thread of the pool, waits, and returns its result or panics as it did. If the caller is a
    /// thread of another pool, it works for that pool while it waits.
    ///
    /// ```
    /// let pool = rayon_core::ThreadPoolBuilder::new().num_threads(2).build()?;
    /// assert_eq!(pool.install(|| rayon_core::join(|| 1, || 2)), (1, 2));
    /// # Ok::<(), rayon_core::ThreadPoolBuildError>(())
    /// ```
    pub fn install<OP, R>(&self, op: OP) -> R
    where
        OP: FnOnce() -> R + Send,
        R: Send,
    {
        self.inner().install(op)
    }

    /// Runs `op` once on each thread of the pool, waits, and returns the results in the threads' order. A thread runs
    /// `op` when its own deque is empty.
    ///
    /// ```
    /// let pool = rayon_core::ThreadPoolBuilder::new().num_threads(3).build()?;
    /// assert_eq!(pool.broadcast(|context| context.index()), [0, 1, 2]);
    /// # Ok::<(), rayon_core::ThreadPoolBuildError>(())
    /// ```
    pub fn broadcast<OP, R>(&self, op: OP) -> Vec<R>
    where
        OP: Fn(BroadcastContext<'_>) -> R + Sync,
        R: Send,
    {
        if self.current_thread_index().is_some() {
            finish_own();
        }
        self.inner().broadcast_context(op)
    }

    /// Returns how many threads the pool has.
    #[inline]
    pub fn current_num_threads(&self) -> usize {
        self.inner().workers()
    }

    /// Returns the number of the calling thread, or `None` if it is not a thread of this pool.
    #[inline]
    pub fn current_thread_index(&self) -> Option<usize> {
        self.inner().current_worker()
    }

    /// Returns whether the calling thread has jobs on its own deque, or `None` if it is not a thread of this pool.
    #[inline]
    pub fn current_thread_has_pending_tasks(&self) -> Option<bool> {
        self.current_thread_index().and_then(|_| filch::has_pending())
    }

    /// Calls two closures as [`join`](crate::join()) does, in this pool.
    pub fn join<A, B, RA, RB>(&self, oper_a: A, oper_b: B) -> (RA, RB)
    where
        A: FnOnce() -> RA + Send,
        B: FnOnce() -> RB + Send,
        RA: Send,
        RB: Send,
    {
        self.inner().install(|| filch::join(oper_a, oper_b))
    }

    /// Opens a scope as [`scope`](crate::scope()) does, in this pool.
    pub fn scope<'scope, OP, R>(&self, op: OP) -> R
    where
        OP: FnOnce(&Scope<'scope>) -> R + Send,
        R: Send,
    {
        self.inner().install(|| filch::scope(op))
    }

    /// Opens a scope as [`scope_fifo`](crate::scope_fifo()) does, in this pool.
    pub fn scope_fifo<'scope, OP, R>(&self, op: OP) -> R
    where
        OP: FnOnce(&ScopeFifo<'scope>) -> R + Send,
        R: Send,
    {
        self.inner().install(|| filch::scope_fifo(op))
    }

    /// Opens a scope as [`in_place_scope`](crate::in_place_scope()) does. The scope's jobs run in this pool.
    pub fn in_place_scope<'scope, OP, R>(&self, op: OP) -> R
    where
        OP: FnOnce(&Scope<'scope>) -> R,
    {
        self.inner().in_place_scope(op)
    }

    /// Opens a scope as [`in_place_scope_fifo`](crate::in_place_scope_fifo()) does. The scope's jobs run in this
    /// pool.
    pub fn in_place_scope_fifo<'scope, OP, R>(&self, op: OP) -> R
    where
        OP: FnOnce(&ScopeFifo<'scope>) -> R,
    {
        self.inner().in_place_scope_fifo(op)
    }

    /// Spawns a job as [`spawn`](crate::spawn()) does, in this pool.
    pub fn spawn<OP>(&self, op: OP)
    where
        OP: FnOnce() + Send + 'static,
    {
        accepted(self.inner().execute(op));
    }

    /// Spawns a job as [`spawn_fifo`](crate::spawn_fifo()) does, in this pool.
    pub fn spawn_fifo<OP>(&self, op: OP)
    where
        OP: FnOnce() + Send + 'static,
    {
        accepted(self.inner().execute_fifo(op));
    }

    /// Spawns a job on each thread as [`spawn_broadcast`](crate::spawn_broadcast()) does, in this pool.
    pub fn spawn_broadcast<OP>(&self, op: OP)
    where
        OP: Fn(BroadcastContext<'_>) + Send + Sync + 'static,
    {
        accepted(self.inner().spawn_broadcast(op));
    }

    /// Calls [`yield_now`](filch::yield_now()) if the calling thread is a thread of this pool. Otherwise it returns
    /// `None`.
    pub fn yield_now(&self) -> Option<Yield> {
        self.current_thread_index().and_then(|_| filch::yield_now())
    }

    /// Calls [`yield_local`](filch::yield_local()) if the calling thread is a thread of this pool. Otherwise it
    /// returns `None`.
    pub fn yield_local(&self) -> Option<Yield> {
        self.current_thread_index().and_then(|_| filch::yield_local())
    }
}

/// Runs the calling thread's own jobs and its turns of earlier broadcasts: a thread of the pool takes its own turn of
/// a broadcast only after these.
pub(crate) fn finish_own() {
    while filch::yield_local() == Some(filch::Yield::Executed) {}
}

impl Drop for ThreadPool {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.take() {
            pool.detach();
        }
    }
}

impl fmt::Debug for ThreadPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPool")
            .field("num_threads", &self.current_num_threads())
            .field("id", &self.id)
            .finish()
    }
}

/// Tells pools apart when they are printed.
#[derive(Clone, Copy)]
pub(crate) struct PoolId(usize);

impl PoolId {
    pub(crate) fn next() -> PoolId {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        PoolId(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl fmt::Debug for PoolId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // As rayon prints it.
        f.debug_struct("RegistryId").field("addr", &self.0).finish()
    }
}
