//! What each turn of a broadcast is told about its call.

use std::fmt;
use std::marker::PhantomData;

/// Tells each call of a [broadcast](crate::Pool::broadcast_context) which worker runs it, and how many workers there
/// are.
///
/// The closures of [`Pool::spawn_broadcast`](crate::Pool::spawn_broadcast) and
/// [`Scope::spawn_broadcast`](crate::Scope::spawn_broadcast) get one, too.
///
/// # Examples
/// ```
/// let pool = filch::Pool::builder().workers(3).build()?;
/// let words = ["a", "b", "c", "d", "e", "f", "g"];
/// // Each worker takes its share of the words.
/// let shares = pool.broadcast_context(|context| {
///     words.iter().skip(context.index()).step_by(context.num_threads()).count()
/// });
/// assert_eq!(shares, [3, 2, 2]);
/// # Ok::<(), filch::BuildError>(())
/// ```
pub struct BroadcastContext<'a> {
    index: usize,
    workers: usize,
    /// Ties the context to its call and its thread: it can be neither kept, nor sent, nor shared.
    _call: PhantomData<&'a mut dyn Fn()>,
}

impl BroadcastContext<'_> {
    pub(crate) fn new(index: usize, workers: usize) -> Self {
        BroadcastContext { index, workers, _call: PhantomData }
    }

    /// Returns the number of the worker that runs this call.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(2).build()?;
    /// assert_eq!(pool.broadcast_context(|context| context.index()), [0, 1]);
    /// # Ok::<(), filch::BuildError>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn index(&self) -> usize {
        self.index
    }

    /// Returns the number of workers of the pool, which is also the number of calls. The name is rayon's.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(2).build()?;
    /// assert_eq!(pool.broadcast_context(|context| context.num_threads()), [2, 2]);
    /// # Ok::<(), filch::BuildError>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn num_threads(&self) -> usize {
        self.workers
    }
}

impl fmt::Debug for BroadcastContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BroadcastContext")
            .field("index", &self.index)
            .field("num_threads", &self.workers)
            .finish_non_exhaustive()
    }
}
