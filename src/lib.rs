//! A lock-free work-stealing runtime for CPU-bound work, made to be embedded.
//!
//! A [`Pool`] owns worker threads, each bound to a core. A worker keeps its jobs in a deque of its own, takes more from an
//! injector, and steals from its peers when it has none. Nothing starts that you did not ask for, and
//! [`shutdown`](Pool::shutdown) runs what was accepted, joins every thread and reports.
//!
//! # Three ways to use it
//!
//! **Embed it** in a host that wants throughput. Start a pool, give it jobs, end it:
//!
//! ```
//! let pool = filch::Pool::new()?; // one worker for each core
//! // A closure that borrows, run by a worker while the caller waits.
//! let words = vec!["steal", "something", "small"];
//! let longest = pool.install(|| words.iter().map(|word| word.len()).max());
//! assert_eq!(longest, Some(9));
//! // A bounded queue of typed values: a producer waits while it is full.
//! let queue = pool.queue().capacity(10).build(|n: u64| assert!(n < 100))?;
//! queue.submit_all(0..100)?;
//! queue.close();
//! queue.wait();
//! assert_eq!(pool.shutdown()?.run, 101);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | you have | you call |
//! |---|---|
//! | a closure that nobody waits for | [`execute`](Pool::execute) |
//! | a closure whose result you want later, by blocking or `await` | [`spawn`](Pool::spawn), which returns a [`JoinHandle`] |
//! | a closure that borrows, and its result now | [`install`](Pool::install) |
//! | a recursion that splits in two | [`join`]: a fork costs about as much as two calls |
//! | any number of closures that borrow | [`scope`] |
//! | a closure for every worker | [`broadcast`] |
//! | a stream of values of one type, with backpressure | [`Pool::queue`], which makes a [`Queue`] |
//! | a count of things that have still to happen | [`CountLatch`] |
//! | a job that is about to block on a file, a lock, the network | [`blocking`](fn@blocking) |
//!
//! **Compare it** with rayon. The package `rayon-core` in this repository takes the place of rayon's core by one line
//! in a manifest, so that a program's own iterators run on filch; `docs/RAYON.md` says how, and what differs. The benches
//! measure filch beside its peers in one run: `cargo bench -p filch-benches`, with the method and all tables in
//! `benches/README.md`.
//!
//! **Check** your own code with loom or shuttle. Under `--cfg loom` with the feature `loom`, or `--cfg shuttle` with the
//! feature `shuttle`, the pool runs on the checker's threads, so a model may use pools, queues and latches. `docs/CHECKING.md` is
//! the guide. filch's own orderings are checked so, and broken variants of them must be found.
//!
//! # Map of the sources
//!
//! A file uses its own folder and those below.
//!
//! | floor | folder | what is there |
//! |---|---|---|
//! | 9 | `pool` | the pool as its users have it |
//! | 8 | `queue` | the bounded queue of typed jobs |
//! | 7 | `fork_join` | `join`, `scope`, `broadcast` |
//! | 6 | `tasks` | single closures |
//! | 5 | `scheduler` | what workers share, the worker, spares, how a thread waits |
//! | 4 | `jobs` | the erased job, and where jobs lie |
//! | 3 | `waiting` | latches, who sleeps, who waits for whom |
//! | 2 | `system` | what the machine gives |
//! | 1 | `sync` | std or a checker, and the table of orderings |
//!
//! Decisions, and what was rejected, are in [`design`].

mod error;
mod fork_join;
mod jobs;
mod pool;
mod queue;
mod scheduler;
mod sync;
mod system;
mod tasks;
mod waiting;

#[cfg(doc)]
#[doc = include_str!("../docs/DESIGN.md")]
pub mod design {}

pub use error::{BuildError, Closed, ClosedReason};
pub use fork_join::join::FnContext;
pub use fork_join::scope::{BroadcastContext, Scope, ScopeFifo};
pub use pool::{
    Placement, Pool, PoolBuilder, Shutdown, ShutdownError, WorkerReport, WorkerThread, broadcast,
    broadcast_context, current_worker, current_workers, execute, execute_fifo, in_place_scope,
    in_place_scope_fifo, join, join_context, scope, scope_fifo, spawn, spawn_broadcast,
};
pub use queue::{NoRoom, Queue, QueueBuilder, QueueCounts, StatefulQueueBuilder, SubmitError, WeakQueue};
pub use scheduler::panic_at::PanicAt;
pub use scheduler::stats::{Stats, WorkerStats};
pub use scheduler::worker::Wait;
pub use system::affinity::{unpin_child, unpin_current_thread};
pub use tasks::blocking::blocking;
pub use tasks::error::JoinError;
pub use tasks::handle::JoinHandle;
pub use tasks::yields::{Yield, has_pending, yield_local, yield_now};
pub use waiting::latch::{CountLatch, CountWait};
pub use waiting::sleep::MAX_WORKERS;
