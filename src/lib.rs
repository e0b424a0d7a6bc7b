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

mod affinity;
mod barrier;
mod blocking;
mod broadcast;
mod builder;
mod deque;
mod error;
mod finish;
mod fork;
mod global;
mod handle;
mod hooks;
mod inbox;
mod install;
mod job;
mod join;
mod latch;
mod numbered;
mod panic_at;
mod parker;
mod pool;
mod pool_fork;
mod process;
mod queue;
mod registry;
mod ring;
mod rng;
mod room;
mod scope;
mod shutdown;
mod sleep;
mod spares;
mod spawn;
mod spin;
mod stats;
mod switches;
mod sync;
mod thread;
mod unwind;
mod wait;
mod worker;
mod yields;

#[cfg(doc)]
#[doc = include_str!("../docs/DESIGN.md")]
pub mod design {}

pub use affinity::{unpin_child, unpin_current_thread};
pub use blocking::blocking;
pub use broadcast::{BroadcastContext, broadcast, broadcast_context, spawn_broadcast};
pub use builder::{Placement, PoolBuilder};
pub use error::{BuildError, Closed, ClosedReason, JoinError, ShutdownError};
pub use global::{current_worker, current_workers, execute, execute_fifo, spawn};
pub use handle::JoinHandle;
pub use join::{FnContext, join, join_context};
pub use latch::{CountLatch, CountWait};
pub use panic_at::PanicAt;
pub use pool::Pool;
pub use queue::{NoRoom, Queue, QueueBuilder, QueueCounts, StatefulQueueBuilder, SubmitError, WeakQueue};
pub use scope::{Scope, ScopeFifo, in_place_scope, in_place_scope_fifo, scope, scope_fifo};
pub use shutdown::{Shutdown, WorkerReport};
pub use sleep::MAX_WORKERS;
pub use stats::{Stats, WorkerStats};
pub use thread::WorkerThread;
pub use worker::Wait;
pub use yields::{Yield, has_pending, yield_local, yield_now};
