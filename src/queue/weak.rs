//! A handle that keeps nothing: for a handler that submits to its own queue.

use std::fmt;

use super::{Handle, Queue};
use crate::sync::{StdArc, StdWeak};

/// A handle of a [`Queue`] that does not keep the queue open, nor its handler alive; from [`Queue::downgrade`].
///
/// For a handler that submits to its own queue. With a [`Queue`] of its own, a handler would keep itself and its queue until
/// the pool has ended, and dropping all other handles would not close the queue.
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
    /// A handle of the queue; `None` once its last one has gone, and so the queue was closed for good. A queue that was
    /// closed otherwise, by [`close`](Queue::close) or a shutdown, still has its handles. Does not block; one atomic
    /// exchange.
    #[must_use]
    pub fn upgrade(&self) -> Option<Queue<J>> {
        self.handle.upgrade().map(|handle| Queue { handle })
    }
}

impl<J> Queue<J> {
    /// A handle that keeps neither the queue open nor its handler alive. Does not block; one atomic addition.
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
