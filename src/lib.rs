//! A lock-free work-stealing runtime for CPU-bound work, made to be embedded.
//!
//! # Map
//!
//! A file imports only from the rows above its own.
//!
//! | layer | modules | purpose |
//! |---|---|---|
//! | 0 | `sync`, `unwind`, `rng`, `error`, `process` | ground: std or the checker, panics, errors, forks |
//! | 1 | `deque`, `parker`, `spin`, `ring`, `affinity`, `stats` | one mechanism each |
//! | 2 | `latch`, `sleep`, `room` | waiting: for an event, for work, for each other |
//! | 3 | `job` | what runs |
//! | 4 | `registry`, `worker`, `wait` | the scheduler |
//! | 5 | `spawn`, `install`, `queue` | one public operation each |
//! | 6 | `thread`, `shutdown`, `builder`, `pool`, `global` | configuration and life cycle |
//!
//! Decisions, and what was rejected, are in [`design`].

mod affinity;
mod builder;
mod deque;
mod error;
mod global;
mod install;
mod job;
mod latch;
mod parker;
mod pool;
mod process;
mod queue;
mod registry;
mod ring;
mod rng;
mod room;
mod shutdown;
mod sleep;
mod spawn;
mod spin;
mod stats;
mod sync;
mod thread;
mod unwind;
mod wait;
mod worker;

#[cfg(doc)]
#[doc = include_str!("../docs/DESIGN.md")]
pub mod design {}

pub use affinity::unpin_current_thread;
pub use builder::{Placement, PoolBuilder};
pub use error::{BuildError, Closed, ClosedReason, JoinError, ShutdownError, SubmitError};
pub use global::{current_worker, current_workers, execute, spawn};
pub use latch::{CountLatch, CountWait};
pub use pool::Pool;
pub use queue::{Queue, QueueBuilder, StatefulQueueBuilder};
pub use shutdown::{Shutdown, WorkerReport};
pub use spawn::JoinHandle;
pub use stats::{Stats, WorkerStats};
pub use thread::WorkerThread;
