//! A handle that keeps neither the queue open nor its handler alive: for a handler that submits to its own queue.

use std::fmt;

use super::{Handle, Queue};
use crate::sync::{StdArc, StdWeak};

/// A handle of a [`Queue`] that keeps neither the queue open nor its handler alive; [`Queue::downgrade`] creates it.
///
/// It is for a handler that submits to its own queue. A handler that holds a [`Queue`] of its own would keep itself
/// and its queue until the pool has ended, and dropping all other handles would not close the queue.
///
/// # Examples
/// ```
/// use std::sync::{Arc, OnceLock};
///
/// let pool = filch::Pool::builder().workers(1).build()?;
/// let own = Arc::new(OnceLock::<filch::WeakQueue<u32>>::new());
/// let queue = pool.queue().build({
///     let own = Arc::clone(&own);
///     move |n: u32| {
///         // `None` once nobody else can submit.
///         if let Some(queue) = own.get().and_then(|weak| weak.upgrade())
///             && n > 0
///         {
///             queue.submit(n - 1).expect("the queue is open");
///         }
///     }
/// })?;
/// own.get_or_init(|| queue.downgrade());
/// queue.submit(3)?;
/// queue.wait();
/// assert_eq!(pool.shutdown()?.run, 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct WeakQueue<J> {
    handle: StdWeak<Handle<J>>,
}

impl<J> WeakQueue<J> {
    /// Returns a handle of the queue; `None` once the last handle is gone, which closed the queue for good.
    ///
    /// A queue that was closed otherwise, by [`close`](Queue::close) or a shutdown, still has its handles. Does not
    /// block; costs one atomic exchange.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// let queue = pool.queue().build(|n: u32| assert!(n > 0))?;
    /// let weak = queue.downgrade();
    /// queue.close();
    /// // Closed, but not gone.
    /// assert!(weak.upgrade().is_some_and(|queue| queue.is_closed()));
    /// drop(queue);
    /// assert!(weak.upgrade().is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn upgrade(&self) -> Option<Queue<J>> {
        self.handle.upgrade().map(|handle| Queue { handle })
    }
}

impl<J> Queue<J> {
    /// Returns a handle that keeps neither the queue open nor its handler alive. Does not block; costs one atomic
    /// addition.
    ///
    /// # Examples
    /// ```
    /// let pool = filch::Pool::builder().workers(1).build()?;
    /// let queue = pool.queue().build(|n: u32| assert!(n > 0))?;
    /// let weak = queue.downgrade();
    /// assert!(weak.upgrade().is_some());
    /// // The last handle: this closes the queue.
    /// drop(queue);
    /// assert!(weak.upgrade().is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use = "this makes a handle and changes nothing"]
    pub fn downgrade(&self) -> WeakQueue<J> {
        WeakQueue { handle: StdArc::downgrade(&self.handle) }
    }
}

impl<J> Clone for WeakQueue<J> {
    fn clone(&self) -> Self {
        WeakQueue { handle: StdWeak::clone(&self.handle) }
    }
}

impl<J> fmt::Debug for WeakQueue<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakQueue").field("handles", &self.handle.strong_count()).finish_non_exhaustive()
    }
}
