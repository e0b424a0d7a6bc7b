//! A lock-free work-stealing runtime for CPU-bound work, made to be embedded.
//!
//! # Map
//!
//! A file imports only from the rows above its own.
//!
//! | layer | modules | purpose |
//! |---|---|---|
//! | 0 | `sync`, `unwind`, `rng`, `error`, `panic_at`, `process` | ground: std or the checker, panics, errors, forked children |
//! | 1 | `spin`, `deque`, `barrier`, `parker`, `ring`, `numbered`, `affinity`, `stats` | one mechanism each |
//! | 2 | `latch`, `sleep`, `room` | waiting: for an event, for work, for each other |
//! | 3 | `job`, `inbox`, `hooks` | what runs |
//! | 4 | `registry`, `finish`, `worker`, `fork`, `wait` | the scheduler |
//! | 5 | `join`, `scope`, `broadcast`, `yields`, `spawn`, `install`, `queue` | one public operation each |
//! | 6 | `thread`, `shutdown`, `builder`, `pool`, `pool_fork`, `global` | configuration and life cycle |
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
