//! The bounded, typed queue: a channel of jobs, the handler that serves it, and the wait for its jobs, in one.
//!
//! [`self::core`] lists the parts that all handles and runners of a queue share, with the module of each part.

mod builder;
pub(crate) mod core;
mod counts;
mod end;
mod error;
mod full;
mod idle;
mod overflow;
mod pace;
pub(crate) mod parcel;
mod queue_end;
mod queue_state;
mod queue_submit;
mod room_waiters;
mod run_job;
mod runner;
pub(crate) mod runner_counts;
mod standby;
mod start;
mod states;
mod submit;
mod time_slice;
mod trial;
mod weak;

pub use builder::{QueueBuilder, StatefulQueueBuilder};
pub use counts::QueueCounts;
pub use error::{NoRoom, SubmitError};
pub use weak::WeakQueue;

use std::fmt;

use self::core::CoreRef;
use crate::sync::StdArc;
use crate::waiting::numbered::Number;

/// A bounded queue of jobs of one type, which one handler serves on the workers of a pool.
///
/// [`Pool::queue`](crate::Pool::queue) builds it. Jobs go through a ring of the given capacity: the queue allocates
/// nothing for a job. At most `concurrency` jobs run at once, and jobs begin in the order in which the queue accepted
/// them; with a concurrency of 1 they run strictly one after the other. The panic of a job goes to the pool's panic
/// handler, and the jobs behind it still run.
///
/// Handles are cheap to clone. Dropping the last handle closes the queue; the accepted jobs still run.
///
/// The handler and its [states](QueueBuilder::worker_state) are dropped when the last handle is gone and the last job
/// has ended. If there are still handles when the pool has ended, the pool's last worker drops handler and states, or
/// the thread that shuts the pool down does. A handler that submits to its own queue does so by a [`WeakQueue`]: a
/// handler that holds a `Queue` of its own keeps the queue open, and itself alive, until the pool has ended.
///
/// # Examples
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use std::sync::Arc;
///
/// let pool = filch::Pool::builder().workers(3).build()?;
/// let sum = Arc::new(AtomicU64::new(0));
/// let queue = pool.queue().capacity(10).build({
///     let sum = Arc::clone(&sum);
///     move |n: u64| {
///         sum.fetch_add(n, Ordering::Relaxed);
///     }
/// })?;
/// for n in 1..=10 {
///     queue.submit(n)?;
/// }
/// queue.close();
/// queue.wait();
/// assert_eq!(sum.load(Ordering::Relaxed), 55);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Queue<J> {
    handle: StdArc<Handle<J>>,
}

/// Shared by all clones of a [`Queue`], but not by its runners. When it is dropped, nobody can submit any more.
struct Handle<J> {
    core: CoreRef<J>,
    /// The queue's number among the sources of its pool.
    source: Number,
}

impl<J> Drop for Handle<J> {
    fn drop(&mut self) {
        self.core.close();
        self.core.registry.remove_source(self.source);
    }
}

impl<J> Clone for Queue<J> {
    fn clone(&self) -> Self {
        Queue { handle: StdArc::clone(&self.handle) }
    }
}

impl<J: Send + 'static> fmt::Debug for Queue<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("name", &self.name())
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .field("concurrency", &self.handle.core.limit)
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
