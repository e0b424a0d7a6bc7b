//! Pools that a program makes.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use filch::{BroadcastContext, Pool, Scope, ScopeFifo, Yield};

use crate::error::accepted;

/// A pool of threads; from [`ThreadPoolBuilder`](crate::ThreadPoolBuilder). What runs in it uses it for all that the free
/// functions do.
///
/// Dropping it closes it and does not wait: its threads end when they have run what was spawned.
pub struct ThreadPool {
    /// There until it is dropped.
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

    /// Runs `op` on a thread of the pool, waits, and returns what it returned or panics as it did. A thread of another
    /// pool works for that one while it waits.
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

    /// Runs `op` once on each thread of the pool, waits, and returns the results in the threads' order. A thread comes to
    /// it when its own deque is empty.
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

    /// How many threads it has.
    #[inline]
    pub fn current_num_threads(&self) -> usize {
        self.inner().workers()
    }

    /// The number of the calling thread, if it is one of this pool.
    #[inline]
    pub fn current_thread_index(&self) -> Option<usize> {
        self.inner().current_worker()
    }

    /// Whether the calling thread has jobs on its own deque; `None` if it is not one of this pool.
    #[inline]
    pub fn current_thread_has_pending_tasks(&self) -> Option<bool> {
        self.current_thread_index().and_then(|_| filch::has_pending())
    }

    /// [`join`](crate::join()) in this pool.
    pub fn join<A, B, RA, RB>(&self, oper_a: A, oper_b: B) -> (RA, RB)
    where
        A: FnOnce() -> RA + Send,
        B: FnOnce() -> RB + Send,
        RA: Send,
        RB: Send,
    {
        self.inner().install(|| filch::join(oper_a, oper_b))
    }

    /// [`scope`](crate::scope()) in this pool.
    pub fn scope<'scope, OP, R>(&self, op: OP) -> R
    where
        OP: FnOnce(&Scope<'scope>) -> R + Send,
        R: Send,
    {
        self.inner().install(|| filch::scope(op))
    }

    /// [`scope_fifo`](crate::scope_fifo()) in this pool.
    pub fn scope_fifo<'scope, OP, R>(&self, op: OP) -> R
    where
        OP: FnOnce(&ScopeFifo<'scope>) -> R + Send,
        R: Send,
    {
        self.inner().install(|| filch::scope_fifo(op))
    }

    /// [`in_place_scope`](crate::in_place_scope()) whose jobs run in this pool.
    pub fn in_place_scope<'scope, OP, R>(&self, op: OP) -> R
    where
        OP: FnOnce(&Scope<'scope>) -> R,
    {
        self.inner().in_place_scope(op)
    }

    /// [`in_place_scope_fifo`](crate::in_place_scope_fifo()) whose jobs run in this pool.
    pub fn in_place_scope_fifo<'scope, OP, R>(&self, op: OP) -> R
    where
        OP: FnOnce(&ScopeFifo<'scope>) -> R,
    {
        self.inner().in_place_scope_fifo(op)
    }

    /// [`spawn`](crate::spawn()) in this pool.
    pub fn spawn<OP>(&self, op: OP)
    where
        OP: FnOnce() + Send + 'static,
    {
        accepted(self.inner().execute(op));
    }

    /// [`spawn_fifo`](crate::spawn_fifo()) in this pool.
    pub fn spawn_fifo<OP>(&self, op: OP)
    where
        OP: FnOnce() + Send + 'static,
    {
        accepted(self.inner().execute_fifo(op));
    }

    /// [`spawn_broadcast`](crate::spawn_broadcast()) in this pool.
    pub fn spawn_broadcast<OP>(&self, op: OP)
    where
        OP: Fn(BroadcastContext<'_>) + Send + Sync + 'static,
    {
        accepted(self.inner().spawn_broadcast(op));
    }

    /// [`yield_now`](filch::yield_now()), if the calling thread is one of this pool.
    pub fn yield_now(&self) -> Option<Yield> {
        self.current_thread_index().and_then(|_| filch::yield_now())
    }

    /// [`yield_local`](filch::yield_local()), if the calling thread is one of this pool.
    pub fn yield_local(&self) -> Option<Yield> {
        self.current_thread_index().and_then(|_| filch::yield_local())
    }
}

/// A thread of the pool itself comes to its own turn, too, when its deque is empty and earlier broadcasts are through.
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

/// Tells pools apart where they are printed.
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
